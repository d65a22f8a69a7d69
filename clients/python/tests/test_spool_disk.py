"""Draws reach the disk while the server does not take them, and the sampler never waits for that."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.segment import Segment
from mcbackend_edge.spool import RunSpool, folders

from .gate import Gate, Reply
from .server import RunningServer

# Seconds: many times what the promise is, and half of what an attempt takes against a server that is silent.
LIMIT = 30.0


@pytest.fixture
def synced_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that have called fsync."""
    names: list[str] = []
    fsync = os.fsync

    def noting(file: int) -> None:
        fsync(file)
        names.append(threading.current_thread().name)

    monkeypatch.setattr(os, "fsync", noting)
    return names


def on_disk(run: mcb.Run, spool: Path) -> dict[int, int]:
    """By chain, the draws that are known to be on the disk: what a restart of the machine would leave for sure."""
    [folder] = folders(spool)
    writer = run._writer
    assert writer is not None
    lengths = {}
    for number in writer.chains:
        segments = [Segment.open(writer.layout, path) for path in sorted((folder / str(number)).glob("*.rows"))]
        lengths[number] = sum(segment.synced for segment in segments)
    return lengths


def wait_for(expected: dict[int, int], run: mcb.Run, spool: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while (found := on_disk(run, spool)) != expected:
        assert time.monotonic() < deadline, f"{found} draws are on the disk after {LIMIT} s, not {expected}"
        time.sleep(0.2)


def append(chain: mcb.Chain, count: int) -> None:
    for index in range(count):
        chain.append({"x": np.full(3, float(index)), "s": "é" * index})


def new_run(client: Client) -> mcb.Run:
    return client.create_run(variables={"x": np.zeros(3), "s": ""})


def test_draws_reach_the_disk_while_a_request_hangs(
    own_server: RunningServer, make_client: Callable[..., Client], spool: Path, synced_by: list[str]
) -> None:
    run = new_run(make_client(own_server.url))
    chains = [run.init_chain(0), run.init_chain(1)]
    run.flush(progress=False)
    synced_by.clear()
    own_server.pause()
    append(chains[0], 100)
    append(chains[1], 10)
    wait_for({0: 100, 1: 10}, run, spool)
    append(chains[1], 40)
    wait_for({0: 100, 1: 50}, run, spool)
    assert set(synced_by) == {"mcbackend-edge-disk"}
    own_server.resume()
    run.flush(timeout=100.0, progress=False)
    assert run.lengths() == {0: 100, 1: 50}


def test_draws_reach_the_disk_while_the_server_wants_a_pause(
    server: RunningServer, make_client: Callable[..., Client], spool: Path, synced_by: list[str]
) -> None:
    """Those, too, that are appended after the only attempt that was made."""
    is_open = threading.Event()

    def choose(method: str, path: str) -> Reply | None:
        return None if is_open.is_set() or method != "POST" else Reply(503, headers={"Retry-After": "200"})

    with Gate(server.port, choose) as gate:
        run = new_run(make_client(gate.url))
        chain = run.init_chain(0)
        append(chain, 20)
        wait_for({0: 20}, run, spool)
        replies = gate.replies
        assert replies > 0
        append(chain, 30)
        wait_for({0: 50}, run, spool)
        assert gate.replies == replies
        is_open.set()
        assert "MainThread" not in synced_by[synced_by.index("mcbackend-edge-disk") :]


def test_what_the_server_takes_in_time_is_not_synced(spool: Path, synced_by: list[str]) -> None:
    """Only draws that are still there at the second look are."""
    meta = build_run_meta("r", variables={"x": np.zeros(3), "s": ""})
    run = RunWriter(meta, "registered", RunSpool.create(spool, "http://nowhere", meta, "registered"))
    chain, other = run.add_chain(0, 0, "strict"), run.add_chain(1, 7, "strict")
    draw = {"x": np.zeros(3), "s": "a"}
    synced_by.clear()
    for _ in range(5):
        chain.append(draw)
        other.append(draw)
        run.sync_late()
        chain.acknowledge(chain.length)
        other.acknowledge(other.length)
    run.sync_late()
    assert not synced_by
    chain.append(draw)
    run.sync_late()
    assert not synced_by
    run.sync_late()
    first = len(synced_by)
    assert first > 0
    run.sync_late()
    assert len(synced_by) == first
    run.finish()
    run.sync()
    assert len(synced_by) == first


@pytest.mark.usefixtures("small")
def test_syncing_and_sending_do_not_disturb_each_other(
    client: Client, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files of a spool come and go under the hands of the thread that syncs, up to the folder itself."""
    for _ in range(3):
        run = new_run(client)
        chain = run.init_chain(0)
        writer = run._writer
        assert writer is not None
        is_over = threading.Event()

        def hammer(writer: RunWriter = writer, is_over: threading.Event = is_over) -> None:
            while not is_over.is_set():
                writer.sync()

        thread = threading.Thread(target=hammer)
        thread.start()
        try:
            for _ in range(20):
                append(chain, 40)
            run.flush(progress=False)
            assert run.lengths() == {0: 800}
            writer.finish()
            assert not list(folders(spool))
        finally:
            is_over.set()
            thread.join()
        client._uploader._runs.clear()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
