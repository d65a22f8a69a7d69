"""The steps of an ensemble in the spool: each of them, of all walkers, also where Ctrl-C breaks one off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, EmceeBackend
from mcbackend_edge.abreast import Abreast
from mcbackend_edge.columns import to_numpy
from mcbackend_edge.schema import RunMeta
from mcbackend_edge.segment import Layout, StoredSegment

from .server import RunningServer

emcee = pytest.importorskip("emcee", reason="emcee is not installed: pip install mcbackend-edge[emcee]")

from .ensembles import WALKERS, assert_same_steps, ensemble, initial  # noqa: E402


def test_a_step_is_in_the_spool_once_it_is_saved(unused_url: str, spool: Path) -> None:
    """The logs of the spool hold each step of all walkers bit by bit, whatever becomes of the process."""
    backend = EmceeBackend(unused_url, rid="spooled", names=["a", "b"], offline=True, exit_timeout=0.1)
    sampler = ensemble(backend, log_prob=lambda x: (-np.sum(x**2), x[0]))
    for count, _ in enumerate(sampler.sample(initial(), iterations=40), 1):
        [folder] = spool.iterdir()
        held = _spooled(folder)
        assert [len(draws["a"]) for draws, _ in held] == [count] * WALKERS
    for walker, (draws, stats) in enumerate(held):
        assert np.array_equal(draws["b"], backend.get_chain()[:, walker, 1])
        assert np.array_equal(stats["log_prob"], backend.get_log_prob()[:, walker])
        assert np.array_equal(stats["blobs"], backend.get_blobs()[:, walker])
        assert sum(map(bool, stats["random_state"])) == (40 if walker == 0 else 0)
    backend.close(0.1)


def _spooled(folder: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Draws and stats of each chain in a folder of the spool, which is in use."""
    meta = RunMeta.received((folder / "run.pb").read_bytes())
    layout = Layout(meta)
    found = []
    for number in range(WALKERS):
        [path] = (folder / str(number)).glob("*.rows")
        segment = StoredSegment.open(layout, path, only_synced=False)
        assert not segment.problem
        columns = zip(layout.columns, segment.columns(0, segment.end))
        named = [(var.name, [] if column is None else to_numpy(var, column)) for var, column in columns]
        split = len(meta.variables)
        found.append((dict(named[:split]), dict(named[split:])))
    return found


class _Interrupting:
    """Memory in which the next value that is written meets with Ctrl-C."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory
        self._is_due = True

    def __setitem__(self, place: Any, value: Any) -> None:
        if self._is_due:
            self._is_due = False
            raise KeyboardInterrupt
        self._memory[place] = value


@pytest.mark.parametrize("place", ["between two walkers", "between emcee and the spool"])
def test_an_interrupted_step_shifts_no_walker(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    np.random.seed(7)
    backend = EmceeBackend(server.url)
    sampler = ensemble(backend)
    sampler.run_mcmc(initial(), 5)
    assert backend._writer is not None
    if place == "between two walkers":
        segments = backend._writer._others._segments
        end, memory, sums, counters = segments[3]
        segments[3] = (end, _Interrupting(memory), sums, counters)
    else:
        encode = backend._states.encode

        def interrupted(state: Any) -> str:
            monkeypatch.setattr(backend._states, "encode", encode)
            raise KeyboardInterrupt

        monkeypatch.setattr(backend._states, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sampler.run_mcmc(None, 5)
    assert backend.iteration == 6
    sampler.run_mcmc(sampler.get_last_sample(), 4)
    backend.close()
    assert_same_steps(EmceeBackend(server.url, rid=backend.rid), backend)
    np.random.seed(7)
    reference = ensemble(emcee.backends.Backend())
    reference.run_mcmc(initial(), 10)
    assert np.array_equal(backend.get_chain(), reference.get_chain())


def test_chains_that_are_not_in_step_get_their_rows_all_the_same(client: Client) -> None:
    """Chains of which one has begun a segment that another has not."""
    run = client.create_run(variables={"x": 0.0}, sample_stats={"s": ""})
    chains = [run.init_chain(number) for number in range(3)]
    chains[1].append({"x": -1.0})
    abreast = Abreast(run.row_layout, [chain.log for chain in chains])
    rows = np.zeros(3, run.row_layout.row)
    for index in range(20):
        rows["c0"] = [index, 100 + index, 200 + index]
        abreast.append(rows.tobytes())
    run.flush(progress=False)
    expected = [list(range(20)), [-1, *range(100, 120)], list(range(200, 220))]
    for number in range(3):
        read = client.run(run.rid).chain(number)
        assert read.get_draws("x").tolist() == expected[number]
        assert set(read.get_stats("s")) == {""}
