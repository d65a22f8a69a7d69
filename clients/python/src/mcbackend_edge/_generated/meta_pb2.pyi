from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mcbackend_edge._generated.npproto import ndarray_pb2 as _ndarray_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChainMeta(_message.Message):
    __slots__ = ("rid", "chain_number")
    RID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NUMBER_FIELD_NUMBER: _ClassVar[int]
    rid: str
    chain_number: int
    def __init__(self, rid: _Optional[str] = ..., chain_number: _Optional[int] = ...) -> None: ...

class Variable(_message.Message):
    __slots__ = ("name", "dtype", "shape", "dims", "is_deterministic", "undefined_ndim")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DIMS_FIELD_NUMBER: _ClassVar[int]
    IS_DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    UNDEFINED_NDIM_FIELD_NUMBER: _ClassVar[int]
    name: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    dims: _containers.RepeatedScalarFieldContainer[str]
    is_deterministic: bool
    undefined_ndim: bool
    def __init__(self, name: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., dims: _Optional[_Iterable[str]] = ..., is_deterministic: bool = ..., undefined_ndim: bool = ...) -> None: ...

class Coordinate(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _ndarray_pb2.ndarray
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Union[_ndarray_pb2.ndarray, _Mapping]] = ...) -> None: ...

class DataVariable(_message.Message):
    __slots__ = ("name", "value", "dims", "is_observed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DIMS_FIELD_NUMBER: _ClassVar[int]
    IS_OBSERVED_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: _ndarray_pb2.ndarray
    dims: _containers.RepeatedScalarFieldContainer[str]
    is_observed: bool
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[_ndarray_pb2.ndarray, _Mapping]] = ..., dims: _Optional[_Iterable[str]] = ..., is_observed: bool = ...) -> None: ...

class ExtendedValue(_message.Message):
    __slots__ = ("null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value", "timestamp_value", "duration_value", "ndarray_value")
    NULL_VALUE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRUCT_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VALUE_FIELD_NUMBER: _ClassVar[int]
    DURATION_VALUE_FIELD_NUMBER: _ClassVar[int]
    NDARRAY_VALUE_FIELD_NUMBER: _ClassVar[int]
    null_value: _struct_pb2.NullValue
    number_value: float
    string_value: str
    bool_value: bool
    struct_value: _struct_pb2.Struct
    list_value: _struct_pb2.ListValue
    timestamp_value: _timestamp_pb2.Timestamp
    duration_value: _duration_pb2.Duration
    ndarray_value: _ndarray_pb2.ndarray
    def __init__(self, null_value: _Optional[_Union[_struct_pb2.NullValue, str]] = ..., number_value: _Optional[float] = ..., string_value: _Optional[str] = ..., bool_value: bool = ..., struct_value: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., list_value: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., timestamp_value: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., duration_value: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., ndarray_value: _Optional[_Union[_ndarray_pb2.ndarray, _Mapping]] = ...) -> None: ...

class RunMeta(_message.Message):
    __slots__ = ("rid", "variables", "coordinates", "attributes", "sample_stats", "data")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ExtendedValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ExtendedValue, _Mapping]] = ...) -> None: ...
    RID_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    COORDINATES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_STATS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    rid: str
    variables: _containers.RepeatedCompositeFieldContainer[Variable]
    coordinates: _containers.RepeatedCompositeFieldContainer[Coordinate]
    attributes: _containers.MessageMap[str, ExtendedValue]
    sample_stats: _containers.RepeatedCompositeFieldContainer[Variable]
    data: _containers.RepeatedCompositeFieldContainer[DataVariable]
    def __init__(self, rid: _Optional[str] = ..., variables: _Optional[_Iterable[_Union[Variable, _Mapping]]] = ..., coordinates: _Optional[_Iterable[_Union[Coordinate, _Mapping]]] = ..., attributes: _Optional[_Mapping[str, ExtendedValue]] = ..., sample_stats: _Optional[_Iterable[_Union[Variable, _Mapping]]] = ..., data: _Optional[_Iterable[_Union[DataVariable, _Mapping]]] = ...) -> None: ...
