"""A run's metadata, known before its first draw: variables, stats, coordinates, data, attributes."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import ArrayLike

from ._generated import meta_pb2
from .attributes import attribute_from_message, attribute_to_message
from .errors import ObjectArrayError, ProtocolError, shown
from .labels import Notes, plain_data, plain_labels
from .ndarray import Array, from_message, holds_objects, to_message

log = logging.getLogger("mcbackend_edge")

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "str"),
)


# Variables and stats of a run that are taken from a server, at most; servers have 10,000 by default.
MOST_COLUMNS = 100_000
# Elements of a fixed shape, at most; the default of servers.
_MOST_ELEMENTS = 2**31
_MOST_DIMENSIONS = 32


@dataclass(frozen=True)
class Variable:
    """A model variable or a sampler stat.

    Attributes
    ----------
    name : any non-empty text of up to 256 characters.
    dtype : one of ``DTYPES``.
    shape : one draw's shape; ``()`` is a scalar, -1 a dimension that varies from draw to draw.
    dims : a name for each dimension, or none at all.
    is_deterministic : True if it is computed from other variables.
    undefined_ndim : the number of dimensions varies as well; `shape` then means nothing.
    """

    name: str
    dtype: str = "float64"
    shape: tuple[int, ...] = ()
    dims: tuple[str, ...] = ()
    is_deterministic: bool = False
    undefined_ndim: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise TypeError(f"{self.name!r} has dtype {self.dtype!r}, which is not one of {', '.join(DTYPES)}")
        object.__setattr__(self, "shape", tuple(int(length) for length in self.shape))
        object.__setattr__(self, "dims", tuple(self.dims))

    @cached_property
    def is_rigid(self) -> bool:
        """True if every draw has the same shape."""
        return not self.undefined_ndim and -1 not in self.shape

    @cached_property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Little-endian NumPy dtype of the elements; of no use for ``str``."""
        # Made from its code, it is the same object that arrays on little-endian machines have: comparing it is quick.
        return np.dtype(np.dtype(self.dtype).newbyteorder("<").str)

    def fill(self) -> Array:
        """The value as which a missing stat reads: NaN, 0, False or "", with 0 for each varying length."""
        shape = () if self.undefined_ndim else tuple(0 if length == -1 else length for length in self.shape)
        if self.dtype == "str":
            return np.full(shape, "", dtype="<U1")
        return np.full(shape, self.fill_value, dtype=self.numpy_dtype)

    @property
    def fill_value(self) -> float:
        """Each element of a missing stat, if it is a number."""
        return np.nan if self.dtype.startswith("float") else 0

    @property
    def fill_bytes(self) -> int:
        """Bytes of `fill`, which may be more than there is memory for."""
        shape = () if self.undefined_ndim else (max(0, length) for length in self.shape)
        return math.prod(shape) * (4 if self.dtype == "str" else self.numpy_dtype.itemsize)

    def fits(self, shape: Sequence[int]) -> bool:
        """True if a draw of this variable may have that shape."""
        if self.undefined_ndim:
            return True
        return len(shape) == len(self.shape) and all(want in (-1, have) for want, have in zip(self.shape, shape))

    @classmethod
    def like(cls, name: str, value: ArrayLike, dims: Sequence[str] = ()) -> Variable:
        """The variable of which `value` is one draw.

        Raises
        ------
        TypeError
            If the value has no dtype that can be stored.
        """
        array = np.asarray(value)
        is_text = array.dtype.kind in "UT" or (array.dtype == object and all(isinstance(v, str) for v in array.flat))
        dtype = "str" if is_text else array.dtype.name
        return cls(name, dtype, array.shape, tuple(dims))

    @classmethod
    def from_message(cls, message: meta_pb2.Variable) -> Variable:
        return cls(
            message.name,
            message.dtype,
            tuple(message.shape),
            tuple(message.dims),
            message.is_deterministic,
            message.undefined_ndim,
        )

    def check(self) -> None:
        """
        Raises
        ------
        ValueError
            If no array can have this shape.
        """
        if len(self.shape) > _MOST_DIMENSIONS or any(length < -1 for length in self.shape):
            raise ValueError(f"{shown(self.name, 300)!r} has an impossible shape")
        if self.is_rigid and math.prod(self.shape) > _MOST_ELEMENTS:
            raise ValueError(f"{shown(self.name, 300)!r} has more elements than can be stored")

    def to_message(self) -> meta_pb2.Variable:
        return meta_pb2.Variable(
            name=self.name,
            dtype=self.dtype,
            shape=self.shape,
            dims=self.dims,
            is_deterministic=self.is_deterministic,
            undefined_ndim=self.undefined_ndim,
        )


@dataclass(frozen=True)
class DataVariable:
    """Constant or observed data of a model; `dims` names its dimensions or is empty."""

    name: str
    value: Array
    dims: tuple[str, ...] = ()
    is_observed: bool = False


Variables = Sequence[Variable] | Mapping[str, "ArrayLike | Variable"]


class RunMeta:
    """Metadata of a run, kept as the registered bytes, so that fields of a newer schema survive."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._message = meta_pb2.RunMeta.FromString(raw)
        if len(self._message.variables) + len(self._message.sample_stats) > MOST_COLUMNS:
            raise ValueError(f"it has more than {MOST_COLUMNS} variables and stats")
        self.variables = tuple(map(Variable.from_message, self._message.variables))
        self.sample_stats = tuple(map(Variable.from_message, self._message.sample_stats))

    @classmethod
    def received(cls, raw: bytes) -> RunMeta:
        """Metadata that a server has sent.

        Raises
        ------
        ProtocolError
            If the bytes are no RunMeta.
        """
        try:
            meta = cls(raw)
            for var in (*meta.variables, *meta.sample_stats):
                var.check()
        except (DecodeError, TypeError, ValueError, RecursionError, MemoryError) as error:
            raise ProtocolError(f"not a run's metadata: {shown(str(error), 300)}") from error
        for names in ([var.name for var in meta.variables], [var.name for var in meta.sample_stats]):
            if len(set(names)) < len(names):
                raise ProtocolError("not a run's metadata: it names a variable twice")
        return meta

    @property
    def rid(self) -> str:
        return self._message.rid

    def renamed(self, rid: str) -> RunMeta:
        """The same metadata under another id."""
        message = meta_pb2.RunMeta.FromString(self.raw)
        message.rid = rid
        return RunMeta(message.SerializeToString(deterministic=True))

    def is_same(self, other: RunMeta) -> bool:
        """True for metadata that are equal as messages, whatever their ids."""
        return self.renamed("").raw == other.renamed("").raw

    @cached_property
    def coords(self) -> dict[str, Array]:
        """Labels along the named dimensions: an array of shape (labels,) each.

        Labels that cannot be read are counted from 0, with a warning; those without a length are left out. McBackend
        stores tuples as the rows of a table; they read as one text each.
        """
        coords, unreadable = {}, []
        for item in self._message.coordinates:
            try:
                labels = from_message(item.values)
                coords[item.name] = labels if labels.ndim == 1 else plain_labels(labels).values
            except ProtocolError:
                unreadable.append(shown(item.name, 100))
                # Each label takes a byte at least: a length beyond that is made up.
                if len(item.values.shape) == 1 and 0 <= item.values.shape[0] <= len(item.values.data):
                    coords[item.name] = np.arange(item.values.shape[0])
        if unreadable:
            log.warning("run %s has labels that cannot be read, of %s: they are counted from 0.", self.rid, unreadable)
        return coords

    @cached_property
    def data(self) -> tuple[DataVariable, ...]:
        """Constant and observed data. Arrays of Python objects, which cannot be read, are left out with a warning."""
        found, unreadable = [], []
        for item in self._message.data:
            try:
                value = from_message(item.value)
            except ObjectArrayError:
                unreadable.append(shown(item.name, 100))
            else:
                found.append(DataVariable(item.name, value, tuple(item.dims), item.is_observed))
        if unreadable:
            log.warning("run %s has data of Python objects, which cannot be read: %s.", self.rid, unreadable)
        return tuple(found)

    @property
    def constant_data(self) -> dict[str, Array]:
        return {item.name: item.value for item in self.data if not item.is_observed}

    @property
    def observed_data(self) -> dict[str, Array]:
        return {item.name: item.value for item in self.data if item.is_observed}

    @property
    def dims(self) -> dict[str, list[str]]:
        """Names of the dimensions of the variables and data that have them, as McBackend gives them."""
        dims = {
            var.name: list(var.dims)
            for var in self.variables
            if len(var.dims) == len(var.shape) and not var.undefined_ndim
        }
        dims.update({item.name: list(item.dims) for item in self.data if item.dims})
        return dims

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """Attributes as Python values: None, float, str, bool, dict, list, datetime, timedelta or array.

        All numbers are floats, as the schema has it. Arrays of Python objects, which cannot be read, are None.
        """
        try:
            return {name: attribute_from_message(value) for name, value in self._message.attributes.items()}
        except (ValueError, OverflowError, RecursionError) as error:
            raise ProtocolError(f"the attributes of run {self.rid} cannot be read: {shown(str(error), 300)}") from error


def as_variables(variables: Variables, dims: Mapping[str, Sequence[str]]) -> list[Variable]:
    """Variables from a list of them, or from example values by name."""
    if not isinstance(variables, Mapping):
        return list(variables)
    return [
        value if isinstance(value, Variable) else Variable.like(name, value, dims.get(name, ()))
        for name, value in variables.items()
    ]


def build_run_meta(
    rid: str,
    *,
    variables: Variables,
    sample_stats: Variables = (),
    coords: Mapping[str, Any] | None = None,
    dims: Mapping[str, Sequence[str]] | None = None,
    data: Mapping[str, ArrayLike] | Iterable[DataVariable] = (),
    observed_data: Mapping[str, ArrayLike] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> RunMeta:
    """Puts the metadata of a run together; see `Client.create_run` for the parameters."""
    dims = dims or {}
    message = meta_pb2.RunMeta(
        rid=rid,
        variables=[var.to_message() for var in as_variables(variables, dims)],
        sample_stats=[var.to_message() for var in as_variables(sample_stats, dims)],
    )
    notes = Notes(rid)
    for name, labels in (coords or {}).items():
        values = notes.taken(plain_labels(labels), f"the labels of {name!r}")
        message.coordinates.append(meta_pb2.Coordinate(name=name, values=to_message(values)))
    for item in _data_variables(data, observed_data or {}, dims):
        values = notes.taken(plain_data(item.value, item.name), f"the data {item.name!r}")
        message.data.append(
            meta_pb2.DataVariable(
                name=item.name, value=to_message(values), dims=item.dims, is_observed=item.is_observed
            )
        )
    for name, value in (attributes or {}).items():
        if isinstance(value, np.ndarray):
            value = notes.taken(plain_data(value, name), f"the attribute {name!r}")
        message.attributes[name].CopyFrom(attribute_to_message(name, value))
    notes.tell()
    return RunMeta(message.SerializeToString(deterministic=True))


def without_objects(raw: bytes, coords: Mapping[str, Any], data: Mapping[str, Any]) -> RunMeta:
    """Metadata that McBackend has serialised, without the addresses of Python objects that it may hold.

    It also makes tables of tuples, and these are replaced as well.

    Parameters
    ----------
    coords, data : labels and data by name, as far as the caller has them. They take the place of those that McBackend
        could not serialise. Other labels are counted from 0, and other data and attributes left out, with a warning.
    """
    message = meta_pb2.RunMeta.FromString(raw)
    rid, lost = message.rid, []
    notes = Notes(rid)
    for label in message.coordinates:
        are_objects = holds_objects(label.values)
        if not are_objects and len(label.values.shape) == 1:
            continue
        what = f"the labels of {label.name!r}"
        if label.name in coords:
            labels = coords[label.name]
        elif are_objects:
            labels = range(math.prod(label.values.shape))
            lost.append(what)
        else:
            labels = from_message(label.values)
        label.values.CopyFrom(to_message(notes.taken(plain_labels(labels), what)))
    for item in list(message.data):
        if holds_objects(item.value):
            if item.name in data:
                values = notes.taken(plain_data(data[item.name], item.name), f"the data {item.name!r}")
                item.value.CopyFrom(to_message(values))
            else:
                message.data.remove(item)
                lost.append(f"the data {item.name!r}")
    for name in [name for name, value in message.attributes.items() if holds_objects(value.ndarray_value)]:
        del message.attributes[name]
        lost.append(f"the attribute {name!r}")
    notes.tell()
    if lost:
        log.warning("run %s is stored without what McBackend cannot serialise: %s.", rid, ", ".join(lost))
    return RunMeta(message.SerializeToString(deterministic=True))


def _data_variables(
    data: Mapping[str, ArrayLike] | Iterable[DataVariable],
    observed: Mapping[str, ArrayLike],
    dims: Mapping[str, Sequence[str]],
) -> list[DataVariable]:
    def of(values: Mapping[str, Any], is_observed: bool) -> list[DataVariable]:
        return [DataVariable(name, value, tuple(dims.get(name, ())), is_observed) for name, value in values.items()]

    return (of(data, False) if isinstance(data, Mapping) else list(data)) + of(observed, True)
