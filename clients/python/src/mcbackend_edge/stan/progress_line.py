"""One line on a terminal, which is drawn anew: how far each chain is."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from .csv_file import CsvFile

# Chains that are shown one by one, at most.
_MOST_CHAINS = 6


class ProgressLine:
    """Draws ``chain 0: 120 of 2000 (6 %)  chain 1: …`` on standard error, at most four times a second.

    Parameters
    ----------
    is_wanted : False draws nothing.
    """

    def __init__(self, is_wanted: bool, out: TextIO | None = None) -> None:
        self._is_wanted, self._out = is_wanted, out or sys.stderr
        self._next = 0.0
        self._is_drawn = False

    def update(self, files: Mapping[int, CsvFile], waiting: Mapping[str, float]) -> None:
        """
        Parameters
        ----------
        files : by chain.
        waiting : the times, of `time.monotonic`, since which files are waited for.
        """
        now = time.monotonic()
        if not self._is_wanted or now < self._next:
            return
        self._next = now + 0.25
        parts = [text_of(files)]
        parts += [f"waiting for {name} for {now - since:.0f} s" for name, since in list(waiting.items())[:2]]
        self._out.write(f"\r{'  '.join(part for part in parts if part)}\x1b[K")
        self._out.flush()
        self._is_drawn = True

    def clear(self) -> None:
        """Makes room for a message."""
        if self._is_drawn:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._is_drawn, self._next = False, 0.0


def text_of(files: Mapping[int, CsvFile]) -> str:
    """Counts of draws, chain by chain or, where they are many, all together."""
    begun = {number: file for number, file in files.items() if file.plan is not None}
    if len(begun) <= _MOST_CHAINS:
        return "  ".join(f"chain {number}: {_amount([file])}" for number, file in sorted(begun.items()))
    return f"{len(begun)} chains: {_amount(list(begun.values()))}"


def _amount(files: list[CsvFile]) -> str:
    rows = sum(file.rows for file in files)
    totals = [file.plan.rows if file.plan else None for file in files]
    total = sum(count for count in totals if count is not None)
    if None in totals or not total:
        return f"{rows} draws"
    return f"{rows} of {total} ({100 * rows // total} %)"
