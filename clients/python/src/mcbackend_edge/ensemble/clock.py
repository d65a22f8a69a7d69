"""The time that sampling takes, without the pauses between two calls of ``run_mcmc``."""

from __future__ import annotations

import time

# Seconds between two notes of it.
_PAUSE = 10.0


class Clock:
    """
    Attributes
    ----------
    seconds : from each start to the last step behind it, in all.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._last = self._noted = time.perf_counter()

    def start(self) -> None:
        self._last = time.perf_counter()

    def step(self) -> None:
        present = time.perf_counter()
        self.seconds += present - self._last
        self._last = present

    def is_due(self) -> bool:
        """True every now and then, once for each time."""
        is_due = self._last - self._noted > _PAUSE
        if is_due:
            self._noted = self._last
        return is_due
