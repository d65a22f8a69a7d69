"""Draws of one variable, in memory: rigid numbers, ragged numbers, or strings; and their NumPy forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import DtypeMismatchError, ShapeMismatchError
from .ndarray import Array
from .schema import Variable

Shape = tuple[int, ...]


# Python objects (strings, and arrays of varying shape) that one column of an answer may become, at most. Each takes up
# to 200 bytes in memory, however few it has in the answer.
MOST_OBJECTS = 10_000_000


@dataclass(frozen=True)
class Rigid:
    """Numbers of one shape: `values` is a C-ordered, little-endian array of shape (draws, \\*shape)."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Absent(Rigid):
    """A stat that no draw has: its fill value, without the memory for it."""

    @classmethod
    def of(cls, var: Variable, draws: int) -> Absent:
        fill = np.array(var.fill_value, dtype=var.numpy_dtype)
        return cls(np.broadcast_to(fill, (draws, *var.shape)))


@dataclass(frozen=True)
class Ragged:
    """Numbers whose shape varies: for each draw its shape and its elements' bytes, in C order, little-endian."""

    shapes: Sequence[Shape]
    parts: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.shapes)


@dataclass(frozen=True)
class Strings:
    """Strings: for each draw its shape and its elements in C order."""

    shapes: Sequence[Shape]
    parts: Sequence[Sequence[str]]

    def __len__(self) -> int:
        return len(self.shapes)


Column = Rigid | Ragged | Strings


def absent(var: Variable, draws: int) -> Column:
    """A stat that none of these draws has: its fill value each time."""
    if var.is_rigid and var.dtype != "str":
        return Absent.of(var, draws)
    fill = var.fill()
    shapes = [fill.shape] * draws
    if var.dtype == "str":
        return Strings(shapes, [fill.ravel().tolist()] * draws)
    return Ragged(shapes, [fill.tobytes()] * draws)


@dataclass(frozen=True)
class Repeated(Sequence[Any]):
    """One value many times, without the memory for that."""

    value: Any
    times: int

    def __len__(self) -> int:
        return self.times

    def __getitem__(self, index: Any) -> Any:
        selected = range(self.times)[index]
        return Repeated(self.value, len(selected)) if isinstance(selected, range) else self.value


def text_array(texts: Sequence[str], shape: Shape) -> Array:
    """Strings as an array: ``<U``, or Python objects where one ends in NUL, which NumPy's own strings lose."""
    has_nul = "\0" in "".join(texts) and any(text.endswith("\0") for text in texts)
    return np.array(texts, dtype=object if has_nul else str).reshape(shape)


def to_numpy(var: Variable, column: Column) -> Array:
    """Draws as McBackend's NumPyBackend gives them.

    Returns
    -------
    An array of shape (draws, \\*shape) for rigid variables; for those that are not, an object array of shape (draws,)
    of arrays. Strings are an array of shape (draws, \\*shape) where all have one shape; see `text_array`.
    """
    if isinstance(column, Rigid):
        return column.values
    if isinstance(column.shapes, Repeated):
        return np.empty((len(column), *column.shapes.value), dtype="<U1")
    if isinstance(column, Strings) and len(set(column.shapes)) <= 1:
        shape = column.shapes[0] if column.shapes else var.shape if var.is_rigid else ()
        flat = [text for part in column.parts for text in part]
        return text_array(flat, (len(column), *shape))
    result = np.empty(len(column), dtype=object)
    for index in range(len(column)):
        result[index] = draw_at(var, column, index)
    return result


def element_at(values: Array, index: int) -> Array:
    """One draw of an array that `to_numpy` has given."""
    value = values[index]
    return text_array([value], ()) if isinstance(value, str) else np.asarray(value)


def draw_at(var: Variable, column: Column, index: int) -> Array:
    """One draw, as an array of its own shape."""
    if isinstance(column, Rigid):
        return np.asarray(column.values[index])
    if isinstance(column, Strings):
        return text_array(column.parts[index], column.shapes[index])
    return np.frombuffer(column.parts[index], var.numpy_dtype).reshape(column.shapes[index]).copy()


def strict_cast(var: Variable, value: ArrayLike) -> Array:
    """A value in the variable's dtype and of a shape that fits it.

    Floats may lose precision (float64 into float32); every other conversion must give back the same value.

    Raises
    ------
    DtypeMismatchError, ShapeMismatchError
    """
    if var.dtype == "str":
        cast = _texts(value)
        if cast.dtype.kind != "U" and not all(isinstance(item, str) for item in cast.flat):
            raise DtypeMismatchError(f"{var.name!r} holds strings, not {np.asarray(value).dtype}")
    else:
        cast = _lossless(var, np.asarray(value))
    if not var.fits(cast.shape):
        raise ShapeMismatchError(f"{var.name!r} has shape {list(var.shape)}, not {list(cast.shape)}")
    return cast


def _texts(value: ArrayLike) -> Array:
    """Strings as they are; only those in an array of NumPy's have lost NULs at their ends before."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "UO":
        return value
    return np.asarray(value, dtype=object)


def _lossless(var: Variable, array: Array) -> Array:
    target = var.numpy_dtype
    if array.dtype == target:
        return array
    if array.dtype.kind not in "biuf":
        raise DtypeMismatchError(f"{var.name!r} has dtype {var.dtype}, into which {array.dtype} does not go")
    with np.errstate(all="ignore"):
        cast = array.astype(target)
        is_float_to_float = array.dtype.kind == target.kind == "f"
        if not is_float_to_float and not np.array_equal(cast.astype(array.dtype), array):
            raise DtypeMismatchError(f"{var.name!r} has dtype {var.dtype}, in which {_short(array)} has no place")
    return cast


def numpy_cast(var: Variable, value: ArrayLike) -> Array:
    """A value as NumPy's assignment ``column[i] = value`` would store it: cast and broadcast.

    Raises
    ------
    DtypeMismatchError, ShapeMismatchError
        For values that NumPy cannot assign either.
    """
    if var.dtype == "str":
        texts = _texts(value)
        is_text = texts.dtype.kind == "U" or all(isinstance(item, str) for item in texts.flat)
        return texts if is_text else np.asarray(value).astype(str)
    array = np.asarray(value)
    if array.dtype != var.numpy_dtype:
        try:
            with np.errstate(all="ignore"):
                array = array.astype(var.numpy_dtype)
        except (TypeError, ValueError) as error:
            raise DtypeMismatchError(f"{var.name!r} has dtype {var.dtype}: {error}") from error
    if not var.is_rigid or array.shape == var.shape:
        return array
    try:
        if array.size == math.prod(var.shape):
            return array.reshape(var.shape)
        return np.broadcast_to(array, var.shape)
    except ValueError as error:
        raise ShapeMismatchError(f"{var.name!r} has shape {list(var.shape)}, not {list(array.shape)}") from error


def column_of(var: Variable, values: Any) -> Column:
    """A block of draws as a column.

    Parameters
    ----------
    values : an array of shape (draws, \\*shape), or for variables that are not rigid a sequence of arrays.

    Raises
    ------
    DtypeMismatchError, ShapeMismatchError
    """
    if var.is_rigid and var.dtype != "str":
        array = _lossless(var, np.asarray(values))
        if array.ndim == 0 or array.shape[1:] != var.shape:
            raise ShapeMismatchError(
                f"a block of {var.name!r} has shape [draws, {str(list(var.shape))[1:-1]}], not {list(array.shape)}"
            )
        return Rigid(np.ascontiguousarray(array))
    draws = [strict_cast(var, value) for value in values]
    shapes = [draw.shape for draw in draws]
    if var.dtype == "str":
        return Strings(shapes, [draw.ravel().tolist() for draw in draws])
    return Ragged(shapes, [draw.tobytes() for draw in draws])


def _short(array: Array) -> str:
    text = np.array2string(array, threshold=6, edgeitems=2).replace("\n", "")
    return f"{array.dtype} {text[:60]}"
