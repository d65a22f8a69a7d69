"""The messages of the HTTP protocol in the official protobuf runtime, which is the oracle for bytes and JSON.

The descriptors are built here from the protocol's table of field numbers, so that nothing is compiled and nothing
is shared with the implementation under test.
"""

from __future__ import annotations

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    json_format,
    message,
    message_factory,
    struct_pb2,
    timestamp_pb2,
)

_Field = descriptor_pb2.FieldDescriptorProto

_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "double": _Field.TYPE_DOUBLE,
    "fixed32": _Field.TYPE_FIXED32,
    "fixed64": _Field.TYPE_FIXED64,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "sint64": _Field.TYPE_SINT64,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}

_NDARRAY = {
    "ndarray": "bytes data=1; string dtype=2; repeated int64 shape=3; repeated int64 strides=4; string order=5",
}

_META = {
    "ChainMeta": "string rid=1; int32 chain_number=2",
    "Variable": (
        "string name=1; string dtype=2; repeated int64 shape=3; repeated string dims=4;"
        "bool is_deterministic=5; bool undefined_ndim=6"
    ),
    "Coordinate": "string name=1; npproto.ndarray values=2",
    "DataVariable": "string name=1; npproto.ndarray value=2; repeated string dims=3; bool is_observed=4",
    "ExtendedValue": (
        "oneof google.protobuf.NullValue null_value=1; oneof double number_value=2; oneof string string_value=3;"
        "oneof bool bool_value=4; oneof google.protobuf.Struct struct_value=5;"
        "oneof google.protobuf.ListValue list_value=6; oneof google.protobuf.Timestamp timestamp_value=7;"
        "oneof google.protobuf.Duration duration_value=8; oneof npproto.ndarray ndarray_value=9"
    ),
    "RunMeta": (
        "string rid=1; repeated Variable variables=3; repeated Coordinate coordinates=4;"
        "map ExtendedValue attributes=5; repeated Variable sample_stats=6; repeated DataVariable data=7"
    ),
}

_DRAWS = {
    "Column": "string name=1; string dtype=2; bytes data=3; repeated uint32 shapes=4; repeated string strings=5",
    "DrawBatch": "uint64 start=1; uint32 count=2; repeated Column draws=3; repeated Column stats=4; sint64 step=5",
    # The same wire format in other clothes: `shapes` unpacked, columns as bytes that are assembled elsewhere, and
    # the fields that a later schema might add.
    "UnpackedColumn": (
        "string name=1; string dtype=2; bytes data=3; unpacked uint32 shapes=4; repeated string strings=5"
    ),
    "RawDrawBatch": "uint64 start=1; uint32 count=2; repeated bytes draws=3; repeated bytes stats=4; sint64 step=5",
    "LaterFields": (
        "uint64 v=15; fixed32 f=16; fixed64 g=2047; bytes b=536870911; Column nested=2048; unpacked int32 u=19"
    ),
}


def _add_field(into: descriptor_pb2.DescriptorProto, package: str, spec: str) -> None:
    """Adds the field that one clause of the tables above describes, such as `repeated int64 shape=3`."""
    *labels, type_name, name_and_number = spec.split()
    name, number = name_and_number.split("=")
    field = into.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if "map" in labels:
        entry = into.nested_type.add(name="".join(p.capitalize() for p in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, package, "string key=1")
        _add_field(entry, package, f"{type_name} value=2")
        field.label = _Field.LABEL_REPEATED
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{package}{into.name}.{entry.name}"
        return
    if "repeated" in labels or "unpacked" in labels:
        field.label = _Field.LABEL_REPEATED
    if "unpacked" in labels:
        field.options.packed = False
    if "oneof" in labels:
        if not into.oneof_decl:
            into.oneof_decl.add(name="kind")
        field.oneof_index = 0
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
    else:
        field.type = _Field.TYPE_ENUM if type_name.endswith("NullValue") else _Field.TYPE_MESSAGE
        field.type_name = f".{type_name}" if "." in type_name else f".{package}{type_name}"


def _add_file(
    pool: descriptor_pool.DescriptorPool, path: str, package: str, table: dict[str, str], deps: list[str]
) -> None:
    file = descriptor_pb2.FileDescriptorProto(name=path, package=package, syntax="proto3", dependency=deps)
    for name, fields in table.items():
        into = file.message_type.add(name=name)
        for spec in fields.split(";"):
            _add_field(into, f"{package}." if package else "", spec)
    pool.AddSerializedFile(file.SerializeToString())


def _build_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    known = [struct_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR, duration_pb2.DESCRIPTOR]
    for file in known:
        pool.AddSerializedFile(file.serialized_pb)
    _add_file(pool, "npproto/ndarray.proto", "npproto", _NDARRAY, [])
    _add_file(pool, "meta.proto", "", _META, ["npproto/ndarray.proto", *(file.name for file in known)])
    _add_file(pool, "draws.proto", "golden", _DRAWS, [])
    return pool


_POOL = _build_pool()


def message_class(name: str) -> type[message.Message]:
    """The official runtime's class of a message of the tables above, by its full name (`RunMeta`, `golden.Column`)."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


RunMeta = message_class("RunMeta")
ExtendedValue = message_class("ExtendedValue")
DrawBatch = message_class("golden.DrawBatch")
Column = message_class("golden.Column")
UnpackedColumn = message_class("golden.UnpackedColumn")
RawDrawBatch = message_class("golden.RawDrawBatch")
LaterFields = message_class("golden.LaterFields")

DecodeError = message.DecodeError


def wire(msg: message.Message) -> bytes:
    """The message's bytes, map entries sorted, so that they are the same in every run."""
    return msg.SerializeToString(deterministic=True)


def canonical_json(data: bytes) -> object:
    """The canonical proto3 JSON of RunMeta bytes: lowerCamelCase names, fields with default values left out.

    Raises DecodeError for bytes that are no RunMeta, and json_format.SerializeToJsonError (or its base, ValueError)
    for a RunMeta that the mapping cannot express.
    """
    return json_format.MessageToDict(RunMeta.FromString(data))
