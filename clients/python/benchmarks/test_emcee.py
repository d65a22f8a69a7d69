"""emcee with `EmceeBackend` against its own backend in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import emcee
import numpy as np

from mcbackend_edge import EmceeBackend
from tests.server import RunningServer

WALKERS, NDIM, STEPS = 32, 5, 5_000


def log_prob(x: Any) -> Any:
    """As little as a log-probability can take."""
    return -0.5 * x.dot(x)


def walk(backend: Any) -> Callable[[], None]:
    start = np.random.default_rng(1).normal(size=(WALKERS, NDIM))
    sampler = emcee.EnsembleSampler(WALKERS, NDIM, log_prob, backend=backend)
    return lambda: sampler.run_mcmc(start, STEPS)


def test_emcee(server: RunningServer, compare: Any) -> None:
    """The walk alone, while the uploader sends what has come so far."""
    held: list[EmceeBackend] = []

    def ours() -> Callable[[], None]:
        for backend in held:
            backend.close(300.0)
        held[:] = [EmceeBackend(server.url)]
        return walk(held[0])

    compare(ours, lambda: walk(emcee.backends.Backend()), "<= 1.5", 5)
    held[0].close(300.0)
