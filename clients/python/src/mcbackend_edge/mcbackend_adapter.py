"""`HTTPBackend`: a McBackend backend whose runs live on a server, for ``pm.sample(trace=HTTPBackend(...))``.

PyMC calls `append` from its main process and afterwards reads every single draw back. So appends only copy, a thread
sends them, and what this process has sampled is read from memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy
from mcbackend import Backend
from mcbackend import Chain as McbChain
from mcbackend import Run as McbRun
from mcbackend.meta import ChainMeta, RunMeta

from . import fresh_run
from .client import DEFAULT_SPOOL, Client, new_rid
from .errors import McbError
from .inference import ReadOptions, to_mcbackend_form
from .mcbackend_meta import mended, sampled_model
from .notices import Beginning
from .pymc_call import current_call
from .pymc_sampling import PyMCSampling
from .run import Chain, Run
from .run_ahead import ReadAhead
from .uploader import EXIT_TIMEOUT, INTERVAL

if TYPE_CHECKING:
    import arviz
    import pandas

Array = numpy.ndarray[Any, numpy.dtype[Any]]


class HTTPChain(McbChain):
    """One chain: one that this process writes, or one that it only reads."""

    def __init__(self, cmeta: ChainMeta, rmeta: RunMeta, chain: Chain, sampling: PyMCSampling | None = None) -> None:
        self._chain = chain
        # The log's own method, in place of the one below: a call less for each draw.
        self.append = chain.append_to_log  # type: ignore[method-assign,assignment]
        self._sampling = sampling
        self._ahead = None if chain.is_mirrored else ReadAhead(chain)
        super().__init__(cmeta, rmeta)

    def append(self, draw: Mapping[str, Array], stats: Mapping[str, Array] | None = None) -> None:
        """Adds one iteration: copies it into a buffer, from which a background thread sends it."""
        self._chain.append(draw, stats)

    def extend(self, draws: Mapping[str, Any], stats: Mapping[str, Any] | None = None) -> None:
        """Adds a block of iterations; see `mcbackend_edge.Chain.extend`."""
        self._chain.extend(draws, stats)

    def __len__(self) -> int:
        if self._sampling is not None:
            # PyMC asks for the length once sampling is over, and tells a backend nothing else of that.
            self._sampling.is_read()
        return len(self._chain)

    def get_draws(self, var_name: str, slc: slice = slice(None)) -> Array:
        return self._chain.get_draws(var_name, slc)

    def get_stats(self, stat_name: str, slc: slice = slice(None)) -> Array:
        return self._chain.get_stats(stat_name, slc)

    def get_draws_at(self, idx: int, var_names: Sequence[str]) -> dict[str, Array]:
        if self._ahead is not None:
            return self._ahead.draws_at(idx, var_names)
        return self._chain.get_draws_at(idx, var_names)

    def get_stats_at(self, idx: int, stat_names: Sequence[str]) -> dict[str, Array]:
        if self._ahead is not None:
            return self._ahead.stats_at(idx, stat_names)
        return self._chain.get_stats_at(idx, stat_names)


class HTTPRun(McbRun):
    """One run.

    Attributes
    ----------
    run : this package's handle on it, with more than McBackend's interface has.
    sampling : all that is told of it beside its draws; None if this process only reads it.
    """

    def __init__(self, meta: RunMeta, run: Run, *, mirror: bool = True, sampling: PyMCSampling | None = None) -> None:
        self.run = run
        self.sampling = sampling
        self._mirror = mirror
        self._chains: dict[int, HTTPChain] = {}
        super().__init__(meta)

    def init_chain(self, chain_number: int) -> HTTPChain:
        chain = self.run.init_chain(chain_number, mirror=self._mirror, casting="numpy")
        cmeta = ChainMeta(self.meta.rid, chain_number)
        self._chains[chain_number] = HTTPChain(cmeta, self.meta, chain, self.sampling)
        return self._chains[chain_number]

    def get_chains(self) -> tuple[HTTPChain, ...]:
        """All chains by number: this process's own, and those that others write."""
        for chain in self.run.get_chains():
            if chain.number not in self._chains:
                cmeta = ChainMeta(self.meta.rid, chain.number)
                self._chains[chain.number] = HTTPChain(cmeta, self.meta, chain)
        return tuple(self._chains[number] for number in sorted(self._chains))

    def flush(self, timeout: float = 60.0) -> None:
        """Waits until everything is on the server; see `mcbackend_edge.Run.flush`."""
        self.run.flush(timeout)

    @property
    def coords(self) -> dict[str, Array]:
        return self.run.coords

    @property
    def constant_data(self) -> dict[str, Array]:
        return self.run.constant_data

    @property
    def observed_data(self) -> dict[str, Array]:
        return self.run.observed_data

    def to_inferencedata(self, *, equalize_chain_lengths: bool = True, **kwargs: Any) -> arviz.InferenceData:
        """As `mcbackend.Run.to_inferencedata` gives it; with options of `mcbackend_edge.Run.to_inferencedata`, as that.

        ArviZ 1.x has no InferenceData: there it is a DataTree.
        """
        if ReadOptions.__annotations__.keys() & kwargs.keys():
            options = {"stat_names": "stored", **kwargs}
            return self.run.to_inferencedata(equalize_chain_lengths=equalize_chain_lengths, **options)
        return to_mcbackend_form(self.run, equalize_chain_lengths, **kwargs)


class HTTPBackend(Backend):
    """Stores the draws of `pm.sample` on a server while it samples.

        backend = HTTPBackend("https://draws.example.org", token="…")
        with model:
            idata = pm.sample(trace=backend)

    `mcbackend_edge.PyMCTrace` does the same without McBackend, and changes nothing of what `pm.sample` returns.

    Parameters
    ----------
    url, token, spool, interval, exit_timeout : see `mcbackend_edge.Client`.
    offline : start sampling even if the server cannot be reached; see `mcbackend_edge.Client.create_run`.
    name, tags, notes : those of the runs; see `mcbackend_edge.Run.set_about`.
    attributes : those of the runs: numbers, text, bools, lists, dicts, times, arrays.
    rid : the run's id, in place of the one that PyMC makes up. If a run of that id has draws already, the draws go
        to the next one of ``rid.2``, ``rid.3``, …
    facts : facts of the runs. The arguments of `pm.sample` are told without being asked for.
    capture : tell host, user, script and git's commit as well: True, False, or None for servers on this machine only.
    mirror : keep all draws in memory, from which PyMC reads them back. False reads them from the server.

    Name, tags and facts are told in the background, as is the environment, and with `close` or the end of the process
    (unless an error ends it) that the run is finished. They never hold up the sampler.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        spool: str | os.PathLike[str] | None = DEFAULT_SPOOL,
        interval: float = INTERVAL,
        exit_timeout: float = EXIT_TIMEOUT,
        offline: bool | None = None,
        name: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        rid: str | None = None,
        facts: Mapping[str, Any] | None = None,
        capture: bool | None = None,
        mirror: bool = True,
    ) -> None:
        self._beginning = Beginning.checked(name, tags, facts, notes)
        self.client = Client(url, token, spool=spool, interval=interval, exit_timeout=exit_timeout)
        self._attributes = dict(attributes or {})
        self._rid = rid
        self._capture = capture
        self._offline = offline
        self._mirror = mirror
        self._runs: list[HTTPRun] = []
        super().__init__()

    def init_run(self, meta: RunMeta) -> HTTPRun:
        """Registers a run. Its `attributes` are stored as McBackend serialises them, with those of the backend.

        So are coordinates and data, unless PyMC samples from a model: then they are the model's, as in the result of
        `pm.sample`. Labels that McBackend cannot serialise, such as dates, are else counted from 0, with a warning.
        """
        meta.rid = meta.rid or new_rid()
        raw = bytes(meta)
        call = current_call()
        model = sampled_model(raw, call)
        discards = {} if model is None else {"discard_tuned_samples": call.discard_tuned_samples is not False}
        attributes = {**discards, **self._attributes}
        if self._rid is None:
            run = self.client.register(mended(raw, meta.rid, model, attributes), offline=self._offline)
            fresh = fresh_run.FreshRun(run, None)
        else:
            fresh = fresh_run.begin(
                self.client, self._rid, lambda rid: mended(raw, rid, model, attributes), offline=self._offline
            )
            meta.rid = fresh.run.rid
        sampling = PyMCSampling(fresh, call, self._beginning, self.client.url, self._capture)
        # PyMC drops its handles when it has read the draws back. Runs with draws to send are kept here, for `flush`.
        held = [earlier for earlier in self._runs if earlier.run.pending]
        self._runs = [*held, HTTPRun(meta, fresh.run, mirror=self._mirror, sampling=sampling)]
        return self._runs[-1]

    @property
    def run(self) -> Run:
        """The run that was begun last.

        Raises
        ------
        McbError
            If there is none yet.
        """
        if not self._runs:
            raise McbError("there is no run yet: it begins with pm.sample(trace=...)")
        return self._runs[-1].run

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
        for run in self._runs:
            run.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left and ends the background thread; see `mcbackend_edge.Client.close`."""
        for run in self._runs:
            if run.sampling is not None:
                run.sampling.end()
        self.client.close(timeout)

    def get_run(self, rid: str) -> HTTPRun:
        """A run on the server.

        Raises
        ------
        mcbackend_edge.NotFoundError
        """
        run = self.client.run(rid)
        return HTTPRun(RunMeta().parse(run.meta.raw), run)

    def get_runs(self) -> pandas.DataFrame:
        """All runs: a DataFrame with index ``rid`` and columns ``created_at`` (UTC) and ``proto`` (RunMeta), by age.

        It asks for the metadata of each run; `Client.runs` lists them without.
        """
        import pandas

        summaries = sorted(self.client.runs(), key=lambda row: row.created_at)
        with ThreadPoolExecutor(4) as pool:
            metas = list(pool.map(lambda row: RunMeta().parse(self.client.run(row.rid).meta.raw), summaries))
        frame = pandas.DataFrame(
            {
                "created_at": [row.created_at for row in summaries],
                "rid": [row.rid for row in summaries],
                "proto": metas,
            },
            columns=["created_at", "rid", "proto"],
        )
        return frame.set_index("rid")
