"""Elements of a variable: a few numbers of each draw, so that large draws need not be read whole."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .columns import Column, Rigid, Strings
from .ndarray import Array
from .schema import Variable

# Elements that one read may ask for (the contract's limit).
MOST_ELEMENTS = 10_000
# Characters of ``elem=`` in one address, at most: web servers and proxies take lines of about 8 KiB.
MOST_CHARACTERS = 6000

ElementIndex = int | slice
"""An index into the flattened (C order) value, or a half-open range of them: ``slice(10, 20)``."""


@dataclass(frozen=True)
class Elements:
    """Some elements of one column, in the order asked for, duplicates kept.

    Attributes
    ----------
    ranges : half-open ranges of indices into the flattened (C order) value.
    size : number of elements that a draw of the column has.
    """

    ranges: tuple[range, ...]
    size: int

    @classmethod
    def of(cls, var: Variable, wanted: Iterable[ElementIndex]) -> Elements:
        """The elements of a variable that a caller has named.

        Raises
        ------
        TypeError
            For items that are neither indices nor slices, and for variables whose shape varies.
        IndexError
            For an element that the variable does not have.
        ValueError
            For no elements, too many, and ranges that are empty or have a step.
        """
        if not var.is_rigid:
            raise TypeError(f"{var.name!r} has no fixed shape, and so no elements that all its draws have")
        if isinstance(wanted, (str, bytes)) or not isinstance(wanted, Iterable):
            raise TypeError(f"elements are a list of indices and slices, such as [0, 3, slice(10, 20)], not {wanted!r}")
        size = math.prod(var.shape)
        if not size:
            raise IndexError(f"{var.name!r} has shape {list(var.shape)}, and so no elements")
        ranges: list[range] = []
        count = 0
        for item in wanted:
            part = _range(var, item, size)
            count += len(part)
            if count > MOST_ELEMENTS:
                raise ValueError(
                    f"more than {MOST_ELEMENTS:,} elements of {var.name!r} are asked for: "
                    "read them in several parts, or the whole variable"
                )
            if ranges and ranges[-1].stop == part.start:
                part = range(ranges.pop().start, part.stop)
            ranges.append(part)
        if not ranges:
            raise ValueError(f"no elements of {var.name!r} are asked for")
        return cls(tuple(ranges), size)

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    @property
    def is_narrow(self) -> bool:
        """True if they are fewer than those of a whole draw.

        If not, whole draws are no more to send; and the length of an answer would not tell which of the two it holds.
        """
        return len(self) < self.size

    @property
    def query(self) -> str:
        """The value of ``elem=``."""
        return ",".join(map(_text, self.ranges))

    @cached_property
    def indices(self) -> Array:
        return np.concatenate([np.arange(part.start, part.stop) for part in self.ranges])

    def variable(self, var: Variable) -> Variable:
        """The column of an answer: a vector of these elements a draw."""
        return replace(var, shape=(len(self),), dims=())

    def pick(self, column: Column) -> Column:
        """These elements of the whole column."""
        if isinstance(column, Rigid):
            flat = column.values.reshape(len(column), self.size)
            # `take` would first make one of an array that is no block of memory.
            is_block = flat.flags.c_contiguous
            return Rigid(np.take(flat, self.indices, axis=1) if is_block else flat[:, self.indices])
        indices = self.indices.tolist()
        return Strings([(len(self),)] * len(column), [[part[i] for i in indices] for part in column.parts])

    def parts(self) -> Iterator[Elements]:
        """These elements in portions, so that the `query` of each is short."""
        portion: list[range] = []
        characters = 0
        for part in self.ranges:
            length = len(_text(part)) + 1
            if portion and characters + length > MOST_CHARACTERS:
                yield Elements(tuple(portion), self.size)
                portion, characters = [], 0
            portion.append(part)
            characters += length
        yield Elements(tuple(portion), self.size)


def side_by_side(columns: Sequence[Column]) -> Column:
    """Columns of the same draws as one, whose draws have the elements of all."""
    if isinstance(columns[0], Rigid):
        return Rigid(np.concatenate([column.values for column in columns if isinstance(column, Rigid)], axis=1))
    parts = [column.parts for column in columns if isinstance(column, Strings)]
    draws = [[text for texts in draw for text in texts] for draw in zip(*parts, strict=True)]
    return Strings([(len(draw),) for draw in draws], draws)


def _text(part: range) -> str:
    return str(part.start) if len(part) == 1 else f"{part.start}:{part.stop}"


def _range(var: Variable, item: ElementIndex, size: int) -> range:
    if isinstance(item, (bool, np.bool_)):
        raise TypeError(f"elements of {var.name!r} are indices, not a mask: numpy.flatnonzero(mask) gives those")
    try:
        if not isinstance(item, slice):
            first = operator.index(item)
            part = range(first, first + 1)
        else:
            step = 1 if item.step is None else operator.index(item.step)
            if step != 1:
                raise ValueError(f"a range of elements has no step, as {item} has: name each of them")
            first = 0 if item.start is None else operator.index(item.start)
            part = range(first, size if item.stop is None else operator.index(item.stop))
    except TypeError:
        raise TypeError(
            f"an element of {var.name!r} is an index into the flattened value, or a slice of such, not {item!r}; "
            "numpy.ravel_multi_index gives the index of a place in an array"
        ) from None
    if first < 0 or part.stop < 0:
        raise IndexError(f"elements of {var.name!r} are counted from 0 on; of its {size}, the last is {size - 1}")
    if not part:
        raise ValueError(f"a range of elements begins before it ends, unlike {item}")
    if part.stop > size:
        raise IndexError(f"{var.name!r} has the elements 0 to {size - 1}, and none of index {part.stop - 1}")
    return part
