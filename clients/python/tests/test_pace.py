"""The share of a machine's time that sending takes while a sampler adds draws."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import mcbackend_edge as mcb
from mcbackend_edge.pace import LONGEST_PAUSE, ROUND, SHARE, Pace


def spent(pace: Pace, wait: Callable[[], None]) -> float:
    """A round of sending; its length in seconds."""
    began = time.monotonic()
    pace.begin()
    wait()
    pace.end()
    return time.monotonic() - began


def test_a_server_on_this_machine_takes_its_time() -> None:
    pace = Pace(is_server_here=True)
    seconds = spent(pace, lambda: time.sleep(2 * ROUND))
    assert pace.is_over
    assert 2 * ROUND * (1 / SHARE - 1) <= pace.pause <= min(seconds * (1 / SHARE - 1), LONGEST_PAUSE)


def test_waiting_for_another_machine_takes_none() -> None:
    pace = Pace(is_server_here=False)
    spent(pace, lambda: time.sleep(2 * ROUND))
    assert not pace.is_over
    assert pace.pause < ROUND


def test_no_round_costs_more_than_the_longest_pause() -> None:
    pace = Pace(is_server_here=True)
    spent(pace, lambda: time.sleep(1.5 * LONGEST_PAUSE * SHARE))
    assert pace.pause == LONGEST_PAUSE


def test_all_is_sent_once_a_busy_sampler_rests(client: mcb.Client) -> None:
    """Without a flush; meanwhile its turn comes first, so that draws wait."""
    run = client.create_run(variables={"x": np.zeros(5000)})
    chain = run.init_chain(0)
    values = np.random.default_rng(0).normal(size=(1500, 5000))
    for row in values:
        chain.append({"x": row})
    waited = chain.pending
    assert waited > 0
    deadline = time.monotonic() + 60
    while chain.pending and time.monotonic() < deadline:
        time.sleep(0.05)
    np.testing.assert_array_equal(client.run(run.rid).chain(0).get_draws("x"), values)
