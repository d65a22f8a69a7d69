"""`PyMCSampling`: what is told of one `pm.sample` beside its draws. It needs no PyMC of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from . import greeting
from .capture import environment_of
from .errors import McbError
from .facts import now
from .fresh_run import FreshRun
from .notices import Beginning
from .pymc_call import SampleCall, sampling_time

# Seconds for which the end of sampling waits for the server, so that the closing line can tell that it has all draws.
_CLOSING_WAIT = 0.5
_PACKAGES = ("pymc", "pytensor", "mcbackend", "arviz", "xarray")


class PyMCSampling:
    """Facts of a run while PyMC samples, the line at its start, and the line at its end.

    Parameters
    ----------
    fresh : the run.
    call : the arguments of `pm.sample`, as far as it can be seen.
    """

    def __init__(self, fresh: FreshRun, call: SampleCall, beginning: Beginning, url: str, capture: bool | None) -> None:
        self.run = fresh.run
        self._is_tune_known = call.tune is not None
        self._began = time.monotonic()
        self._has_ended = False
        facts: dict[str, Any] = {"startedAt": now(), "environment": environment_of(url, capture, *_PACKAGES)}
        if call.tune is not None and call.draws is not None:
            facts["expected"] = {"draws": call.draws, "warmup": call.tune}
        if call.settings:
            facts["settings"] = dict(call.settings)
        if call.seeds:
            facts["chains"] = {str(number): {"seed": seed} for number, seed in enumerate(call.seeds)}
        self.run.notices.is_whole = True
        self.run.notices.begin(beginning.with_facts(facts))
        greeting.started(self.run, name=beginning.name, moved_from=fresh.moved_from)

    def sees_posterior(self, tune: int, total: int) -> None:
        """Notes the number of draws of warmup, which the first draw behind it shows.

        Parameters
        ----------
        total : draws of a chain, warmup included.
        """
        if not self._is_tune_known:
            self._is_tune_known = True
            self.run.notices.note({"expected": {"draws": max(0, total - tune), "warmup": tune}})

    def chain_ends(self, number: int, facts: Mapping[str, Any]) -> None:
        if facts:
            self.run.notices.note({"chains": {str(number): facts}})

    def is_read(self, is_over: bool = False) -> None:
        """Notes that PyMC looks at its traces: it does so at the end, and has measured the time then.

        Parameters
        ----------
        is_over : True if sampling has come to its end even if PyMC has not measured it.
        """
        if self._has_ended:
            return
        seconds = sampling_time()
        if seconds is not None or is_over:
            self.end(seconds)

    def end(self, seconds: float | None = None) -> None:
        """Tells that sampling is over, once; `seconds` is the time that PyMC has measured."""
        if self._has_ended or not any(self.run.own_lengths.values()):
            return
        self._has_ended = True
        self.run.notices.note({"samplingTime": time.monotonic() - self._began if seconds is None else seconds})
        self.run.end()
        with suppress(McbError):
            self.run.flush(_CLOSING_WAIT, progress=False)
        greeting.ended(self.run)

    def is_interrupted(self) -> None:
        """Notes that an error has ended the block in which the run was written."""
        if not self._has_ended:
            self.run.notices.is_whole = False
