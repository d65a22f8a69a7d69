"""Builds a RunMeta with McBackend's package and remembers the numpy arrays that went in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import betterproto.lib.google.protobuf as google
import numpy as np
from mcbackend.meta import Coordinate, DataVariable, ExtendedValue, RunMeta, Variable
from mcbackend.npproto.utils import ndarray_from_numpy

NULL = google.NullValue(0)


class RunBuilder:
    """A RunMeta in the making.

    `meta` is McBackend's message; `arrays` holds each array under `coordinates.NAME`, `data.NAME` or
    `attributes.KEY`, as it was before it was encoded.
    """

    def __init__(self, rid: str = "") -> None:
        self.meta = RunMeta(rid=rid)
        self.arrays: dict[str, np.ndarray] = {}

    def _remember(self, path: str, array: np.ndarray) -> None:
        if path in self.arrays:
            raise ValueError(f"{path} is there already")
        self.arrays[path] = array

    def variable(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int] = (),
        dims: Sequence[str] = (),
        is_deterministic: bool = False,
        undefined_ndim: bool = False,
    ) -> RunBuilder:
        self.meta.variables.append(Variable(name, dtype, [*shape], [*dims], is_deterministic, undefined_ndim))
        return self

    def stat(self, name: str, dtype: str, shape: Sequence[int] = (), undefined_ndim: bool = False) -> RunBuilder:
        self.meta.sample_stats.append(Variable(name, dtype, [*shape], undefined_ndim=undefined_ndim))
        return self

    def coordinate(self, name: str, array: np.ndarray) -> RunBuilder:
        self._remember(f"coordinates.{name}", array)
        self.meta.coordinates.append(Coordinate(name=name, values=ndarray_from_numpy(array)))
        return self

    def data(self, name: str, array: np.ndarray, dims: Sequence[str] = (), is_observed: bool = False) -> RunBuilder:
        self._remember(f"data.{name}", array)
        self.meta.data.append(DataVariable(name, ndarray_from_numpy(array), [*dims], is_observed))
        return self

    def attribute(self, key: str, value: object) -> RunBuilder:
        """Sets an attribute to a Python value; dicts and lists become Struct and ListValue."""
        if isinstance(value, np.ndarray):
            self._remember(f"attributes.{key}", value)
        self.meta.attributes[key] = extended_value(value)
        return self

    def to_bytes(self) -> bytes:
        return bytes(self.meta)


class ReversedRun(RunBuilder):
    """The same message with its fields and map entries the other way round, as another writer may order them."""

    def to_bytes(self) -> bytes:
        attributes = (RunMeta(attributes={key: value}) for key, value in reversed(self.meta.attributes.items()))
        parts = [RunMeta(data=self.meta.data), RunMeta(sample_stats=self.meta.sample_stats), *attributes]
        parts += [RunMeta(coordinates=self.meta.coordinates), RunMeta(variables=self.meta.variables)]
        return b"".join(bytes(part) for part in [*parts, RunMeta(rid=self.meta.rid)])


def extended_value(value: object) -> ExtendedValue:
    """The ExtendedValue of a Python value.

    Messages go in as they are: a Timestamp or Duration holds nanoseconds and negative fractions, which betterproto
    writes but does not make from datetime and timedelta.
    """
    if value is None:
        return ExtendedValue(null_value=NULL)
    if isinstance(value, ExtendedValue):
        return value
    if isinstance(value, bool):
        return ExtendedValue(bool_value=value)
    if isinstance(value, (int, float)):
        return ExtendedValue(number_value=value)
    if isinstance(value, str):
        return ExtendedValue(string_value=value)
    if isinstance(value, (dict, google.Struct)):
        return ExtendedValue(struct_value=struct(value) if isinstance(value, dict) else value)
    if isinstance(value, (list, google.ListValue)):
        return ExtendedValue(list_value=list_value(value) if isinstance(value, list) else value)
    if isinstance(value, (datetime, google.Timestamp)):
        return ExtendedValue(timestamp_value=value)  # type: ignore[arg-type]
    if isinstance(value, (timedelta, google.Duration)):
        return ExtendedValue(duration_value=value)  # type: ignore[arg-type]
    if isinstance(value, np.ndarray):
        return ExtendedValue(ndarray_value=ndarray_from_numpy(value))
    raise TypeError(f"no ExtendedValue holds a {type(value).__name__}")


def struct(fields: dict[str, object]) -> google.Struct:
    """A google.protobuf.Struct; betterproto's own `Struct.from_dict` writes bytes that are no Struct."""
    return google.Struct(fields={key: _value(item) for key, item in fields.items()})


def list_value(items: list[object]) -> google.ListValue:
    return google.ListValue(values=[_value(item) for item in items])


def _value(value: object) -> google.Value:
    if isinstance(value, google.Value):
        return value
    if value is None:
        return google.Value(null_value=NULL)
    if isinstance(value, bool):
        return google.Value(bool_value=value)
    if isinstance(value, (int, float)):
        return google.Value(number_value=value)
    if isinstance(value, str):
        return google.Value(string_value=value)
    if isinstance(value, dict):
        return google.Value(struct_value=struct(value))
    if isinstance(value, list):
        return google.Value(list_value=list_value(value))
    raise TypeError(f"no google.protobuf.Value holds a {type(value).__name__}")
