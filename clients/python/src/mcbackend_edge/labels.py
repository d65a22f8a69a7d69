"""Labels and data as a run's metadata can hold them: numbers, text, and times without a zone; never Python objects."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from .ndarray import Array

log = logging.getLogger("mcbackend_edge")

_KEPT = "biufcUSMm"
_NUMBERS = (bool, int, float, complex, np.bool_, np.number)
# Kinds of elements that a message names, and items that are looked at for them.
_MOST_KINDS, _MOST_LOOKED_AT = 3, 100_000
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


@dataclass(frozen=True)
class Plain:
    """An array that is no array of Python objects.

    Attributes
    ----------
    kinds : names of the types that have become text, such as "Period"; empty if the values are what they were.
    """

    values: Array
    kinds: tuple[str, ...] = ()


class Notes:
    """Collects what has become text, to tell it once."""

    def __init__(self, rid: str) -> None:
        self._rid = rid
        self._notes: list[str] = []

    def taken(self, plain: Plain, what: str) -> Array:
        """The values; notes it under the name `what` if they have become text."""
        if plain.kinds:
            example = f", such as {plain.values.flat[0].item()!r}" if plain.values.size else ""
            self._notes.append(f"{what} ({' and '.join(plain.kinds)}{example})")
        return plain.values

    def tell(self) -> None:
        if self._notes:
            log.warning("run %s keeps as text what has no dtype of its own: %s.", self._rid, "; ".join(self._notes))


def plain_labels(labels: Any) -> Plain:
    """Labels of one dimension: an array of shape (labels,).

    Parameters
    ----------
    labels : anything that has an order and a length: an array, a list, an index or a column of pandas or polars. A
        tuple within is one label, as in a MultiIndex: ``("a", 1)`` becomes "a, 1".
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        labels = [labels]
    dtype = getattr(labels, "dtype", None)
    if dtype is None:
        return _of_items(list(labels))
    array = _kept(np.asarray(labels))
    if array is not None and array.ndim == 1:
        return Plain(array)
    return _of_items(list(np.asarray(labels)) if np.ndim(labels) else [np.asarray(labels).item()])


def plain_data(values: Any, name: str) -> Plain:
    """Constant or observed data, or an array among the attributes: an array of the same shape.

    Masked and missing numbers become NaN, and with them integers floats; masked and missing times become NaT.

    Raises
    ------
    TypeError
        If it is no array; the message has the `name`.
    """
    if np.ma.isMaskedArray(values):
        return _of_masked(values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{name!r} is no array, for its parts differ in shape: {error}") from error
    kept = _kept(array)
    return Plain(kept) if kept is not None else _of_array(array)


def _kept(array: Array) -> Array | None:
    """The array, if its elements are values; None if they are Python objects or structures."""
    kind = array.dtype.kind
    if kind == "T":
        return array.astype(str)
    if kind in "fc" and array.dtype.itemsize > (8 if kind == "f" else 16):
        # NumPy's long doubles differ from machine to machine.
        return array.astype(np.float64 if kind == "f" else np.complex128)
    return array if kind in _KEPT else None


def _of_masked(values: Any) -> Plain:
    data = np.ma.getdata(values)
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return plain_data(data, "")
    if data.dtype.kind in "biuf":
        return Plain(np.where(mask, np.nan, data.astype(np.float64)))
    if data.dtype.kind == "c":
        return Plain(np.where(mask, np.nan, data.astype(np.complex128)))
    if data.dtype.kind in "mM":
        return Plain(np.where(mask, np.array("NaT", data.dtype), data))
    objects = data.astype(object)
    objects[mask] = None
    return _of_array(objects)


def _of_array(array: Array) -> Plain:
    """An array of Python objects or structures."""
    items = array.ravel().tolist() if array.dtype.kind == "V" else list(array.flat)
    present = [item for item in items if not _is_missing(item)]
    if present and len(present) < len(items) and all(isinstance(item, _NUMBERS) for item in present):
        dtype = np.complex128 if any(map(np.iscomplexobj, present)) else np.float64
        plain = Plain(np.array([np.nan if _is_missing(item) else item for item in items], dtype=dtype))
    else:
        plain = _of_items(items)
    return Plain(plain.values.reshape(array.shape), plain.kinds)


def _of_items(items: list[Any]) -> Plain:
    """Values one by one: an array of their common kind if they have one, else of text."""
    for are_ones, convert in _CONVERSIONS:
        if are_ones(items):
            try:
                kept = _kept(convert(items))
            except (OverflowError, ValueError):
                break
            if kept is not None and kept.shape == (len(items),):
                return Plain(kept)
            break
    kinds = dict.fromkeys(_kind(item) for item in islice(items, _MOST_LOOKED_AT))
    named = tuple(kinds) if len(kinds) <= _MOST_KINDS else (*list(kinds)[:_MOST_KINDS], "others")
    return Plain(np.array([_text(item) for item in items], dtype=str), named)


def _is_missing(item: Any) -> bool:
    return item is None or type(item).__name__ == "NAType"


def _is_nat(item: Any) -> bool:
    return type(item).__name__ == "NaTType"


def _is_no_time(item: Any) -> bool:
    """True for what pandas and xarray read as NaT among times; alone, it is none."""
    return _is_nat(item) or _is_missing(item) or (isinstance(item, float) and item != item)


def _is_naive_datetime(item: Any) -> bool:
    return isinstance(item, np.datetime64) or (isinstance(item, dt.datetime) and item.tzinfo is None)


def _is_timedelta(item: Any) -> bool:
    # NumPy's timedelta64 is one of its integers.
    return isinstance(item, (np.timedelta64, dt.timedelta))


def _all(is_one: Callable[[Any], bool]) -> Callable[[list[Any]], bool]:
    return lambda items: all(map(is_one, items))


def _all_times(is_time: Callable[[Any], bool]) -> Callable[[list[Any]], bool]:
    """The same of times, one of which at least is known to be one."""

    def are_times(items: list[Any]) -> bool:
        if not all(is_time(item) or _is_no_time(item) for item in items):
            return False
        return any(is_time(item) or _is_nat(item) for item in items)

    return are_times


def _is_number(item: Any) -> bool:
    return isinstance(item, _NUMBERS) and not isinstance(item, np.timedelta64)


def _exact(item: Any) -> Any:
    """A time of NumPy; those of pandas have a unit of their own, and nanoseconds that Python's do not have."""
    for method in ("to_datetime64", "to_timedelta64"):
        if hasattr(item, method):
            return getattr(item, method)()
    return np.datetime64(item) if isinstance(item, (dt.datetime, np.datetime64)) else np.timedelta64(item)


def _times(items: list[Any]) -> Array:
    """Times in the finest of their units, which those that are missing do not have."""
    are_known = [not _is_no_time(item) for item in items]
    known = np.array([_exact(item) for item, is_known in zip(items, are_known) if is_known])
    array = np.full(len(items), "NaT", dtype=known.dtype if known.size else "datetime64[ns]")
    array[are_known] = known
    return array


_CONVERSIONS: tuple[tuple[Callable[[list[Any]], bool], Callable[[list[Any]], Array]], ...] = (
    (_all(_is_number), np.array),
    (_all(lambda item: isinstance(item, str)), lambda items: np.array(items, dtype=str)),
    (_all(lambda item: isinstance(item, bytes)), np.array),
    (_all_times(_is_naive_datetime), _times),
    (_all_times(_is_timedelta), _times),
)


def _text(item: Any) -> str:
    if isinstance(item, str):
        return str(item)
    if isinstance(item, (np.ndarray, np.void)):
        item = item.tolist()
    if isinstance(item, (tuple, list)):
        return ", ".join(map(_text, item))
    if isinstance(item, bytes):
        return item.decode(errors="backslashreplace")
    # An address in memory would be another one at the next start of a script, and its run another run.
    return _ADDRESS.sub("", str(item))


def _kind(item: Any) -> str:
    return "None" if item is None else type(item).__name__
