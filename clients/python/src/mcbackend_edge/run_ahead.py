"""Iterations of a chain one by one, in their order, without a request for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .columns import element_at
from .ndarray import Array
from .run import Chain

# Iterations that are read at once, at most, also where shapes vary, and bytes that they take.
_MOST_ROWS, _MOST_RAGGED_ROWS, _MOST_BYTES = 1000, 100, 4 << 20


@dataclass(frozen=True)
class _Block:
    names: tuple[str, ...]
    start: int
    stop: int
    values: Mapping[str, Array]


class ReadAhead:
    """Reads a block of iterations when one of them is asked for. PyMC goes through all of them at its end."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        # A block of draws, and one of stats.
        self._blocks: dict[bool, _Block] = {}
        columns = (*chain.run.variables.values(), *chain.run.sample_stats.values())
        row_bytes = sum(var.fill_bytes for var in columns)
        most = _MOST_ROWS if all(var.is_rigid for var in columns) else _MOST_RAGGED_ROWS
        self._rows = max(1, min(most, _MOST_BYTES // max(1, row_bytes)))

    def draws_at(self, idx: int, names: Sequence[str]) -> dict[str, Array]:
        """As `Chain.get_draws_at`."""
        return self._at(idx, tuple(names), False)

    def stats_at(self, idx: int, names: Sequence[str]) -> dict[str, Array]:
        """As `Chain.get_stats_at`."""
        return self._at(idx, tuple(names), True)

    def _at(self, idx: int, names: tuple[str, ...], of_stats: bool) -> dict[str, Array]:
        block = self._blocks.get(of_stats)
        if block is None or block.names != names or not block.start <= idx < block.stop:
            block = self._blocks[of_stats] = self._read(idx, names, of_stats)
            idx = block.start
        return {name: element_at(values, idx - block.start) for name, values in block.values.items()}

    def _read(self, idx: int, names: tuple[str, ...], of_stats: bool) -> _Block:
        length = len(self._chain)
        try:
            start = range(length)[idx]
        except IndexError:
            raise IndexError(f"chain {self._chain.number} has no iteration {idx}") from None
        stop = min(start + self._rows, length)
        wanted = ([], names) if of_stats else (names, [])
        return _Block(names, start, stop, self._chain.get_many(*wanted, slice(start, stop), progress=False)[of_stats])
