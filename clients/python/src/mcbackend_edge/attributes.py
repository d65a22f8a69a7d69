"""Attributes of a run to and from the schema's `ExtendedValue`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import struct_pb2

from ._generated import meta_pb2
from .ndarray import from_message, holds_objects, to_message


def attribute_to_message(name: str, value: object) -> meta_pb2.ExtendedValue:
    """Encodes one attribute of a run.

    Numbers are doubles on the wire, so that whole ones read back as floats, and exactly up to 2**53.

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
    elif isinstance(value, (np.ndarray, np.datetime64, np.timedelta64)):
        message.ndarray_value.CopyFrom(to_message(value))
    elif isinstance(value, (int, float, np.integer, np.floating)):
        message.number_value = float(value)
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, Mapping):
        message.struct_value.CopyFrom(_struct(name, value))
    elif isinstance(value, (list, tuple)):
        message.list_value.CopyFrom(_list(name, value))
    elif isinstance(value, dt.datetime):
        message.timestamp_value.FromDatetime(value)
    elif isinstance(value, dt.timedelta):
        message.duration_value.FromTimedelta(value)
    else:
        raise TypeError(f"the attribute {name!r} is a {type(value).__name__}, which cannot be stored")
    return message


def _struct(place: str, values: Mapping[Any, Any]) -> struct_pb2.Struct:
    for key in values:
        if not isinstance(key, str):
            raise TypeError(f"the attribute {place!r} has the key {key!r}, which is no text")
    return struct_pb2.Struct(fields={key: _value(f"{place}.{key}", value) for key, value in values.items()})


def _list(place: str, values: Any) -> struct_pb2.ListValue:
    return struct_pb2.ListValue(values=[_value(f"{place}[{i}]", value) for i, value in enumerate(values)])


def _value(place: str, value: object) -> struct_pb2.Value:
    """A value within a list or dict, where there are neither times nor arrays: these become lists."""
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, (bool, np.bool_)):
        return struct_pb2.Value(bool_value=bool(value))
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, np.timedelta64):
        return struct_pb2.Value(number_value=float(value))
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=_struct(place, value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufUO":
        return _value(place, value.tolist())
    if isinstance(value, (list, tuple)):
        return struct_pb2.Value(list_value=_list(place, value))
    raise TypeError(f"the attribute {place!r} is a {type(value).__name__}, which cannot be stored in a list or dict")


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
        return None if holds_objects(message.ndarray_value) else from_message(message.ndarray_value)
    return getattr(message, kind)


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _plain(item) for name, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
