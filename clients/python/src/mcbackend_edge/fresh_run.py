"""A run of its own for a writer that begins anew at each start: it never goes on with the draws of another start."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import NamedTuple

from .client import Client, new_rid, numbered
from .errors import ApiError, RunConflictError, ServerUnreachableError
from .run import Run
from .schema import RunMeta

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


def begin(client: Client, rid: str | None, meta_of: Callable[[str], RunMeta], *, offline: bool = False) -> FreshRun:
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
    candidate = client.free_rid(rid, offline=offline)
    for number in range(2, 2 + _MOST_TRIES):
        if not _is_being_written(client, candidate):
            try:
                run = client.register(meta_of(candidate), offline=offline)
            except RunConflictError:
                # The script has changed since its last start, which left a run without draws.
                pass
            else:
                if not _has_draws(run, offline):
                    _begun[client.url, candidate] = run
                    return FreshRun(run, rid if candidate != rid else None)
        candidate = client.free_rid(numbered(rid, number), offline=offline)
    raise RunConflictError(409, "run_conflict", f"the ids that follow {rid} are taken: choose another rid", {})


def _is_being_written(client: Client, rid: str) -> bool:
    run = _begun.get((client.url, rid))
    return run is not None and any(run.own_lengths.values())


def _has_draws(run: Run, offline: bool) -> bool:
    """True if a chain has draws; what `free_rid` goes by lags behind by two seconds."""
    if run.registration is None:
        return False
    try:
        return any(run.lengths().values())
    except (ServerUnreachableError, ApiError) as error:
        if not offline or (isinstance(error, ApiError) and not error.is_temporary):
            raise
        return False
