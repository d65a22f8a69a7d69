"""`HTTPBackend` under McBackend's own test suite for backends, and next to its NumPyBackend."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, new_rid

from .server import RunningServer

mcb = pytest.importorskip("mcbackend", reason="McBackend is not installed: pip install mcbackend-edge[mcbackend]")
arviz = pytest.importorskip("arviz", reason="ArviZ is not installed: pip install mcbackend-edge[arviz]")
suite = pytest.importorskip("mcbackend.test_utils")

from mcbackend.meta import RunMeta, Variable  # noqa: E402
from mcbackend.npproto.utils import ndarray_from_numpy  # noqa: E402

from mcbackend_edge import HTTPBackend  # noqa: E402
from mcbackend_edge.mcbackend_adapter import HTTPChain, HTTPRun  # noqa: E402

ARVIZ = int(arviz.__version__.partition(".")[0])


@pytest.fixture
def backend(server: RunningServer) -> Iterator[HTTPBackend]:
    made = HTTPBackend(server.url)
    yield made
    made.close(5.0)


class TestBehavior(suite.CheckBehavior):  # type: ignore[misc, name-defined]
    """The tests that McBackend has for every backend."""

    cls_backend = HTTPBackend
    cls_run = HTTPRun
    cls_chain = HTTPChain

    @pytest.fixture(autouse=True)
    def use_backend(self, backend: HTTPBackend) -> None:
        self.backend = backend

    def setup_method(self, method: object) -> None:
        """The backend is the fixture's."""


class TestBehaviorOfReaders(TestBehavior):
    """The same, with everything that is read back read from the server, as another process would."""

    @pytest.fixture(autouse=True)
    def use_backend(self, backend: HTTPBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        original = HTTPRun.init_chain

        def without_mirror(self: HTTPRun, chain_number: int) -> HTTPChain:
            chain = original(self, chain_number)
            chain._chain._mirror = None
            return chain

        monkeypatch.setattr(HTTPRun, "init_chain", without_mirror)
        self.backend = backend


def stats_of(kind: str) -> list[Any]:
    return [
        Variable(kind, "bool"),
        Variable("logp", "float32"),
        Variable("steps", "int16", [2]),
        Variable("warning", "str"),
    ]


def fill_run(run: Any, meta: Any, kind: str, lengths: list[int], seed: int = 1) -> None:
    """Appends the same values to any backend's run; the first third of each chain is warmup."""
    import random

    random.seed(seed)
    np.random.seed(seed)
    for number, length in enumerate(lengths):
        chain = run.init_chain(number)
        for index in range(length):
            stats = suite.make_draw(meta.sample_stats)
            stats["warning"] = np.array("w" * (index % 5))
            stats[kind] = np.array(index < 5)
            chain.append(suite.make_draw(meta.variables), stats)


def assert_same_idata(left: Any, right: Any) -> None:
    """Group by group, dtype by dtype, value by value, with dimensions and coordinates."""
    assert left.groups() == right.groups()
    for group in left.groups():
        ours, theirs = left[group], right[group]
        assert list(ours.data_vars) == list(theirs.data_vars), group
        assert dict(ours.sizes) == dict(theirs.sizes)
        for name in theirs.variables:
            assert ours[name].dims == theirs[name].dims, (group, name)
            assert ours[name].dtype == theirs[name].dtype, (group, name)
            np.testing.assert_array_equal(ours[name].values, theirs[name].values)


@pytest.mark.parametrize("kind", ["tune", "sampler_0__tune"])
@pytest.mark.parametrize("equalize", [True, False])
@pytest.mark.parametrize("lengths", [[12, 12], [12, 9, 14]])
def test_inferencedata_is_that_of_the_numpy_backend(
    backend: HTTPBackend, kind: str, equalize: bool, lengths: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    meta = suite.make_runmeta(
        rid=new_rid(),
        sample_stats=stats_of(kind),
        variables=[
            Variable("theta", "float64", [3], ["school"]),
            Variable("k", "int8", [2, 2]),
            Variable("flag", "bool"),
            Variable("u", "uint64"),
            Variable("s", "float32", [], is_deterministic=True),
        ],
        coordinates=[mcb.Coordinate("school", ndarray_from_numpy(np.array(["a", "b", "c"])))],
    )
    reference = mcb.NumPyBackend(preallocate=50).init_run(meta)
    fill_run(reference, meta, kind, lengths)
    ours = backend.init_run(meta)
    fill_run(ours, meta, kind, lengths)
    if ARVIZ >= 1:
        # McBackend 0.5.4 takes ArviZ 1.3 for an ArviZ 0.x, and fails.
        with pytest.raises(TypeError, match="warmup_posterior"):
            reference.to_inferencedata(equalize_chain_lengths=equalize)
        pytest.skip("McBackend's own backend gives no InferenceData with this ArviZ: there is nothing to compare with")
    if not equalize and len(set(lengths)) > 1:
        # ArviZ cannot put chains of different lengths together with names of dimensions; neither backend changes that.
        with pytest.raises(ValueError, match="dim"):
            reference.to_inferencedata(equalize_chain_lengths=False)
        with pytest.raises(ValueError, match="dim"):
            ours.to_inferencedata(equalize_chain_lengths=False)
        return
    expected = reference.to_inferencedata(equalize_chain_lengths=equalize)
    assert_same_idata(ours.to_inferencedata(equalize_chain_lengths=equalize), expected)
    ours.flush()
    assert_same_idata(backend.get_run(meta.rid).to_inferencedata(equalize_chain_lengths=equalize), expected)
    varied = [record for record in caplog.records if "vary in length" in record.message and "edge" in record.name]
    assert bool(varied) == (len(set(lengths)) > 1)


def test_get_runs_gives_the_frame_of_the_clickhouse_backend(
    own_server: RunningServer,
) -> None:
    import pandas

    backend = HTTPBackend(own_server.url)
    empty = backend.get_runs()
    assert list(empty.columns) == ["created_at", "proto"]
    assert len(empty) == 0
    metas = [suite.make_runmeta() for _ in range(3)]
    for meta in metas:
        backend.init_run(meta)
    frame = backend.get_runs()
    assert frame.index.name == "rid"
    assert list(frame.index) == [meta.rid for meta in metas]
    assert list(frame.proto) == metas
    assert isinstance(frame.created_at.iloc[0], pandas.Timestamp)
    assert all(created.tzinfo is not None for created in frame.created_at)
    theirs = [pandas.Timestamp(2026, 1, 1).replace(tzinfo=dt.timezone.utc)]
    assert frame.created_at.dtype == pandas.DataFrame({"created_at": theirs}).created_at.dtype
    assert frame.proto.dtype == object
    assert abs(frame.created_at.iloc[0] - dt.datetime.now(dt.timezone.utc)) < dt.timedelta(minutes=5)
    backend.close()


def test_chains_of_other_processes_are_served_too(
    backend: HTTPBackend, make_client: Callable[..., Client], server: RunningServer
) -> None:
    meta = RunMeta("", [Variable("x", "float64")])
    run = backend.init_run(meta)
    assert meta.rid
    own = run.init_chain(0)
    own.append({"x": np.array(1.0)})
    other = make_client(server.url).run(meta.rid)
    other.init_chain(1).append({"x": 2.0})
    other.flush(progress=False)
    chains = run.get_chains()
    assert [chain.cmeta.chain_number for chain in chains] == [0, 1]
    assert chains[0] is own
    assert [chain.get_draws("x").tolist() for chain in chains] == [[1.0], [2.0]]


def test_values_are_cast_as_numpy_assigns_them(backend: HTTPBackend) -> None:
    """A sampler whose stats are not of the dtype that it registered must not be stopped for that."""
    meta = suite.make_runmeta(
        variables=[Variable("x", "float32", [2])], sample_stats=[Variable("n", "int64"), Variable("b", "bool")]
    )
    run, reference = backend.init_run(meta), mcb.NumPyBackend().init_run(meta)
    for chain in (run.init_chain(0), reference.init_chain(0)):
        chain.append({"x": np.float64(1.25)}, {"n": 2.9, "b": 3})
        chain.append({"x": [1, 2]}, {"n": np.array([7]) if chain is run else 7, "b": np.float64(0)})
    for name in ("n", "b"):
        ours, theirs = (r.get_chains()[0].get_stats(name) for r in (run, reference))
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert run.get_chains()[0].get_draws("x").tolist() == [[1.25, 1.25], [1.0, 2.0]]
    backend.flush()
    assert backend.get_run(meta.rid).get_chains()[0].get_stats("n").tolist() == [2, 7]


def test_fortran_ordered_data_keep_their_order(backend: HTTPBackend) -> None:
    """McBackend's writer notes the memory order of an array, but its bytes are in C order."""
    value = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    meta = RunMeta("", [Variable("x", "float64")], data=[mcb.DataVariable("d", ndarray_from_numpy(value))])
    run = backend.init_run(meta)
    assert run.constant_data["d"].tolist() == value.tolist()
    assert backend.get_run(meta.rid).constant_data["d"].tolist() == value.tolist()


def test_logging_says_when_nothing_marks_warmup(backend: HTTPBackend, caplog: pytest.LogCaptureFixture) -> None:
    run = backend.init_run(RunMeta("", [Variable("x", "float64")]))
    run.init_chain(0).append({"x": np.array(1.0)})
    idata = run.to_inferencedata()
    assert idata.posterior.sizes == {"chain": 1, "draw": 1}
    assert any(r.levelno == logging.WARNING and "No 'tune' stat" in r.message for r in caplog.records)


def test_spool_is_where_it_was_asked_for(server: RunningServer, tmp_path: os.PathLike[str]) -> None:
    backend = HTTPBackend(server.url, spool=os.path.join(tmp_path, "here"))
    backend.init_run(RunMeta("", [Variable("x", "float64")])).init_chain(0)
    assert len(os.listdir(os.path.join(tmp_path, "here"))) == 1
    backend.close()
    assert os.listdir(os.path.join(tmp_path, "here")) == []
