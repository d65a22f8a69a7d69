"""The chains and draws that are read: lengths of one moment, where warmup ends, and the chains that give the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..schema import Variable
from ..warmup import warmup_flag, warmup_length
from .notes import Notes, listed
from .stored import StoredChain, StoredRun

ChainChoice = Literal["auto", "all"] | Sequence[int]
"""Numbers of chains in the wanted order; "all"; or "auto": those that give the most draws in all when they are cut to
the shortest of them, as PyMC keeps them after an interruption."""


@dataclass(frozen=True)
class Extent:
    """One chain: its first `warmup` draws are warmup, and the `posterior` behind them are not."""

    chain: StoredChain
    warmup: int
    posterior: int

    @property
    def number(self) -> int:
        return self.chain.number


@dataclass(frozen=True)
class Span:
    """The draws of one chain that are read, by their indices in it.

    Attributes
    ----------
    labels : the indices of the posterior draws, counted from the end of warmup.
    warmup_length : number of the chain's draws that are warmup, read or not.
    """

    chain: StoredChain
    warmup: range
    posterior: range
    labels: range
    warmup_length: int


def spans(
    run: StoredRun, chains: ChainChoice, draws: slice, *, wants_warmup: bool, equalize: bool, notes: Notes
) -> list[Span]:
    """The draws that are read of each chain, as far as the run has come by now.

    Parameters
    ----------
    draws : counts from the first draw behind warmup.
    equalize : False takes all draws of chains of different lengths.

    Raises
    ------
    ValueError
        If the run has no chain of a number.
    TypeError
        If the arguments make no sense.
    """
    if not isinstance(draws, slice):
        raise TypeError(
            f"draws is a slice of those behind warmup, such as slice(100) or slice(-100, None), not {draws!r}"
        )
    known = _extents(run, chains)
    kept = known
    if isinstance(chains, str) and chains == "auto":
        kept = _best(known, equalize)
        _tell_left_out(known, kept, notes)
    posterior = min((extent.posterior for extent in kept), default=0)
    warmup = min((extent.warmup for extent in kept), default=0)
    if equalize:
        _tell_cut(kept, warmup if wants_warmup else None, posterior, notes)
        kept = [Extent(extent.chain, extent.warmup, posterior) for extent in kept]
    _tell_empty(known, kept, wants_warmup, notes)
    return [
        Span(
            extent.chain,
            range(warmup if equalize else extent.warmup) if wants_warmup else range(0),
            range(extent.warmup, extent.warmup + extent.posterior)[draws],
            range(extent.posterior)[draws],
            extent.warmup,
        )
        for extent in kept
    ]


def flag_of(run: StoredRun) -> Variable | None:
    """The stat that marks warmup."""
    name = warmup_flag(run.sample_stats.values())
    return None if name is None else run.sample_stats[name]


def _extents(run: StoredRun, chains: ChainChoice) -> list[Extent]:
    found = {chain.number: chain for chain in run.get_chains()}
    if isinstance(chains, str) and chains not in ("auto", "all"):
        raise ValueError(f"chains is 'auto', 'all' or a list of numbers, not {chains!r}")
    if isinstance(chains, str):
        wanted = list(found)
    else:
        try:
            wanted = list(dict.fromkeys(int(number) for number in chains))
        except TypeError:
            raise TypeError(f"chains is 'auto', 'all' or a list of numbers, such as [0, 2], not {chains!r}") from None
        if unknown := [number for number in wanted if number not in found]:
            raise ValueError(f"run {run.rid} has no chain {listed(unknown)}; it has {listed(found) or 'none'}")
    on_server = {} if all(chain.is_own for chain in found.values()) else run.lengths()
    flag = flag_of(run)
    extents = []
    for number in wanted:
        chain = found[number]
        length = len(chain) if chain.is_own else on_server.get(number, 0)
        warmup = 0
        if flag is not None and length:
            _, stats = chain.get_many([], [flag.name], slice(0, length), progress=False)
            warmup = warmup_length(stats[flag.name])
        extents.append(Extent(chain, warmup, length - warmup))
    return extents


def _best(extents: Sequence[Extent], equalize: bool) -> list[Extent]:
    """The chains for which their number times the length of the shortest is greatest; more chains if there are ties."""
    lengths = {extent.number: extent.posterior for extent in extents}
    if not any(lengths.values()):
        # All draws so far are warmup, of which the same can be said.
        lengths = {extent.number: extent.warmup for extent in extents}
    ascending = sorted(lengths.values())
    if not ascending or not ascending[-1]:
        return list(extents)
    shortest = max(enumerate(ascending), key=lambda item: ((len(ascending) - item[0]) * item[1], -item[0]))[1]
    return [extent for extent in extents if lengths[extent.number] >= (shortest if equalize else 1)]


def _tell_left_out(known: Sequence[Extent], kept: Sequence[Extent], notes: Notes) -> None:
    if len(kept) == len(known):
        return
    numbers = {extent.number for extent in kept}
    left_out = [extent for extent in known if extent.number not in numbers]
    described = [f"chain {extent.number} ({_described(extent)})" for extent in left_out[:8]]
    if len(left_out) > len(described):
        described.append(f"{len(left_out) - len(described):,} more")
    notes.add(
        f"{', '.join(described)} left out, since the others give more draws without; "
        f"chains='all' or chains=[{left_out[0].number}] reads what is left out"
    )


def _described(extent: Extent) -> str:
    if not extent.warmup and not extent.posterior:
        return "no draws yet"
    if not extent.posterior:
        return f"{extent.warmup:,} draws, all of them warmup"
    return f"{extent.posterior:,} draws" + (" behind warmup" if extent.warmup else "")


def _tell_cut(kept: Sequence[Extent], warmup: int | None, posterior: int, notes: Notes) -> None:
    lengths = {extent.number: extent.posterior for extent in kept}
    if len(set(lengths.values())) > 1:
        shown = str(lengths) if len(lengths) <= 20 else f"{min(lengths.values()):,} to {max(lengths.values()):,} draws"
        notes.add(f"chains vary in length: {shown}; they are cut to the shortest, {posterior:,} draws")
    warmups = {extent.warmup for extent in kept}
    if warmup is not None and len(warmups) > 1:
        notes.add(f"warmups vary in length: {min(warmups):,} to {max(warmups):,}; they are cut to the shortest")


def _tell_empty(known: Sequence[Extent], kept: Sequence[Extent], has_warmup: bool, notes: Notes) -> None:
    if any(extent.posterior for extent in kept):
        return
    warmup = sum(extent.warmup for extent in kept)
    if not known:
        notes.add("there are no chains yet")
    elif any(extent.posterior for extent in known):
        empty = [extent.number for extent in known if not extent.posterior]
        notes.add(
            f"chain {listed(empty)} has no draws behind warmup, and so there are none that all have: "
            "chains='auto' leaves it out, and equalize_chain_lengths=False fills it up"
        )
    elif warmup:
        advice = "they are in the groups of warmup" if has_warmup else "warmup=True reads them"
        notes.add(f"all {warmup:,} draws so far are warmup: {advice}")
    else:
        notes.add("there are no draws yet")
