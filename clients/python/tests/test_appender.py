"""The quick way into the log: the same rows, and the same refusals, as by the slow one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mcbackend_edge as mcb
from mcbackend_edge import Variable, appender
from mcbackend_edge.columns import Rigid
from mcbackend_edge.schema import DTYPES, build_run_meta
from mcbackend_edge.segment import Layout
from mcbackend_edge.writer import ChainWriter, Stock

from . import strategies

WAYS = ["lines", "loop", "one by one"]


def writer_of(way: str, variables: list[Variable], stats: list[Variable], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A log in memory whose draws take one of the three ways."""
    layout = Layout(build_run_meta("run", variables=variables, sample_stats=stats))
    with monkeypatch.context() as patch:
        if way == "loop":
            patch.setattr(appender, "MOST_LINES", 0)
        if way == "one by one":
            patch.setattr(Layout, "appender", None)
        return ChainWriter(0, 0, Stock(layout, None))


def rows_of(writer: ChainWriter) -> list[np.ndarray[Any, Any]]:
    pieces = writer.columns(0, writer.length)
    return [
        np.concatenate([column.values for column in columns if isinstance(column, Rigid)]) for columns in zip(*pieces)
    ]


@st.composite
def columns(draw: st.DrawFn, prefix: str, least: int) -> list[Variable]:
    count = draw(st.integers(least, 4))
    numbers = [dtype for dtype in DTYPES if dtype != "str"]
    shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
    return [Variable(f"{prefix}{i}'\"\n", draw(st.sampled_from(numbers)), draw(shapes)) for i in range(count)]


@st.composite
def given_as(draw: st.DrawFn, var: Variable) -> tuple[Any, np.ndarray[Any, Any]]:
    """A value in one of the forms that a caller may use, and the array that it stands for."""
    value = draw(hnp.arrays(var.numpy_dtype, var.shape))
    forms = [value, np.array(value, order="F"), value.astype(value.dtype.newbyteorder(">"))]
    if value.ndim:
        forms += [
            np.ascontiguousarray(value[::-1])[::-1],
            *([value.tolist()] if value.size and var.dtype != "uint64" else []),
        ]
    else:
        forms += [value[()], value.item()]
    form = draw(st.sampled_from(range(len(forms))))
    return forms[form], value


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_what_was_appended(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @given(st.data())
    def check(data: st.DataObject) -> None:
        variables, stats = data.draw(columns("v", 1)), data.draw(columns("s", 0))
        writer = writer_of(way, variables, stats, monkeypatch)
        expected: list[list[Any]] = [[] for _ in (*variables, *stats)]
        for _ in range(data.draw(st.integers(1, 8))):
            values = [data.draw(given_as(var)) for var in (*variables, *stats)]
            present = [True] * len(variables) + [data.draw(st.integers(0, 5)) > 0 for _ in stats]
            if data.draw(st.booleans()):
                present[len(variables) :] = [False] * len(stats)
            named = {
                var.name: value[0] for var, value, is_there in zip((*variables, *stats), values, present) if is_there
            }
            draw = {var.name: named.pop(var.name) for var in reversed(variables)}
            writer.append(draw, named or data.draw(st.sampled_from([None, {}])))
            for var, (_, value), is_there, column in zip((*variables, *stats), values, present, expected):
                column.append(value if is_there else var.fill())
        for var, column, read in zip((*variables, *stats), expected, rows_of(writer), strict=True):
            assert strategies.same(read, np.array(column, dtype=var.numpy_dtype).reshape(len(column), *var.shape))

    check()


PAIR = [Variable("x", "float64", (2, 3)), Variable("n", "int8")]
GOOD = {"x": np.ones((2, 3)), "n": np.int8(1)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("draw", "stats", "error", "message"),
    [
        ({"x": GOOD["x"]}, None, mcb.MissingVariableError, "lacks 'n'"),
        ({"x": GOOD["x"], "m": 1}, None, mcb.UnknownVariableError, "no variable 'm'"),
        ({**GOOD, "m": 1}, None, mcb.UnknownVariableError, "no variable 'm'"),
        (GOOD, {"p": 1.0}, mcb.UnknownVariableError, "no sampler stat 'p'"),
        (GOOD, {"lp": 1.0, "p": 1.0}, mcb.UnknownVariableError, "no sampler stat 'p'"),
        ({**GOOD, "x": np.ones((3, 2))}, None, mcb.ShapeMismatchError, r"shape \[2, 3\], not \[3, 2\]"),
        ({**GOOD, "x": np.ones(6)}, None, mcb.ShapeMismatchError, r"shape \[2, 3\], not \[6\]"),
        ({**GOOD, "n": np.int8([1])}, None, mcb.ShapeMismatchError, r"shape \[\], not \[1\]"),
        ({**GOOD, "x": np.full((2, 3), "a")}, None, mcb.DtypeMismatchError, "float64"),
        ({**GOOD, "n": 128}, None, mcb.DtypeMismatchError, "too large|no place"),
        ({**GOOD, "n": 1.5}, None, mcb.DtypeMismatchError, "no place"),
        (GOOD, {"lp": "a"}, mcb.DtypeMismatchError, "lp"),
    ],
)
def test_refusals_are_the_same_and_leave_nothing(
    way: str, draw: Any, stats: Any, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(way, PAIR, [Variable("lp")], monkeypatch)
    writer.append(GOOD)
    with pytest.raises(error, match=message) as raised:
        writer.append(draw, stats)
    assert (
        raised.value.__context__ is None or way == "one by one" or isinstance(raised.value.__context__, OverflowError)
    )
    writer.append(GOOD, {"lp": 2.0})
    assert writer.length == 2
    assert rows_of(writer)[2].tolist()[1:] == [2.0]


@pytest.mark.parametrize("way", WAYS)
def test_a_log_that_takes_no_more_says_so(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = writer_of(way, PAIR, [], monkeypatch)
    writer.append(GOOD)
    writer.refusal = mcb.McbError("no more")
    with pytest.raises(mcb.McbError, match="no more"):
        writer.append(GOOD)
    assert writer.length == 1


@pytest.mark.parametrize("way", WAYS[:2])
def test_masked_arrays_take_the_slow_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bytes are not all that they are."""
    writer = writer_of(way, [Variable("x", "float64", (1, 2))], [], monkeypatch)
    slow: list[Any] = []
    monkeypatch.setattr(ChainWriter, "_assign", lambda self, values, *_: slow.append(values))
    writer.append({"x": np.ma.array([[1.0, 2.0]], mask=[[0, 1]])})
    assert len(slow) == 1
