"""The server for the benchmarks, and a table of ratios behind them."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.server import RunningServer, server_command

ROWS: list[tuple[str, float, float, float, str, bool]] = []
Compare = Callable[..., None]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    command = server_command()
    if command is None:
        pytest.skip("there is no server: run npm ci in the repository, or set MCB_SERVER_COMMAND")
    running = RunningServer(tmp_path_factory.mktemp("server"), command)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCB_SPOOL_DIR", str(tmp_path / "spool"))


@pytest.fixture
def note() -> Callable[..., None]:
    """Adds a row to the table: name, ours, baseline, ratio, goal, whether it is met."""
    return lambda *row: ROWS.append(row)


@pytest.fixture
def compare(benchmark: Any, request: pytest.FixtureRequest) -> Compare:
    """Times two functions in turn, so that both see the same machine, and notes the ratio of their medians.

    Parameters
    ----------
    ours, baseline : each prepares a round and gives the function that is timed.
    goal : "<= 1.5" for a ratio of times ours / baseline, ">= 0.5" for one of speeds.
    """

    def run(
        ours: Callable[[], Callable[[], Any]], baseline: Callable[[], Callable[[], Any]], goal: str, rounds: int
    ) -> None:
        times: list[float] = []

        def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
            timed = baseline()
            began = time.perf_counter()
            timed()
            times.append(time.perf_counter() - began)
            return (ours(),), {}

        benchmark.pedantic(lambda timed: timed(), setup=setup, rounds=rounds, iterations=1, warmup_rounds=1)
        mine, theirs = benchmark.stats.stats.median, statistics.median(times[1:])
        sign, limit = goal.split()
        ratio = mine / theirs if sign == "<=" else theirs / mine
        is_met = ratio <= float(limit) if sign == "<=" else ratio >= float(limit)
        benchmark.extra_info.update(ratio=ratio, goal=goal, baseline=theirs)
        ROWS.append((request.node.name, mine, theirs, ratio, goal, is_met))

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not ROWS:
        return
    terminalreporter.section("speed: ratio of medians in one run")
    terminalreporter.write_line(f"{'figure':44} {'ours':>10} {'baseline':>10} {'ratio':>7}  goal")
    for name, mine, theirs, ratio, goal, is_met in ROWS:
        met = "" if is_met else "  MISSED"
        terminalreporter.write_line(f"{name:44} {mine:9.3f}s {theirs:9.3f}s {ratio:7.2f}  {goal}{met}")
