"""Reads draws of one chain from the server: a slice in one request, or in pages where it is too large for one."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import numpy as np

from .bodies import Progress
from .columns import MOST_OBJECTS, Absent, Column, Ragged, Repeated, Rigid, Strings
from .elements import Elements, side_by_side
from .errors import AnswerTooLargeError, PayloadTooLargeError, ProtocolError
from .progress import ProgressBar
from .schema import Variable
from .transport import MOST_DRAWS, PROTOBUF, Transport
from .wire import Batch, decode_batch, find_draws, too_many

# Bytes of rigid draws that one request asks for; servers refuse answers of more than 1 GiB by default.
PAGE_BYTES = 256 << 20
# Bytes of a column's name and dtype in an answer, and number of pages of one slice, at most.
_HEAD_BYTES, _MOST_PAGES = 4096, 100_000


def wants_progress(progress: bool | None) -> bool:
    """True if a bar is to be drawn: it was asked for, or nothing was said and somebody is looking."""
    return progress if progress is not None else sys.stderr.isatty() or "ipykernel" in sys.modules


@dataclass(frozen=True)
class Wanted:
    """The columns that a read asks for.

    Attributes
    ----------
    draws, stats : names of variables and of sampler stats.
    elements : the wanted part of each draw, if one column alone is named; None for whole draws.
    """

    draws: Sequence[str]
    stats: Sequence[str]
    elements: Elements | None = None


class ChainReader:
    """Reads one chain.

    Parameters
    ----------
    path : ``/v1/runs/{rid}/chains/{chain}``.
    headers : sent with every request; the run's registration.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        headers: Mapping[str, str],
        variables: Mapping[str, Variable],
        sample_stats: Mapping[str, Variable],
    ) -> None:
        self._transport = transport
        self._path = path
        self._headers = headers
        self._variables = variables
        self._stats = sample_stats

    def length(self) -> int:
        return self._transport.request("GET", self._path, headers=self._headers).length()

    def read(
        self, wanted: Wanted, slc: slice, *, progress: bool | None = False
    ) -> tuple[dict[str, Column], dict[str, Column]]:
        """The columns that are wanted, all from one moment of a growing chain.

        Raises
        ------
        NotFoundError
            If the run has no such variable, or the chain does not exist.
        """
        names = [*wanted.draws, *wanted.stats]
        if not names:
            return {}, {}
        if wanted.elements is not None and wanted.elements.is_narrow:
            parts = list(wanted.elements.parts())
            if len(parts) > 1:
                return self._parts([replace(wanted, elements=part) for part in parts], slc, progress)
        with ProgressBar(f"{', '.join(names[:3])} ", None) as bar:
            report = bar.update if wants_progress(progress) else None
            try:
                batch = self._request(wanted, slc.start, slc.stop, slc.step, report)
            except (PayloadTooLargeError, AnswerTooLargeError):
                return self._pages(wanted, slc, report)
            return dict(batch.draws), dict(batch.stats)

    def _parts(
        self, portions: Sequence[Wanted], slc: slice, progress: bool | None
    ) -> tuple[dict[str, Column], dict[str, Column]]:
        """Elements that are too many for one address, from several requests for the same draws, which never change."""
        fixed = slice_of(range(self.length())[slc])
        draws, stats = zip(*(self.read(portion, fixed, progress=progress) for portion in portions))
        return (
            {name: side_by_side([part[name] for part in draws]) for name in draws[0]},
            {name: side_by_side([part[name] for part in stats]) for name in stats[0]},
        )

    def _request(
        self, wanted: Wanted, start: int | None, stop: int | None, step: int | None, progress: Progress | None
    ) -> Batch:
        draws, stats, elements = wanted.draws, wanted.stats, wanted.elements
        query: list[tuple[str, Any]] = []
        if set(draws) != self._variables.keys() or set(stats) != self._stats.keys() or elements is not None:
            # A request without names is one for all columns.
            query = [("var", name) for name in draws] + [("stat", name) for name in stats]
        if elements is not None and elements.is_narrow:
            query.append(("elem", elements.query))
        bounds = {"start": start, "stop": stop, "step": step}
        query += [(name, int(value)) for name, value in bounds.items() if value is not None]
        most = _most_draws(start, stop, step)
        answer = self._transport.request(
            "GET",
            f"{self._path}/draws?{urlencode(query, safe=',:')}",
            headers={**self._headers, "Accept": PROTOBUF},
            progress=progress,
            find_draws=find_draws,
            limit=self._limit(draws, stats, most),
        )
        batch = self._decoded(answer.body, wanted)
        for names, columns in ((draws, batch.draws), (stats, batch.stats)):
            if set(names) != set(columns):
                raise ProtocolError(f"an answer holds the columns {sorted(columns)}, not {sorted(names)}")
        if most is not None and batch.count > most:
            raise ProtocolError(f"an answer holds {batch.count} draws, where {most} were asked for")
        return batch

    def _decoded(self, body: memoryview, wanted: Wanted) -> Batch:
        """The batch in an answer; its draws are vectors if elements were asked for.

        A server of an earlier version takes no notice of ``elem`` and sends whole draws, which are longer.
        """
        elements = wanted.elements
        if elements is None:
            return decode_batch(body, self._variables, self._stats)
        refusal = None
        if elements.is_narrow:
            try:
                return decode_batch(
                    body,
                    {name: elements.variable(self._variables[name]) for name in wanted.draws},
                    {name: elements.variable(self._stats[name]) for name in wanted.stats},
                )
            except AnswerTooLargeError:
                raise
            except ProtocolError as error:
                refusal = error
        try:
            whole = decode_batch(body, self._variables, self._stats)
        except ProtocolError as error:
            raise refusal or error from None
        return replace(
            whole,
            draws={name: elements.pick(column) for name, column in whole.draws.items()},
            stats={name: elements.pick(column) for name, column in whole.stats.items()},
        )

    def _limit(self, draws: Sequence[str], stats: Sequence[str], most: int | None) -> int:
        """Bytes that an answer of at most so many whole draws may have."""
        columns = [*map(self._variables.__getitem__, draws), *map(self._stats.__getitem__, stats)]
        if most is None or any(var.dtype == "str" or not var.is_rigid for var in columns):
            return MOST_DRAWS
        size = sum(math.prod(var.shape) * var.numpy_dtype.itemsize for var in columns)
        return min(MOST_DRAWS, most * size + _HEAD_BYTES * (len(columns) + 1))

    def _pages(
        self, wanted: Wanted, slc: slice, progress: Progress | None
    ) -> tuple[dict[str, Column], dict[str, Column]]:
        """The slice in requests of absolute indices, each as large as the server allows."""
        draws, stats = wanted.draws, wanted.stats
        taken = range(self.length())[slc]
        many = [*map(self._variables.__getitem__, draws), *map(self._stats.__getitem__, stats)]
        for var in many:
            if len(taken) > MOST_OBJECTS and (var.dtype == "str" or not var.is_rigid) and 0 not in var.shape:
                raise too_many(len(taken), "draws", var.name)
        rows = max(1, len(taken) // 2)
        pages: list[Batch] = []
        at = 0
        while at < len(taken):
            page = taken[at : at + rows]
            fixed = slice_of(page)
            try:
                batch = self._request(wanted, fixed.start, fixed.stop, fixed.step, None)
            except (PayloadTooLargeError, AnswerTooLargeError):
                if rows == 1:
                    raise
                rows = max(1, rows // 2)
                if len(taken) // rows > _MOST_PAGES:
                    raise
                continue
            if batch.count != len(page) or batch.start != page.start:
                raise ProtocolError(
                    f"an answer holds {batch.count} draws from {batch.start} on, not {len(page)} from {page.start} on"
                )
            pages.append(batch)
            at += rows
            if progress is not None:
                progress(at, len(taken))
        return (
            {name: join_columns([page.draws[name] for page in pages]) for name in draws},
            {name: join_columns([page.stats[name] for page in pages]) for name in stats},
        )


def slice_of(indices: range) -> slice:
    """The slice that takes these indices."""
    # Behind iteration 0 there is no stop that a slice with a negative step could name.
    return slice(indices.start, indices.stop if indices.stop >= 0 else None, indices.step)


def _most_draws(start: int | None, stop: int | None, step: int | None) -> int | None:
    """Draws that a slice can have at most, whatever the chain's length; None if it has no such bound."""
    step = 1 if step is None else int(step)
    first = (0 if step > 0 else None) if start is None else int(start)
    if first is None or stop is None or step == 0 or (first < 0) != (stop < 0):
        return None
    # As len(range(...)), which knows no integers beyond 2^63.
    return max(0, (int(stop) - first + step - (1 if step > 0 else -1)) // step)


def join_columns(columns: Sequence[Column]) -> Column:
    """Columns of one variable, one after the other."""
    first = columns[0]
    if len(columns) == 1:
        return first
    if isinstance(first, Absent) and all(isinstance(column, Absent) for column in columns):
        return Absent(np.broadcast_to(first.values[0], (sum(map(len, columns)), *first.values.shape[1:])))
    if isinstance(first, Rigid):
        return Rigid(np.concatenate([column.values for column in columns if isinstance(column, Rigid)]))
    if isinstance(first, Strings) and isinstance(first.shapes, Repeated):
        count = sum(map(len, columns))
        return Strings(Repeated(first.shapes.value, count), Repeated((), count))
    shapes = [shape for column in columns if not isinstance(column, Rigid) for shape in column.shapes]
    if isinstance(first, Strings):
        return Strings(shapes, [part for column in columns if isinstance(column, Strings) for part in column.parts])
    return Ragged(shapes, [part for column in columns if isinstance(column, Ragged) for part in column.parts])


def groups_by_size(variables: Sequence[Variable], draws: int, limit: int = PAGE_BYTES) -> list[list[Variable]]:
    """Variables in groups of which one request takes at most about `limit` bytes (ragged ones count as scalars)."""
    groups: list[list[Variable]] = [[]]
    size = 0
    for var in variables:
        itemsize = 8 if var.dtype == "str" else var.numpy_dtype.itemsize
        bytes_ = draws * itemsize * int(np.prod([max(1, length) for length in var.shape], dtype=np.int64))
        if groups[-1] and size + bytes_ > limit:
            groups.append([])
            size = 0
        groups[-1].append(var)
        size += bytes_
    return [group for group in groups if group]
