"""Parameters' and blobs' names in `EmceeBackend`: none is lost, mixed up or taken for something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, Variable, new_rid

from .server import RunningServer

emcee = pytest.importorskip("emcee", reason="emcee is not installed: pip install mcbackend-edge[emcee]")

from mcbackend_edge import EmceeBackend  # noqa: E402

from .ensembles import WALKERS, assert_same_steps, ensemble, initial  # noqa: E402

NAMES = [
    ["theta"],
    ["theta", "phi"],
    ["phi", "theta"],
    ["log_prob", "accepted", "random_state", "blobs"],
    ["b", "a", "B"],
    ["chain", "draw", "lp", "tune"],
    ["β_0", "x[0]", "log σ²", "a/b"],
    [" ", "__class__", "0"],
    ["x" * 256],
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: ",".join(names)[:30])
def test_any_names_come_back_and_sampling_goes_on(server: RunningServer, names: list[str]) -> None:
    rid, ndim = new_rid(), len(names)
    np.random.seed(3)
    first = EmceeBackend(server.url, rid=rid, names=names)
    ensemble(first, ndim).run_mcmc(initial(ndim), 5, skip_initial_state_check=True)
    first.close()
    second = EmceeBackend(server.url, rid=rid)
    assert_same_steps(second, first)
    ensemble(second, ndim).run_mcmc(None, 5, skip_initial_state_check=True)
    second.close()
    np.random.seed(3)
    reference = ensemble(emcee.backends.Backend(), ndim)
    reference.run_mcmc(initial(ndim), 10, skip_initial_state_check=True)
    third = EmceeBackend(server.url, rid=rid, names=names, read_only=True)
    assert_same_steps(third, reference.backend)
    run = third.client.run(rid)
    assert list(run.variables) == names
    for index, name in enumerate(names):
        assert np.array_equal(run.chain(0).get_draws(name), third.get_chain()[:, 0, index])


def test_a_vector_and_a_parameter_of_one_name_are_told_apart(server: RunningServer, client: Client) -> None:
    """Also in runs of the version before, whose attributes do not tell: there the shape does."""
    vector, named = EmceeBackend(server.url), EmceeBackend(server.url, names=["theta"])
    for backend in (vector, named):
        ensemble(backend, 1).run_mcmc(initial(1), 4)
        backend.close()
        written = client.run(backend.rid)
        before = client.create_run(
            variables=list(written.variables.values()),
            sample_stats=list(written.sample_stats.values()),
            attributes={"sampler": "emcee", "nwalkers": WALKERS, "ndim": 1},
        )
        for number, chain in enumerate(written.get_chains()):
            draws, stats = chain.get_many(list(written.variables), list(written.sample_stats))
            before.init_chain(number).extend(draws, stats)
        before.flush(progress=False)
        loaded = EmceeBackend(server.url, rid=before.rid)
        assert_same_steps(loaded, backend)
        ensemble(loaded, 1).run_mcmc(None, 3)
        loaded.close()
        assert loaded.rid == before.rid
        assert client.run(before.rid).lengths() == dict.fromkeys(range(WALKERS), 7)
    assert client.run(vector.rid).variables["theta"].shape == (1,)
    assert client.run(named.rid).variables["theta"].shape == ()


def test_names_that_are_not_those_of_the_run_are_refused(server: RunningServer) -> None:
    """The values would get the names of others."""
    rid = new_rid()
    backend = EmceeBackend(server.url, rid=rid, names=["a", "b"])
    ensemble(backend).run_mcmc(initial(), 3)
    backend.close()
    for names in (["b", "a"], ["a"], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="are named a, b, not named"):
            EmceeBackend(server.url, rid=rid, names=names)
    unnamed = EmceeBackend(server.url)
    ensemble(unnamed).run_mcmc(initial(), 3)
    unnamed.close()
    with pytest.raises(ValueError, match="are one vector, not named a, b"):
        EmceeBackend(server.url, rid=unnamed.rid, names=["a", "b"])
    assert EmceeBackend(server.url, rid=rid, names=np.array(["a", "b"])).iteration == 3


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a", "a"], ValueError, "two parameters are named 'a'"),
        (["a", ""], ValueError, "takes 1 to 256 characters"),
        (["a", "x" * 257], ValueError, "takes 1 to 256 characters"),
        (["a", "\ud800"], ValueError, "surrogates"),
        (["a", 1], TypeError, "is a text, not 1"),
        ("ab", TypeError, "a list with one text for each parameter"),
        ({"a": 0}, TypeError, "a list with one text for each parameter"),
    ],
)
def test_what_names_no_parameter_is_said_at_once(
    server: RunningServer, names: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        EmceeBackend(server.url, names=names)


def test_another_number_of_names_is_refused_before_anything_is_cleared(server: RunningServer) -> None:
    backend = EmceeBackend(server.url, names=["a", "b"])
    ensemble(backend).run_mcmc(initial(), 3)
    for ndim in (1, 3):
        with pytest.raises(ValueError, match=f"2 names for {ndim} parameters"):
            backend.reset(WALKERS, ndim)
    assert backend.iteration == 3
    backend.close()
    with pytest.raises(ValueError, match="0 names for 2 parameters"):
        ensemble(EmceeBackend(server.url, names=[]))


def test_blobs_and_parameters_of_one_name_keep_apart(server: RunningServer) -> None:
    dtype = [("a", float), ("log_prob", np.int32), ("accepted", bool), ("random_state", float), ("blobs", float)]

    def log_prob(x: Any) -> Any:
        return -0.5 * np.sum(x**2), 7.5, 3, True, x[0], x[1]

    rid = new_rid()
    backend = EmceeBackend(server.url, rid=rid, names=["a", "blobs_a"])
    ensemble(backend, log_prob=log_prob, blobs_dtype=dtype).run_mcmc(initial(), 6)
    backend.close()
    loaded = EmceeBackend(server.url, rid=rid)
    assert_same_steps(loaded, backend)
    assert np.array_equal(loaded.get_blobs()["random_state"], loaded.get_chain()[:, :, 0])


def test_sampler_that_names_its_parameters(server: RunningServer) -> None:
    """emcee does not tell a backend its `parameter_names`: the vector is what is stored."""
    backend = EmceeBackend(server.url, names=["mean", "sd"])
    sampler = ensemble(
        backend, log_prob=lambda p: -0.5 * (p["mean"] ** 2 + p["sd"] ** 2), parameter_names=["mean", "sd"]
    )
    sampler.run_mcmc(initial(), 4)
    backend.close()
    run = Client(server.url).run(backend.rid)
    assert [Variable("mean"), Variable("sd")] == list(run.variables.values())
    assert np.array_equal(run.chain(3).get_draws("sd"), sampler.get_chain()[:, 3, 1])
