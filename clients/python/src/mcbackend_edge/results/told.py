"""Attributes of a result as facts of its run: those that differ between two starts have no place in its metadata."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from ..facts import now, timestamp, to_json
from .datasets import Result
from .layout import has_place
from .notes import Notes

ATTRS = "resultAttrs"
"""Fact of a run: attributes as the result had them, by group ("/" is the root), then by name.

Facts lose a None that is a member of theirs when they are merged: such values are text of JSON, ``{"json": "null"}``.
"""

# Characters of JSON that the attributes take, at most; facts have 1 MiB.
_MOST_ATTRS = 256 << 10


def library_of(result: Result) -> str | None:
    """The library that sampled it."""
    value = _first(result, "inference_library")
    return value if isinstance(value, str) and value else None


def facts_of(result: Result, notes: Notes) -> dict[str, Any]:
    """Sampling time, version of the library, and all attributes as they are."""
    facts: dict[str, Any] = {}
    seconds = _first(result, "sampling_time")
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 <= seconds < float("inf"):
        facts["samplingTime"] = seconds
    facts[ATTRS] = _attrs(result, notes)
    return facts


def packages_of(result: Result) -> dict[str, str]:
    """The library's version at the time of sampling, which may differ from that which is installed here."""
    library, version = library_of(result), _first(result, "inference_library_version")
    return {library: version} if library and isinstance(version, str) else {}


def finished_at(result: Result) -> str:
    """The time at which the result was made; the present one if it does not tell."""
    told = _first(result, "created_at")
    if isinstance(told, str):
        try:
            return timestamp(dt.datetime.fromisoformat(told))
        except (ValueError, OverflowError):
            pass
    return now()


def _first(result: Result, name: str) -> Any:
    places = [result.attrs, *(result.groups[group].attrs for group in _ORDER if group in result.groups)]
    return next((_plain(place[name]) for place in places if name in place), None)


_ORDER = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats")


def _plain(value: Any) -> Any:
    """A scalar of NumPy, as files give them, as Python's."""
    return value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value


def _attrs(result: Result, notes: Notes) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    left = _MOST_ATTRS
    placed = {name: data.attrs for name, data in result.groups.items() if has_place(name)}
    for group, attrs in {"/": result.attrs, **placed}.items():
        kept = {}
        for name, value in attrs.items():
            try:
                plain = _kept(value, str(name))
                size = len(json.dumps(plain)) + len(str(name))
            except (TypeError, ValueError):
                notes.add("attributes that have no place are left out", f"{group}/{name}")
                continue
            if size > left:
                notes.add("attributes that are too large are left out", f"{group}/{name}")
                continue
            left -= size
            kept[str(name)] = plain
        if kept:
            found[group] = kept
    return found


def kept_attrs(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """The attributes that a stored result had, by group; None for a run that was sampled to the server."""
    by_group = facts.get(ATTRS)
    if not isinstance(by_group, Mapping):
        return None
    return {
        group: {name: _given_back(value) for name, value in attrs.items()}
        for group, attrs in by_group.items()
        if isinstance(attrs, Mapping)
    }


def _kept(value: Any, place: str) -> Any:
    """An attribute as facts keep it; see `ATTRS`."""
    plain = to_json(value, place)
    is_like_text = isinstance(plain, dict) and plain.keys() == {"json"}
    return {"json": json.dumps(plain)} if is_like_text or _would_lose(plain) else plain


def _would_lose(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and any(map(_would_lose, value.values())))


def _given_back(value: Any) -> Any:
    """An attribute as the result had it."""
    if not isinstance(value, dict) or value.keys() != {"json"} or not isinstance(value["json"], str):
        return value
    try:
        return json.loads(value["json"])
    except (ValueError, RecursionError):
        return value
