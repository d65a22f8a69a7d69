"""`PyMCTrace`: a trace of PyMC's own kind that also sends its draws, for ``pm.sample(trace=PyMCTrace(...))``.

Each chain is PyMC's `NDArray`, which keeps everything as it does without this package; what it has recorded is then
copied into the log of the chain, from which a thread sends it. McBackend is not needed.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from pymc.backends.ndarray import NDArray
from pymc.model import modelcontext

from .client import DEFAULT_SPOOL, Client
from .errors import McbError
from .notices import Beginning
from .pymc_call import SampleCall, current_call
from .pymc_stream import ChainStream, RunStream, Start
from .run import Run
from .uploader import EXIT_TIMEOUT, INTERVAL

log = logging.getLogger("mcbackend_edge")


class PyMCTrace(NDArray):  # type: ignore[misc]
    """Stores the draws of `pm.sample` on a server while it samples. The result of `pm.sample` is not changed.

        with model:
            idata = pm.sample(trace=PyMCTrace("https://draws.example.org", token="…", name="radon"))

    It may be made before the model, and used again: each `pm.sample` begins a run of its own. Samplers that PyMC only
    hands over to (``nuts_sampler="nutpie"``, ``"numpyro"``, ``"blackjax"``) use no trace.

    Parameters
    ----------
    url, token, spool, interval, exit_timeout : see `mcbackend_edge.Client`.
    name, tags, notes : those of the runs; see `mcbackend_edge.Run.set_about`.
    attributes : those of the runs: numbers, text, bools, lists, dicts, times, arrays. They must be the same at each
        start with the same `rid`.
    rid : the run's id; a new one for each run if not given. If a run of that id has draws already, the draws go to
        the next one of ``rid.2``, ``rid.3``, …
    facts : facts of the runs. Expected draws, times, settings and seeds are told without being asked for.
    capture : tell host, user, script and git's commit as well: True, False, or None for servers on this machine only.
    offline : start sampling even if the server cannot be reached; see `mcbackend_edge.Client.create_run`.
    model : the model; if not given, the one that `pm.sample` samples.
    vars : values of the model that are traced, as for PyMC's `NDArray`; what `pm.sample` asks for if not given.
    discard_tuned_samples : True if the run, read as a whole, leaves warmup out, which is stored anyway; as in the call
        of `pm.sample` if not given.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        rid: str | None = None,
        facts: Mapping[str, Any] | None = None,
        capture: bool | None = None,
        spool: str | os.PathLike[str] | None = DEFAULT_SPOOL,
        interval: float = INTERVAL,
        exit_timeout: float = EXIT_TIMEOUT,
        offline: bool | None = None,
        model: Any = None,
        vars: Sequence[Any] | None = None,
        discard_tuned_samples: bool | None = None,
    ) -> None:
        # `NDArray` would compile the model here, before it is known which one is sampled; the chains' copies do.
        beginning = Beginning.checked(name, tags, facts, notes)
        self.client = Client(url, token, spool=spool, interval=interval, exit_timeout=exit_timeout)
        self._start = Start(self.client, beginning, dict(attributes or {}), rid, capture, offline)
        self._given_model = model
        self._context_model = modelcontext_or_none()
        self._given_vars = vars
        self._discards = discard_tuned_samples
        self._streams: list[RunStream] = []
        self._making: _Making | None = None
        self._is_used = _Used()
        self._say_unused = weakref.finalize(self, _say_if_unused, self._is_used, self.client.url)

    def __repr__(self) -> str:
        return f"PyMCTrace({self.client.url!r})"

    def __len__(self) -> int:
        """0: this is the pattern of which PyMC makes a copy for each chain."""
        return 0

    def __enter__(self) -> PyMCTrace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for stream in self._streams:
                stream.sampling.is_interrupted()
        self.close()

    def __copy__(self) -> ChainTrace:
        """The trace of one chain, as empty as PyMC's own."""
        call = current_call()
        making = self._making
        if making is None or making.is_over or call.chain == 0:
            making = self._making = _Making(self, call)
        return making.chain_trace()

    @property
    def run(self) -> Run:
        """The run that the last `pm.sample` began.

        Raises
        ------
        McbError
            If there is none yet.
        """
        if not self._streams:
            raise McbError("there is no run yet: it begins with pm.sample(trace=...)")
        return self._streams[-1].run

    @property
    def rid(self) -> str:
        """Id of `run`."""
        return self.run.rid

    def flush(self, timeout: float = 60.0) -> None:
        """Waits until everything that was sampled is on the server.

        Raises
        ------
        UploadPendingError, DrawConflictError
        """
        for stream in self._streams:
            stream.run.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left and ends the background thread; see `mcbackend_edge.Client.close`. Says so if nothing was
        ever recorded."""
        self._say_unused()
        for stream in self._streams:
            stream.sampling.end()
        self.client.close(timeout)

    def begin(self, call: SampleCall, trace: ChainTrace, total: int) -> RunStream:
        """The run of the `pm.sample` that makes its traces now."""
        self._is_used.is_true = True
        # A handle that has nothing left to send is not needed for `flush` any more.
        self._streams = [stream for stream in self._streams if stream.run.pending]
        discards = self._discards if self._discards is not None else call.discard_tuned_samples
        stream = RunStream.begin(self._start, call, trace, total, discards_warmup=discards is not False)
        self._streams.append(stream)
        return stream

    def model_of(self, call: SampleCall) -> Any:
        """The model that is sampled.

        Raises
        ------
        McbError
            If it cannot be told.
        """
        for model in (call.model, self._given_model, modelcontext_or_none(), self._context_model):
            if model is not None:
                return model
        raise McbError("PyMCTrace cannot tell which model is sampled: give it model=")

    def vars_of(self, call: SampleCall) -> Sequence[Any] | None:
        return self._given_vars if self._given_vars is not None else call.trace_vars


class _Making:
    """The chains of one `pm.sample`. They share the compiled function, for which PyMC would compile once a chain."""

    def __init__(self, pattern: PyMCTrace, call: SampleCall) -> None:
        self.call = call
        self.stream: RunStream | None = None
        self._pattern = pattern
        self._chains: set[int] = set()
        self._first: NDArray | None = None

    @property
    def is_over(self) -> bool:
        """True once a chain has been sampled: who asks for another one then samples anew."""
        return self.stream is not None and self.stream.has_draws

    def chain_trace(self) -> ChainTrace:
        if self._first is None:
            model, traced = self._pattern.model_of(self.call), self._pattern.vars_of(self.call)
            trace = ChainTrace(model=model, vars=traced, test_point=self.call.initial_point)
            self._first = trace
        else:
            first = self._first
            trace = ChainTrace(
                model=first.model,
                vars=first.vars,
                fn=first.fn,
                var_shapes=first.var_shapes,
                var_dtypes=first.var_dtypes,
            )
        trace.making = self
        return trace

    def open_chain(self, trace: ChainTrace, total: int) -> ChainStream:
        if self.stream is None or trace.chain in self._chains:
            self._chains.clear()
            self.stream = self._pattern.begin(self.call, trace, total)
        self._chains.add(trace.chain)
        return self.stream.open_chain(trace)


class ChainTrace(NDArray):  # type: ignore[misc]
    """The trace of one chain: PyMC's own, and a copy of what it records to the server."""

    making: _Making | None = None
    _stream: ChainStream | None = None

    def setup(self, draws: int, chain: int, sampler_vars: Any = None) -> None:
        super().setup(draws, chain, sampler_vars)
        making, self.making = self.making, None
        # Chains that are gone on with by hand, which `pm.sample` does no more, are not sent.
        self._stream = None if making is None else making.open_chain(self, draws)

    def record(self, point: Any, sampler_stats: Any = None, **flags: bool) -> None:
        """Records a draw; ``in_warmup`` is among the flags since PyMC 5.28.2."""
        super().record(point, sampler_stats, **flags)
        if self._stream is not None:
            self._stream.send(self.draw_idx, flags.get("in_warmup"))

    def close(self) -> None:
        """PyMC calls it when the chain has come to its end, interrupted or not."""
        if self._stream is not None:
            self._stream.close(self.draw_idx)
        super().close()

    def _slice(self, idx: slice) -> NDArray:
        """Part of the trace, which sends nothing. PyMC makes its result of that once sampling is over."""
        if self._stream is not None:
            self._stream.is_read()
        part = super()._slice(idx)
        part.__class__ = NDArray
        return part


class _Used:
    is_true = False


def _say_if_unused(used: _Used, url: str) -> None:
    if not used.is_true:
        log.warning(
            "the PyMCTrace for %s has not been used, and nothing is stored: samplers other than PyMC's own take no "
            "trace. Use client.stream(...) for nutpie, or client.store(idata) for any result; see docs/pymc.md.",
            url,
        )


def modelcontext_or_none() -> Any:
    """The model of the ``with`` block; None outside of one."""
    try:
        return modelcontext(None)
    except TypeError:
        return None
