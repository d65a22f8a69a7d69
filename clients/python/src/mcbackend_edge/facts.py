"""Facts of a run: Python's values as JSON, the merge patch that changes them, and the environment of this process."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import math
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import shown

# Levels of dicts and lists at most. The server takes fewer; this keeps one that holds itself from never ending.
_MOST_LEVELS = 100
# Digits of an integer at most: Python reads no more of them from a text.
_MOST_DIGITS = 4300


def timestamp(moment: dt.datetime) -> str:
    """RFC 3339 in UTC. A time without a zone counts as UTC, as in attributes."""
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.timezone.utc)
    return zoned.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")


def now() -> str:
    """The present moment, in whole milliseconds."""
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(value: object, place: str) -> Any:
    """The value in the types of JSON.

    Integers of any size stay exact. Scalars of NumPy become Python's, arrays and tuples lists, times text in RFC 3339
    and UTC (those without a zone count as UTC), spans of time seconds.

    Parameters
    ----------
    place : its path, for messages: ``facts.chains.0.seed``.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON does not have, and text that is no Unicode.
    TypeError
        For values that have no place in JSON.
    """
    return _plain(value, place, 0)


def _plain(value: Any, place: str, level: int) -> Any:
    if level > _MOST_LEVELS:
        raise ValueError(f"{_start(place)} nests deeper than {_MOST_LEVELS} levels")
    if isinstance(value, Mapping):
        return _object(value, place, level)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{index}]", level + 1) for index, item in enumerate(value)]
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, (dt.date, dt.timedelta, np.datetime64, np.timedelta64)):
        return _time(value, place)
    if isinstance(value, (int, np.integer)):
        if abs(int(value)) >= 10**_MOST_DIGITS:
            raise ValueError(f"{_start(place)} has more than {_MOST_DIGITS} digits")
        return int(value)
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise ValueError(f"{_start(place)} is {value}, which JSON does not have: leave it out, or give it as text")
        return float(value)
    if hasattr(value, "__array__"):
        return _array(np.asarray(value), value, place, level)
    raise _no_place(value, place)


def _object(value: Mapping[Any, Any], place: str, level: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, member in value.items():
        if isinstance(key, (bool, np.bool_)) or not isinstance(key, (str, int, np.integer)):
            raise TypeError(f"{_start(place)} has the key {key!r}: keys are text, or whole numbers as of chains")
        name = _text(key, place) if isinstance(key, str) else str(int(key))
        if name in members:
            raise ValueError(f"{_start(place)} has the key {name!r} twice")
        members[name] = _plain(member, f"{place}.{name}", level + 1)
    return members


def _array(array: np.ndarray[Any, Any], value: object, place: str, level: int) -> Any:
    if array.dtype.kind not in "biufUMm":
        raise TypeError(f"{_start(place)} is an array of {array.dtype}: numbers, bools, text and times have a place")
    if array.dtype.kind in "Mm":
        array = _in_microseconds(array, place)
    if isinstance(value, np.ma.MaskedArray) and value.mask.any():
        raise ValueError(f"{_start(place)} has masked elements: fill them, or leave them out")
    return _plain(array.tolist(), place, level)


def _text(value: str, place: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{_start(place)} is no Unicode text: {error.reason}") from error
    return str(value)


def _time(value: dt.date | dt.timedelta | np.datetime64 | np.timedelta64, place: str) -> Any:
    if isinstance(value, (np.datetime64, np.timedelta64)):
        moment = _in_microseconds(np.asarray(value), place).item()
    else:
        moment = value
    if not isinstance(moment, (dt.date, dt.timedelta)) or moment != moment:
        # NaT of NumPy and pandas, and years that Python does not have.
        raise ValueError(f"{_start(place)} is {value}, which is no moment")
    if isinstance(moment, dt.timedelta):
        return moment.total_seconds()
    return timestamp(moment) if isinstance(moment, dt.datetime) else moment.isoformat()


def _in_microseconds(array: np.ndarray[Any, Any], place: str) -> np.ndarray[Any, Any]:
    try:
        return array.astype(f"{array.dtype.kind}8[us]", casting="same_kind")
    except TypeError as error:
        raise ValueError(f"{_start(place)} cannot be told in seconds: it is {array.dtype}") from error


def _no_place(value: object, place: str) -> TypeError:
    return TypeError(f"{_start(place)} is a {type(value).__name__}, which has no place in JSON")


def _start(place: str) -> str:
    return shown(place, 300)


def merge(target: object, patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch applied (RFC 7396): None removes a member, dicts are merged, all else is replaced."""
    members = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            members.pop(name, None)
        elif isinstance(value, Mapping):
            members[name] = merge(members.get(name), value)
        else:
            members[name] = value
    return members


def join(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One merge patch for two that follow each other: None stays, as it still has to remove."""
    members = dict(first)
    for name, value in second.items():
        before = members.get(name)
        is_joined = isinstance(value, Mapping) and isinstance(before, Mapping)
        members[name] = join(before, value) if is_joined else value  # type: ignore[arg-type]
    return members


def is_same(one: object, other: object) -> bool:
    """True for equal values of JSON. The server may write a large float as an integer, with its shortest digits."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or (type(one) is not type(other) and _as_float(one) == _as_float(other))
    return one == other


def _as_float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def environment(*packages: str) -> dict[str, Any]:
    """Versions of Python, of this package and of those named that are installed, and the platform; not the machine."""
    versions = {}
    for name in ("mcbackend-edge", "numpy", *packages):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": versions}
