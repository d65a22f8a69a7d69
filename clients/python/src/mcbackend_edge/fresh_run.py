"""A run of its own for a writer that begins anew at each start: it never goes on with the draws of another start."""

from __future__ import annotations

import logging
import secrets
import weakref
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from .client import Client, new_rid, numbered
from .errors import ApiError, McbError, RunConflictError, ServerUnreachableError
from .names import LONGEST_RID
from .run import Run
from .schema import RunMeta

log = logging.getLogger("mcbackend_edge")

# Ids that are tried behind the first one, at most: others may take them at the same time.
_MOST_TRIES = 20

# Runs that this process has begun, by the server's address and id: their draws may still be on the way.
_begun: weakref.WeakValueDictionary[tuple[str, str], Run] = weakref.WeakValueDictionary()


class FreshRun(NamedTuple):
    """A run without draws.

    Attributes
    ----------
    moved_from : the id that was asked for, where another run of that id was in the way; else None.
    """

    run: Run
    moved_from: str | None


def begin(
    client: Client, rid: str | None, meta_of: Callable[[str], RunMeta], *, offline: bool | None = None
) -> FreshRun:
    """Registers a run under the id that is asked for, or under the next one of ``rid.2``, ``rid.3``, … without draws.

    Its chains are to be opened with ``start=0``: whoever else writes there is then in conflict, and nothing is mixed.

    Parameters
    ----------
    rid : the id; one that nobody has if None.
    meta_of : gives the metadata of the run with that id.
    offline : see `Client.create_run`.

    Raises
    ------
    IdentifierError, InvalidError, ServerUnreachableError
    """
    if rid is None:
        return FreshRun(client.register(meta_of(new_rid()), offline=offline), None)
    for candidate in islice(_candidates(rid, client.free_rid(rid, offline=offline)), _MOST_TRIES):
        if _is_being_written(client, candidate):
            continue
        try:
            run = client.register(meta_of(candidate), offline=offline)
        except RunConflictError:
            # The script has changed since its last start, which left a run without draws.
            continue
        if not _has_draws(client, run, offline):
            _begun[client.url, candidate] = run
            return FreshRun(run, rid if candidate != rid else None)
    raise RunConflictError(409, "run_conflict", f"the ids that follow {rid} are taken: choose another rid", {})


def begin_somehow(client: Client, rid: str, meta_of: Callable[[str], RunMeta]) -> FreshRun:
    """As `begin`, for a writer that samples already: nothing is raised.

    If the server cannot be asked for a free id, and it is not asked during an outage, the run gets one that nobody
    can have. It is registered when its draws are sent.
    """
    if not client.has_outage:
        try:
            return begin(client, rid, meta_of, offline=False)
        except McbError as error:
            log.debug("no id behind %s can be asked for: %s", rid, error)
    ending = f".{secrets.token_hex(4)}"
    return FreshRun(client.open_run(meta_of(f"{rid[: LONGEST_RID - len(ending)]}{ending}"), None), rid)


def _candidates(rid: str, free: str) -> Iterator[str]:
    """The id that seems to be free, and those with the numbers behind it."""
    yield free
    number = 1 if free == rid else int(free.rpartition(".")[2])
    while True:
        number += 1
        yield numbered(rid, number)


def _is_being_written(client: Client, rid: str) -> bool:
    run = _begun.get((client.url, rid))
    return run is not None and any(run.own_lengths.values())


def _has_draws(client: Client, run: Run, offline: bool | None) -> bool:
    """True if a chain has draws; what `free_rid` goes by lags behind by two seconds."""
    if run.registration is None:
        return False
    try:
        return any(run.lengths().values())
    except (ServerUnreachableError, ApiError) as error:
        if not client.goes_on(error, offline):
            raise
        return False
