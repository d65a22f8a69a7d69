"""Stats of PyMC's step methods as columns of a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .facts import to_json
from .schema import DTYPES, Variable

log = logging.getLogger("mcbackend_edge")

# The stat that holds a `SamplerWarning`, an object of Python that drags along whole points of the model.
_WARNING = "warning"
# Characters of a value that is stored as text, and of a warning.
_MOST_TEXT, _MOST_MESSAGE = 100_000, 500


@dataclass(frozen=True)
class Stat:
    """A value that a step method gives with each draw.

    Attributes
    ----------
    variable : the stat of the run, named as McBackend names it: ``sampler_0__energy``.
    sampler, name : index of the step method, and the stat's name there.
    is_text : True for objects of Python, which are stored as JSON or, where that has no place for them, as text.
    """

    variable: Variable
    sampler: int
    name: str
    is_text: bool


def stats_of(sampler_vars: Sequence[Mapping[str, Any]] | None) -> list[Stat]:
    """The stats that are stored; warnings are not among them.

    Parameters
    ----------
    sampler_vars : for each step method the dtype of each stat. All are scalars: PyMC keeps others as objects.
    """
    stats = []
    for sampler, dtypes in enumerate(sampler_vars or ()):
        for name, given in dtypes.items():
            dtype = np.dtype(given)
            is_text = dtype.kind in "OU"
            if name == _WARNING and is_text:
                continue
            if not is_text and dtype.name not in DTYPES:
                log.warning("the stat %r has dtype %s, which cannot be stored: it is not sent.", name, dtype)
                continue
            column = Variable(f"sampler_{sampler}__{name}", "str" if is_text else dtype.name)
            stats.append(Stat(column, sampler, name, is_text))
    return stats


def holds_warnings(dtypes: Mapping[str, Any]) -> bool:
    """True for a step method that gives PyMC's warnings as a stat."""
    return _WARNING in dtypes and np.dtype(dtypes[_WARNING]).kind == "O"


def as_warning(warning: Any) -> dict[str, Any]:
    """Kind and message of a `SamplerWarning`."""
    told = {"message": str(getattr(warning, "message", warning))[:_MOST_MESSAGE]}
    kind = getattr(getattr(warning, "kind", None), "name", None)
    return {"kind": kind, **told} if isinstance(kind, str) else told


def as_text(value: Any) -> str:
    """An object as JSON, or as text; nothing and zero, with which PyMC fills up, are empty."""
    if value is None or (isinstance(value, int) and value == 0):
        return ""
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    try:
        return json.dumps(to_json(value, "stat"))[:_MOST_TEXT]
    except (TypeError, ValueError):
        return str(value)[:_MOST_TEXT]
