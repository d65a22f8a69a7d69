"""A run's metadata, known before its first draw: variables, stats, coordinates, data, attributes."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from google.protobuf import struct_pb2
from google.protobuf.message import DecodeError
from numpy.typing import ArrayLike

from ._generated import meta_pb2
from .errors import ProtocolError, shown
from .ndarray import Array, from_message, to_message

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
        return np.full(shape, np.nan if self.dtype.startswith("float") else 0, dtype=self.numpy_dtype)

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
        dtype = "str" if array.dtype.kind == "U" else array.dtype.name
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

    @cached_property
    def coords(self) -> dict[str, Array]:
        """Labels along the named dimensions."""
        return {item.name: from_message(item.values) for item in self._message.coordinates}

    @cached_property
    def data(self) -> tuple[DataVariable, ...]:
        return tuple(
            DataVariable(item.name, from_message(item.value), tuple(item.dims), item.is_observed)
            for item in self._message.data
        )

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
        """Attributes as Python values: None, float, str, bool, dict, list, datetime, timedelta or array."""
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
    coords: Mapping[str, ArrayLike] | None = None,
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
    for name, labels in (coords or {}).items():
        message.coordinates.append(meta_pb2.Coordinate(name=name, values=to_message(labels)))
    for item in _data_variables(data, observed_data or {}, dims):
        message.data.append(
            meta_pb2.DataVariable(
                name=item.name, value=to_message(item.value), dims=item.dims, is_observed=item.is_observed
            )
        )
    for name, value in (attributes or {}).items():
        message.attributes[name].CopyFrom(attribute_to_message(name, value))
    return RunMeta(message.SerializeToString(deterministic=True))


def _data_variables(
    data: Mapping[str, ArrayLike] | Iterable[DataVariable],
    observed: Mapping[str, ArrayLike],
    dims: Mapping[str, Sequence[str]],
) -> list[DataVariable]:
    if isinstance(data, Mapping):
        items = [DataVariable(name, np.asarray(value), tuple(dims.get(name, ()))) for name, value in data.items()]
    else:
        items = list(data)
    items += [
        DataVariable(name, np.asarray(value), tuple(dims.get(name, ())), True) for name, value in observed.items()
    ]
    return items


def attribute_to_message(name: str, value: object) -> meta_pb2.ExtendedValue:
    """Encodes one attribute of a run.

    Raises
    ------
    TypeError
        For values that have no place in the schema.
    """
    if value is None:
        return meta_pb2.ExtendedValue(null_value="NULL_VALUE")
    message = meta_pb2.ExtendedValue()
    if isinstance(value, (bool, np.bool_)):
        message.bool_value = bool(value)
    elif isinstance(value, (int, float, np.integer, np.floating)):
        message.number_value = float(value)
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, Mapping):
        message.struct_value.update(dict(value))
    elif isinstance(value, (list, tuple)):
        message.list_value.extend(list(value))
    elif isinstance(value, dt.datetime):
        message.timestamp_value.FromDatetime(value)
    elif isinstance(value, dt.timedelta):
        message.duration_value.FromTimedelta(value)
    elif isinstance(value, np.ndarray):
        message.ndarray_value.CopyFrom(to_message(value))
    else:
        raise TypeError(f"the attribute {name!r} is a {type(value).__name__}, which cannot be stored")
    return message


def attribute_from_message(message: meta_pb2.ExtendedValue) -> Any:
    """The Python value of an attribute; None also for a kind that this version does not know."""
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "struct_value":
        return {name: _plain(value) for name, value in message.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(value) for value in message.list_value.values]
    if kind == "timestamp_value":
        return message.timestamp_value.ToDatetime(tzinfo=dt.timezone.utc)
    if kind == "duration_value":
        return message.duration_value.ToTimedelta()
    if kind == "ndarray_value":
        return from_message(message.ndarray_value)
    return getattr(message, kind)


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _plain(item) for name, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
