"""Spools that the version before has written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.spool import boot_id
from mcbackend_edge.sync import sync

from .dead import cut, rid_of, run_sync, segments, silent, zeroed, zeroed_header
from .gate import Gate
from .server import RunningServer

FIXTURE = Path(__file__).parent / "fixtures" / "spool-v1"
KEY = "mcb_a-key-of-this-server"


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
        done = run_sync(MCB_TOKEN=KEY, MCB_URL=gate.url)
        assert done.returncode == (0 if is_same_boot else 1), done.stdout
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
    assert path.exists() != is_same_boot
    assert is_same_boot or "lacks the draws 12 to 12: nothing tells that they are on the disk" in done.stdout


@pytest.mark.parametrize("change", [zeroed, zeroed_header, cut(0), cut(5000)], ids=lambda change: change.__name__)
def test_damaged_segments_of_the_version_before(
    server: RunningServer, client: Client, spool: Path, change: Callable[[Path], None]
) -> None:
    path = version_1(spool, server.url, boot_id())
    segment = segments(path, 0)[1]
    change(segment)
    outcome = sync(spool, say=silent)
    assert outcome.failed == 1
    assert segment.exists()
    assert client.run(rid_of(path)).lengths() == {0: 4, 1: 3}


def test_values_of_the_version_before_that_make_no_sense(server: RunningServer, client: Client, spool: Path) -> None:
    path = version_1(spool, server.url, boot_id())
    segment = segments(path, 0)[1]
    content = segment.read_bytes()
    at = content.index(b"draw 6") - 4
    segment.write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
    assert sync(spool, say=silent).failed == 1
    assert client.run(rid_of(path)).lengths() == {0: 6, 1: 3}
