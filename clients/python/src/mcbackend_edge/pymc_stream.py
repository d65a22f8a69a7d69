"""The sending half of `PyMCTrace`: what PyMC's arrays hold goes to the log of a run, and facts go with it.

Nothing in here raises into a sampler once it runs: a failure is logged once, and the chain is no longer sent.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from pymc.backends.ndarray import NDArray

from . import fresh_run
from .client import Client
from .errors import DrawConflictError, PayloadTooLargeError
from .notices import Beginning
from .pymc_call import SampleCall
from .pymc_model import describe
from .pymc_sampling import PyMCSampling
from .pymc_stats import as_text, as_warning, holds_warnings, stats_of
from .run import Chain
from .schema import RunMeta, Variable

log = logging.getLogger("mcbackend_edge")

# Warnings that are told of one chain, at most.
_MOST_WARNINGS = 50
# The stat of PyMC's driver that marks warmup, and whether this version tells it to traces (since 5.28.2).
IN_WARMUP = "in_warmup"
TAKES_FLAG = IN_WARMUP in inspect.signature(NDArray.record).parameters
_FLAGS = {False: np.False_, True: np.True_}
# Last values of stats that are told of a chain, by the names under which they are told.
_LAST_VALUES = {"step_size_bar": "stepSize", "scaling": "scaling"}


class Start(NamedTuple):
    """All that the runs of one `PyMCTrace` have in common."""

    client: Client
    beginning: Beginning
    attributes: Mapping[str, Any]
    rid: str | None
    capture: bool | None
    offline: bool | None


class RunStream:
    """The run of one `pm.sample`. Get one from `begin`.

    Attributes
    ----------
    run : its handle.
    sampling : all that is told of it beside its draws.
    has_draws : True once a draw was recorded.
    total : draws of a chain, warmup included.
    """

    def __init__(self, sampling: PyMCSampling, total: int) -> None:
        self.run = sampling.run
        self.sampling = sampling
        self.has_draws = False
        self.total = total
        self._being_sampled: set[int] = set()

    @classmethod
    def begin(cls, start: Start, call: SampleCall, trace: Any, total: int, *, discards_warmup: bool) -> RunStream:
        """Registers a run.

        Parameters
        ----------
        trace : the trace of its first chain, which has been set up.
        total : draws of a chain, warmup included.
        discards_warmup : True if the result of `pm.sample` leaves it out.

        Raises
        ------
        McbError
        """
        model = describe(trace.model, trace.varnames, trace.var_shapes, trace.var_dtypes)
        stats = [stat.variable for stat in stats_of(trace.sampler_vars)]
        if TAKES_FLAG:
            stats.append(Variable(IN_WARMUP, "bool"))
        attributes = {"discard_tuned_samples": discards_warmup, **start.attributes}
        try:
            fresh = _registered(start, lambda rid: model.run_meta(rid, stats, attributes))
        except PayloadTooLargeError as error:
            limit = error.fields.get("limit")
            smaller = model.within(limit // 2 if isinstance(limit, int) else 0)
            fresh = _registered(start, lambda rid: smaller.run_meta(rid, stats, attributes))
        return cls(PyMCSampling(fresh, call, start.beginning, start.client.url, start.capture), total)

    def open_chain(self, trace: Any) -> ChainStream:
        """The chain to which the draws of a trace go that has been set up."""
        # The server is not asked: a chain that somebody else writes is found out by its draws.
        chain = self.run.init_chain(trace.chain, start=0, casting="numpy")
        self._being_sampled.add(trace.chain)
        return ChainStream(self, chain, trace)

    def chain_ends(self, number: int, facts: Mapping[str, Any]) -> None:
        """Notes that nothing follows in a chain."""
        self._being_sampled.discard(number)
        self.sampling.chain_ends(number, facts)

    def is_read(self) -> None:
        """See `PyMCSampling.is_read`."""
        self.sampling.is_read(is_over=not self._being_sampled)


def _registered(start: Start, meta_of: Callable[[str], RunMeta]) -> fresh_run.FreshRun:
    return fresh_run.begin(start.client, start.rid, meta_of, offline=start.offline)


class ChainStream:
    """Copies the rows that a trace has recorded to the log of a chain."""

    def __init__(self, of_run: RunStream, chain: Chain, trace: Any) -> None:
        stats = stats_of(trace.sampler_vars)
        self._of_run, self._chain = of_run, chain
        self._append = chain.append_to_log
        self._first = len(chain)
        # The arrays in which PyMC keeps draws and stats have a row for each draw.
        self._names = tuple(name for name in trace.varnames if name in of_run.run.variables)
        held = {stat: trace._stats[stat.sampler][stat.name] for stat in stats}
        self._stat_names = tuple(stat.variable.name for stat in stats if not stat.is_text)
        self._columns = [trace.samples[name] for name in self._names]
        self._columns += [values for stat, values in held.items() if not stat.is_text]
        arrays = dict(zip((*self._names, *self._stat_names), self._columns))
        if TAKES_FLAG:
            arrays[IN_WARMUP] = np.empty(0, dtype=bool)
        # Usually they hold rows as the log has them, so that nothing of a draw has to be looked at.
        self._append_bytes = chain.log.append_values if chain.log.takes_rows_of(arrays) else None
        self._texts = [(stat.variable.name, values) for stat, values in held.items() if stat.is_text]
        self._last = [(stat.name, values) for stat, values in held.items() if stat.name in _LAST_VALUES]
        self._warnings = [
            values["warning"]
            for dtypes, values in zip(trace.sampler_vars or (), trace._stats or ())
            if holds_warnings(dtypes)
        ]
        self._told: list[dict[str, Any]] = []
        self._was_warmup: bool | None = None
        self._has_failed = self._is_over = False

    def send(self, filled: int, in_warmup: bool | None) -> None:
        """Copies the last row that was recorded.

        Parameters
        ----------
        filled : number of rows that the trace has.
        in_warmup : True if the last one is of warmup; None if PyMC does not say so.
        """
        try:
            if not self._has_failed:
                self._copy(filled - 1, in_warmup)
        except Exception as error:
            self._fails(error)

    def close(self, filled: int) -> None:
        """Copies what an interrupt may have kept from being copied, and tells that nothing follows."""
        if self._is_over:
            return
        self._is_over = True
        try:
            if not self._has_failed:
                flag = TAKES_FLAG or None if self._was_warmup is None else self._was_warmup
                for row in range(len(self._chain) - self._first, filled):
                    self._copy(row, flag)
            self._of_run.chain_ends(self._chain.number, self._last_facts(filled))
        except Exception as error:
            self._fails(error)

    def is_read(self) -> None:
        """See `RunStream.is_read`."""
        try:
            self._of_run.is_read()
        except Exception as error:
            self._fails(error)

    def _copy(self, row: int, in_warmup: bool | None) -> None:
        if in_warmup is not None and self._was_warmup is not in_warmup:
            self._was_warmup = in_warmup
            if not in_warmup:
                self._of_run.sampling.sees_posterior(row, self._of_run.total)
        for warnings in self._warnings:
            if warnings[row] is not None and len(self._told) < _MOST_WARNINGS:
                self._told.append({"draw": row, **as_warning(warnings[row])})
        values = [column[row] for column in self._columns]
        if self._append_bytes is not None:
            if in_warmup is not None:
                values.append(_FLAGS[in_warmup])
            self._append_bytes(b"".join(values), ())
        else:
            stats = dict(zip(self._stat_names, values[len(self._names) :]))
            for name, texts in self._texts:
                stats[name] = as_text(texts[row])
            if in_warmup is not None:
                stats[IN_WARMUP] = in_warmup
            self._append(dict(zip(self._names, values)), stats)
        self._of_run.has_draws = True

    def _last_facts(self, filled: int) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if filled:
            for name, values in self._last:
                value = float(values[filled - 1])
                if math.isfinite(value):
                    facts[_LAST_VALUES[name]] = value
        if self._told:
            facts["warnings"] = self._told
        return facts

    def _fails(self, error: Exception) -> None:
        """Gives the chain up. The server's refusals are told by the thread that sends."""
        if self._has_failed:
            return
        self._has_failed = True
        self._of_run.run.notices.is_whole = False
        if not isinstance(error, DrawConflictError):
            log.error(
                "chain %d of run %s is no longer stored from draw %d on; sampling goes on, and its result is whole.",
                *(self._chain.number, self._of_run.run.rid, len(self._chain)),
                exc_info=error,
            )
