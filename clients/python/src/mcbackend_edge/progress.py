"""A progress bar on a terminal or in a notebook, in a line of its own."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO


class ProgressBar:
    """Draws ``what  [#####     ] 52 %  123.4 MiB`` on standard error, at most ten times a second.

    Parameters
    ----------
    what : the first words of the line.
    total : amount at the end; None if it is not known.
    unit : "bytes", shown as MiB, or another noun.
    after : seconds of silence before anything is drawn, so that quick work draws nothing.
    """

    def __init__(
        self, what: str, total: int | None, unit: str = "bytes", *, after: float = 0.5, out: TextIO | None = None
    ) -> None:
        self._what, self._total, self._unit, self._out = what, total, unit, out or sys.stderr
        self._next = time.monotonic() + after
        self._is_drawn = False
        self._done = 0

    def update(self, done: int, total: int | None = None) -> None:
        self._done, self._total = done, total if total is not None else self._total
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.1
            self._draw()

    def _draw(self) -> None:
        amount = f"{self._done / 2**20:.1f} MiB" if self._unit == "bytes" else f"{self._done} {self._unit}"
        if self._total:
            share = min(1.0, self._done / self._total)
            text = f"{self._what}  [{'#' * round(20 * share):20}] {100 * share:3.0f} %  {amount}"
        else:
            text = f"{self._what}  {amount}"
        self._out.write(f"\r{text}\x1b[K" if self._out.isatty() else f"\r{text}")
        self._out.flush()
        self._is_drawn = True

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_drawn:
            self._draw()
            self._out.write("\n")
