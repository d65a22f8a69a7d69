"""Conflicts told so that the way out is seen: the difference of two runs of one id, and a chain that exists already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .errors import ChainExistsError, RunConflictError, shown
from .schema import RunMeta

# Differences that are named of each kind, at most.
_MOST_NAMED = 5


def explained_run_conflict(error: RunConflictError, stored: RunMeta, wanted: RunMeta) -> RunConflictError:
    """The same error, which names the parts of the metadata that differ."""
    found = differences(stored, wanted)
    if not found:
        return error
    detail = (
        f"a different run is registered as {wanted.rid}: {'; '.join(found)}. Give this one another id, such as "
        f"{wanted.rid[:120]}.2, or delete the other with client.delete_run({wanted.rid!r})"
    )
    return RunConflictError(error.status, error.code, detail, error.fields, error.retry_after)


def explained_chain(error: ChainExistsError, rid: str, number: int) -> ChainExistsError:
    """The same error with the two ways to go on."""
    detail = (
        f"run {rid} has a chain {number} already: go on behind its draws with init_chain({number}, resume=True), or "
        f"write to a new run, whose id client.free_rid({rid!r}) gives"
    )
    return ChainExistsError(error.status, error.code, detail, error.fields, error.retry_after)


def differences(stored: RunMeta, wanted: RunMeta) -> list[str]:
    """Parts in which two runs differ, each with its names: ``coords: 'school' differs``."""
    parts: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("variables", {var.name: var for var in stored.variables}, {var.name: var for var in wanted.variables}),
        (
            "sample stats",
            {var.name: var for var in stored.sample_stats},
            {var.name: var for var in wanted.sample_stats},
        ),
        ("coords", stored.coords, wanted.coords),
        ("data", {item.name: item for item in stored.data}, {item.name: item for item in wanted.data}),
        ("attributes", stored.attributes, wanted.attributes),
    ]
    found = []
    for part, there, here in parts:
        named = [f"{shown(repr(name), 80)} only there" for name in there if name not in here]
        named += [f"{shown(repr(name), 80)} only here" for name in here if name not in there]
        changed = [name for name in here if name in there and not _is_same(here[name], there[name])]
        named += [f"{shown(repr(name), 80)} differs" for name in changed]
        if named:
            found.append(f"{part}: {', '.join(_first(named))}")
        elif list(there) != list(here) and part != "attributes":
            found.append(f"{part}: in another order")
    return found


def _first(named: list[str]) -> Iterable[str]:
    return named if len(named) <= _MOST_NAMED else [*named[:_MOST_NAMED], f"{len(named) - _MOST_NAMED} more"]


def _is_same(one: Any, other: Any) -> bool:
    if hasattr(one, "value") and hasattr(one, "is_observed"):
        same_rest = (one.dims, one.is_observed) == (other.dims, other.is_observed)
        return same_rest and _is_same(one.value, other.value)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and bool(one == other)
