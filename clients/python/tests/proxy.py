"""A proxy between client and server that breaks connections, for tests of exactly-once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True)
class Fault:
    """The fate of one connection: it is cut after so many bytes; None lets them all through.

    ``request_bytes=0`` refuses the connection; ``answer_bytes=0`` lets the server do its work and loses the answer.
    """

    request_bytes: int | None = None
    answer_bytes: int | None = None


class FaultyProxy:
    """Forwards TCP connections to `port`. `choose` is asked for the fault of each request."""

    def __init__(self, port: int, choose: Callable[[], Fault]) -> None:
        self._target = port
        self.choose = choose
        self.faults = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._listener.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Carries one request at a time, so that a fault belongs to a request even on a kept-alive connection."""
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while self._exchange(client, server):
                    pass
            except OSError:
                pass

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        head = _read_head(client)
        if not head:
            return False
        fault = self.choose()
        if not _forward(client, server, head, fault.request_bytes):
            self.faults += 1
            return False
        answer = _read_head(server)
        if not answer or not _forward(server, client, answer, fault.answer_bytes):
            self.faults += fault.answer_bytes is not None
            return False
        return True


def _read_head(source: socket.socket) -> bytes:
    """Up to the blank line, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = source.recv(65536)
        if not chunk:
            return b""
        data += chunk
    return data


def _forward(source: socket.socket, target: socket.socket, begun: bytes, limit: int | None) -> bool:
    """Passes on one message; False if it was cut after `limit` bytes."""
    head, _, body = begun.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    missing = length - len(body)
    data = begun
    while missing > 0:
        chunk = source.recv(65536)
        if not chunk:
            return False
        data += chunk
        missing -= len(chunk)
    if limit is not None and limit < len(data):
        target.sendall(data[:limit])
        return False
    target.sendall(data)
    return True
