"""Watching a run: the stream of events, however it is cut and broken off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.events import Event, parse_events

from .server import RunningServer

STREAM = (
    "\ufeffretry: 1000\n\n"
    'event: state\r\nid: 1-3\r\ndata: {"chains":[]}\r\n\r\n'
    ": still here\n\n"
    "data: a\ndata:b\ndata:  c\rid\r\r"
    "data\n\n"
    "event: µ\ndata: é\n\n"
    "data: cut off"
).encode()
EVENTS = [
    Event("state", "1-3", '{"chains":[]}'),
    Event("message", "", "a\nb\n c"),
    Event("message", None, ""),
    Event("µ", None, "é"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert list(parse_events(STREAM[a:b] for a, b in pairwise(bounds))) == EVENTS


def test_a_run_is_watched(client: Client) -> None:
    """Its lengths at once, and then whenever they have changed."""
    run = client.create_run(variables={"x": 0.0})
    chain = run.init_chain(0)
    seen = []
    for lengths in client.run(run.rid).watch(interval=0.05, idle=2.0):
        seen.append(lengths[0])
        if lengths[0] < 30:
            chain.extend({"x": np.zeros(10)})
    assert seen[0] == 0
    assert seen[-1] == 30
    assert seen == sorted(set(seen))


def test_diagnostics_are_no_lengths(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    run.init_chain(0).extend({"x": np.sin(np.arange(200.0) ** 2)})
    run.flush()
    shown = client.run(run.rid)
    shown.checks()
    seen = list(shown.watch(idle=4.0))
    assert seen == [{0: 200}]
    diagnostics = shown.about().diagnostics
    assert diagnostics is not None
    assert diagnostics["draws"] == 200
    assert diagnostics["essBulk"] > 10


def test_new_chains_are_seen_and_the_end_too(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    seen = []
    for lengths in client.run(run.rid).watch():
        seen.append(lengths)
        if len(lengths) < 3:
            run.init_chain(len(lengths))
        else:
            client.delete_run(run.rid)
    assert seen[0] == {}
    assert seen[-1] == {0: 0, 1: 0, 2: 0}
    with pytest.raises(mcb.NotFoundError):
        next(run.watch())


def test_a_watch_outlives_the_server(own_server: RunningServer, make_client: Callable[..., Client]) -> None:
    """It is killed and started again, and what came meanwhile is seen."""
    run = make_client(own_server.url).create_run(variables={"x": 0.0})
    chain = run.init_chain(0)
    watch = make_client(own_server.url).run(run.rid).watch(idle=60.0)
    assert next(watch) == {0: 0}
    own_server.kill()
    chain.extend({"x": np.zeros(7)})
    own_server.start()
    for lengths in watch:
        if lengths == {0: 7}:
            break
    else:
        pytest.fail("the draws were not seen")


def test_who_is_slow_sees_the_latest(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    chain = run.init_chain(0)
    watch = client.run(run.rid).watch(idle=30.0)
    assert next(watch) == {0: 0}
    for _ in range(5):
        chain.append({"x": 0.0})
        run.flush(progress=False)
    deadline = time.monotonic() + 30
    while (lengths := next(watch)) != {0: 5}:
        assert time.monotonic() < deadline, lengths


def test_nothing_is_left_of_a_watch(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    watch = run.watch()
    assert next(watch) == {}
    watch.close()
    deadline = time.monotonic() + 30
    while any(thread.name == "mcbackend-edge-watch" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
