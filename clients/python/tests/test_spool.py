"""The spool survives a crash of the sampler, one of the machine, and a full disk."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcbackend_edge as mcb
from mcbackend_edge import Client, stock, writer
from mcbackend_edge.columns import draw_at
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.segment import HEADER_BYTES, Layout, Segment
from mcbackend_edge.spool import RunSpool, folders
from mcbackend_edge.sync import load, sync

from . import strategies
from .server import RunningServer

# Appends until it is killed; each line that it prints is a draw that `append` has taken.
SAMPLER = """
import sys, itertools, numpy as np, mcbackend_edge as mcb
url, rid, offline, pause = sys.argv[1], sys.argv[2], sys.argv[3] == "offline", float(sys.argv[4])
client = mcb.Client(url, patience=0.2)
run = client.create_run(rid, variables={"x": np.zeros(3), "s": ""}, sample_stats={"lp": 0.0}, offline=offline)
chains = [run.init_chain(0), run.init_chain(1)]
import time
for i in itertools.count():
    for number, chain in enumerate(chains):
        chain.append({"x": np.full(3, i + 0.5 * number), "s": f"draw {i}"}, {"lp": -i})
    sys.stdout.write(f"{i}\\n"); sys.stdout.flush()
    if pause: time.sleep(pause)
"""


def run_until_killed(url: str, rid: str, mode: str, seconds: float, pause: float = 0.0) -> int:
    """Samples in another process, kills it with SIGKILL; the number of draws that it had appended for sure."""
    command = [sys.executable, "-c", SAMPLER, url, rid, mode, str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        killer = time.monotonic() + seconds
        lines = 1
        for _ in process.stdout:
            lines += 1
            if time.monotonic() > killer:
                break
        process.kill()
        # The pipe still holds its last lines; a torn one is a draw that was appended as well.
        lines += sum(line.endswith("\n") for line in process.stdout)
    return lines


def check_draws(client: Client, rid: str, at_least: int) -> None:
    run = client.run(rid)
    lengths = run.lengths()
    assert set(lengths) == {0, 1}
    for number, length in lengths.items():
        assert at_least <= length <= at_least + 1
        indices = np.arange(length)
        chain = run.chain(number)
        assert np.array_equal(chain.get_draws("x"), np.repeat(indices[:, None] + 0.5 * number, 3, axis=1))
        assert chain.get_draws("s").tolist() == [f"draw {i}" for i in indices]
        assert np.array_equal(chain.get_stats("lp"), -indices.astype(float))


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_sigkill_loses_no_draw(server: RunningServer, client: Client, spool: Path, pause: float) -> None:
    """Neither those of the last moment, which were in no request yet, nor those whose answer did not come."""
    rid = mcb.new_rid()
    appended = run_until_killed(server.url, rid, "online", 1.5, pause)
    assert list(folders(spool))
    outcome = sync(spool, say=_silent)
    assert (outcome.sent, outcome.failed) == (1, 0)
    check_draws(client, rid, appended)
    assert not list(folders(spool))


def test_sigkill_without_a_server(own_server: RunningServer, make_client: Callable[..., Client], spool: Path) -> None:
    """The run itself is registered by sync."""
    rid = mcb.new_rid()
    own_server.stop()
    appended = run_until_killed(own_server.url, rid, "offline", 1.0)
    again = [sys.executable, "-m", "mcbackend_edge", "sync", "--timeout", "2"]
    failed = subprocess.run(again, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert re.search(r"\d+ draws are not on the server yet", failed.stdout)
    own_server.start()
    listed = subprocess.run([*again, "--list"], capture_output=True, text=True, check=True)
    assert f"for {own_server.url}" in listed.stdout
    done = subprocess.run([*again[:-1], "100"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check_draws(make_client(own_server.url), rid, appended)
    nothing = subprocess.run(again, capture_output=True, text=True, check=True)
    assert "nothing to send" in nothing.stdout


def test_sync_leaves_living_processes_alone(client: Client, spool: Path) -> None:
    run = client.create_run(variables={"x": 0.0})
    run.init_chain(0).append({"x": 1.0})
    said: list[str] = []
    assert sync(spool, say=said.append).busy == 1
    assert "in use by this process" in said[0]
    other = subprocess.run([sys.executable, "-m", "mcbackend_edge", "sync"], capture_output=True, text=True, check=True)
    assert "in use by another process" in other.stdout
    run.flush(progress=False)
    assert run.lengths() == {0: 1}


def test_everything_is_flushed_at_exit(server: RunningServer, client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    script = SAMPLER.replace("itertools.count()", "range(500)")
    command = [sys.executable, "-c", script, server.url, rid, "online", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not list(folders(spool))
    check_draws(client, rid, 500)


def test_the_message_at_exit_says_how_many_draws_are_where(own_server: RunningServer, spool: Path) -> None:
    """One warning when the server goes away, one message at the end; and then sync."""
    rid = mcb.new_rid()
    script = (
        SAMPLER.replace("itertools.count()", "range(400)").replace("patience=0.2", "patience=0.2, exit_timeout=0.5")
        + "\n    if i == 100: run.flush(); print('stop', flush=True); input()\n"
    )
    command = [sys.executable, "-c", script, own_server.url, rid, "online", "0.005"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout is not None
        while p.stdout.readline() != "stop\n":
            pass
        own_server.stop()
        _, stderr = p.communicate("\n")
    assert p.returncode == 0
    lines = stderr.strip().splitlines()
    [folder] = folders(spool)
    assert len(lines) == 2, stderr
    assert "cannot be reached" in lines[0]
    assert f"spooled in {folder}" in lines[0]
    assert re.match(rf"598 draws of run {rid} \(chains 0, 1\) are spooled in {folder}\. Send them with: ", lines[1])
    own_server.start()
    assert sync(spool, say=_silent).draws == 598
    with Client(own_server.url) as client:
        check_draws(client, rid, 400)


def test_after_a_restart_of_the_machine_rows_count_that_reached_the_disk(client: Client, spool: Path) -> None:
    """As if the machine had gone down: run.json names another start of it, and pages behind the last fsync are lost."""
    meta = build_run_meta(mcb.new_rid(), variables={"x": 0.0, "s": ""})
    folder = RunSpool.create(spool, client._transport.url, meta, None)
    run = RunWriter(meta, None, folder)
    chain = run.add_chain(0, 0, "strict")
    for index in range(10):
        chain.append({"x": float(index), "s": "a"})
    run.sync()
    chain.append({"x": 10.0, "s": "b"})
    folder.leave()
    assert load(RunSpool.open(folder.path)).pending == 11
    _release(folder.path)
    [file] = (folder.path / "0").glob("*.rows")
    with file.open("r+b") as rows:
        rows.seek(HEADER_BYTES + 10 * 16)
        rows.write(bytes(16))
    about = json.loads((folder.path / "run.json").read_text())
    (folder.path / "run.json").write_text(json.dumps({**about, "boot": "another"}))
    outcome = sync(spool, say=_silent)
    assert (outcome.draws, outcome.failed) == (10, 1)
    assert client.run(meta.rid).chain(0).get_draws("x").tolist() == list(map(float, range(10)))


def _release(path: Path) -> None:
    from mcbackend_edge.spool import Lock

    Lock._held.discard((path / "lock").resolve())


def test_damaged_spools_are_named(client: Client, spool: Path) -> None:
    meta = build_run_meta(mcb.new_rid(), variables={"x": 0.0})
    folder = RunSpool.create(spool, client._transport.url, meta, None)
    chain = RunWriter(meta, None, folder).add_chain(0, 0, "strict")
    chain.append({"x": 1.0})
    folder.leave()
    [file] = (folder.path / "0").glob("*.rows")
    content = file.read_bytes()
    file.write_bytes(b"\1" + content[1:])
    said: list[str] = []
    assert sync(spool, say=said.append).failed == 1
    assert str(file) in said[0]
    assert "is damaged" in said[0]
    file.write_bytes(content[: len(content) // 2])
    assert sync(spool, say=said.append).failed == 1
    file.write_bytes(b"")
    assert sync(spool, say=said.append).failed == 1
    file.write_bytes(content)
    assert sync(spool, say=said.append).failed == 0, said
    assert client.run(meta.rid).chain(0).get_draws("x").tolist() == [1.0]


@given(st.data())
def test_logs_hold_what_was_appended(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Over the borders of tiny segments, in files and in memory, and after they are opened again."""
    meta = data.draw(strategies.metas())
    iterations = data.draw(strategies.iterations(meta, max_size=40))
    root = tmp_path_factory.mktemp("spool") if data.draw(st.booleans()) else None
    folder = RunSpool.create(root, "http://nowhere", meta, "r") if root else None
    run = RunWriter(meta, "r", folder)
    original = writer.FIRST_SEGMENT, writer.LARGEST_SEGMENT
    writer.FIRST_SEGMENT = writer.LARGEST_SEGMENT = data.draw(st.integers(1, 2000))
    try:
        chain = run.add_chain(0, 5, "strict")
        for draw, stats in iterations:
            chain.append(draw, stats)
    finally:
        writer.FIRST_SEGMENT, writer.LARGEST_SEGMENT = original
    chains = [chain]
    if folder is not None:
        run.sync()
        folder.leave()
        chains.append(load(RunSpool.open(folder.path)).chains[0])
        _release(folder.path)
    for log in chains:
        assert (log.acknowledged, log.length, log.pending) == (5, 5 + len(iterations), len(iterations))
        pieces = log.columns(5, log.length)
        for position, var in enumerate(run.layout.columns):
            read = [draw_at(var, piece[position], i) for piece in pieces for i in range(len(piece[position]))]
            is_stat = position >= len(meta.variables)
            wanted = [(s or {}).get(var.name, var.fill()) if is_stat else d[var.name] for d, s in iterations]
            assert all(strategies.same(*pair) for pair in zip(read, wanted, strict=True)), var


def test_one_enormous_draw_has_a_segment_of_its_own() -> None:
    meta = build_run_meta("r", variables=[mcb.Variable("big", "float64", (-1,)), mcb.Variable("s", "str")])
    chain = RunWriter(meta, None, None).add_chain(0, 0, "strict")
    for size in (1, 1_000_000, 0, 2_000_000, 3):
        chain.append({"big": np.arange(float(size)), "s": "x" * size})
    sizes = [
        len(draw_at(meta.variables[0], piece[0], i)) for piece in chain.columns(0, 5) for i in range(len(piece[0]))
    ]
    assert sizes == [1, 1_000_000, 0, 2_000_000, 3]


FULL_DISK = """
import resource, sys, numpy as np, mcbackend_edge as mcb
client = mcb.Client(sys.argv[1])
run = client.create_run(sys.argv[2], variables={"x": np.zeros(1000)})
chain = run.init_chain(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for i in range(300):
    chain.append({"x": np.full(1000, float(i))})
run.flush()
"""


def test_a_full_disk_does_not_stop_the_sampler(server: RunningServer, client: Client) -> None:
    """Draws are kept in memory then, with one warning."""
    rid = mcb.new_rid()
    command = [sys.executable, "-c", FULL_DISK, server.url, rid]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("kept in memory") == 1
    assert client.run(rid).chain(0).get_draws("x")[:, 0].tolist() == list(map(float, range(300)))


def test_without_a_spool_folder(
    server: RunningServer, make_client: Callable[..., Client], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    for spool in (None, tmp_path / "file" / "spool"):
        run = make_client(server.url, spool=spool).create_run(variables={"x": 0.0})
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
        assert run.lengths() == {0: 1}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_many_chains_do_not_use_up_the_file_descriptors(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "_most_files", lambda: 5)
    run = client.create_run(variables={"x": 0.0})
    chains = [run.init_chain(number) for number in range(12)]
    for number, chain in enumerate(chains):
        chain.append({"x": float(number)})
    run.flush(progress=False)
    assert [chain.get_draws("x").tolist() for chain in chains] == [[float(number)] for number in range(12)]


def test_acknowledged_segments_are_deleted(client: Client, spool: Path) -> None:
    run = client.create_run(variables={"x": np.zeros(1000)})
    chain = run.init_chain(0)
    chain.extend({"x": np.zeros((5000, 1000))})
    assert len(list(spool.rglob("*.rows"))) > 1
    run.flush(progress=False)
    assert len(list(spool.rglob("*.rows"))) == 1


def _append_in_child(chain: mcb.Chain, url: str, results: Any) -> None:
    try:
        chain.append({"x": 9.0})
        results.put("appended")
    except mcb.McbError as error:
        results.put(str(error))
    with Client(url) as client:
        run = client.create_run(variables={"x": 0.0})
        run.init_chain(0).append({"x": 5.0})
        run.flush(progress=False)
        results.put(run.rid)


def test_forked_workers_neither_append_nor_delete(server: RunningServer, client: Client) -> None:
    """They share the parent's files. Clients of their own work."""
    run = client.create_run(variables={"x": 0.0})
    chain = run.init_chain(0)
    chain.append({"x": 1.0})
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    worker = context.Process(target=_append_in_child, args=(chain, server.url, results))
    worker.start()
    refused, rid = results.get(timeout=30), results.get(timeout=30)
    worker.join(30)
    assert worker.exitcode == 0
    assert "fork" in refused
    chain.append({"x": 2.0})
    run.flush(progress=False)
    assert chain.get_draws("x").tolist() == [1.0, 2.0]
    assert client.run(rid).chain(0).get_draws("x").tolist() == [5.0]


def test_runs_go_when_nobody_holds_them(client: Client, spool: Path) -> None:
    """All draws are sent nevertheless, and the spool folder is removed."""
    rid = client.create_run(variables={"x": 0.0}).rid
    append = client.run(rid).init_chain(0).append
    append({"x": 1.0})
    assert list(folders(spool))
    del append
    import gc

    gc.collect()
    deadline = time.monotonic() + 10
    while list(folders(spool)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(folders(spool))
    assert client.run(rid).lengths() == {0: 1}


def test_sigterm_leaves_a_spool_for_sync(server: RunningServer, client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    command = [sys.executable, "-c", SAMPLER, server.url, rid, "online", "0.001"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(300):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        lines = 300 + sum(line.endswith("\n") for line in process.stdout)
    assert sync(spool, say=_silent).failed == 0
    check_draws(client, rid, lines)


def leave_a_spool(client: Client, spool: Path, draws: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a dead process leaves it, of one chain in several segments of which nothing is on the server."""
    monkeypatch.setattr(writer, "FIRST_SEGMENT", 200)
    monkeypatch.setattr(writer, "LARGEST_SEGMENT", 200)
    meta = build_run_meta(mcb.new_rid(), variables={"x": 0.0})
    folder = RunSpool.create(spool, client._transport.url, meta, None)
    chain = RunWriter(meta, None, folder).add_chain(0, 0, "strict")
    for index in range(draws):
        chain.append({"x": float(index)})
    folder.leave()
    return folder.path


def test_a_spool_with_a_hole_is_sent_up_to_it(client: Client, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full for a while, and what was in memory has gone with the process."""
    path = leave_a_spool(client, spool, 100, monkeypatch)
    segments = sorted(path.rglob("*.rows"))
    assert len(segments) == 4
    segments[2].unlink()
    said: list[str] = []
    outcome = sync(spool, say=said.append)
    assert (outcome.sent, outcome.failed) == (0, 1)
    assert "chain 0 lacks the draws 50 to 74" in said[-1]
    assert path.is_dir()
    rid = path.name.rpartition("~")[0]
    assert client.run(rid).chain(0).get_draws("x").tolist() == list(map(float, range(50)))
    assert segments[3].exists()


def test_a_torn_segment_counts_up_to_its_last_whole_row(
    client: Client, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies between the bytes of a row and its counter; and one whose next file has no header yet."""
    path = leave_a_spool(client, spool, 60, monkeypatch)
    last = sorted(path.rglob("*.rows"))[-1]
    with last.open("r+b") as file:
        file.seek(4096 + 10 * 8)
        file.write(b"\xff" * 5)
    (path / "0" / f"{75:020d}.new").write_bytes(bytes(100))
    outcome = sync(spool, say=_silent)
    assert (outcome.sent, outcome.failed, outcome.draws) == (1, 0, 60)
    rid = path.name.rpartition("~")[0]
    assert client.run(rid).chain(0).get_draws("x").tolist() == list(map(float, range(60)))


def test_two_syncs_at_once(client: Client, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sends, the others find the folder in use or gone."""
    path = leave_a_spool(client, spool, 2000, monkeypatch)
    command = [sys.executable, "-m", "mcbackend_edge", "sync"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = "".join(process.communicate(timeout=100)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert said.count("2000 draws sent") == 1, said
    rid = path.name.rpartition("~")[0]
    assert client.run(rid).chain(0).get_draws("x").tolist() == list(map(float, range(2000)))
    assert not list(folders(spool))


# Python 3.12 and later warn of any fork beside threads, of which the client has some.
FORK_QUIETLY = ("-W", "ignore:This process:DeprecationWarning")

FORKING = """
import os, sys, numpy as np, mcbackend_edge as mcb
client = mcb.Client(sys.argv[1])
run = client.create_run(sys.argv[2], variables={"x": 0.0})
chain = run.init_chain(0)
for i in range(100):
    chain.append({"x": float(i)})
pid = os.fork()
if pid == 0:
    sys.exit(0)  # through atexit and the finalizers, which must not touch what is the parent's
assert os.waitpid(pid, 0)[1] == 0
for i in range(100, 200):
    chain.append({"x": float(i)})
"""


def test_a_fork_that_ends_leaves_its_parents_draws_alone(server: RunningServer, client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    command = [sys.executable, *FORK_QUIETLY, "-c", FORKING, server.url, rid]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert client.run(rid).chain(0).get_draws("x").tolist() == list(map(float, range(200)))
    assert not list(folders(spool))


HANGING = """
import sys, mcbackend_edge as mcb
clients = [mcb.Client(sys.argv[1], exit_timeout=1.0) for _ in range(2)]
chains = [client.create_run(variables={"x": 0.0}).init_chain(0) for client in clients]
print("ready", flush=True); input()
for chain in chains:
    chain.append({"x": 1.0})
"""


def test_a_server_that_hangs_does_not_keep_a_process_alive(own_server: RunningServer, spool: Path) -> None:
    """It ends after `exit_timeout`, and says where the draws of each run are."""
    command = [sys.executable, "-c", HANGING, own_server.url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        own_server.pause()
        _, stderr = process.communicate("\n", timeout=50)
    own_server.resume()
    assert process.returncode == 0
    for folder in folders(spool):
        assert f"1 draw of run {folder.name.rpartition('~')[0]} (chain 0) is spooled in {folder}" in stderr
    assert stderr.count("Send them with") == 2
    outcome = sync(spool, say=_silent)
    assert (outcome.sent, outcome.failed) == (2, 0)


def test_the_layout_of_a_segment_is_checked(tmp_path: Path) -> None:
    one, two = (Layout(build_run_meta("r", variables={name: 0.0})) for name in "xy")
    Segment.create(one, tmp_path / "s", 0, 4, 0)
    with pytest.raises(mcb.SpoolError, match="damaged or was written by another version"):
        Segment.open(two, tmp_path / "s")


def _silent(_: str) -> None:
    pass
