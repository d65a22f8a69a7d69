"""An ensemble in memory, as emcee's own backend keeps it, of which every step is stored in a run."""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np
from emcee.backends import Backend

from .. import fresh_run, greeting
from ..capture import environment_of
from ..client import Client
from ..errors import McbError
from ..facts import now
from ..ndarray import Array
from ..notices import Beginning
from ..run import Run
from ..schema import RunMeta, build_run_meta
from .clock import Clock
from .layout import LAYOUT, EnsembleLayout, check_blobs
from .random_state import RandomStates
from .stored import Surplus
from .writer import EnsembleWriter

log = logging.getLogger("mcbackend_edge")


class StoredBackend(Backend):  # type: ignore[misc]  # emcee has no types
    """Sees to it that each step is in a run: the one that is given, or one of its own where it cannot go there.

    Attributes
    ----------
    client, run, rid : see `EmceeBackend`.
    read_only : nothing may be sampled.
    """

    client: Client
    rid: str
    read_only: bool
    _base_rid: str
    _names: tuple[str, ...] | None
    _beginning: Beginning
    _attributes: dict[str, Any]
    _capture: bool | None
    _offline: bool | None

    def _forget(self) -> None:
        """The state before anything is loaded or sampled."""
        self.iteration = 0
        self.chain: Array = np.empty((0, 0, 0))
        self.log_prob: Array = np.empty((0, 0))
        self.blobs: Array | None = None
        self.random_state: Any = None
        self.run: Run | None = None
        self._writer: EnsembleWriter | None = None
        # Runs before a `reset`, whose steps may still have to be sent.
        self._earlier: list[Run] = []
        self._accepted_steps: Array = np.empty((0, 0), dtype=bool)
        self._states = RandomStates()
        self._surplus: Surplus | None = None
        self._has_begun = self._is_closed = self._must_move = False
        self._process = os.getpid()
        self._clock = Clock()
        self._started_at = now()

    def _connect(self) -> Client:
        raise NotImplementedError

    def reset(self, nwalkers: int, ndim: int) -> None:
        """Clears the ensemble. Steps that are stored stay on the server; the next ones go to a new run."""
        self._check_writable()
        if self._names is not None and len(self._names) != ndim:
            raise ValueError(f"there are {len(self._names)} names for {ndim} parameters")
        if self.iteration:
            self._leave_run()
        self._clear(nwalkers, ndim)

    def _clear(self, nwalkers: int, ndim: int) -> None:
        super().reset(nwalkers, ndim)
        self._accepted_steps = np.empty((0, self.nwalkers), dtype=bool)
        self._states, self._surplus = RandomStates(), None
        self._clock = Clock()

    def grow(self, ngrow: int, blobs: Array | None) -> None:
        """Makes room for steps that will come, and begins the run.

        Raises
        ------
        McbError
            If such blobs cannot be stored, or the server takes no new run.
        """
        self._check_writable()
        if blobs is not None:
            check_blobs(blobs)
        # Room that is left from steps which were announced and never came is more than emcee reckons with.
        self.chain, self.log_prob = self.chain[: self.iteration], self.log_prob[: self.iteration]
        self.blobs = None if self.blobs is None or not self.iteration else self.blobs[: self.iteration]
        super().grow(ngrow, blobs)
        if ngrow <= 0:
            return
        more = np.zeros((len(self.chain) - self.iteration, self.nwalkers), dtype=bool)
        self._accepted_steps = np.concatenate((self._accepted_steps[: self.iteration], more))
        if self.run is None:
            self._started_at = now()
        self._clock.start()
        self._open()
        if self.run is not None:
            self.run.notices.note({"expected": {"draws": self.iteration + int(ngrow), "warmup": 0}})

    def save_step(self, state: Any, accepted: Array) -> None:
        """Stores one step of the ensemble."""
        self._check_writable()
        if self._writer is None or self._is_closed:
            self._open()
        super().save_step(state, accepted)
        step = self.iteration - 1
        self._accepted_steps[step] = accepted
        self._store_step(step)
        self._clock.step()
        if self.iteration == len(self.chain) or self._clock.is_due():
            self._note_time()

    def _check_writable(self) -> None:
        if self.read_only:
            raise RuntimeError("this backend only reads: give read_only=False to sample with it")

    # -- to the server -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Sees to it that a run takes the steps which come, and has those that there are."""
        blobs = None if self.blobs is None else self.blobs[0]
        layout = EnsembleLayout.of(self.nwalkers, self.ndim, np.dtype(self.dtype), self._names, blobs)
        if self._is_closed:
            self._reopen()
        writer = self._writer
        if writer is not None and layout.is_that_of(writer.run) and self._process == os.getpid():
            return
        run = self.run
        is_loaded = writer is None and run is not None and not self._must_move
        if is_loaded and run is not None and layout.is_that_of(run):
            self._begin(run, layout, self.iteration)
        else:
            if writer is not None and self._process == writer.process:
                # Blobs of another dtype, of which emcee makes one for all steps.
                self._set_aside(writer.run)
            self._begin_anew(layout)

    def _reopen(self) -> None:
        """Goes on behind `close`: in the same run if it has all steps, else in a new one."""
        self._is_closed = False
        self.client = self._connect()
        run, self._writer = self.run, None
        if run is None:
            return
        try:
            self.run = self.client.run(run.rid)
            lengths = self.run.lengths()
            are_all = self.run.registration == run.registration and all(
                lengths.get(walker, 0) == self.iteration for walker in range(self.nwalkers)
            )
        except McbError:
            are_all = False
        self._must_move = not are_all

    def _begin_anew(self, layout: EnsembleLayout) -> None:
        """Registers a run for the steps that there are, and those that come.

        Raises
        ------
        McbError
            If the server takes no run, before the first step of all. Later ones are sampled nevertheless.
        """
        asked_for = self.run.rid if self.run is not None else self._base_rid

        def describe(rid: str) -> RunMeta:
            return build_run_meta(
                rid,
                variables=layout.variables,
                sample_stats=layout.sample_stats,
                attributes={**layout.attributes, **self._attributes, LAYOUT: layout.attributes[LAYOUT]},
            )

        if self._has_begun:
            fresh = fresh_run.begin_somehow(self.client, self._base_rid, describe)
        else:
            fresh = fresh_run.begin(self.client, self._base_rid, describe, offline=self._offline)
        moved_from = None if fresh.moved_from is None else asked_for
        self._surplus, self._must_move, self._process = None, False, os.getpid()
        self._begin(fresh.run, layout, 0, moved_from=moved_from)
        self._store_steps()

    def _begin(self, run: Run, layout: EnsembleLayout, steps: int, moved_from: str | None = None) -> None:
        """Opens a chain for each walker behind the steps that the run has."""
        self.run, self.rid = run, run.rid
        self._writer = EnsembleWriter(run, layout, steps)
        self._has_begun = True
        notices = run.notices
        notices.is_whole = True
        environment = environment_of(self.client.url, self._capture, "emcee", "scipy")
        notices.begin(self._beginning.with_facts({"startedAt": self._started_at, "environment": environment}))
        greeting.started(run, moved_from=moved_from)

    def _store_step(self, step: int) -> None:
        """Stores a step behind those before it; in a run of its own if this one has another step there."""
        writer = self._writer
        assert writer is not None
        if writer.steps < step:
            # Ctrl-C came between emcee's own part of a step and this one. The state behind that step is gone.
            self._states = RandomStates()
        text = self._states.encode(self.random_state)
        for index in range(writer.steps, step + 1):
            blobs = None if self.blobs is None else self.blobs[index]
            draws = writer.layout.draws(self.chain[index])
            stats = writer.layout.stats(self.log_prob[index], self._accepted_steps[index], blobs)
            if not self._append(writer, index, draws, stats, text if index == step else ""):
                return

    def _append(
        self, writer: EnsembleWriter, step: int, draws: dict[str, Array], stats: dict[str, Array], text: str
    ) -> bool:
        """Appends a step to the run; False if all steps have gone to another one instead."""
        if self._surplus is not None:
            if not self._surplus.agrees_with(step, draws, stats, text):
                self._move(f"run {self.rid} goes on in another way than this walk")
                return False
            if step + 1 >= self._surplus.end:
                self._surplus = None
        try:
            writer.append(draws, stats, text)
        except McbError as error:
            self._move(str(error))
            return False
        return True

    def _store_steps(self) -> None:
        """Stores all steps that are in memory in a run that has none."""
        steps, writer = self.iteration, self._writer
        if not steps or writer is None:
            return
        self._states = RandomStates()
        text = self._states.encode(self.random_state)
        for walker in range(self.nwalkers):
            blobs = None if self.blobs is None else self.blobs[:steps, walker]
            accepted = self._accepted_steps[:steps, walker]
            stats = writer.layout.stats(self.log_prob[:steps, walker], accepted, blobs)
            writer.extend(walker, writer.layout.draws(self.chain[:steps, walker]), stats, text)
        writer.steps = steps

    def _move(self, reason: str) -> None:
        """Stores all steps in a run of their own, and the next ones behind them."""
        log.warning("%s: all %d steps go to a run of their own", reason, self.iteration)
        writer = self._writer
        assert writer is not None
        # Another process goes on with it, or has ended it already.
        writer.run.notices.is_whole = False
        self._begin_anew(writer.layout)
        if self._process == writer.process:
            writer.run.abandon()

    def _leave_run(self) -> None:
        """Ends the run: the next steps go to another one."""
        writer = self._writer
        if writer is not None:
            self._note_time()
            self._set_aside(writer.run)
        self.run = self._writer = None
        self._must_move = False
        self._has_begun = True

    def _set_aside(self, run: Run) -> None:
        """Ends a run, and keeps it as long as steps of it have to be sent."""
        run.end()
        waiting = []
        for earlier in [*self._earlier, run]:
            if earlier.pending:
                waiting.append(earlier)
            else:
                greeting.ended(earlier)
        self._earlier = waiting

    def _note_time(self) -> None:
        if self.run is not None and self._writer is not None:
            self.run.notices.note({"samplingTime": round(self._clock.seconds, 3)})
