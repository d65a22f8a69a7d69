"""The lines at the start and the end, and run ids for a second start."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from mcbackend_edge import Client, ServerUnreachableError, greeting
from mcbackend_edge.notices import Beginning

from .server import RunningServer

SCHEMA: dict[str, Any] = {"variables": {"x": 0.0}}


@pytest.fixture
def dead_server() -> str:
    """The address of a server that is away."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


SCRIPT = """
import sys
from mcbackend_edge import Client, greeting
from mcbackend_edge.notices import Beginning
{before}
client = Client(sys.argv[1], spool=None)
run = client.create_run("{rid}", variables={{"x": 0.0}})
run.notices.begin(Beginning("radon-centred"))
greeting.started(run)
chains = [run.init_chain(k) for k in range(2)]
for chain in chains:
    chain.extend({{"x": [0.0] * 600}})
run.flush(progress=False)
greeting.ended(run)
client.close()
"""


def lines_of(server: RunningServer, rid: str, before: str = "") -> list[str]:
    script = SCRIPT.format(rid=rid, before=before)
    done = subprocess.run([sys.executable, "-c", script, server.url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_script_shows_two_lines_without_further_ado(server: RunningServer) -> None:
    address = f"{server.url}/v1/runs/hello-1"
    assert lines_of(server, "hello-1") == [
        f"run radon-centred (hello-1): {address}",
        f"run radon-centred (hello-1): 2 chains, 1,200 draws: {address}",
    ]


def test_logging_that_is_configured_shows_them_once(server: RunningServer) -> None:
    shown = lines_of(server, "hello-2", "import logging; logging.basicConfig(level='INFO', format='LOG %(message)s')")
    assert [line.startswith("LOG run radon-centred (hello-2): ") for line in shown] == [True, True]
    assert lines_of(server, "hello-3", "import logging; logging.basicConfig(level='WARNING')") == []
    quiet = "import logging; logging.getLogger('mcbackend_edge').setLevel('WARNING')"
    assert lines_of(server, "hello-4", quiet) == []


def test_logging_that_is_configured_later_does_not_double_them(server: RunningServer) -> None:
    later = """
import logging
def once(run, **_):
    say(run)
    logging.basicConfig(level="INFO", format="LOG %(message)s")
say, greeting.started = greeting.started, once
"""
    shown = lines_of(server, "hello-5", later)
    assert len(shown) == 2
    assert [line.startswith("LOG ") for line in shown] == [False, True]


def test_a_stream_that_is_gone_costs_the_line_alone(server: RunningServer) -> None:
    assert lines_of(server, "hello-6", "sys.stderr = None") == []
    assert lines_of(server, "hello-7", "sys.stderr.close()") == []


def test_forked_workers_are_silent(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run(**SCHEMA)
    with caplog.at_level(logging.INFO, "mcbackend_edge"):
        greeting.started(run, name="n")
        assert caplog.messages == [f"run n ({run.rid}): {client.url}/v1/runs/{run.rid}"]
    reader, writer = os.pipe()
    worker = multiprocessing.get_context("fork").Process(target=_say_into, args=(run, writer))
    worker.start()
    worker.join(30)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert said.read() == ""
    assert worker.exitcode == 0


def _say_into(run: Any, descriptor: int) -> None:
    logger = logging.getLogger("mcbackend_edge")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler(os.fdopen(descriptor, "w")))
    greeting.started(run)


def test_names_do_not_steer_the_terminal(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run(**SCHEMA)
    with caplog.at_level(logging.INFO, "mcbackend_edge"):
        greeting.started(run, name="a\x1b[2J\nb", moved_from="a")
    assert caplog.messages == [f"run a [2J b ({run.rid}): {client.url}/v1/runs/{run.rid} (a has draws already)"]


def test_draws_that_wait_are_told_with_their_place(
    dead_server: str, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(dead_server, spool=tmp_path, patience=0.0)
    run = client.create_run("waits", **SCHEMA, offline=True)
    run.notices.begin(Beginning("n"))
    run.init_chain(3).extend({"x": [1.0, 2.0]})
    with caplog.at_level(logging.INFO, "mcbackend_edge"):
        greeting.ended(run)
    told = caplog.messages[-1]
    assert "1 chain, 2 draws, of which 2 are not on the server yet, but spooled in" in told
    assert str(tmp_path) in told
    client.close(0.0)


def test_a_rid_with_draws_is_followed_by_the_next_free_one(client: Client) -> None:
    assert client.free_rid("again") == "again"
    client.create_run("again", **SCHEMA)
    assert client.free_rid("again") == "again"
    for number in range(1, 8):
        rid = client.free_rid("again")
        assert rid == ("again" if number == 1 else f"again.{number}")
        run = client.create_run(rid, **SCHEMA)
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
    long = "g" * 128
    run = client.create_run(long, **SCHEMA)
    run.init_chain(0).append({"x": 1.0})
    run.flush(progress=False)
    assert client.free_rid(long) == "g" * 126 + ".2"


def test_a_server_that_is_away_gives_the_rid_itself_if_that_will_do(dead_server: str) -> None:
    client = Client(dead_server, spool=None, patience=0.0)
    assert client.free_rid("r", offline=True) == "r"
    with pytest.raises(ServerUnreachableError):
        client.free_rid("r")
