"""The DrawBatch messages, written by the official protobuf runtime in all the ways that a parser must take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np
from google.protobuf.message import Message

from oracle import Column, DrawBatch, LaterFields, RawDrawBatch, UnpackedColumn, wire
from runmeta_cases import AWKWARD_NAMES, DTYPES, UNKNOWN_GROUP

# The shape of each of the three iterations, for each shape that the run `variables` has.
ITERATIONS: dict[str, list[list[int]]] = {
    "scalar": [[], [], []],
    "matrix": [[2, 3], [2, 3], [2, 3]],
    "ragged": [[2], [0], [1]],
    "half_ragged": [[2, 1], [2, 0], [2, 3]],
    "zero": [[0], [0], [0]],
    "undefined": [[], [1, 2, 1], [3]],
}
RIGID = ("scalar", "matrix", "zero")


@dataclass(frozen=True)
class Content:
    """The fields of a column message."""

    name: str
    dtype: str = "float64"
    data: bytes = b""
    shapes: tuple[int, ...] = ()
    strings: tuple[str, ...] = ()

    def fields(self) -> dict[str, object]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "data": self.data,
            "shapes": self.shapes,
            "strings": self.strings,
        }


def packed(column: Content) -> bytes:
    return wire(Column(**column.fields()))


def unpacked(column: Content) -> bytes:
    return wire(UnpackedColumn(**column.fields()))


@dataclass(frozen=True)
class Batch:
    """The fields of a DrawBatch; `step` is the value on the wire, where 0 or absent means 1."""

    start: int = 0
    count: int = 0
    step: int = 0
    draws: tuple[Content, ...] = ()
    stats: tuple[Content, ...] = ()

    def to_bytes(self, encode: Callable[[Content], bytes] = packed) -> bytes:
        draws = [encode(column) for column in self.draws]
        stats = [encode(column) for column in self.stats]
        return wire(RawDrawBatch(start=self.start, count=self.count, step=self.step, draws=draws, stats=stats))

    def description(self) -> dict[str, object]:
        """The JSON of a batch: `start` and `step` are decimal strings, as they may exceed 2^53; `data` is hex."""
        columns = {key: [_describe(c) for c in found] for key, found in [("draws", self.draws), ("stats", self.stats)]}
        return {"start": str(self.start), "count": self.count, "step": str(self.step), **columns}


def _describe(column: Content) -> dict[str, object]:
    changed = {"data": column.data.hex(), "shapes": list(column.shapes), "strings": list(column.strings)}
    return {**column.fields(), **changed}


def read_back(data: bytes) -> Batch:
    """The fields that the official runtime reads in the bytes of a DrawBatch."""
    read = DrawBatch.FromString(data)

    def contents(columns: list[Message]) -> tuple[Content, ...]:
        return tuple(Content(c.name, c.dtype, c.data, tuple(c.shapes), tuple(c.strings)) for c in columns)

    return Batch(read.start, read.count, read.step, contents(read.draws), contents(read.stats))


def draws_cases() -> Iterator[tuple[str, Batch, bytes]]:
    """(file name without its ending, what it holds, its bytes)."""
    every, small = _every_variable(), _small()
    yield "variables", every, every.to_bytes()
    yield "variables-unpacked", every, every.to_bytes(unpacked)
    yield "small", small, small.to_bytes()
    yield "small-unpacked", small, small.to_bytes(unpacked)
    yield "small-reordered", small, _reordered(small)
    yield "small-split-shapes", small, small.to_bytes(_split_shapes)
    yield "small-last-value-wins", small, _last_value_wins(small)
    yield "small-unknown-fields", small, _unknown_fields(small)
    yield "small-overlong-varints", small, _overlong_varints(small)
    yield "small-explicit-defaults", replace(small, start=0, step=0), _explicit_defaults(small)
    for name, batch in _plain_batches():
        yield name, batch, batch.to_bytes()


def _plain_batches() -> Iterator[tuple[str, Batch]]:
    value = np.array([0.25], "<f8").tobytes()
    named = tuple(Content(name, data=value) for name in AWKWARD_NAMES)
    yield "empty", Batch()
    yield "names", Batch(0, 1, 0, named, named)
    yield "answer-reversed", Batch(15, 5, -3, (Content("x", "uint8", bytes([15, 12, 9, 6, 3])),))
    yield "answer-empty", Batch(0, 0, 2, (Content("x"), Content("r", "str")), (Content("lp"),))
    yield "largest-numbers", Batch(2**64 - 1, 2**32 - 1, 2**63 - 1, (Content("x", shapes=(1, 2**32 - 1, 0)),))
    yield "most-negative-step", Batch(2**53 + 1, 1, -(2**63))
    yield "columns-without-fields", Batch(1, 1, 0, (Content("", ""), Content("", "")), (Content("", ""),))
    strings = ("\0", "\ufeff\U0010ffff", "e\u0301", "\u2028", "")
    yield "strings", Batch(7, 5, 0, (Content("s", "str", strings=strings),))


def _small() -> Batch:
    ragged = Content("ragged", "int16", np.array([1, -2, 3], "<i2").tobytes(), (1, 2, 1, 0, 1, 1))
    words = Content("words", "str", shapes=(2, 1, 2, 2, 0, 300, 2, 1, 1), strings=("", "μ", "\U0001f600"))
    lp = Content("lp", "float64", np.array([-1.5, np.nan, -0.0], "<f8").tobytes())
    tune = Content("tune", "bool", b"\1\0\1")
    return Batch(300, 3, 1, (ragged, words), (lp, tune))


def _every_variable() -> Batch:
    """Three iterations of all variables of the run `variables` and of its stats, `warning` left out."""
    draws = [_column(f"{dtype}_{kind}", dtype, kind) for dtype in DTYPES for kind in ITERATIONS]
    draws.append(_column("shape_and_undefined", "float64", "undefined"))
    stats = [
        _column("tune", "bool", "scalar"),
        _column("depth", "int64", "scalar"),
        _column("energy", "float64", "scalar"),
    ]
    stats.append(Content("lp", "float32", _elements("float32", 3).tobytes()))
    stats.append(Content("accepted", "bool", _elements("bool", 12).tobytes()))
    stats += [_column("bigger", "float64", "ragged"), _column("anything", "float64", "undefined")]
    return Batch(0, 3, 0, tuple(draws), tuple(stats))


def _column(name: str, dtype: str, kind: str) -> Content:
    """Three iterations of a column in the shapes of its kind."""
    iterations = ITERATIONS[kind]
    size = sum(int(np.prod(shape)) for shape in iterations)
    shapes = () if kind in RIGID else tuple(n for shape in iterations for n in (len(shape), *shape))
    if dtype == "str":
        return Content(name, dtype, b"", shapes, tuple(islice(cycle(["", "a", "μ", "\U0001f600", "two words"]), size)))
    return Content(name, dtype, _elements(dtype, size).tobytes(), shapes)


def _elements(dtype: str, size: int) -> np.ndarray:
    """So many elements, little-endian, among them the dtype's extremes."""
    little = np.dtype(dtype).newbyteorder("<")
    values: list[bool] | list[int] | list[float]
    if dtype == "bool":
        values = [True, False, False, True, True]
    elif little.kind == "f":
        values = [0.1, np.nan, -0.0, np.inf, -np.inf, np.finfo(little).max, np.finfo(little).smallest_subnormal]
    else:
        values = [np.iinfo(little).min, np.iinfo(little).max, 0, 1, 100]
    return np.resize(np.array(values, little), size)


def _reordered(batch: Batch) -> bytes:
    """Fields in another order: step first, draws and stats taking turns, a column's name at its end."""

    def backwards(column: Content) -> bytes:
        return b"".join(wire(Column(**{key: value})) for key, value in reversed(column.fields().items()))

    draws: list[dict[str, object]] = [{"draws": [backwards(column)]} for column in batch.draws]
    stats: list[dict[str, object]] = [{"stats": [backwards(column)]} for column in batch.stats]
    numbers: list[dict[str, object]] = [{"step": batch.step}, {"count": batch.count}, {"start": batch.start}]
    parts = [numbers[0], stats[0], draws[0], numbers[1], stats[1], numbers[2], draws[1]]
    return b"".join(wire(RawDrawBatch(**part)) for part in parts)


def _split_shapes(column: Content) -> bytes:
    """`shapes` in pieces, packed and unpacked, with the strings between them."""
    rest = wire(UnpackedColumn(shapes=column.shapes[1:3])) + wire(Column(strings=column.strings))
    first = wire(Column(name=column.name, dtype=column.dtype, shapes=column.shapes[:1]))
    return first + rest + wire(Column(data=column.data, shapes=column.shapes[3:]))


def _last_value_wins(batch: Batch) -> bytes:
    """Singular fields that come twice; the official runtime keeps the last one."""

    def encode(column: Content) -> bytes:
        wrong = Content("wrong", "wrong", b"wrong" if column.data else b"")
        return packed(wrong) + packed(column)

    return wire(RawDrawBatch(start=1, count=2, step=3)) + batch.to_bytes(encode)


def _unknown_fields(batch: Batch) -> bytes:
    """Fields of every wire type that the schema does not have, before, between and behind those that it has."""
    later = wire(LaterFields(v=2**64 - 1, f=1, g=2, b=b"\0", nested=Column(name="x"), u=[-1, 7])) + UNKNOWN_GROUP
    columns = batch.to_bytes(lambda column: later + packed(column) + later)
    return later + columns + later


def _varint(value: int, length: int) -> bytes:
    """A varint that is padded to so many bytes."""
    return bytes((value >> 7 * i & 0x7F) | (0x80 if i < length - 1 else 0) for i in range(length))


def _overlong_varints(batch: Batch) -> bytes:
    """Numbers, lengths and packed elements in more bytes than they need."""

    def encode(column: Content) -> bytes:
        if not column.shapes:
            return packed(column)
        shapes = b"".join(_varint(n, 10) for n in column.shapes)
        name = column.name.encode()
        return (
            packed(replace(column, name="", shapes=()))
            + b"\x0a"
            + _varint(len(name), 3)
            + name
            + b"\x22"
            + _varint(len(shapes), 4)
            + shapes
        )

    numbers = (
        b"\x08" + _varint(batch.start, 9) + b"\x10" + _varint(batch.count, 10) + b"\x28" + _varint(batch.step << 1, 10)
    )
    return replace(batch, start=0, count=0, step=0).to_bytes(encode) + numbers


def _explicit_defaults(batch: Batch) -> bytes:
    """Zeros and empty fields that a writer may leave out, written all the same."""
    empty_data_and_shapes = b"\x1a\x00\x22\x00"
    columns = replace(batch, start=0, step=0).to_bytes(
        lambda column: empty_data_and_shapes + packed(column) + b"\x22\x00"
    )
    return columns + b"\x08\x00\x28\x00"
