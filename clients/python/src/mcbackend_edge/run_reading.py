"""The half of a run's handle that reads: metadata, draws of all chains, conversions, and the run as it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from .about import AboutPath, RunAbout
from .chain_reading import ALL
from .checks import RunChecks, read_checks
from .elements import ElementIndex
from .errors import McbError, UnknownVariableError
from .events import Feed
from .inference import ChainChoice, ReadOptions, StoredChain, read_variable, to_datatree, to_inferencedata
from .names import check_rid
from .ndarray import Array
from .netcdf import save_netcdf
from .schema import RunMeta, Variable
from .shown_run import GLANCE_TIMEOUT, Glance, run_html
from .summary import Convention, IntervalKind, SummaryQuestion, Warmup, read_summary
from .traces import Trace, TraceQuestion, read_trace
from .transport import Transport

if TYPE_CHECKING:
    import pandas
    import xarray


class RunReading:
    """Reads a run; `mcbackend_edge.Run` also writes it."""

    def __init__(self, meta: RunMeta, transport: Transport) -> None:
        self.meta = meta
        self.path = f"/v1/runs/{check_rid(meta.rid)}"
        self.variables: Mapping[str, Variable] = {var.name: var for var in meta.variables}
        self.sample_stats: Mapping[str, Variable] = {var.name: var for var in meta.sample_stats}
        self._transport = transport

    def __repr__(self) -> str:
        return f"Run({self.rid!r}, {len(self.variables)} variables, {len(self.sample_stats)} sample stats)"

    def _repr_html_(self) -> str:
        return run_html(self)

    @property
    def rid(self) -> str:
        return self.meta.rid

    @property
    def coords(self) -> dict[str, Array]:
        return dict(self.meta.coords)

    @property
    def dims(self) -> dict[str, list[str]]:
        return self.meta.dims

    @property
    def constant_data(self) -> dict[str, Array]:
        return self.meta.constant_data

    @property
    def observed_data(self) -> dict[str, Array]:
        return self.meta.observed_data

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.meta.attributes)

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request of this handle."""
        raise NotImplementedError

    @property
    def own_lengths(self) -> dict[int, int]:
        """Length of each chain that this process writes."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """Number of iterations that this process has appended and the server has not acknowledged."""
        raise NotImplementedError

    def get_chains(self) -> Sequence[StoredChain]:
        """All chains, by number."""
        raise NotImplementedError

    def about(self) -> RunAbout:
        """Name, tags, notes and facts of the run."""
        raise NotImplementedError

    @property
    def server_url(self) -> str:
        return self._transport.url

    def lengths(self) -> dict[int, int]:
        """Length of each chain on the server, by number."""
        return self._transport.request("GET", f"{self.path}/chains", headers=self.headers).lengths()

    def watch(self, interval: float = 0.0, *, idle: float | None = None) -> Iterator[dict[int, int]]:
        """Follows a run while it is being written: the chains' lengths, at once and whenever they have changed.

            for lengths in run.watch():
                theta = run.chain(0).get_draws("theta", slice(-100, None))

        The server tells every change, over a connection that is made anew when it breaks. It ends when the run is
        deleted. A slow reader misses steps, and sees the latest state.

        Parameters
        ----------
        interval : seconds between two steps, at least.
        idle : stop after so many seconds without a change; None goes on until the caller breaks out.

        Raises
        ------
        NotFoundError, RunReplacedError, ServerUnreachableError
            If the run cannot be watched at the beginning.
        """
        seen: dict[int, int] | None = None
        with Feed(self._transport, f"{self.path}/events", lambda: self.headers) as feed:
            while (lengths := feed.wait_for_change(seen, idle)) is not None:
                seen = lengths
                yield dict(lengths)
                time.sleep(interval)

    def get_draws(
        self,
        var_name: str,
        *,
        chains: ChainChoice = "auto",
        draws: slice = ALL,
        warmup: bool = False,
        progress: bool | None = None,
    ) -> Array:
        """Draws of a variable from several chains: an array of shape (chains, draws, \\*shape).

            run.get_draws("theta", draws=slice(-100, None))

        Parameters
        ----------
        chains : "auto", the chains that give the most draws when they are cut to the shortest of them, with a warning
            that names the others; "all"; or a list of chain numbers.
        draws : a slice of the draws behind warmup.
        warmup : put the draws of warmup before them.

        Returns
        -------
        If the variable's shape varies, an object array of shape (chains, draws), of arrays.

        Raises
        ------
        UnknownVariableError
        TypeError, ValueError
            If the arguments make no sense, or name a chain that the run does not have.
        """
        var = self._known(var_name, self.variables, "variable")
        return read_variable(self, var, "variable", chains=chains, draws=draws, warmup=warmup, progress=progress)

    def get_stats(
        self,
        stat_name: str,
        *,
        chains: ChainChoice = "auto",
        draws: slice = ALL,
        warmup: bool = False,
        progress: bool | None = None,
    ) -> Array:
        """Values of a sampler stat, under its stored name; as `get_draws`."""
        stat = self._known(stat_name, self.sample_stats, "sampler stat")
        return read_variable(self, stat, "stat", chains=chains, draws=draws, warmup=warmup, progress=progress)

    def trace(
        self,
        var_names: str | Sequence[str] = (),
        *,
        stat_names: str | Sequence[str] = (),
        elements: Iterable[ElementIndex] | None = None,
        chains: Sequence[int] | None = None,
        draws: slice = ALL,
        buckets: int = 1000,
    ) -> Trace:
        """Few draws of all chains, for a plot: of each bucket the first, the least, the greatest and the last.

            for chain in run.trace("mu", draws=slice(-10_000, None)).elements[0].chains:
                axes.plot(chain.at, chain.values, label=chain.chain)

        A line through them covers the pixels of one through all draws, if the plot is `buckets` pixels wide: no spike
        is lost. Infinities are kept like other numbers; a bucket with NaN keeps one. All draws of a bucket with at most
        four are there. Draws that this process has just appended are there once they were sent (`Run.flush`).

        Parameters
        ----------
        var_names, stat_names : variables and sampler stats of fixed shape; without any, all such variables.
        elements : indices into the flattened value of the one that is named, and slices of such, as in
            `Chain.get_draws`. A trace has at most 100 elements.
        chains : their numbers, in this order; all of them if not given.
        draws : a slice of the iterations of the longest of these chains, warmup included.
        buckets : equal parts of the slice, the same for all chains; 10,000 at most.

        Raises
        ------
        UnknownVariableError
        TypeError, ValueError, IndexError
            If the arguments make no sense; `NotFoundError` for a chain that is not there.
        PayloadTooLargeError
            For more values than a server goes through at once.
        OldServerError
        """
        columns = self._columns(var_names, stat_names)
        if not columns:
            rigid = (var for var in self.variables.values() if var.is_rigid and var.dtype != "str")
            columns = [("var", var) for var in rigid]
        question = TraceQuestion.of(columns, elements, chains, draws, buckets)
        return read_trace(self._transport, self.path, self.headers, question)

    def summary(
        self,
        var_names: str | Sequence[str] | None = None,
        *,
        stat_names: str | Sequence[str] | None = None,
        elements: Iterable[ElementIndex] | None = None,
        chains: Sequence[int] | None = None,
        warmup: Warmup = "exclude",
        convention: Convention = "posterior",
        ci_kind: IntervalKind = "eti",
        ci_prob: float = 0.89,
        columns: str | Sequence[str] | None = None,
        sort: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        progress: bool | None = None,
    ) -> pandas.DataFrame:
        """Means, intervals, Monte Carlo errors, ESS and R-hat of each scalar: a row a scalar, under its label.

            run.summary(sort="-rhat", limit=20)
            run.summary("theta", convention="arviz", ci_kind="hdi", ci_prob=0.94).loc["theta[Choate]", "ess_bulk"]

        The server computes them, also while the run is sampled: all figures are of the same draws, the first ones of
        the chains that are long enough. Draws that this process has just appended count once they were sent
        (`Run.flush`).

        Parameters
        ----------
        var_names, stat_names : variables and sampler stats; without any, all variables of numbers of fixed shape.
        elements : indices into the flattened value of the one that is named, and slices of such, as in
            `Chain.get_draws`.
        chains : their numbers; if not given, those that have at least half as many draws as the median chain.
        warmup : "exclude", "include" or "only".
        convention : definitions of R's posterior, or of arviz-stats, where the two differ.
        ci_kind, ci_prob : the interval of the columns ``lb`` and ``ub``: "eti" or "hdi", and its probability.
        columns : those of the result, of which no others are computed: ``mean``, ``sd``, ``median``, ``mad``, ``lb``,
            ``ub``, ``mcse_mean``, ``mcse_sd``, ``ess_bulk``, ``ess_tail``, ``rhat``, ``pareto_khat``; if not given, all
            but ``mad`` and ``pareto_khat``.
        sort : one of the columns, with ``-`` before it for the greatest first.
        limit : rows at most; all if not given.
        timeout : seconds after which figures that are not computed yet are NaN; None waits for all.
        progress : draw a progress bar; if not given, only where somebody is looking.

        Returns
        -------
        A DataFrame of float64. A figure that does not exist is NaN. Its ``attrs`` tell ``rid``, ``registration``,
        ``convention``, ``ci``, ``warmup``, ``chains`` (draws by number), ``draws`` (those of each chain that are
        used), ``left_out`` (reasons by chain and variable), ``complete`` and ``reasons`` (of NaN: by label and column,
        ``constant``, ``too_few``, ``nan``, ``infinite`` or ``pending``).

        Raises
        ------
        UnknownVariableError
        TypeError, ValueError, IndexError
            If the arguments make no sense; `NotFoundError` for a chain that is not there.
        ImportError
            If pandas is not installed, which comes with xarray.
        PayloadTooLargeError
            For more values than a server computes at once, such as those that rows are sorted by.
        OldServerError
        """
        question = SummaryQuestion.of(
            self._columns(var_names or (), stat_names or ()),
            elements,
            chains,
            columns,
            limit,
            warmup=warmup,
            convention=convention,
            ci_kind=ci_kind,
            ci_prob=ci_prob,
            sort=sort,
        )
        return read_summary(self._transport, self.path, self.headers, question, timeout=timeout, progress=progress)

    def checks(self, *, timeout: float | None = None) -> RunChecks:
        """Findings that tell whether the run can be trusted, with the number, the threshold's source, and what to do.

            print(run.checks())

        The server judges convergence (R-hat, ESS), divergences and where they are, energies, tree depths, chains that
        are silent or stuck, and values that are not finite; and says which chain is to blame. Draws that this process
        has just appended count once they were sent (`Run.flush`).

        Parameters
        ----------
        timeout : seconds after which checks whose numbers are not computed yet are ``unknown``; None waits for all.

        Raises
        ------
        PayloadTooLargeError
            For longer chains than a server judges.
        NotFoundError, RunReplacedError, OldServerError
        """
        return read_checks(self._transport, self.path, self.headers, timeout)

    def to_inferencedata(self, **options: Any) -> Any:
        """The run as `arviz.InferenceData`; as DataTree where ArviZ is 1.x, which has no InferenceData.

        Takes the options of `to_datatree`. With ArviZ 0.x all others go to `arviz.from_dict`, whose groups are added.
        """
        return to_inferencedata(self, **options)

    def to_datatree(self, **options: Unpack[ReadOptions]) -> xarray.DataTree:
        """The run as `xarray.DataTree`, as ArviZ 1.x keeps it.

            run.to_datatree(var_names=["mu", "tau"], draws=slice(-500, None), warmup=False)

        The options are ``var_names``, ``filter_vars``, ``chains``, ``draws``, ``warmup``, ``warnings``,
        ``equalize_chain_lengths``, ``stat_names`` and ``progress``; `mcbackend_edge.inference.to_datatree` tells about
        each.
        """
        return to_datatree(self, **options)

    def to_netcdf(self, path: str | os.PathLike[str], *, patience: float = 60.0) -> Path:
        """Saves the run as the server has it now as a netCDF-4 file, for ArviZ, xarray, R and others.

            run.to_netcdf("radon.nc")
            arviz.from_netcdf("radon.nc")

        The server makes the file, so that it needs neither memory nor xarray here: all chains, cut to the shortest,
        with the groups and names of ``to_datatree(chains="all")``. Draws that `pending` counts are not in it. A file
        of this name is replaced when the new one is whole; where the connection breaks, the download goes on.

        Parameters
        ----------
        patience : seconds without progress after which it is given up.

        Returns
        -------
        The path.

        Raises
        ------
        NotFoundError, RunReplacedError, OldServerError, ServerUnreachableError
        """
        target = Path(path)
        save_netcdf(self._transport, self.path, self.headers, target, patience)
        return target

    def _columns(self, var_names: str | Sequence[str], stat_names: str | Sequence[str]) -> list[tuple[str, Variable]]:
        """Variables and sampler stats that are named, each once, with ``var`` or ``stat``."""
        variables, stats = ([names] if isinstance(names, str) else list(names) for names in (var_names, stat_names))
        columns = [("var", self._known(name, self.variables, "variable")) for name in dict.fromkeys(variables)]
        columns += [("stat", self._known(name, self.sample_stats, "sampler stat")) for name in dict.fromkeys(stats)]
        return columns

    def _known(self, name: str, known: Mapping[str, Variable], what: str) -> Variable:
        try:
            return known[name]
        except KeyError:
            raise UnknownVariableError(f"run {self.rid} has no {what} {name!r}") from None

    def glance(self) -> Glance:
        """State and lengths, if the server tells them at once, for a notebook that must not wait."""
        document = AboutPath(self._transport, self.rid, self.path, self.headers, patience=0.0, timeout=GLANCE_TIMEOUT)
        about, lengths = None, None
        with suppress(McbError):
            chains = f"{self.path}/chains"
            answer = self._transport.request("GET", chains, headers=self.headers, patience=0.0, timeout=GLANCE_TIMEOUT)
            lengths = {**answer.lengths(), **self.own_lengths}
            about = document.read()
        return Glance(about, lengths)
