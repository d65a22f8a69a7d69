"""Draws of several chains into arrays that are allocated once, which pages of the answers are copied into."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import numpy as np

from ..ndarray import Array
from ..progress import ProgressBar
from ..reader import groups_by_size, slice_of, wants_progress
from ..schema import Variable
from .extents import Span

# Bytes of a page: large enough for full speed, small beside the draws.
_PAGE_BYTES = 64 << 20
# Characters of names in one address: web servers and proxies take lines of about 8 KiB.
_MOST_CHARACTERS = 6000


@dataclass(frozen=True)
class Draws:
    """Draws of one variable or stat: arrays of shape (chains, draws, \\*shape)."""

    warmup: Array
    posterior: Array


@dataclass(frozen=True)
class Downloaded:
    """All that was asked for, by name."""

    variables: dict[str, Draws]
    stats: dict[str, Draws]


class _Target:
    """The place of one column: an array for each part of the chains, or what is joined in the end."""

    def __init__(self, var: Variable, parts: Sequence[Sequence[range]]) -> None:
        self.var = var
        self._lengths = [[len(rows) for rows in part] for part in parts]
        self._is_array = var.is_rigid and var.dtype != "str"
        self._arrays = [self._empty(lengths) for lengths in self._lengths] if self._is_array else []
        self._pieces: list[list[list[Array]]] = [[[] for _ in lengths] for lengths in self._lengths]

    def _empty(self, lengths: Sequence[int]) -> Array:
        shape = (len(lengths), max(lengths, default=0), *self.var.shape)
        if len(set(lengths)) <= 1:
            return np.empty(shape, dtype=np.dtype(self.var.dtype))
        # Missing values turn integers into floats, as they do in xarray and pandas.
        dtype = self.var.dtype if self.var.dtype.startswith("float") else "float64"
        return np.full(shape, np.nan, dtype=dtype)

    def put(self, part: int, chain: int, at: int, values: Array) -> None:
        if self._is_array:
            self._arrays[part][chain, at : at + len(values)] = values
        else:
            self._pieces[part][chain].append(values)

    def finished(self) -> list[Array]:
        if self._is_array:
            return self._arrays
        return [self._joined(pieces, lengths) for pieces, lengths in zip(self._pieces, self._lengths)]

    def _joined(self, pieces: list[list[Array]], lengths: Sequence[int]) -> Array:
        kinds = {values.dtype for chain in pieces for values in chain if len(values)}
        rows = (len(lengths), max(lengths, default=0))
        if not self.var.is_rigid or any(dtype.kind == "O" for dtype in kinds):
            joined: Array = np.empty(rows, dtype=object)
        else:
            joined = np.full(
                (*rows, *self.var.shape), "", dtype=max(kinds, key=lambda kind: kind.itemsize, default="<U1")
            )
        for chain, values in enumerate(pieces):
            at = 0
            for piece in values:
                for index, value in enumerate(piece) if joined.dtype == object else ():
                    joined[chain, at + index] = value
                if joined.dtype != object:
                    joined[chain, at : at + len(piece)] = piece
                at += len(piece)
        return joined


def download(
    rid: str, spans: Sequence[Span], variables: Sequence[Variable], stats: Sequence[Variable], progress: bool | None
) -> Downloaded:
    """Reads the draws of the spans.

    Parameters
    ----------
    progress : draw a progress bar; if not given, only where somebody is looking.

    Returns
    -------
    Arrays of shape (chains, draws, \\*shape). Those of chains of different lengths are filled up with NaN or "". For
    variables without a fixed shape, object arrays of shape (chains, draws).
    """
    parts = [[span.warmup for span in spans], [span.posterior for span in spans]]
    targets = {
        "draws": {var.name: _Target(var, parts) for var in variables},
        "stats": {var.name: _Target(var, parts) for var in stats},
    }
    total = sum(len(rows) for part in parts for rows in part) * (len(variables) + len(stats))
    with ProgressBar(f"run {rid}: reading", total, "draws") as bar:
        done = 0
        for number, span in enumerate(spans):
            for rows, pieces in _reads(span):
                for names, page in _pages(rows, variables, stats):
                    indices = rows[page]
                    got = dict(zip(("draws", "stats"), span.chain.get_many(*names, slice_of(indices), progress=False)))
                    for kind, columns in got.items():
                        for name, values in columns.items():
                            _put(targets[kind][name], number, page.start, values, pieces)
                    done += len(indices) * (len(names[0]) + len(names[1]))
                    if wants_progress(progress):
                        bar.update(done)
    results = {
        kind: {name: Draws(*target.finished()) for name, target in columns.items()} for kind, columns in targets.items()
    }
    return Downloaded(results["draws"], results["stats"])


# A part (0 is warmup, 1 posterior), and the index of its first row among those of a read.
_Piece = tuple[int, range]


def _reads(span: Span) -> Iterator[tuple[range, list[_Piece]]]:
    """The rows of a chain that are read together, and the part that each of them belongs to: one read if they touch."""
    warmup, posterior = span.warmup, span.posterior
    if len(warmup) and len(posterior) and posterior.step == 1 and posterior.start == warmup.stop:
        yield (
            range(posterior.stop),
            [(0, range(len(warmup))), (1, range(len(warmup), len(warmup) + len(posterior)))],
        )
        return
    for part, rows in enumerate((warmup, posterior)):
        if len(rows):
            yield rows, [(part, range(len(rows)))]


def _put(target: _Target, chain: int, begin: int, values: Array, pieces: Sequence[_Piece]) -> None:
    """Takes the values of a read from its row `begin` on to the parts that they belong to."""
    for part, rows in pieces:
        first, end = max(begin, rows.start), min(begin + len(values), rows.stop)
        if first < end:
            target.put(part, chain, first - rows.start, values[first - begin : end - begin])


def _pages(
    rows: range, variables: Sequence[Variable], stats: Sequence[Variable]
) -> Iterator[tuple[tuple[list[str], list[str]], slice]]:
    """Names of variables and stats that are asked for together, and the rows: pages of about `_PAGE_BYTES`."""
    is_stat = {id(var): True for var in stats}
    for group in _short([*variables, *stats], len(rows)):
        names = (
            [var.name for var in group if id(var) not in is_stat],
            [var.name for var in group if id(var) in is_stat],
        )
        size = sum(_row_bytes(var) for var in group)
        step = len(rows) if len(group) > 1 else max(1, min(len(rows), _PAGE_BYTES // max(1, size)))
        for begin in range(0, len(rows), step):
            yield names, slice(begin, min(begin + step, len(rows)))


def _short(columns: Sequence[Variable], draws: int) -> Iterator[list[Variable]]:
    """Groups of which one answer is no larger than a page, and the names no longer than an address takes."""
    for group in groups_by_size(columns, draws, _PAGE_BYTES):
        portion: list[Variable] = []
        characters = 0
        for var in group:
            length = len("&stat=") + len(quote_plus(var.name))
            if portion and characters + length > _MOST_CHARACTERS:
                yield portion
                portion, characters = [], 0
            portion.append(var)
            characters += length
        if portion:
            yield portion


def _row_bytes(var: Variable) -> int:
    itemsize: Any = 8 if var.dtype == "str" else var.numpy_dtype.itemsize
    return int(itemsize) * math.prod(max(1, length) for length in var.shape)
