"""Lines of numbers as an array.

Programs for Windows write ``1e+003``, ``-nan(ind)`` and ``1.#QNAN``, R writes ``NA`` and ``Inf``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..errors import shown
from ..ndarray import Array

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
_OTHER_NAN = re.compile(r"[+-]?nan\(\w*\)|[+-]?1\.#(?:QNAN|SNAN|IND)\d*|NA", re.IGNORECASE)
_OTHER_INFINITY = re.compile(r"([+-]?)1\.#INF0*", re.IGNORECASE)


class RowError(ValueError):
    """A row makes no sense.

    Attributes
    ----------
    index : its place among the lines.
    """

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
        self.index = index


def parse_rows(lines: Sequence[str], width: int) -> Array:
    """The numbers of the lines: an array of shape (lines, width).

    Raises
    ------
    RowError
        For the first line that has another number of values, or a value that is no number.
    """
    if not lines:
        return np.empty((0, width))
    try:
        values = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
        if values.shape == (len(lines), width):
            return values
    except ValueError:
        pass
    return np.array([_row(index, line, width) for index, line in enumerate(lines)]).reshape(len(lines), width)


def _row(index: int, line: str, width: int) -> list[float]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != width:
        raise RowError(index, f"there are {len(cells)} values, not {width}")
    return [_number(index, cell) for cell in cells]


def _number(index: int, cell: str) -> float:
    if _NUMBER.fullmatch(cell):
        return float(cell)
    if _OTHER_NAN.fullmatch(cell):
        return float("nan")
    infinity = _OTHER_INFINITY.fullmatch(cell)
    if infinity is None:
        raise RowError(index, f"could not convert {shown(repr(cell), 100)} to a number")
    return float(f"{infinity[1]}inf")
