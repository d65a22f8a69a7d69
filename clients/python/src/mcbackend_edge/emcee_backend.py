"""`EmceeBackend`: stores emcee's walkers as chains on a server while they walk, and loads them to go on elsewhere.

sampler = emcee.EnsembleSampler(nwalkers, ndim, log_prob, backend=EmceeBackend(url, rid="my-run"))
sampler.run_mcmc(initial, 1000)

# later, perhaps on another machine
sampler = emcee.EnsembleSampler(nwalkers, ndim, log_prob, backend=EmceeBackend(url, rid="my-run"))
sampler.run_mcmc(None, 1000)
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import greeting
from .attributes import attribute_to_message
from .client import DEFAULT_SPOOL, Client, new_rid
from .ensemble.clock import Clock
from .ensemble.keeping import StoredBackend
from .ensemble.layout import LAYOUT, checked_names
from .ensemble.leftovers import send_leftovers
from .ensemble.random_state import RandomStates
from .ensemble.stored import StoredEnsemble
from .errors import ApiError, DrawConflictError, McbError, NotFoundError, ServerUnreachableError
from .names import check_rid
from .notices import Beginning
from .run import Run
from .uploader import EXIT_TIMEOUT

# Seconds between two uploads. A round takes a request for each walker, so it is longer than for a few chains.
INTERVAL = 1.0
# Seconds for which steps are waited for that this process has stored before.
_PATIENCE = 15.0


class EmceeBackend(StoredBackend):
    """Keeps the ensemble in memory, as emcee's own backend does, and sends every step to the server.

    Each walker is a chain. The variables are those of `names`, or one vector ``theta``; the sampler stats are
    ``log_prob``, ``accepted``, the blobs (``blobs``, or ``blobs_<field>`` for named ones), and in chain 0 the state of
    the random generator.

    Parameters
    ----------
    url, token, spool, interval, exit_timeout : see `mcbackend_edge.Client`.
    rid : id of the run. If the server has it, its steps are loaded, and sampling goes on behind them. A new one if
        not given.
    names : the parameters' names, in the order of the vector.
    dtype : that of parameters and log probabilities: float64, or float32.
    offline : start sampling even if the server cannot be reached: the run is registered when it answers. The run
        under `rid` is then not loaded, and left as it is. If not given, where there is a spool.
    read_only : load the run and never write to it: sampling raises RuntimeError. `reload` loads what has come since.
    name, tags, notes, facts : those of a run that has none yet; see `mcbackend_edge.Run.set_about`. They are told in
        the background, as are the environment (see `capture`), the expected steps, the time that sampling takes, and
        with `close` or the end of the process (unless an error ends it) that the run is finished.
    attributes, capture : see `mcbackend_edge.Client.create_run`.

    Attributes
    ----------
    run : the run that the steps go to, or were loaded from; None before the first step.
    rid : its id. Steps that cannot go to the run of the id that was asked for go to the next free one of ``rid.2``,
        ``rid.3``, …: those behind ``sampler.reset()``, which leaves what is stored as it is, and all steps of a walk
        that goes another way than the one which another process has stored.

    Raises
    ------
    TypeError, ValueError
        For names that cannot be those of parameters, or are not those of the run, and what no run may tell.
    McbError
        If the run was not written by emcee. Blobs that cannot be stored are refused before the first step.
    NotFoundError
        If a run that is only to be read is not there.
    ServerUnreachableError
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        rid: str | None = None,
        names: Sequence[str] | None = None,
        dtype: DTypeLike | None = None,
        spool: str | os.PathLike[str] | None = DEFAULT_SPOOL,
        interval: float = INTERVAL,
        exit_timeout: float = EXIT_TIMEOUT,
        offline: bool | None = None,
        read_only: bool = False,
        name: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        facts: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        capture: bool | None = None,
    ) -> None:
        super().__init__(dtype=_checked_dtype(dtype))
        self._names = None if names is None else checked_names(names)
        self._beginning = Beginning.checked(name, tags, facts, notes)
        self._attributes = _checked_attributes(attributes)
        self._capture = capture
        self._connection: dict[str, Any] = {
            "url": url,
            "spool": spool,
            "interval": interval,
            "exit_timeout": exit_timeout,
        }
        self._token = token
        self._offline, self.read_only = offline, read_only
        self._base_rid = self.rid = new_rid() if rid is None else check_rid(rid)
        self._forget()
        self.client = self._connect()
        if rid is not None:
            self._load()
        elif read_only:
            raise ValueError("a backend that only reads needs the id of a run: rid=…")
        _backends.add(self)

    def _connect(self) -> Client:
        return Client(token=self._token, **self._connection)

    # -- what users call ---------------------------------------------------------------------------------------------

    def flush(self, timeout: float = 60.0) -> None:
        """Waits until all steps are on the server, those before a `reset` as well; see `mcbackend_edge.Run.flush`."""
        deadline = time.monotonic() + timeout
        while self._earlier:
            self._earlier[0].flush(max(0.0, deadline - time.monotonic()))
            greeting.ended(self._earlier.pop(0))
        if self.run is None or self._is_closed:
            return
        try:
            self.run.flush(max(0.0, deadline - time.monotonic()))
        except DrawConflictError as error:
            self._move(str(error))
            self.run.flush(max(0.0, deadline - time.monotonic()))

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left and ends the background thread. Sampling may go on: it opens the run again.

        Parameters
        ----------
        timeout : seconds to wait for the server, `exit_timeout` if not given.
        """
        if self._is_closed:
            return
        patience = self._connection["exit_timeout"] if timeout is None else timeout
        began = time.monotonic()
        if self._writer is not None and self._process == os.getpid():
            self._note_time()
            self._writer.run.end()
            # `Client.close` says what is left.
            with contextlib.suppress(McbError, KeyboardInterrupt):
                self.flush(patience)
        self._is_closed = True
        self.client.close(max(0.0, patience - (time.monotonic() - began)))
        if self._writer is not None:
            greeting.ended(self._writer.run)

    def reload(self) -> None:
        """Loads what the server has by now, where this process only reads.

        Raises
        ------
        RuntimeError
            If this process has walked steps of its own.
        """
        if self._writer is not None:
            raise RuntimeError("only a backend that has stored no steps of its own can load others")
        self._forget()
        self.initialized = False
        self._load()

    def __enter__(self) -> EmceeBackend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.run is not None:
            self.run.notices.is_whole = False
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """All steps, but neither the key nor the connection.

        A copy that samples stores all its steps in a run of its own: two writers of one would be in each other's way.
        """
        left_out = ("client", "run", "_writer", "_earlier", "_surplus", "_token")
        state = {name: value for name, value in self.__dict__.items() if name not in left_out}
        connection = {**self._connection, "url": self.client.url}
        if connection["spool"] is DEFAULT_SPOOL:
            del connection["spool"]
        return {**state, "_connection": connection}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._connection.setdefault("spool", DEFAULT_SPOOL)
        self._token = None
        self.run = self._writer = self._surplus = None
        self._earlier, self._states = [], RandomStates()
        self._is_closed, self._has_begun, self._process = False, True, os.getpid()
        self.client = self._connect()
        _backends.add(self)

    # -- from the server ---------------------------------------------------------------------------------------------

    def _load(self) -> None:
        """Takes over the steps that all walkers have, if there is such a run."""
        if not self.read_only:
            self._send_own()
            self._must_move = send_leftovers(self.client, self.rid)
        try:
            run = self.client.run(self.rid)
        except NotFoundError:
            if self.read_only:
                raise
            return
        except (ServerUnreachableError, ApiError) as error:
            if self.read_only or not self._offline or not self.client.goes_on(error, self._offline):
                raise
            return
        stored = StoredEnsemble.read(run)
        if stored is None:
            self._must_move = False
            self.run = run if self.read_only else None
            return
        layout = stored.layout
        if self._names is not None and self._names != layout.names:
            theirs = "one vector" if layout.names is None else f"named {', '.join(layout.names)}"
            raise ValueError(
                f"the parameters of run {run.rid} are {theirs}, not named {', '.join(self._names)}: give the same "
                "names, or another rid"
            )
        self._names = layout.names
        self._clear(layout.nwalkers, layout.ndim)
        self.dtype = layout.dtype
        self.chain, self.log_prob, self.blobs = stored.chain, stored.log_prob, stored.blobs
        self.accepted = stored.accepted.sum(axis=0).astype(self.dtype)
        self._accepted_steps = stored.accepted
        self.iteration = stored.steps
        self.random_state, self._states = stored.random_state, RandomStates(stored.last_keys)
        self._surplus = stored.surplus if stored.surplus.end > stored.steps else None
        self.run = run
        if not self.read_only:
            self._clock = Clock(_sampling_time(run))

    def _send_own(self) -> None:
        """Waits for steps of the same run that this process has stored before, as in a notebook."""
        for backend in list(_backends):
            for run in (*backend._earlier, backend.run):
                if run is not None and run.rid == self.rid and backend.client.url == self.client.url:
                    with contextlib.suppress(McbError):
                        run.flush(_PATIENCE, progress=False)


def _checked_dtype(dtype: DTypeLike | None) -> np.dtype[Any]:
    checked = np.dtype(np.float64 if dtype is None else dtype).newbyteorder("=")
    if checked not in (np.float64, np.float32):
        raise TypeError(f"ensembles are stored as float64 or float32, not as {checked}")
    return checked


def _checked_attributes(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    for name, value in (attributes or {}).items():
        if name == LAYOUT:
            raise ValueError(f"the attribute {LAYOUT!r} is the backend's own")
        attribute_to_message(name, value)
    return dict(attributes or {})


def _sampling_time(run: Run) -> float:
    """Seconds that were sampled before; 0 if the run does not tell."""
    try:
        seconds = run.about().facts.get("samplingTime")
    except McbError:
        return 0.0
    return float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else 0.0


_backends: weakref.WeakSet[EmceeBackend] = weakref.WeakSet()


def _at_exit() -> None:
    """Closes all backends within the time that the first one has."""
    began = time.monotonic()
    for backend in list(_backends):
        if hasattr(sys, "last_value") and backend.run is not None:
            backend.run.notices.is_whole = False
        patience: float = backend._connection["exit_timeout"]
        backend.close(max(0.0, patience - (time.monotonic() - began)))


atexit.register(_at_exit)
