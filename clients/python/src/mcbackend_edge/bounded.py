"""HTTP answers that end: heads and lines of bounded length, bytes that come at some pace, and connections made in time.

Python's HTTP client and urllib3 bound a header and the number of headers. They do not bound the line with the size of a
chunk, trailers, `100 Continue` in front of an answer, nor the time of an answer that comes byte by byte. The time to
connect does not bound the look-up of the host's name (naming.py).
"""

from __future__ import annotations

import http.client
import io
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from .naming import NamedInTime

LONGEST_LINE = 65536
# Lines without anything else between them: an answer has at most 100 headers.
MOST_LINES = 1000
# Seconds that an answer may take from its first byte on, and the bytes a second that it must average after them.
GRACE, SLOWEST = 60.0, 1024


class _PacedIO(io.RawIOBase):
    """The bytes that a socket receives, which must come at some pace.

    Attributes
    ----------
    is_endless : True for a stream of events, which may take as long as it likes.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._began = 0.0
        self._received = 0
        self.is_endless = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._received and not self.is_endless:
            taken = time.monotonic() - self._began
            if taken > GRACE + self._received / SLOWEST:
                raise http.client.HTTPException(f"{self._received} bytes in {taken:.0f} s are too slow")
        size: int | None = self._raw.readinto(buffer)
        if not self._received:
            self._began = time.monotonic()
        self._received += size or 0
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedReader(io.BufferedReader):
    _lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self._lines += 1
        is_open = size is None or size < 0
        line = super().readline(LONGEST_LINE + 1 if is_open else size)
        if self._lines > MOST_LINES or (is_open and len(line) > LONGEST_LINE):
            raise http.client.HTTPException("the head of an answer, or of a chunk of it, does not end")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        self._lines = 0
        if size is None or size < 0:
            # Only a chunk of negative size asks for this: it would read to the end of the connection.
            raise http.client.HTTPException("a chunk of an answer has a negative size")
        return super().read(size)

    def read1(self, size: int = -1, /) -> bytes:
        self._lines = 0
        return super().read1(size)

    def readinto(self, buffer: Any, /) -> int:
        self._lines = 0
        return super().readinto(buffer)


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self._paced = _PacedIO(sock.makefile("rb", buffering=0))
        self.fp = _BoundedReader(self._paced)

    def begin(self) -> None:
        super().begin()
        self._paced.is_endless = self.headers.get_content_type() == "text/event-stream"


class _Connection(NamedInTime, HTTPConnection):
    response_class = _BoundedResponse


class _SecureConnection(NamedInTime, HTTPSConnection):
    response_class = _BoundedResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def bound(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """Bounds all answers to requests of this manager; gives it back."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager
