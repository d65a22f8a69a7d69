"""The client against the real server: metadata, draws, slices, errors."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable
from mcbackend_edge.reader import ChainReader
from mcbackend_edge.schema import RunMeta

from . import strategies
from .server import RunningServer


def test_metadata_comes_back(client: Client) -> None:
    data = np.arange(6.0).reshape(2, 3).T
    attributes: dict[str, Any] = {
        "none": None,
        "number": 1.5,
        "text": "µ",
        "flag": True,
        "list": [1.0, "a", None, [2.0]],
        "dict": {"a": {"b": 1.0}},
        "time": dt.datetime(2026, 11, 23, 8, 15, tzinfo=dt.timezone.utc),
        "span": dt.timedelta(seconds=1.5),
        "array": np.array([1, 2]),
    }
    created = client.create_run(
        variables={"theta": np.zeros(2), "k": np.int64(3), "name": "x"},
        sample_stats=[
            Variable("lp"),
            Variable("path", "int32", (-1,)),
            Variable("any", "float32", undefined_ndim=True),
        ],
        coords={"school": ["a", "b"], "day": np.array(["2026-01-01"], dtype="datetime64[D]")},
        dims={"theta": ["school"], "y": ["row", "school"]},
        data={"x": data},
        observed_data={"y": np.arange(2).reshape(1, 2)},
        attributes=attributes,
    )
    run = client.run(created.rid)
    assert run.registration == created.registration
    assert run.registration
    assert run.variables["theta"] == Variable("theta", "float64", (2,), ("school",))
    assert run.variables["k"] == Variable("k", "int64")
    assert run.variables["name"] == Variable("name", "str")
    assert run.sample_stats["any"].undefined_ndim
    assert run.coords["school"].tolist() == ["a", "b"]
    assert run.coords["day"].dtype == "datetime64[D]"
    assert strategies.same(run.constant_data["x"], data)
    assert run.observed_data["y"].tolist() == [[0, 1]]
    assert run.dims == {"theta": ["school"], "k": [], "name": [], "y": ["row", "school"]}
    assert strategies.same(run.attributes.pop("array"), attributes["array"])
    read = {name: value for name, value in run.attributes.items() if name != "array"}
    assert read == {name: value for name, value in attributes.items() if name != "array"}


def test_equal_runs_are_one_and_others_conflict(client: Client) -> None:
    rid = mcb.new_rid()
    first = client.create_run(rid, variables={"x": 0.0})
    again = client.create_run(rid, variables={"x": 0.0})
    assert first.registration == again.registration
    with pytest.raises(mcb.RunConflictError):
        client.create_run(rid, variables={"x": np.float32(0)})


@given(st.data())
def test_draws_come_back_bit_by_bit(client: Client, data: st.DataObject) -> None:
    """Appended one by one and as a block, of any dtype and shape, with stats missing here and there."""
    meta = data.draw(strategies.metas(mcb.new_rid()))
    iterations = data.draw(strategies.iterations(meta))
    run = client.register(meta)
    chain = run.init_chain(0, mirror=data.draw(st.booleans()))
    for draw, stats in iterations:
        chain.append(draw, stats)
    assert len(chain) == len(iterations)
    run.flush(progress=False)
    names = [var.name for var in meta.variables], [var.name for var in meta.sample_stats]
    for reader in (chain, client.run(run.rid).chain(0)):
        assert len(reader) == len(iterations)
        columns = reader.get_many(*names)
        for index, (draw, stats) in enumerate(iterations):
            for var, values, expected in (
                *((var, columns[0], draw[var.name]) for var in meta.variables),
                *((var, columns[1], (stats or {}).get(var.name, var.fill())) for var in meta.sample_stats),
            ):
                assert strategies.same(values[var.name][index], expected), (var, index)


@given(st.data())
def test_blocks_are_the_same_as_single_draws(client: Client, data: st.DataObject) -> None:
    """The server itself says so: it takes the second as a repetition of the first."""
    meta = data.draw(strategies.metas(mcb.new_rid()))
    iterations = data.draw(strategies.iterations(meta))
    run = client.register(meta)
    one_by_one = run.init_chain(0)
    for draw, stats in iterations:
        one_by_one.append(draw, stats)
    run.flush(progress=False)
    again = client.run(run.rid)
    split = data.draw(st.integers(0, len(iterations)))
    block = again.init_chain(0, start=0)
    for part in filter(None, (iterations[:split], iterations[split:])):
        present = {name for _, stats in iterations for name in stats or {}}
        filled = {var.name: [(stats or {}).get(var.name, var.fill()) for _, stats in part] for var in meta.sample_stats}
        block.extend(
            {var.name: _block(var, [draw[var.name] for draw, _ in part]) for var in meta.variables},
            {var.name: _block(var, filled[var.name]) for var in meta.sample_stats if var.name in present},
        )
    again.flush(progress=False)
    assert again.lengths() == {0: len(iterations)}


def _block(var: Variable, draws: list[Any]) -> Any:
    return np.array(draws) if var.is_rigid and var.dtype != "str" else draws


@pytest.fixture
def filled(client: Client) -> tuple[mcb.Chain, mcb.Chain, dict[str, list[Any]]]:
    """A chain of 20 iterations from memory, the same from the server, and its values."""
    variables = [Variable("n", "uint8"), Variable("m", "str", (2, 3)), Variable("r", "float32", (-1, 2))]
    run = client.create_run(variables=variables, sample_stats=[Variable("u", "int16", undefined_ndim=True)])
    rng = np.random.default_rng(3)
    values: dict[str, list[Any]] = {
        "n": [np.uint8(i) for i in range(20)],
        "m": [rng.choice(["a", "bc", "é"], size=(2, 3)) for _ in range(20)],
        "r": [rng.normal(size=(i % 4, 2)).astype(np.float32) for i in range(20)],
        "u": [rng.integers(9, size=(2,) * (i % 3)).astype(np.int16) for i in range(20)],
    }
    chain = run.init_chain(0, mirror=True)
    for index in range(20):
        chain.append({name: values[name][index] for name in "nmr"}, {"u": values["u"][index]})
    run.flush(progress=False)
    return chain, client.run(run.rid).chain(0), values


def test_stats_that_never_come_read_back_as_their_fill(client: Client) -> None:
    """All kinds, from memory and from the server, which gets none of them."""
    kinds = [Variable("s", "str"), Variable("t", "str", (2,)), Variable("r", "float32", (-1, 2)), Variable("n", "int8")]
    run = client.create_run(variables={"x": 0.0}, sample_stats=kinds)
    chain = run.init_chain(0, mirror=True)
    for index in range(7):
        chain.append({"x": float(index)}, {"s": "told"} if index > 3 else None)
        if index == 3:
            chain.get_stats("s")
    run.flush(progress=False)
    for read in (chain, client.run(run.rid).chain(0)):
        assert read.get_stats("s").tolist() == [""] * 4 + ["told"] * 3
        assert read.get_stats("t").tolist() == [["", ""]] * 7
        assert [value.shape for value in read.get_stats("r")] == [(0, 2)] * 7
        assert read.get_stats("n").tolist() == [0] * 7


def test_slices_are_pythons(filled: tuple[mcb.Chain, mcb.Chain, dict[str, list[Any]]]) -> None:
    mirror, remote, values = filled

    @given(strategies.slices(20))
    def check(slc: slice) -> None:
        for chain in (mirror, remote):
            for name, expected in values.items():
                read = chain.get_stats(name, slc) if name == "u" else chain.get_draws(name, slc)
                assert len(read) == len(expected[slc])
                assert all(strategies.same(*pair) for pair in zip(read, expected[slc])), (name, slc)

    check()


def test_large_reads_are_cut_into_pages(
    filled: tuple[mcb.Chain, mcb.Chain, dict[str, list[Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the server refused answers of more than three iterations."""
    _, remote, values = filled
    request = ChainReader._request
    sizes = []

    def limited(self: ChainReader, *arguments: Any) -> Any:
        batch = request(self, *arguments)
        if batch.count > 3:
            raise mcb.PayloadTooLargeError(413, "payload_too_large", "too large", {"limit": 3})
        sizes.append(batch.count)
        return batch

    monkeypatch.setattr(ChainReader, "_request", limited)

    @given(strategies.slices(20))
    def check(slc: slice) -> None:
        for name in "nmr":
            read = remote.get_draws(name, slc)
            assert all(
                strategies.same(*pair) for pair in itertools.zip_longest(read, values[name][slc], fillvalue=object())
            ), slc

    check()
    sizes.clear()
    assert len(remote.get_draws("n")) == len(values["n"])
    assert sum(sizes) == len(values["n"])
    assert 0 < max(sizes) <= 3


def test_single_iterations(filled: tuple[mcb.Chain, mcb.Chain, dict[str, list[Any]]]) -> None:
    for chain in filled[:2]:
        for index in (0, 7, -1, -20):
            draw = chain.get_draws_at(index, ["r", "n", "m"])
            assert list(draw) == ["r", "n", "m"]
            assert all(strategies.same(draw[name], filled[2][name][index]) for name in draw)
            assert strategies.same(chain.get_stats_at(index, ["u"])["u"], filled[2]["u"][index])
        with pytest.raises(IndexError):
            chain.get_draws_at(20, ["n"])
        with pytest.raises(KeyError, match="no variable 'nope'"):
            chain.get_draws("nope")
        with pytest.raises(KeyError, match="no sampler stat 'n'"):
            chain.get_stats_at(0, ["n"])


@pytest.mark.parametrize(
    ("draw", "stats", "error", "message"),
    [
        ({"x": np.zeros(3), "k": 1}, None, mcb.ShapeMismatchError, r"'x' has shape \[2\], not \[3\]"),
        ({"x": 0.0, "k": 1}, None, mcb.ShapeMismatchError, r"not \[\]"),
        ({"x": np.zeros(2)}, None, mcb.MissingVariableError, "lacks 'k'"),
        ({"x": np.zeros(2), "y": 1}, None, mcb.UnknownVariableError, "no variable 'y'"),
        ({"x": np.zeros(2), "k": 1, "y": 1}, None, mcb.UnknownVariableError, "no variable 'y'"),
        ({"x": np.zeros(2), "k": 1}, {"z": 1}, mcb.UnknownVariableError, "no sampler stat 'z'"),
        ({"x": np.zeros(2), "k": 1}, {"lp": 1, "s": 2}, mcb.DtypeMismatchError, "'s' holds strings"),
        ({"x": np.zeros(2), "k": 1.5}, None, mcb.DtypeMismatchError, "'k' has dtype int8"),
        ({"x": np.zeros(2), "k": np.nan}, None, mcb.DtypeMismatchError, "'k' has dtype int8"),
        ({"x": np.zeros(2), "k": 128}, None, mcb.DtypeMismatchError, "too large|no place"),
        ({"x": np.zeros(2), "k": np.int64(-129)}, None, mcb.DtypeMismatchError, "no place"),
        ({"x": np.zeros(2), "k": "1"}, None, mcb.DtypeMismatchError, "<U1 does not go"),
        ({"x": np.array([1j, 0]), "k": 1}, None, mcb.DtypeMismatchError, "complex128 does not go"),
    ],
)
def test_draws_that_do_not_fit_are_refused_whole(
    client: Client, draw: dict[str, Any], stats: dict[str, Any] | None, error: type[Exception], message: str
) -> None:
    run = client.create_run(variables={"x": np.zeros(2), "k": np.int8(0)}, sample_stats={"lp": 0.0, "s": ""})
    chain = run.init_chain(0)
    good = {"x": np.ones(2), "k": 5}
    chain.append(good, {"lp": 1.0, "s": "a"})
    with pytest.raises(error, match=message):
        chain.append(draw, stats)
    chain.append(good)
    run.flush(progress=False)
    assert chain.get_draws("k").tolist() == [5, 5]
    assert chain.get_stats("s").tolist() == ["a", ""]


def test_values_of_other_dtypes_are_taken_where_nothing_is_lost(client: Client) -> None:
    run = client.create_run(variables={"f": np.float32(0), "i": np.int16([0, 0]), "b": True})
    chain = run.init_chain(0)
    chain.append({"f": np.float64(0.1), "i": [3, 4.0], "b": 1})
    chain.append({"f": 1, "i": np.array([5, 6], dtype=">i8"), "b": np.bool_(False)})
    run.flush(progress=False)
    assert chain.get_draws("f").tolist() == [np.float32(0.1), 1.0]
    assert chain.get_draws("i").tolist() == [[3, 4], [5, 6]]
    assert chain.get_draws("b").tolist() == [True, False]


def test_blocks_that_do_not_fit_are_refused_whole(client: Client) -> None:
    run = client.create_run(variables={"x": np.zeros(2), "k": np.int8(0)}, sample_stats={"lp": 0.0})
    chain = run.init_chain(0)
    with pytest.raises(mcb.ShapeMismatchError, match="one length"):
        chain.extend({"x": np.zeros((3, 2)), "k": np.zeros(4, dtype=int)})
    with pytest.raises(mcb.ShapeMismatchError, match="a block of 'x'"):
        chain.extend({"x": np.zeros((3, 3)), "k": np.zeros(3, dtype=int)})
    with pytest.raises(mcb.MissingVariableError, match="lacks 'k'"):
        chain.extend({"x": np.zeros((3, 2))})
    with pytest.raises(mcb.UnknownVariableError, match="no sampler stat 'z'"):
        chain.extend({"x": np.zeros((3, 2)), "k": np.zeros(3, dtype=int)}, {"z": np.zeros(3)})
    with pytest.raises(mcb.DtypeMismatchError):
        chain.extend({"x": np.zeros((3, 2)), "k": np.full(3, 300)})
    chain.extend({"x": np.zeros((3, 2)), "k": np.arange(3)}, {"lp": np.zeros(3)})
    assert len(chain) == 3


def test_the_sampler_may_reuse_its_arrays(client: Client) -> None:
    run = client.create_run(variables={"x": np.zeros(2), "r": np.zeros(1)})
    chain = run.init_chain(0)
    x = np.zeros(2)
    for index in range(1000):
        x[:] = index
        chain.append({"x": x, "r": x[:1]})
    run.flush(progress=False)
    assert chain.get_draws("x").tolist() == [[i, i] for i in range(1000)]


def test_arrays_of_any_memory_order_are_taken(client: Client) -> None:
    run = client.create_run(variables={"x": np.zeros((2, 3)), "y": np.zeros(2)})
    chain = run.init_chain(0)
    x, y = np.arange(6.0).reshape(3, 2).T, np.arange(4.0)[::2]
    chain.append({"x": x, "y": y})
    chain.append({"x": np.asfortranarray(x), "y": np.broadcast_to(np.float64(7), 2)})
    run.flush(progress=False)
    assert chain.get_draws("x").tolist() == [x.tolist()] * 2
    assert chain.get_draws("y").tolist() == [[0.0, 2.0], [7.0, 7.0]]


def test_large_answers_lie_where_numpy_likes_them(client: Client) -> None:
    """So that the draws of one variable are not copied once more."""
    run = client.create_run(variables={"abc": np.zeros(1000)})
    chain = run.init_chain(0)
    chain.extend({"abc": np.arange(300_000.0).reshape(300, 1000)})
    run.flush(progress=False)
    read = chain.get_draws("abc")
    assert read.flags.aligned
    assert read.flags.writeable
    assert not read.flags.owndata
    assert np.array_equal(read.ravel(), np.arange(300_000.0))


def test_a_chain_belongs_to_one_writer(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    chain = run.init_chain(3)
    with pytest.raises(mcb.McbError, match="open for writing already"):
        run.init_chain(3)
    with pytest.raises(mcb.ChainExistsError):
        client.run(run.rid).init_chain(3)
    chain.append({"x": 1.0})
    run.flush(progress=False)
    other = client.run(run.rid).init_chain(3, resume=True)
    assert len(other) == 1
    other.append({"x": 2.0})
    other.run.flush(progress=False)
    # The first writer does not know of that: its next draw is at index 1, too.
    chain.append({"x": 3.0})
    with pytest.raises(mcb.DrawConflictError) as caught:
        run.flush(progress=False)
    assert caught.value.length == 2
    with pytest.raises(mcb.DrawConflictError):
        chain.append({"x": 4.0})
    assert client.run(run.rid).chain(3).get_draws("x").tolist() == [1.0, 2.0]
    with pytest.raises(mcb.McbError, match="open for reading"):
        client.run(run.rid).chain(3).append({"x": 1.0})


def test_an_old_writer_never_writes_into_a_new_run(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    rid = mcb.new_rid()
    run = client.create_run(rid, variables={"x": 0.0})
    chain = run.init_chain(0)
    chain.append({"x": 1.0})
    run.flush(progress=False)
    client.delete_run(rid)
    new = client.create_run(rid, variables={"x": 0.0})
    new.init_chain(0)
    chain.append({"x": 2.0})
    with pytest.raises(mcb.RunReplacedError):
        run.flush(progress=False)
    with pytest.raises(mcb.RunReplacedError):
        run.lengths()
    assert new.lengths() == {0: 0}
    assert sum("chain 0" in record.message for record in caplog.records) == 1


def test_missing_things(client: Client, server: RunningServer) -> None:
    with pytest.raises(mcb.NotFoundError) as caught:
        client.run("no-such-run")
    assert caught.value.code == "run_not_found"
    with pytest.raises(mcb.NotFoundError):
        client.delete_run("no-such-run")
    run = client.create_run(variables={"x": 0.0})
    with pytest.raises(mcb.NotFoundError) as caught:
        len(run.chain(9))
    assert caught.value.code == "chain_not_found"
    with pytest.raises(mcb.InvalidError):
        client.create_run("bad/rid", variables={"x": 0.0})
    with pytest.raises(mcb.InvalidError) as invalid:
        client.create_run(variables=[Variable("x"), Variable("x")])
    assert invalid.value.variable == "x"
    with pytest.raises(TypeError, match="complex128"):
        client.create_run(variables={"z": 1j})


def test_addresses_and_environment(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="MCB_URL"):
        Client()
    for address in (
        "localhost:1",
        "http://h:99999",
        "http://h:abc",
        "http://h:0",
        "http://a..b",
        "http://h h",
        "http://h\n",
    ):
        # At once, not behind the patience for a server that is away, and before anything is spooled.
        with pytest.raises(ValueError, match="must look like"):
            Client(address)
    Client("http://[::1]:8080").close()
    monkeypatch.setenv("MCB_URL", server.url)
    with Client() as client:
        assert "token" not in repr(client)
        assert list(client.runs(limit=0)) == []
    with (
        Client("http://127.0.0.1:9", patience=0.2) as nowhere,
        pytest.raises(mcb.ServerUnreachableError, match=r"127\.0\.0\.1:9"),
    ):
        nowhere.run("x")


def test_runs_are_listed_newest_first(make_client: Callable[..., Client], own_server: RunningServer) -> None:
    client = make_client(own_server.url)
    rids = [client.create_run(variables={"x": 0.0}, sample_stats={"lp": 0.0}).rid for _ in range(5)]
    assert [row.rid for row in client.runs()] == rids[::-1]
    assert [row.rid for row in client.runs(limit=2)] == rids[:2:-1]
    row = next(client.runs())
    assert (row.variables, row.sample_stats, row.chains, row.draws) == (1, 1, 0, 0)
    assert abs(row.created_at - dt.datetime.now(dt.timezone.utc)) < dt.timedelta(minutes=5)
    client.delete_run(rids[0])
    assert [row.rid for row in client.runs()] == rids[:0:-1]


def test_metadata_of_newer_schemas_survive(client: Client) -> None:
    raw = RunMeta(client.create_run(variables={"x": 0.0}).meta.raw).raw
    rid = mcb.new_rid()
    meta = RunMeta(raw.replace(client_rid(raw), rid.encode()) + b"\xfa\x07\x02hi")
    assert client.run(client.register(meta).rid).meta.raw.endswith(b"\xfa\x07\x02hi")


def client_rid(raw: bytes) -> bytes:
    return RunMeta(raw).rid.encode()
