"""Requests into which a download is cut: as few as may be, none of them large, and none with an endless address."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from ..reader import groups_by_size
from ..schema import Variable
from .stored import StoredRun

# Bytes of a page: large enough for full speed, small beside the draws.
_PAGE_BYTES = 64 << 20
# Characters of names in one address: web servers and proxies take lines of about 8 KiB.
_MOST_CHARACTERS = 6000
# Bytes of unwanted columns, beside those of wanted ones, for which names are left out of the address.
_MOST_UNWANTED = 0.25


@dataclass(frozen=True)
class Page:
    """One request: names of variables and stats, and the rows that are read of them."""

    draws: list[str]
    stats: list[str]
    rows: slice


def pages(run: StoredRun, rows: int, variables: Sequence[Variable], stats: Sequence[Variable]) -> Iterator[Page]:
    """Pages of about `_PAGE_BYTES`. In a run of thousands of names, a page may hold unwanted columns as well."""
    columns = [*variables, *stats]
    if sum(map(_characters, columns)) > _MOST_CHARACTERS and _are_nearly_all(run, columns):
        # A request for all columns needs no names.
        yield from _paged(list(run.variables), list(run.sample_stats), rows, _bytes(_all_columns(run)))
        return
    of_stats = {id(stat) for stat in stats}
    for group in _short(columns, rows):
        size = _bytes(group) if len(group) == 1 else 0
        draws = [var.name for var in group if id(var) not in of_stats]
        yield from _paged(draws, [var.name for var in group if id(var) in of_stats], rows, size)


def _paged(draws: list[str], stats: list[str], rows: int, size: int) -> Iterator[Page]:
    """
    Parameters
    ----------
    size : bytes of a row; 0 if all rows are known to fit into one page.
    """
    step = max(1, min(rows, _PAGE_BYTES // size)) if size else max(1, rows)
    for begin in range(0, rows, step):
        yield Page(draws, stats, slice(begin, min(begin + step, rows)))


def _all_columns(run: StoredRun) -> list[Variable]:
    return [*run.variables.values(), *run.sample_stats.values()]


def _are_nearly_all(run: StoredRun, columns: Sequence[Variable]) -> bool:
    """True if all that is not wanted is numbers, and few."""
    wanted = {id(var) for var in columns}
    unwanted = [var for var in _all_columns(run) if id(var) not in wanted]
    if any(not var.is_rigid or var.dtype == "str" for var in unwanted):
        return False
    return _bytes(unwanted) <= _MOST_UNWANTED * _bytes(columns)


def _short(columns: Sequence[Variable], rows: int) -> Iterator[list[Variable]]:
    """Groups of which one answer is no larger than a page, and the names no longer than an address takes."""
    for group in groups_by_size(columns, rows, _PAGE_BYTES):
        portion: list[Variable] = []
        characters = 0
        for var in group:
            if portion and characters + _characters(var) > _MOST_CHARACTERS:
                yield portion
                portion, characters = [], 0
            portion.append(var)
            characters += _characters(var)
        if portion:
            yield portion


def _characters(var: Variable) -> int:
    return len("&stat=") + len(quote_plus(var.name))


def _bytes(columns: Sequence[Variable]) -> int:
    """Bytes of a row; texts and values of varying shape count as scalars."""
    itemsizes = [8 if var.dtype == "str" else var.numpy_dtype.itemsize for var in columns]
    return sum(size * math.prod(max(1, length) for length in var.shape) for size, var in zip(itemsizes, columns))
