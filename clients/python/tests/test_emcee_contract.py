"""The expectations that emcee has of a backend: its own tests, and blobs, dtypes and generators of every kind."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import EmceeBackend, McbError

from .server import RunningServer

emcee = pytest.importorskip("emcee", reason="emcee is not installed: pip install mcbackend-edge[emcee]")

from .emcee_suite import DIFFERENT  # noqa: E402
from .ensembles import WALKERS, assert_same_steps, ensemble, gaussian, initial  # noqa: E402


def test_the_tests_of_emcee_pass(server: RunningServer) -> None:
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.emcee_suite", "-p", "no:cacheprovider", "--pyargs"]
    modules = [f"emcee.tests.unit.test_{name}" for name in ("backends", "sampler", "blobs", "state")]
    environment = {**os.environ, "MCB_SUITE_URL": server.url, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    done = subprocess.run(
        [*command, *modules, "-c", os.devnull, "-rfE"], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout[-5000:]
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    assert counts["skipped"] <= len(DIFFERENT)
    assert counts["passed"] > 60


BLOBS: dict[str, tuple[Any, Any]] = {
    "number": (lambda x: (x.sum(),), None),
    "integer": (lambda x: (3,), None),
    "bool": (lambda x: (bool(x[0] > 0),), None),
    "small integers": (lambda x: (1, 2), np.int8),
    "unsigned": (lambda x: (2**64 - 1,), np.uint64),
    "float32": (lambda x: (x.sum(),), np.float32),
    "float16": (lambda x: (x.sum(),), np.float16),
    "big-endian": (lambda x: (x.sum(),), ">f8"),
    "array": (lambda x: (np.outer(x, x),), None),
    "two numbers": (lambda x: (x[0], x[1]), None),
    "text": (lambda x: ("face",), None),
    "texts": (lambda x: ("face", "σ" if x[0] > 0 else ""), None),
    "text of some length": (lambda x: (f"{x[0]:.3f}",), "U6"),
    "bytes": (lambda x: (b"face",), "S6"),
    "one field": (lambda x: (x[0],), [("x", float)]),
    "fields": (lambda x: (x[0], "a", 3, x[0] > 0), [("x", float), ("name", "U5"), ("n", np.int16), ("is", bool)]),
    "fields of arrays": (lambda x: (x, [[1, 2]]), [("x", float, (2,)), ("m", np.int64, (1, 2))]),
    "fields of text": (lambda x: (x[0], "name"), [("x", float), ("name", object)]),
    "large arrays": (lambda x: (np.arange(9000.0).reshape(3000, 3) * x[0],), None),
    "missing values": (lambda x: (np.nan if x[0] > 0 else 1.0,), None),
}


@pytest.mark.parametrize("kind", BLOBS)
def test_blobs_of_each_kind_come_back_and_sampling_goes_on(server: RunningServer, kind: str) -> None:
    blobs, dtype = BLOBS[kind]

    def log_prob(x: Any) -> Any:
        return (gaussian(x), *blobs(x))

    np.random.seed(5)
    reference = ensemble(emcee.backends.Backend(), log_prob=log_prob, blobs_dtype=dtype)
    reference.run_mcmc(initial(), 9)
    np.random.seed(5)
    backend = EmceeBackend(server.url)
    ensemble(backend, log_prob=log_prob, blobs_dtype=dtype).run_mcmc(initial(), 4)
    backend.close()
    resumed = EmceeBackend(server.url, rid=backend.rid)
    assert_same_steps(resumed, backend)
    ensemble(resumed, log_prob=log_prob, blobs_dtype=dtype).run_mcmc(None, 5)
    resumed.close()
    assert resumed.rid == backend.rid
    assert_same_steps(resumed, reference.backend)
    assert_same_steps(EmceeBackend(server.url, rid=backend.rid, read_only=True), reference.backend)


@pytest.mark.parametrize(
    ("blob", "dtype"),
    [
        (object(), object),
        (1j, complex),
        (np.datetime64("2026-01-01"), "M8[D]"),
        (1.0, np.longdouble),
        ((1.0, (2.0,)), [("a", float), ("b", [("c", float)])]),
        (("a", 1), object),
        ("\ud800", object),
    ],
    # The address of an object is another one in each of pytest's workers.
    ids=lambda value: "object" if type(value) is object else repr(value),
)
def test_blobs_that_cannot_be_stored_are_refused_before_the_first_step(
    server: RunningServer, blob: Any, dtype: Any
) -> None:
    calls = []

    def log_prob(x: Any) -> Any:
        calls.append(x)
        return (gaussian(x), *(blob if isinstance(blob, tuple) else (blob,)))

    backend = EmceeBackend(server.url)
    sampler = ensemble(backend, log_prob=log_prob, blobs_dtype=dtype)
    with pytest.raises(
        McbError, match=r"blobs(_b)? has dtype .* cannot be stored: pass a blobs_dtype of numbers or text"
    ):
        sampler.run_mcmc(initial(), 3)
    assert len(calls) == WALKERS, "not a step has been made"
    # Nothing keeps the sampler from going on without.
    sampler.run_mcmc(initial(), 3, store=False)
    assert backend.run is None


def test_text_blobs_that_are_missing_now_and_then_end_no_walk(server: RunningServer) -> None:
    """As a log-probability gives them which is -inf: None, or something else. In memory they stay what they are."""
    count = iter(range(10**6))

    def log_prob(x: Any) -> Any:
        number = next(count)
        return gaussian(x), ("good" if number < WALKERS or number % 3 else None if number % 2 else 7)

    backend = EmceeBackend(server.url)
    ensemble(backend, log_prob=log_prob, blobs_dtype=object).run_mcmc(initial(), 20)
    backend.close()
    assert {type(blob) for blob in backend.get_blobs().flat} == {str, type(None), int}
    loaded = EmceeBackend(server.url, rid=backend.rid)
    texts = [[blob if isinstance(blob, str) else "" for blob in step] for step in backend.get_blobs()]
    assert loaded.get_blobs().tolist() == texts


def test_text_that_is_no_unicode_ends_no_walk(server: RunningServer) -> None:
    count = iter(range(10**6))
    backend = EmceeBackend(server.url)
    sampler = ensemble(
        backend, log_prob=lambda x: (gaussian(x), "ok" if next(count) % 5 else "\ud800"), blobs_dtype=[("text", "U4")]
    )
    sampler.run_mcmc(initial(), 6)
    backend.close()
    texts = backend.get_blobs()["text"]
    assert "\ud800" in texts
    loaded = EmceeBackend(server.url, rid=backend.rid).get_blobs()["text"]
    assert np.array_equal(loaded, np.where(texts == "ok", "ok", ""))


def test_blobs_that_come_or_go_are_refused_as_emcee_does(server: RunningServer) -> None:
    for has_blobs in (True, False):
        backend = EmceeBackend(server.url)
        with_blobs = ensemble(backend, log_prob=lambda x: (gaussian(x), 1.0))
        without = ensemble(backend)
        first, second = (with_blobs, without) if has_blobs else (without, with_blobs)
        first.run_mcmc(initial(), 3)
        with pytest.raises(ValueError, match="inconsistent use of blobs"):
            second.run_mcmc(initial(), 3)
        first.run_mcmc(initial(), 3)
        backend.close()
        loaded = EmceeBackend(server.url, rid=backend.rid)
        assert loaded.iteration == 6
        with pytest.raises(ValueError, match="inconsistent use of blobs"):
            ensemble(loaded, log_prob=second.log_prob_fn.f).run_mcmc(initial(), 3)


def test_blobs_of_a_wider_dtype_take_all_steps_along(server: RunningServer) -> None:
    """emcee makes floats of the integers that it has; they have no place in the run that was begun with integers."""
    backend = EmceeBackend(server.url)
    rid = backend.rid
    ensemble(backend, log_prob=lambda x: (gaussian(x), 1)).run_mcmc(initial(), 3)
    ensemble(backend, log_prob=lambda x: (gaussian(x), 0.5)).run_mcmc(initial(), 3)
    backend.close()
    assert backend.rid == f"{rid}.2"
    assert_same_steps(EmceeBackend(server.url, rid=backend.rid), backend)
    assert EmceeBackend(server.url, rid=rid).iteration == 3


@pytest.mark.parametrize("dtype", [np.float32, "f4", float, np.dtype(">f8")])
def test_dtypes_of_parameters(server: RunningServer, dtype: Any) -> None:
    np.random.seed(2)
    backend = EmceeBackend(server.url, dtype=dtype)
    ensemble(backend).run_mcmc(initial(), 5)
    backend.close()
    loaded = EmceeBackend(server.url, rid=backend.rid)
    assert loaded.get_chain().dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(loaded.get_chain(), backend.get_chain())
    ensemble(loaded).run_mcmc(None, 2)
    loaded.close()
    assert loaded.rid == backend.rid


@pytest.mark.parametrize("dtype", [np.longdouble, np.float16, int, complex])
def test_dtypes_that_are_refused(server: RunningServer, dtype: Any) -> None:
    with pytest.raises(TypeError, match="stored as float64 or float32, not as"):
        EmceeBackend(server.url, dtype=dtype)


def test_chains_are_read_as_from_emcees_own_backend(server: RunningServer) -> None:
    def log_prob(x: Any) -> Any:
        return gaussian(x), x.sum()

    own = emcee.backends.Backend()
    np.random.seed(1)
    ensemble(own, log_prob=log_prob).run_mcmc(initial(), 60, thin_by=2)
    np.random.seed(1)
    backend = EmceeBackend(server.url)
    ensemble(backend, log_prob=log_prob).run_mcmc(initial(), 60, thin_by=2)
    backend.close()
    for ours in (backend, EmceeBackend(server.url, rid=backend.rid, read_only=True)):
        assert_same_steps(ours, own)
        assert ours.shape == own.shape
        assert ours.has_blobs()
        for options in ({}, {"flat": True}, {"discard": 7}, {"thin": 4}, {"discard": 5, "thin": 3, "flat": True}):
            for read in ("get_chain", "get_log_prob", "get_blobs"):
                assert np.array_equal(getattr(ours, read)(**options), getattr(own, read)(**options))
        assert np.array_equal(ours.get_autocorr_time(quiet=True), own.get_autocorr_time(quiet=True))
        last, other = ours.get_last_sample(), own.get_last_sample()
        assert np.array_equal(last.coords, other.coords)
        assert np.array_equal(last.blobs, other.blobs)
        assert np.array_equal(last.log_prob, other.log_prob)


def test_steps_that_are_not_to_be_stored_are_not(server: RunningServer) -> None:
    backend = EmceeBackend(server.url)
    sampler = ensemble(backend)
    state = sampler.run_mcmc(initial(), 10, store=False)
    assert backend.run is None
    with pytest.raises(AttributeError, match="'store == True'"):
        sampler.get_chain()
    sampler.run_mcmc(state, 5)
    backend.close()
    assert EmceeBackend(server.url, rid=backend.rid).iteration == 5


def test_a_walk_that_was_interrupted_goes_on(server: RunningServer) -> None:
    """Behind Ctrl-C, the next call announces fewer steps than those of which there was room."""
    backend = EmceeBackend(server.url)
    sampler = ensemble(backend)
    for count, _ in enumerate(sampler.sample(initial(), iterations=1000), 1):
        if count == 10:
            break
    sampler.run_mcmc(sampler.get_last_sample(), 5)
    backend.close()
    assert sampler.get_chain().shape == (15, WALKERS, 2)
    assert backend.client.url == server.url
    loaded = EmceeBackend(server.url, rid=backend.rid)
    assert_same_steps(loaded, backend)
    assert loaded.run is not None
    assert loaded.run.about().facts["expected"] == {"draws": 15, "warmup": 0}


def test_moves_and_states_of_other_generators(server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    backend = EmceeBackend(server.url)
    sampler = ensemble(backend, moves=[(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)])
    sampler._random = np.random.RandomState(np.random.PCG64(3))
    sampler.run_mcmc(initial(), 5)
    backend.close()
    assert [record.message for record in caplog.records if "random generator" in record.message]
    loaded = EmceeBackend(server.url, rid=backend.rid)
    assert loaded.random_state is None
    assert np.array_equal(loaded.get_chain(), backend.get_chain())
    ensemble(loaded).run_mcmc(None, 3)
    loaded.close()
    assert loaded.rid == backend.rid


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(server: RunningServer, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    np.random.seed(6)
    reference = ensemble(emcee.backends.Backend())
    reference.run_mcmc(initial(), 6)
    np.random.seed(6)
    backend = EmceeBackend(server.url)
    with multiprocessing.get_context(method).Pool(2) as pool:
        ensemble(backend, pool=pool).run_mcmc(initial(), 6)
    backend.close()
    assert_same_steps(EmceeBackend(server.url, rid=backend.rid), reference.backend)


def test_a_backend_in_a_with_block(server: RunningServer) -> None:
    with EmceeBackend(server.url) as backend:
        ensemble(backend).run_mcmc(initial(), 4)
    run = EmceeBackend(server.url, rid=backend.rid, read_only=True).run
    assert run is not None
    assert run.about().state == "done"

    def fails_in_its_block() -> None:
        with backend:
            ensemble(backend).run_mcmc(initial(), 4)
            raise ZeroDivisionError

    backend = EmceeBackend(server.url)
    with pytest.raises(ZeroDivisionError):
        fails_in_its_block()
    loaded = EmceeBackend(server.url, rid=backend.rid, read_only=True)
    assert loaded.iteration == 4
    assert loaded.run is not None
    assert "finishedAt" not in loaded.run.about().facts
