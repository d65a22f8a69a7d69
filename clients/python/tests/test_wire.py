"""The batch codec against the official protobuf runtime, and arrays against McBackend's bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcbackend_edge import ProtocolError
from mcbackend_edge._generated import draws_pb2
from mcbackend_edge.columns import Ragged, Rigid, Strings, column_of, draw_at
from mcbackend_edge.ndarray import from_message, to_message
from mcbackend_edge.schema import RunMeta, Variable
from mcbackend_edge.wire import BatchEncoder, decode_batch, find_draws

from . import strategies


def encode(meta: RunMeta, start: int, iterations: list[tuple[dict[str, Any], dict[str, Any] | None]]) -> bytes:
    columns = [
        column_of(
            var, np.array([d[var.name] for d, _ in iterations]) if rigid(var) else [d[var.name] for d, _ in iterations]
        )
        for var in meta.variables
    ]
    return BatchEncoder(meta.variables, ()).encode(start, len(iterations), columns)


def rigid(var: Variable) -> bool:
    return var.is_rigid and var.dtype != "str"


@given(st.data(), st.integers(0, 2**40))
def test_batches_are_what_the_official_runtime_reads(data: st.DataObject, start: int) -> None:
    meta = data.draw(strategies.metas())
    iterations = data.draw(strategies.iterations(meta))
    batch = draws_pb2.DrawBatch.FromString(encode(meta, start, iterations))
    assert (batch.start, batch.count, batch.step) == (start, len(iterations), 0)
    assert [column.name for column in batch.draws] == [var.name for var in meta.variables]
    for column, var in zip(batch.draws, meta.variables):
        drawn = [np.asarray(draw[var.name]) for draw, _ in iterations]
        assert column.dtype == var.dtype
        if var.dtype == "str":
            assert list(column.strings) == [text for value in drawn for text in value.ravel().tolist()]
        else:
            assert column.data == b"".join(value.tobytes() for value in drawn)
        shapes = [] if var.is_rigid else [number for value in drawn for number in (value.ndim, *value.shape)]
        assert list(column.shapes) == shapes


@given(st.data())
def test_what_the_official_runtime_writes_is_read(data: st.DataObject) -> None:
    meta = data.draw(strategies.metas())
    iterations = data.draw(strategies.iterations(meta))
    message = draws_pb2.DrawBatch.FromString(encode(meta, 7, iterations))
    message.step = -3
    unknown = b"\xf8\x07\x05" + b"\xfa\x07\x02hi"
    raw = bytearray(message.SerializeToString() + unknown)
    batch = decode_batch(memoryview(raw), {var.name: var for var in meta.variables}, {})
    assert (batch.start, batch.count, batch.step) == (7, len(iterations), -3)
    for var in meta.variables:
        for index, (draw, _) in enumerate(iterations):
            assert strategies.same(draw_at(var, batch.draws[var.name], index), draw[var.name])


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5))
def test_shapes_may_come_unpacked_and_in_any_order(lengths: list[int]) -> None:
    """A column of empty arrays with enormous dimensions, its fields backwards and its shapes one by one."""
    var = Variable("x", "int8", (-1, 0))
    varints = b"".join(b"\x20" + _varint(number) for length in lengths for number in (2, length, 0))
    column = varints + b"\x12\x04int8" + b"\x0a\x01x"
    raw = bytearray(b"\x1a" + _varint(len(column)) + column + b"\x10" + _varint(len(lengths)))
    batch = decode_batch(memoryview(raw), {"x": var}, {})
    read = batch.draws["x"]
    assert isinstance(read, Ragged)
    assert read.shapes == [(length, 0) for length in lengths]


@given(st.data())
def test_cut_answers_are_refused(data: st.DataObject) -> None:
    meta = data.draw(strategies.metas())
    iterations = data.draw(strategies.iterations(meta))
    raw = encode(meta, 1, iterations)
    names = {var.name: var for var in meta.variables}
    cut = data.draw(st.integers(0, len(raw) - 1))
    whole = decode_batch(memoryview(bytearray(raw)), names, {})
    try:
        part = decode_batch(memoryview(bytearray(raw[:cut])), names, {})
    except ProtocolError:
        return
    # A cut between two columns leaves a valid message, which lacks them.
    assert len(part.draws) < len(whole.draws)


@pytest.mark.parametrize("answer", [b"\x1a\x05\x0a\x01y\x12\x00", b"\x1a\xff", b"\x1b", b"\x1a\x03\x0a\x01\xff"])
def test_nonsense_is_refused(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_batch(memoryview(bytearray(answer)), {"x": Variable("x")}, {})


def test_a_single_aligned_column_is_not_copied() -> None:
    """The draws of a large read are a view on what arrived whenever they lie on their item size."""
    var = Variable("a" * 3, "float64", (2,))
    encoder = BatchEncoder([var], ())
    raw = encoder.encode(0, 4, [Rigid(np.arange(8.0).reshape(4, 2))])
    padding = -raw.index(np.arange(8.0).tobytes()) % 8
    buffer = np.zeros(len(raw) + padding, dtype=np.uint8)
    buffer[padding:] = np.frombuffer(raw, dtype=np.uint8)
    assert find_draws(raw[:100]) == raw.index(np.arange(8.0).tobytes())
    assert find_draws(raw[:15]) == find_draws(b"") == 0
    column = decode_batch(memoryview(buffer[padding:]), {var.name: var}, {}).draws[var.name]
    assert isinstance(column, Rigid)
    assert np.shares_memory(column.values, buffer)
    assert np.array_equal(column.values, np.arange(8.0).reshape(4, 2))


def test_strings_and_numbers_of_one_run() -> None:
    names = {"s": Variable("s", "str", (2,)), "n": Variable("n", "uint16")}
    encoder = BatchEncoder(names.values(), ())
    raw = encoder.encode(0, 1, [Strings([(2,)], [["é", ""]]), Rigid(np.array([7], dtype="<u2"))])
    batch = decode_batch(memoryview(bytearray(raw)), names, {})
    assert batch.draws["s"] == Strings([(2,)], [["é", ""]])


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(32, 64)),
    hnp.unicode_string_dtypes(max_len=5),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
)


@given(st.data(), DTYPES)
def test_arrays_round_trip(data: st.DataObject, dtype: np.dtype[Any]) -> None:
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
    transposed = array.T if data.draw(st.booleans()) else array
    read = from_message(to_message(transposed))
    assert read.shape == transposed.shape
    assert strategies.same(read, transposed.astype(transposed.dtype.newbyteorder("=")))


@given(
    st.data(),
    st.one_of(
        hnp.integer_dtypes(endianness="<"),
        hnp.floating_dtypes(endianness="<", sizes=(32, 64)),
        hnp.datetime64_dtypes(endianness="<"),
    ),
)
def test_arrays_are_exchanged_with_mcbackend(data: st.DataObject, dtype: np.dtype[Any]) -> None:
    """Its reader takes our bytes, and ours takes its, Fortran-ordered ones included (which its own reader mixes up)."""
    utils = pytest.importorskip("mcbackend.npproto.utils")
    npproto = pytest.importorskip("mcbackend.npproto")
    from mcbackend_edge._generated.npproto.ndarray_pb2 import ndarray

    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_side=1, max_side=4)))
    ours = to_message(array).SerializeToString()
    assert strategies.same(utils.ndarray_to_numpy(npproto.Ndarray().parse(ours)), array)
    for order in (array, np.asfortranarray(array)):
        theirs = bytes(utils.ndarray_from_numpy(order))
        assert strategies.same(from_message(ndarray.FromString(theirs)), array)


def test_objects_that_are_no_arrays_are_refused() -> None:
    with pytest.raises(TypeError, match="Python objects"):
        to_message(np.array([object()], dtype=object))
    assert from_message(to_message(np.array(["a", "bc"], dtype=object))).tolist() == ["a", "bc"]


def test_nothing_clashes_in_the_descriptor_pool() -> None:
    """Other packages may have a `meta.proto` and an `npproto.ndarray` of their own in the same process."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    pool = descriptor_pool.Default()
    for path, package in (("meta.proto", "mcbackend"), ("npproto/ndarray.proto", "npproto")):
        with pytest.raises(KeyError):
            pool.FindFileByName(path)
        file = descriptor_pb2.FileDescriptorProto(name=path, package=package, syntax="proto3")
        file.message_type.add(name="RunMeta" if package == "mcbackend" else "ndarray")
        assert pool.AddSerializedFile(file.SerializeToString()) is not None


def _varint(value: int) -> bytes:
    out = []
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
