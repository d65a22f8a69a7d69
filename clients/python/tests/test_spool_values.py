"""Large values in the spool: of any size, in any column, from the first draw on, and killed at any point."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable, writer
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.spool import RunSpool, folders
from mcbackend_edge.sync import sync

from .server import RunningServer

# Appends draws whose values have the sizes that it is given, in bytes, and then is killed.
CHILD = """
import json, os, signal, sys, numpy as np
from mcbackend_edge import Client, Variable
url, rid, names, sizes, way = sys.argv[1], sys.argv[2], sys.argv[3].split(","), json.loads(sys.argv[4]), sys.argv[5]
known = {
    "path": (Variable("path", "float64", (-1,)), lambda n: np.arange(n // 8, dtype=float)),
    "any": (Variable("any", "int8", undefined_ndim=True), lambda n: np.ones((n // 2, 2), dtype=np.int8)),
    "text": (Variable("text", "str"), lambda n: "µ" * (n // 2)),
    "texts": (Variable("texts", "str", (-1,)), lambda n: np.array(["x" * (n // 2), "", "y" * (n // 2)])),
    "x": (Variable("x", "float64", (3,)), lambda n: np.full(3, float(n))),
    "wide": (Variable("wide", "float64", (50_000,)), lambda n: np.full(50_000, float(n))),
}
client = Client(url, interval=600)
variables = [known[name][0] for name in names if not name.startswith("stat:")]
stats = [known[name[5:]][0] for name in names if name.startswith("stat:")]
run = client.create_run(rid, variables=variables, sample_stats=stats)
chain = run.init_chain(0)
draw = lambda n: {var.name: known[var.name][1](n) for var in variables}
stat = lambda n: {var.name: known[var.name][1](n) for var in stats}
if way == "append":
    for n in sizes:
        chain.append(draw(n), stat(n))
else:
    chain.extend(
        {var.name: [known[var.name][1](n) for n in sizes] for var in variables},
        {var.name: [known[var.name][1](n) for n in sizes] for var in stats},
    )
os.kill(os.getpid(), signal.SIGKILL)
"""

FIRST = [40_000 * 8] * 3
SEGMENT = 4 << 20
GROWING_LATE = [8] * 50 + [300_000, SEGMENT, SEGMENT - 16, SEGMENT - 24, SEGMENT + 8, 8, 300_000, 0]
MIXED = [0, 300_000, 10, 3_000_000, 0, 262_144, 262_136, 7]


@pytest.mark.parametrize(
    ("names", "sizes", "way"),
    [
        ("path", FIRST, "append"),
        ("path", FIRST, "extend"),
        ("text", FIRST, "append"),
        ("texts", FIRST, "extend"),
        ("any", FIRST, "append"),
        ("x,stat:path", FIRST, "append"),
        ("x,path,text,stat:texts,stat:any", FIRST, "append"),
        ("wide,path", FIRST, "append"),
        ("x,path,stat:text", MIXED, "append"),
        ("x,path,stat:text", MIXED, "extend"),
        ("path", [20_000_000, 8], "append"),
        ("path", GROWING_LATE, "append"),
        ("path", GROWING_LATE, "extend"),
        ("x,text,stat:path", [8, 400_000] * 6, "append"),
    ],
)
def test_sigkill_loses_no_large_value(
    server: RunningServer, client: Client, spool: Path, names: str, sizes: list[int], way: str
) -> None:
    rid = mcb.new_rid()
    command = [sys.executable, "-c", CHILD, server.url, rid, names, str(sizes), way]
    child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert child.returncode == -9
    assert child.stderr == ""
    outcome = sync(spool, say=_silent)
    assert (outcome.sent, outcome.failed) == (1, 0)
    assert not list(folders(spool))
    chain = client.run(rid).chain(0)
    for name in names.split(","):
        is_stat, name = name.startswith("stat:"), name.removeprefix("stat:")
        read = (chain.get_stats if is_stat else chain.get_draws)(name, progress=False)
        for value, n in zip(read, sizes, strict=True):
            if name in ("x", "wide"):
                assert value[0] == value[-1] == n
            elif name == "text":
                assert value == "µ" * (n // 2)
            elif name == "texts":
                assert value.tolist() == ["x" * (n // 2), "", "y" * (n // 2)]
            elif name == "any":
                assert value.shape == (n // 2, 2)
            else:
                assert np.array_equal(value, np.arange(n // 8))


GROWING = """
import itertools, sys, numpy as np
from mcbackend_edge import Client, Variable
client = Client(sys.argv[1], patience=0.1)
variables = [Variable("x", "float64", (2,)), Variable("path", "float64", (-1,)), Variable("s", "str")]
run = client.create_run(sys.argv[2], variables=variables, offline=True)
chain = run.init_chain(0)
for i in itertools.count():
    size = (i * 7919) % 60_000 if i % 5 else (i * 104_729) % 200_000
    chain.append({"x": np.full(2, float(i)), "path": np.full(size, float(i)), "s": str(i) * (size % 1000)})
    sys.stdout.write(f"{i}\\n"); sys.stdout.flush()
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_process_is_killed_at_any_point(own_server: RunningServer, spool: Path, seed: int) -> None:
    """While it begins segments, replaces them, or writes a row; what `append` had taken is there, bit by bit."""
    rid, rng = mcb.new_rid(), random.Random(seed)
    own_server.stop()
    command = [sys.executable, "-c", GROWING, own_server.url, rid]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        appended = 1 + sum(line.endswith("\n") for line in process.stdout)
    own_server.start()
    outcome = sync(spool, say=_silent)
    assert (outcome.sent, outcome.failed) == (1, 0)
    assert appended <= outcome.draws <= appended + 1
    with Client(own_server.url) as client:
        chain = client.run(rid).chain(0)
        for i, (x, path, s) in enumerate(
            zip(chain.get_draws("x"), chain.get_draws("path"), chain.get_draws("s"), strict=True)
        ):
            size = (i * 7919) % 60_000 if i % 5 else (i * 104_729) % 200_000
            assert x.tolist() == [i, i]
            assert np.array_equal(path, np.full(size, float(i)))
            assert s == str(i) * (size % 1000)


def test_draws_that_do_not_fit_leave_nothing_behind(
    client: Client, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused ones between large ones: neither do they use up the heap, nor does an empty segment lose its file."""
    meta = build_run_meta(mcb.new_rid(), variables=[Variable("k", "int8"), Variable("path", "float64", (-1,))])
    folder = RunSpool.create(spool, client._transport.url, meta, None)
    chain = RunWriter(meta, None, folder).add_chain(0, 0, "strict")
    path = np.zeros(50_000)
    for _ in range(20):
        with pytest.raises(mcb.DrawError):
            chain.append({"k": 1000, "path": path})
        with pytest.raises(mcb.DrawError):
            chain.append({"k": 1, "path": np.zeros((2, 2))})
    [file] = spool.rglob("*.rows")
    assert file.stat().st_size < 2_000_000
    for size in (60_000, 600_000, 3):
        with pytest.raises(mcb.DrawError):
            chain.append({"k": 1000, "path": np.zeros(size)})
        chain.append({"k": 1, "path": np.full(size, 2.0)})
    assert len(list(spool.rglob("*.rows"))) == 2
    folder.leave()
    assert sync(spool, say=_silent).draws == 3
    assert [len(value) for value in client.run(meta.rid).chain(0).get_draws("path")] == [60_000, 600_000, 3]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_empty_segment_whose_place_was_taken_in_memory(
    client: Client, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the second of three segments that begin at the same draw: none deletes another's file."""
    meta = build_run_meta(mcb.new_rid(), variables=[Variable("k", "int8"), Variable("path", "float64", (-1,))])
    folder = RunSpool.create(spool, client._transport.url, meta, None)
    chain = RunWriter(meta, None, folder).add_chain(0, 0, "strict")
    original = RunSpool.segment_path

    def full(self: RunSpool, number: int, start: int) -> Path:
        raise OSError(28, "No space left on device")

    for size, segment_path in ((10, original), (100_000, full), (1_000_000, original)):
        monkeypatch.setattr(RunSpool, "segment_path", segment_path)
        with pytest.raises(mcb.DrawError):
            chain.append({"k": 1000, "path": np.zeros(size)})
    chain.append({"k": 1, "path": np.zeros(1_000_000)})
    chain.append({"k": 2, "path": np.zeros(2_000_000)})
    chain.acknowledge(0)
    folder.leave()
    assert [path.name for path in sorted(spool.rglob("*.rows"))] == [f"{0:020d}.rows", f"{1:020d}.rows"]
    assert sync(spool, say=_silent).draws == 2


def test_a_large_value_takes_a_file_of_its_size(spool: Path) -> None:
    """Not one of several times its size, which may be more than the disk has."""
    meta = build_run_meta("r", variables=[Variable("path", "float64", (-1,))])
    folder = RunSpool.create(spool, "http://127.0.0.1:9", meta, None)
    chain = RunWriter(meta, None, folder).add_chain(0, 0, "strict")
    for _ in range(3):
        chain.append({"path": np.zeros(4_000_000)})
    sizes = [path.stat().st_size for path in spool.rglob("*.rows")]
    assert len(sizes) == 3
    assert max(sizes) < 32_000_000 + writer.LARGEST_SEGMENT + 100_000
    folder.leave()


def _silent(_: str) -> None:
    pass
