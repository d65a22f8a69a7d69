"""Appends a row to each of several chains of one run that grow in step: an ensemble's walkers.

Chains that begin at the same iteration, and get a row each time, have the next one at the same place of their segments.
Places and checksums are then worked out for all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter
from struct import Struct
from typing import Any
from zlib import crc32

from .segment import FILLED, HEADER_BYTES, Layout
from .writer import ChainWriter


class Abreast:
    """Chains of one run, of which each gets a row at a time; values in the heap are missing ones.

    Nobody else may append to them, but between two calls and with `forget` behind it.
    """

    def __init__(self, layout: Layout, chains: Sequence[ChainWriter]) -> None:
        self._chains = chains
        self._ends = [chain.end_of_log for chain in chains]
        self._row_bytes = layout.row_bytes
        self._missing = [b""] * len(layout.heap)
        self._cut = Struct(f"{layout.row_bytes}s" * len(chains)).unpack
        self._memory: Any = None
        self._segments: list[tuple[Any, Any, Any, Any]] = []

    def append(self, rows: bytes) -> None:
        """Adds an iteration to each chain: the bytes of their rows, one behind the other.

        Raises
        ------
        DrawConflictError
            If another process has written one of the chains. Those before it may then have the iteration.
        """
        ends = self._ends
        if any(map(_refusal, ends)):
            raise next(end.refusal for end in ends if end.refusal is not None)
        if not ends:
            return
        index = ends[0].filled
        if index == ends[0].capacity or ends[0].memory is not self._memory:
            self._begin_segments()
            index = ends[0].filled
        cut = self._cut(rows)
        if not self._segments:
            for chain, row in zip(self._chains, cut):
                chain.append_values(row[: self._row_bytes - 8 * len(self._missing)], self._missing)
            return
        begin = HEADER_BYTES + index * self._row_bytes
        place, following = slice(begin, begin + self._row_bytes), index + 1
        for (end, memory, sums, counters), row, total in zip(self._segments, cut, map(crc32, cut, repeat(index))):
            memory[place] = row
            sums[index] = total
            end.filled = counters[FILLED] = following

    def forget(self) -> None:
        """Has the places looked up again."""
        self._memory = None

    def _begin_segments(self) -> None:
        """Makes room for a row in each chain. Chains that are not in step have no places in common."""
        for chain, end in zip(self._chains, self._ends):
            if end.filled == end.capacity:
                chain.begin_segment()
        are_in_step = len({(end.filled, end.capacity) for end in self._ends}) == 1
        self._memory = self._ends[0].memory
        self._segments = [(end, end.memory, end.sums, end.counters) for end in self._ends] if are_in_step else []


_refusal = attrgetter("refusal")
