"""A block of draws that is interrupted is in the spool as a whole, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Variable, writer
from mcbackend_edge.columns import Rigid
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.spool import RunSpool
from mcbackend_edge.sync import load


@pytest.mark.parametrize("is_ragged", [False, True])
def test_a_block_that_is_interrupted_leaves_nothing_behind(spool: Path, is_ragged: bool) -> None:
    """The log of the killed process holds what its chain says, and no draw of the block: Ctrl-C comes in any line."""
    lines = 0
    is_whole = False
    while not is_whole:
        lines += 1
        meta = build_run_meta(mcb.new_rid(), variables=[Variable("x"), Variable("p", shape=(-1,) if is_ragged else ())])
        folder = RunSpool.create(spool, "http://127.0.0.1:1", meta, None)
        chain = RunWriter(meta, None, folder).add_chain(0, 0, "strict")
        chain.append(_block_draw(0.0, is_ragged))
        block = {"x": np.full(8, 7.0), "p": [np.full(3, 7.0)] * 8 if is_ragged else np.full(8, 7.0)}
        is_whole = not _interrupted_at(lines, partial(chain.extend, block))
        chain.append(_block_draw(1.0, is_ragged))
        folder.leave()
        opened = RunSpool.open(folder.path)
        restored = load(opened).chains[0]
        assert opened.gaps == []
        pieces = [columns[0] for columns in restored.columns(0, restored.length)]
        values = [value for piece in pieces if isinstance(piece, Rigid) for value in piece.values.tolist()]
        assert values in ([0.0, 1.0], [0.0, *[7.0] * 8, 1.0]), f"interrupted at line {lines}"
        assert restored.length == chain.length
        opened.remove()
    assert lines > 20


def _block_draw(value: float, is_ragged: bool) -> dict[str, Any]:
    return {"x": value, "p": np.full(3, value) if is_ragged else value}


def _interrupted_at(count: int, work: Callable[[], object]) -> bool:
    """Does the work, with a KeyboardInterrupt before the so-many-th line of writer.py; whether it came so far."""
    left = count

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != writer.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
