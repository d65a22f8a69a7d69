"""The speed table: appending, sending, reading and sampling, each against what it is to be measured by."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import mcbackend
import numpy as np
import pytest
from mcbackend.meta import RunMeta
from mcbackend.meta import Variable as McbVariable
from mcbackend.test_utils import make_draw

from mcbackend_edge import Client, HTTPBackend, new_rid
from tests.server import RunningServer

# McBackend's own three: 14 floats, 300 variables, 11,100 floats; draws for a round of append, and of sending.
SHAPES: dict[str, tuple[list[McbVariable], int, int]] = {
    "14 floats": (
        [McbVariable("v1", "float32", []), McbVariable("v2", "float32", [3]), McbVariable("v3", "float32", [5, 2])],
        100_000,
        300_000,
    ),
    "300 variables": ([McbVariable(f"v{v}", "float32", [5, 2][: v % 2]) for v in range(300)], 3_000, 6_000),
    "11,100 floats": (
        [
            McbVariable("v1", "float32", [100]),
            McbVariable("v2", "float32", [1000]),
            McbVariable("v3", "float32", [100, 100]),
        ],
        3_000,
        3_000,
    ),
}


@pytest.fixture
def backend(server: RunningServer) -> Iterator[HTTPBackend]:
    made = HTTPBackend(server.url)
    yield made
    made.close()


def numpy_append(variables: list[McbVariable], draws: int) -> Callable[[], Callable[[], None]]:
    def prepare() -> Callable[[], None]:
        meta = RunMeta(new_rid(), variables)
        draw, chain = make_draw(variables), mcbackend.NumPyBackend().init_run(meta).init_chain(0)

        def timed() -> None:
            append = chain.append
            for _ in range(draws):
                append(draw)

        return timed

    return prepare


@pytest.mark.parametrize("shape", SHAPES)
def test_append(backend: HTTPBackend, compare: Any, shape: str) -> None:
    """`append` in the caller's thread, while the uploader sends."""
    variables, draws, _ = SHAPES[shape]
    held: list[Any] = []

    def prepare() -> Callable[[], None]:
        for run in held:
            run.flush(120.0)
            backend.client.delete_run(run.meta.rid)
        held[:] = [backend.init_run(RunMeta(new_rid(), variables))]
        draw, chain = make_draw(variables), held[0].init_chain(0)

        def timed() -> None:
            append = chain.append
            for _ in range(draws):
                append(draw)

        return timed

    compare(prepare, numpy_append(variables, draws), "<= 1.0", 9)


@pytest.mark.parametrize("shape", SHAPES)
def test_acknowledged(server: RunningServer, compare: Any, shape: str) -> None:
    """Draws/s until the server has acknowledged all, against appending to NumPyBackend alone."""
    variables, _, draws = SHAPES[shape]
    with Client(server.url) as client:
        rids: list[str] = []

        def prepare() -> Callable[[], None]:
            for rid in rids:
                client.delete_run(rid)
            rids[:] = [new_rid()]
            draw = make_draw(variables)
            run = client.create_run(rids[0], variables=draw)
            chain = run.init_chain(0)

            def timed() -> None:
                append = chain.append
                for _ in range(draws):
                    append(draw)
                run.flush(300.0, progress=False)

            return timed

        compare(prepare, numpy_append(variables, draws), ">= 0.5", 5)


def bare_get(server: RunningServer, path: str) -> np.ndarray[Any, Any]:
    """The bytes of an answer, read into one array without looking at them."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path, headers={"Accept": "application/x-protobuf"})
    response = connection.getresponse()
    assert response.length is not None
    buffer = np.empty(response.length, dtype=np.uint8)
    view, read = memoryview(buffer), 0
    while read < len(view):
        read += response.readinto(view[read:])
    connection.close()
    return buffer


@pytest.mark.parametrize("columns", [1, 1024])
def test_get_draws(server: RunningServer, compare: Any, columns: int) -> None:
    """100 MiB from a local server, against a bare GET of the same answer into a NumPy array."""
    rows = (100 << 20) // 8 // columns
    values = np.random.default_rng(1).normal(size=(rows, columns))
    with Client(server.url) as client:
        run = client.create_run(variables={"x": np.zeros(columns)})
        chain = run.init_chain(0)
        for begin in range(0, rows, rows // 8):
            chain.extend({"x": values[begin : begin + rows // 8]})
        run.flush(300.0, progress=False)
        reader = client.run(run.rid).chain(0)
        path = f"/v1/runs/{run.rid}/chains/0/draws?var=x"

        def bare() -> np.ndarray[Any, Any]:
            return bare_get(server, path)

        def ours() -> None:
            assert reader.get_draws("x", progress=False).shape == (rows, columns)

        assert np.array_equal(reader.get_draws("x", progress=False), values)
        compare(lambda: ours, lambda: bare, ">= 0.5", 7)
        client.delete_run(run.rid)


def test_read_a_large_model(server: RunningServer, compare: Any) -> None:
    """4 x 2,000 draws of 5,000 dimensions (320 MB) as InferenceData, against bare GETs of the same answers."""
    dimensions, draws = 5000, 2000
    block = np.random.default_rng(1).normal(size=(draws // 4, dimensions))
    with Client(server.url) as client:
        run = client.create_run(
            variables={"theta": np.zeros(dimensions), "mu": 0.0}, sample_stats={"tune": False, "lp": 0.0}
        )
        for number in range(4):
            chain = run.init_chain(number)
            for part in range(4):
                chain.extend({"theta": block + part, "mu": block[:, 0]}, {"lp": block[:, 1]})
            run.flush(300.0, progress=False)
        reader = client.run(run.rid)

        def bare() -> None:
            for number in range(4):
                bare_get(server, f"/v1/runs/{run.rid}/chains/{number}/draws")

        def ours() -> None:
            posterior = reader.to_inferencedata(progress=False).posterior
            assert posterior.theta.shape == (4, draws, dimensions)

        theta = reader.to_inferencedata(progress=False).posterior.theta.values
        assert np.array_equal(theta[3, -len(block) :], block + 3)
        compare(lambda: ours, lambda: bare, ">= 0.5", 3)
        client.delete_run(run.rid)


def test_pymc_sample(server: RunningServer, compare: Any) -> None:
    """Wall time of `pm.sample`, eight schools, 4 × 2,000 draws, against PyMC's own backend."""
    import pymc as pm

    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    sigma = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * eta, dims="school")
        pm.Normal("obs", theta, sigma, observed=y, dims="school")

    def sample(trace: Any) -> Callable[[], None]:
        def timed() -> None:
            with model:
                pm.sample(
                    draws=2000,
                    tune=1000,
                    chains=4,
                    cores=2,
                    random_seed=3,
                    trace=trace,
                    progressbar=False,
                    compute_convergence_checks=False,
                )

        return timed

    backend = HTTPBackend(server.url)
    compare(lambda: sample(backend), lambda: sample(None), "<= 1.05", 3)
    backend.flush()
    backend.close()
