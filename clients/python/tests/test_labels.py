"""Labels, data and attributes of every kind: as values, never as Python objects."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge._generated import meta_pb2
from mcbackend_edge.labels import plain_data, plain_labels
from mcbackend_edge.ndarray import from_message, to_message
from mcbackend_edge.schema import RunMeta, build_run_meta, without_objects

pd = pytest.importorskip("pandas")

MONTHS = ["2024-01", "2024-02"]


class Colour(enum.Enum):
    RED = 1


def stored(labels: Any) -> np.ndarray[Any, Any]:
    """Labels as they come back."""
    return RunMeta(build_run_meta("run", variables={"x": 1.0}, coords={"dim": labels}).raw).coords["dim"]


KEPT: dict[str, tuple[Any, Any]] = {
    "DatetimeIndex": (lambda: pd.date_range("2024-01-01", periods=2, unit="ns"), "datetime64[ns]"),
    "DatetimeIndex of seconds": (lambda: pd.date_range("2024-01-01", periods=2, unit="s"), "datetime64[s]"),
    "a tuple of timestamps": (lambda: tuple(pd.date_range("2024-01-01", periods=2, unit="ns")), "datetime64[ns]"),
    "months": (lambda: np.array(MONTHS, dtype="datetime64[M]"), "datetime64[M]"),
    "a tuple of months": (lambda: tuple(np.array(MONTHS, dtype="datetime64[M]")), "datetime64[M]"),
    "big-endian times": (lambda: np.array(MONTHS, dtype=">M8[D]"), "datetime64[D]"),
    "datetimes": (lambda: [dt.datetime(2024, 1, 1, 3), dt.datetime(2024, 1, 2)], "datetime64[us]"),
    "TimedeltaIndex": (lambda: pd.timedelta_range("1D", periods=2).as_unit("ns"), "timedelta64[ns]"),
    "a tuple of timedeltas": (lambda: tuple(pd.timedelta_range("1D", periods=2).as_unit("s")), "timedelta64[s]"),
    "timedeltas": (lambda: [dt.timedelta(days=1), dt.timedelta(hours=-1)], "timedelta64[us]"),
    "hours": (lambda: np.array([1, 2], dtype="timedelta64[h]"), "timedelta64[h]"),
    "integers": (lambda: [3, 1], "int64"),
    "nullable integers": (lambda: pd.array([1, 2], dtype="Int64"), "int64"),
    "large integers": (lambda: np.array([2**63], dtype="u8"), "uint64"),
    "floats": (lambda: [1.5, 2], "float64"),
    "long doubles": (lambda: np.array([1.5], dtype=np.longdouble), "float64"),
    "complex numbers": (lambda: [1 + 2j, 3], "complex128"),
    "a tuple of NumPy's complex numbers": (lambda: (np.complex64(1j), 2.5), "complex128"),
    "booleans": (lambda: [True, False], "bool"),
    "nullable booleans": (lambda: pd.array([True, False], dtype="boolean"), "bool"),
    "text": (lambda: ["a", "µ", "a"], "<U1"),
    "text as objects": (lambda: np.array(["a", "bc"], dtype=object), "<U2"),
    "NumPy's texts": (lambda: tuple(np.array(["a", "b"])), "<U1"),
    "text of pandas": (lambda: pd.array(["a", "b"], dtype="string"), "<U1"),
    "categories": (lambda: pd.Categorical(["x", "y", "x"]), "<U1"),
    "numbers as categories": (lambda: pd.CategoricalIndex([3, 1]), "int64"),
    "a column": (lambda: pd.Series([1, 2], index=[7, 8]), "int64"),
    "a range": (lambda: range(3), "int64"),
    "keys": (lambda: {"a": 1, "b": 2}.keys(), "<U1"),
    "nothing": (list, "float64"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_numbers_text_and_times_stay_what_they_are(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    make, dtype = KEPT[kind]
    read = stored(make())
    assert read.dtype == dtype
    assert read.shape == (len(make()),)
    expected = make() if isinstance(make(), np.ndarray) else [*make()]
    assert read.tolist() == np.array(expected, dtype=dtype).tolist()
    assert not caplog.records


def test_missing_times_take_the_unit_of_the_others() -> None:
    day = dt.datetime(2024, 1, 1)
    assert repr(stored([pd.NaT, day])[0]) == repr(np.datetime64("NaT", "us"))
    assert stored([pd.NaT, day]).tolist() == [None, day]
    assert stored([dt.timedelta(days=1), pd.NaT]).dtype == "timedelta64[us]"
    assert stored(pd.DatetimeIndex([None, "2024-01-01"]).as_unit("s")).tolist() == [None, day]
    assert stored([pd.NaT]).dtype == "datetime64[ns]"


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA], ids=repr)
def test_what_is_missing_among_times_is_no_time(missing: Any, caplog: pytest.LogCaptureFixture) -> None:
    day, hour = dt.datetime(2024, 1, 1), dt.timedelta(hours=1)
    assert stored([missing, day]).tolist() == stored((day, missing)).tolist()[::-1] == [None, day]
    assert stored([pd.Timestamp(day), missing]).tolist() == [day, None]
    assert repr(stored([np.datetime64("2024-01"), missing])) == repr(np.array(["2024-01", "NaT"], "datetime64[M]"))
    assert stored([hour, missing]).tolist() == [hour, None]
    assert not caplog.records
    # Among times of both kinds, or with none that is known, nothing tells what it is.
    assert stored([missing, day, hour]).dtype.kind == "U"
    assert stored([missing, None]).dtype.kind == "U"


TEXT: dict[str, tuple[Any, list[str]]] = {
    "with a time zone": (
        lambda: pd.date_range("2024-01-01", periods=1, tz="Europe/Berlin"),
        ["2024-01-01 00:00:00+01:00"],
    ),
    "datetimes with a zone": (
        lambda: [dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)],
        ["2024-01-01 00:00:00+00:00"],
    ),
    "PeriodIndex": (lambda: pd.period_range("2024-01", periods=2, freq="M"), MONTHS),
    "a tuple of periods": (lambda: tuple(pd.period_range("2024-01", periods=2, freq="M")), MONTHS),
    "IntervalIndex": (lambda: pd.interval_range(0, 2), ["(0, 1]", "(1, 2]"]),
    "dates": (lambda: [dt.date(2024, 1, 1)], ["2024-01-01"]),
    "None": (lambda: ["a", None], ["a", "None"]),
    "numbers and None": (lambda: [1, None], ["1", "None"]),
    "numbers and text": (lambda: ["a", 1, 2.5], ["a", "1", "2.5"]),
    "tuples": (lambda: [("a", 1), ("b", 2), ("a", 1)], ["a, 1", "b, 2", "a, 1"]),
    "tuples of NumPy's": (lambda: [(np.str_("a"), np.float64(1.5))], ["a, 1.5"]),
    "MultiIndex": (lambda: pd.MultiIndex.from_product([["a"], [1, 2]]), ["a, 1", "a, 2"]),
    "rows": (lambda: np.arange(4).reshape(2, 2), ["0, 1", "2, 3"]),
    "missing text": (lambda: pd.array(["a", None], dtype="string"), ["a", "<NA>"]),
    "very large integers": (lambda: [2**70, 1], [str(2**70), "1"]),
    "decimals": (lambda: [decimal.Decimal("1.50")], ["1.50"]),
    "an enumeration": (lambda: [Colour.RED], ["Colour.RED"]),
    "structures": (lambda: np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), ["1, 2.5"]),
    "anything": (lambda: [object(), object()], ["<object object>", "<object object>"]),
}


@pytest.mark.parametrize("kind", TEXT)
def test_other_labels_become_text_with_one_warning(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    make, expected = TEXT[kind]
    read = stored(make())
    assert read.dtype.kind == "U"
    assert read.tolist() == expected
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "the labels of 'dim'" in record.getMessage()


def test_one_warning_names_all(caplog: pytest.LogCaptureFixture) -> None:
    coords = {"day": pd.period_range("2024-01", periods=2, freq="D"), "school": ["a", "b"], "who": ["a", None, 1]}
    data = {"names": np.array(["a", 1], dtype=object)}
    build_run_meta("run", variables={"x": 1.0}, coords=coords, data=data, attributes={"z": np.array([{}, 1])})
    [record] = caplog.records
    assert record.getMessage() == (
        "run run keeps as text what has no dtype of its own: the labels of 'day' (Period, such as '2024-01-01'); "
        "the labels of 'who' (str and None and int, such as 'a'); the data 'names' (str and int, such as 'a'); "
        "the attribute 'z' (dict and int, such as '{}')."
    )


LABELS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.binary(max_size=3),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.timezone.utc)),
    st.timedeltas(),
    st.tuples(st.text(max_size=3), st.integers()),
    st.fractions(),
    st.just(pd.NaT),
    st.just(pd.NA),
    st.complex_numbers(),
)


@given(st.one_of(st.lists(LABELS, max_size=6), *(st.lists(one, max_size=6) for one in [st.integers(), st.datetimes()])))
def test_whatever_labels_there_are_they_are_values(labels: list[Any]) -> None:
    for given_labels in (labels, tuple(labels), np.array([*labels, None], dtype=object)[:-1]):
        values = plain_labels(given_labels).values
        assert values.dtype.kind in "biufcUSMm"
        assert values.shape == (len(labels),)
        assert stored(given_labels).shape == (len(labels),)


DATA: dict[str, tuple[Any, Any]] = {
    "masked integers": (np.ma.array([1, 2], mask=[0, 1]), np.array([1.0, np.nan])),
    "masked floats": (np.ma.array([1.5, 2.5], mask=[1, 0]), np.array([np.nan, 2.5])),
    "a mask that hides nothing": (np.ma.array([1, 2], mask=[0, 0]), np.array([1, 2])),
    "masked times": (
        np.ma.array(np.array(MONTHS, dtype="M8[D]"), mask=[0, 1]),
        np.array(["2024-01-01", "NaT"], dtype="M8[D]"),
    ),
    "masked text": (np.ma.array(["a", "b"], mask=[0, 1]), np.array(["a", "None"])),
    "numbers and None": (np.array([[1.5, None], [2, 3]], dtype=object), np.array([[1.5, np.nan], [2, 3]])),
    "nullable integers": (pd.Series([1, None], dtype="Int64"), np.array([1, np.nan])),
    "whole numbers as objects": (np.array([[1, 2]], dtype=object), np.array([[1, 2]])),
    "text": (["a", "bc"], np.array(["a", "bc"])),
    "text as objects": (np.array(["a", "bc"], dtype=object), np.array(["a", "bc"])),
    "a table": (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), np.array([["1", "x"], ["2", "y"]])),
    "times": (pd.date_range("2024-01-01", periods=2, unit="s"), np.array(["2024-01-01", "2024-01-02"], dtype="M8[s]")),
    "one number": (3.5, np.array(3.5)),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_and_arrays_among_the_attributes_are_values(kind: str) -> None:
    given_data, expected = DATA[kind]
    attributes = {"a": np.asarray(expected)}
    meta = build_run_meta("run", variables={"x": 1.0}, data={"c": given_data}, observed_data={"o": given_data})
    for read in (meta.constant_data["c"], meta.observed_data["o"]):
        assert read.dtype == expected.dtype
        assert read.shape == expected.shape
        assert np.array_equal(read, expected, equal_nan=expected.dtype.kind in "fmM")
    assert build_run_meta("run", variables={"x": 1.0}, attributes=attributes).attributes["a"].dtype == expected.dtype


def test_ragged_data_is_refused_by_its_name() -> None:
    with pytest.raises(TypeError, match="'y' is no array, for its parts differ in shape"):
        build_run_meta("run", variables={"x": 1.0}, data={"y": [[1], [2, 3]]})


ATTRIBUTES: dict[str, Any] = {
    "no list": [],
    "no dict": {},
    "empty ones": {"list": [], "dict": {}, "within": [[], {}, [{}, [[]]]], "deep": {"a": {"b": {}}}},
    "flags": np.array([True, False]),
    "no flags": np.array([], dtype=bool),
    "a flag": np.array(True),
    "a table of flags": np.array([[True], [False]]),
    "empty table": np.zeros((2, 0)),
    "bools": [True, False, None, "", 0.5],
    "text": "ends in NUL\0",
    "texts": ["a\0", {"k": "\0"}],
    "false": False,
    "zero": 0.0,
    "empty": "",
    "none": None,
    "time": dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
    "span": dt.timedelta(seconds=-1.5),
    "day": np.array("2024-01-01", dtype="M8[D]"),
}


def test_attributes_come_back_as_they_went_in(client: Client) -> None:
    run = client.create_run(variables={"x": 1.0}, attributes=ATTRIBUTES)
    for attributes in (run.attributes, client.run(run.rid).attributes):
        assert set(attributes) == set(ATTRIBUTES)
        for name, expected in ATTRIBUTES.items():
            assert type(attributes[name]) is type(expected), name
            if isinstance(expected, np.ndarray):
                assert (attributes[name].dtype, attributes[name].shape) == (expected.dtype, expected.shape), name
            assert np.array_equal(attributes[name], expected) if name != "no flags" else True, name


def test_attributes_of_numpy_within_others(client: Client) -> None:
    given_attributes = {
        "a": {"n": np.int32(3), "f": np.float32(0.5), "b": np.bool_(True), "v": np.arange(2)},
        "t": (1,),
    }
    run = client.create_run(variables={"x": 1.0}, attributes=given_attributes)
    assert client.run(run.rid).attributes == {"a": {"n": 3.0, "f": 0.5, "b": True, "v": [0.0, 1.0]}, "t": [1.0]}
    for value, message in (([{1: 2}], r"'a\[0\]' has the key 1"), ({"k": [object()]}, r"'a.k\[0\]' is a object")):
        with pytest.raises(TypeError, match=message):
            client.create_run(variables={"x": 1.0}, attributes={"a": value})


def objects(name: str = "object") -> meta_pb2.RunMeta:
    """A run as McBackend serialises it whose labels, data and attribute are Python objects."""
    raw = build_run_meta(
        "old",
        variables={"x": np.zeros(2)},
        dims={"x": ["day"], "c": ["day"]},
        coords={"day": [1, 2], "school": ["a", "b"]},
        data={"c": [1, 2], "d": [3.0]},
        attributes={"a": np.arange(2), "b": 1.0},
    ).raw
    message = meta_pb2.RunMeta.FromString(raw)
    for array in (message.coordinates[0].values, message.data[0].value, message.attributes["a"].ndarray_value):
        array.dtype = name
    return message


@pytest.mark.parametrize("name", ["object", "|O", "O", "O8", ">O", "object_", "[('a', '<f8'), ('b', 'O')]"])
def test_objects_are_never_read(name: str, caplog: pytest.LogCaptureFixture) -> None:
    message = objects(name)
    with pytest.raises(mcb.ObjectArrayError, match="addresses"):
        from_message(message.coordinates[0].values)
    meta = RunMeta.received(message.SerializeToString())
    for _ in range(2):
        assert meta.coords["day"].tolist() == [0, 1]
        assert meta.coords["school"].tolist() == ["a", "b"]
        assert [item.name for item in meta.data] == ["d"]
        assert meta.attributes == {"a": None, "b": 1.0}
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "run old has labels that cannot be read, of ['day']: they are counted from 0.",
        "run old has data of Python objects, which cannot be read: ['c'].",
    ]


@pytest.mark.parametrize("shape", [[2**40], [2, 2], [-1], []])
def test_objects_of_no_sensible_length_are_left_out(shape: list[int]) -> None:
    message = objects()
    del message.coordinates[0].values.shape[:]
    message.coordinates[0].values.shape.extend(shape)
    assert list(RunMeta.received(message.SerializeToString()).coords) == ["school"]


def test_objects_of_mcbackend_are_replaced_before_they_are_sent(caplog: pytest.LogCaptureFixture) -> None:
    raw = objects().SerializeToString()
    known = without_objects(raw, {"day": pd.date_range("2024-01-01", periods=2, unit="s")}, {"c": np.array([1, None])})
    assert known.coords["day"].tolist() == [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2)]
    assert np.array_equal(known.constant_data["c"], [1, np.nan], equal_nan=True)
    unknown = without_objects(raw, {}, {})
    assert unknown.coords["day"].tolist() == [0, 1]
    assert list(unknown.constant_data) == ["d"]
    assert list(unknown.attributes) == ["b"]
    assert caplog.records[-1].getMessage() == (
        "run old is stored without what McBackend cannot serialise: "
        "the labels of 'day', the data 'c', the attribute 'a'."
    )
    assert b"object" not in known.raw + unknown.raw


def test_a_table_of_labels_reads_as_one_text_each() -> None:
    """McBackend stores tuples so."""
    message = meta_pb2.RunMeta(rid="old", variables=[{"name": "x", "dtype": "float64"}])
    table = to_message(np.array([("a", 1), ("b", 2)]))
    message.coordinates.append(meta_pb2.Coordinate(name="pair", values=table))
    assert RunMeta.received(message.SerializeToString()).coords["pair"].tolist() == ["a, 1", "b, 2"]
    assert without_objects(message.SerializeToString(), {}, {}).coords["pair"].tolist() == ["a, 1", "b, 2"]


def test_a_server_refuses_objects(client: Client, make_client: Callable[..., Client]) -> None:
    with pytest.raises(mcb.InvalidError, match="addresses") as refused:
        client.register(RunMeta(objects().SerializeToString()))
    assert (refused.value.status, refused.value.code, refused.value.variable) == (422, "unsupported_dtype", "day")


SAMPLE = """
import sys
import numpy as np, pandas as pd, pymc as pm
from mcbackend_edge import Client

labels = pd.date_range("2024-01-01", periods=2)
with pm.Model(coords={"day": labels}) as model:
    pm.Normal("x", dims="day")
    idata = pm.sample(5, tune=5, chains=1, cores=1, progressbar=False, compute_convergence_checks=False)
run = Client(sys.argv[1]).create_run(variables={"x": np.zeros(2)}, dims={"x": ["day"]}, coords=model.coords)
run.init_chain(0).extend({"x": idata.posterior["x"].values[0]})
run.flush(progress=False)
read = Client(sys.argv[1]).run(run.rid).to_datatree(progress=False)
ours, theirs = read["posterior"]["x"]["day"], idata.posterior["x"]["day"]
assert ours.dtype == theirs.dtype, (ours.dtype, theirs.dtype)
assert np.array_equal(ours.values, theirs.values)
assert np.array_equal(read["posterior"]["x"].sel(day="2024-01-02").values, idata.posterior["x"].values[:, :, 1])
"""


THROUGH_MCBACKEND = """
import sys
import numpy as np, pandas as pd, pymc as pm
from mcbackend_edge import HTTPBackend

labels = {"day": pd.date_range("2024-01-01", periods=2), "who": ["a", None], "pair": [("a", 1), ("b", 2)]}
with pm.Model(coords=labels):
    pm.Normal("x", dims="day")
    pm.Normal("y", dims="who")
    pm.Normal("z", dims="pair")
    backend = HTTPBackend(sys.argv[1])
    try:
        pm.sample(5, tune=5, chains=1, cores=1, trace=backend, progressbar=False, compute_convergence_checks=False)
    except ValueError as error:
        # xarray itself does not take tuples as labels, which it tells in words that differ.
        assert "dimension" in str(error), error
backend.flush()
run = backend.client.run(next(iter(backend.client.runs())).rid)
assert np.array_equal(run.coords["day"], pd.date_range("2024-01-01", periods=2).values)
assert run.coords["who"].tolist() == ["a", "None"]
assert run.coords["pair"].tolist() == ["a, 1", "b, 2"]
assert run.chain(0).get_draws("x").shape == (10, 2)
read = run.to_inferencedata() if sys.argv[2] == "0" else run.to_datatree()
assert read["posterior"]["x"].sel(day="2024-01-02").shape == (1, 5)
"""


def test_labels_that_mcbackend_cannot_serialise_are_those_of_the_model(own_server: Any, spool: Any) -> None:
    pytest.importorskip("pymc")
    pytest.importorskip("mcbackend")
    arviz = pytest.importorskip("arviz").__version__.partition(".")[0]
    command = [sys.executable, "-c", THROUGH_MCBACKEND, own_server.url, arviz]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [told] = [line for line in done.stderr.splitlines() if "keeps as text" in line]
    assert "the labels of 'who' (str and None, such as 'a'); the labels of 'pair' (tuple, such as 'a, 1')" in told


def test_labels_of_a_model_are_those_of_its_own_result(client: Client, spool: Any, server: Any) -> None:
    pytest.importorskip("pymc")
    done = subprocess.run([sys.executable, "-c", SAMPLE, server.url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_data_that_is_kept_is_not_copied() -> None:
    values = np.arange(3.0)
    assert np.shares_memory(plain_data(values, "x").values, values)
