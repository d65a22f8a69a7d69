"""Follows a run's server-sent events: how its chains grow, through connections that may break."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType

from .errors import ApiError, McbError, ProtocolError, ServerUnreachableError, shown
from .transport import MOST_JSON, Stream, Transport, lengths_of

# The server says something every 15 s; a connection that is silent for longer than this is given up.
SILENCE = 40.0
# Seconds between two attempts to connect: doubled from the first to the second.
FIRST_DELAY, LAST_DELAY = 0.1, 5.0
# Chains of a run that are taken into memory, at most; servers have 10,000 by default.
MOST_CHAINS = 100_000
# Codes of the answers about a run that was deleted meanwhile.
_GONE = frozenset(("run_not_found", "run_replaced"))


@dataclass(frozen=True)
class Event:
    """One event; `id` is None where it has none."""

    name: str
    id: str | None
    data: str


def parse_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Events of a stream (WHATWG HTML, "Server-sent events"), whose pieces may end anywhere.

    Raises
    ------
    ProtocolError
        If an event has no end within `MOST_JSON` bytes.
    """
    event = _Fields()
    for line in _lines(chunks):
        if line:
            event.take(line.decode("utf-8", "replace"))
        elif event.is_begun:
            if event.data is not None:
                yield Event(event.name, event.id, "\n".join(event.data))
            event = _Fields()


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends, which are any of \\n, \\r\\n and \\r."""
    begun: list[bytes] = []
    size = 0
    is_after_cr = False
    for chunk in chunks:
        # A \\r at the end of a chunk may be half of a line end.
        fresh = chunk[1:] if is_after_cr and chunk.startswith(b"\n") else chunk
        is_after_cr = chunk.endswith(b"\r") if chunk else is_after_cr
        first, *rest = fresh.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        begun.append(first)
        size += len(first)
        if size > MOST_JSON:
            raise ProtocolError("the stream of events holds a line without an end")
        if rest:
            *whole, last = rest
            yield b"".join(begun)
            yield from whole
            begun, size = [last], len(last)


class _Fields:
    """The fields of an event that is being read."""

    def __init__(self) -> None:
        self.name = "message"
        self.id: str | None = None
        self.data: list[str] | None = None
        self.is_begun = False
        self._size = 0

    def take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        self.is_begun = self.is_begun or bool(name)
        self._size += len(line)
        if self._size > MOST_JSON:
            raise ProtocolError("the stream of events holds an event without an end")
        if name == "data":
            if self.data is None:
                self.data = []
            self.data.append(value)
        elif name == "event":
            self.name = value
        elif name == "id":
            self.id = value


class Feed:
    """The lengths of a run's chains, kept up to date by a thread of its own, so that a slow reader sees the latest.

    Parameters
    ----------
    path : ``/v1/runs/{rid}/events``.
    headers : give those of each request; the run's registration.
    """

    def __init__(self, transport: Transport, path: str, headers: Callable[[], Mapping[str, str]]) -> None:
        self._transport, self._path, self._headers = transport, path, headers
        self._changed = threading.Condition()
        self._lengths: dict[int, int] | None = None
        self._error: McbError | None = None
        self._is_over = False
        self._is_closed = False
        self._last_id: str | None = None
        self._stream: Stream | None = None

    def __enter__(self) -> Feed:
        threading.Thread(target=self._follow, name="mcbackend-edge-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            if self._stream is not None:
                self._stream.abort()

    def wait_for_change(self, seen: Mapping[int, int] | None, timeout: float | None) -> dict[int, int] | None:
        """The lengths, as soon as they differ from `seen`; None when the run was deleted or nothing changed in time.

        Raises
        ------
        McbError
            If the run cannot be watched.
        """
        began = time.monotonic()
        deadline = None if timeout is None else began + timeout
        with self._changed:
            while True:
                if self._lengths is not None and self._lengths != seen:
                    return dict(self._lengths)
                if self._error is not None:
                    raise self._error
                if self._lengths is None and time.monotonic() - began > self._transport.patience + SILENCE:
                    raise ProtocolError("the stream of events does not begin with the lengths of the chains")
                left = None if deadline is None else deadline - time.monotonic()
                if self._is_over or (left is not None and left <= 0):
                    return None
                # Waits are short, since the main thread sees Ctrl+C only between two of them.
                self._changed.wait(1.0 if left is None else min(left, 1.0))

    # -- the thread --------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        try:
            while not self._connect_and_read():
                pass
            error = None
        except McbError as refused:
            error = refused
        except Exception as defect:
            error = ProtocolError(f"watching failed: {defect!r}")
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify_all()

    def _connect_and_read(self) -> bool:
        """Reads one connection to its end; True when there is nothing more to watch."""
        stream = self._connect()
        if stream is None:
            return True
        try:
            for event in parse_events(stream):
                if event.name == "deleted":
                    return True
                self._take(event)
                if self._is_closed:
                    return True
        except ServerUnreachableError:
            pass
        finally:
            stream.close()
        return self._is_closed

    def _connect(self) -> Stream | None:
        """A new stream; None when the run is gone or nobody watches any more. The first one has to succeed soon."""
        deadline = time.monotonic() + self._transport.patience
        delay = FIRST_DELAY
        while not self._is_closed:
            is_first = self._last_id is None
            resume = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
            headers = {**self._headers(), **resume, "Accept": "text/event-stream"}
            try:
                stream = self._transport.stream(self._path, headers=headers, silence=SILENCE)
                with self._changed:
                    self._stream = stream
                return stream
            except ApiError as error:
                if not is_first and error.code in _GONE:
                    return None
                if not error.is_temporary or (is_first and time.monotonic() > deadline):
                    raise
            except ServerUnreachableError:
                if is_first and time.monotonic() > deadline:
                    raise
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, delay)
            delay = min(2 * delay, LAST_DELAY)
        return None

    def _take(self, event: Event) -> None:
        if event.name not in ("state", "message"):
            return
        try:
            data = json.loads(event.data)
            rows = data["chains"] if event.name == "state" else [data]
            lengths = lengths_of(rows)
        except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            raise ProtocolError(f"an event makes no sense: {shown(event.data, 100)}") from error
        with self._changed:
            if event.name == "state" or self._lengths is None:
                self._lengths = lengths
            else:
                self._lengths.update(lengths)
            if len(self._lengths) > MOST_CHAINS:
                raise ProtocolError(f"the events tell of more than {MOST_CHAINS} chains")
            if event.id is not None and len(event.id) < 1000 and event.id.isascii() and event.id.isprintable():
                self._last_id = event.id
            self._changed.notify_all()
