"""A run as McBackend's own `Run.to_inferencedata` gives it: with empty groups, and stats under their stored names."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import Array
from ..reader import groups_by_size
from ..warmup import warmup_length
from .attributes import plain_attribute
from .convert import to_datatree
from .extents import flag_of
from .stored import StoredChain, StoredRun

log = logging.getLogger("mcbackend_edge")

_GROUPS = ("warmup_posterior", "posterior", "warmup_sample_stats", "sample_stats")


def to_mcbackend_form(run: StoredRun, equalize: bool, **more: Any) -> Any:
    """Downloads a run.

    Parameters
    ----------
    equalize : cut all chains to the shortest. Otherwise those of different lengths become object arrays.
    more : for `arviz.from_dict`.

    Raises
    ------
    NotImplementedError
        If a variable has no fixed shape.
    """
    import arviz

    is_datatree = int(arviz.__version__.split(".")[0]) >= 1
    if is_datatree and not equalize:
        return to_datatree(run, equalize_chain_lengths=equalize, stat_names="stored", warnings=True, **more)
    ragged = [name for name, var in run.variables.items() if not var.is_rigid]
    if ragged:
        raise NotImplementedError(f"InferenceData has no place for variables without a fixed shape: {ragged}")
    chains = run.get_chains()
    flag = flag_of(run)
    if flag is None:
        log.warning("No 'tune' stat found. Assuming all iterations are posterior draws.")
    groups: dict[str, dict[str, list[Array]]] = {name: {} for name in _GROUPS}
    for chain, length in zip(chains, _lengths(run, chains, equalize)):
        draws, stats = _columns(run, chain, length)
        end = warmup_length(stats[flag.name]) if flag is not None else 0
        for kind, columns in (("posterior", draws), ("sample_stats", stats)):
            for name, array in columns.items():
                groups[f"warmup_{kind}"].setdefault(name, []).append(array[:end])
                groups[kind].setdefault(name, []).append(array[end:])
    if equalize:
        _equalize(groups)
    values: dict[str, Any] = {
        group: {name: _joined(of) for name, of in columns.items()} for group, columns in groups.items()
    }
    values.update(constant_data=run.meta.constant_data, observed_data=run.meta.observed_data)
    attrs = {name: plain_attribute(value) for name, value in run.attributes.items()}
    described = {"coords": run.meta.coords, "dims": run.meta.dims, "save_warmup": True, **more}
    if is_datatree:
        return arviz.from_dict(values, attrs={"/": attrs}, **described)
    return arviz.from_dict(**values, attrs=attrs, **described)


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


def _columns(run: StoredRun, chain: StoredChain, length: int) -> tuple[dict[str, Array], dict[str, Array]]:
    draws: dict[str, Array] = {}
    stats: dict[str, Array] = {}
    for group in groups_by_size(list(run.variables.values()), length):
        draws.update(chain.get_many([var.name for var in group], [], slice(0, length), progress=False)[0])
    for group in groups_by_size(list(run.sample_stats.values()), length):
        stats.update(chain.get_many([], [stat.name for stat in group], slice(0, length), progress=False)[1])
    return draws, stats


def _equalize(groups: Mapping[str, dict[str, list[Array]]]) -> None:
    """Cuts the chains of a group to the shortest where they had warmups of different lengths."""
    for columns in groups.values():
        counts = {len(array) for arrays in columns.values() for array in arrays}
        if len(counts) > 1:
            for name, arrays in columns.items():
                columns[name] = [array[: min(counts)] for array in arrays]


def _joined(arrays: Sequence[Array]) -> Array:
    """The chains in one array; an object array of shape (chains,) where their lengths differ."""
    if len({array.shape for array in arrays}) > 1:
        ragged = np.empty(len(arrays), dtype=object)
        ragged[:] = list(arrays)
        return ragged
    return np.array(arrays)
