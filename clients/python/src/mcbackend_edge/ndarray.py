"""NumPy arrays to and from the wire's `npproto.ndarray`."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._generated.npproto import ndarray_pb2
from .errors import ObjectArrayError, ProtocolError, shown

Array = NDArray[Any]

# dtypes of one kind of elements: no structures, no Python objects, nothing that NumPy would have to parse for long.
_DTYPE = re.compile(r"[<>=|]?[A-Za-z?]{1,16}[0-9]{0,9}(\[[A-Za-z0-9 /]{1,20}\])?")
# Python objects under all names that NumPy has for them, alone or as a part of a structure.
_OBJECT = re.compile(r"[<>=|]?(O[48]?|object_?)|.*, ?'[<>=|]?O[48]?'.*", re.DOTALL)
_TIME = re.compile(r"^[<>=|]?(datetime64|timedelta64|M8|m8)(\[.*\])?$")


def to_message(values: ArrayLike) -> ndarray_pb2.ndarray:
    """Encodes an array: little-endian, C order, C strides.

    Times travel as int64 under their own dtype name, strings as fixed-width UTF-32 (``<U5``). Object arrays are taken
    if their elements are all strings; `mcbackend_edge.labels` makes arrays of values of the others.

    Raises
    ------
    TypeError
        For arrays of Python objects, and of structures.
    """
    array = np.asarray(values)
    if array.dtype == object:
        if not all(isinstance(item, str) for item in array.flat):
            raise TypeError(f"arrays of Python objects cannot be stored: {array!r}")
        array = array.astype(str)
    if array.dtype.kind == "V":
        raise TypeError(f"arrays of structures cannot be stored: {array.dtype}")
    array = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    dtype = str(array.dtype)
    content = array.view(np.int64) if array.dtype.kind in "mM" else array
    return ndarray_pb2.ndarray(data=content.tobytes(), dtype=dtype, shape=array.shape, strides=array.strides, order="C")


def holds_objects(message: ndarray_pb2.ndarray) -> bool:
    """True if a writer has stored Python objects, and so addresses in its memory."""
    return _OBJECT.fullmatch(message.dtype) is not None


def from_message(message: ndarray_pb2.ndarray) -> Array:
    """Decodes an array, by its shape alone. Other writers' strides and order describe their memory, not `data`.

    Raises
    ------
    ObjectArrayError
        If they are addresses of Python objects.
    ProtocolError
        If the bytes are not an array of that dtype and shape.
    """
    if holds_objects(message):
        raise ObjectArrayError("an array of Python objects cannot be read: there are only their addresses in it")
    try:
        if not _DTYPE.fullmatch(message.dtype):
            raise ValueError("there is no such dtype")
        dtype = np.dtype(message.dtype)
        raw = np.dtype("<i8") if _TIME.match(message.dtype) else dtype
        return np.frombuffer(message.data, dtype=raw).reshape(tuple(message.shape)).astype(dtype)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        what = shown(f"dtype {message.dtype!r} and shape {list(message.shape[:100])}", 300)
        raise ProtocolError(f"an array of {what} cannot be read: {error}") from error
