"""A segment: consecutive draws of one chain, row after row, in a file that is mapped into memory.

The sampler writes a row by assigning to mapped memory. That costs no system call, and yet the row belongs to the
kernel's page cache from then on, so it survives the death of the process, SIGKILL included. Rows are only ever added;
a row counts once `filled` in the header says so, which is written after the row.

    bytes 0 … 4095      header, 64-bit integers: magic, version, row size, capacity in rows, heap size, index of the
                        first iteration, rows filled, heap bytes used, rows known to be on disk, 4 × schema digest,
                        checksum of those that never change
    then                rows: the numbers of fixed shape, and for each other value its offset in the heap
    then                a checksum a row, 32-bit, at a multiple of 4 bytes (see `row_sum`)
    then                heap: values of varying shape, and strings

Version 1 had no checksums. A file gets its name once it has a whole header, so one without is damaged.

The operating system writes the pages to disk when it likes, and `sync` at once. After a restart of the machine (see
spool.py), rows that were not synced count as far as their checksums fit; in version 1 they do not count.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from .appender import Appender, appender
from .columns import Column, Ragged, Rigid, Strings
from .errors import SpoolError
from .files import open_own
from .heap import HEAP_BEGIN, decode_strings, decode_value, encode_fill, makes_sense, value_at
from .ndarray import Array
from .schema import RunMeta, Variable

MAGIC = int.from_bytes(b"MCBSPOOL", "little", signed=True)
VERSION = 2
HEADER_BYTES = 4096
_MAGIC, _VERSION, _ROW, _CAPACITY, _HEAP, _START, FILLED, HEAP_USED, _SYNCED, _DIGEST = range(10)
_SUM = _DIGEST + 4
# Bytes of a value that lies in the row, at most.
LARGEST_VARIABLE, LARGEST_STAT = 256 << 20, 16 << 20


_ZEROS = bytes(1 << 18)
# Parts that one system call writes, at most; POSIX allows 1024.
_MOST_PARTS = 256


class Layout:
    """The places of a run's columns in a row.

    Attributes
    ----------
    columns : variables, then stats, in the order of registration.
    rigid, heap : indices into `columns` of those that lie in the row itself, and of those in the heap: values of
        varying shape, strings, values so large that a row should not have room for those that never come, and those
        that have no elements but a dimension which no row can have.
    row : the structured dtype of a row.
    """

    def __init__(self, meta: RunMeta) -> None:
        self.variables = meta.variables
        self.sample_stats = meta.sample_stats
        self.columns: tuple[Variable, ...] = (*meta.variables, *meta.sample_stats)
        split = len(self.variables)
        self.rigid = [
            i for i, var in enumerate(self.columns) if _size(var) <= (LARGEST_VARIABLE if i < split else LARGEST_STAT)
        ]
        self.heap = [i for i in range(len(self.columns)) if i not in set(self.rigid)]
        fields: list[Any] = [(f"c{i}", self.columns[i].numpy_dtype, self.columns[i].shape) for i in self.rigid]
        fields += [(f"c{i}", "<i8") for i in self.heap]
        row = np.dtype(fields)
        if not row.itemsize:
            # All columns are empty arrays: a row must have a byte nevertheless.
            names, formats = [field[0] for field in fields], [field[1:] for field in fields]
            row = np.dtype({"names": names, "formats": formats, "offsets": [0] * len(names), "itemsize": 1})
        self.row = row
        self.row_bytes = self.row.itemsize
        text = repr([(var.name, var.dtype, var.shape, var.undefined_ndim) for var in self.columns])
        self.digest = hashlib.sha256(f"{len(self.variables)} {text}".encode()).digest()

    @cached_property
    def appender(self) -> Appender | None:
        """Makes the functions that append usual draws; None where values lie in the heap, or a row has none."""
        if self.heap or not any(math.prod(var.shape) for var in self.columns):
            return None
        return appender(self.variables, self.sample_stats, self.row_bytes, HEADER_BYTES, FILLED)


class Segment:
    """Rows of one chain from iteration `start` on.

    Attributes
    ----------
    rows : array of shape (capacity,) with a field ``c0``, ``c1``, … for each column, packed.
    bytes : the same memory as bytes.
    memory : the whole file, a ``mmap`` or ``bytearray``: assigning a slice of it takes less time than of `bytes`.
    sums : the checksums of the rows; empty in a segment of version 1.
    counters : the header. A writer raises ``counters[FILLED]`` after it has written a row and its checksum.
    """

    def __init__(self, layout: Layout, buffer: Any, path: Path | None) -> None:
        self.layout = layout
        self.path = path
        self.memory = buffer
        self.counters = memoryview(buffer)[:HEADER_BYTES].cast("q")
        self.start = self.counters[_START]
        self.capacity = self.counters[_CAPACITY]
        self.has_sums = self.counters[_VERSION] > 1
        rows, sums, heap, end = _borders(layout, self.counters)
        self.rows: Array = np.frombuffer(buffer, layout.row, self.capacity, HEADER_BYTES)
        self.bytes = memoryview(buffer)[HEADER_BYTES:rows]
        self.sums = memoryview(buffer)[sums:heap].cast("I")
        self.heap = memoryview(buffer)[heap:end]

    @classmethod
    def create(cls, layout: Layout, path: Path | None, start: int, capacity: int, heap_bytes: int) -> Segment:
        """A new, empty segment in a file, or in plain memory if `path` is None. It takes the place of a file there.

        The file is written with zeros first: a hole in it would end the process with SIGBUS on a full disk, while a
        failing write is an error that can be handled.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        header = memoryview(bytearray(HEADER_BYTES)).cast("q")
        header[_VERSION], header[_ROW], header[_CAPACITY] = VERSION, layout.row_bytes, capacity
        header[_HEAP], header[_START], header[HEAP_USED] = heap_bytes, start, HEAP_BEGIN
        for i, number in enumerate(struct.unpack("<4q", layout.digest)):
            header[_DIGEST + i] = number
        header[_MAGIC] = MAGIC
        header[_SUM] = _header_sum(header)
        size = _borders(layout, header)[-1]
        if path is None:
            buffer: Any = bytearray(size)
            buffer[:HEADER_BYTES] = header.cast("B")
            return cls(layout, buffer, None)
        draft = path.with_suffix(".new")
        try:
            buffer = _map_new(draft, size)
            buffer[:HEADER_BYTES] = header.tobytes()
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        return cls(layout, buffer, path)

    @classmethod
    def open(cls, layout: Layout, path: Path) -> Segment:
        """The segment in a file, as a copy in memory.

        Raises
        ------
        SpoolError
            If the file is not a segment of this run.
        """
        try:
            with os.fdopen(open_own(path), "rb") as file:
                header = memoryview(file.read(HEADER_BYTES))
                if len(header) < HEADER_BYTES:
                    raise SpoolError(f"{path} is damaged: it ends within its header")
                counters = header.cast("q")
                digest = struct.pack("<4q", *counters[_DIGEST : _DIGEST + 4])
                is_known = counters[_MAGIC] == MAGIC and counters[_VERSION] in (1, VERSION) and digest == layout.digest
                is_whole = counters[_VERSION] == 1 or counters[_SUM] == _header_sum(counters)
                if not (is_known and is_whole and _is_sensible(counters, layout)):
                    raise SpoolError(f"{path} is damaged or was written by another version of this package")
                size = _borders(layout, counters)[-1]
                if os.fstat(file.fileno()).st_size < size:
                    raise SpoolError(f"{path} is damaged: it has been cut")
                file.seek(0)
                content = file.read(size)
        except (OSError, MemoryError) as error:
            raise SpoolError(f"{path} cannot be read: {error}") from error
        if len(content) < size or path.stem != f"{counters[_START]:020d}":
            raise SpoolError(f"{path} is damaged: its name or its length is not what its header says")
        return cls(layout, content, path)

    @property
    def filled(self) -> int:
        """Number of rows."""
        return self.counters[FILLED]

    @property
    def synced(self) -> int:
        """Number of rows that are known to be on disk."""
        return self.counters[_SYNCED]

    @property
    def end(self) -> int:
        """Index of the iteration behind the last one."""
        return self.start + self.counters[FILLED]

    @property
    def heap_used(self) -> int:
        return self.counters[HEAP_USED]

    def put(self, offset: int, values: Iterable[bytes]) -> tuple[list[int], int] | None:
        """Writes encoded values to the heap: their offsets, and that of the next value; None if they do not fit.

        Empty ones get offset 0. The caller raises ``counters[HEAP_USED]`` together with the row.
        """
        offsets = []
        for value in values:
            end = offset + len(value)
            if end > len(self.heap):
                return None
            self.heap[offset:end] = value
            offsets.append(offset if value else 0)
            offset = end
        return offsets, offset

    def row_bytes(self, row: int) -> memoryview:
        size = self.layout.row_bytes
        return self.bytes[row * size : (row + 1) * size]

    def first_damaged(self, begin: int, end: int) -> int:
        """The first of the rows [begin, end) that is not as it was written; `end` if there is none.

        A segment of version 1 has no checksums: only values that make no sense are found in it.
        """
        layout = self.layout
        split = len(layout.variables)
        fields = [self.rows[f"c{i}"][begin:end].tolist() for i in layout.heap]
        for row in range(begin, end):
            total = crc32(self.row_bytes(row), row)
            for i, offsets in zip(layout.heap, fields):
                offset = offsets[row - begin]
                if offset == 0:
                    if i < split:
                        return row
                    continue
                value = value_at(self.heap, offset)
                if value is None or not (self.has_sums or makes_sense(layout.columns[i], self.heap, offset)):
                    return row
                total = crc32(value, total)
            if self.has_sums and total != self.sums[row]:
                return row
        return end

    def rest(self) -> None:
        """Takes the pages of a file out of the process's memory; they stay in the kernel's cache, which gives them back
        when they are read. Else a server that lags behind would let the sampler's process grow with all draws."""
        if isinstance(self.memory, mmap.mmap) and sys.platform == "linux":
            with suppress(OSError):
                self.memory.madvise(mmap.MADV_DONTNEED)

    def sync(self) -> bool:
        """Makes sure that all present rows are on disk, not only in the page cache; True if some were not known to be.

        Raises
        ------
        OSError
        """
        filled, path = self.filled, self.path
        if path is None or filled == self.counters[_SYNCED]:
            return False
        # fsync covers mapped pages as msync does, but lets other threads run meanwhile.
        file = os.open(path, os.O_RDWR)
        try:
            os.fsync(file)
            self.counters[_SYNCED] = filled
            os.fsync(file)
        finally:
            os.close(file)
        return True

    def columns(self, begin: int, end: int) -> list[Column | None]:
        """The iterations [begin, end), by absolute index, column by column in the layout's order.

        None stands for a stat of the heap that none of them has.
        """
        rows = self.rows[begin - self.start : end - self.start]
        in_heap, split = set(self.layout.heap), len(self.layout.variables)
        result: list[Column | None] = []
        for i, var in enumerate(self.layout.columns):
            field = rows[f"c{i}"]
            if i not in in_heap:
                result.append(Rigid(np.ascontiguousarray(field)))
            elif i >= split and not field.any():
                result.append(None)
            elif var.is_rigid and var.dtype != "str":
                result.append(self._large(var, field.tolist()))
            else:
                result.append(self._from_heap(var, field.tolist()))
        return result

    def _large(self, var: Variable, offsets: Sequence[int]) -> Column:
        values = np.full((len(offsets), *var.shape), var.fill_value, dtype=var.numpy_dtype)
        for row, offset in enumerate(offsets):
            if offset:
                shape, payload = decode_value(self.heap, offset)
                values[row] = np.frombuffer(payload, var.numpy_dtype).reshape(shape)
        return Rigid(values)

    def _from_heap(self, var: Variable, offsets: Sequence[int]) -> Column:
        decoded = [decode_value(self.heap, offset) if offset else encode_fill(var) for offset in offsets]
        shapes = [shape for shape, _ in decoded]
        if var.dtype != "str":
            return Ragged(shapes, [payload for _, payload in decoded])
        return Strings(shapes, [decode_strings(payload) for _, payload in decoded])


class StoredSegment:
    """A segment that another process has left, checked row by row.

    It is read again whenever its draws are asked for: a spool may have more segments than a process may open files.

    Attributes
    ----------
    path, start, end : as of a segment; the rows before the first damaged one count.
    problem : a sentence that says what is wrong with it; "" if nothing is.
    """

    def __init__(self, layout: Layout, path: Path, start: int, filled: int, problem: str) -> None:
        self.layout, self.path, self.start, self.end, self.problem = layout, path, start, start + filled, problem
        self._is_synced = False

    @classmethod
    def open(cls, layout: Layout, path: Path, *, only_synced: bool) -> StoredSegment:
        """
        Parameters
        ----------
        only_synced : True after a restart of the machine. Rows that were not known to be on disk then count only if
            their checksums fit, and those of version 1 never. `problem` tells of rows that do not count.

        Raises
        ------
        SpoolError
            If nothing of the file can be trusted.
        """
        segment = Segment.open(layout, path)
        claimed = segment.synced if only_synced else segment.filled
        is_told = 0 <= claimed <= segment.capacity
        intact = segment.first_damaged(0, claimed) if is_told else 0
        if is_told and intact < claimed:
            return cls(layout, path, segment.start, intact, f"{path} is damaged from draw {segment.start + intact} on")
        # The process may have died between a row and the counter; the counter may have been damaged; and the machine
        # may have written more to the disk than it was asked to.
        filled = segment.filled if 0 <= segment.filled <= segment.capacity else 0
        while segment.has_sums and intact < segment.capacity and (intact < filled or segment.sums[intact]):
            if segment.first_damaged(intact, intact + 1) == intact:
                break
            intact += 1
        problem = "" if is_told else f"{path} is damaged: it does not tell how many draws it holds"
        if is_told and intact < segment.filled:
            reason = "they have not reached the disk" if segment.has_sums else "nothing tells that they are on the disk"
            lost = f"{segment.start + intact} to {segment.end - 1}"
            problem = f"{path} lacks the draws {lost}: {reason}, and the machine has been restarted"
        return cls(layout, path, segment.start, intact, problem)

    def columns(self, begin: int, end: int) -> list[Column | None]:
        """As `Segment.columns`.

        Raises
        ------
        SpoolError
            If the file has been damaged meanwhile.
        """
        segment = Segment.open(self.layout, self.path)
        if segment.first_damaged(begin - self.start, end - self.start) < end - self.start:
            raise SpoolError(f"{self.path} has been damaged while it was sent")
        return segment.columns(begin, end)

    def sync(self) -> bool:
        """As `Segment.sync`. The counters of a file with a problem stay as they are, so that it is found again."""
        if self._is_synced:
            return False
        file = open_own(self.path, os.O_RDWR)
        try:
            os.fsync(file)
            if not self.problem:
                os.pwrite(file, struct.pack("=q", self.end - self.start), 8 * _SYNCED)
                os.fsync(file)
        finally:
            os.close(file)
        self._is_synced = True
        return True


# Length of a dimension in a row, at most: those of NumPy's structured dtypes are C integers.
_LONGEST_IN_ROW = 2**31 - 1


def _size(var: Variable) -> float:
    """Bytes of a value; infinite where that varies, and where a row cannot have the shape."""
    if not var.is_rigid or var.dtype == "str" or max(var.shape, default=0) > _LONGEST_IN_ROW:
        return math.inf
    return math.prod(var.shape) * var.numpy_dtype.itemsize


def row_sum(row: int, data: bytes | memoryview, values: Iterable[bytes]) -> int:
    """Checksum of a row: the CRC-32 of its bytes and then of its values in the heap, begun with its place."""
    total = crc32(data, row)
    for value in values:
        total = crc32(value, total)
    return total


def _borders(layout: Layout, counters: memoryview) -> tuple[int, int, int, int]:
    """Offsets in the file: end of the rows, begin of the checksums, begin and end of the heap."""
    rows = HEADER_BYTES + counters[_CAPACITY] * layout.row_bytes
    sums, size = (-(-rows // 4) * 4, 4 * counters[_CAPACITY]) if counters[_VERSION] > 1 else (rows, 0)
    return rows, sums, sums + size, sums + size + counters[_HEAP]


def _header_sum(counters: memoryview) -> int:
    return crc32(struct.pack("<10q", *counters[_MAGIC:FILLED], *counters[_DIGEST:_SUM]))


def _is_sensible(counters: memoryview, layout: Layout) -> bool:
    return (
        counters[_ROW] == layout.row_bytes and counters[_CAPACITY] > 0 and min(counters[_HEAP], counters[_START]) >= 0
    )


def _map_new(path: Path, size: int) -> mmap.mmap:
    file = open_own(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        written = 0
        while written < size:
            # Few calls: behind each of them, another thread may make this one wait.
            rest = size - written
            parts = [_ZEROS] * min(rest // len(_ZEROS), _MOST_PARTS) or [_ZEROS[:rest]]
            written += os.writev(file, parts) if hasattr(os, "writev") else os.write(file, parts[0])
        if sys.platform == "linux":
            return mmap.mmap(file, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        return mmap.mmap(file, size)
    finally:
        os.close(file)
