"""Traces for looking, against the real server and answers that make no sense."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable

from .gate import Gate, Reply
from .server import RunningServer

LENGTHS = {0: 500, 2: 320}
BIG = 2**62


def draws_of(chain: int) -> dict[str, NDArray[Any]]:
    """Draws of the longest chain, of which shorter ones have the first."""
    random = np.random.default_rng(chain)
    x = random.standard_normal(500)
    x[[77, 78, 200]] = np.nan, np.inf, -np.inf
    k = BIG + random.integers(0, 10, 500)
    return {"x": x, "theta": random.standard_normal((500, 2, 2)), "k": k, "flag": random.random(500) < 0.5}


@pytest.fixture(scope="module")
def run(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mcb.Run]:
    client = Client(server.url, spool=tmp_path_factory.mktemp("spool"))
    run = client.create_run(
        variables=[
            Variable("x"),
            Variable("theta", "float64", (2, 2), ("school", "year")),
            Variable("k", "int64"),
            Variable("flag", "bool"),
            Variable("path", "float64", (-1,)),
            Variable("word", "str"),
        ],
        sample_stats=[Variable("x", "float32")],
        coords={"school": ["Choate", "Deerfield"], "year": [1999, 2000]},
    )
    for number, length in LENGTHS.items():
        draws = {name: column[:length] for name, column in draws_of(number).items()}
        others = {"path": [np.zeros(i % 3) for i in range(length)], "word": ["a"] * length}
        run.init_chain(number).extend({**draws, **others}, {"x": np.arange(length)})
    run.flush()
    yield run
    client.close()


def kept(values: NDArray[Any], start: int, stop: int, buckets: int) -> list[int]:
    """Iterations of the draws that a trace keeps, by its definition."""
    edges = [start + bucket * (stop - start) // buckets for bucket in range(buckets + 1)]
    found: list[int] = []
    for begin, end in pairwise(edges):
        part = values[begin : min(end, len(values))]
        places = set(range(len(part)))
        if len(part) > 4:
            numbers, missing = np.flatnonzero(~np.isnan(part)), np.flatnonzero(np.isnan(part))
            ends = {0, len(part) - 1}
            places = ends | {int(numbers[part[numbers].argmin()]), int(numbers[part[numbers].argmax()])}
            if len(missing) and not ends & set(missing.tolist()):
                places.add(int(missing[0]))
        found += [begin + place for place in sorted(places)]
    return found


@given(data=st.data())
def test_a_trace_has_the_extremes_of_each_bucket(data: st.DataObject, run: mcb.Run) -> None:
    bounds = st.none() | st.integers(-550, 550)
    name = data.draw(st.sampled_from(["x", "k", "flag"]))
    draws = slice(data.draw(bounds), data.draw(bounds))
    chains = data.draw(st.sampled_from([None, [0], [2], [2, 0]]))
    buckets = data.draw(st.integers(1, 40))
    trace = run.trace(name, draws=draws, chains=chains, buckets=buckets)
    of = chains or [0, 2]
    whole = range(max(LENGTHS[chain] for chain in of))[draws]
    start, stop = (whole.start, whole.stop) if len(whole) else (0, 0)
    assert (trace.start, trace.stop, trace.buckets) == (start, stop, buckets)
    [element] = trace.elements
    assert (element.variable, element.index, element.label) == (name, (), name)
    assert [chain.chain for chain in element.chains] == of
    for chain in element.chains:
        column = draws_of(chain.chain)[name][: LENGTHS[chain.chain]]
        exact = column - BIG if name == "k" else column.astype(float)
        assert chain.at.tolist() == kept(exact, start, stop, buckets)
        assert chain.values.dtype == column.dtype
        np.testing.assert_array_equal(chain.values, column[chain.at])


def test_elements_have_the_names_of_coordinates(run: mcb.Run) -> None:
    trace = run.trace()
    theta = [f"theta[{school},{year}]" for school in ("Choate", "Deerfield") for year in (1999, 2000)]
    assert [element.label for element in trace.elements] == ["x", *theta, "k", "flag"]
    assert repr(trace) == "Trace(7 elements, draws 0 to 500 in 1000 buckets)"
    some = run.trace("theta", elements=[3, slice(0, 2)], chains=[0], draws=slice(3))
    assert [(element.index, element.label) for element in some.elements] == [
        ((1, 1), "theta[Deerfield,2000]"),
        ((0, 0), "theta[Choate,1999]"),
        ((0, 1), "theta[Choate,2000]"),
    ]
    np.testing.assert_array_equal(some.elements[0].chains[0].values, draws_of(0)["theta"][:3, 1, 1])
    both = run.trace(["x", "x"], stat_names="x", draws=slice(-1, None))
    assert [element.chains[0].values.dtype for element in both.elements] == [np.float64, np.float32]
    assert both.elements[1].chains[0].values.tolist() == [499.0]
    assert both.elements[1].chains[1].values.tolist() == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"var_names": "y"}, mcb.UnknownVariableError),
        ({"stat_names": "theta"}, mcb.UnknownVariableError),
        ({"var_names": "path"}, TypeError),
        ({"var_names": "word"}, TypeError),
        ({"var_names": ["x", "k"], "elements": [0]}, ValueError),
        ({"var_names": "theta", "elements": [4]}, IndexError),
        ({"var_names": "theta", "elements": [0] * 101}, ValueError),
        ({"draws": slice(None, None, 2)}, ValueError),
        ({"buckets": 0}, ValueError),
        ({"buckets": 10_001}, ValueError),
        ({"buckets": 1.5}, TypeError),
        ({"chains": []}, ValueError),
        ({"chains": [0, 1]}, mcb.NotFoundError),
        ({"chains": [-1]}, mcb.InvalidError),
    ],
)
def test_questions_without_sense_are_refused(run: mcb.Run, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        run.trace(**options)


def test_an_earlier_server_is_told_of(server: RunningServer, make_client: Callable[..., Client], run: mcb.Run) -> None:
    problem = json.dumps({"code": "not_found", "status": 404, "title": "t", "detail": "d", "type": "about:blank"})
    reply = Reply(404, problem.encode(), {"Content-Type": "application/problem+json"})
    with Gate(server.port, lambda _, path: reply if "/trace" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.OldServerError, match="no traces"):
            other.trace("x")


CHAIN = {"chain": 0, "at": [0], "values": [1.5]}
ELEMENT = {"variable": "x", "index": [], "label": "x", "chains": [CHAIN]}
TRACE = {"start": 0, "stop": 1, "buckets": 1000, "elements": [ELEMENT]}


def with_chain(**members: Any) -> dict[str, Any]:
    return {**TRACE, "elements": [{**ELEMENT, "chains": [{**CHAIN, **members}]}]}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {**TRACE, "elements": []},
        {**TRACE, "elements": None},
        {**TRACE, "start": -1},
        {**TRACE, "elements": [{**ELEMENT, "variable": "y"}]},
        {**TRACE, "elements": [{**ELEMENT, "label": 1}]},
        {**TRACE, "elements": [{**ELEMENT, "index": [0.5]}]},
        with_chain(at=[0, 1]),
        with_chain(at=[-1]),
        with_chain(values=[True]),
        with_chain(values=["1.5"]),
        with_chain(values=[[1.5]]),
        with_chain(values=None),
        with_chain(chain="0"),
    ],
)
def test_answers_without_sense_are_errors(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run, content: Any
) -> None:
    body = json.dumps(content).encode()
    with Gate(server.port, lambda _, path: Reply(200, body) if "/trace" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.ProtocolError):
            other.trace("x")
