"""A segment: consecutive draws of one chain, row after row, in a file that is mapped into memory.

The sampler writes a row by assigning to mapped memory. That costs no system call, and yet the row belongs to the
kernel's page cache from then on, so it survives the death of the process, SIGKILL included. Rows are only ever added;
a row counts once `filled` in the header says so, which is written after the row.

    bytes 0 … 4095      header, 64-bit integers: magic, version, row size, capacity in rows, heap size, index of the
                        first iteration, rows filled, heap bytes used, rows known to be on disk, 4 × schema digest
    then                rows: the numbers of fixed shape, and for each other value its offset in the heap
    then                heap: values of varying shape, and strings

The operating system writes the pages to disk when it likes. `sync` makes sure; rows that came after it count only if
the machine has not been restarted since (see `spool.py`).
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .columns import Column, Ragged, Rigid, Strings
from .errors import SpoolError
from .ndarray import Array
from .schema import RunMeta, Variable

MAGIC = int.from_bytes(b"MCBSPOOL", "little", signed=True)
VERSION = 1
HEADER_BYTES = 4096
_MAGIC, _VERSION, _ROW, _CAPACITY, _HEAP, _START, FILLED, _HEAP_USED, _SYNCED, _DIGEST = range(10)
# Offset 0 in the heap means: this stat was missing. The first value lies at 8.
HEAP_BEGIN = 8


class Layout:
    """How the draws of a run lie in a row.

    Attributes
    ----------
    columns : variables, then stats, in the order of registration.
    rigid, heap : indices into `columns` of what lies in the row itself, and of what lies in the heap.
    row : the structured dtype of a row.
    """

    def __init__(self, meta: RunMeta) -> None:
        self.variables = meta.variables
        self.sample_stats = meta.sample_stats
        self.columns: tuple[Variable, ...] = (*meta.variables, *meta.sample_stats)
        self.rigid = [i for i, var in enumerate(self.columns) if var.is_rigid and var.dtype != "str"]
        self.heap = [i for i, var in enumerate(self.columns) if not (var.is_rigid and var.dtype != "str")]
        fields: list[Any] = [(f"c{i}", self.columns[i].numpy_dtype, self.columns[i].shape) for i in self.rigid]
        fields += [(f"c{i}", "<i8") for i in self.heap]
        row = np.dtype(fields)
        if not row.itemsize:
            # Empty arrays alone: a row must have a place nevertheless.
            names, formats = [field[0] for field in fields], [field[1:] for field in fields]
            row = np.dtype({"names": names, "formats": formats, "offsets": [0] * len(names), "itemsize": 1})
        self.row = row
        self.row_bytes = self.row.itemsize
        text = repr([(var.name, var.dtype, var.shape, var.undefined_ndim) for var in self.columns])
        self.digest = hashlib.sha256(f"{len(self.variables)} {text}".encode()).digest()


class Segment:
    """Rows of one chain from iteration `start` on.

    Attributes
    ----------
    rows : array of shape (capacity,) with a field ``c0``, ``c1``, … for each column, packed.
    bytes : the same memory as bytes.
    counters : the header; who appends writes a row and then raises ``counters[FILLED]``.
    """

    def __init__(self, layout: Layout, buffer: Any, path: Path | None) -> None:
        self.layout = layout
        self.path = path
        self._buffer = buffer
        self.counters = memoryview(buffer)[:HEADER_BYTES].cast("q")
        self.start = self.counters[_START]
        self.capacity = self.counters[_CAPACITY]
        end = HEADER_BYTES + self.capacity * layout.row_bytes
        self.rows: Array = np.frombuffer(buffer, layout.row, self.capacity, HEADER_BYTES)
        self.bytes = memoryview(buffer)[HEADER_BYTES:end]
        self.heap = memoryview(buffer)[end : end + self.counters[_HEAP]]

    @classmethod
    def create(cls, layout: Layout, path: Path | None, start: int, capacity: int, heap_bytes: int) -> Segment:
        """A new, empty segment in a file, or in plain memory if `path` is None.

        The file is written with zeros first: a hole in it would end the process with SIGBUS on a full disk, while a
        failing write is an error that can be handled.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        size = HEADER_BYTES + capacity * layout.row_bytes + heap_bytes
        buffer: Any = bytearray(size) if path is None else _map_new(path, size)
        header = memoryview(buffer)[:HEADER_BYTES].cast("q")
        header[_VERSION], header[_ROW], header[_CAPACITY] = VERSION, layout.row_bytes, capacity
        header[_HEAP], header[_START], header[_HEAP_USED] = heap_bytes, start, HEAP_BEGIN
        for i, number in enumerate(struct.unpack("<4q", layout.digest)):
            header[_DIGEST + i] = number
        header[_MAGIC] = MAGIC
        return cls(layout, buffer, path)

    @classmethod
    def open(cls, layout: Layout, path: Path) -> Segment | None:
        """The segment in a file; None if its process died before the first row.

        Raises
        ------
        SpoolError
            If the file is not a segment of this run.
        """
        with path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size < HEADER_BYTES:
                return None
            buffer = mmap.mmap(file.fileno(), size)
        header = memoryview(buffer)[:HEADER_BYTES].cast("q")
        if header[_MAGIC] == 0:
            return None
        expected = HEADER_BYTES + header[_CAPACITY] * layout.row_bytes + header[_HEAP]
        digest = struct.pack("<4q", *header[_DIGEST : _DIGEST + 4])
        if header[_MAGIC] != MAGIC or header[_VERSION] != VERSION or digest != layout.digest or size < expected:
            raise SpoolError(f"{path} is damaged or was written by another version of this package")
        return cls(layout, buffer, path)

    @property
    def filled(self) -> int:
        """Number of rows."""
        return self.counters[FILLED]

    @property
    def end(self) -> int:
        """Index of the iteration behind the last one."""
        return self.start + self.counters[FILLED]

    @property
    def heap_used(self) -> int:
        return self.counters[_HEAP_USED]

    def put(self, offset: int, values: Iterable[bytes]) -> list[int] | None:
        """Writes encoded values to the heap; their offsets, or None if they do not fit. Empty ones get offset 0."""
        offsets = []
        for value in values:
            end = offset + len(value)
            if end > len(self.heap):
                return None
            self.heap[offset:end] = value
            offsets.append(offset if value else 0)
            offset = end
        self.counters[_HEAP_USED] = offset
        return offsets

    def keep_synced_only(self) -> None:
        """Forgets the rows that were not known to be on disk, after the machine itself has gone down."""
        self.counters[FILLED] = self.counters[_SYNCED]

    def sync(self) -> None:
        """Makes sure that all present rows are on disk (not only in the page cache)."""
        filled = self.filled
        if self.path is None or filled == self.counters[_SYNCED]:
            return
        # fsync covers mapped pages as msync does, but lets other threads run meanwhile.
        file = os.open(self.path, os.O_RDWR)
        try:
            os.fsync(file)
            self.counters[_SYNCED] = filled
            os.fsync(file)
        finally:
            os.close(file)

    def columns(self, begin: int, end: int) -> list[Column]:
        """The iterations [begin, end), by absolute index, column by column in the layout's order."""
        rows = self.rows[begin - self.start : end - self.start]
        result: list[Column] = []
        for i, var in enumerate(self.layout.columns):
            field = rows[f"c{i}"]
            if var.is_rigid and var.dtype != "str":
                result.append(Rigid(np.ascontiguousarray(field)))
            else:
                result.append(self._from_heap(var, field.tolist()))
        return result

    def _from_heap(self, var: Variable, offsets: Sequence[int]) -> Column:
        decoded = [decode_value(self.heap, offset) if offset else encode_fill(var) for offset in offsets]
        shapes = [shape for shape, _ in decoded]
        if var.dtype != "str":
            return Ragged(shapes, [payload for _, payload in decoded])
        return Strings(shapes, [decode_strings(payload) for _, payload in decoded])


def encode_value(var: Variable, value: Array) -> bytes:
    """One value for the heap: bytes that follow, number of dimensions, dimensions, payload."""
    payload = encode_strings(value.ravel().tolist()) if var.dtype == "str" else value.tobytes()
    head = struct.pack(f"<I{value.ndim}I", value.ndim, *value.shape)
    return struct.pack("<I", len(head) + len(payload)) + head + payload


def decode_value(heap: memoryview, offset: int) -> tuple[tuple[int, ...], bytes]:
    """Shape and payload of the value at an offset."""
    size, ndim = struct.unpack_from("<II", heap, offset)
    shape = struct.unpack_from(f"<{ndim}I", heap, offset + 8)
    return shape, bytes(heap[offset + 8 + 4 * ndim : offset + 4 + size])


def encode_fill(var: Variable) -> tuple[tuple[int, ...], bytes]:
    """Shape and payload of a stat that is missing."""
    fill = var.fill()
    return fill.shape, encode_strings(fill.ravel().tolist()) if var.dtype == "str" else fill.tobytes()


def encode_strings(texts: Iterable[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def decode_strings(payload: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(payload):
        (size,) = struct.unpack_from("<I", payload, at)
        texts.append(payload[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return texts


def _map_new(path: Path, size: int) -> mmap.mmap:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        zeros = bytes(min(size, 1 << 20))
        written = 0
        while written < size:
            written += os.write(file, zeros[: size - written])
        if sys.platform == "linux":
            return mmap.mmap(file, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        return mmap.mmap(file, size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
