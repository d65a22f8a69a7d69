"""`HTTPBackend`: a McBackend backend whose runs live on a server, for ``pm.sample(trace=HTTPBackend(...))``.

PyMC calls `append` from its main process and afterwards reads every single draw back. So appends only copy, a thread
sends them, and what this process has sampled is read from memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy
from mcbackend import Backend
from mcbackend import Chain as McbChain
from mcbackend import Run as McbRun
from mcbackend.meta import ChainMeta, RunMeta

from .client import DEFAULT_SPOOL, Client, new_rid
from .facts import environment, now
from .inference import ReadOptions, to_mcbackend_form
from .notices import Beginning
from .run import Chain, Run
from .schema import without_objects
from .uploader import EXIT_TIMEOUT, INTERVAL

if TYPE_CHECKING:
    import arviz
    import pandas

Array = numpy.ndarray[Any, numpy.dtype[Any]]


class HTTPChain(McbChain):
    """One chain: one that this process writes, or one that it only reads."""

    def __init__(self, cmeta: ChainMeta, rmeta: RunMeta, chain: Chain) -> None:
        self._chain = chain
        self._append = chain.append_to_log
        super().__init__(cmeta, rmeta)

    def append(self, draw: Mapping[str, Array], stats: Mapping[str, Array] | None = None) -> None:
        """Adds one iteration: copies it into a buffer, from which a background thread sends it."""
        self._append(draw, stats)

    def extend(self, draws: Mapping[str, Any], stats: Mapping[str, Any] | None = None) -> None:
        """Adds a block of iterations; see `mcbackend_edge.Chain.extend`."""
        self._chain.extend(draws, stats)

    def __len__(self) -> int:
        return len(self._chain)

    def get_draws(self, var_name: str, slc: slice = slice(None)) -> Array:
        return self._chain.get_draws(var_name, slc)

    def get_stats(self, stat_name: str, slc: slice = slice(None)) -> Array:
        return self._chain.get_stats(stat_name, slc)

    def get_draws_at(self, idx: int, var_names: Sequence[str]) -> dict[str, Array]:
        return self._chain.get_draws_at(idx, var_names)

    def get_stats_at(self, idx: int, stat_names: Sequence[str]) -> dict[str, Array]:
        return self._chain.get_stats_at(idx, stat_names)


class HTTPRun(McbRun):
    """One run. `run` is this package's handle on it, with more than McBackend's interface has."""

    def __init__(self, meta: RunMeta, run: Run) -> None:
        self.run = run
        self._chains: dict[int, HTTPChain] = {}
        super().__init__(meta)

    def init_chain(self, chain_number: int) -> HTTPChain:
        chain = self.run.init_chain(chain_number, mirror=True, casting="numpy")
        self._chains[chain_number] = HTTPChain(ChainMeta(self.meta.rid, chain_number), self.meta, chain)
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

    Parameters
    ----------
    url, token, spool, interval, exit_timeout : see `mcbackend_edge.Client`.
    offline : start sampling even if the server cannot be reached; see `mcbackend_edge.Client.create_run`.
    name, tags : those of the runs; see `mcbackend_edge.Run.set_about`.
    facts : facts of the runs. PyMC does not tell a backend how long it will sample: with
        ``{"expected": {"draws": 1000, "warmup": 1000}}`` the run is known to be done when it is.

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
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._beginning = Beginning.checked(name, tags, facts)
        self.client = Client(url, token, spool=spool, interval=interval, exit_timeout=exit_timeout)
        self._offline = offline
        self._runs: list[HTTPRun] = []
        super().__init__()

    def init_run(self, meta: RunMeta) -> HTTPRun:
        """Registers a run. Its `attributes`, coordinates and data are stored as McBackend serialises them.

        Labels that it cannot serialise, such as dates, are taken from the model in whose ``with`` block PyMC samples;
        else they are counted from 0.
        """
        meta.rid = meta.rid or new_rid()
        started_at = now()
        run = self.client.register(without_objects(bytes(meta), _labels_of_model(), {}), offline=self._offline)
        run.notices.is_whole = True
        packages = environment("pymc", "pytensor", "mcbackend", "arviz")
        run.notices.begin(self._beginning.with_facts({"startedAt": started_at, "environment": packages}))
        # PyMC drops its handles when it has read the draws back. Runs with draws to send are kept here, for `flush`.
        self._runs = [held for held in self._runs if held.run.pending] + [HTTPRun(meta, run)]
        return self._runs[-1]

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


def _labels_of_model() -> Mapping[str, Any]:
    """Labels of the model that PyMC samples, as far as it stands around the call."""
    pymc = sys.modules.get("pymc")
    model = pymc.modelcontext(None) if pymc is not None and pymc.Model.get_context(error_if_none=False) else None
    return {} if model is None else {name: labels for name, labels in model.coords.items() if labels is not None}
