"""DrawBatch messages to and from bytes, without copying the draws more often than once.

The official runtime copies each ``bytes`` field twice on its way in and out; draws are all that a batch holds, so this
file reads and writes the message itself. `RunMeta` goes through the official runtime.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .columns import MOST_OBJECTS, Column, Ragged, Repeated, Rigid, Shape, Strings
from .errors import AnswerTooLargeError, ProtocolError, shown
from .ndarray import Array
from .schema import Variable

# Tags: field number << 3 | wire type (0 varint, 2 length-delimited).
_START, _COUNT, _STEP = 0x08, 0x10, 0x28
_DRAWS, _STATS = 0x1A, 0x22
_FIELDS = {_START: "start", _COUNT: "count", _STEP: "step", _DRAWS: "draws", _STATS: "stats"}
_NAME, _DTYPE, _DATA, _SHAPES, _STRING = 0x0A, 0x12, 0x1A, 0x22, 0x2A
# Dimensions that every NumPy takes on which this package runs.
_MOST_DIMENSIONS = 32
_MOST_SHAPE_NUMBERS = 4 * MOST_OBJECTS


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte, the lowest first."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _packed_varints(values: Sequence[int]) -> bytes:
    if all(value < 0x80 for value in values):
        return bytes(values)
    return b"".join(map(varint, values))


def _bytes_of(values: Array) -> memoryview:
    """The bytes of a contiguous array, where they are."""
    return memoryview(values.reshape(-1).view(np.uint8).data)


class ColumnEncoder:
    """Writes columns of one variable; what is the same in every batch is encoded once."""

    def __init__(self, var: Variable, field: int) -> None:
        name = var.name.encode()
        self.var = var
        self._field = bytes((field,))
        self._head = b"".join(
            (bytes((_NAME,)), varint(len(name)), name, bytes((_DTYPE,)), varint(len(var.dtype)), var.dtype.encode())
        )

    def parts(self, column: Column) -> list[bytes | memoryview]:
        """The column as byte strings to be joined."""
        parts: list[bytes | memoryview] = [self._head]
        if isinstance(column, Rigid):
            parts += [bytes((_DATA,)) + varint(column.values.nbytes), _bytes_of(column.values)]
        elif isinstance(column, Ragged):
            data = b"".join(column.parts)
            parts += [bytes((_DATA,)) + varint(len(data)), data]
        else:
            for texts in column.parts:
                for text in texts:
                    encoded = text.encode()
                    parts.append(bytes((_STRING,)) + varint(len(encoded)) + encoded)
        if not isinstance(column, Rigid) and not self.var.is_rigid:
            shapes = _packed_varints([number for shape in column.shapes for number in (len(shape), *shape)])
            parts.append(bytes((_SHAPES,)) + varint(len(shapes)) + shapes)
        size = sum(map(len, parts))
        return [self._field, varint(size), *parts]


class BatchEncoder:
    """Writes the batches of one run."""

    def __init__(self, variables: Iterable[Variable], sample_stats: Iterable[Variable]) -> None:
        self._encoders = [ColumnEncoder(var, _DRAWS) for var in variables]
        self._encoders += [ColumnEncoder(var, _STATS) for var in sample_stats]

    def encode(self, start: int, count: int, columns: Sequence[Column | None]) -> bytes:
        """One DrawBatch.

        Parameters
        ----------
        start : index of the first iteration.
        count : number of iterations; each column has as many.
        columns : one for each variable, then for each stat; None for a stat that is left out.
        """
        parts: list[bytes | memoryview] = []
        if start:
            parts.append(bytes((_START,)) + varint(start))
        parts.append(bytes((_COUNT,)) + varint(count))
        for encoder, column in zip(self._encoders, columns, strict=True):
            if column is not None:
                parts += encoder.parts(column)
        return b"".join(parts)


@dataclass(frozen=True)
class Batch:
    """A decoded answer: iterations start, start + step, ..., column by column."""

    start: int
    count: int
    step: int
    draws: Mapping[str, Column]
    stats: Mapping[str, Column]


class _Reader:
    """Walks over the fields of one message."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                raise ProtocolError("an answer holds a malformed varint")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF
            shift += 7

    def bytes(self) -> memoryview:
        size = self.varint()
        begin, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise ProtocolError("an answer ends in the middle of a field")
        return self.data[begin : self.at]

    def skip(self, wire_type: int) -> None:
        if wire_type == 0:
            self.varint()
        elif wire_type == 2:
            self.bytes()
        elif wire_type in (1, 5):
            self.at += 8 if wire_type == 1 else 4
            if self.at > len(self.data):
                raise ProtocolError("an answer ends in the middle of a field")
        else:
            raise ProtocolError(f"an answer holds a field of wire type {wire_type}")

    def tags(self) -> Iterable[int]:
        while self.at < len(self.data):
            yield self.varint()


class _RawColumn:
    """The fields of a Column as they are read."""

    def __init__(self, data: memoryview) -> None:
        self.name = self.dtype = ""
        self.data: memoryview = memoryview(b"")
        self.strings: list[str] = []
        self.shape_numbers = array("Q")
        reader = _Reader(data)
        for tag in reader.tags():
            if tag == _NAME:
                self.name = str(reader.bytes(), "utf-8")
            elif tag == _DTYPE:
                self.dtype = str(reader.bytes(), "utf-8")
            elif tag == _DATA:
                self.data = reader.bytes()
            elif tag == _SHAPES:
                _unpack_varints(reader.bytes(), self.shape_numbers)
            elif tag == _SHAPES & ~7:
                self.shape_numbers.append(reader.varint())
                if len(self.shape_numbers) > _MOST_SHAPE_NUMBERS:
                    raise too_many(len(self.shape_numbers), "lengths", self.name)
            elif tag == _STRING:
                self.strings.append(str(reader.bytes(), "utf-8"))
                if len(self.strings) > MOST_OBJECTS:
                    raise too_many(len(self.strings), "strings", self.name)
            else:
                reader.skip(tag & 7)


def _unpack_varints(data: memoryview, values: array[int]) -> None:
    """Appends packed integers to `values`."""
    raw = np.frombuffer(data, dtype=np.uint8)
    count = len(values) + int(np.count_nonzero(raw < 0x80))
    if count > _MOST_SHAPE_NUMBERS:
        raise too_many(count, "lengths", "a column")
    if not raw.size or raw.max() < 0x80:
        values.frombytes(raw.astype(np.uint64).tobytes())
        return
    reader = _Reader(data)
    while reader.at < len(data):
        values.append(reader.varint())


def too_many(count: int, what: str, name: str) -> AnswerTooLargeError:
    return AnswerTooLargeError(
        f"{count:,} {what} of {shown(name, 300)!r} are more than are taken into memory at once ({MOST_OBJECTS:,}): "
        "read a shorter slice"
    )


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def decode_batch(data: memoryview, variables: Mapping[str, Variable], sample_stats: Mapping[str, Variable]) -> Batch:
    """Reads a DrawBatch. A rigid column is a view on `data` if it is the only one and aligned, else a copy.

    Raises
    ------
    ProtocolError
        If the bytes are not a batch of these variables.
    """
    numbers = {"start": 0, "count": 0, "step": 1}
    raw: dict[str, dict[str, _RawColumn]] = {"draws": {}, "stats": {}}
    reader = _Reader(data)
    try:
        for tag in reader.tags():
            name = _FIELDS.get(tag)
            if name in raw:
                column = _RawColumn(reader.bytes())
                if column.name not in (variables if name == "draws" else sample_stats):
                    raise _not_registered(column)
                if column.name in raw[name]:
                    raise ProtocolError(f"an answer holds {column.name!r} twice")
                raw[name][column.name] = column
            elif name in numbers:
                value = reader.varint()
                numbers[name] = value if name != "step" else _zigzag(value) or 1
            else:
                reader.skip(tag & 7)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"an answer holds invalid UTF-8: {error}") from error
    is_alone = len(raw["draws"]) + len(raw["stats"]) == 1
    count = numbers["count"]
    return Batch(
        numbers["start"],
        count,
        numbers["step"],
        {column.name: _column(column, count, variables, is_alone) for column in raw["draws"].values()},
        {column.name: _column(column, count, sample_stats, is_alone) for column in raw["stats"].values()},
    )


def _column(raw: _RawColumn, count: int, variables: Mapping[str, Variable], is_alone: bool) -> Column:
    var = variables.get(raw.name)
    if var is None or var.dtype != raw.dtype:
        raise _not_registered(raw)
    if var.is_rigid and count * math.prod(length or 1 for length in var.shape) >= 2**59:
        # NumPy refuses such a shape even if the array is empty.
        raise ProtocolError(f"an answer holds {count} draws of {raw.name!r}")
    if var.is_rigid and var.dtype != "str":
        return Rigid(_rigid_values(raw, var, count, is_alone))
    size = math.prod(var.shape) if var.is_rigid else 1
    if size == 0:
        if raw.strings:
            raise ProtocolError(f"an answer holds {len(raw.strings)} strings of {raw.name!r}, not 0")
        return Strings(Repeated(var.shape, count), Repeated((), count))
    if count > MOST_OBJECTS:
        raise too_many(count, "draws", raw.name)
    if var.is_rigid and count * size != len(raw.strings):
        raise ProtocolError(f"an answer holds {len(raw.strings)} strings of {raw.name!r}, not {count * size}")
    shapes = [var.shape] * count if var.is_rigid else _shapes(raw, var, count)
    sizes = [math.prod(shape) for shape in shapes]
    if var.dtype == "str":
        if len(raw.strings) != sum(sizes):
            raise ProtocolError(f"an answer holds {len(raw.strings)} strings of {raw.name!r}, not {sum(sizes)}")
        return Strings(shapes, _split(raw.strings, sizes))
    itemsize = var.numpy_dtype.itemsize
    if len(raw.data) != sum(sizes) * itemsize:
        raise ProtocolError(f"an answer holds {len(raw.data)} bytes of {raw.name!r}, not {sum(sizes) * itemsize}")
    return Ragged(shapes, [bytes(part) for part in _split(raw.data, [size * itemsize for size in sizes])])


def _not_registered(raw: _RawColumn) -> ProtocolError:
    name, dtype = shown(raw.name, 300), shown(raw.dtype, 100)
    return ProtocolError(f"an answer holds {name!r} of dtype {dtype!r}, which is not registered")


def _rigid_values(raw: _RawColumn, var: Variable, count: int, is_alone: bool) -> Array:
    expected = count * math.prod(var.shape) * var.numpy_dtype.itemsize
    if len(raw.data) != expected:
        raise ProtocolError(f"an answer holds {len(raw.data)} bytes of {raw.name!r}, not {expected}")
    values = np.frombuffer(raw.data, dtype=var.numpy_dtype).reshape(count, *var.shape)
    return values if is_alone and values.flags.aligned and values.flags.writeable else values.copy()


def find_draws(beginning: bytes) -> int:
    """Offset of the first column's data in an answer that begins like this; 0 if it is not in there."""
    reader = _Reader(memoryview(beginning))
    is_in_column = False
    try:
        for tag in reader.tags():
            if is_in_column and tag == _DATA:
                reader.varint()
                return reader.at
            if not is_in_column and tag in (_DRAWS, _STATS):
                reader.varint()
                is_in_column = True
            else:
                reader.skip(tag & 7)
    except ProtocolError:
        pass
    return 0


def _shapes(raw: _RawColumn, var: Variable, count: int) -> list[Shape]:
    """The shape of each draw.

    Raises
    ------
    ProtocolError
        Also for a shape that the variable, or NumPy, cannot have.
    """
    shapes: list[Shape] = []
    checked: set[Shape] = set()
    numbers, at = raw.shape_numbers.tolist(), 0
    while at < len(numbers) and len(shapes) < count:
        end = at + 1 + numbers[at]
        shape = tuple(numbers[at + 1 : end])
        if shape not in checked:
            if len(shape) > _MOST_DIMENSIONS or not var.fits(shape):
                raise ProtocolError(f"an answer holds a draw of {raw.name!r} of an impossible shape")
            checked.add(shape)
        shapes.append(shape)
        at = end
    if len(shapes) != count or at != len(numbers):
        raise ProtocolError(f"an answer holds {len(shapes)} shapes of {raw.name!r}, not {count}")
    return shapes


T = TypeVar("T", list[str], memoryview)


def _split(values: T, sizes: Iterable[int]) -> list[T]:
    parts, at = [], 0
    for size in sizes:
        parts.append(values[at : at + size])
        at += size
    return parts
