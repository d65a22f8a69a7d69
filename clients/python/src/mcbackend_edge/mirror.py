"""A copy in memory of what this process appends to a chain, so that reading it back costs no request."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from .columns import Column, Ragged, Rigid, Strings, draw_at, to_numpy
from .elements import Elements
from .errors import UnknownVariableError
from .ndarray import Array
from .reader import join_columns
from .segment import Layout
from .writer import ChainWriter


class Mirror:
    """All iterations of a chain since it was opened, column by column.

    The log hands its rows over when they are read, or at the latest before it drops them.
    """

    def __init__(self, layout: Layout, writer: ChainWriter) -> None:
        split = len(layout.variables)
        self._writer = writer
        self._columns = layout.columns
        self._draws: Mapping[str, int] = {var.name: i for i, var in enumerate(layout.variables)}
        self._stats: Mapping[str, int] = {var.name: split + i for i, var in enumerate(layout.sample_stats)}
        self._blocks: list[list[Column]] = [[] for _ in layout.columns]
        self._start = self._length = writer.length
        self._ready: list[Sequence[Array] | Array] = []
        self._ready_length = -1
        self._lock = threading.Lock()
        writer.on_acknowledge = self.advance

    def advance(self, upto: int) -> None:
        """Takes the iterations up to `upto` from the log."""
        with self._lock:
            if upto <= self._length:
                return
            for piece in self._writer.columns(self._length, upto):
                for blocks, column in zip(self._blocks, piece):
                    blocks.append(column)
            self._length = upto

    def draws(self, name: str, slc: slice, elements: Elements | None = None) -> Array:
        return self._slice(self._index(self._draws, name, "variable"), slc, elements)

    def stats(self, name: str, slc: slice, elements: Elements | None = None) -> Array:
        return self._slice(self._index(self._stats, name, "sampler stat"), slc, elements)

    def draws_at(self, idx: int, names: Sequence[str]) -> dict[str, Array]:
        return self._at(self._draws, "variable", idx, names)

    def stats_at(self, idx: int, names: Sequence[str]) -> dict[str, Array]:
        return self._at(self._stats, "sampler stat", idx, names)

    def _index(self, known: Mapping[str, int], name: str, what: str) -> int:
        try:
            return known[name]
        except KeyError:
            raise UnknownVariableError(f"the run has no {what} {name!r}") from None

    def _whole(self, index: int) -> Column:
        """The column in one piece; the pieces are put together once."""
        if self._length < self._writer.length:
            self.advance(self._writer.length)
        blocks = self._blocks[index]
        if len(blocks) > 1:
            with self._lock:
                self._blocks[index] = blocks = [join_columns(blocks)]
        if not blocks:
            return self._empty(index)
        return blocks[0]

    def _empty(self, index: int) -> Column:
        var = self._columns[index]
        if var.dtype == "str":
            return Strings([], [])
        return Rigid(np.empty((0, *var.shape), var.numpy_dtype)) if var.is_rigid else Ragged([], [])

    def _slice(self, index: int, slc: slice, elements: Elements | None) -> Array:
        column, var = self._whole(index), self._columns[index]
        if isinstance(column, Rigid):
            part: Column = Rigid(column.values[slc])
        else:
            part = type(column)(column.shapes[slc], column.parts[slc])  # type: ignore[arg-type]
        return to_numpy(var, part) if elements is None else to_numpy(elements.variable(var), elements.pick(part))

    def _at(self, known: Mapping[str, int], what: str, idx: int, names: Sequence[str]) -> dict[str, Array]:
        """One iteration. PyMC asks for each of them, so the columns are prepared once and indexed each time."""
        if self._ready_length != self._writer.length:
            length = self._writer.length
            self._ready = [self._by_draw(index) for index in range(len(self._columns))]
            self._ready_length = length
        ready = self._ready
        try:
            return {name: np.asarray(ready[known[name]][idx]) for name in names}
        except KeyError as error:
            raise UnknownVariableError(f"the run has no {what} {error}") from None

    def _by_draw(self, index: int) -> Sequence[Array] | Array:
        """A column as a sequence whose element i is draw i."""
        column = self._whole(index)
        if isinstance(column, Rigid):
            return column.values
        return [draw_at(self._columns[index], column, i) for i in range(len(column))]
