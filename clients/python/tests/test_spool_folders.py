"""Nothing that nobody needs is left behind in the spool and in the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.spool import RunSpool, folders
from mcbackend_edge.sync import sync

from .dead import DRAWS, check, leave, segments, silent
from .server import RunningServer
from .test_spool import FORK_QUIETLY


def test_folders_that_were_never_begun_are_removed(spool: Path) -> None:
    """Their process died before there was a draw in them, or after the last one was on the server."""
    for index, names in enumerate(
        ([], ["lock"], ["lock", "run.pb"], ["run.pb", "lock", "run.json.draft"], ["run.json"])
    ):
        folder = spool / f"r~{index:08d}"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_bytes(b"")
    outcome = sync(spool, say=silent)
    assert not list(folders(spool))
    assert outcome.failed == 0


def test_a_spool_that_cannot_be_begun_leaves_nothing(
    server: RunningServer, make_client: Callable[..., Client], spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder, no lock, no open file: the disk is full just then."""
    spool.mkdir()
    client = make_client(server.url)
    client.create_run(variables={"x": 0.0})
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0

    def full(self: RunSpool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunSpool, "save", full)
    runs = [client.create_run(variables={"x": 0.0}) for _ in range(20)]
    for run in runs:
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
    assert list(spool.iterdir()) == []
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 10


@pytest.mark.usefixtures("small")
def test_sync_opens_few_files_however_many_segments_there_are(client: Client, spool: Path) -> None:
    path = leave(client, spool, chains=3, draws=1000)
    assert len(list(path.rglob("*.rows"))) > 100
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40));"
        "from mcbackend_edge.cli import main; sys.exit(main(['sync']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    check(client, path, {0: 1000, 1: 1000, 2: 1000})


KILLED = """
import os, signal, sys
from mcbackend_edge import cli, spool
steps, calls = int(sys.argv[1]), [0]
def dying(original):
    def call(*arguments, **options):
        calls[0] += 1
        if calls[0] > steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    return call
spool.Path.unlink, spool.Path.rmdir = dying(spool.Path.unlink), dying(spool.Path.rmdir)
sys.exit(cli.main(["sync"]))
"""


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("steps", [0, 1, 3, 12, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36])
def test_a_sync_that_is_killed_while_it_clears_up(client: Client, spool: Path, steps: int) -> None:
    """At whichever file: the next one finds nothing damaged, and leaves nothing."""
    path = leave(client, spool)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(steps)], capture_output=True, check=False, timeout=100)
    assert killed.returncode in (-signal.SIGKILL, 0)
    said: list[str] = []
    assert sync(spool, say=said.append).failed == 0, said
    check(client, path, {0: DRAWS, 1: DRAWS})
    assert not list(folders(spool))


FORKED = """
import os, sys, numpy as np, mcbackend_edge as mcb
client = mcb.Client(sys.argv[1])
run = client.create_run(sys.argv[2], variables={"x": 0.0})
run.init_chain(0).append({"x": 0.0})
children = []
for number in (1, 2):
    pid = os.fork()
    if pid == 0:
        chain = run.init_chain(number)
        for i in range(50):
            chain.append({"x": float(i)})
        sys.exit(0)
    children.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
"""


def test_chains_that_are_begun_in_forks_are_sent_by_them(server: RunningServer, client: Client, spool: Path) -> None:
    """The parent, which removes its own folder at its end, does not take theirs with it."""
    rid = mcb.new_rid()
    command = [sys.executable, *FORK_QUIETLY, "-c", FORKED, server.url, rid]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert client.run(rid).lengths() == {0: 1, 1: 50, 2: 50}
    assert not list(folders(spool))


MOVING = """
import os, signal, sys, numpy as np, mcbackend_edge as mcb
client = mcb.Client(sys.argv[1], interval=60, spool="spool")
run = client.create_run(sys.argv[2], variables={"x": np.zeros(10_000)})
chain = run.init_chain(0)
for i in range(100):
    chain.append({"x": np.full(10_000, float(i))})
    if i == 10:
        os.chdir("/")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_changes_its_folder_goes_on_spooling(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    rid = mcb.new_rid()
    command = [sys.executable, "-c", MOVING, server.url, rid]
    killed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")
    assert sync(tmp_path / "spool", say=silent).failed == 0
    assert client.run(rid).chain(0).get_draws("x", progress=False)[:, 0].tolist() == list(range(100))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.usefixtures("small")
def test_what_may_not_be_read_is_reported(client: Client) -> None:
    """A folder, a chain and a file whose permissions are gone; the rest is sent."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        paths = [leave(client, root) for _ in range(4)]
        os.chmod(root, 0o755)
        for path in (root, *root.rglob("*")):
            os.chown(path, 12345, 12345)
        segment = segments(paths[2], 0)[2]
        for closed in (paths[0], paths[1] / "1", segment):
            os.chmod(closed, 0)
        script = (
            # Modules that are imported late may lie where the other user has no access.
            "import fcntl, os, sys; from mcbackend_edge import cli;"
            "import codecs; list(map(codecs.lookup, ('ascii', 'idna', 'latin-1')));"
            "cli.main(['runs', '--url', sys.argv[2]]);"
            "os.seteuid(12345); sys.exit(cli.main(['sync', '--spool', sys.argv[1]]))"
        )
        command = [sys.executable, "-c", script, name, client._transport.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert (done.returncode, done.stderr) == (1, ""), done.stdout
        check(client, paths[1], {0: DRAWS})
        check(client, paths[2], {0: int(segment.stem), 1: DRAWS})
        check(client, paths[3], {0: DRAWS, 1: DRAWS})
        assert sorted(root.iterdir()) == sorted(paths[:3])
        for closed in paths[:3]:
            assert str(closed) in done.stdout
