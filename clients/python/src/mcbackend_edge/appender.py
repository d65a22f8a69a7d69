"""The quick way of a draw into the log: a function that is made for the columns of one run.

In McBackend's smallest benchmark, NumPy takes 1.2 µs for a draw of three arrays. A loop over the columns would take a
third of that, so the function has lines for each column instead, as those have that `dataclasses` makes. No text of the
run is in its source.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any
from zlib import crc32

from numpy import ndarray

from .errors import McbError
from .schema import Variable

Append = Callable[..., None]

# Columns that get lines of their own. More would take long to compile, and a loop over them counts for less.
MOST_LINES = 40

_FORMATS = {"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "float32": "f", "float64": "d"}
_FORMATS |= {"uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q"}
# Python's floats lose no more in a float32 than strict casting allows, and integers are checked as they are packed.
PYTHON_SCALARS: dict[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (float, int)}

# Arrays and scalars by way of ``join`` are the quickest copy of many small ones that Python has.
_HEAD = """
def append(draw, stats=None):
    if tail.refusal is not None:
        raise tail.refusal
    try:
        if len(draw) != {draws}:
            raise unplanned
"""
_TAIL = """
    except planless:
        data = None
    if data is None:
        return slow(draw, stats)
    row = tail.filled
    if row == tail.capacity:
        roll()
        row = 0
    begin = row * {row_bytes} + {header_bytes}
    tail.memory[begin : begin + {row_bytes}] = data
    tail.sums[row] = crc32(data, row)
    tail.filled = tail.counters[{filled}] = row + 1
"""


class Tail:
    """The end of a log: its last segment, as far as the next draw needs it.

    Attributes
    ----------
    refusal : the reason for which nothing more can be appended, or None.
    filled, capacity : rows that are written, and that there is room for; both are 0 before the first draw.
    memory, sums, counters : those of the segment.
    """

    __slots__ = ("capacity", "counters", "filled", "memory", "refusal", "sums")

    def __init__(self) -> None:
        self.refusal: McbError | None = None
        self.filled = self.capacity = 0
        self.memory: Any = b""
        self.counters = self.sums = memoryview(bytearray())


class UnplannedError(Exception):
    """The draw is not of the usual kind: it needs a cast or lacks a stat, or it is wrong."""


# Raised by draws that are unusual: also by arrays that do not lie in C order, and by numbers that are too large.
_PLANLESS = (UnplannedError, KeyError, TypeError, ValueError, BufferError, OverflowError, struct.error)


class Appender:
    """Makes the function for each log of one run. All columns have a fixed shape, and none are strings.

    It takes a draw and its stats, checks their dtypes and shapes, and writes the row. Stats are either all there or all
    missing; their fill values are written then.
    """

    def __init__(
        self, variables: Sequence[Variable], stats: Sequence[Variable], row_bytes: int, header_bytes: int, filled: int
    ) -> None:
        columns = (*variables, *stats)
        split = len(variables)
        space: dict[str, Any] = {"ndarray": ndarray, "join": b"".join, "crc32": crc32}
        space |= {"unplanned": UnplannedError, "planless": _PLANLESS}
        if len(columns) <= MOST_LINES:
            for i, var in enumerate(columns):
                space |= {f"k{i}": var.name, f"d{i}": var.numpy_dtype, f"s{i}": var.shape, f"other{i}": _other(var)}
                space[f"f{i}"] = var.fill() if i >= split else None
            body = _lines(split, len(columns))
        else:
            space["values_of"] = _loop(variables, stats)
            body = ["        data = join(values_of(draw, stats))"]
        places = {"row_bytes": row_bytes, "header_bytes": header_bytes, "filled": filled}
        source = _HEAD.format(draws=split) + "\n".join(body) + _TAIL.format(**places)
        self._code: CodeType = compile(source, "<append>", "exec")
        self._space = space

    def bound(self, tail: Tail, roll: Callable[[], None], slow: Append) -> Append:
        """The function for one log.

        Parameters
        ----------
        roll : begins a segment.
        slow : takes a draw that is not of the usual kind, and its stats.
        """
        space = {**self._space, "tail": tail, "roll": roll, "slow": slow}
        exec(self._code, space)
        append: Append = space["append"]
        return append


def appender(
    variables: Sequence[Variable], stats: Sequence[Variable], row_bytes: int, header_bytes: int, filled: int
) -> Appender | None:
    """None on machines on which the bytes of an array are not those of the wire."""
    return Appender(variables, stats, row_bytes, header_bytes, filled) if sys.byteorder == "little" else None


def _lines(split: int, end: int) -> list[str]:
    of_draw, of_stats = range(split), range(split, end)
    values = "".join(f"v{i}, " for i in of_draw)
    lines = [line for i in of_draw for line in _taken(i, "draw")]
    lines += ["if stats:", f"    if len(stats) != {end - split}:", "        raise unplanned"]
    lines += [f"    {line}" for i in of_stats for line in _taken(i, "stats")]
    lines += [f"    data = join(({values}{''.join(f'v{i}, ' for i in of_stats)}))"]
    lines += ["else:", f"    data = join(({values}{''.join(f'f{i}, ' for i in of_stats)}))"]
    return [f"        {line}" for line in lines]


def _taken(i: int, source: str) -> list[str]:
    """Lines that put the value of a column into ``v{i}``, as something that has its bytes."""
    is_unusual = f"type(v{i}) is not ndarray or v{i}.dtype is not d{i} or v{i}.shape != s{i}"
    return [f"v{i} = {source}[k{i}]", f"if {is_unusual}:", f"    v{i} = other{i}(v{i})"]


def _loop(variables: Sequence[Variable], stats: Sequence[Variable]) -> Callable[..., list[Any]]:
    names, stat_names = [var.name for var in variables], [var.name for var in stats]
    checks = [(var.numpy_dtype, var.shape, _other(var)) for var in (*variables, *stats)]
    fills = [var.fill() for var in stats]

    def values_of(draw: Mapping[str, Any], stats: Mapping[str, Any] | None) -> list[Any]:
        values = [draw[name] for name in names]
        if stats:
            if len(stats) != len(stat_names):
                raise UnplannedError
            values += [stats[name] for name in stat_names]
        for i, (value, (dtype, shape, other)) in enumerate(zip(values, checks)):
            if type(value) is not ndarray or value.dtype is not dtype or value.shape != shape:
                values[i] = other(value)
        return values if stats else values + fills

    return values_of


def _other(var: Variable) -> Callable[[Any], Any]:
    """Gives the bytes of a value that is no array of the column's dtype and shape: a scalar."""
    if var.shape:
        return _refuse
    scalar_type, python_types = var.numpy_dtype.type, PYTHON_SCALARS[var.numpy_dtype.kind]
    pack = struct.Struct(f"<{_FORMATS[var.dtype]}").pack

    def encoded(value: Any) -> Any:
        kind = type(value)
        if kind is scalar_type:
            return value
        if kind in python_types:
            return pack(value)
        raise UnplannedError

    return encoded


def _refuse(value: Any) -> Any:
    raise UnplannedError
