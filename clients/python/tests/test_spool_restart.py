"""The spool after a restart of the machine: no draw is lost, or made up, without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.segment import HEADER_BYTES
from mcbackend_edge.spool import RunSpool
from mcbackend_edge.sync import load, sync

from .dead import json_of, rid_of, segments, silent

DRAWS, SYNCED = 100, 50


def half_synced(spool: Path, url: str) -> Path:
    """The folder of a dead process on a machine that has been restarted; half of its draws were known to be on disk."""
    meta = build_run_meta(mcb.new_rid(), variables={"x": 0.0})
    folder = RunSpool.create(spool, url, meta, None)
    run = RunWriter(meta, None, folder)
    chain = run.add_chain(0, 0, "strict")
    for i in range(DRAWS):
        if i == SYNCED:
            run.sync()
        chain.append({"x": float(i)})
    folder.leave()
    restart(folder.path)
    return folder.path


def restart(path: Path) -> None:
    json_of(boot="another")(path)


def lose(path: Path, row: int) -> None:
    """Makes a row what it was before it was written."""
    with segments(path, 0)[0].open("r+b") as file:
        file.seek(HEADER_BYTES + 8 * row)
        file.write(bytes(8))


def sent(client: Client, path: Path) -> list[float]:
    values: list[float] = client.run(rid_of(path)).chain(0).get_draws("x").tolist()
    return values


def test_draws_that_reached_the_disk_unasked_are_sent(client: Client, spool: Path) -> None:
    path = half_synced(spool, client._transport.url)
    outcome = sync(spool, say=silent)
    assert (outcome.sent, outcome.failed, outcome.draws) == (1, 0, DRAWS)
    assert sent(client, path) == list(map(float, range(DRAWS)))
    assert not path.exists()


@pytest.mark.parametrize("row", [SYNCED, 70, DRAWS - 1])
def test_draws_that_did_not_reach_the_disk_are_reported(client: Client, spool: Path, row: int) -> None:
    """Draws before them are sent; the folder stays, with those behind them."""
    path = half_synced(spool, client._transport.url)
    lose(path, row)
    for _ in range(2):
        said: list[str] = []
        assert sync(spool, say=said.append).failed == 1
        assert any(f"lacks the draws {row} to {DRAWS - 1}" in line for line in said), said
        assert sent(client, path) == list(map(float, range(row)))
    assert len(segments(path, 0)) == 1


@pytest.mark.parametrize("row", [10, 70])
def test_damage_is_found_again_after_a_restart(client: Client, spool: Path, row: int) -> None:
    """Although `sync` has brought the file to the disk meanwhile, as it does while the server does not answer."""
    path = half_synced(spool, client._transport.url)
    lose(path, row)
    for _ in range(2):
        folder = RunSpool.open(path)
        run = load(folder)
        assert run.pending == row
        assert len(folder.gaps) == 1
        run.sync()
        folder.leave()
        restart(path)
    assert sync(spool, say=silent).failed == 1
    assert path.is_dir()


def test_the_name_of_run_json_never_comes_before_its_content(
    client: Client, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the disk as a whole when it gets its name."""
    synced: set[tuple[int, int]] = set()
    fsync, replace = os.fsync, Path.replace
    named: list[bool] = []

    def noting_fsync(file: int) -> None:
        fsync(file)
        status = os.fstat(file)
        synced.add((status.st_ino, status.st_size))

    def noting_replace(self: Path, target: Path) -> Path:
        if target.name == "run.json":
            named.append((self.stat().st_ino, self.stat().st_size) in synced)
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    folder = RunSpool.create(spool, client._transport.url, build_run_meta(mcb.new_rid(), variables={"x": 0.0}), None)
    folder.save()
    folder.remove()
    assert named == [True, True]
