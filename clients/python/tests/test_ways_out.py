"""Draws that the server refuses for good get out of the spool: to a run of their own, or away."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.spool import RunSpool, folders
from mcbackend_edge.sync import sync

from .dead import run_sync, silent, zeroed
from .server import RunningServer

REWINDING = """
import sys
from mcbackend_edge import Client
url, rid = sys.argv[1:3]
with Client(url).create_run(rid, variables={"x": 0.0}) as run:
    run.init_chain(0).extend({"x": [float(i) for i in range(212)]})
with Client(url).create_run(rid, variables={"x": 0.0}) as run:
    run.init_chain(0, start=200).extend({"x": [i + 0.5 for i in range(200, 230)]})
"""
STORED = [float(i) for i in range(212)]
WHOLE = [float(i) for i in range(200)] + [i + 0.5 for i in range(200, 230)]


def rewind(server: RunningServer, rid: str) -> str:
    """A job that restarts from its checkpoint at 200, where 212 draws are stored; all that it has printed."""
    command = [sys.executable, "-c", REWINDING, server.url, rid]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    return done.stderr


def run_line(line: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a message names it."""
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "mcbackend_edge", "sync"]
    command = [sys.executable, *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, stdin=subprocess.DEVNULL)


def x_of(client: Client, rid: str, number: int = 0) -> list[float]:
    values: list[float] = client.run(rid).chain(number).get_draws("x").tolist()
    return values


def test_a_rewound_job_is_told_both_ways_out(server: RunningServer, client: Client, spool: Path) -> None:
    """In the exception, in the line about it, at the end of the process, and by `sync`: commands that work."""
    rid = mcb.new_rid()
    said = rewind(server, rid)
    keep = f"python -m mcbackend_edge sync --rid {rid} --as {rid}.2"
    drop = f"python -m mcbackend_edge sync --rid {rid} --discard"
    assert (said.count(keep), said.count(drop)) == (3, 3), said
    assert "During handling" not in said
    assert "direct cause" not in said
    assert f"30 draws of run {rid} (chain 0) are spooled in" in said
    refused = run_sync()
    assert refused.returncode == 1
    assert keep in refused.stdout
    assert drop in refused.stdout
    assert refused.stdout.count("draw_conflict") == 1
    assert refused.stderr == ""
    moved = run_line(keep)
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert f"run {rid}.2: 30 draws sent to {server.url}, and 200 draws copied from run {rid}" in moved.stdout
    assert x_of(client, f"{rid}.2") == WHOLE
    assert x_of(client, rid) == STORED
    assert client.run(f"{rid}.2").about().facts["movedFrom"] == {"rid": rid}
    assert not list(folders(spool))


def test_what_is_discarded_is_named_first_and_nothing_else_goes(
    server: RunningServer, client: Client, spool: Path
) -> None:
    rids = [mcb.new_rid(), mcb.new_rid()]
    for rid in rids:
        rewind(server, rid)
    drop = f"python -m mcbackend_edge sync --rid {rids[0]} --discard"
    asked = run_line(drop)
    assert asked.returncode == 1
    assert "30 draws of 1 chain (chain 0: 200 to 229)" in asked.stdout
    assert "--yes agrees" in asked.stderr
    assert len(list(folders(spool))) == 2
    done = run_line(f"{drop} --yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "30 draws thrown away" in done.stdout
    [left] = folders(spool)
    assert left.name.startswith(rids[1])
    assert x_of(client, rids[0]) == STORED
    again = run_line(f"{drop} --yes")
    assert again.returncode == 1
    assert f"there are no draws of run {rids[0]}" in again.stderr
    by_folder = run_line(f"python -m mcbackend_edge sync {shlex.quote(str(left))} --discard --yes")
    assert by_folder.returncode == 0
    assert not list(folders(spool))


def test_a_terminal_is_asked(server: RunningServer, spool: Path) -> None:
    """Only a yes throws anything away."""
    pty = pytest.importorskip("pty")
    rid = mcb.new_rid()
    rewind(server, rid)
    for answer, is_kept in (("n\n", True), ("\n", True), ("y\n", False)):
        parent, child = pty.openpty()
        command = [sys.executable, "-m", "mcbackend_edge", "sync", "--rid", rid, "--discard"]
        process = subprocess.Popen(command, stdin=child, stdout=subprocess.PIPE, text=True)
        os.write(parent, answer.encode())
        said, _ = process.communicate(timeout=60)
        for end in (parent, child):
            os.close(end)
        assert "Throw away 30 draws?" in said
        assert process.returncode == (1 if is_kept else 0)
        assert bool(list(folders(spool))) is is_kept


LIVING = """
import sys
from mcbackend_edge import Client
client = Client(sys.argv[1], exit_timeout=0.1)
run = client.create_run(sys.argv[2], variables={"x": 0.0})
run.init_chain(0).append({"x": 1.0})
print("ready", flush=True); input()
"""


def test_the_spool_of_a_living_process_is_left_alone(server: RunningServer, spool: Path) -> None:
    rid = mcb.new_rid()
    command = [sys.executable, "-c", LIVING, server.url, rid]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for way in (["--discard", "--yes"], ["--as", f"{rid}.2"]):
            done = run_sync("--rid", rid, *way)
            assert done.returncode == 1
            assert "in use by another process" in done.stdout + done.stderr
            assert len(list(folders(spool))) == 1
        process.communicate("\n", timeout=60)


VARIABLES = [Variable("x", "float64", (2,)), Variable("s", "str"), Variable("path", "int32", (-1,))]


def draw(index: int, number: int, other: float = 0.0) -> dict[str, Any]:
    path = np.arange(index % 7, dtype=np.int32)
    return {"x": np.array([index + other, number]), "s": f"draw {index}", "path": path}


def leave_tails(client: Client, spool: Path, rid: str, start: int, end: int, other: float = 0.5) -> Path:
    """A dead process's folder with the draws [start, end) of two chains, which differ from those that are stored."""
    stored = client.run(rid)
    folder = RunSpool.create(spool, client.url, stored.meta, stored.registration)
    run = RunWriter(stored.meta, stored.registration, folder)
    for number in range(2):
        chain = run.add_chain(number, start, "strict")
        for index in range(start, end):
            chain.append(draw(index, number, other), {"lp": -index} if index % 3 else None)
    folder.leave()
    return folder.path


def store(client: Client, rid: str, count: int) -> mcb.Run:
    run = Client(client.url, spool=None).create_run(rid, variables=VARIABLES, sample_stats=[Variable("lp")])
    for number in range(2):
        chain = run.init_chain(number)
        for index in range(count):
            chain.append(draw(index, number), {"lp": -index} if index % 3 else None)
    run.flush(progress=False)
    return run


def check_moved(client: Client, rid: str, begins: int, end: int, first: int = 0) -> None:
    """Draws before `begins` are those that were stored, those behind it the spool's; the first one is `first`."""
    run = client.run(rid)
    assert run.lengths() == {0: end - first, 1: end - first}
    for number in range(2):
        draws, stats = run.chain(number).get_many(["x", "s", "path"], ["lp"])
        for at, index in enumerate(range(first, end)):
            wanted = draw(index, number, 0.5 if index >= begins else 0.0)
            assert draws["x"][at].tolist() == wanted["x"].tolist()
            assert draws["s"][at] == wanted["s"]
            assert draws["path"][at].tolist() == wanted["path"].tolist()
            assert stats["lp"][at] == -index if index % 3 else np.isnan(stats["lp"][at])


KILLED = """
import os, signal, sys
from mcbackend_edge import cli, moving, transport
steps, calls = int(sys.argv[1]), [0]
moving._FIRST_ROWS = moving._MOST_ROWS = 50
request = transport.Transport.request
def dying(self, *arguments, **options):
    calls[0] += 1
    if calls[0] == steps and sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = request(self, *arguments, **options)
    if calls[0] == steps:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
transport.Transport.request = dying
sys.exit(cli.main(["sync", *sys.argv[3:]]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_move_that_is_killed_anywhere_is_repeated(client: Client, spool: Path, when: str) -> None:
    """Killed at each of its requests in turn, it goes on where it was; plain `sync` ends it as well."""
    rid = mcb.new_rid()
    store(client, rid, 120)
    leave_tails(client, spool, rid, 100, 150)
    moving = ["--rid", rid, "--as", f"{rid}.2"]
    killed = 0
    for steps in range(1, 40):
        command = [sys.executable, "-c", KILLED, str(steps), when, *moving]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
        assert list(folders(spool))
        killed += 1
        if steps == 9:
            moving = []
    assert killed > 12
    check_moved(client, f"{rid}.2", 100, 150)
    assert client.run(rid).lengths() == {0: 120, 1: 120}
    assert not list(folders(spool))


def test_draws_that_are_lost_are_named_and_never_invented(
    own_server: RunningServer, client: Client, spool: Path
) -> None:
    """The server has lost what it had acknowledged: the rest is kept only on request, under its own beginning."""
    rid = mcb.new_rid()
    store(client, rid, 40)
    path = leave_tails(client, spool, rid, 100, 150)
    said = run_sync("--rid", rid)
    assert said.returncode == 1
    assert "draw_gap" in said.stdout
    keep = f"python -m mcbackend_edge sync --rid {rid} --as {rid}.2"
    assert keep in said.stdout
    refused = run_line(keep)
    assert refused.returncode == 1
    assert (
        f"draws 40 to 99 of chain 0, draws 40 to 99 of chain 1 are neither in {path} nor on the server"
        in refused.stdout
    )
    with pytest.raises(mcb.NotFoundError):
        client.run(f"{rid}.2")
    found = re.search(r"first draw: (python .*)\.?$", refused.stdout.strip())
    assert found
    assert run_line(found[1]).returncode == 0
    check_moved(client, f"{rid}.2", 100, 150, first=100)
    assert client.run(f"{rid}.2").about().facts["movedFrom"] == {"rid": rid, "firstDraws": {"0": 100, "1": 100}}


@pytest.mark.parametrize("fate", ["deleted", "replaced", "another"])
def test_a_run_that_is_gone_gives_no_draws(client: Client, spool: Path, fate: str) -> None:
    """Nor does one that has come in its place: whole chains move, others say what they lack."""
    rid = mcb.new_rid()
    store(client, rid, 30)
    leave_tails(client, spool, rid, 20, 50)
    client.delete_run(rid)
    if fate == "replaced":
        store(client, rid, 30)
    elif fate == "another":
        client.create_run(rid, variables={"y": 0.0})
    said = run_sync("--rid", rid).stdout
    assert "run_not_found" in said if fate == "deleted" else "run_replaced" in said
    assert f"--rid {rid} --as {rid}.2" in said
    refused = run_sync("--rid", rid, "--as", f"{rid}.2")
    assert refused.returncode == 1
    assert "draws 0 to 19 of chain 0" in refused.stdout
    whole = mcb.new_rid()
    store(client, whole, 30)
    leave_tails(client, spool, whole, 0, 50)
    client.delete_run(whole)
    assert run_sync("--rid", whole, "--as", f"{whole}.2").returncode == 0
    check_moved(client, f"{whole}.2", 0, 50)


def test_a_run_that_was_begun_offline_and_conflicts_moves(client: Client, spool: Path) -> None:
    """Its registration is not known; the run of its id is another one."""
    rid = mcb.new_rid()
    client.create_run(rid, variables={"y": 0.0})
    writing = Client("http://127.0.0.1:9", exit_timeout=0.0)
    chain = writing.create_run(rid, variables={"x": 0.0}).init_chain(0)
    chain.extend({"x": np.arange(20.0)})
    writing.close()
    said = run_sync("--rid", rid, "--url", client.url)
    assert "run_conflict" in said.stdout
    assert f"--as {rid}.2" in said.stdout
    assert run_sync("--rid", rid, "--url", client.url, "--as", f"{rid}.2").returncode == 0
    assert x_of(client, f"{rid}.2") == list(map(float, range(20)))


def test_a_move_takes_no_run_that_has_something(client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    store(client, rid, 30)
    leave_tails(client, spool, rid, 20, 50)
    taken, different = mcb.new_rid(), mcb.new_rid()
    store(client, taken, 10)
    client.create_run(different, variables={"y": 0.0})
    for target, reason in (
        (taken, f"run {taken} has 20 draws already: choose another id, such as {taken}.2"),
        (different, f"run {different} is another one"),
        (rid, "choose another id"),
        ("no/id", "cannot be a run id"),
    ):
        done = run_sync("--rid", rid, "--as", target)
        assert done.returncode == 1
        assert reason in done.stdout + done.stderr
    assert client.run(taken).lengths() == {0: 10, 1: 10}
    assert run_sync("--rid", rid, "--as", f"{rid}.2").returncode == 0
    check_moved(client, f"{rid}.2", 20, 50)


def test_somebody_elses_draws_in_the_new_run_are_not_touched(client: Client, spool: Path) -> None:
    """They have come after the move was begun."""
    rid = mcb.new_rid()
    store(client, rid, 30)
    leave_tails(client, spool, rid, 20, 50)
    command = [sys.executable, "-c", KILLED, "8", "before", "--rid", rid, "--as", f"{rid}.2"]
    assert subprocess.run(command, check=False, timeout=100).returncode == -signal.SIGKILL
    other = client.run(f"{rid}.2")
    chain = other.init_chain(1, start=0)
    chain.append(draw(7, 7))
    other.flush(progress=False)
    done = run_sync("--rid", rid, "--as", f"{rid}.2")
    assert done.returncode == 1
    assert "written by somebody else meanwhile: choose another id" in done.stdout
    assert client.run(f"{rid}.2").lengths()[1] == 1
    done = run_sync("--rid", rid, "--as", f"{rid}.3")
    assert done.returncode == 0
    assert f"run {rid}.2 may hold some of them" in done.stdout
    check_moved(client, f"{rid}.3", 20, 50)


def test_several_folders_of_a_run_are_told_apart(client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    store(client, rid, 30)
    one = leave_tails(client, spool, rid, 20, 50)
    two = spool / f"{rid}~00000000"
    shutil.copytree(one, two)
    refused = run_sync("--rid", rid, "--as", f"{rid}.2")
    assert refused.returncode == 1
    assert str(one) in refused.stdout
    assert str(two) in refused.stdout
    assert "name one in place of --rid" in refused.stderr
    assert run_sync(str(two), "--as", f"{rid}.2").returncode == 0
    assert list(folders(spool)) == [one]


@pytest.mark.usefixtures("small")
def test_damaged_spools_can_be_discarded_and_moved_up_to_the_damage(client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    store(client, rid, 30)
    path = leave_tails(client, spool, rid, 20, 200)
    segments = sorted((path / "1").glob("*.rows"))
    zeroed(segments[3])
    done = run_sync("--rid", rid, "--as", f"{rid}.2")
    assert done.returncode == 1
    assert client.run(f"{rid}.2").lengths() == {0: 200, 1: int(segments[3].stem)}
    assert path.is_dir()
    (path / "run.json").write_text("{")
    (path / "note.txt").write_text("mine")
    said = run_sync("--rid", rid, "--discard", "--yes")
    assert "note.txt was not written by this package, and stays" in said.stdout
    assert [child.name for child in path.rglob("*") if child.is_file() and child.suffix == ".rows"] == []
    assert (path / "note.txt").read_text() == "mine"


def test_counts_are_those_of_draws_and_chains(client: Client, spool: Path) -> None:
    meta = client.create_run(variables={"x": 0.0}).meta
    folder = RunSpool.create(spool, client.url, meta, None)
    RunWriter(meta, None, folder).add_chain(0, 0, "strict").append({"x": 1.0})
    folder.leave()
    assert "1 draw of 1 chain (chain 0: 0 to 0)" in run_sync("--list").stdout
    said: list[str] = []
    outcome = sync(spool, say=said.append)
    assert (outcome.draws, outcome.sent) == (1, 1)
    assert said == [f"run {meta.rid}: 1 draw sent to {client.url}"]


def test_a_server_that_is_away_is_told_at_once(spool: Path, make_client: Callable[..., Client]) -> None:
    """Not after a minute for each run."""
    writing = Client("http://127.0.0.1:9", exit_timeout=0.0)
    writing.create_run("r", variables={"x": 0.0}).init_chain(0).append({"x": 1.0})
    writing.close()
    said: list[str] = []
    assert sync(spool, say=said.append).failed == 1
    [line] = said
    assert "connection refused. Is the server running there" in line
    assert sync(spool, rid="another", say=silent).failed == 0
    assert RunSpool.open(next(folders(spool))).move is None
