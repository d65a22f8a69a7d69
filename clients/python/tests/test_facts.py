"""Values of Python as facts: what becomes JSON, what is refused and with which place, and merge patches."""

from __future__ import annotations

import datetime as dt
import enum
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbackend_edge import facts
from mcbackend_edge.facts import is_same, join, merge, to_json

UTC = dt.timezone.utc


class Level(enum.IntEnum):
    HIGH = 3


GIVEN: dict[str, tuple[Any, Any]] = {
    "a float of NumPy": (np.float64(0.5), 0.5),
    "a small float of NumPy": (np.float32(0.5), 0.5),
    "an integer of NumPy": (np.uint64(2**64 - 1), 2**64 - 1),
    "a bool of NumPy": (np.bool_(True), True),
    "a text of NumPy": (np.str_("µ"), "µ"),
    "a seed": (0xFFFFFFFFFFFFFFFF0123456789ABCDEF, 0xFFFFFFFFFFFFFFFF0123456789ABCDEF),
    "an enum": (Level.HIGH, 3),
    "an array": (np.arange(4.0).reshape(2, 2), [[0.0, 1.0], [2.0, 3.0]]),
    "an array of no axes": (np.array(7), 7),
    "an array of text": (np.array(["a", "b"]), ["a", "b"]),
    "an array of bools": (np.array([True, False]), [True, False]),
    "an array of times": (np.array(["2026-11-28T08:00:00.5"], "M8[ns]"), ["2026-11-28T08:00:00.500000Z"]),
    "a tuple": ((1, (2.5, None)), [1, [2.5, None]]),
    "numbers as keys": ({0: {"seed": 1}, np.int64(1): 2}, {"0": {"seed": 1}, "1": 2}),
    "a time with a zone": (
        dt.datetime(2026, 11, 28, 9, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        "2026-11-28T08:00:00Z",
    ),
    "a time without one": (dt.datetime(2026, 11, 28, 8, 0, 0, 250_000), "2026-11-28T08:00:00.250000Z"),
    "a time of NumPy": (np.datetime64("2026-11-28T08:00"), "2026-11-28T08:00:00Z"),
    "a date": (dt.date(2026, 11, 28), "2026-11-28"),
    "a span": (dt.timedelta(minutes=2, milliseconds=500), 120.5),
    "a span of NumPy": (np.timedelta64(1500, "ms"), 1.5),
}


@pytest.mark.parametrize("name", GIVEN)
def test_values_become_json(name: str) -> None:
    value, expected = GIVEN[name]
    plain = to_json({"x": value}, "facts")
    assert plain == {"x": expected}
    assert repr(plain["x"]) == repr(expected)
    assert is_same(json.loads(json.dumps(plain, allow_nan=False)), plain)


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value
    return value


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "NaN": ({"loss": [1.0, [float("nan")]]}, ValueError, r"^facts\.loss\[1\]\[0\] is nan, which JSON does not have"),
    "an infinity of NumPy": ({"a": np.float32("-inf")}, ValueError, r"^facts\.a is -inf"),
    "NaN in an array": ({"a": np.array([[0.0, np.nan]])}, ValueError, r"^facts\.a\[0\]\[1\] is nan"),
    "masked elements": ({"a": np.ma.array([1, 2], mask=[0, 1])}, ValueError, r"^facts\.a has masked"),
    "an array of objects": ({"a": np.array([object()])}, TypeError, r"^facts\.a is an array of object"),
    "complex numbers": ({"a": np.array([1j])}, TypeError, r"^facts\.a is an array of complex128"),
    "a complex number": ({"a": 1j}, TypeError, r"^facts\.a is a complex"),
    "bytes": ({"chains": {0: {"key": b"x"}}}, TypeError, r"^facts\.chains\.0\.key is a bytes"),
    "a set": ({"a": {1}}, TypeError, r"^facts\.a is a set"),
    "a path": ({"a": Path("/x")}, TypeError, r"^facts\.a is a PosixPath"),
    "half a character": ({"a": "\ud800"}, ValueError, r"^facts\.a is no Unicode"),
    "half a character as a key": ({"a": {"\udfff": 1}}, ValueError, r"^facts\.a is no Unicode"),
    "a key that is no text": ({"a": {None: 1}}, TypeError, r"^facts\.a has the key None"),
    "a bool as a key": ({True: 1}, TypeError, r"^facts has the key True"),
    "a key twice": ({"a": {0: 1, "0": 2}}, ValueError, r"^facts\.a has the key '0' twice"),
    "no time": ({"a": np.datetime64("NaT", "s")}, ValueError, r"^facts\.a is NaT"),
    "no span": ({"a": np.timedelta64("NaT", "s")}, ValueError, r"^facts\.a is NaT"),
    "months": ({"a": np.timedelta64(1, "M")}, ValueError, r"^facts\.a cannot be told in seconds"),
    "too many digits": ({"a": 10**5000}, ValueError, r"^facts\.a has more than 4300 digits"),
    "no end": (endless(), ValueError, r"nests deeper than 100 levels$"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_is_refused_with_its_place(name: str) -> None:
    value, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        to_json(value, "facts")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@given(OBJECTS)
def test_json_stays_as_it_is(value: dict[str, Any]) -> None:
    assert to_json(value, "facts") == value


@given(OBJECTS, OBJECTS)
def test_a_patch_that_was_applied_changes_nothing_more(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(target, patch)
    assert is_same(merge(once, patch), once)


LEAVES = st.none() | st.integers(0, 2)
TREES = st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from("xy"), LEAVES), max_size=2)


@given(TREES, TREES, TREES)
def test_two_patches_are_one(target: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> None:
    assert merge(target, join(first, second)) == merge(merge(target, first), second)


# The examples of RFC 7396, appendix A, that have objects on both sides.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ],
)
def test_patches_are_those_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result


def test_equality_is_that_of_json() -> None:
    assert not is_same(True, 1)
    assert not is_same({"a": [0]}, {"a": [False]})
    assert is_same({"a": 1.0}, {"a": 1})
    # JavaScript writes this float as 1234567890123456800.
    assert is_same(1.2345678901234568e18, 1234567890123456800)
    assert not is_same(2**64, 2**64 + 1)
    assert not is_same(10**400, 1.0)


def test_the_environment_names_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    found = facts.environment("pytest", "no-such-package")
    assert set(found) == {"python", "platform", "packages"}
    assert set(found["packages"]) == {"mcbackend-edge", "numpy", "pytest"}
    assert found["packages"]["numpy"] == np.__version__
    assert socket.gethostname() not in json.dumps(found)
