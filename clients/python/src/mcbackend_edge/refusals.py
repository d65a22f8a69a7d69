"""Chains that the server refuses, draws that are left at the end, and the lines that tell of both."""

from __future__ import annotations

import logging

from .errors import ApiError, DrawConflictError, McbError
from .run_writer import RunWriter
from .ways_out import counted, draws_are, ended, named_chains, out_of_conflict, sync_command
from .writer import ChainWriter

log = logging.getLogger("mcbackend_edge")


def refuse(run: RunWriter, chain: ChainWriter, error: McbError) -> bool:
    """Ends the sending of a chain for good; False. The caller tells of draws that are to be had again elsewhere."""
    if isinstance(error, ApiError) and not error.advice and run.origin is None:
        error.advice = out_of_conflict(error, run.spool, is_living=not run.is_left)
    chain.error = error
    if isinstance(error, DrawConflictError):
        chain.refusal = error
    if run.origin is None:
        run.failures.append(chain)
    return False


def tell_refusals(run: RunWriter) -> None:
    """A line for each new kind of refusal, not one for each chain."""
    failures, run.failures = run.failures, []
    by_kind: dict[tuple[type, str], list[ChainWriter]] = {}
    for chain in failures:
        by_kind.setdefault((type(chain.error), getattr(chain.error, "code", "")), []).append(chain)
    for kind, chains in by_kind.items():
        error = chains[0].error
        plain, advice = (error.plain, error.advice) if isinstance(error, ApiError) else (str(error), "")
        pending = draws_are(sum(chain.pending for chain in chains))
        is_told = run.is_left or kind in run.told or (run.is_movable and isinstance(error, DrawConflictError))
        log.log(
            logging.DEBUG if is_told else logging.ERROR,
            "run %s, %s: %s %s not on the server, but %s.%s",
            *(run.meta.rid, named_chains(chain.number for chain in chains), ended(plain), pending, run.place),
            f" {ended(advice)}" if advice else "",
        )
        run.told.add(kind)


def say_what_is_left(run: RunWriter) -> None:
    """Tells at the end of the process of draws that are not on the server, and of the way there."""
    if not run.pending or run.is_abandoned or (run.origin is not None and run.error is not None):
        return
    chains = named_chains(number for number, chain in run.chains.items() if chain.pending)
    about = f"{counted(run.pending, 'draw')} of run {run.meta.rid} ({chains})"
    verb = "is" if run.pending == 1 else "are"
    lost = sum(chain.in_memory for chain in run.chains.values())
    if run.spool is None or lost == run.pending:
        log.warning("%s could not be sent, and %s lost: memory was the only place for them.", about, verb)
        return
    advice = next((chain.error.advice for chain in run.chains.values() if isinstance(chain.error, ApiError)), "")
    way = ended(advice) if advice else f"Send them with: {sync_command(run.spool.path.parent)}"
    but = f", but for {counted(lost, 'draw')} in memory, which {'is' if lost == 1 else 'are'} lost" if lost else ""
    log.warning("%s %s %s%s. %s", about, verb, run.place, but, way)
