"""Draws that wait in the spool are on disk, not in the memory of the process that samples."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcbackend_edge import Client

from .server import RunningServer

MEBIBYTE = 1 << 20


def resident() -> int:
    """Memory of this process, in bytes, with the pages of files that it has mapped."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives back the pages of a mapped file when asked")
def test_waiting_draws_take_no_memory(own_server: RunningServer, make_client: Callable[..., Client]) -> None:
    values = np.arange(32_000.0)
    client = make_client(own_server.url, interval=3600.0)
    run = client.create_run(variables={"x": values})
    chains = [run.init_chain(number) for number in range(2)]
    own_server.kill()
    for chain in chains:
        chain.append({"x": values})
    before = resident()
    for row in range(500):
        for chain in chains:
            chain.append({"x": values + row})
    grown = resident() - before
    assert run.pending == 1002
    assert run.pending * values.nbytes > 240 * MEBIBYTE
    assert grown < 40 * MEBIBYTE
    own_server.start()
    run.flush(60.0, progress=False)
    assert run.chain(1).get_draws("x", slice(-1, None))[0, -1] == 31_999.0 + 499
