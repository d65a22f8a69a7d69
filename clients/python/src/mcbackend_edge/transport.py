"""HTTP with retries: one pool of connections, the key, and errors as the contract names them."""

from __future__ import annotations

import json
import os
import re
import socket
import time
import urllib.request
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from .bodies import CHUNK, FindDraws, Progress, encoding_of, has_marked_end, read_body
from .bounded import bound
from .contact import is_unconnected, reason_of, unreachable
from .errors import (
    AccessError,
    AnswerTooLargeError,
    ApiError,
    MisdirectedError,
    ProtocolError,
    ServerUnreachableError,
    api_error,
    is_length,
    shown,
)
from .names import LARGEST_CHAIN
from .waiting import CONNECT_TIMEOUT, FIRST_DELAY, LAST_DELAY, READ_TIMEOUT, Waiting

PROTOBUF, MERGE_PATCH = "application/x-protobuf", "application/merge-patch+json"
PROBLEM = "application/problem+json"
# A server that asks for a longer pause than this is asked again nevertheless.
LONGEST_RETRY_AFTER = 300.0
# Bytes of an answer that are taken into memory, at most: JSON of this contract, names and facts, an error, a run's
# metadata, draws (servers give 1 GiB by default, and what is more can be read in pages).
MOST_JSON, MOST_ABOUT, MOST_PROBLEM, MOST_META = 16 << 20, 32 << 20, 1 << 20, 128 << 20
MOST_DRAWS = (1 << 30) + (64 << 20)


@dataclass(frozen=True)
class Answer:
    """A successful answer.

    Attributes
    ----------
    url : the server's address.
    body : writeable memory of its own.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: memoryview

    def json(self) -> Any:
        """The content.

        Raises
        ------
        ProtocolError
            If it is no JSON, or nests deeper than can be read.
        """
        try:
            return json.loads(bytes(self.body))
        except (ValueError, RecursionError, MemoryError) as error:
            raise ProtocolError(
                f"{_strange(self.url)} An answer is not JSON: {shown(repr(bytes(self.body[:60])))}"
            ) from error

    def length(self) -> int:
        """The chain's length in an answer about a chain."""
        content = self.json()
        length = content.get("length") if isinstance(content, dict) else None
        if not is_length(length):
            raise ProtocolError(f"{self.url}: an answer does not tell the chain's length: {bytes(self.body[:100])!r}")
        return length

    def rows(self, name: str) -> list[Any]:
        """The list of this name in an answer that has one."""
        content = self.json()
        rows = content.get(name) if isinstance(content, dict) else None
        if not isinstance(rows, list):
            raise ProtocolError(f"{self.url}: an answer has no list {name!r}: {bytes(self.body[:100])!r}")
        return rows

    def lengths(self) -> dict[int, int]:
        """Length of each chain, by number, in an answer that lists them."""
        return lengths_of(self.rows("chains"))

    def registration(self) -> str:
        """Identity of the run's registration in an answer about a run."""
        registration = self.headers.get("Mcb-Registration")
        if not registration or not re.fullmatch(r"[ -~]{1,1000}", registration):
            raise ProtocolError(f"{_strange(self.url)} An answer about a run does not tell its registration.")
        return registration


class Stream:
    """A successful answer that is read as it comes; iterating gives its bytes in pieces."""

    def __init__(self, url: str, response: urllib3.BaseHTTPResponse) -> None:
        self._url, self._response = url, response
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        if encoding_of(response):
            response.close()
            raise ProtocolError(f"{url} sends a stream that is encoded, which it was not asked for")

    def __iter__(self) -> Iterator[bytes]:
        """
        Raises
        ------
        ServerUnreachableError
            When the connection breaks, or is silent for too long.
        """
        try:
            while chunk := self._response.read1(CHUNK, decode_content=False):
                yield chunk
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ServerUnreachableError(f"{self._url} has broken off: {reason_of(error)}", error) from None

    def abort(self) -> None:
        """Ends the reading of another thread."""
        connection = self._response.connection
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._response.close()


class Transport:
    """Speaks to one server.

    Parameters
    ----------
    url : the server's address, with a path prefix if it has one.
    token : the key, sent as ``Authorization: Bearer``.
    patience : seconds for which a call is retried that may succeed later. All writes that this package sends are
        idempotent by the contract.
    """

    def __init__(self, url: str, token: str | None = None, *, patience: float = 15.0) -> None:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            # It would be shown in messages and written to the spool.
            raise ValueError("the server's address must not hold a name or password: pass the key as token")
        if parts.scheme not in ("http", "https") or not parts.hostname or not _is_host(parts) or re.search(r"\s", url):
            raise ValueError(f"the server's address must look like https://host, not {url!r}")
        self.url = url.rstrip("/")
        self.patience = patience
        self._is_known = False
        self._headers = {"User-Agent": "mcbackend-edge-python"}
        if token:
            self._headers["Authorization"] = f"Bearer {_checked_token(token)}"
        self._target = (parts.scheme, parts.hostname)
        self._pool = _make_pool(*self._target)
        self._process = os.getpid()
        self.waiting = Waiting(self.url)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = PROTOBUF,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        timeout: float | None = None,
        progress: Progress | None = None,
        find_draws: FindDraws | None = None,
        only_once: bool = False,
        can_go_on: bool = False,
        limit: int = MOST_JSON,
    ) -> Answer:
        """Sends a request, again while it fails for a reason that may pass.

        Parameters
        ----------
        content_type : that of the body.
        patience : seconds for which it is tried again. A server that says when it will have time (429, 503) is waited
            for longer, and one that has never answered is given up sooner if it cannot be reached at all.
        timeout : seconds without a byte before the connection or the answer is given up, instead of the usual ones.
        limit : bytes of a successful answer, at most.
        find_draws : gives the offset of the draws in an answer, from its beginning. They are put at an address that
            NumPy likes, which saves a copy.
        only_once : do not repeat it even when the connection breaks, as kept connections do now and then.
        can_go_on : the caller goes on without an answer, so that a server to which there was never a connection is
            given up at once.

        Raises
        ------
        ApiError
            When the server refuses.
        ServerUnreachableError
            When no whole answer came in `patience` seconds.
        ProtocolError
            When the answer is one that the contract does not allow, such as one that is larger than `limit`.
        """
        began = time.monotonic()
        patience = self.patience if patience is None else patience
        delay = FIRST_DELAY
        may_repeat = not only_once
        sent = {**(headers or {}), **({} if body is None else {"Content-Type": content_type})}
        waits = None if timeout is None else urllib3.Timeout(connect=timeout, read=timeout)
        attempt = 0
        while True:
            attempt += 1
            try:
                with self.waiting.first_answer(began, patience, can_go_on=can_go_on) as first:
                    response = self._send(method, path, body, sent, waits or first)
                return self._answer(response, progress, find_draws, limit)
            except (ServerUnreachableError, ApiError) as error:
                if isinstance(error, ApiError):
                    error.attempt = attempt
                if isinstance(error, ApiError) and not error.is_temporary:
                    raise
                is_broken = isinstance(error, ServerUnreachableError) and not error.is_lasting
                if is_broken and may_repeat and time.monotonic() - began < 1.0:
                    may_repeat = False
                    continue
                if is_unconnected(error) and can_go_on and not self.waiting.has_answered:
                    raise
                if not self.waiting.wait(error, began, patience, delay):
                    raise
                delay = min(delay * 2, LAST_DELAY)

    def stream(
        self, path: str, *, headers: Mapping[str, str], silence: float, statuses: Collection[int] = (200,)
    ) -> Stream:
        """Begins to read an answer that has no end of its own, or none that memory would hold.

        Parameters
        ----------
        silence : seconds without a byte after which the connection counts as broken.
        statuses : those of an answer that is wanted.

        Raises
        ------
        ApiError, ServerUnreachableError
        """
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=silence)
        response = self._send("GET", path, None, headers, timeout)
        if response.status in statuses:
            return Stream(self.url, response)
        try:
            content = self._read_whole(response, MOST_PROBLEM, None, None)
        except AnswerTooLargeError:
            content = _NOTHING
        finally:
            response.close()
        raise self._error(response, content)

    def close(self) -> None:
        self._pool.clear()

    def _answer(
        self,
        response: urllib3.BaseHTTPResponse,
        progress: Progress | None,
        find_draws: FindDraws | None,
        limit: int,
    ) -> Answer:
        is_success = 200 <= response.status < 300
        try:
            content = self._read_whole(response, limit if is_success else MOST_PROBLEM, progress, find_draws)
        except AnswerTooLargeError:
            response.close()
            if is_success:
                raise
            content = _NOTHING
        except BaseException:
            response.close()
            raise
        else:
            response.release_conn()
        if is_success:
            self._expect_no_page(response)
            return Answer(self.url, response.status, response.headers, content)
        raise self._error(response, content)

    def _expect_no_page(self, response: urllib3.BaseHTTPResponse) -> None:
        """
        Raises
        ------
        ServerUnreachableError
            For a page in the place of an answer, such as a proxy's, if the server has answered before: it may pass.
        """
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and self._is_known:
            raise ServerUnreachableError(f"{_strange(self.url)} It did before, and shows a page now.")
        self._is_known = self._is_known or not is_page

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: urllib3.Timeout | None
    ) -> urllib3.BaseHTTPResponse:
        """Sends a request; the answer, of which the body is still to be read."""
        if self._process != os.getpid():
            # A forked child must not speak over its parent's connections.
            self._pool, self._process = _make_pool(*self._target), os.getpid()
        options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        try:
            response = self._pool.request(
                method,
                self.url + path,
                body=body,
                headers={**self._headers, **headers},
                preload_content=False,
                retries=False,
                # It would carry the key to another server.
                redirect=False,
                **options,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.url, error) from None
        self.waiting.has_answered = True
        return response

    def _read_whole(
        self,
        response: urllib3.BaseHTTPResponse,
        limit: int,
        progress: Progress | None,
        find_draws: FindDraws | None,
    ) -> memoryview:
        if not has_marked_end(response):
            raise ServerUnreachableError(f"{self.url} has broken off: the head of an answer is not whole")
        if response.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise ProtocolError(f"{self.url} sends a stream of events in the place of an answer")
        try:
            return read_body(response, limit, progress, find_draws)
        except (AnswerTooLargeError, MemoryError) as error:
            what = str(error) or "more than there is memory for"
            raise AnswerTooLargeError(f"{self.url} sends an answer of {what}") from error
        except zlib.error as error:
            raise ProtocolError(f"{self.url} sends an answer that is not compressed as it says: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ServerUnreachableError(f"{self.url} has broken off: {reason_of(error)}", error) from None

    def _error(self, response: urllib3.BaseHTTPResponse, content: memoryview) -> ApiError:
        if response.status < 400:
            # Not followed: it would carry the key to another address, and a POST may come out of it as a GET.
            target = shown(response.headers.get("Location", "another address"), 300)
            return api_error(response.status, {}, f"{self.url} redirects to {target}: give that address", None)
        problem = _problem(content)
        reason = str(response.reason)
        if not problem and response.status < 500 and response.status not in (408, 429):
            # The server tells a code with each refusal.
            reason = f"{_strange(self.url)} It says: {shown(reason, 100)}"
        error = api_error(response.status, problem, reason, _retry_after(response.headers))
        is_problem = response.headers.get("Content-Type", "").startswith(PROBLEM)
        self._is_known = self._is_known or (is_problem and error.code != "")
        if isinstance(error, (AccessError, MisdirectedError)) or error.is_temporary:
            error.server = self.url
        if response.status == 401:
            error.advice = OTHER_KEY if "Authorization" in self._headers else NO_KEY
        return error


NO_KEY = "No key was sent: pass token=, set MCB_TOKEN, or run: npx mcb login"
OTHER_KEY = "Give another key: pass token=, set MCB_TOKEN, or run: npx mcb login"


def _strange(url: str) -> str:
    return f"{url} does not answer as a McBackend Edge server does: is the address right?"


def _checked_token(token: str) -> str:
    """The key without surrounding space. Refused here, since the HTTP library's error would show it."""
    stripped = token.strip()
    if not re.fullmatch(r"[!-~]+", stripped):
        raise ValueError("the key (token, or MCB_TOKEN) must consist of printable ASCII characters, without spaces")
    return stripped


def _make_pool(scheme: str, host: str) -> urllib3.PoolManager:
    """A pool that goes through the proxy that the environment names (``HTTPS_PROXY``, ``NO_PROXY``), if any."""
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
    proxy = urllib.request.getproxies().get(scheme)
    if proxy and host not in ("localhost", "127.0.0.1", "::1") and not urllib.request.proxy_bypass(host):
        return bound(urllib3.ProxyManager(proxy, maxsize=8, timeout=timeout))
    return bound(urllib3.PoolManager(maxsize=8, timeout=timeout))


def lengths_of(rows: Iterable[Any]) -> dict[int, int]:
    """Length of each chain, by number, from objects of JSON that tell them.

    Raises
    ------
    ProtocolError
    """
    lengths: dict[int, int] = {}
    for row in rows:
        number, length = (row.get("chain"), row.get("length")) if isinstance(row, dict) else (None, None)
        if not (is_length(number) and number <= LARGEST_CHAIN and is_length(length)):
            raise ProtocolError(f"an answer does not tell a chain's length: {shown(repr(row), 100)}")
        lengths[number] = length
    return lengths


_NOTHING = memoryview(b"")


def is_same_server(one: str, other: str) -> bool:
    """True for addresses of one server: of the same origin and path prefix, however they are written."""
    return _server_of(one) == _server_of(other)


def _is_host(parts: SplitResult) -> bool:
    """False for a host or port that no address can have: it would be asked for again and again in vain."""
    try:
        (parts.hostname or "").encode("idna")
        return parts.port != 0
    except ValueError:
        return False


def _server_of(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _problem(body: memoryview) -> Mapping[str, Any]:
    try:
        problem = json.loads(bytes(body))
    except (ValueError, RecursionError, MemoryError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds >= 0 else None
