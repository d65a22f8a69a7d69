"""Contents of numpy arrays as JSON that any language can compare bit by bit."""

from __future__ import annotations

import numpy as np


def _values(arr: np.ndarray) -> list[object]:
    """The elements in C order: see `describe` for how each kind is written."""
    flat = np.ascontiguousarray(arr).reshape(-1)
    if arr.dtype.kind == "M":
        return [str(v) for v in flat.astype("int64")]
    if arr.dtype.kind in "iu":
        return [str(int(v)) for v in flat]
    if arr.dtype.kind == "b":
        return [bool(v) for v in flat]
    if arr.dtype.kind == "U":
        return [str(v) for v in flat]
    if arr.dtype.kind in "fcS":
        return [v.tobytes().hex() for v in flat.astype(flat.dtype.newbyteorder("<"))]
    raise TypeError(f"arrays of dtype {arr.dtype} have no description")


def describe(arr: np.ndarray) -> dict[str, object]:
    """`{dtype, shape, values}` of an array.

    `dtype` is numpy's `str(arr.dtype)`; `values` are flat, in C order. Integers, and the int64 behind a datetime64
    (NaT is -2^63), are decimal strings; bools are bools; strings are strings without the padding NULs; floats,
    complex numbers and bytes are the hex of their little-endian memory, whatever byte order `dtype` names.
    """
    return {"dtype": str(arr.dtype), "shape": list(arr.shape), "values": _values(arr)}


def from_c_ordered_bytes(data: bytes, dtype: str, shape: list[int]) -> np.ndarray:
    """Reads an ndarray message by its shape alone, the way docs/protocol.md says."""
    if dtype.startswith("datetime64"):
        return np.frombuffer(data, dtype="<i8").reshape(shape).astype(dtype)
    # numpy refuses to view an empty buffer.
    return (np.frombuffer(data, dtype=dtype) if data else np.zeros(0, dtype)).reshape(shape)
