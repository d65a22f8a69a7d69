"""Ensembles with which the tests of `EmceeBackend` walk."""

from __future__ import annotations

from typing import Any

import emcee
import numpy as np

WALKERS, NDIM = 8, 2


def gaussian(x: Any) -> Any:
    return -0.5 * np.sum(x**2)


def initial(ndim: int = NDIM, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=(WALKERS, ndim))


def ensemble(backend: Any, ndim: int = NDIM, log_prob: Any = gaussian, **options: Any) -> Any:
    return emcee.EnsembleSampler(WALKERS, ndim, log_prob, backend=backend, **options)


def assert_same_steps(ours: Any, theirs: Any) -> None:
    """Both have the same steps, blobs, acceptance and state of the random generator, bit by bit."""
    for name in ("get_chain", "get_log_prob", "get_blobs"):
        mine, other = getattr(ours, name)(), getattr(theirs, name)()
        assert (mine is None) == (other is None)
        if other is not None:
            native = other.astype(other.dtype.newbyteorder("="))
            mine = mine.astype(mine.dtype.newbyteorder("="))
            assert mine.dtype == native.dtype
            assert mine.shape == native.shape
            assert mine.tolist() == native.tolist() if mine.dtype.hasobject else mine.tobytes() == native.tobytes()
    assert np.array_equal(ours.accepted, theirs.accepted)
    assert ours.iteration == theirs.iteration
    for one, other in zip(ours.random_state, theirs.random_state, strict=True):
        assert np.array_equal(one, other)
