"""HTTP with retries: one pool of connections, the key, and errors as the contract names them."""

from __future__ import annotations

import json
import os
import random
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import urllib3

from .errors import ApiError, ProtocolError, ServerUnreachableError, api_error

PROTOBUF = "application/x-protobuf"
# Seconds without a byte before an answer is given up; a write waits for the server's disk.
READ_TIMEOUT, CONNECT_TIMEOUT = 60.0, 10.0
_CHUNK = 1 << 20

FindDraws = Callable[[bytes], int]
Progress = Callable[[int, int | None], None]
"""Called with the bytes read so far and, if known, the bytes that will come."""


@dataclass(frozen=True)
class Answer:
    """A successful answer; `body` is writeable memory of its own."""

    status: int
    headers: Mapping[str, str]
    body: memoryview

    def json(self) -> Any:
        try:
            return json.loads(bytes(self.body))
        except ValueError as error:
            raise ProtocolError(f"an answer is not JSON: {bytes(self.body[:100])!r}") from error


class Transport:
    """Speaks to one server.

    Parameters
    ----------
    url : of the server, with a path prefix if it has one.
    token : the key, sent as ``Authorization: Bearer``.
    patience : seconds for which a call is retried that may succeed later. Writes are retried only where the contract
        makes them idempotent, which all that this package sends are.
    """

    def __init__(self, url: str, token: str | None = None, *, patience: float = 15.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the server's address must look like https://host, not {url!r}")
        self.url = url.rstrip("/")
        self.patience = patience
        self._headers = {"User-Agent": "mcbackend-edge-python"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._target = (parts.scheme, parts.hostname)
        self._pool = _make_pool(*self._target)
        self._process = os.getpid()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        progress: Progress | None = None,
        find_draws: FindDraws | None = None,
        only_once: bool = False,
    ) -> Answer:
        """Sends a request, again while it fails for a reason that may pass.

        Parameters
        ----------
        find_draws : tells where in the answer, given its beginning, the draws lie: that place is put at an address
            that NumPy likes, which saves a copy.
        only_once : do not even repeat it when the connection broke, which kept ones do now and then.

        Raises
        ------
        ApiError
            When the server refuses.
        ServerUnreachableError
            When no whole answer came in `patience` seconds.
        """
        began = time.monotonic()
        deadline = began + (self.patience if patience is None else patience)
        delay = 0.1
        may_repeat = not only_once
        while True:
            try:
                return self._once(method, path, body, headers or {}, progress, find_draws)
            except (ServerUnreachableError, ApiError) as error:
                if isinstance(error, ApiError) and not error.is_temporary:
                    raise
                if isinstance(error, ServerUnreachableError) and may_repeat and time.monotonic() - began < 1.0:
                    may_repeat = False
                    continue
                wait = max(delay, getattr(error, "retry_after", None) or 0.0) * random.uniform(0.8, 1.2)
                if time.monotonic() + wait > deadline:
                    raise
                time.sleep(wait)
                delay = min(delay * 2, 5.0)

    def close(self) -> None:
        self._pool.clear()

    def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        progress: Progress | None,
        find_draws: FindDraws | None,
    ) -> Answer:
        if self._process != os.getpid():
            # A forked child must not speak over its parent's connections.
            self._pool, self._process = _make_pool(*self._target), os.getpid()
        sent = {**self._headers, **headers}
        if body is not None:
            sent["Content-Type"] = PROTOBUF
        try:
            response = self._pool.request(
                method, self.url + path, body=body, headers=sent, preload_content=False, retries=False
            )
            try:
                content = _read(response, progress, find_draws)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ServerUnreachableError(f"{self.url} cannot be reached: {_reason(error)}") from error
        if response.status >= 400:
            raise api_error(response.status, _problem(content), str(response.reason), _retry_after(response.headers))
        return Answer(response.status, response.headers, content)


def _make_pool(scheme: str, host: str) -> urllib3.PoolManager:
    """A pool that goes through the proxy that the environment names (``HTTPS_PROXY``, ``NO_PROXY``), if any."""
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
    proxy = urllib.request.getproxies().get(scheme)
    if proxy and host not in ("localhost", "127.0.0.1", "::1") and not urllib.request.proxy_bypass(host):
        return urllib3.ProxyManager(proxy, maxsize=8, timeout=timeout)
    return urllib3.PoolManager(maxsize=8, timeout=timeout)


def _read(response: urllib3.BaseHTTPResponse, progress: Progress | None, find_draws: FindDraws | None) -> memoryview:
    """The whole body, in memory that can be written to."""
    length = response.headers.get("Content-Length")
    is_encoded = "Content-Encoding" in response.headers
    total = int(length) if length is not None and not is_encoded else None
    buffer = np.empty(0, dtype=np.uint8)
    read = 0
    for chunk in response.stream(_CHUNK, decode_content=is_encoded):
        if read == 0 and total is not None:
            # NumPy's memory begins at a multiple of 16.
            shift = -find_draws(chunk) % 8 if find_draws else 0
            buffer = np.empty(total + shift, dtype=np.uint8)[shift:]
        elif read + len(chunk) > buffer.size:
            grown = np.empty(max(2 * buffer.size, read + len(chunk)), dtype=np.uint8)
            grown[:read] = buffer[:read]
            buffer = grown
        buffer[read : read + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        read += len(chunk)
        if progress is not None:
            progress(read, total)
    return buffer[:read].data


def _problem(body: memoryview) -> Mapping[str, Any]:
    try:
        problem = json.loads(bytes(body))
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return float(headers.get("Retry-After", ""))
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    """The innermost reason, without the pool's repr."""
    reason = getattr(error, "reason", None) or error.__cause__ or error
    return str(reason).split(": ", 1)[-1] if "object at" in str(reason) else str(reason)
