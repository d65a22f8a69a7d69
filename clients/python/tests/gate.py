"""A gate before the server that answers some requests itself: with errors, redirects, pages of proxies, or nonsense."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(frozen=True)
class Reply:
    """An answer of the gate's own.

    Attributes
    ----------
    is_applied : True if the server carries the request out before, and its own answer is lost.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_applied: bool = False


Choose = Callable[[str, str], Reply | None]


class Gate:
    """Asks `choose` about each request, by method and path: None passes it on.

    Attributes
    ----------
    keys : the values of ``Authorization`` that it was shown.
    replies : number of its own answers.
    """

    def __init__(self, port: int, choose: Choose) -> None:
        self.keys: set[str | None] = set()
        self.replies = 0
        self.choose = choose
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                gate.keys.add(self.headers.get("Authorization"))
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                reply = gate.choose(self.command, self.path)
                if reply is not None:
                    gate.replies += 1
                if reply is None or reply.is_applied:
                    passed = pass_on(port, self.command, self.path, body, dict(self.headers.items()))
                    reply = reply or passed
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def pass_on(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    """The answer of the server on that port."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body=body, headers={**headers, "Connection": "close"})
        answer = connection.getresponse()
        skipped = {"content-length", "connection", "transfer-encoding", "keep-alive", "date"}
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in skipped}
        return Reply(answer.status, answer.read(), kept)
    finally:
        connection.close()
