"""Two threads at one `RunWriter`: the sampler's opens chains, and the uploader's counts what they have to send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.writer import ChainWriter


@pytest.mark.parametrize("look", [lambda run: run.pending, lambda run: run.error], ids=["pending", "error"])
def test_a_chain_is_opened_while_another_thread_counts(
    look: Callable[[RunWriter], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunWriter(build_run_meta("a", variables={"x": 0.0}), "r", None)
    run.add_chain(0, 0, "strict")

    def opening(chain: ChainWriter, name: str) -> Any:
        """The other thread's turn comes in the middle of the look."""
        if name in ("pending", "error") and len(run.chains) == 1:
            run.add_chain(1, 0, "strict")
        return object.__getattribute__(chain, name)

    monkeypatch.setattr(ChainWriter, "__getattribute__", opening)
    assert not look(run)
    assert list(run.chains) == [0, 1]
