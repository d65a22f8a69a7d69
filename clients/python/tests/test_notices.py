"""Names and facts that writers tell in the background: they come, and never hold up a draw."""

from __future__ import annotations

import datetime as dt
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Run, notices
from mcbackend_edge.cli import main
from mcbackend_edge.notices import Beginning

from .gate import Gate, Reply
from .server import RunningServer
from .test_about import earlier_release

SCHEMA: dict[str, Any] = {"variables": {"x": 0.0}}


def begun(client: Client, rid: str | None = None, **options: Any) -> Run:
    """A run that this process writes as a whole, as adapters have it."""
    run = client.create_run(rid, **SCHEMA, **options)
    run.notices.is_whole = True
    run.notices.begin(Beginning("n", ("t",), {"startedAt": "then", "environment": {"a": "1"}}))
    return run


def patches(seen: list[str]) -> Callable[[str, str], Reply | None]:
    def choose(method: str, path: str) -> Reply | None:
        if path.endswith("/about"):
            seen.append(method)
        return None

    return choose


def test_what_is_told_is_there_behind_a_flush(client: Client) -> None:
    run = begun(client)
    chain = run.init_chain(0)
    chain.append({"x": 1.0})
    run.notices.note({"chains": {0: {"seed": 2**127}}})
    run.flush(progress=False)
    about = run.about()
    assert (about.name, about.tags) == ("n", ("t",))
    assert about.facts == {"startedAt": "then", "environment": {"a": "1"}, "chains": {"0": {"seed": 2**127}}}
    run.notices.note({"chains": {0: {"stepSize": 0.5}}})
    run.flush(progress=False)
    assert run.about().facts["chains"] == {"0": {"seed": 2**127, "stepSize": 0.5}}


def test_an_end_is_told_when_the_draws_are_there(server: RunningServer, client: Client) -> None:
    """It is the time of the last draw, and goes when the run is gone on with."""
    with Client(server.url) as writer:
        run = begun(writer)
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
        grown = dt.datetime.now(dt.timezone.utc)
        time.sleep(0.6)
        assert "finishedAt" not in client.run(run.rid).about().facts
        assert client.run(run.rid).about().state == "live"
    about = client.run(run.rid).about()
    assert about.state == "done"
    told = dt.datetime.fromisoformat(about.facts["finishedAt"])
    assert abs((told - grown).total_seconds()) < 0.5
    with Client(server.url) as again:
        resumed = begun(again, run.rid)
        chain = resumed.init_chain(0, resume=True)
        chain.append({"x": 2.0})
        resumed.flush(progress=False)
        assert "finishedAt" not in client.run(run.rid).about().facts
    assert client.run(run.rid).about().state == "done"


def test_a_writer_of_some_chains_tells_no_end(server: RunningServer, client: Client) -> None:
    run = client.create_run(**SCHEMA)
    for number in range(2):
        with Client(server.url) as one:
            mine = one.run(run.rid)
            mine.init_chain(number).append({"x": 1.0})
            mine.notices.note({"chains": {number: {"seed": number}}})
    about = run.about()
    assert about.facts == {"chains": {"0": {"seed": 0}, "1": {"seed": 1}}}
    assert about.state == "live"


def test_a_run_that_is_gone_on_with_keeps_what_people_have_set(server: RunningServer, client: Client) -> None:
    run = client.create_run(**SCHEMA)
    run.set_about(name="better", tags=["paper"], facts={"startedAt": "earlier"})
    with Client(server.url) as writer:
        begun(writer, run.rid).init_chain(0).append({"x": 1.0})
    about = run.about()
    assert (about.name, about.tags) == ("better", ("paper",))
    assert about.facts["startedAt"] == "earlier"
    assert about.facts["environment"] == {"a": "1"}


def test_a_run_that_is_let_go_is_finished(server: RunningServer, make_client: Callable[..., Client]) -> None:
    import gc

    client = make_client(server.url)
    run = begun(client)
    run.init_chain(0).append({"x": 1.0})
    rid = run.rid
    del run
    gc.collect()
    deadline = time.monotonic() + 20
    while client.run(rid).about().state != "done":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert client.run(rid).lengths() == {0: 1}


def test_an_earlier_server_is_not_asked_again(
    server: RunningServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """One warning if a name was asked for, and none for facts that nobody has asked for."""
    asked: list[str] = []
    old = earlier_release(server.port)

    def choose(method: str, path: str) -> Reply | None:
        asked.extend([method] if path.endswith("/about") else [])
        return old(method, path)

    for name, warnings in (("n", 1), (None, 0)):
        caplog.clear()
        asked.clear()
        with Gate(server.port, choose) as gate:
            client = make_client(gate.url, interval=0.01)
            run = client.create_run(**SCHEMA)
            run.notices.is_whole = True
            run.notices.begin(Beginning(name, (), {"a": 1}))
            chain = run.init_chain(0)
            for index in range(20):
                chain.append({"x": float(index)})
                run.notices.note({"index": index})
                run.flush(progress=False)
            client.close()
        assert asked == ["GET"]
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == warnings
        assert make_client(server.url).run(run.rid).lengths() == {0: 20}


ODD = {
    "a page": Reply(200, b"<html>"),
    "500": Reply(500),
    "503": Reply(503, b"", {"Retry-After": "300"}),
    "302": Reply(302, b"", {"Location": "https://elsewhere.example/"}),
    "403": Reply(403, json.dumps({"code": "forbidden"}).encode()),
    "422": Reply(422, json.dumps({"code": "invalid_about"}).encode()),
    "404 page": Reply(404, b"<html>"),
    "deep": Reply(200, b"[" * 100_000),
}


@pytest.mark.parametrize("kind", ODD)
def test_no_answer_keeps_draws_from_being_sent(
    server: RunningServer, make_client: Callable[..., Client], kind: str
) -> None:
    with Gate(server.port, lambda _, path: ODD[kind] if path.endswith("/about") else None) as gate:
        client = make_client(gate.url, interval=0.01)
        run = begun(client)
        chain = run.init_chain(0)
        began = time.monotonic()
        for index in range(20):
            chain.append({"x": float(index)})
            run.notices.note({"index": index})
            run.flush(progress=False)
        client.close()
        assert time.monotonic() - began < 10
    assert make_client(server.url).run(run.rid).lengths() == {0: 20}


def test_a_server_that_hangs_at_names_delays_no_flush_for_long(
    server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcbackend_edge.uploader.ANSWER_TIMEOUT", 0.3)

    def choose(_: str, path: str) -> Reply | None:
        if path.endswith("/about"):
            time.sleep(3.0)
        return None

    with Gate(server.port, choose) as gate:
        run = begun(make_client(gate.url))
        run.init_chain(0).append({"x": 1.0})
        began = time.monotonic()
        run.flush(progress=False)
        assert time.monotonic() - began < 2.5
        assert run.pending == 0


def test_what_failed_is_told_later(
    server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "FAILED_PAUSE", 0.2)
    left = [2]

    def choose(_: str, path: str) -> Reply | None:
        if path.endswith("/about") and left[0]:
            left[0] -= 1
            return Reply(503)
        return None

    with Gate(server.port, choose) as gate:
        run = begun(make_client(gate.url, interval=0.01))
        run.notices.note({"a": {"b": 1}})
        run.init_chain(0).append({"x": 1.0})
        run.notices.note({"a": {"c": 2}})
        deadline = time.monotonic() + 10
        while run.about().name is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert run.about().facts["a"] == {"b": 1, "c": 2}


def test_changes_are_told_seldom(server: RunningServer, make_client: Callable[..., Client]) -> None:
    seen: list[str] = []
    with Gate(server.port, patches(seen)) as gate:
        client = make_client(gate.url, interval=0.01)
        run = begun(client)
        chain = run.init_chain(0)
        for index in range(40):
            chain.append({"x": float(index)})
            run.notices.note({"index": index})
            time.sleep(0.02)
        assert len(seen) <= 2
        run.flush(progress=False)
        assert run.about().facts["index"] == 39


def test_a_key_that_may_only_write_tells_them(server: RunningServer, make_client: Callable[..., Client]) -> None:
    refusal = Reply(403, json.dumps({"code": "forbidden"}).encode())

    def choose(method: str, path: str) -> Reply | None:
        return refusal if method == "GET" and path.endswith("/about") else None

    with Gate(server.port, choose) as gate:
        run = begun(make_client(gate.url))
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
    about = make_client(server.url).run(run.rid).about()
    assert (about.name, about.facts["startedAt"]) == ("n", "then")


def test_a_run_that_was_begun_offline_is_named_later(
    own_server: RunningServer, make_client: Callable[..., Client]
) -> None:
    own_server.stop()
    run = begun(make_client(own_server.url, patience=0.1), offline=True)
    run.init_chain(0).append({"x": 1.0})
    own_server.start()
    run.flush(progress=False)
    assert run.about().name == "n"
    assert run.about().facts["startedAt"] == "then"


SCRIPT = """
import sys
import mcbackend_edge as mcb
run = mcb.Client(sys.argv[1]).create_run(sys.argv[2], variables={"x": 0.0})
run.notices.is_whole = True
run.init_chain(0).append({"x": 1.0})
if sys.argv[3] == "fails":
    raise ValueError("no")
if sys.argv[3] == "exits":
    sys.exit(3)
"""


@pytest.mark.parametrize(("ending", "state"), [("ends", "done"), ("exits", "done"), ("fails", "live")])
def test_the_end_of_the_process_is_the_end_of_its_runs(
    server: RunningServer, client: Client, ending: str, state: str
) -> None:
    """Unless an error ends it; the draws are sent in any case."""
    rid = mcb.new_rid()
    subprocess.run([sys.executable, "-c", SCRIPT, server.url, rid, ending], check=False, stderr=subprocess.DEVNULL)
    about = client.run(rid).about()
    assert (about.draws, about.state, "finishedAt" in about.facts) == (1, state, state == "done")


# -- adapters ----------------------------------------------------------------------------------------------------------


def test_http_backend(server: RunningServer, client: Client) -> None:
    pytest.importorskip("mcbackend")
    from mcbackend import meta

    expected = {"expected": {"draws": 2, "warmup": 0}}
    backend = mcb.HTTPBackend(server.url, name="schools", tags=["a"], facts=expected)
    run = backend.init_run(meta.RunMeta(variables=[meta.Variable("x", "float64")]))
    chain = run.init_chain(0)
    chain.append({"x": np.array(1.0)})
    backend.flush()
    about = client.run(run.run.rid).about()
    assert (about.name, about.tags, about.state) == ("schools", ("a",), "live")
    assert about.facts["expected"] == expected["expected"]
    assert about.facts["environment"]["packages"]["mcbackend"]
    assert about.created_at - dt.datetime.fromisoformat(about.facts["startedAt"]) < dt.timedelta(seconds=5)
    chain.append({"x": np.array(2.0)})
    backend.flush()
    assert client.run(run.run.rid).about().state == "done"
    backend.close()
    assert "finishedAt" in client.run(run.run.rid).about().facts
    with pytest.raises(ValueError, match=r"^facts\.a is nan"):
        mcb.HTTPBackend(server.url, facts={"a": np.nan})
    with pytest.raises(TypeError, match="tags is one text"):
        mcb.HTTPBackend(server.url, tags="paper")


def test_two_starts_of_one_script_are_one_run(server: RunningServer, client: Client, tmp_path: Path) -> None:
    """Seeds, step sizes and versions of Stan are facts: the order in which files begin does not matter."""

    def write(name: str, seed: int, version: int) -> Path:
        path = tmp_path / name
        path.write_text(
            f"# stan_version_major = 2\n# stan_version_minor = {version}\n# stan_version_patch = 0\n"
            "# method = sample (Default)\n#     num_samples = 3\n#     num_warmup = 2\n#     thin = 2\n"
            "#     engaged = 1\n"
            f"# random\n#   seed = {seed} (Default)\n# stanc_version = stanc3 v2.{version}.0\nlp__,theta\n"
            f"# Adaptation terminated\n# Step size = 0.{seed}\n-1,{seed}\n-1,{seed}\n#\n#  Elapsed Time: 0 s\n"
        )
        return path

    files = [str(tmp_path / "1.csv"), str(write("2.csv", 22, 36))]
    rid = mcb.new_rid()
    command = [
        "tail",
        "--once",
        "--url",
        server.url,
        "--rid",
        rid,
        "--name",
        "bern",
        "--tag",
        "a",
        "--tag",
        "b",
        *files,
    ]
    assert main(command) == 1
    write("1.csv", 11, 37)
    assert main(command) == 0
    assert client.run(rid).lengths() == {0: 2, 1: 2}
    about = client.run(rid).about()
    assert (about.name, about.tags, about.state) == ("bern", ("a", "b"), "done")
    assert about.facts["expected"] == {"draws": 2, "warmup": 0}
    versions = about.facts["environment"]["packages"]
    assert (versions["stan"], versions["stanc"]) == ("2.36.0", "stanc3 v2.36.0")
    assert about.facts["chains"] == {"0": {"seed": 11, "stepSize": 0.11}, "1": {"seed": 22, "stepSize": 0.22}}
    assert set(about.attributes) == {"inference_library", "method", "num_samples", "num_warmup", "thin"}


def test_emcee(server: RunningServer, client: Client) -> None:
    emcee = pytest.importorskip("emcee")

    def walk(backend: Any) -> Any:
        return emcee.EnsembleSampler(8, 2, lambda x: -0.5 * np.sum(x**2), backend=backend)

    start = np.random.default_rng(1).normal(size=(8, 2))
    rid = mcb.new_rid()
    backend = mcb.EmceeBackend(server.url, rid=rid, name="walk", facts={"by": "hand"})
    sampler = walk(backend)
    for step, _ in enumerate(sampler.sample(start, iterations=10)):
        if step == 4:
            backend.flush()
            half = client.run(rid).about()
            assert (half.name, half.state, half.facts["expected"]) == ("walk", "live", {"draws": 10, "warmup": 0})
            assert half.facts["by"] == "hand"
            assert half.facts["environment"]["packages"]["emcee"] == emcee.__version__
    backend.flush()
    assert client.run(rid).about().state == "done"
    state = sampler.get_last_sample()
    sampler.reset()
    sampler.run_mcmc(state, 3)
    sampler.run_mcmc(None, 4)
    backend.close()
    assert "finishedAt" in client.run(rid).about().facts
    second = client.run(f"{rid}.2").about()
    assert (second.name, second.facts["expected"]["draws"], second.state) == ("walk", 7, "done")

    resumed = mcb.EmceeBackend(server.url, rid=rid, name="other")
    for _ in walk(resumed).sample(resumed.get_last_sample(), iterations=5):
        break
    resumed.flush()
    again = client.run(rid).about()
    assert (again.name, again.state, again.facts["expected"]["draws"]) == ("walk", "live", 15)
    assert again.facts["startedAt"] == half.facts["startedAt"]
    resumed.close()


def test_the_list_of_runs_shows_names(
    server: RunningServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    run = client.create_run(**SCHEMA)
    run.set_about(name="a\x1b[31mb")
    assert main(["runs", "--url", server.url, "--limit", "1"]) == 0
    assert r" a\x1b[31mb " in capsys.readouterr().out
