"""Names that are not looked up, connections that do not come, and what is told of a server that refuses or is busy."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client

from .gate import Gate, Reply
from .server import RunningServer
from .test_answers import first, problem
from .test_first_contact import AT_ONCE, SPARE, wait_for

NAMED = "the name of its host is not looked up within"


@pytest.fixture
def silent_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that answers when the event is set: that of the system cannot be silenced by a test."""
    real, may_answer = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "localhost":
            may_answer.wait(60)
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield may_answer
    may_answer.set()


@pytest.fixture
def no_connection() -> Iterator[str]:
    """A port whose queue of connections is full: the system drops what else comes, as a firewall does."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(8):
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex(listener.getsockname())
        waiting.append(peer)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    for each in (*waiting, listener):
        each.close()


def test_a_name_that_is_not_looked_up_holds_no_sampler_up(
    server: RunningServer,
    make_client: Callable[..., Client],
    silent_resolver: threading.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor does the question for a free id before; the draws are sent once the name is known."""
    client = make_client(server.url.replace("127.0.0.1", "localhost"))
    began = time.monotonic()
    rid = client.free_rid("named-later")
    run = client.create_run(rid, variables={"x": 0.0})
    assert time.monotonic() - began < AT_ONCE + SPARE
    run.init_chain(0).append({"x": 1.0})
    [warning] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert NAMED in warning
    assert "Sampling goes on" in warning
    silent_resolver.set()
    run.flush(progress=False)
    assert client.run(rid).lengths() == {0: 1}


def test_who_needs_an_answer_waits_for_a_name_no_longer_than_its_patience(
    server: RunningServer, make_client: Callable[..., Client], silent_resolver: threading.Event
) -> None:
    client = make_client(server.url.replace("127.0.0.1", "localhost"), spool=None, patience=2.0)
    began = time.monotonic()
    with pytest.raises(mcb.ServerUnreachableError, match=NAMED):
        list(client.runs(1))
    assert time.monotonic() - began < 2.0 + SPARE
    threading.Timer(0.5, silent_resolver.set).start()
    list(client.runs(1))


def test_a_connection_that_does_not_come(
    no_connection: str, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    run = make_client(no_connection, exit_timeout=0.1).create_run(variables={"x": 0.0})
    assert time.monotonic() - began < AT_ONCE + SPARE
    assert run.registration is None
    assert f"{no_connection} cannot be reached: " in caplog.text
    assert "timed out" in caplog.text
    with pytest.raises(mcb.ServerUnreachableError, match="timed out"):
        make_client(no_connection, spool=None, patience=1.5).run("r")
    assert time.monotonic() - began < AT_ONCE + 2 * SPARE + 2.0


def test_a_name_with_several_addresses(server: RunningServer, make_client: Callable[..., Client]) -> None:
    """`localhost` may have one of IPv6, at which this server does not listen."""
    client = make_client(server.url.replace("127.0.0.1", "localhost"))
    assert client.create_run(variables={"x": 0.0}).registration


@pytest.mark.parametrize("token", [None, "mcb_wrong"])
def test_a_refused_key_is_told_with_its_server_and_the_way_out(
    server: RunningServer, make_client: Callable[..., Client], token: str | None
) -> None:
    with Gate(server.port, lambda *_: problem(401, "unauthorized")) as gate:
        with pytest.raises(mcb.AccessError) as caught:
            make_client(gate.url, token=token).create_run(variables={"x": 0.0})
        told = str(caught.value)
        assert told.startswith(f"{gate.url}: ")
        assert ("Give another key" if token else "No key was sent") in told
        assert told.endswith("pass token=, set MCB_TOKEN, or run: npx mcb login")
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


BUSY = {
    "429": problem(429, "rate_limited", **{"Retry-After": "1"}),
    "503": problem(503, "overloaded", **{"Retry-After": "1"}),
    "403": problem(403, "quota_exceeded"),
    "no length": Reply(200, b"{}", {"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("name", BUSY)
def test_a_server_that_takes_no_draws_while_it_samples_is_named(
    server: RunningServer,
    make_client: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr("mcbackend_edge.uploader.REFUSED_DELAY", 0.5)
    caplog.set_level(logging.INFO, "mcbackend_edge")
    with Gate(server.port, lambda *_: None) as gate:
        run = make_client(gate.url).create_run(variables={"x": 0.0})
        chain = run.init_chain(0)
        gate.choose = first(1, BUSY[name], "POST")
        chain.append({"x": 1.0})
        run.flush(progress=False)
        wait_for(lambda: f"{gate.url} is back, all sent: 1 draw had waited." in caplog.messages)
        [warning] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert warning.startswith(f"{gate.url}: ")
        assert "Sampling goes on; draws are spooled in" in warning
        assert run.lengths() == {0: 1}


def tail(url: str, *options: str) -> tuple[int, str, float]:
    """Exit status, all that is said, and seconds."""
    began = time.monotonic()
    command = [sys.executable, "-m", "mcbackend_edge", "tail", "--rid", "tailed", "--url", url, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_text("x,y\n1.5,2\n2.5,3\n")
    return [*map(str, paths), "--warmup", "0"]


def test_tail_once_fails_at_once(unused_url: str, server: RunningServer, tables: list[str]) -> None:
    """In one line, however many files there are; the draws stay in them, and are not spooled."""
    status, said, seconds = tail(unused_url, "--once", *tables)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"mcbackend-edge: {unused_url} cannot be reached: connection refused")
    # A start of Python, and the time that is tried.
    assert seconds < AT_ONCE + 10
    with Gate(server.port, lambda *_: problem(401, "unauthorized")) as gate:
        for options in (["--once"], []):
            status, said, _ = tail(gate.url, *options, *tables)
            assert (status, said.count("\n")) == (1, 1), said
            assert said.startswith(f"mcbackend-edge: {gate.url}: ")


def test_tail_once_takes_what_is_there(server: RunningServer, tables: list[str]) -> None:
    status, said, _ = tail(server.url, "--once", *tables)
    assert status == 0, said
    assert "2 chains, 4 draws on the server" in said
