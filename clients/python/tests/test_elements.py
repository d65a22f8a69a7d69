"""Elements of a variable: from a server that knows ``elem``, from one that does not, and from memory."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcbackend_edge as mcb
from mcbackend_edge import Chain, Client, Variable, elements
from mcbackend_edge.columns import column_of
from mcbackend_edge.elements import ElementIndex, Elements
from mcbackend_edge.reader import ChainReader
from mcbackend_edge.wire import BatchEncoder, decode_batch

from . import strategies
from .gate import Gate, Reply, pass_on
from .server import RunningServer

LENGTH = 12
COLUMNS = [
    Variable("cube", "float64", (3, 4, 5)),
    Variable("pair", "int16", (2,)),
    Variable("scalar", "float32"),
    Variable("flags", "bool", (7,)),
    Variable("words", "str", (2, 3)),
    Variable("path", "float64", (-1,)),
    Variable("empty", "float64", (0, 3)),
]
STATS = [Variable("lp"), Variable("grid", "uint8", (4, 4)), Variable("note", "str")]
RIGID = [var.name for var in (*COLUMNS, *STATS) if var.is_rigid and var.name != "empty"]


def values_of(var: Variable) -> Any:
    rng = np.random.default_rng(len(var.name))
    shape = (LENGTH, *var.shape)
    if not var.is_rigid:
        return [rng.normal(size=index % 3) for index in range(LENGTH)]
    if var.dtype == "str":
        return np.array([f"{number}é" for number in range(math.prod(shape))]).reshape(shape)
    return rng.integers(100, size=shape).astype(var.dtype) if var.dtype != "bool" else rng.integers(2, size=shape) == 1


VALUES = {var.name: values_of(var) for var in (*COLUMNS, *STATS)}


class ElementServer:
    """Answers questions with ``elem`` as the contract has it, from whole draws of a server that may not know them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: list[str] = []

    def __call__(self, method: str, path: str) -> Reply | None:
        query = parse_qsl(urlsplit(path).query, keep_blank_values=True)
        given = [value for name, value in query if name == "elem"]
        if method != "GET" or not given:
            return None
        [elem] = given
        self.asked.append(elem)
        [name] = [value for key, value in query if key in ("var", "stat")]
        assert re.fullmatch(r"\d+(:\d+)?(,\d+(:\d+)?)*", elem), elem
        whole = pass_on(self._port, method, without_elem(path), b"", {})
        if whole.status != 200:
            return whole
        chosen: list[int] = []
        for part in elem.split(","):
            first, _, end = part.partition(":")
            chosen += range(int(first), int(end) if end else int(first) + 1)
            assert int(first) < int(end or 2**63)
        assert len(chosen) <= 10_000
        var = next(var for var in (*COLUMNS, *STATS) if var.name == name)
        batch = decode_batch(memoryview(bytearray(whole.body)), by_name(COLUMNS), by_name(STATS))
        column = {**batch.draws, **batch.stats}[name]
        full = VALUES[name].reshape(LENGTH, -1)
        rows = full[range(LENGTH)[batch.start :: batch.step][: batch.count]] if batch.count else full[:0]
        assert len(column) == batch.count
        cut = Variable(name, var.dtype, (len(chosen),))
        is_stat = var in STATS
        encoder = BatchEncoder([] if is_stat else [cut], [cut] if is_stat else [])
        return Reply(200, encoder.encode(batch.start, batch.count, [column_of(cut, rows[:, chosen])]), whole.headers)


def by_name(variables: list[Variable]) -> dict[str, Variable]:
    return {var.name: var for var in variables}


def without_elem(path: str) -> str:
    """An address as a server of an earlier version reads it."""
    parts = urlsplit(path)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "elem"]
    return f"{parts.path}?{urlencode(query)}"


@pytest.fixture(scope="module")
def chains(server: RunningServer) -> Iterator[dict[str, Chain]]:
    """One chain, as four handles read it."""
    knowing = ElementServer(server.port)

    def ignorant(method: str, path: str) -> Reply | None:
        return pass_on(server.port, method, without_elem(path), b"", {}) if "elem=" in path else None

    with Client(server.url) as client, Gate(server.port, knowing) as new, Gate(server.port, ignorant) as old:
        run = client.create_run(variables=COLUMNS, sample_stats=STATS)
        own = run.init_chain(0, mirror=True)
        own.extend({var.name: VALUES[var.name] for var in COLUMNS}, {var.name: VALUES[var.name] for var in STATS})
        run.flush(progress=False)
        with Client(new.url) as of_new, Client(old.url) as of_old:
            yield {
                "from memory": own,
                "from the server": client.run(run.rid).chain(0),
                "from one that knows elem": of_new.run(run.rid).chain(0),
                "from one that does not": of_old.run(run.rid).chain(0),
            }
            assert knowing.asked


HANDLES = ["from memory", "from the server", "from one that knows elem", "from one that does not"]


def read(chain: Chain, name: str, slc: slice, wanted: list[ElementIndex]) -> Any:
    if name in by_name(STATS):
        return chain.get_stats(name, slc, elements=wanted, progress=False)
    return chain.get_draws(name, slc, elements=wanted, progress=False)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, slice, list[ElementIndex]]:
    name = draw(st.sampled_from(RIGID))
    size = VALUES[name].reshape(LENGTH, -1).shape[1]
    index = st.integers(0, size - 1)
    ranges = st.tuples(index, index).map(lambda pair: slice(min(pair), max(pair) + 1))
    return name, draw(strategies.slices(LENGTH)), draw(st.lists(st.one_of(index, ranges), min_size=1, max_size=6))


@pytest.mark.parametrize("handle", HANDLES)
def test_elements_are_those_of_the_flattened_draws(chains: dict[str, Chain], handle: str) -> None:
    @given(questions())
    def check(question: tuple[str, slice, list[ElementIndex]]) -> None:
        name, slc, wanted = question
        flat = VALUES[name].reshape(LENGTH, -1)
        indices = [i for item in wanted for i in (range(item.start, item.stop) if isinstance(item, slice) else [item])]
        got = read(chains[handle], name, slc, wanted)
        assert strategies.same(got, flat[slc][:, indices])

    check()


@pytest.mark.parametrize("handle", HANDLES)
def test_order_duplicates_and_open_ranges(chains: dict[str, Chain], handle: str) -> None:
    chain = chains[handle]
    flat = VALUES["cube"].reshape(LENGTH, 60)
    assert np.array_equal(chain.get_draws("cube", elements=[7, 3, 3, 7]), flat[:, [7, 3, 3, 7]])
    assert np.array_equal(chain.get_draws("cube", elements=[slice(2), slice(58, None)]), flat[:, [0, 1, 58, 59]])
    assert np.array_equal(chain.get_draws("cube", elements=np.array([59, 0])), flat[:, [59, 0]])
    assert np.array_equal(chain.get_draws("scalar", elements=[0]), VALUES["scalar"][:, None])
    # As many as a draw has, or more: the length of an answer does not tell elements from whole draws.
    assert np.array_equal(chain.get_draws("pair", elements=[1, 0]), VALUES["pair"][:, ::-1])
    assert np.array_equal(chain.get_draws("pair", elements=[1, 0, 1]), VALUES["pair"][:, [1, 0, 1]])
    words = chain.get_draws("words", slice(-2, None), elements=[5, 0])
    assert words.tolist() == VALUES["words"].reshape(LENGTH, 6)[-2:, [5, 0]].tolist()
    assert chain.get_stats("note", elements=[0]).shape == (LENGTH, 1)
    assert chain.get_draws("words", slice(0, 0), elements=[1]).shape == (0, 1)
    assert chain.get_draws("cube", slice(5, 5), elements=[1, 2]).shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "wanted", "error", "message"),
    [
        ("cube", [-1], IndexError, "counted from 0"),
        ("cube", [slice(0, -1)], IndexError, "counted from 0"),
        ("cube", [60], IndexError, r"'cube' has the elements 0 to 59, and none of index 60"),
        ("cube", [slice(50, 61)], IndexError, "none of index 60"),
        ("scalar", [1], IndexError, "elements 0 to 0"),
        ("empty", [0], IndexError, "no elements"),
        ("cube", [slice(3, 3)], ValueError, "begins before it ends"),
        ("cube", [slice(9, 3)], ValueError, "begins before it ends"),
        ("cube", [slice(0, 9, 2)], ValueError, "no step"),
        ("cube", [], ValueError, "no elements"),
        ("cube", [slice(None)] * 167, ValueError, "more than 10,000 elements"),
        ("cube", [True, False], TypeError, "flatnonzero"),
        ("cube", np.zeros(60, dtype=bool), TypeError, "flatnonzero"),
        ("cube", [(0, 1, 2)], TypeError, "ravel_multi_index"),
        ("cube", [1.0], TypeError, "index into the flattened value"),
        ("cube", ["theta"], TypeError, "index into the flattened value"),
        ("cube", [slice("a", "b")], TypeError, "index into the flattened value"),
        ("cube", "0,3", TypeError, "list of indices"),
        ("cube", 3, TypeError, "list of indices"),
        ("path", [0], TypeError, "no fixed shape"),
        ("nope", [0], mcb.UnknownVariableError, "no variable 'nope'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_sent(
    chains: dict[str, Chain], name: str, wanted: Any, error: type[Exception], message: str
) -> None:
    for chain in chains.values():
        with pytest.raises(error, match=message):
            chain.get_draws(name, elements=wanted)


def test_what_is_sent_is_short() -> None:
    var = Variable("x", "float64", (100, 100))
    assert Elements.of(var, [0, 3, slice(10, 20)]).query == "0,3,10:20"
    assert Elements.of(var, [5, 6, 7, 9, 8]).query == "5:8,9,8"
    assert Elements.of(var, [slice(0, 4), 4, 4]).query == "0:5,4"
    assert Elements.of(var, range(10_000)).query == "0:10000"


@pytest.mark.parametrize("handle", HANDLES)
def test_what_no_address_has_room_for_is_asked_in_parts(
    chains: dict[str, Chain], handle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "MOST_CHARACTERS", 4)
    for name, size in (("cube", 60), ("words", 6), ("grid", 16)):
        wanted: list[ElementIndex] = [*range(size - 1, 0, -2)]
        parts = list(Elements.of({**by_name(COLUMNS), **by_name(STATS)}[name], wanted).parts())
        assert all(len(part.query) <= 4 for part in parts)
        assert len(parts) > 1
        expected = VALUES[name].reshape(LENGTH, -1)[:, size - 1 : 0 : -2]
        for slc in (slice(None), slice(-3, None), slice(None, None, -2), slice(4, 2)):
            assert strategies.same(read(chains[handle], name, slc, wanted), expected[slc])


@pytest.mark.parametrize("handle", HANDLES[1:])
def test_pages_of_elements(chains: dict[str, Chain], handle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server refused answers of more than three iterations."""
    request = ChainReader._request

    def limited(self: ChainReader, *arguments: Any) -> Any:
        batch = request(self, *arguments)
        if batch.count > 3:
            raise mcb.PayloadTooLargeError(413, "payload_too_large", "too large", {"limit": 3})
        return batch

    monkeypatch.setattr(ChainReader, "_request", limited)
    for name in RIGID:
        flat = VALUES[name].reshape(LENGTH, -1)
        for slc in (slice(None), slice(None, None, -1)):
            assert strategies.same(read(chains[handle], name, slc, [flat.shape[1] - 1, 0]), flat[slc][:, [-1, 0]])


def test_an_answer_that_is_neither_is_an_error(server: RunningServer, make_client: Callable[..., Client]) -> None:
    """Three elements where two of five were asked for: neither those nor whole draws."""
    run = make_client(server.url).create_run(variables={"x": np.zeros(5)})
    run.init_chain(0).extend({"x": np.zeros((3, 5))})
    run.flush(progress=False)
    three = Variable("x", "float64", (3,))
    body = BatchEncoder([three], []).encode(0, 3, [column_of(three, np.zeros((3, 3)))])
    with Gate(server.port, lambda _, path: Reply(200, body) if "elem=" in path else None) as gate:
        chain = make_client(gate.url).run(run.rid).chain(0)
        with pytest.raises(mcb.ProtocolError, match="72 bytes of 'x', not 48"):
            chain.get_draws("x", elements=[0, 2])
