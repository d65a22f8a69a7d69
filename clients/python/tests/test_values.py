"""Values at the edges: text that ends in NUL, and stats too large to keep room for."""

from __future__ import annotations

import os
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
from mcbackend_edge.sync import sync

from .server import RunningServer

TEXTS = [
    Variable("s", "str"),
    Variable("pair", "str", (2,)),
    Variable("table", "str", (2, 2)),
    Variable("path", "str", (-1,)),
    Variable("any", "str", undefined_ndim=True),
]
DRAWS: list[dict[str, Any]] = [
    {"s": "a\0", "pair": ["\0", "b"], "table": [["\0\0", ""], ["c\0d", "é\0"]], "path": ["x\0"] * 3, "any": "\0"},
    {"s": "", "pair": ["a", "b"], "table": [["", ""], ["", ""]], "path": [], "any": [["a\0"], ["b"]]},
    {"s": np.str_("b\0\0"), "pair": ("p", "q\0"), "table": np.array([["1\0", "2"], ["3", "4"]], dtype=object)}
    | {"path": np.array(["y", "z\0"], dtype=object), "any": np.array(["plain", "array"])},
]


def as_lists(value: Any) -> Any:
    return np.asarray(value, dtype=object).tolist()


EXPECTED = {name: [as_lists(draw[name]) for draw in DRAWS] for name in DRAWS[0]}


def check_texts(chain: mcb.Chain) -> None:
    for name, expected in EXPECTED.items():
        assert [as_lists(value) for value in chain.get_draws(name, progress=False)] == expected
        assert [as_lists(value) for value in chain.get_draws(name, slice(None, None, -2))] == expected[::-2]
    for index in range(len(DRAWS)):
        read = chain.get_draws_at(index, list(EXPECTED))
        assert {name: as_lists(value) for name, value in read.items()} == {n: v[index] for n, v in EXPECTED.items()}
    assert chain.get_draws("table", elements=[3, 0]).tolist() == [["é\0", "\0\0"], ["", ""], ["4", "1\0"]]
    assert chain.get_stats("note", progress=False).tolist() == ["\0", "", "n\0"]


@pytest.mark.parametrize("way", ["append", "mirror", "numpy", "extend"])
def test_text_that_ends_in_nul_is_whole(server: RunningServer, make_client: Callable[..., Client], way: str) -> None:
    run = make_client(server.url).create_run(variables=TEXTS, sample_stats=[Variable("note", "str")])
    chain = run.init_chain(0, mirror=way != "append", casting="numpy" if way == "numpy" else "strict")
    if way == "extend":
        chain.extend({name: [draw[name] for draw in DRAWS] for name in EXPECTED}, {"note": ["\0", "", "n\0"]})
    else:
        for draw, note in zip(DRAWS, ["\0", "", "n\0"]):
            chain.append(draw, {"note": note})
    check_texts(chain)
    run.flush(progress=False)
    check_texts(make_client(server.url).run(run.rid).chain(0))
    # The server compares what it gets again with what it has.
    again = make_client(server.url).run(run.rid)
    copy = again.init_chain(0, start=0)
    copy.append(DRAWS[0], {"note": "\0"})
    again.flush(progress=False)
    other = make_client(server.url).run(run.rid)
    other.init_chain(0, start=0).append({**DRAWS[0], "s": "a"}, {"note": "\0"})
    with pytest.raises(mcb.DrawConflictError):
        other.flush(progress=False)


def test_text_without_a_nul_at_its_end_is_an_array_of_text(client: Client) -> None:
    run = client.create_run(variables={"s": "", "pair": np.array(["", ""])})
    chain = run.init_chain(0)
    chain.append({"s": "a\0b", "pair": ["x", "y"]})
    assert chain.get_draws("s").dtype == "<U3"
    assert chain.get_draws("pair").dtype == "<U1"
    chain.append({"s": "a\0", "pair": ["x", "y"]})
    assert chain.get_draws("s").dtype == object
    assert chain.get_draws("s", slice(0, 1)).dtype == "<U3"
    assert chain.get_draws("pair").dtype == "<U1"
    for wrong in (1, ["a"], b"a"):
        with pytest.raises(mcb.DrawError, match="'s'"):
            chain.append({"s": wrong, "pair": ["x", "y"]})


HUGE = [
    Variable("huge", "float64", (2**31,)),
    Variable("flags", "bool", (2**16, 2**15)),
    Variable("lp"),
    Variable("large", "uint8", (17 << 20,)),
]

KILLED = """
import os, signal, sys, numpy as np
from mcbackend_edge import Client
from tests.test_values import HUGE, append_some
run = Client(sys.argv[1], interval=600).create_run(sys.argv[2], variables={"x": 0.0}, sample_stats=HUGE)
append_some(run.init_chain(0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def append_some(chain: mcb.Chain) -> None:
    """Five draws, of which the third has the large stat."""
    for i in range(3):
        chain.append({"x": float(i)}, {"lp": 1.0, "large": np.full(17 << 20, i, dtype=np.uint8)} if i == 2 else None)
    chain.extend({"x": np.array([3.0, 4.0])}, {"lp": np.array([5.0, 6.0])})


def check_some(chain: mcb.Chain) -> None:
    assert chain.get_draws("x", progress=False).tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(chain.get_stats("lp", progress=False), [np.nan, np.nan, 1, 5, 6], equal_nan=True)
    large = chain.get_stats("large", progress=False)
    assert large.shape == (5, 17 << 20)
    assert np.array_equal(large.max(axis=1), [0, 0, 2, 0, 0])
    assert np.array_equal(large.min(axis=1), [0, 0, 2, 0, 0])
    assert np.array_equal(chain.get_stats("huge", slice(1, 3), elements=[0, 2**31 - 1]), np.full((2, 2), np.nan), True)
    assert not chain.get_stats("flags", elements=[5]).any()


@pytest.mark.parametrize("mirror", [False, True])
def test_stats_that_never_come_take_no_room(server: RunningServer, client: Client, mirror: bool) -> None:
    """Their 16 GiB a draw are neither kept nor sent, and one that comes now and then is stored."""
    run = client.create_run(variables={"x": 0.0}, sample_stats=HUGE)
    chain = run.init_chain(0, mirror=mirror)
    append_some(chain)
    check_some(chain)
    run.flush(progress=False)
    check_some(client.run(run.rid).chain(0))
    if mirror:
        assert chain.get_stats("huge").shape == (5, 2**31)
        assert chain.get_stats_at(2, ["huge", "lp"])["lp"] == 1.0


def test_the_spool_has_no_room_for_stats_that_never_come(server: RunningServer, client: Client, spool: Path) -> None:
    rid = mcb.new_rid()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, server.url, rid]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert (child.returncode, child.stderr) == (-signal.SIGKILL, "")
    assert sum(path.stat().st_size for path in spool.rglob("*")) < 200 << 20
    outcome = sync(spool, say=lambda _: None)
    assert (outcome.sent, outcome.failed) == (1, 0)
    check_some(client.run(rid).chain(0))


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_huge_dimensions_beside_one_of_none(client: Client, is_mirrored: bool) -> None:
    """The largest that a server takes, in values without an element: appended, as a block, spooled, and read."""
    shape = (2**31, 0)
    stats = [Variable("nothing", "int8", (0, 2**31))]
    run = client.create_run(variables=[Variable("x", "float64", shape), Variable("y")], sample_stats=stats)
    chain = run.init_chain(0, mirror=is_mirrored)
    chain.append({"x": np.empty(shape), "y": 1.0}, {"nothing": np.empty((0, 2**31), dtype=np.int8)})
    chain.extend({"x": np.empty((2, *shape)), "y": np.array([2.0, 3.0])})
    run.flush(progress=False)
    with pytest.raises(mcb.ShapeMismatchError):
        chain.append({"x": np.empty((0, 2**31)), "y": 1.0})
    for read in (chain, client.run(run.rid).chain(0)):
        assert read.get_draws("x", slice(1, None), progress=False).shape == (2, *shape)
        assert read.get_draws("y", progress=False).tolist() == [1, 2, 3]
        assert read.get_stats("nothing", progress=False).shape == (3, 0, 2**31)
