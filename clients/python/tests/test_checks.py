"""Checks of a run, against the real server and answers that make no sense."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable

from .gate import Gate, Reply
from .server import RunningServer
from .tailing import store

NAMES = ["progress", "finite", "stuck", "divergences", "rhat", "ess", "bfmi", "treedepth"]


@pytest.fixture(scope="module")
def run(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mcb.Run]:
    """A run whose chain 2 is elsewhere, and which diverges at small tau."""
    client = Client(server.url, spool=tmp_path_factory.mktemp("spool"))
    run = client.create_run(
        variables=[Variable("mu"), Variable("tau"), Variable("theta", "float64", (2,), ("school",))],
        sample_stats={"tune": False, "diverging": False, "energy": 0.0},
        coords={"school": ["Choate", "Deerfield"]},
    )
    for number in range(4):
        random = np.random.default_rng(number)
        tau = np.exp(random.standard_normal(320))
        draws = {
            "mu": random.standard_normal(320) + 5 * (number == 2),
            "tau": tau,
            "theta": random.standard_normal((320, 2)),
        }
        stats = {"tune": np.arange(320) < 20, "diverging": tau < 0.2, "energy": random.standard_normal(320)}
        run.init_chain(number).extend(draws, stats)
    run.flush()
    yield run
    client.close()


def test_checks_find_what_is_wrong(run: mcb.Run) -> None:
    checks = run.checks()
    assert [check.check for check in checks] == NAMES
    assert (checks.rid, checks.draws, checks.status, checks.is_complete) == (run.rid, 300, "fail", True)
    rhat = checks["rhat"]
    assert rhat.status == "fail"
    assert "without chain 2" in rhat.message
    assert rhat.worst[0].label == "mu"
    assert rhat.worst[0].value > 1.05
    assert [each.chain for each in rhat.chains] == [0, 1, 2, 3]
    divergences = checks["divergences"]
    assert divergences.message.endswith("they gather at small tau")
    assert (divergences.worst[0].label, divergences.worst[0].at) == ("tau", "small")
    assert checks["bfmi"].status == "ok"
    assert checks["treedepth"].status == "unknown"
    with pytest.raises(KeyError):
        checks["psrf"]


def test_they_are_read_on_a_terminal_and_in_a_notebook(run: mcb.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    checks = run.checks()
    lines = str(checks).splitlines()
    assert lines[0] == f"{run.rid}: fail, 300 draws a chain"
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("fail    rhat ") for line in lines)
    assert str(checks["rhat"]).startswith("rhat: fail. R-hat is up to ")
    page = checks._repr_html_()
    assert "they gather at small tau" in page
    assert "&lt;" not in page


def test_few_draws_are_not_judged(make_client: Callable[..., Client], server: RunningServer) -> None:
    run = make_client(server.url).create_run(variables={"x": 0.0})
    run.init_chain(0).extend({"x": np.arange(99.0)})
    run.flush()
    checks = run.checks(timeout=5)
    assert checks.status == "unknown"
    assert {check.status for check in checks} == {"unknown"}


def test_what_is_pending_is_asked_for_again(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run
) -> None:
    pending = {"rid": run.rid, "registration": "r", "draws": 300, "status": "unknown", "complete": False, "checks": []}
    asked: list[str] = []

    def choose(_: str, path: str) -> Reply | None:
        if "/checks" not in path:
            return None
        asked.append(path)
        return Reply(200, json.dumps(pending).encode()) if len(asked) < 3 else None

    with Gate(server.port, choose) as gate:
        other = make_client(gate.url).run(run.rid)
        assert not other.checks(timeout=0).is_complete
        assert other.checks().is_complete
    assert len(asked) == 3


def test_an_earlier_server_is_told_of(server: RunningServer, make_client: Callable[..., Client], run: mcb.Run) -> None:
    problem = json.dumps({"code": "not_found", "status": 404, "title": "t", "detail": "d", "type": "about:blank"})
    reply = Reply(404, problem.encode(), {"Content-Type": "application/problem+json"})
    with Gate(server.port, lambda _, path: reply if "/checks" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.OldServerError, match="does not check runs"):
            other.checks()


CHECK = {"check": "rhat", "status": "warn", "message": "m", "advice": "a"}
CHECKS = {"rid": "r", "registration": "x", "draws": 1, "status": "warn", "checks": [CHECK]}


def with_check(**members: Any) -> dict[str, Any]:
    return {**CHECKS, "checks": [{**CHECK, **members}]}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {**CHECKS, "status": "bad"},
        {**CHECKS, "status": []},
        {**CHECKS, "draws": -1},
        {**CHECKS, "checks": [None]},
        {**CHECKS, "checks": None},
        with_check(status=None),
        with_check(message=1),
        with_check(chains=[{"chain": 0.5, "value": 1}]),
        with_check(chains=[{"chain": 0, "value": None}]),
        with_check(worst=[{"label": "x"}]),
        with_check(worst=[{"label": "x", "value": True}]),
        with_check(worst=[{"label": "x", "value": 1, "at": "left"}]),
    ],
)
def test_answers_without_sense_are_errors(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run, content: Any
) -> None:
    body = json.dumps(content).encode()
    with Gate(server.port, lambda _, path: Reply(200, body) if "/checks" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.ProtocolError):
            other.checks()


def test_an_infinite_number_is_one(server: RunningServer, make_client: Callable[..., Client], run: mcb.Run) -> None:
    body = json.dumps(with_check(worst=[{"label": "x", "value": None}])).encode()
    with Gate(server.port, lambda _, path: Reply(200, body) if "/checks" in path else None) as gate:
        assert make_client(gate.url).run(run.rid).checks()["rhat"].worst[0].value == float("inf")


def test_the_depth_of_trees_is_that_of_cmdstans_settings(
    server: RunningServer, client: Client, shared_data: Path
) -> None:
    """CmdStan's `diagnose` counts the same in this file."""
    path = shared_data / "cmdstan" / "corr_gauss_depth8-1.csv"
    rid = mcb.new_rid()
    store(client, rid, path)
    header, *lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    place = header.split(",").index("treedepth__")
    hits = sum(float(line.split(",")[place]) >= 8 for line in lines)
    found = client.run(rid).checks()["treedepth"]
    assert found.status == "warn"
    assert [(each.chain, each.value) for each in found.chains] == [(0, hits)]
    assert f"{hits} of 1000 draws (42 %) reached the maximum depth of the tree of 8 (255 steps)" in found.message
