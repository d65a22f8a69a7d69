"""A run as ArviZ's InferenceData (0.x) or DataTree (1.x), split into warmup and posterior."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from .ndarray import Array
from .progress import ProgressBar
from .reader import groups_by_size, wants_progress
from .schema import Variable
from .stat_names import arviz_names
from .warmup import is_warmup_flag, warmup_flag, warmup_length

if TYPE_CHECKING:
    import arviz
    import xarray

log = logging.getLogger("mcbackend_edge")

StatNames = Literal["arviz", "stored"]
Group = dict[str, list[Array]]


class StoredChain(Protocol):
    """The part of a chain that this file needs; `mcbackend_edge.Chain` has it."""

    def __len__(self) -> int: ...

    @property
    def number(self) -> int: ...

    @property
    def is_own(self) -> bool: ...

    def get_many(
        self, var_names: Sequence[str], stat_names: Sequence[str], slc: slice, *, progress: bool | None
    ) -> tuple[dict[str, Array], dict[str, Array]]: ...


class StoredRun(Protocol):
    """The part of a run that this file needs; `mcbackend_edge.Run` has it."""

    @property
    def rid(self) -> str: ...

    @property
    def variables(self) -> Mapping[str, Variable]: ...

    @property
    def sample_stats(self) -> Mapping[str, Variable]: ...

    @property
    def coords(self) -> Mapping[str, Array]: ...

    @property
    def dims(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def constant_data(self) -> Mapping[str, Array]: ...

    @property
    def observed_data(self) -> Mapping[str, Array]: ...

    @property
    def attributes(self) -> Mapping[str, Any]: ...

    def get_chains(self) -> Sequence[StoredChain]: ...

    def lengths(self) -> Mapping[int, int]: ...


@dataclass
class Groups:
    """Draws of all chains: by variable, an array of shape (draws, \\*shape) for each chain."""

    warmup_posterior: Group = field(default_factory=dict)
    posterior: Group = field(default_factory=dict)
    warmup_sample_stats: Group = field(default_factory=dict)
    sample_stats: Group = field(default_factory=dict)

    def items(self) -> list[tuple[str, Group]]:
        return list(vars(self).items())


def to_inferencedata(
    run: StoredRun,
    *,
    equalize_chain_lengths: bool = True,
    stat_names: StatNames = "arviz",
    progress: bool | None = None,
    **kwargs: Any,
) -> arviz.InferenceData:
    """Downloads a run as `arviz.InferenceData`.

    Parameters
    ----------
    equalize_chain_lengths : cut all chains to the shortest, with a warning. Otherwise chains of different lengths
        become object arrays, which much of ArviZ does not take.
    stat_names : "arviz" gives the stats ArviZ's names (``sampler_0__tree_size`` → ``n_steps``) and puts those of
        several samplers side by side; "stored" leaves them as they are, as McBackend does.
    progress : draw a progress bar; if not given, only where somebody is looking.
    **kwargs : for `arviz.from_dict`.

    Raises
    ------
    NotImplementedError
        If a variable has no fixed shape.
    """
    import arviz

    groups = collect(run, equalize_chain_lengths, stat_names, progress)
    values: dict[str, Any] = dict(groups.items())
    if not equalize_chain_lengths:
        values = {name: {var: _maybe_ragged(arrays) for var, arrays in group.items()} for name, group in values.items()}
    return arviz.from_dict(
        **values,
        coords=run.coords,
        dims=run.dims,
        attrs={name: _plain_attribute(value) for name, value in run.attributes.items()},
        constant_data=run.constant_data,
        observed_data=run.observed_data,
        save_warmup=True,
        **kwargs,
    )


def to_datatree(
    run: StoredRun,
    *,
    equalize_chain_lengths: bool = True,
    stat_names: StatNames = "arviz",
    progress: bool | None = None,
) -> xarray.DataTree:
    """Downloads a run as `xarray.DataTree`, which ArviZ 1.x works with; ArviZ itself is not needed.

    Parameters
    ----------
    equalize_chain_lengths : cut all chains to the shortest, with a warning. Otherwise the shorter ones are filled up
        with missing values, which turns integers into floats.

    The other parameters are those of `to_inferencedata`.
    """
    import xarray

    groups = collect(run, equalize_chain_lengths, stat_names, progress)
    datasets = {}
    for name, group in groups.items():
        dims = run.dims if name.endswith("posterior") else {}
        if group and any(len(array) for arrays in group.values() for array in arrays):
            datasets[name] = _sampled_dataset(group, run.coords, dims)
    for name, data in (("constant_data", run.constant_data), ("observed_data", run.observed_data)):
        if data:
            datasets[name] = _dataset(data, (), run.coords, run.dims)
    tree = xarray.DataTree.from_dict(datasets)
    tree.attrs.update({name: _plain_attribute(value) for name, value in run.attributes.items()})
    return tree


def collect(run: StoredRun, equalize: bool, stat_names: StatNames, progress: bool | None) -> Groups:
    """Downloads all draws and stats and splits each chain where its warmup ends."""
    ragged = [name for name, var in run.variables.items() if not var.is_rigid]
    if ragged:
        raise NotImplementedError(f"InferenceData has no place for variables without a fixed shape: {ragged}")
    chains = run.get_chains()
    lengths = _lengths(run, chains, equalize)
    flag = warmup_flag(run.sample_stats.values())
    if flag is None:
        log.warning("No 'tune' stat found. Assuming all iterations are posterior draws.")
    groups = Groups()
    total = sum(lengths) * (len(run.variables) + len(run.sample_stats))
    with ProgressBar(f"run {run.rid}: reading", total, "draws") as bar:
        done = 0
        for chain, length in zip(chains, lengths):
            draws, stats = {}, {}
            for names, of_stats in _requests(run, length):
                got = chain.get_many(
                    [] if of_stats else names, names if of_stats else [], slice(0, length), progress=False
                )
                draws.update(got[0])
                stats.update(got[1])
                done += length * len(names)
                if wants_progress(progress):
                    bar.update(done)
            end = warmup_length(stats[flag]) if flag else 0
            if stat_names == "arviz":
                # The groups tell warmup from posterior; the flags would say it again.
                flags = [stat.name for stat in run.sample_stats.values() if is_warmup_flag(stat)]
                stats = _renamed({name: array for name, array in stats.items() if name not in flags})
            for values, warmup, posterior in (
                (draws, groups.warmup_posterior, groups.posterior),
                (stats, groups.warmup_sample_stats, groups.sample_stats),
            ):
                for name, array in values.items():
                    warmup.setdefault(name, []).append(array[:end])
                    posterior.setdefault(name, []).append(array[end:])
    if equalize:
        _equalize_groups(groups)
    return groups


def _requests(run: StoredRun, length: int) -> list[tuple[list[str], bool]]:
    """Names to ask for together; True with those of stats."""
    draws = [([var.name for var in group], False) for group in groups_by_size(list(run.variables.values()), length)]
    stats = [([var.name for var in group], True) for group in groups_by_size(list(run.sample_stats.values()), length)]
    return draws + stats


def _lengths(run: StoredRun, chains: Sequence[StoredChain], equalize: bool) -> list[int]:
    """Number of draws that are taken of each chain: fixed now, for the run may be growing."""
    on_server = {} if all(chain.is_own for chain in chains) else run.lengths()
    lengths = {chain.number: len(chain) if chain.is_own else on_server[chain.number] for chain in chains}
    if len(set(lengths.values())) > 1:
        advice = "They are cut to the shortest." if equalize else "They are kept as they are."
        log.warning("Chains vary in length: %s. %s", lengths, advice)
        if equalize:
            return [min(lengths.values())] * len(lengths)
    return list(lengths.values())


def _equalize_groups(groups: Groups) -> None:
    """Cuts the chains of a group to the shortest where they had warmups of different lengths."""
    for name, group in groups.items():
        counts = {len(array) for arrays in group.values() for array in arrays}
        if len(counts) > 1:
            log.warning(
                "The chains' parts of %s vary in length: %s. They are cut to the shortest.", name, sorted(counts)
            )
            for var, arrays in group.items():
                group[var] = [array[: min(counts)] for array in arrays]


def _renamed(stats: Mapping[str, Array]) -> dict[str, Array]:
    renamed = {}
    for name, members in arviz_names(stats).items():
        arrays = [stats[member] for member in members]
        can_stack = len({array.shape for array in arrays}) == 1
        if len(arrays) == 1 or not can_stack:
            renamed.update({name if len(arrays) == 1 else member: stats[member] for member in members})
        else:
            renamed[name] = np.stack(arrays, axis=1)
    return renamed


def _maybe_ragged(arrays: Sequence[Array]) -> Array:
    """The chains in one array; an object array of shape (chains,) where their lengths differ, as McBackend gives it."""
    if len({array.shape for array in arrays}) > 1:
        ragged = np.empty(len(arrays), dtype=object)
        ragged[:] = list(arrays)
        return ragged
    return np.array(arrays)


def _plain_attribute(value: Any) -> Any:
    """An attribute in a form that NetCDF can hold."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (dt.datetime, dt.timedelta)):
        return value.isoformat() if isinstance(value, dt.datetime) else value.total_seconds()
    if value is None or isinstance(value, (dict, list)):
        return json.dumps(value)
    return value


def _sampled_dataset(group: Group, coords: Mapping[str, Array], dims: Mapping[str, Sequence[str]]) -> xarray.Dataset:
    import xarray

    chains = len(next(iter(group.values())))
    if all(len({array.shape for array in arrays}) == 1 for arrays in group.values()):
        whole = {name: np.array(arrays) for name, arrays in group.items()}
        return _dataset(whole, ("chain", "draw"), coords, dims)
    parts = [
        _dataset({name: arrays[chain][None] for name, arrays in group.items()}, ("chain", "draw"), coords, dims)
        for chain in range(chains)
    ]
    return xarray.concat([part.assign_coords(chain=[i]) for i, part in enumerate(parts)], dim="chain", join="outer")


def _dataset(
    values: Mapping[str, Array],
    leading: tuple[str, ...],
    coords: Mapping[str, Array],
    dims: Mapping[str, Sequence[str]],
) -> xarray.Dataset:
    """A dataset with ArviZ's conventions: dimensions without a name are called ``theta_dim_0`` and counted from 0."""
    import xarray

    arrays = {}
    for name, array in values.items():
        own = list(dims.get(name, ()))
        rest = array.ndim - len(leading)
        names = (*leading, *own, *(f"{name}_dim_{i}" for i in range(len(own), rest)))
        labels = {dim: coords.get(dim, np.arange(size)) for dim, size in zip(names, array.shape)}
        arrays[name] = xarray.DataArray(array, dims=names, coords=labels)
    return xarray.Dataset(arrays)
