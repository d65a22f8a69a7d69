"""The time for which a server is waited for: before its first answer, and while it is busy or away."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from .errors import ApiError, ServerUnreachableError

log = logging.getLogger("mcbackend_edge")

# Seconds without a byte before an answer is given up; a write waits for the server's disk.
READ_TIMEOUT, CONNECT_TIMEOUT = 60.0, 10.0
# Seconds for which a server is tried that has never answered and refuses connections: it may just be starting.
REFUSED_PATIENCE = 1.0
# Seconds to the first connection, the look-up of the name included, for a caller who goes on without one.
FIRST_CONNECTION = 1.5
# Seconds within which the first answer of all must begin, if the caller has less patience.
FIRST_ANSWER = 10.0
# Seconds that the first pause has at most, while somebody waits; each further one has twice as many, up to the last.
FIRST_DELAY, LAST_DELAY = 0.05, 5.0
# A server that says when it will have time is waited for so many times longer than one that says nothing.
BUSY_FACTOR = 4.0
# Seconds of silence until somebody who waits is told for what; and those between two such lines, at least.
SILENCE, TELLING_PAUSE = 3.0, 60.0


class Waiting:
    """The patience with one server.

    Attributes
    ----------
    has_answered : True once there was an answer; before that, the address may be wrong.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.has_answered = False
        self._told_at: float | None = None

    @contextmanager
    def first_answer(
        self, began: float, patience: float, *, can_go_on: bool = False
    ) -> Iterator[urllib3.Timeout | None]:
        """The time that an attempt may take, if it is not the usual one. A caller who waits is told so.

        Parameters
        ----------
        began : the monotonic time of the first attempt.
        patience : seconds; 0 if nobody waits.
        can_go_on : the caller goes on without an answer.
        """
        if self.has_answered or not patience:
            yield None
            return
        left = max(FIRST_ANSWER, began + patience - time.monotonic())
        line = f"Waiting for {self._url}, which has not answered yet, up to {left:.0f} s."
        timer = threading.Timer(SILENCE, self._tell, (line,))
        timer.daemon = True
        timer.start()
        try:
            connect = FIRST_CONNECTION if can_go_on else CONNECT_TIMEOUT
            in_time = max(1.0, began + patience - time.monotonic())
            yield urllib3.Timeout(connect=min(connect, in_time), read=min(READ_TIMEOUT, left))
        finally:
            timer.cancel()

    def wait(self, error: ServerUnreachableError | ApiError, began: float, patience: float, delay: float) -> bool:
        """Waits for the next attempt behind one that has failed so; False if there is no time for one.

        The pause is any up to `delay` ("full jitter"), so that chains which failed together do not come back together.

        Parameters
        ----------
        delay : seconds at most, if the server has not asked for more.
        """
        retry_after = (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0
        pause = max(random.uniform(0.0, delay), retry_after * random.uniform(1.0, 1.1))
        limit = self._limit(error, patience)
        if time.monotonic() + pause > began + limit:
            return False
        if isinstance(error, ApiError) and error.is_busy and pause >= 1.0:
            self._tell(f"Waiting for {self._url}, which is busy ({error.status}), up to {limit:.0f} s.")
        time.sleep(pause)
        return True

    def _limit(self, error: ServerUnreachableError | ApiError, patience: float) -> float:
        if isinstance(error, ApiError):
            return BUSY_FACTOR * patience if error.is_busy and error.retry_after else patience
        if self.has_answered or not error.is_lasting:
            return patience
        return min(patience, REFUSED_PATIENCE) if isinstance(error.reason, ConnectionRefusedError) else 0.0

    def _tell(self, line: str) -> None:
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= TELLING_PAUSE:
            self._told_at = now
            log.warning("%s", line)
