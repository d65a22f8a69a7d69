"""emcee with `EmceeBackend`: the same walk as without, and one that is gone on with elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, McbError, new_rid
from mcbackend_edge.sync import sync

from .server import RunningServer

emcee = pytest.importorskip("emcee", reason="emcee is not installed: pip install mcbackend-edge[emcee]")

from mcbackend_edge import EmceeBackend  # noqa: E402

WALKERS, NDIM = 8, 2
BLOBS: dict[str, Any] = {
    "none": None,
    "number": float,
    "array": np.dtype((float, (3,))),
    "fields": [("s", float), ("n", np.int32), ("name", "U4")],
}


def log_prob(kind: str) -> Any:
    def plain(x: np.ndarray) -> Any:
        lp = -0.5 * np.sum(x**2)
        return {
            "none": lp,
            "number": (lp, x.sum()),
            "array": (lp, [x[0], x[1], 0.0]),
            "fields": (lp, x.sum(), int(10 * x[0]), f"{x[0]:.2f}"[:4]),
        }[kind]

    return plain


def sampler(backend: Any, kind: str) -> Any:
    if kind == "array":
        return emcee.EnsembleSampler(WALKERS, NDIM, log_prob(kind), backend=backend)
    return emcee.EnsembleSampler(WALKERS, NDIM, log_prob(kind), backend=backend, blobs_dtype=BLOBS[kind])


def initial() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(size=(WALKERS, NDIM))


def assert_same(left: Any, right: Any) -> None:
    assert np.array_equal(left.get_chain(), right.get_chain())
    assert np.array_equal(left.get_log_prob(), right.get_log_prob())
    assert np.array_equal(left.backend.accepted, right.backend.accepted)
    ours, theirs = left.get_blobs(), right.get_blobs()
    assert (ours is None) == (theirs is None)
    if theirs is not None:
        assert ours.dtype.names == theirs.dtype.names
        assert ours.shape == theirs.shape
        for name in theirs.dtype.names or [...]:
            assert np.array_equal(ours[name], theirs[name])
    for one, other in zip(left.backend.random_state, right.backend.random_state):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("kind", BLOBS)
@pytest.mark.parametrize("names", [None, ["a", "b"]])
def test_a_walk_is_gone_on_with_elsewhere(server: RunningServer, kind: str, names: list[str] | None) -> None:
    np.random.seed(4)
    reference = sampler(None, kind)
    reference.run_mcmc(initial(), 60)
    rid = new_rid()
    np.random.seed(4)
    first = EmceeBackend(server.url, rid=rid, names=names)
    sampler(first, kind).run_mcmc(initial(), 25)
    first.flush()
    first.close()
    np.random.seed(99)
    second = EmceeBackend(server.url, rid=rid)
    assert second.iteration == 25
    resumed = sampler(second, kind)
    resumed.run_mcmc(None, 35)
    assert_same(resumed, reference)
    second.flush()
    second.close()
    third = EmceeBackend(server.url, rid=rid)
    assert np.array_equal(third.get_chain(), reference.get_chain())
    assert third.get_last_sample().coords.shape == (WALKERS, NDIM)
    run = third.client.run(rid)
    assert run.lengths() == dict.fromkeys(range(WALKERS), 60)
    assert set(run.variables) == set(names or ["theta"])


INTERRUPTED = """
import sys, numpy as np, emcee
sys.path.insert(0, sys.argv[3])
from tests.test_emcee import sampler, initial
from mcbackend_edge import EmceeBackend
np.random.seed(4)
backend = EmceeBackend(sys.argv[1], rid=sys.argv[2], interval=0.1)
for _ in sampler(backend, "number").sample(initial(), iterations=100000):
    print(backend.iteration, flush=True)
"""


def test_a_killed_walk_is_gone_on_with(server: RunningServer, client: Client, spool: Path) -> None:
    """After sync, the walkers have the same steps; those that were cut differently are walked again."""
    rid = new_rid()
    root = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-c", INTERRUPTED, server.url, rid, root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(400):
            process.stdout.readline()
        process.kill()
    unequal = {0, *client.run(rid).lengths().values()}
    assert sync(spool, say=lambda _: None).failed == 0
    steps = set(client.run(rid).lengths().values())
    assert min(steps) >= 400 >= max(unequal) - 400
    assert max(steps) - min(steps) <= 1
    backend = EmceeBackend(server.url, rid=rid)
    walk = sampler(backend, "number")
    walk.run_mcmc(None, 50)
    backend.flush()
    np.random.seed(4)
    reference = sampler(None, "number")
    reference.run_mcmc(initial(), walk.iteration)
    assert_same(walk, reference)
    assert client.run(rid).lengths() == dict.fromkeys(range(WALKERS), walk.iteration)
    backend.close()


def test_walkers_that_were_cut_differently_are_walked_again(server: RunningServer, client: Client) -> None:
    """Nothing of the longer chains is lost: the same random numbers give the same steps, which the server has."""
    rid = new_rid()
    np.random.seed(4)
    backend = EmceeBackend(server.url, rid=rid)
    walk = sampler(backend, "none")
    walk.run_mcmc(initial(), 30)
    backend.flush()
    backend.close()
    cut_rid = new_rid()
    original = client.run(rid)
    copy = client.create_run(
        cut_rid,
        variables=list(original.variables.values()),
        sample_stats=list(original.sample_stats.values()),
        attributes=original.attributes,
    )
    for number, chain in enumerate(original.get_chains()):
        draws, stats = chain.get_many(list(original.variables), list(original.sample_stats), slice(0, 20 + number))
        copy.init_chain(number).extend(draws, stats)
    copy.flush(progress=False)
    resumed = EmceeBackend(server.url, rid=cut_rid)
    assert resumed.iteration == 20
    again = sampler(resumed, "none")
    again.run_mcmc(None, 10)
    resumed.flush()
    assert_same(again, walk)
    resumed.close()


def test_reset_leaves_what_is_stored(server: RunningServer, client: Client) -> None:
    """Burn-in, `reset`, and on: the second part is a run of its own."""
    rid = new_rid()
    backend = EmceeBackend(server.url, rid=rid)
    walk = sampler(backend, "none")
    state = walk.run_mcmc(initial(), 10)
    walk.reset()
    walk.run_mcmc(state, 15)
    backend.flush()
    backend.close()
    assert backend.rid == f"{rid}.2"
    assert set(client.run(rid).lengths().values()) == {10}
    assert set(client.run(backend.rid).lengths().values()) == {15}


def test_thinned_walks_and_inferencedata(server: RunningServer, client: Client) -> None:
    pytest.importorskip("xarray")
    backend = EmceeBackend(server.url, names=["a", "b"])
    walk = sampler(backend, "fields")
    walk.run_mcmc(initial(), 12, thin_by=3)
    backend.flush()
    tree = client.run(backend.rid).to_datatree(progress=False)
    assert np.array_equal(tree["posterior/a"].values, walk.get_chain()[:, :, 0].T)
    assert np.array_equal(tree["sample_stats/lp"].values, walk.get_log_prob().T)
    assert "random_state" not in tree["sample_stats"]
    assert tree["sample_stats/blobs_name"].values.tolist() == walk.get_blobs()["name"].T.tolist()
    backend.close()


def test_what_cannot_be_stored_is_said_at_once(server: RunningServer, client: Client) -> None:
    walk = emcee.EnsembleSampler(
        WALKERS, NDIM, lambda x: (-np.sum(x**2), object()), backend=EmceeBackend(server.url), blobs_dtype=object
    )
    with pytest.raises(McbError, match="blobs has dtype object"):
        walk.run_mcmc(initial(), 2)
    with pytest.raises(ValueError, match="1 names for 2 parameters"):
        sampler(EmceeBackend(server.url, names=["a"]), "none")
    with pytest.raises(McbError, match="was not written by emcee"):
        EmceeBackend(server.url, rid=client.create_run(variables={"x": 0.0}).rid)


def test_the_page_runs_as_it_stands(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCB_URL", server.url)
    page = (Path(__file__).resolve().parent.parent / "docs" / "emcee.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "emcee.md", "exec"), {})
