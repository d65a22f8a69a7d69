"""Unmodified PyMC with ``trace=HTTPBackend(...)``, against the same seed with PyMC's own backend."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from .server import RunningServer

pm = pytest.importorskip("pymc", reason="PyMC is not installed: pip install mcbackend-edge[pymc]")

import mcbackend  # noqa: E402

from mcbackend_edge import HTTPBackend  # noqa: E402
from mcbackend_edge.schema import Variable  # noqa: E402

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SIGMA = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def eight_schools() -> Any:
    """Non-centred, with coords, data and a deterministic."""
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        sigma = pm.Data("sigma", SIGMA, dims="school")
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * eta, dims="school")
        y = pm.Data("y", Y, dims="school")
        pm.Normal("obs", theta, sigma, observed=y, dims="school")
    return model


def mixed() -> Any:
    """NUTS beside a Metropolis and a binary stepper: a compound step."""
    with pm.Model(coords={"group": [1, 2, 3]}) as model:
        k = pm.Poisson("k", 3.0, dims="group")
        flag = pm.Bernoulli("flag", 0.4)
        mu = pm.Normal("mu", k.mean() + flag, 1.0)
        pm.Normal("y", mu, 1.0, observed=[1.0, 2.0])
    return model


@pytest.fixture
def backend(server: RunningServer) -> Iterator[HTTPBackend]:
    made = HTTPBackend(server.url)
    yield made
    made.close(10.0)


def sample(model: Any, trace: Any, cores: int, draws: int = 60, tune: int = 40, **options: Any) -> Any:
    with model:
        return pm.sample(
            draws=draws,
            tune=tune,
            chains=4,
            cores=cores,
            trace=trace,
            random_seed=11,
            progressbar=False,
            discard_tuned_samples=False,
            compute_convergence_checks=False,
            # PyMC 6 chooses nutpie by itself where it is installed and there is no trace.
            nuts_sampler="pymc",
            **options,
        )


TIMINGS = ("perf_counter", "process_time")


def assert_same_draws(ours: Any, reference: Any, groups: tuple[str, ...] = ("posterior", "sample_stats")) -> None:
    """Everything but timings and warnings, which are objects."""
    for group in (prefix + name for name in groups for prefix in ("", "warmup_")):
        # PyMC leaves transformed values and warnings out of what it converts itself.
        more = set(ours[group].data_vars) - set(reference[group].data_vars)
        assert all(name.endswith("__") or name == "warning" for name in more), more
        for name, values in reference[group].data_vars.items():
            if not name.startswith(TIMINGS) and name != "warning":
                assert ours[group][name].dtype == values.dtype, name
                np.testing.assert_array_equal(ours[group][name].values, values.values, err_msg=name)


@pytest.mark.parametrize("make_model", [eight_schools, mixed])
@pytest.mark.parametrize("cores", [1, 4])
def test_draws_are_those_of_pymcs_own_backend(backend: HTTPBackend, make_model: Any, cores: int) -> None:
    reference = sample(make_model(), None, cores)
    ours = sample(make_model(), backend, cores)
    # PyMC mixes up stats of several samplers when it reads them back from any McBackend backend ("accept" and
    # "accepted", say): those are compared with what it gives for McBackend's own.
    assert_same_draws(ours, reference, ("posterior",))
    assert_same_draws(ours, sample(make_model(), mcbackend.NumPyBackend(), cores), ("sample_stats",))
    backend.flush()
    rid = next(backend.client.runs(limit=1)).rid
    stored = backend.get_run(rid).run.to_inferencedata()
    assert_same_draws(stored, reference)
    if make_model is eight_schools:
        assert stored.posterior.theta.dims == ("chain", "draw", "school")
        assert stored.constant_data.sigma.values.tolist() == SIGMA.tolist()
        assert stored.constant_data.sigma.dims == ("school",)
        # The data have the name of the random variable, as in PyMC's own result.
        assert stored.observed_data["obs"].values.tolist() == Y.tolist()
        assert stored.posterior.school.values.tolist() == list("ABCDEFGH")
        meta = backend.get_run(rid).run.meta
        assert next(var for var in meta.variables if var.name == "theta").is_deterministic


READER = """
import sys, mcbackend_edge as mcb
run = mcb.Client(sys.argv[1]).run(sys.argv[2])
for lengths in run.watch(interval=0.1, idle=15.0):
    if len(lengths) == 4 and min(lengths.values()) > 10:
        theta = run.chain(0).get_draws("theta")
        print(min(lengths.values()), theta.shape[1])
        break
"""


def test_another_process_reads_while_it_samples(backend: HTTPBackend, server: RunningServer) -> None:
    """The sampler waits in its callback until the reader has seen draws of every chain."""
    reader: list[subprocess.CompletedProcess[str]] = []

    def read() -> None:
        while not (rows := list(backend.client.runs(limit=1))):
            time.sleep(0.05)
        command = [sys.executable, "-c", READER, server.url, rows[0].rid]
        reader.append(subprocess.run(command, capture_output=True, text=True, check=True))

    before = {row.rid for row in backend.client.runs()}
    seen = threading.Event()

    def callback(trace: Any, draw: Any) -> None:
        if draw.chain == 3 and draw.draw_idx == 60:
            fresh = [row.rid for row in backend.client.runs(limit=1) if row.rid not in before]
            assert fresh
            read()
            seen.set()

    sample(eight_schools(), backend, 1, callback=callback)
    assert seen.is_set()
    length, schools = map(int, reader[0].stdout.split())
    assert 10 < length < 100
    assert schools == 8


def test_the_server_goes_away_while_pymc_samples(own_server: RunningServer) -> None:
    """Stopped for seconds, and killed once: the same draws, none lost."""
    backend = HTTPBackend(own_server.url)
    reference = sample(eight_schools(), None, 1, draws=200)
    waits = {20: own_server.stop, 120: own_server.start, 150: own_server.kill, 230: own_server.start}

    def callback(trace: Any, draw: Any) -> None:
        if draw.chain == 1 and draw.draw_idx in waits:
            time.sleep(0.6)
            waits.pop(draw.draw_idx)()

    ours = sample(eight_schools(), backend, 1, draws=200, callback=callback)
    assert not waits
    assert_same_draws(ours, reference)
    backend.flush()
    rid = next(backend.client.runs(limit=1)).rid
    stored = HTTPBackend(own_server.url).get_run(rid).run.to_inferencedata()
    np.testing.assert_array_equal(stored.posterior.theta.values, reference.posterior.theta.values)
    backend.close()


@pytest.mark.slow
def test_a_long_run_with_half_a_minute_without_server(own_server: RunningServer) -> None:
    backend = HTTPBackend(own_server.url)
    reference = sample(eight_schools(), None, 2, draws=2000, tune=1000)

    def callback(trace: Any, draw: Any) -> None:
        if draw.chain == 0 and draw.draw_idx == 1000:
            own_server.stop()
            own_server.restart_after(30.0)
        time.sleep(0.002)

    ours = sample(eight_schools(), backend, 2, draws=2000, tune=1000, callback=callback)
    assert_same_draws(ours, reference)
    backend.flush(120.0)
    rid = next(backend.client.runs(limit=1)).rid
    assert backend.get_run(rid).run.lengths() == dict.fromkeys(range(4), 3000)
    backend.close()


def test_what_pymc_registers_is_what_the_client_sees(backend: HTTPBackend) -> None:
    sample(mixed(), backend, 1, draws=5, tune=5)
    backend.flush()
    run = backend.get_run(next(backend.client.runs(limit=1)).rid).run
    assert run.variables["k"] == Variable("k", "int64", (3,), ("group",))
    assert run.variables["flag"].dtype == "int64"
    assert "in_warmup" in run.sample_stats or any(name.endswith("tune") for name in run.sample_stats)
    assert len({name[:9] for name in run.sample_stats if name.startswith("sampler_")}) > 1
