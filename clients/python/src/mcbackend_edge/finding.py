"""Conditions of a list of runs, as the query by which the server finds them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal

from .facts import timestamp

ARCHIVED: dict[object, str | None] = {False: None, True: "true", "any": "any"}

AttributeValue = str | int | float | bool | None


def conditions(
    *,
    q: str | None,
    tag: str | Sequence[str],
    since: dt.date | str | None,
    until: dt.date | str | None,
    updated_since: dt.date | str | None,
    attr: Mapping[str, AttributeValue] | None,
    archived: bool | Literal["any"],
) -> list[tuple[str, str]]:
    """The query of a list of runs.

    Raises
    ------
    TypeError, ValueError
        For conditions that make no sense.
    """
    if not isinstance(archived, (bool, str)) or archived not in ARCHIVED:
        raise ValueError(f"archived must be False, True or 'any', not {archived!r}")
    query = [("q", q)] if q else []
    query += [("tag", each) for each in ([tag] if isinstance(tag, str) else tag)]
    times = {"since": since, "until": until, "updatedSince": updated_since}
    query += [(name, _moment(name, value)) for name, value in times.items() if value is not None]
    query += [(f"attr.{key}", _attribute_text(key, value)) for key, value in (attr or {}).items()]
    kept = ARCHIVED[archived]
    return query if kept is None else [*query, ("archived", kept)]


def _moment(name: str, value: object) -> str:
    if isinstance(value, dt.datetime):
        return timestamp(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    raise TypeError(f"{name} is a {type(value).__name__}, not a datetime, a date, or a text in RFC 3339")


def _attribute_text(key: str, value: object) -> str:
    """The text of a value that an attribute is compared with; NumPy's scalars count as Python's."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        return names.get(repr(value), repr(value))
    raise TypeError(
        f"the attribute {key!r} is compared with a {type(value).__name__}; text, numbers and bools are found"
    )
