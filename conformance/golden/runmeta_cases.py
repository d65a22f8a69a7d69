"""The RunMeta messages that McBackend writes: the good ones, and those that canonical JSON cannot express."""

from __future__ import annotations

import struct as memory
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import betterproto.lib.google.protobuf as google
import numpy as np
from mcbackend.meta import ExtendedValue
from mcbackend.npproto import Ndarray

from oracle import Column, LaterFields, wire
from run_builder import ReversedRun, RunBuilder

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "str"]

AWKWARD_NAMES = [
    "theta[1,2]", "μ", "a/b", "log prior", "__proto__", "constructor", "toString", "a.b", "a&b=c?d#e%20", "+", "..",
    " ", "\t", "0", "-1", "\u00e9", "e\u0301", "\U0001d703", "\ufeff", "a\0b", "x" * 256,
]  # fmt: skip

# Field 100 as a group that holds a varint and an empty group of the same number.
UNKNOWN_GROUP = bytes.fromhex("a306 08ff01 a306 a406 a406")


def runmeta_cases() -> Iterator[tuple[str, RunBuilder]]:
    """(file name without its ending, the run), for every message that canonical JSON can express."""
    yield "empty", RunBuilder()
    yield "variables", _variables()
    yield "names", _names()
    yield "eight-schools", _eight_schools(RunBuilder("eight-schools"))
    yield "eight-schools-reordered", _eight_schools(ReversedRun("eight-schools"))
    yield "later-schema", _later_schema()
    yield "unknown-group", _unknown_group()
    yield "attributes-scalar", _scalars()
    yield "attributes-nan-payload", RunBuilder("nan").attribute("nan", _double(0x7FF8000000000001))
    yield "attributes-nan-negative", RunBuilder("nan").attribute("nan", _double(0xFFF8000000000000))
    yield "attributes-nested", _nested()
    yield "attributes-without-kind", _without_kind()
    yield "attributes-time", _time()
    yield "attributes-timedelta", _timedelta()
    yield "attributes-ndarray", _ndarray_attributes()
    yield "coordinates", _coordinates()
    yield "array-layouts", _layouts()
    yield "array-dtypes", _array_dtypes()
    yield "data-variables", _data_variables()


def _double(bits: int) -> float:
    return memory.unpack("<d", memory.pack("<Q", bits))[0]


def _variables() -> RunBuilder:
    """Every dtype, rigid, ragged and of undefined ndim, so that a DrawBatch for all of them can be made."""
    run = RunBuilder("variables")
    for dtype in DTYPES:
        run.variable(f"{dtype}_scalar", dtype)
        run.variable(f"{dtype}_matrix", dtype, [2, 3], dims=["row", "column"])
        run.variable(f"{dtype}_ragged", dtype, [-1])
        run.variable(f"{dtype}_half_ragged", dtype, [2, -1], dims=["row", ""], is_deterministic=True)
        run.variable(f"{dtype}_zero", dtype, [0])
        run.variable(f"{dtype}_undefined", dtype, undefined_ndim=True)
    run.variable("shape_and_undefined", "float64", [2, 3], undefined_ndim=True)
    run.stat("tune", "bool").stat("depth", "int64").stat("energy", "float64").stat("lp", "float32", [1])
    run.stat("accepted", "bool", [2, 2]).stat("warning", "str").stat("bigger", "float64", [-1])
    run.stat("anything", "float64", undefined_ndim=True)
    return run


def _names() -> RunBuilder:
    run = RunBuilder("Names.of_all~kinds-0")
    for i, name in enumerate(AWKWARD_NAMES):
        run.variable(name, "float64", [2], dims=[name])
        run.stat(name, "float64")
        run.coordinate(name, np.array([name, "\U0001f600"]))
        run.data(name, np.array([i, -i]), dims=[name])
        run.attribute(name, name)
    run.attribute("", "the key is empty")
    run.attribute("struct", {name: name for name in ["", *AWKWARD_NAMES]})
    run.attribute("array of an awkward key/μ", np.array([1.5]))
    return run


def _eight_schools(run: RunBuilder) -> RunBuilder:
    """A small model as a real sampler registers it."""
    schools = ["Choate", "Deerfield", "Phillips Andover", "Phillips Exeter", "Hotchkiss", "Lawrenceville"]
    run.variable("mu", "float64").variable("tau", "float64").variable("theta_t", "float64", [8], dims=["school"])
    run.variable("theta", "float64", [8], dims=["school"], is_deterministic=True)
    run.coordinate("school", np.array([*schools, "St. Paul's", "Mt. Hermon"]))
    run.attribute("sampler", "NUTS").attribute("draws", 500).attribute("tuning_steps", 1000)
    run.attribute("created_at", datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC))
    run.attribute("sampling_time", timedelta(seconds=12, microseconds=345678))
    run.attribute("settings", {"target_accept": 0.95, "metric": "diag", "init": [0, None, "adapt"], "jitter": True})
    run.stat("diverging", "bool").stat("depth", "int64").stat("lp", "float64")
    run.data("y", np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), dims=["school"], is_observed=True)
    run.data("sigma", np.array([15.0, 10, 16, 11, 9, 11, 10, 18]), dims=["school"])
    return run


def _later_schema() -> RunBuilder:
    """`eight-schools` with fields that only a newer schema knows, of every wire type and on every level."""
    run = _eight_schools(RunBuilder("eight-schools"))
    later = LaterFields(v=300, f=1, g=2**63, b=b"\x00\xff", nested=Column(name="ü", shapes=[1, 2]), u=[-1, 7])
    run.meta._unknown_fields = wire(later)
    run.meta.variables[0]._unknown_fields = b"\x3a\x02hi"
    run.meta.attributes["sampler"]._unknown_fields = b"\x51" + memory.pack("<d", 0.1)
    run.meta.coordinates[0].values._unknown_fields = b"\x30\x01\x30\x02"
    return run


def _unknown_group() -> RunBuilder:
    """A group is skipped whole; betterproto, which knows no groups, takes a field from inside it for the rid."""
    run = RunBuilder("the rid is before the group").variable("x", "float64")
    run.meta._unknown_fields = UNKNOWN_GROUP
    return run


def _scalars() -> RunBuilder:
    run = RunBuilder("attributes")
    run.attribute("null", None).attribute("true", True).attribute("false", False)
    numbers: dict[str, float] = {
        "zero": 0.0, "minus zero": -0.0, "one": 1.0, "a third": 1 / 3, "tenth": 0.1, "largest": 1.7976931348623157e308,
        "smallest": 5e-324, "2^53+2": 2.0**53 + 2, "1e21": 1e21, "1e-7": 1e-7, "-1.5": -1.5,
        "nan": _double(0x7FF8000000000000), "inf": np.inf, "-inf": -np.inf,
    }  # fmt: skip
    for name, number in numbers.items():
        run.attribute(name, float(number))
    run.attribute("empty string", "").attribute("text", 'naïve – 日本 \U0001f600 "\\/\u2028\r\n').attribute(
        "NUL", "a\0b"
    )
    return run


def _nested() -> RunBuilder:
    run = RunBuilder("nested")
    run.attribute("empty struct", {}).attribute("empty list", [])
    inner: dict[str, object] = {
        "null": None,
        "number": -0.0,
        "big": 1e300,
        "text": "",
        "no": False,
        "struct": {},
        "list": [],
    }
    run.attribute("struct", {"__proto__": {"polluted": True}, "deep": {"deeper": {"deepest": inner}}, **inner})
    run.attribute("list", [None, 0, -1.25, "μ", True, False, {}, [], [[1], [2, [3]]], inner])
    deep: list[object] = []
    for _ in range(40):
        deep = [deep]
    run.attribute("40 lists deep", deep)
    return run


def _without_kind() -> RunBuilder:
    """A `oneof` that is not set. The official runtime's JSON says {} for ExtendedValue and null for Value."""
    run = RunBuilder("without-kind").attribute("unset", ExtendedValue())
    run.attribute("list", [google.Value(), None, google.Value()])
    run.attribute("struct", {"unset": google.Value(), "null": None})
    return run


def _time() -> RunBuilder:
    run = RunBuilder("time")
    stamps = {
        "epoch": datetime(1970, 1, 1, tzinfo=UTC),
        "microseconds": datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
        "milliseconds": datetime(2024, 2, 29, 23, 59, 59, 120000, tzinfo=UTC),
        "another zone": datetime(2020, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        "just before 1970": datetime(1969, 12, 31, 23, 59, 59, 250000, tzinfo=UTC),
        "pre-1970": datetime(1066, 10, 14, 9, 0, 0, 1, tzinfo=UTC),
        "year 1": datetime(1, 1, 1, tzinfo=UTC),
        "year 9999": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "nanoseconds": google.Timestamp(1_700_000_000, 123_456_789),
        "the last one": google.Timestamp(253_402_300_799, 999_999_999),
        "one nanosecond": google.Timestamp(0, 1),
    }
    spans = {
        "zero": timedelta(0),
        "fraction": timedelta(milliseconds=1500),
        "a microsecond": timedelta(microseconds=1),
        "whole negative": timedelta(days=-2),
        "negative": google.Duration(-1, -500_000_000),
        "negative below a second": google.Duration(0, -250_000_000),
        "nanoseconds": google.Duration(3, 1),
        "negative nanosecond": google.Duration(0, -1),
        "longest": google.Duration(315_576_000_000, 999_999_999),
        "longest negative": google.Duration(-315_576_000_000, -999_999_999),
    }
    for prefix, values in (("timestamp", stamps), ("duration", spans)):
        for name, value in values.items():
            run.attribute(f"{prefix}: {name}", value)
    return run


def _timedelta() -> RunBuilder:
    """Negative fractions below a second, which betterproto writes as the positive rest: what counts is the bytes."""
    run = RunBuilder("timedelta").attribute("-0.25 s, written as +0.75 s", timedelta(seconds=-0.25))
    return run.attribute("-1 us, written as +0.999999 s", timedelta(microseconds=-1))


def _ndarray_attributes() -> RunBuilder:
    run = RunBuilder("ndarrays").attribute("weights", np.array([[0.5, np.nan], [-0.0, np.inf]]))
    run.attribute("scalar", np.array(7, dtype="int32")).attribute("none", np.zeros(0, "float32"))
    run.attribute("labels", np.array(["a", "μ", "\U0001f600"])).attribute("__proto__", np.array([True, False]))
    return run.attribute("unset ndarray", ExtendedValue(ndarray_value=Ndarray()))


def _coordinates() -> RunBuilder:
    run = RunBuilder("coordinates")
    run.coordinate("words", np.array(["a", "bc", "", "hello", "μ\U0001f600\U0010ffff"]))
    run.coordinate("NUL inside", np.array(["a\0b", "\0c"])).coordinate("all empty", np.array(["", ""]))
    run.coordinate("int64", np.array([0, -1, 2**63 - 1, -(2**63)])).coordinate("uint8", np.array([0, 255], "uint8"))
    run.coordinate("uint64", np.array([0, 2**64 - 1], "uint64")).coordinate("bool", np.array([True, False, True]))
    floats = [0.0, -0.0, 1.5, np.nan, np.inf, -np.inf, 5e-324]
    run.coordinate("float64", np.array(floats)).coordinate("float32", np.array(floats, "float32"))
    nans = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001], "uint64").view("float64")
    run.coordinate("NaN payloads", nans)
    days = np.array(["1969-12-31", "1970-01-01", "2024-02-29", "NaT"], "datetime64[D]")
    for unit in ["ns", "us", "ms", "s", "D", "M", "25s"]:
        run.coordinate(f"datetime64[{unit}]", days.astype(f"datetime64[{unit}]"))
    return run


def _layouts() -> RunBuilder:
    """Arrays whose strides and order say something else than their bytes, which are in C order always."""
    cube = np.arange(24, dtype="int32").reshape(2, 3, 4)
    words = np.array([["a", "bb"], ["c", "dd"], ["e", "ff"]])
    days = np.arange(6).reshape(2, 3).astype("datetime64[D]")
    layouts = {
        "C 3-d": cube,
        "F 3-d": np.asfortranarray(cube),
        "F 2-d": np.asfortranarray(cube[0]),
        "F one row": np.asfortranarray(cube[0, :1]),
        "F words": np.asfortranarray(words),
        "F days": np.asfortranarray(days),
        "transposed": cube.transpose(2, 0, 1),
        "every second": np.arange(10)[::2],
        "reversed": np.arange(5, dtype="uint8")[::-1],
        "reversed words": words[::-1, ::-1],
        "window": cube[:, ::2, 1:3],
        "sliced days": days[:, ::2],
        "broadcast": np.broadcast_to(np.float32(2.5), (2, 3)),
        "0-d": np.array(-3),
        "0-d word": np.array("x\U0001f600"),
        "0-d day": np.array("2024-02-29", "datetime64[D]"),
        "[0]": np.zeros(0),
        "[0,3]": np.zeros((0, 3), "int16"),
        "[2,0]": np.zeros((2, 0), "<U5"),
        "[0] days": days[0, :0],
        "[1,1,1]": np.ones((1, 1, 1), "bool"),
        "6-d": np.arange(8, dtype="uint16").reshape(1, 2, 1, 2, 2, 1),
    }
    run = RunBuilder("layouts")
    for name, array in layouts.items():
        run.data(name, array)
    return run


def _array_dtypes() -> RunBuilder:
    """dtypes that no variable may have, but an array in the metadata has in practice."""
    run = RunBuilder("array-dtypes")
    for dtype in [*DTYPES[:-1], "float16", "complex64", "complex128", ">f8", ">i4", ">u2"]:
        run.data(dtype, np.array([[1, 0, 3], [0, 5, 6]]).astype(dtype))
    run.data("|S3", np.array([b"ab", b"\xff\x00c"])).data(">U2", np.array(["aμ", "\U0001f600"], ">U2"))
    return run


def _data_variables() -> RunBuilder:
    run = RunBuilder("data").data("y", np.array([1.5, np.nan]), dims=["obs"], is_observed=True)
    run.data("x", np.arange(6).reshape(3, 2), dims=["obs", ""]).data("n", np.array(3))
    return run.data("labels", np.array([["a"], ["bc"]]), dims=["obs", "one"], is_observed=True)


def refused_cases() -> Iterator[tuple[str, str, bytes]]:
    """(file name, reason, bytes) of runs that canonical proto3 JSON cannot express."""
    attributes: dict[str, tuple[str, object]] = {
        "timestamp-year-10000": ("a timestamp after 9999-12-31", google.Timestamp(253_402_300_800)),
        "timestamp-year-0": ("a timestamp before 0001-01-01", google.Timestamp(-62_135_596_801)),
        "timestamp-nanos-negative": ("the nanos of a timestamp are negative", google.Timestamp(0, -1)),
        "timestamp-nanos-too-many": ("the nanos of a timestamp make a second", google.Timestamp(0, 10**9)),
        "duration-too-long": ("a duration of more than 315576000000 s", google.Duration(315_576_000_001)),
        "duration-too-negative": ("a duration of less than -315576000000 s", google.Duration(-315_576_000_001)),
        "duration-nanos-too-many": ("the nanos of a duration make a second", google.Duration(0, 10**9)),
        "duration-signs-differ": (
            "the seconds and nanos of a duration differ in sign: what betterproto writes for timedelta(seconds=-1.5)",
            timedelta(seconds=-1.5),
        ),
        "struct-nan": ("a NaN inside a Struct", {"a": {"b": float("nan")}}),
        "struct-infinity": ("an infinity inside a Struct", {"a": float("inf")}),
        "list-nan": ("a NaN inside a ListValue", [1, float("nan")]),
        "list-infinity": ("an infinity inside a Struct inside a ListValue", [[{"a": float("-inf")}]]),
    }
    for name, (reason, value) in attributes.items():
        yield name, reason, bytes(RunBuilder("refused").attribute("attribute", value).meta)
