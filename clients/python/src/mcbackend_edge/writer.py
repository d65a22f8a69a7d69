"""The sampler's side of a chain: `append` copies a draw into the chain's log and returns.

A log is a queue of segments. The sampler's thread adds rows at its end, the uploader takes batches from its front and
drops segments once the server has acknowledged them; the two share only counters, and each raises its own.
"""

from __future__ import annotations

import logging
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from struct import pack
from typing import Any, Literal

from numpy import ndarray
from numpy.typing import ArrayLike

from .appender import PYTHON_SCALARS, Tail
from .columns import Column, Rigid, absent, column_of, draw_at, numpy_cast, strict_cast
from .errors import (
    DrawGapError,
    DtypeMismatchError,
    McbError,
    MissingVariableError,
    ShapeMismatchError,
    UnknownVariableError,
)
from .heap import HEAP_BEGIN, encode_value
from .schema import Variable
from .segment import FILLED, HEADER_BYTES, HEAP_USED, Segment, StoredSegment, row_sum
from .stock import Stock
from .wire import BatchEncoder

log = logging.getLogger("mcbackend_edge")

# Bytes of a chain's first segment, and of those that follow when it is busy. A segment is the largest batch.
FIRST_SEGMENT, LARGEST_SEGMENT = 256 << 10, 4 << 20
MIN_ROWS = 4

Casting = Literal["strict", "numpy"]
"""`strict` refuses what would lose information; `numpy` stores what ``array[i] = value`` would."""


class ChainWriter:
    """The log of one chain that this process writes.

    Attributes
    ----------
    number : the chain's number.
    acknowledged : length of the chain on the server, as far as is known.
    error : the reason for which nothing more can be sent, or None. Later draws are kept, in the spool or in memory.
    refusal : the reason for which nothing more can be appended, or None.
    is_created : True once the server has the chain.
    """

    def __init__(self, number: int, start: int, stock: Stock, casting: Casting = "strict") -> None:
        self.number = number
        self.acknowledged = start
        self.error: McbError | None = None
        self.is_created = False
        self.casting = casting
        self.on_acknowledge: Callable[[int], None] = _nothing
        self.wake: Callable[[], None] = _nothing
        self._stock = stock
        self._layout = stock.layout
        self._segments: deque[Segment | StoredSegment] = deque()
        self._batch_rows = 1_000_000
        self._heap_per_row = 128 * len(self._layout.heap)
        # The last segment, if there is one, and that of it which `append` needs each time.
        self._tail: Segment
        self._end = Tail()
        self._start = start
        self._has_no_heap = not self._layout.heap
        self._segment_bytes = FIRST_SEGMENT
        self._prepare()

    @classmethod
    def restored(cls, number: int, segments: Sequence[StoredSegment], stock: Stock) -> ChainWriter:
        """The log that another process has left."""
        writer = cls(number, segments[0].start if segments else 0, stock)
        writer._segments.extend(segments)
        return writer

    @property
    def refusal(self) -> McbError | None:
        return self._end.refusal

    @refusal.setter
    def refusal(self, error: McbError) -> None:
        self._end.refusal = error

    @property
    def length(self) -> int:
        """Length of the chain once everything is sent."""
        return self._segments[-1].end if self._segments else self._start

    @property
    def pending(self) -> int:
        """Number of iterations that the server has not acknowledged."""
        return self.length - self.acknowledged

    @property
    def in_memory(self) -> int:
        """Number of those that are in memory only."""
        return sum(max(0, s.end - max(s.start, self.acknowledged)) for s in list(self._segments) if s.path is None)

    # -- the sampler's side ------------------------------------------------------------------------------------------

    def append(self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None) -> None:
        """Adds one iteration. A chain is appended to by one thread at a time.

        Parameters
        ----------
        draw : the value of every variable.
        stats : values of sampler stats; those that are missing read back as their fill value.

        Raises
        ------
        DrawError
            If the draw does not fit the run; nothing of it is stored.
        DrawConflictError
            If another process writes this chain. (No other refusal stops a sampler: `flush` tells of it.)
        """
        if self.refusal is not None:
            raise self.refusal
        self._append_any(draw, stats)

    def takes_rows_of(self, arrays: Mapping[str, Any]) -> bool:
        """True if a row of these arrays, one behind the other, is what `append_values` takes.

        Parameters
        ----------
        arrays : by the name of a column, in the order of the run's columns, with an axis of draws before its own.
        """
        columns, heap = self._layout.columns, self._layout.heap
        is_plain = self._layout.appender is not None and not heap and list(arrays) == [var.name for var in columns]
        return is_plain and all(
            array.dtype == var.numpy_dtype and array.shape[1:] == var.shape and array.flags.c_contiguous
            for var, array in zip(columns, arrays.values())
        )

    def _append_any(self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None) -> None:
        """Adds an iteration of any kind; those of the usual kind take a quicker way (see appender.py)."""
        stats = stats or _NO_STATS
        values = self._rigid_values(draw, stats)
        for value, (dtype, shape, scalars) in zip(values, self._checks):
            is_array = type(value) is ndarray and value.dtype is dtype and value.shape == shape
            if not is_array and type(value) not in scalars:
                values = self._cast(values)
                break
        self._assign(values, draw, stats)

    def _assign(self, values: tuple[Any, ...], draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike]) -> None:
        """Writes a row value by value."""
        end = self._end
        encoded = () if self._has_no_heap else self._encoded_values(draw, stats)
        offsets, heap_used = self._placed(encoded)
        values += tuple(offsets)
        row, tail = end.filled, self._tail
        try:
            tail.rows[row] = values
        except OverflowError as error:
            raise DtypeMismatchError(f"a value is too large for its dtype: {error}") from error
        total = row_sum(row, tail.row_bytes(row), encoded)
        if encoded:
            end.counters[HEAP_USED] = heap_used
        end.sums[row] = total
        end.filled = end.counters[FILLED] = row + 1

    @property
    def end_of_log(self) -> Tail:
        """The place of the next row; `begin_segment` makes room where there is none."""
        return self._end

    def begin_segment(self) -> None:
        """Begins a segment for rows whose values in the heap are missing ones."""
        self._heap_per_row = 0
        self._roll()

    def append_values(self, rigid: bytes, encoded: Sequence[bytes]) -> None:
        """Adds one iteration as bytes.

        Parameters
        ----------
        rigid : those of the columns of fixed shape, with which a row begins.
        encoded : values of the others as the heap has them; b"" for a stat that is missing.

        Raises
        ------
        DrawConflictError
        """
        end = self._end
        if end.refusal is not None:
            raise end.refusal
        offsets, heap_used = self._placed(encoded)
        row, index = rigid + pack(f"<{len(offsets)}q", *offsets), end.filled
        begin = HEADER_BYTES + index * len(row)
        end.memory[begin : begin + len(row)] = row
        end.counters[HEAP_USED] = heap_used
        end.sums[index] = row_sum(index, row, encoded)
        end.filled = end.counters[FILLED] = index + 1

    def _placed(self, encoded: Sequence[bytes]) -> tuple[list[int], int]:
        """Offsets of values in the heap of a segment that has room for one more row, and that of the next value."""
        end = self._end
        if end.filled == end.capacity:
            self._roll(needed=sum(map(len, encoded)))
        placed = self._tail.put(end.counters[HEAP_USED], encoded)
        if placed is None:
            self._roll(needed=sum(map(len, encoded)))
            placed = self._tail.put(HEAP_BEGIN, encoded)
            assert placed is not None
        return placed

    def extend(self, draws: Mapping[str, Any], stats: Mapping[str, Any] | None = None) -> None:
        """Adds a block of iterations.

        Parameters
        ----------
        draws : for every variable an array of shape (draws, \\*shape), or a sequence of arrays where the shape varies.
        stats : the same for sampler stats.

        Raises
        ------
        DrawError, DrawConflictError
        """
        if self.refusal is not None:
            raise self.refusal
        columns = self._block(draws, stats or {})
        counts = {var.name: len(column) for var, column in zip(self._layout.columns, columns) if column is not None}
        if len(set(counts.values())) > 1:
            raise ShapeMismatchError(f"the arrays of a block must have one length: {counts}")
        count = next(iter(counts.values()), 0)
        done = 0
        while done < count:
            if self._end.filled == self._end.capacity:
                self._roll(count - done)
            done += self._extend_tail(columns, done, count)

    def _extend_tail(self, columns: Sequence[Column | None], done: int, count: int) -> int:
        """Puts as many iterations as fit into the last segment; their number."""
        end, layout, tail = self._end, self._layout, self._tail
        begin = end.filled
        room = min(end.capacity - begin, count - done)
        heap_used = tail.heap_used
        values: list[list[bytes]] = []
        if layout.heap:
            offsets = []
            for index in range(done, done + room):
                encoded = [_encoded(layout.columns[i], columns[i], index) for i in layout.heap]
                placed = tail.put(heap_used, encoded)
                if placed is None:
                    break
                offsets.append(placed[0])
                heap_used = placed[1]
                values.append(encoded)
            room = len(offsets)
            if room == 0:
                self._roll(count - done, sum(map(len, encoded)))
                return 0
            for i, column_offsets in zip(layout.heap, zip(*offsets)):
                tail.rows[f"c{i}"][begin : begin + room] = column_offsets
        for i in layout.rigid:
            column = columns[i]
            rigid = column.values[done : done + room] if isinstance(column, Rigid) else layout.columns[i].fill()
            tail.rows[f"c{i}"][begin : begin + room] = rigid
        rows = range(begin, begin + room)
        sums = array("I", (row_sum(row, tail.row_bytes(row), values[row - begin] if values else ()) for row in rows))
        try:
            # A row whose checksum fits is taken for a draw (see `StoredSegment.open`): all of them at once, or none.
            end.sums[begin : begin + room] = memoryview(sums)
            end.counters[HEAP_USED] = heap_used
            end.filled = end.counters[FILLED] = begin + room
        except BaseException:
            if tail.filled == begin:
                end.filled = begin
                end.sums[begin : begin + room] = memoryview(array("I", bytes(sums.itemsize * room)))
            raise
        return room

    def _block(self, draws: Mapping[str, Any], stats: Mapping[str, Any]) -> list[Column | None]:
        layout = self._layout
        self._refuse_unknown(draws, layout.variables, "variable")
        self._refuse_unknown(stats, layout.sample_stats, "sampler stat")
        missing = [var.name for var in layout.variables if var.name not in draws]
        if missing:
            raise MissingVariableError(f"a block lacks {missing[0]!r}")
        columns: list[Column | None] = [column_of(var, draws[var.name]) for var in layout.variables]
        for var in layout.sample_stats:
            columns.append(column_of(var, stats[var.name]) if var.name in stats else None)
        return columns

    def _prepare(self) -> None:
        """Prepares what `append` would otherwise look up in the layout for each draw."""
        layout = self._layout
        split = len(layout.variables)
        names = [layout.columns[i].name for i in layout.rigid]
        n_draws = sum(i < split for i in layout.rigid)
        self._get_draws, self._get_stats = _getter(names[:n_draws]), _getter(names[n_draws:])
        self._checks = [
            (var.numpy_dtype, var.shape, _scalar_types(var)) for var in map(layout.columns.__getitem__, layout.rigid)
        ]
        self._fills = tuple(layout.columns[i].fill() for i in layout.rigid[n_draws:])
        self._n_variables, self._n_stats = split, len(layout.sample_stats)
        if layout.appender is not None:
            # In place of the method, so that a draw costs one call.
            self.append = layout.appender.bound(self._end, self._roll, self._append_any)  # type: ignore[method-assign]

    def _rigid_values(self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike]) -> tuple[Any, ...]:
        """Values of the columns of fixed shape, in their order."""
        if len(draw) == self._n_variables:
            try:
                values = self._get_draws(draw)
                if len(stats) == self._n_stats:
                    return values + self._get_stats(stats)
                if not stats:
                    return values + self._fills
            except KeyError:
                pass
        layout = self._layout
        self._refuse_unknown(draw, layout.variables, "variable")
        self._refuse_unknown(stats, layout.sample_stats, "sampler stat")
        for var in layout.variables:
            if var.name not in draw:
                raise MissingVariableError(f"a draw lacks {var.name!r}")
        present = (layout.columns[i] for i in layout.rigid[len(layout.rigid) - len(self._fills) :])
        values = self._get_draws(draw)
        return values + tuple(stats.get(var.name, fill) for var, fill in zip(present, self._fills))

    def _refuse_unknown(self, given: Mapping[str, Any], known: Sequence[Variable], what: str) -> None:
        unknown = set(given).difference(var.name for var in known)
        if unknown:
            raise UnknownVariableError(f"the run has no {what} {min(unknown)!r}")

    def _cast(self, values: Sequence[ArrayLike]) -> tuple[Any, ...]:
        """The values; those of another dtype or shape than the registered one are cast."""
        cast, layout = strict_cast if self.casting == "strict" else numpy_cast, self._layout
        return tuple(
            value
            if type(value) in scalars or (type(value) is ndarray and value.dtype is dtype and value.shape == shape)
            else cast(layout.columns[i], value)
            for i, value, (dtype, shape, scalars) in zip(layout.rigid, values, self._checks)
        )

    def _encoded_values(self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike]) -> tuple[bytes, ...]:
        """The values of varying shape of one draw as the heap has them; b"" for a stat that is missing."""
        layout, values = self._layout, []
        cast = strict_cast if self.casting == "strict" else numpy_cast
        for i in layout.heap:
            var, is_stat = layout.columns[i], i >= self._n_variables
            source = stats if is_stat else draw
            if var.name in source:
                values.append(encode_value(var, cast(var, source[var.name])))
                continue
            self._refuse_unknown(source, layout.sample_stats if is_stat else layout.variables, "column")
            if not is_stat:
                raise MissingVariableError(f"a draw lacks {var.name!r}")
            values.append(b"")
        return tuple(values)

    def _roll(self, rows: int = 0, needed: int = 0) -> None:
        """Begins a segment.

        Parameters
        ----------
        rows : number of rows that wait to be written.
        needed : bytes of heap that the next row takes.
        """
        layout, end = self._layout, self._end
        if end.capacity:
            used = (self._tail.heap_used - HEAP_BEGIN) // end.filled if end.filled else needed
            self._heap_per_row = max(used + used // 4, self._heap_per_row // 2) if layout.heap else 0
        per_row = layout.row_bytes + self._heap_per_row
        if rows * per_row > self._segment_bytes:
            self._segment_bytes = LARGEST_SEGMENT
        capacity = max(MIN_ROWS, self._segment_bytes // per_row)
        self._segment_bytes = min(4 * self._segment_bytes, LARGEST_SEGMENT)
        # Values that fill a segment by themselves get one each: room for more would be written for nothing.
        usual = min(capacity * self._heap_per_row, LARGEST_SEGMENT)
        heap = (HEAP_BEGIN + max(usual, needed + min(needed, LARGEST_SEGMENT))) if layout.heap else 0
        tail = self._stock.segment(self.number, self.length, capacity, heap)
        if end.capacity and not end.filled and tail.path is not None:
            for empty in list(self._segments):
                # A segment without rows begins at the same iteration as the new one, which so has taken its file.
                if isinstance(empty, Segment) and empty.start == tail.start:
                    self._stock.is_replaced(empty)
        if end.capacity:
            self._tail.rest()
        self._segments.append(tail)
        self._tail, end.memory, end.sums, end.counters = tail, tail.memory, tail.sums, tail.counters
        end.filled, end.capacity = 0, capacity
        self.wake()

    # -- the uploader's side -----------------------------------------------------------------------------------------

    def next_batch(self, encoder: BatchEncoder) -> tuple[int, int, bytes] | None:
        """The first draws that are not acknowledged: start, count and DrawBatch; None if there are none."""
        for segment in list(self._segments):
            end = segment.end
            if end > self.acknowledged:
                start = max(self.acknowledged, segment.start)
                count = min(end - start, self._batch_rows)
                return start, count, encoder.encode(start, count, segment.columns(start, start + count))
        return None

    def columns(self, begin: int, end: int) -> list[list[Column]]:
        """The iterations [begin, end), as far as the log still holds them, in pieces."""
        pieces = []
        for segment in list(self._segments):
            first, last = max(begin, segment.start), min(end, segment.end)
            if first < last:
                columns = zip(self._layout.columns, segment.columns(first, last))
                pieces.append([absent(var, last - first) if column is None else column for var, column in columns])
        return pieces

    def acknowledge(self, length: int) -> None:
        """Notes that the server has `length` iterations; drops segments that it has all of, but for the last."""
        self.on_acknowledge(length)
        self.acknowledged = length
        while len(self._segments) > 1 and self._segments[0].end <= length:
            self._stock.discard(self._segments.popleft())

    def rewind(self, error: DrawGapError) -> None:
        """Goes back to the length of a server that has lost draws, if the log still holds them.

        Raises
        ------
        DrawGapError
            If it does not.
        """
        first = self._segments[0].start if self._segments else self.length
        if not first <= error.length < self.acknowledged:
            raise error
        self.acknowledged = error.length

    def send_less(self) -> bool:
        """Halves the size of batches, since the server found one too large; False if a batch is one draw already."""
        present = min(self._batch_rows, self.pending)
        self._batch_rows = max(1, present // 2)
        return present > 1

    def sync(self) -> bool:
        """Brings what is not acknowledged to the disk; True if some of it was not known to be there."""
        were_written = False
        for segment in list(self._segments):
            if segment.path is not None and segment.end > self.acknowledged:
                try:
                    were_written |= segment.sync()
                except FileNotFoundError:
                    if segment.end > self.acknowledged:
                        raise
                    # The server has acknowledged it meanwhile.
        return were_written


_NO_STATS: Mapping[str, ArrayLike] = {}


def _nothing(*_: object) -> None:
    pass


def _getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Takes the values of these names out of a mapping, as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        only = names[0]
        return lambda values: (values[only],)
    return lambda values: ()


def _scalar_types(var: Variable) -> frozenset[type]:
    """Types of scalars that go into the variable as they are."""
    if var.shape:
        return frozenset()
    return frozenset((*PYTHON_SCALARS[var.numpy_dtype.kind], var.numpy_dtype.type))


def _encoded(var: Variable, column: Column | None, index: int) -> bytes:
    return b"" if column is None else encode_value(var, draw_at(var, column, index))
