"""The body of an answer in one piece of memory, inflated if need be, and never more of it than was asked for."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import urllib3

from .errors import AnswerTooLargeError, ProtocolError, shown

# Bytes that are read at once.
CHUNK = 1 << 20

FindDraws = Callable[[bytes], int]
Progress = Callable[[int, int | None], None]
"""Called with the bytes read so far and, if known, the bytes that will come."""


def has_marked_end(response: urllib3.BaseHTTPResponse) -> bool:
    """True if a success says where its body ends. With a head that was cut off, an empty body would count as whole."""
    if not 200 <= response.status < 300 or response.status == 204:
        return True
    is_chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return is_chunked or response.headers.get("Content-Length", "").strip().isdecimal()


def read_body(
    response: urllib3.BaseHTTPResponse, limit: int, progress: Progress | None, find_draws: FindDraws | None
) -> memoryview:
    """The whole body, in memory that can be written to.

    Raises
    ------
    AnswerTooLargeError
        As soon as more than `limit` bytes are announced or have come.
    """
    total = None if encoding_of(response) else _announced(response)
    if total is not None and total > limit:
        raise AnswerTooLargeError(f"{total:,} bytes, and {limit:,} are taken at most")
    buffer = np.empty(0, dtype=np.uint8)
    read = 0
    for chunk in _pieces(response):
        if read + len(chunk) > limit:
            raise AnswerTooLargeError(f"more than the {limit:,} bytes that are taken at most")
        if read == 0 and total is not None:
            # NumPy's memory begins at a multiple of 16. Pages that are not written yet take none.
            shift = -find_draws(chunk) % 8 if find_draws else 0
            buffer = np.empty(total + shift, dtype=np.uint8)[shift:]
        elif read + len(chunk) > buffer.size:
            grown = np.empty(min(max(2 * buffer.size, read + len(chunk)), limit), dtype=np.uint8)
            grown[:read] = buffer[:read]
            buffer = grown
        buffer[read : read + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        read += len(chunk)
        if progress is not None:
            progress(read, total)
    return buffer[:read].data


def _announced(response: urllib3.BaseHTTPResponse) -> int | None:
    """The number in Content-Length, if there is one."""
    length = response.headers.get("Content-Length", "").strip()
    if not length.isdecimal():
        return None
    return int(length) if len(length) < 19 else 10**18


def encoding_of(response: urllib3.BaseHTTPResponse) -> str:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def _pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The body, inflated if need be: nothing is asked for compressed, but a proxy may compress it nevertheless."""
    encoding = encoding_of(response)
    pieces = response.stream(CHUNK, decode_content=False)
    if encoding in ("gzip", "x-gzip"):
        return _inflated(pieces)
    if encoding:
        raise ProtocolError(f"an answer is encoded as {shown(encoding, 100)}, which it was not asked for")
    return pieces


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The inflated bytes, never more than a piece of them at a time."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for data in pieces:
        while True:
            piece = inflater.decompress(data, CHUNK)
            if piece:
                yield piece
            data = inflater.unconsumed_tail
            if inflater.eof and inflater.unused_data:
                data, inflater = inflater.unused_data, zlib.decompressobj(16 + zlib.MAX_WBITS)
            elif not data and len(piece) < CHUNK:
                break
    if not inflater.eof:
        raise ProtocolError("a compressed answer is not whole")
