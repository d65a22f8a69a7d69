"""The variables that a conversion downloads at all, picked as ArviZ picks them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal

from ..errors import UnknownVariableError
from .notes import Notes, listed

FilterVars = Literal["like", "regex"] | None
"""None takes names as they are, "like" as a part of the name, "regex" as a regular expression that is searched for."""


def select(
    known: Sequence[str], var_names: str | Sequence[str] | None, filter_vars: FilterVars, notes: Notes
) -> set[str]:
    """The names that are wanted.

    Parameters
    ----------
    known : names of all variables.
    var_names : names or patterns. Those that begin with ``~`` leave variables out; if there is one, all others stay,
        as in ArviZ. None takes all.

    Raises
    ------
    UnknownVariableError
        If the run has no variable of a name.
    TypeError, ValueError
        If the arguments make no sense.
    """
    if filter_vars not in (None, "like", "regex"):
        raise ValueError(f"filter_vars is None, 'like' or 'regex', not {filter_vars!r}")
    if var_names is None:
        return set(known)
    patterns = [var_names] if isinstance(var_names, str) else list(var_names)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(f"var_names are names of variables, not {var_names!r}")
    held = set(known)
    excluded = [pattern[1:] for pattern in patterns if pattern.startswith("~") and pattern not in held]
    wanted = excluded or patterns
    found: set[str] = set()
    unknown: list[str] = []
    for pattern in wanted:
        matched = _matches(pattern, known, held, filter_vars)
        found.update(matched)
        unknown += [] if matched else [pattern]
    if excluded:
        if unknown:
            notes.add(f"there is no variable {listed(unknown)} that could be left out")
        return held - found
    if unknown and (filter_vars is None or not found):
        what = "variable" if filter_vars is None else f"variable whose name is {filter_vars}"
        raise UnknownVariableError(f"there is no {what} {listed(unknown)}; there are {listed(known)}")
    return found


def _matches(pattern: str, known: Sequence[str], held: set[str], filter_vars: FilterVars) -> Collection[str]:
    if filter_vars is None:
        return {pattern} & held
    if filter_vars == "like":
        return [name for name in known if pattern in name]
    return [name for name in known if re.search(pattern, name)]
