"""Spools that are damaged, strange, or another's: nothing wrong is sent, nothing is lost, nothing keeps the rest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable, writer
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.segment import HEADER_BYTES
from mcbackend_edge.spool import RunSpool, boot_id, folders
from mcbackend_edge.sync import sync
from mcbackend_edge.uploader import RunWriter

from .gate import Gate, Reply
from .server import RunningServer

DRAWS = 60
FIXTURE = Path(__file__).parent / "fixtures" / "spool-v1"
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files to another user"
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_SEGMENT", 2000)
    monkeypatch.setattr(writer, "LARGEST_SEGMENT", 2000)


def leave(client: Client, spool: Path, chains: int = 2, draws: int = DRAWS, token: str | None = None) -> Path:
    """The folder of a dead process: two chains of several segments, nothing of it on the server."""
    variables = [Variable("x", "float64", (2,)), Variable("s", "str"), Variable("path", "int32", (-1,))]
    meta = build_run_meta(mcb.new_rid(), variables=variables, sample_stats=[Variable("lp")])
    folder = RunSpool.create(spool, client._transport.url, meta, None, token)
    run = RunWriter(meta, None, folder)
    for number in range(chains):
        chain = run.add_chain(number, 0, "strict")
        for i in range(draws):
            value = {"x": np.array([i, number]), "s": f"draw {i}", "path": np.arange(i % 7, dtype=np.int32)}
            chain.append(value, {"lp": -i} if i % 3 else None)
    folder.leave()
    return folder.path


def rid_of(path: Path) -> str:
    return path.name.rpartition("~")[0]


def segments(path: Path, chain: int) -> list[Path]:
    return sorted((path / str(chain)).glob("*.rows"))


def check(client: Client, path: Path, lengths: dict[int, int]) -> None:
    """These draws are on the server, and all of them are what was appended."""
    run = client.run(rid_of(path))
    assert run.lengths() == lengths
    for number, length in lengths.items():
        chain = run.chain(number)
        draws, stats = chain.get_many(["x", "s", "path"], ["lp"])
        assert draws["x"].tolist() == [[i, number] for i in range(length)]
        assert draws["s"].tolist() == [f"draw {i}" for i in range(length)]
        assert [value.tolist() for value in draws["path"]] == [list(range(i % 7)) for i in range(length)]
        assert np.array_equal(stats["lp"], [-i if i % 3 else np.nan for i in range(length)], equal_nan=True)


def start_of(segment: Path) -> int:
    return int(segment.stem)


def zeroed(segment: Path) -> None:
    segment.write_bytes(bytes(segment.stat().st_size))


def zeroed_header(segment: Path) -> None:
    segment.write_bytes(bytes(HEADER_BYTES) + segment.read_bytes()[HEADER_BYTES:])


def changed_header(offset: int) -> Callable[[Path], None]:
    def change(segment: Path) -> None:
        content = bytearray(segment.read_bytes())
        content[offset] ^= 1
        segment.write_bytes(content)

    change.__name__ = f"bit_at_{offset}"
    return change


def cut(size: int) -> Callable[[Path], None]:
    def change(segment: Path) -> None:
        os.truncate(segment, size)

    change.__name__ = f"cut_to_{size}"
    return change


def a_pipe(segment: Path) -> None:
    segment.unlink()
    os.mkfifo(segment)


def a_link(segment: Path) -> None:
    elsewhere = segment.with_suffix(".elsewhere")
    segment.rename(elsewhere)
    segment.symlink_to(elsewhere)


def a_folder(segment: Path) -> None:
    segment.unlink()
    segment.mkdir()


def another(segment: Path) -> None:
    """A segment of another place of the chain under this name."""
    shutil.copyfile(segments(segment.parent.parent, int(segment.parent.name))[0], segment)


WRONG = [
    *(zeroed, zeroed_header, cut(0), cut(100), cut(HEADER_BYTES), cut(HEADER_BYTES + 30)),
    *(changed_header(8 * field) for field in (0, 1, 2, 3, 4, 5, 9, 12)),
    *(a_pipe, a_link, a_folder, another),
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("which", [0, 2, -1])
@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_a_damaged_segment_is_reported_and_kept(
    client: Client, spool: Path, change: Callable[[Path], None], which: int
) -> None:
    """What lies before it is sent, and the other chain, and the other runs; again and again."""
    damaged, whole = leave(client, spool), leave(client, spool)
    segment = segments(damaged, 0)[which]
    if change is another and which == 0:
        pytest.skip("it is the first one")
    change(segment)
    for _ in range(2):
        said: list[str] = []
        outcome = sync(spool, say=said.append)
        assert outcome.failed == 1, said
        assert any(str(segment) in line for line in said), said
        assert segment.exists()
        check(client, whole, {0: DRAWS, 1: DRAWS})
        before = {0: start_of(segment)} if start_of(segment) else {}
        check(client, damaged, {**before, 1: DRAWS})
    assert not whole.exists()
    assert len(list(damaged.rglob("0/*.rows"))) >= (1 if which == -1 else 2)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", ["number", "offset", "text", "checksum"])
@pytest.mark.parametrize("row", [0, 3, -1])
def test_a_damaged_row_is_never_sent(client: Client, spool: Path, row: int, place: str) -> None:
    """One bit of a row in the middle, of one at the end, of a value in the heap, or of the checksum itself."""
    path = leave(client, spool)
    segment = segments(path, 1)[1]
    content = bytearray(segment.read_bytes())
    header = memoryview(content)[:HEADER_BYTES].cast("q")
    row_bytes, capacity, start, filled = header[2], header[3], header[5], header[6]
    header.release()
    index = row % filled
    at = HEADER_BYTES + index * row_bytes
    if place == "offset":
        at += row_bytes - 1 - 8
    elif place == "checksum":
        at = -(-(HEADER_BYTES + capacity * row_bytes) // 4) * 4 + 4 * index
    elif place == "text":
        at = content.index(f"draw {start + index}".encode())
    content[at] ^= 4
    segment.write_bytes(content)
    said: list[str] = []
    outcome = sync(spool, say=said.append)
    assert outcome.failed == 1
    assert any(f"{segment} is damaged from draw {start + index} on" in line for line in said), said
    check(client, path, {0: DRAWS, 1: start + index})
    assert segment.read_bytes() == content
    content[at] ^= 4
    segment.write_bytes(content)
    assert sync(spool, say=said.append).failed == 0, said
    check(client, path, {0: DRAWS, 1: DRAWS})
    assert not list(folders(spool))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("filled", [0, 1, 2**40, -1])
def test_the_number_of_rows_is_not_believed(client: Client, spool: Path, filled: int) -> None:
    """A counter that has been damaged neither hides draws nor makes any up."""
    path = leave(client, spool, chains=1)
    segment = segments(path, 0)[-1]
    with segment.open("r+b") as file:
        file.seek(8 * 6)
        file.write(filled.to_bytes(8, "little", signed=True))
    sync(spool, say=_silent)
    check(client, path, {0: DRAWS})


@pytest.mark.usefixtures("small")
def test_a_row_torn_by_the_loss_of_power_is_the_end_of_the_chain(client: Client, spool: Path) -> None:
    """Behind what is known to be on disk; what was known to be there, and is not, is damage."""
    path = leave(client, spool, chains=1, draws=10)
    segment = segments(path, 0)[-1]
    with segment.open("r+b") as file:
        file.seek(8 * 8)
        file.write((2).to_bytes(8, "little"))
        file.seek(HEADER_BYTES + 2 * int.from_bytes(segment.read_bytes()[16:24], "little"))
        file.write(bytes(20))
    about = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**about, "boot": "another"}))
    for other in segments(path, 0)[:-1]:
        with other.open("r+b") as file:
            header = other.read_bytes()
            file.seek(8 * 8)
            file.write(header[8 * 6 : 8 * 7])
    outcome = sync(spool, say=_silent)
    assert (outcome.sent, outcome.failed) == (1, 0)
    check(client, path, {0: start_of(segment) + 2})


def garbage(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).write_bytes(b"\x0a\xff\xff\x01garbage")

    change.__name__ = f"garbage_{name}"
    return change


def json_of(**changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        about = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**about, **changes}))

    change.__name__ = f"json_{'_'.join(changes)}"
    return change


def deep_json(path: Path) -> None:
    (path / "run.json").write_text("[" * 100_000)


def piped(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)

    change.__name__ = f"pipe_{name}"
    return change


def foreign_dtype(path: Path) -> None:
    raw = (path / "run.pb").read_bytes()
    (path / "run.pb").write_bytes(raw.replace(b"float64", b"flout64"))


def without(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).unlink()

    change.__name__ = f"without_{name}"
    return change


def chain_is_a_file(path: Path) -> None:
    (path / "7").write_text("what is this?")


def strange_file(path: Path) -> None:
    (path / "0" / f"{0:020d}.rows.bak").write_text("my copy")


BAD_FOLDERS = [
    *(garbage("run.pb"), garbage("run.json"), deep_json, foreign_dtype, without("run.json"), without("run.pb")),
    *(piped("run.json"), piped("run.pb"), piped("lock"), chain_is_a_file, strange_file),
    *(json_of(url="ftp://nowhere"), json_of(url="http://[::1"), json_of(url=7), json_of(registration=[])),
    *(json_of(rid="../../x"), json_of(format=77), json_of(registration="a\nb")),
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("change", BAD_FOLDERS, ids=lambda change: change.__name__)
def test_one_bad_folder_does_not_keep_the_others(client: Client, spool: Path, change: Callable[[Path], None]) -> None:
    first, bad, last = leave(client, spool), leave(client, spool), leave(client, spool)
    change(bad)
    command = [sys.executable, "-m", "mcbackend_edge", "sync"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 1
        assert done.stderr == ""
        assert str(bad) in done.stdout
        assert len(segments(bad, 0)) > 0 or change is strange_file or change is chain_is_a_file
        assert bad.is_dir()
    for path in (first, last):
        check(client, path, {0: DRAWS, 1: DRAWS})
        assert not path.exists()
    if change in (strange_file, chain_is_a_file):
        check(client, bad, {0: DRAWS, 1: DRAWS})
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=False, timeout=100)
    assert (listed.returncode, listed.stderr) == (0, "")


@needs_root
@pytest.mark.usefixtures("small")
def test_folders_of_other_users_are_skipped(client: Client, spool: Path) -> None:
    """Theirs, links to theirs, and files of theirs in a folder of one's own."""
    own, theirs, mixed = leave(client, spool), leave(client, spool), leave(client, spool)
    elsewhere = spool.parent / "elsewhere"
    leave(client, elsewhere).rename(spool.parent / "target")
    link = spool / "linked~00000000"
    link.symlink_to(spool.parent / "target")
    os.chown(theirs, 12345, 12345)
    os.chown(segments(mixed, 0)[1], 12345, 12345)
    said: list[str] = []
    outcome = sync(spool, say=said.append)
    assert (outcome.sent, outcome.foreign, outcome.failed) == (1, 2, 1)
    assert not own.exists()
    check(client, mixed, {0: start_of(segments(mixed, 0)[1]), 1: DRAWS})
    for path in (theirs, link):
        assert any(str(path) in line for line in said)
        assert path.exists()
    with pytest.raises(mcb.NotFoundError):
        client.run(rid_of(theirs))


def test_a_refused_chain_does_not_keep_the_one_beside_it(client: Client, spool: Path) -> None:
    path = leave(client, spool)
    run = client.register(mcb.RunMeta((path / "run.pb").read_bytes()))
    chain = run.init_chain(0)
    chain.append({"x": [9.0, 9.0], "s": "", "path": np.zeros(0, dtype=np.int32)})
    run.flush(progress=False)
    outcome = sync(spool, say=_silent)
    assert outcome.failed == 1
    assert client.run(run.rid).lengths() == {0: 1, 1: DRAWS}
    assert path.is_dir()


# -- keys -------------------------------------------------------------------------------------------------------------

KEY = "mcb_a-key-of-this-server"


def run_sync(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcbackend_edge", "sync", "--timeout", "5", *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, env={**os.environ, **environment}
    )


def test_a_key_is_sent_to_its_own_server_alone(server: RunningServer, client: Client, spool: Path) -> None:
    """That of MCB_URL, or of --url; without both the one whose run was written with it."""
    refusal = Reply(401, b'{"code":"unauthorized","detail":"no key"}')
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: refusal) as others:
        with Client(mine.url) as near, Client(others.url) as far:
            leave(near, spool, token=KEY)
            there = leave(far, spool, token="mcb_another-key")
        done = run_sync(MCB_TOKEN=KEY, MCB_URL=mine.url + "/")
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {None})
        assert done.returncode == 1
        assert f"--rid {rid_of(there)} --url {others.url}" in done.stdout
        assert KEY not in done.stdout + done.stderr
        for options in ([], ["--rid", rid_of(there)]):
            run_sync(*options, MCB_TOKEN=KEY)
        assert others.keys == {None}
        run_sync("--url", others.url, MCB_TOKEN="mcb_another-key")
        assert others.keys == {None, "Bearer mcb_another-key"}


def test_without_an_address_the_mark_tells(server: RunningServer, spool: Path) -> None:
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: None) as others:
        for gate, token in ((mine, KEY), (others, "mcb_another-key"), (others, None)):
            with Client(gate.url) as client:
                leave(client, spool, token=token)
        changed = leave(Client(mine.url), spool, token=KEY)
        json_of(url=others.url)(changed)
        assert not any(KEY.encode() in path.read_bytes() for path in spool.rglob("*") if path.is_file())
        assert run_sync(MCB_TOKEN=KEY).returncode == 0
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {None})


def test_no_redirect_carries_a_key_away(server: RunningServer, spool: Path) -> None:
    with Gate(server.port, lambda *_: None) as elsewhere:
        target = Reply(307, b"", {"Location": f"{elsewhere.url}/v1/runs"})
        with Gate(server.port, lambda *_: target) as mine:
            with Client(mine.url) as client:
                path = leave(client, spool, token=KEY)
            assert run_sync(MCB_TOKEN=KEY, MCB_URL=mine.url).returncode == 1
            with Client(mine.url, KEY, patience=0.1) as client, pytest.raises(mcb.ApiError, match="give that address"):
                client.run("r")
        assert elsewhere.keys == set()
    assert path.is_dir()


# -- the version before -----------------------------------------------------------------------------------------------


def version_1(spool: Path, url: str, boot: str) -> Path:
    """A folder that the version before has written; of its last draw it is not known that it is on disk."""
    [source] = FIXTURE.iterdir()
    about = json.loads((source / "run.json").read_text())
    path = spool / f"{mcb.new_rid()}~00000001"
    shutil.copytree(source, path)
    raw = (path / "run.pb").read_bytes()
    old, new = about["rid"].encode(), rid_of(path).encode()
    (path / "run.pb").write_bytes(b"\x0a" + bytes([len(new)]) + new + raw[2 + len(old) :])
    (path / "run.json").write_text(json.dumps({**about, "rid": rid_of(path), "url": url, "boot": boot}))
    return path


@pytest.mark.parametrize("is_same_boot", [True, False])
def test_spools_of_the_version_before_are_sent(server: RunningServer, spool: Path, is_same_boot: bool) -> None:
    with Gate(server.port, lambda *_: None) as gate:
        path = version_1(spool, gate.url, boot_id() if is_same_boot else "another")
        done = run_sync(MCB_TOKEN=KEY)
        assert done.returncode == 0, done.stdout
        assert gate.keys == {f"Bearer {KEY}"}
    with Client(server.url) as client:
        run = client.run(rid_of(path))
        assert run.lengths() == {0: 13 if is_same_boot else 12, 1: 3}
        for number, length in run.lengths().items():
            draws, stats = run.chain(number).get_many(["x", "path", "s"], ["lp", "note"])
            assert draws["x"].tolist() == [[i, number] for i in range(length)]
            assert [value.tolist() for value in draws["path"]] == [list(range(i)) for i in range(length)]
            assert draws["s"].tolist() == [f"draw {i}" for i in range(length)]
            assert stats["lp"].tolist() == [-i for i in range(length)]
            notes = [["a", f"µ{i}"] if i % 2 and i < 12 else [] for i in range(length)]
            assert [value.tolist() for value in stats["note"]] == notes
    assert not path.exists()


@pytest.mark.parametrize("change", [zeroed, zeroed_header, cut(0), cut(5000)], ids=lambda change: change.__name__)
def test_damaged_segments_of_the_version_before(
    server: RunningServer, client: Client, spool: Path, change: Callable[[Path], None]
) -> None:
    path = version_1(spool, server.url, boot_id())
    segment = segments(path, 0)[1]
    change(segment)
    outcome = sync(spool, say=_silent)
    assert outcome.failed == 1
    assert segment.exists()
    assert client.run(rid_of(path)).lengths() == {0: 4, 1: 3}


def test_values_of_the_version_before_that_make_no_sense(server: RunningServer, client: Client, spool: Path) -> None:
    path = version_1(spool, server.url, boot_id())
    segment = segments(path, 0)[1]
    content = segment.read_bytes()
    at = content.index(b"draw 6") - 4
    segment.write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
    assert sync(spool, say=_silent).failed == 1
    assert client.run(rid_of(path)).lengths() == {0: 6, 1: 3}


# -- what is left behind ----------------------------------------------------------------------------------------------


def test_folders_that_were_never_begun_are_removed(spool: Path) -> None:
    """Their process died before there was a draw in them, or after the last one was on the server."""
    for index, names in enumerate(
        ([], ["lock"], ["lock", "run.pb"], ["run.pb", "lock", "run.json.draft"], ["run.json"])
    ):
        folder = spool / f"r~{index:08d}"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_bytes(b"")
    outcome = sync(spool, say=_silent)
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
    command = [sys.executable, "-c", FORKED, server.url, rid]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert client.run(rid).lengths() == {0: 1, 1: 50, 2: 50}
    assert not list(folders(spool))


def _silent(_: str) -> None:
    pass
