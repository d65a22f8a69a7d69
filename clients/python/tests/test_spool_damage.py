"""Spools that are damaged, strange, or another's: nothing wrong is sent, nothing is lost, nothing keeps the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.segment import HEADER_BYTES
from mcbackend_edge.spool import folders
from mcbackend_edge.sync import sync

from .dead import DRAWS, check, cut, json_of, leave, rid_of, segments, silent, start_of, zeroed, zeroed_header

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files to another user"
)


def changed_header(offset: int) -> Callable[[Path], None]:
    def change(segment: Path) -> None:
        content = bytearray(segment.read_bytes())
        content[offset] ^= 1
        segment.write_bytes(content)

    change.__name__ = f"bit_at_{offset}"
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
    """Draws before it are sent, and the other chain, and the other runs; again and again."""
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
    sync(spool, say=silent)
    check(client, path, {0: DRAWS})


@pytest.mark.usefixtures("small")
def test_a_row_torn_by_the_loss_of_power_is_the_end_of_the_chain(client: Client, spool: Path) -> None:
    """Behind what is known to be on disk; it is reported, with those behind it, and what lies before it is sent."""
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
    said: list[str] = []
    outcome = sync(spool, say=said.append)
    assert (outcome.sent, outcome.failed) == (0, 1)
    assert f"{segment} lacks the draws {start_of(segment) + 2} to 9: they have not reached the disk" in said[-1]
    check(client, path, {0: start_of(segment) + 2})
    assert segment.exists()


def garbage(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).write_bytes(b"\x0a\xff\xff\x01garbage")

    change.__name__ = f"garbage_{name}"
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
    outcome = sync(spool, say=silent)
    assert outcome.failed == 1
    assert client.run(run.rid).lengths() == {0: 1, 1: DRAWS}
    assert path.is_dir()
