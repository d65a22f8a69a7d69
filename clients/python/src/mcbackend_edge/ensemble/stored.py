"""An ensemble as it is read from a run: the steps that all walkers have, and those that only some have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ndarray import Array
from ..run import Run
from ..stat_names import RANDOM_STATE
from .layout import ACCEPTED, LOG_PROB, EnsembleLayout
from .random_state import state_behind

# Walkers that are read at once.
_LANES = 4

Columns = tuple[dict[str, Array], dict[str, Array]]
"""Variables and stats by name."""


@dataclass
class StoredEnsemble:
    """The content of a run that an ensemble was stored in.

    Attributes
    ----------
    steps : number of those that all walkers have.
    chain, log_prob, accepted : arrays of shape (steps, nwalkers, ndim), and twice (steps, nwalkers).
    blobs : an array of shape (steps, nwalkers, ...), or None.
    random_state, last_keys : see `state_behind`.
    surplus : the steps behind those, which only some walkers have.
    """

    layout: EnsembleLayout
    steps: int
    chain: Array
    log_prob: Array
    accepted: Array
    blobs: Array | None
    random_state: Any
    last_keys: bytes
    surplus: Surplus

    @classmethod
    def read(cls, run: Run) -> StoredEnsemble | None:
        """The ensemble of the run; None if there is no step that all walkers have.

        Raises
        ------
        McbError
            If no ensemble was stored in this run.
        """
        layout = EnsembleLayout.of_run(run)
        lengths = run.lengths()
        stored = [lengths.get(walker, 0) for walker in range(layout.nwalkers)]
        steps = min(stored)
        if steps == 0:
            return None
        names, stats = list(run.variables), [name for name in run.sample_stats if name != RANDOM_STATE]

        def read(walker: int) -> Columns:
            return run.chain(walker).get_many(names, stats, slice(0, stored[walker]), progress=False)

        with ThreadPoolExecutor(_LANES) as pool:
            walkers = list(pool.map(read, range(layout.nwalkers)))
        draws, values = zip(*(_cut(columns, slice(0, steps)) for columns in walkers), strict=True)
        surplus = [_cut(columns, slice(steps, None)) for columns in walkers]
        if stored[0] > steps:
            texts = run.chain(0).get_stats(RANDOM_STATE, slice(steps, stored[0]), progress=False)
            surplus[0][1][RANDOM_STATE] = texts
        random_state, last_keys = state_behind(run.chain(0), steps)
        return cls(
            layout,
            steps,
            np.stack([layout.coords(columns) for columns in draws], axis=1),
            np.stack([columns[LOG_PROB] for columns in values], axis=1),
            np.stack([columns[ACCEPTED] for columns in values], axis=1),
            layout.joined_blobs(values),
            random_state,
            last_keys,
            Surplus(steps, surplus),
        )


@dataclass(frozen=True)
class Surplus:
    """Steps that some walkers have and others have not, since their process died while it sent them.

    The walk is gone on with from the last step that all have. It must give the same ones again: two walks in one run
    would be neither.

    Attributes
    ----------
    start : index of the first.
    walkers : for each, its variables and stats by name, of shape (n, ...) each.
    """

    start: int
    walkers: Sequence[Columns]

    @property
    def end(self) -> int:
        return self.start + max(len(stats[LOG_PROB]) for _, stats in self.walkers)

    def agrees_with(self, step: int, draws: Mapping[str, Array], stats: Mapping[str, Array], random_state: str) -> bool:
        """True if a step is the one that is stored, as far as it is.

        Parameters
        ----------
        draws, stats : its columns by name, of shape (nwalkers, ...) each.
        """
        index = step - self.start
        for walker, (stored_draws, stored_stats) in enumerate(self.walkers):
            if index >= len(stored_stats[LOG_PROB]):
                continue
            if not all(_is_same(values[index], draws[name][walker]) for name, values in stored_draws.items()):
                return False
            for name, values in stored_stats.items():
                if not _is_same(values[index], random_state if name == RANDOM_STATE else stats[name][walker]):
                    return False
        return True


def _cut(columns: Columns, part: slice) -> Columns:
    draws, stats = columns
    return {name: values[part] for name, values in draws.items()}, {
        name: values[part] for name, values in stats.items()
    }


def _is_same(stored: Any, mine: Any) -> bool:
    one, other = np.asarray(stored), np.asarray(mine)
    if one.dtype.kind == "U":
        return bool(np.array_equal(one, other))
    return one.tobytes() == np.ascontiguousarray(other, dtype=one.dtype).tobytes()
