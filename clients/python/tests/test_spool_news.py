"""Name, tags, notes and facts of a run whose process has ended before the server was there: `sync` tells them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcbackend_edge import Client

from .dead import run_sync
from .server import RunningServer

SCRIPT = """
import os, signal, sys
from mcbackend_edge import Client
client = Client(sys.argv[1], exit_timeout=0.2)
run = client.create_run(
    "named-later", variables={"x": 0.0}, name="radon", tags=["paper"], notes="of the cabin", facts={"why": 1}
)
run.notices.is_whole = True
run.init_chain(0).append({"x": 1.0})
run.notices.note({"chains": {"0": {"stepSize": 0.5}}})
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("end", ["ends", "killed"])
def test_sync_tells_what_its_process_could_not(own_server: RunningServer, spool: Path, end: str) -> None:
    own_server.stop()
    command = [sys.executable, "-c", SCRIPT, own_server.url, end]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == (-signal.SIGKILL if end == "killed" else 0), done.stderr
    own_server.start()
    done = run_sync()
    assert done.returncode == 0, done.stdout + done.stderr
    about = Client(own_server.url).run("named-later").about()
    assert (about.name, about.tags, about.notes, about.draws) == ("radon", ("paper",), "of the cabin", 1)
    assert about.facts["why"] == 1
    assert "startedAt" in about.facts
    assert "python" in about.facts["environment"]
    # A process that is killed tells no end, and nothing that came behind its begin.
    assert ("finishedAt" in about.facts) == (end == "ends")
    assert ("chains" in about.facts) == (end == "ends")
    assert not os.listdir(spool)


@pytest.mark.parametrize("is_same_run", [True, False])
def test_draws_that_are_moved_take_their_news_along(own_server: RunningServer, spool: Path, is_same_run: bool) -> None:
    own_server.stop()
    subprocess.run([sys.executable, "-c", SCRIPT, own_server.url, "ends"], capture_output=True, check=False, timeout=60)
    own_server.start()
    # Somebody else takes the id meanwhile: with other draws, or for another model.
    client = Client(own_server.url)
    other = client.create_run("named-later", variables={"x": 0.0} if is_same_run else {"y": 0.0})
    other.init_chain(0).append({"x": 2.0} if is_same_run else {"y": 2.0})
    client.close()
    done = run_sync("--rid", "named-later", "--as", "moved")
    assert done.returncode == 0, done.stdout + done.stderr
    run = Client(own_server.url).run("moved")
    about = run.about()
    assert run.get_draws("x").tolist() == [[1.0]]
    assert (about.name, about.tags, about.notes) == ("radon", ("paper",), "of the cabin")
    assert about.facts["chains"] == {"0": {"stepSize": 0.5}}
    assert {"why", "startedAt", "finishedAt", "environment", "movedFrom"} <= about.facts.keys()
    assert Client(own_server.url).run("named-later").about().name is None
    assert not os.listdir(spool)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"facts": 1}', '{"facts": {}, "name": 5}', '{"changes": []}', "[" * 10**5]
)
def test_damaged_news_keep_no_draws(own_server: RunningServer, spool: Path, content: str) -> None:
    own_server.stop()
    subprocess.run(
        [sys.executable, "-c", SCRIPT, own_server.url, "killed"], capture_output=True, check=False, timeout=60
    )
    [folder] = spool.iterdir()
    (folder / "news.json").write_text(content)
    own_server.start()
    done = run_sync()
    assert done.returncode == 0, done.stdout + done.stderr
    assert Client(own_server.url).run("named-later").lengths() == {0: 1}
    assert not os.listdir(spool)


def test_news_that_are_told_are_kept_no_longer(server: RunningServer, spool: Path) -> None:
    client = Client(server.url)
    run = client.create_run(variables={"x": 0.0}, name="told")
    run.init_chain(0).append({"x": 1.0})
    run.flush(progress=False)
    [folder] = spool.iterdir()
    assert not (folder / "news.json").exists()
    client.close()
