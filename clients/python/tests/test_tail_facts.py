"""`tail`: facts of chains that are refused, and behind an outage."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mcbackend_edge import Client, DrawConflictError, new_rid

from .server import RunningServer
from .tailing import TIMING, head, rows, store, tailing, thetas, whole

ADAPTED = "# Adaptation terminated\n# Step size = 0.5\n# Diagonal elements of inverse mass matrix:\n# 1\n"


def test_a_file_that_is_refused_changes_no_facts_of_the_chain(client: Client, tmp_path: Path) -> None:
    """A sampler that was started anew with another seed, and its follower as well."""
    rid, path = new_rid(), tmp_path / "output.csv"
    path.write_text(head(seed=1) + ADAPTED.replace("0.5", "0.25") + rows(1, 1, 3))
    tail, _ = tailing(client, rid, path)
    tail.poll()
    tail.finish()
    before = client.run(rid).about().facts["chains"]
    assert before == {"0": {"seed": 1, "stepSize": 0.25, "inverseMetric": [1]}}
    path.write_text(head(seed=2) + ADAPTED + whole(2).partition("theta\n")[2])
    for once in (True, False):
        other, _ = tailing(client, rid, path)
        if once:
            other.poll()
        else:
            other.follow(interval=0.3)
        other.finish()
        assert isinstance(other.errors[path], DrawConflictError)
        assert client.run(rid).about().facts["chains"] == before
    assert thetas(client, rid) == [1.01, 1.02, 1.03]
    path.write_text(head(seed=1) + ADAPTED.replace("0.5", "0.25") + whole(1).partition("theta\n")[2])
    other, _ = store(client, rid, path)
    assert not other.errors
    assert client.run(rid).about().facts["chains"]["0"] == before["0"] | {"samplingTime": 1.5, "warmupTime": 0.5}


def test_a_run_does_not_end_before_it_began(client: Client, tmp_path: Path) -> None:
    """The time of a file comes from another clock than the begin that stands in it, and is some milliseconds behind."""
    rid, path = new_rid(), tmp_path / "output.csv"
    path.write_text(whole(1).replace("# random", "# start_datetime = 2026-01-02 03:04:06 UTC\n# random"))
    written = dt.datetime(2026, 1, 2, 3, 4, 5, 999_000, dt.timezone.utc).timestamp()
    os.utime(path, (written, written))
    store(client, rid, path)
    facts = client.run(rid).about().facts
    assert (facts["startedAt"], facts["finishedAt"]) == ("2026-01-02T03:04:06Z", "2026-01-02T03:04:06Z")


def test_facts_that_came_while_the_server_was_away_are_told(
    own_server: RunningServer, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """By a process that ends as soon as it has sent the draws that had waited."""
    rid, path = new_rid(), tmp_path / "output.csv"
    path.write_text(head() + ADAPTED + rows(1, 1, 2))
    command = [sys.executable, "-m", "mcbackend_edge", "tail", "--url", own_server.url, "--rid", rid]
    with subprocess.Popen([*command, "--interval", "0.2", str(path)], stdout=subprocess.PIPE, text=True) as tail:
        time.sleep(3)
        own_server.kill()
        with path.open("a") as file:
            file.write(rows(1, 3, 3))
        time.sleep(2)
        own_server.start()
        with path.open("a") as file:
            file.write(rows(1, 6, 1) + TIMING)
        output, _ = tail.communicate(timeout=60)
    assert tail.returncode == 0, output
    told = make_client(own_server.url).run(rid).about().facts
    chain = {"seed": 1, "stepSize": 0.5, "inverseMetric": [1], "samplingTime": 1.5, "warmupTime": 0.5}
    assert (told["chains"]["0"], told["samplingTime"]) == (chain, 1.5)
