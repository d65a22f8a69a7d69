"""Columns of a file as variables: ``theta.1.2`` is an element of ``theta``, the first index runs fastest.

In tuples ``pair.1:2.3`` is the second part of the first element of an array: the variable ``pair:2`` holds that part of
all elements, and its shape is the array's, then the part's own. Complex numbers make two variables, ``z.real`` and
``z.imag``. Tables that R and pandas write have ``theta[1,2]``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import shown
from ..ndarray import Array
from ..schema import Variable

# Stats that are whole numbers or flags; Stan writes all columns as text.
_STAT_DTYPES = {"treedepth__": "int64", "n_leapfrog__": "int64", "divergent__": "bool", "path__": "int64"}
_NAME = re.compile(r"(.+?)((?:[.:]\d+)*)(\.(?:real|imag))?")
_STEP = re.compile(r"([.:])(\d+)")
_BRACKETS = re.compile(r"(.+?)\[(\d+(?:,\d+)*)\]")
_PARTS = {None: 0, ".real": 1, ".imag": 2}
# Digits of an index at most.
_MOST_DIGITS = 10


@dataclass(frozen=True)
class ColumnGroup:
    """A variable and the columns that hold it, listed in C order of its shape."""

    variable: Variable
    columns: tuple[int, ...]


def is_stat(name: str) -> bool:
    """True for the names that Stan keeps for itself, which no variable of a model can have."""
    return name.endswith("__")


def group_columns(names: Sequence[str]) -> list[ColumnGroup]:
    """Puts the columns of each variable together, in the order of first columns, parts of tuples by their numbers.

    Raises
    ------
    ValueError
        If a container lacks an element.
    """
    indices: dict[str, dict[tuple[int, ...], int]] = {}
    order: dict[str, tuple[int, tuple[int, ...], int]] = {}
    first: dict[str, int] = {}
    for column, name in enumerate(names):
        root, parts, index, half = _parse(name)
        base = "".join([root, *(f":{part}" for part in parts), half or ""])
        order.setdefault(base, (first.setdefault(root, column), parts, _PARTS[half]))
        elements = indices.setdefault(base, {})
        if index in elements:
            raise ValueError(f"column {shown(name, 300)!r} is there twice")
        elements[index] = column
    return [_group(base, indices[base]) for base in sorted(indices, key=order.__getitem__)]


def _parse(name: str) -> tuple[str, tuple[int, ...], tuple[int, ...], str | None]:
    """The root of a name, the numbers of its parts of tuples, its indices, and its half of a complex number."""
    brackets = _BRACKETS.fullmatch(name)
    match = _NAME.fullmatch(f"{brackets[1]}.{brackets[2].replace(',', '.')}" if brackets else name)
    if match is None:
        return name, (), (), None
    steps = _STEP.findall(match[2])
    if any(len(digits) > _MOST_DIGITS for _, digits in steps):
        return name, (), (), None
    parts = tuple(int(digits) for kind, digits in steps if kind == ":")
    return match[1], parts, tuple(int(digits) for kind, digits in steps if kind == "."), match[3]


def _group(base: str, columns: dict[tuple[int, ...], int]) -> ColumnGroup:
    name = shown(base, 300)
    if len({len(index) for index in columns}) > 1:
        raise ValueError(f"the columns of {name} have different numbers of indices")
    shape = tuple(max(axis) for axis in zip(*columns))
    if shape and (math.prod(shape) != len(columns) or min(map(min, columns)) < 1):
        raise ValueError(
            f"{name} has {len(columns)} columns, which do not make up an array of shape {list(shape)}"
            + _first_missing(name, shape, columns)
        )
    places = [columns[tuple(i + 1 for i in index)] for index in np.ndindex(*shape)]
    return ColumnGroup(Variable(base, _STAT_DTYPES.get(base, "float64"), shape), tuple(places))


def _first_missing(name: str, shape: tuple[int, ...], columns: dict[tuple[int, ...], int]) -> str:
    """A clause that names an element that is not there."""
    index = [1] * len(shape)
    # Counted up as the columns run; it ends behind as many steps as there are columns at most.
    for _ in range(len(columns) + 1):
        if tuple(index) not in columns:
            return f": {name}.{'.'.join(map(str, index))} is missing"
        for axis, length in enumerate(shape):
            index[axis] += 1
            if index[axis] <= length:
                break
            index[axis] = 1
    return ""


def block(groups: Sequence[ColumnGroup], values: Array) -> dict[str, Array]:
    """Draws by variable, each of shape (draws, \\*shape), from `values` of shape (draws, columns)."""
    return {
        group.variable.name: values[:, list(group.columns)]
        .reshape(len(values), *group.variable.shape)
        .astype(group.variable.numpy_dtype)
        for group in groups
    }
