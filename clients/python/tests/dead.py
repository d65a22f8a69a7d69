"""Spool folders as dead processes leave them, and what may happen to them then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.segment import HEADER_BYTES
from mcbackend_edge.spool import RunSpool

DRAWS = 60


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


def cut(size: int) -> Callable[[Path], None]:
    def change(segment: Path) -> None:
        os.truncate(segment, size)

    change.__name__ = f"cut_to_{size}"
    return change


def json_of(**changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        about = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**about, **changes}))

    change.__name__ = f"json_{'_'.join(changes)}"
    return change


def run_sync(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcbackend_edge", "sync", "--timeout", "5", *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, env={**os.environ, **environment}
    )


def silent(_: str) -> None:
    pass
