"""A run as InferenceData or DataTree, group by group."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from ..ndarray import Array
from ..results.layout import STATS_AS_THEY_ARE, absent_in, drawn_labels
from .attributes import Attributes, attributes_of
from .dimensions import Axes, Fitting, Numbering
from .download import Draws, download
from .extents import ChainChoice, flag_of, spans
from .groups import Plan, StatNames
from .notes import Notes, listed, log
from .selection import FilterVars
from .stored import StoredRun

if TYPE_CHECKING:
    import xarray

_LEADING = ("chain", "draw")


class ReadOptions(TypedDict, total=False):
    """The options of `to_inferencedata` and `to_datatree`, which tells about each."""

    var_names: str | Sequence[str] | None
    filter_vars: FilterVars
    chains: ChainChoice
    draws: slice
    warmup: bool | None
    warnings: bool
    equalize_chain_lengths: bool
    stat_names: StatNames
    progress: bool | None


def to_datatree(
    run: StoredRun,
    *,
    var_names: str | Sequence[str] | None = None,
    filter_vars: FilterVars = None,
    chains: ChainChoice = "auto",
    draws: slice = slice(None),
    warmup: bool | None = None,
    warnings: bool = False,
    equalize_chain_lengths: bool = True,
    stat_names: StatNames = "arviz",
    progress: bool | None = None,
) -> xarray.DataTree:
    """Downloads a run as `xarray.DataTree`, which ArviZ 1.x works with; ArviZ itself is not needed.

    Parameters
    ----------
    var_names, filter_vars : the variables that are downloaded, all if not given, as ArviZ takes them: names; with
        ``filter_vars="like"`` parts of names, with "regex" regular expressions; with ``~`` before them they are left
        out. Stats and data are always there.
    chains : "auto" keeps the chains that give the most draws behind warmup when they are cut to the shortest of them,
        as PyMC does after an interruption, and a warning names the others; "all"; or a list of chain numbers.
    draws : a slice of the draws behind warmup.
    warmup : True gives the groups of warmup as well, False does not; if not given, they are there if the run has such
        draws, unless it was sampled with ``discard_tuned_samples``, as PyMC samples by default.
    warnings : read the stat ``warning`` of PyMC too, pickled objects that take more bytes than all draws.
    equalize_chain_lengths : cut all chains to the shortest of those that are read. Otherwise the shorter ones are
        filled up with missing values, which turns integers into floats.
    stat_names : "arviz" gives the stats ArviZ's names (``sampler_0__tree_size`` → ``n_steps``) and puts those of
        several samplers side by side; "stored" leaves them as they are, as McBackend does.
    progress : draw a progress bar; if not given, only where somebody is looking.

    Returns
    -------
    Groups as ArviZ names them, none of them empty. The coordinate ``chain`` holds the numbers of the chains, except
    that "auto" counts PyMC's chains from 0, as PyMC does after an interruption; ``draw`` is the index behind warmup.
    Variables that do not fit (the shape varies, dimensions contradict each other) are left out or get dimensions of
    their own; one warning says so.

    Raises
    ------
    UnknownVariableError
        If the run has no variable of a name.
    TypeError, ValueError
        If the arguments make no sense.
    """
    import xarray

    read = _read(
        run,
        "tree",
        var_names=var_names,
        filter_vars=filter_vars,
        chains=chains,
        draws=draws,
        warmup=warmup,
        warnings=warnings,
        equalize_chain_lengths=equalize_chain_lengths,
        stat_names=stat_names,
        progress=progress,
    )
    tree = xarray.DataTree.from_dict({name: group.dataset(sample_dims=True) for name, group in read.groups.items()})
    tree.attrs.update(read.attributes.root)
    return tree


def to_inferencedata(run: StoredRun, **options: Any) -> Any:
    """Downloads a run as `arviz.InferenceData`; as a `xarray.DataTree` where ArviZ is 1.x, which has no InferenceData.

    Parameters
    ----------
    **options : those of `to_datatree`. With ArviZ 0.x all others go to `arviz.from_dict`, whose groups are added.

    Raises
    ------
    ImportError
        If ArviZ is not installed.
    """
    try:
        import arviz
    except ImportError as error:
        raise ImportError(
            "ArviZ is not installed: pip install 'mcbackend-edge[arviz]'. run.to_datatree() does without"
        ) from error
    if int(arviz.__version__.split(".")[0]) >= 1:
        return to_datatree(run, **options)
    known = ReadOptions.__annotations__
    more = {name: options.pop(name) for name in list(options) if name not in known}
    if set(more) and not set(more) <= set(arviz.from_dict.__kwdefaults__ or ()):
        raise TypeError(f"to_inferencedata has no options {sorted(more)}; it has {', '.join(known)}")
    read = _read(run, "inferencedata", **options)
    groups = {name: group.dataset(arviz_version=arviz.__version__) for name, group in read.groups.items()}
    idata = arviz.InferenceData(attrs=read.attributes.root, **groups)
    if more:
        added = arviz.from_dict(**{"coords": run.meta.coords, "dims": run.meta.dims, **more})
        idata.extend(added, join="right")
    return idata


@dataclass(frozen=True)
class _Group:
    values: Mapping[str, Array]
    axes: Axes
    leading_labels: tuple[Array, ...]
    attributes: Mapping[str, Any]
    are_kept: bool = False

    def dataset(self, *, sample_dims: bool = False, **attributes: Any) -> xarray.Dataset:
        """
        Parameters
        ----------
        sample_dims : tell the dimensions of the draws, as ArviZ 1.x does.
        """
        import xarray

        sizes: dict[str, int] = {}
        variables = {}
        for name, array in self.values.items():
            dims = (*self.axes.leading, *self.axes.dims[name])
            sizes.update(zip(dims, array.shape))
            variables[self.axes.names[name]] = xarray.Variable(dims, array)
        labels = dict(zip(self.axes.leading, self.leading_labels))
        coords = {
            dim: (dim, labels.get(dim, self.axes.labels.get(dim, np.arange(size)))) for dim, size in sizes.items()
        }
        told = {**({"sample_dims": list(self.axes.leading)} if sample_dims else {}), **attributes}
        return xarray.Dataset(variables, coords, {**self.attributes, **({} if self.are_kept else told)})


@dataclass(frozen=True)
class _Read:
    groups: dict[str, _Group]
    attributes: Attributes


def _read(
    run: StoredRun,
    form: Literal["tree", "inferencedata"],
    *,
    var_names: str | Sequence[str] | None = None,
    filter_vars: FilterVars = None,
    chains: ChainChoice = "auto",
    draws: slice = slice(None),
    warmup: bool | None = None,
    warnings: bool = False,
    equalize_chain_lengths: bool = True,
    stat_names: StatNames = "arviz",
    progress: bool | None = None,
) -> _Read:
    notes = Notes()
    plan = Plan.of(
        run, var_names=var_names, filter_vars=filter_vars, stat_names=stat_names, warnings=warnings, notes=notes
    )
    if flag_of(run) is None and not {"inference_library", STATS_AS_THEY_ARE} & set(run.attributes):
        log.warning("No 'tune' stat found. Assuming all iterations are posterior draws.")
    wants_warmup = run.attributes.get("discard_tuned_samples") is not True if warmup is None else warmup
    taken = spans(run, chains, draws, wants_warmup=wants_warmup, equalize=equalize_chain_lengths, notes=notes)
    got = download(run, taken, *plan.columns, progress)
    numbering: Numbering = "axis" if form == "inferencedata" or _arviz_release() == 0 else "unnamed"
    fitting = Fitting(run.meta.coords, numbering, form == "inferencedata", notes)
    attributes = attributes_of(run, max((span.warmup_length for span in taken), default=0))
    numbers = _chain_labels(run, chains, [span.chain.number for span in taken], notes)
    posterior_labels = max((span.labels for span in taken), key=len, default=range(0))
    warmup_labels = max((span.warmup for span in taken), key=len, default=range(0))

    groups: dict[str, _Group] = {}

    def add(name: str, columns: Mapping[str, Draws], dims: Mapping[str, Sequence[str]]) -> None:
        if not columns:
            return
        shapes = {column: drawn.posterior.shape[2:] for column, drawn in columns.items()}
        axes = fitting.fit(shapes, dims, _LEADING)
        for prefix, labels in (("warmup_", warmup_labels), ("", posterior_labels)):
            if len(labels):
                absent = absent_in(run.attributes, prefix + name)
                values = {
                    n: drawn.warmup if prefix else drawn.posterior for n, drawn in columns.items() if n not in absent
                }
                if not values:
                    continue
                leading = (numbers, drawn_labels(run.attributes, f"{prefix}posterior", labels))
                held = attributes.of(prefix + name, attributes.sampled)
                groups[prefix + name] = _Group(values, axes, leading, held, attributes.kept is not None)

    for name, variables in (("posterior", plan.posterior), ("unconstrained_posterior", plan.unconstrained)):
        add(name, {var.name: got.variables[var.name] for var in variables}, {var.name: var.dims for var in variables})
    add(
        "sample_stats",
        {stat.name: stat.draws(got.stats) for stat in plan.stats},
        {stat.name: stat.dims for stat in plan.stats},
    )
    for name, is_observed in (("observed_data", True), ("constant_data", False)):
        data = {item.name: item for item in run.meta.data if item.is_observed == is_observed}
        if data:
            shapes = {key: item.value.shape for key, item in data.items()}
            axes = fitting.fit(shapes, {key: item.dims for key, item in data.items()}, ())
            values = {key: item.value for key, item in data.items()}
            held = attributes.of(name, attributes.data)
            is_widened = is_observed and _arviz_release() == 0 and attributes.kept is None
            values, axes = _at_least_one_axis(values, axes) if is_widened else (values, axes)
            groups[name] = _Group(values, axes, (), held, attributes.kept is not None)
    notes.say(run.rid)
    return _Read(groups, attributes)


def _arviz_release() -> int:
    """The first number of ArviZ's version, without importing it; 1 if it is not installed."""
    try:
        return int(importlib.metadata.version("arviz").split(".")[0])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return 1


def _at_least_one_axis(values: Mapping[str, Array], axes: Axes) -> tuple[dict[str, Array], Axes]:
    """Observed scalars as vectors of one element, as ArviZ 0.x gives them."""
    taken = {dim for dims in axes.dims.values() for dim in dims} | set(axes.names.values())
    dims = dict(axes.dims)
    for name in [name for name, value in values.items() if not value.ndim]:
        axis = f"{axes.names[name]}_dim_0"
        if axis not in taken:
            dims[name] = (axis,)
    widened = {name: value[np.newaxis] if dims[name] != axes.dims[name] else value for name, value in values.items()}
    return widened, replace(axes, dims=dims)


def _chain_labels(run: StoredRun, choice: ChainChoice, numbers: Sequence[int], notes: Notes) -> Array:
    """Labels of ``chain``: the numbers, except that PyMC counts the chains anew that it keeps after an interruption."""
    counted = list(range(len(numbers)))
    is_pymcs = run.attributes.get("inference_library") == "pymc" and STATS_AS_THEY_ARE not in run.attributes
    if not (isinstance(choice, str) and choice == "auto") or not is_pymcs or list(numbers) == counted:
        return np.array(numbers, dtype=np.int64)
    notes.add(f"chain {listed(numbers)} counted from 0, as PyMC does; chains={list(numbers)[:8]} keeps the numbers")
    return np.array(counted, dtype=np.int64)
