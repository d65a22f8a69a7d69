"""Runs that `EmceeBackend` writes: resets, second starts, and walks that part. No step is lost, no conflict left."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, EmceeBackend, NotFoundError, ServerUnreachableError, new_rid

from .server import RunningServer

emcee = pytest.importorskip("emcee", reason="emcee is not installed: pip install mcbackend-edge[emcee]")

from .ensembles import WALKERS, assert_same_steps, ensemble, initial  # noqa: E402


def steps_of(client: Client, rid: str) -> set[int]:
    return set(client.run(rid).lengths().values())


def burn_in_and_production(server: RunningServer, rid: str, seed: int) -> EmceeBackend:
    """The script that nearly everybody has."""
    np.random.seed(seed)
    backend = EmceeBackend(server.url, rid=rid)
    sampler = ensemble(backend)
    state = sampler.run_mcmc(initial(seed=seed), 4)
    sampler.reset()
    sampler.run_mcmc(state, 10)
    return backend


@pytest.mark.parametrize("ending", ["close", "flush"])
def test_a_script_that_resets_is_started_again_and_again(server: RunningServer, client: Client, ending: str) -> None:
    rid = new_rid()
    held = []
    for attempt in (1, 2, 3):
        backend = burn_in_and_production(server, rid, attempt)
        getattr(backend, ending)()
        held.append(backend)
        assert backend.rid == f"{rid}.{attempt + 1}"
        assert steps_of(client, rid) == {4 * attempt}
        loaded = EmceeBackend(server.url, rid=backend.rid, read_only=True)
        assert_same_steps(loaded, backend)
    assert [steps_of(client, f"{rid}.{number}") for number in (2, 3, 4)] == [{10}, {10}, {10}]
    for backend in held:
        backend.close()


def test_two_resets_and_resets_without_steps_take_one_run(server: RunningServer, client: Client) -> None:
    backend = EmceeBackend(server.url)
    rid = backend.rid
    sampler = ensemble(backend)
    sampler.reset()
    with pytest.raises(ZeroDivisionError):
        ensemble(backend, log_prob=lambda x: 1 / 0).run_mcmc(initial(), 5)
    sampler.reset()
    sampler.run_mcmc(initial(), 5)
    sampler.reset()
    sampler.reset()
    sampler.run_mcmc(initial(), 6)
    backend.close()
    assert backend.rid == f"{rid}.2"
    assert (steps_of(client, rid), steps_of(client, backend.rid)) == ({5}, {6})
    with pytest.raises(NotFoundError):
        client.run(f"{rid}.3")


def test_a_loaded_run_that_is_reset_stays_as_it_is(server: RunningServer, client: Client) -> None:
    """As emcee's manual has it: ``backend.reset(nwalkers, ndim)`` behind each start. Shapes and names may change."""
    rid = new_rid()
    for number, ndim in ((1, 2), (2, 2), (3, 3), (4, 2)):
        backend = EmceeBackend(server.url, rid=rid)
        backend.reset(WALKERS, ndim)
        ensemble(backend, ndim).run_mcmc(initial(ndim), number)
        backend.close()
        assert backend.rid == (rid if number == 1 else f"{rid}.{number}")
        assert steps_of(client, backend.rid) == {number}


def test_ensembles_of_other_sizes_follow_each_other(server: RunningServer, client: Client) -> None:
    backend = EmceeBackend(server.url)
    rid = backend.rid
    for nwalkers, ndim in ((8, 2), (6, 3), (8, 2)):
        backend.reset(nwalkers, ndim)
        start = np.random.default_rng(1).normal(size=(nwalkers, ndim))
        emcee.EnsembleSampler(nwalkers, ndim, lambda x: -np.sum(x**2), backend=backend).run_mcmc(start, 3)
    backend.close()
    assert [len(client.run(name).lengths()) for name in (rid, f"{rid}.2", f"{rid}.3")] == [8, 6, 8]


def test_a_walk_begun_anew_by_its_start_goes_on_in_the_same_run(server: RunningServer, client: Client) -> None:
    """A script that gives its starting point each time appends, as it does with emcee's own file."""
    rid = new_rid()
    for attempt in (1, 2):
        backend = EmceeBackend(server.url, rid=rid)
        np.random.seed(attempt)
        ensemble(backend).run_mcmc(initial(seed=attempt), 5)
        backend.close()
    assert backend.rid == rid
    assert steps_of(client, rid) == {10}


def test_a_start_that_failed_before_its_first_step_leaves_the_id_free(server: RunningServer, client: Client) -> None:
    rid = new_rid()
    for expected, names in ((rid, ["a", "b"]), (rid, ["a", "b"]), (f"{rid}.2", ["a", "c"])):
        backend = EmceeBackend(server.url, rid=rid, names=names)
        sampler = ensemble(backend)
        state = emcee.State(initial(), log_prob=np.zeros(WALKERS))
        sampler.log_prob_fn = lambda x: 1 / 0
        with pytest.raises(ZeroDivisionError):
            sampler.run_mcmc(state, 5)
        backend.close()
        assert backend.rid == expected
    backend = EmceeBackend(server.url, rid=rid, names=["a", "b"])
    ensemble(backend).run_mcmc(initial(), 5)
    backend.close()
    assert backend.rid == rid
    assert steps_of(client, rid) == {5}


def cut(server: RunningServer, client: Client, backend: EmceeBackend, common: int) -> str:
    """A copy of a run as a process leaves it that is killed while it sends: walkers have `common` steps and more."""
    original = client.run(backend.rid)
    copy = client.create_run(
        variables=list(original.variables.values()),
        sample_stats=list(original.sample_stats.values()),
        attributes=original.attributes,
    )
    for number, chain in enumerate(original.get_chains()):
        part = slice(0, common + number)
        draws, stats = chain.get_many(list(original.variables), list(original.sample_stats), part)
        copy.init_chain(number).extend(draws, stats)
    copy.flush(progress=False)
    return copy.rid


def test_a_walk_that_parts_from_the_stored_one_gets_a_run_of_its_own(server: RunningServer, client: Client) -> None:
    """Steps that only some walkers have must not mix with those of another walk."""
    backend = EmceeBackend(server.url)
    ensemble(backend).run_mcmc(initial(), 30)
    backend.close()
    rid = cut(server, client, backend, 20)
    stored = {number: chain.get_draws("theta") for number, chain in enumerate(client.run(rid).get_chains())}
    resumed = EmceeBackend(server.url, rid=rid)
    assert resumed.iteration == 20
    ensemble(resumed).run_mcmc(initial(seed=9), 10)
    resumed.close()
    assert resumed.rid == f"{rid}.2"
    assert steps_of(client, resumed.rid) == {30}
    assert_same_steps(EmceeBackend(server.url, rid=resumed.rid), resumed)
    assert np.array_equal(resumed.get_chain()[:20], backend.get_chain()[:20])
    for number, chain in enumerate(client.run(rid).get_chains()):
        assert np.array_equal(chain.get_draws("theta"), stored[number])


def test_steps_of_which_one_walker_has_none_are_left_alone(server: RunningServer, client: Client) -> None:
    backend = EmceeBackend(server.url)
    ensemble(backend).run_mcmc(initial(), 10)
    backend.close()
    rid = cut(server, client, backend, 0)
    again = EmceeBackend(server.url, rid=rid)
    assert again.iteration == 0
    ensemble(again).run_mcmc(initial(seed=9), 4)
    again.close()
    assert again.rid == f"{rid}.2"
    assert steps_of(client, again.rid) == {4}
    assert client.run(rid).lengths() == dict(enumerate(range(WALKERS)))


@pytest.mark.parametrize("ending", ["steps", "flush", "close"])
def test_two_that_go_on_with_one_run_end_with_one_each(
    server: RunningServer, client: Client, spool: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    rid = new_rid()
    first = EmceeBackend(server.url, rid=rid, interval=0.1)
    ensemble(first).run_mcmc(initial(), 5)
    first.flush()
    second = EmceeBackend(server.url, rid=rid, interval=0.1)
    np.random.seed(1)
    ensemble(first).run_mcmc(initial(seed=1), 5)
    first.flush()
    np.random.seed(2)
    sampler = ensemble(second)
    sampler.run_mcmc(initial(seed=2), 5)
    if ending == "steps":
        deadline = time.monotonic() + 30
        while second.rid == rid and time.monotonic() < deadline:
            sampler.run_mcmc(None, 1)
    elif ending == "flush":
        second.flush()
    second.close()
    first.close()
    assert (first.rid, second.rid) == (rid, f"{rid}.2")
    assert steps_of(client, rid) == {10}
    for backend in (first, second):
        assert_same_steps(EmceeBackend(server.url, rid=backend.rid, read_only=True), backend)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) <= 1
    assert not list(spool.iterdir()), "nothing is left for sync"


SCRIPT = """
import os, sys
sys.path.insert(0, sys.argv[3])
import numpy as np
from tests.ensembles import ensemble, initial
from mcbackend_edge import EmceeBackend
np.random.seed(4)
backend = EmceeBackend(sys.argv[1], rid=sys.argv[2], interval=float(sys.argv[5]))
print("loaded", backend.iteration, flush=True)
start = backend.get_last_sample() if backend.iteration else initial()
for _ in ensemble(backend).sample(start, iterations=int(sys.argv[4])):
    print(backend.iteration, backend.rid, flush=True)
"""


def script(server: RunningServer, rid: str, steps: int, interval: float = 0.2) -> list[str]:
    root = str(Path(__file__).resolve().parent.parent)
    return [sys.executable, "-c", SCRIPT, server.url, rid, root, str(steps), str(interval)]


def test_a_killed_script_is_started_again_and_goes_on_behind_its_last_step(
    server: RunningServer, client: Client, spool: Path
) -> None:
    """The steps that only its spool has are sent first."""
    rid = new_rid()
    with subprocess.Popen(script(server, rid, 10**6, 30.0), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(301)]
        process.kill()
    reached = int(lines[-1][0])
    done = subprocess.run(script(server, rid, 20), capture_output=True, text=True, timeout=120, check=True)
    loaded = int(done.stdout.splitlines()[0].split()[1])
    assert loaded >= reached
    assert steps_of(client, rid) == {loaded + 20}
    assert not list(spool.iterdir())
    np.random.seed(4)
    reference = ensemble(emcee.backends.Backend())
    reference.run_mcmc(initial(), loaded + 20)
    assert_same_steps(EmceeBackend(server.url, rid=rid), reference.backend)


def test_a_script_that_still_runs_is_not_disturbed(server: RunningServer, client: Client) -> None:
    """A second start on the same machine takes its steps along to a run of its own."""
    rid = new_rid()
    with subprocess.Popen(script(server, rid, 10**6), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not (client_has(client, rid)):
            process.stdout.readline()
        backend = EmceeBackend(server.url, rid=rid)
        loaded = backend.iteration
        np.random.seed(8)
        ensemble(backend).run_mcmc(initial(seed=8), 5)
        backend.close()
        process.kill()
    assert backend.rid == f"{rid}.2"
    assert loaded > 0
    assert steps_of(client, backend.rid) == {loaded + 5}
    assert_same_steps(EmceeBackend(server.url, rid=backend.rid), backend)


def client_has(client: Client, rid: str) -> bool:
    try:
        lengths = client.run(rid).lengths()
    except NotFoundError:
        return False
    return len(lengths) == WALKERS and min(lengths.values()) > 0


def test_sampling_goes_on_behind_close(server: RunningServer, client: Client) -> None:
    np.random.seed(3)
    backend = EmceeBackend(server.url)
    sampler = ensemble(backend)
    sampler.run_mcmc(initial(), 5)
    backend.close()
    sampler.run_mcmc(None, 5)
    for index, _ in enumerate(sampler.sample(sampler.get_last_sample(), iterations=6)):
        if index == 2:
            backend.close()
    backend.close()
    assert steps_of(client, backend.rid) == {16}
    assert_same_steps(EmceeBackend(server.url, rid=backend.rid), backend)


def test_a_reset_during_an_outage_costs_no_step(own_server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    backend = EmceeBackend(own_server.url, interval=0.1, exit_timeout=60.0)
    rid = backend.rid
    sampler = ensemble(backend)
    state = sampler.run_mcmc(initial(), 5)
    backend.flush()
    own_server.kill()
    sampler.run_mcmc(state, 5)
    deadline = time.monotonic() + 20
    while not backend.client.has_outage and time.monotonic() < deadline:
        time.sleep(0.05)
    began = time.monotonic()
    sampler.reset()
    sampler.run_mcmc(state, 7)
    assert time.monotonic() - began < 5.0, "the sampler waits for no server"
    assert backend.rid.startswith(f"{rid}.")
    own_server.start()
    backend.close()
    client = Client(own_server.url)
    assert (steps_of(client, rid), steps_of(client, backend.rid)) == ({10}, {7})


def test_a_server_that_is_away_at_the_start(unused_url: str, spool: Path) -> None:
    """Steps that may be there must be loaded; without a `rid`, or if that is asked for, new ones wait in the spool."""
    refused: list[dict[str, Any]] = [{}, {"offline": False}, {"read_only": True}, {"offline": True, "read_only": True}]
    for options in refused:
        with pytest.raises(ServerUnreachableError):
            EmceeBackend(unused_url, rid="some-run", **options)
    for rid, offline in (("some-run", True), (None, None)):
        backend = EmceeBackend(unused_url, rid=rid, offline=offline, exit_timeout=0.1)
        ensemble(backend).run_mcmc(initial(), 3)
        backend.close(0.1)
        assert backend.get_chain().shape == (3, WALKERS, 2)
        assert backend.rid in {path.name.split("~")[0] for path in spool.iterdir()}
    assert EmceeBackend(unused_url, spool=None).rid != backend.rid
    with pytest.raises(ServerUnreachableError):
        ensemble(EmceeBackend(unused_url, spool=None)).run_mcmc(initial(), 3)


def test_a_copy_that_samples_has_a_run_of_its_own(server: RunningServer, client: Client) -> None:
    backend = EmceeBackend(server.url, token="secret-key-of-mine", names=["a", "b"])
    sampler = ensemble(backend, log_prob=np.sum)
    sampler.log_prob_fn.f = _gaussian
    sampler.run_mcmc(initial(), 5)
    backend.flush()
    raw = pickle.dumps(sampler)
    assert b"secret-key-of-mine" not in raw
    copy = pickle.loads(raw)
    assert_same_steps(copy.backend, backend)
    copy.run_mcmc(None, 3)
    copy.backend.close()
    assert (backend.iteration, copy.backend.iteration) == (5, 8)
    assert copy.backend.rid == f"{backend.rid}.2"
    assert_same_steps(EmceeBackend(server.url, rid=copy.backend.rid), copy.backend)
    backend.close()
    assert steps_of(client, backend.rid) == {5}


def _gaussian(x: Any) -> Any:
    return -0.5 * np.sum(x**2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_samples_into_a_run_of_its_own(server: RunningServer, client: Client) -> None:
    backend = EmceeBackend(server.url)
    sampler = ensemble(backend)
    sampler.run_mcmc(initial(), 5)
    backend.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sampler.run_mcmc(None, 4)
            backend.close(30.0)
            code = 0 if steps_of(Client(server.url), f"{backend._base_rid}.2") == {9} else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sampler.run_mcmc(None, 2)
    backend.close()
    assert steps_of(client, backend.rid) == {7}


def test_what_a_run_tells(server: RunningServer, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcbackend_edge")
    rid = new_rid()
    given: dict[str, Any] = {
        "name": "Orbit",
        "tags": ["paper"],
        "notes": "first try",
        "attributes": {"star": "HD 1", "nwalkers": "mine"},
        "capture": True,
    }
    for _ in range(2):
        backend = EmceeBackend(server.url, rid=rid, facts={"telescope": 3}, **given)
        sampler = ensemble(backend)
        sampler.run_mcmc(None if backend.iteration else initial(), 5)
        assert backend.run is not None
        assert backend.run.rid == backend.rid == rid
        backend.close()
    about = client.run(rid).about()
    assert (about.name, about.tags, about.notes, about.state) == ("Orbit", ("paper",), "first try", "done")
    assert about.attributes["star"] == "HD 1"
    assert about.attributes["inference_library"] == "emcee"
    facts = about.facts
    assert facts["telescope"] == 3
    assert facts["expected"] == {"draws": 10, "warmup": 0}
    assert 0 < facts["samplingTime"] < 60
    assert facts["startedAt"] < facts["finishedAt"]
    assert facts["environment"]["packages"]["emcee"] == emcee.__version__
    assert "user" in facts["environment"]
    lines = [line for line in caplog.messages if line.startswith(f"run Orbit ({rid})")]
    assert lines[0] == f"run Orbit ({rid}): {server.url}/v1/runs/{rid}"
    assert lines[-1] == f"run Orbit ({rid}): 8 chains, 80 draws: {server.url}/v1/runs/{rid}"
    assert len(lines) == 4


def test_attributes_that_cannot_be_kept_are_refused(server: RunningServer) -> None:
    with pytest.raises(ValueError, match=r"'mcb\.emcee' is the backend's own"):
        EmceeBackend(server.url, attributes={"mcb.emcee": 1})
    with pytest.raises(TypeError, match="'f'"):
        EmceeBackend(server.url, attributes={"f": object()})
    with pytest.raises(ValueError, match="facts"):
        EmceeBackend(server.url, facts={"x": float("nan")})


def test_another_process_reads_while_it_runs(server: RunningServer) -> None:
    rid = new_rid()
    with pytest.raises(NotFoundError):
        EmceeBackend(server.url, rid=rid, read_only=True)
    with pytest.raises(ValueError, match="needs the id"):
        EmceeBackend(server.url, read_only=True)
    backend = EmceeBackend(server.url, rid=rid)
    sampler = ensemble(backend)
    steps = sampler.sample(initial(), iterations=20)
    reader: EmceeBackend | None = None
    for count, _ in enumerate(steps, 1):
        if count == 1:
            backend.flush()
            reader = EmceeBackend(server.url, rid=rid, read_only=True)
            assert reader.iteration == 1
        if count == 10:
            backend.flush()
    assert reader is not None
    reader.reload()
    assert reader.iteration >= 10
    assert np.array_equal(reader.get_chain()[:10], backend.get_chain()[:10])
    for refused in (lambda: reader.reset(8, 2), lambda: ensemble(reader).run_mcmc(None, 1)):
        with pytest.raises(RuntimeError, match="only reads"):
            refused()
    with pytest.raises(RuntimeError, match="steps of its own"):
        backend.reload()
    backend.close()
    reader.reload()
    assert_same_steps(reader, backend)


def test_reading_in_the_first_moments(server: RunningServer) -> None:
    """Registered, and not a step yet: emcee's own error, as before any step."""
    rid = new_rid()
    backend = EmceeBackend(server.url, rid=rid)
    ensemble(backend)
    backend.grow(5, None)
    reader = EmceeBackend(server.url, rid=rid, read_only=True)
    for read in (reader.get_chain, reader.get_log_prob, reader.get_blobs, reader.get_last_sample, backend.get_chain):
        with pytest.raises(AttributeError, match="you must run the sampler with 'store == True'"):
            read()
    assert not reader.has_blobs()
    backend.close()
