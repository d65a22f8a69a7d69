"""`pm.sample` with `PyMCTrace` against `pm.sample` without: wall time and peak memory, in processes that take turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server import RunningServer

DRAWS, TUNE, ROUNDS = 2000, 1000, int(os.environ.get("MCB_BENCH_ROUNDS", "3"))


def measured(model: str, url: str) -> tuple[float, float]:
    """Seconds, and GiB."""
    child = str(Path(__file__).with_name("pymc_child.py"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", child, model, url, str(DRAWS), str(TUNE)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, memory = done.stdout.split()
    return float(seconds), int(memory) / 2**30


@pytest.mark.parametrize("model", ["eight schools", "5,000 dimensions"])
def test_pymc_trace(server: RunningServer, note: Any, model: str) -> None:
    pairs = [(measured(model, server.url), measured(model, "")) for _ in range(ROUNDS)]
    for index, (what, goal) in enumerate((("seconds", 1.05), ("GiB at most", 1.1))):
        ours, theirs = (statistics.median(pair[side][index] for pair in pairs) for side in (0, 1))
        # Each pair has seen the same machine.
        ratio = statistics.median(pair[0][index] / pair[1][index] for pair in pairs)
        note(f"PyMCTrace, {model}, {what}", ours, theirs, ratio, f"<= {goal}", ratio <= goal)
