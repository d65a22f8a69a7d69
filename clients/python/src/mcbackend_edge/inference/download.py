"""Draws of several chains into arrays that are allocated once, which pages of the answers are copied into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..ndarray import Array
from ..progress import ProgressBar
from ..reader import slice_of, wants_progress
from ..schema import Variable
from .extents import Span
from .pages import pages
from .stored import StoredRun


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
    run: StoredRun,
    spans: Sequence[Span],
    variables: Sequence[Variable],
    stats: Sequence[Variable],
    progress: bool | None,
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
    with ProgressBar(f"run {run.rid}: reading", total, "draws") as bar:
        done = 0
        for number, span in enumerate(spans):
            for rows, pieces in _reads(span):
                for page in pages(run, len(rows), variables, stats):
                    indices = rows[page.rows]
                    got = span.chain.get_many(page.draws, page.stats, slice_of(indices), progress=False)
                    for kind, columns in zip(("draws", "stats"), got):
                        for name in columns.keys() & targets[kind].keys():
                            _put(targets[kind][name], number, page.rows.start, columns[name], pieces)
                            done += len(indices)
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
