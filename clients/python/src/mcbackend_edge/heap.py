"""Values of varying size as the heap of a segment holds them, and checks of what is found there."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from .errors import DrawError, DtypeMismatchError
from .ndarray import Array
from .schema import Variable

# Offset 0 in the heap means: this stat was missing. The first value lies at 8.
HEAP_BEGIN = 8


def value_at(heap: memoryview, offset: int) -> memoryview | None:
    """The encoded value at an offset; None if none can lie there."""
    if not HEAP_BEGIN <= offset <= len(heap) - 8:
        return None
    (size,) = struct.unpack_from("<I", heap, offset)
    end = offset + 4 + size
    return heap[offset:end] if size >= 4 and end <= len(heap) else None


def makes_sense(var: Variable, heap: memoryview, offset: int) -> bool:
    """True if the bytes at an offset are a value of the variable."""
    size, ndim = struct.unpack_from("<II", heap, offset)
    if 4 + 4 * ndim > size:
        return False
    shape, payload = decode_value(heap, offset)
    if not var.fits(shape):
        return False
    if var.dtype != "str":
        return len(payload) == math.prod(shape) * var.numpy_dtype.itemsize
    try:
        return len(decode_strings(payload)) == math.prod(shape)
    except (struct.error, UnicodeDecodeError):
        return False


def encode_value(var: Variable, value: Array) -> bytes:
    """One value as the heap has it: number of bytes that follow, number of dimensions, dimensions, payload."""
    try:
        payload = encode_strings(value.ravel().tolist()) if var.dtype == "str" else value.tobytes()
    except UnicodeEncodeError as error:
        raise DtypeMismatchError(f"{var.name!r} holds text that is no Unicode: {error}") from error
    if len(payload) > 2**31 or max(value.shape, default=0) >= 2**32:
        raise DrawError(f"a value of {var.name!r} is too large to be stored: it has shape {list(value.shape)}")
    head = struct.pack(f"<I{value.ndim}I", value.ndim, *value.shape)
    return struct.pack("<I", len(head) + len(payload)) + head + payload


def encode_text(text: str) -> bytes:
    """A single string as `encode_value` gives it."""
    payload = text.encode()
    return struct.pack("<III", 8 + len(payload), 0, len(payload)) + payload


def decode_value(heap: memoryview, offset: int) -> tuple[tuple[int, ...], bytes]:
    """Shape and payload of the value at an offset."""
    size, ndim = struct.unpack_from("<II", heap, offset)
    shape = struct.unpack_from(f"<{ndim}I", heap, offset + 8)
    return shape, bytes(heap[offset + 8 + 4 * ndim : offset + 4 + size])


def encode_fill(var: Variable) -> tuple[tuple[int, ...], bytes]:
    """Shape and payload of a stat that is missing."""
    fill = var.fill()
    return fill.shape, encode_strings(fill.ravel().tolist()) if var.dtype == "str" else fill.tobytes()


def encode_strings(texts: Iterable[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def decode_strings(payload: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(payload):
        (size,) = struct.unpack_from("<I", payload, at)
        end = at + 4 + size
        if end > len(payload):
            raise struct.error("a text is longer than what holds it")
        texts.append(payload[at + 4 : end].decode())
        at = end
    return texts
