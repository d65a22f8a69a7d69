"""The pauses between two attempts, of the thread that sends and of a call for which somebody waits."""

from __future__ import annotations

import random
import time

import pytest

from mcbackend_edge.errors import AccessError, ApiError, McbError, ServerUnreachableError
from mcbackend_edge.transport import Transport
from mcbackend_edge.uploader import LAST_DELAY, REFUSED_DELAY, SHORTEST_DELAY, Uploader
from mcbackend_edge.waiting import Waiting

URL = "http://127.0.0.1:1"
AWAY = ServerUnreachableError("away")


def delays(interval: float, *errors: McbError) -> list[float]:
    """The uploader's delay behind each of these failures in a row."""
    uploader = Uploader(Transport(URL), interval=interval, is_quiet=True)
    found = []
    for error in errors:
        uploader._outage_begins(error, [])
        found.append(uploader._delay)
    return found


@pytest.mark.parametrize(
    ("interval", "first"), [(0.0, SHORTEST_DELAY), (0.05, 0.05), (0.25, 0.25), (60.0, 0.25)], ids=str
)
def test_the_first_delay_is_that_between_two_looks_and_each_further_one_twice_as_long(
    interval: float, first: float
) -> None:
    assert delays(interval, *[AWAY] * 10) == pytest.approx([min(first * 2**n, LAST_DELAY) for n in range(10)])


def test_a_short_interval_shortens_no_delay_that_the_server_has_asked_for() -> None:
    busy = ApiError(503, "overloaded", "", {}, 3.0)
    refused = AccessError(401, "unauthorized", "", {}, None)
    assert delays(0.01, AWAY, busy, refused) == [SHORTEST_DELAY, 3.0, REFUSED_DELAY]


def test_an_outage_that_is_over_is_forgotten() -> None:
    uploader = Uploader(Transport(URL), interval=0.05, is_quiet=True)
    for _ in range(5):
        uploader._outage_begins(AWAY, [])
    uploader._outage_over([])
    uploader._outage_begins(AWAY, [])
    assert uploader._delay == 0.05


def pauses(monkeypatch: pytest.MonkeyPatch, error: ServerUnreachableError | ApiError, delay: float) -> list[float]:
    """A thousand pauses of callers who wait, in seconds; none is slept."""
    random.seed(1)
    slept: list[float] = []
    waiting = Waiting(URL)
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", slept.append)
        for _ in range(1000):
            assert waiting.wait(error, time.monotonic(), 60.0, delay)
    return slept


def test_callers_that_failed_together_do_not_come_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = pauses(monkeypatch, AWAY, 2.0)
    assert 0.0 <= min(slept) < 0.05
    assert 1.95 < max(slept) <= 2.0
    assert sum(slept) / len(slept) == pytest.approx(1.0, abs=0.1)


def test_nobody_comes_back_before_the_server_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = pauses(monkeypatch, ApiError(429, "rate_limited", "", {}, 2.0), 0.05)
    assert min(slept) >= 2.0
    assert max(slept) <= 2.2
