"""Appends an ensemble's steps to the chains of its walkers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..ndarray import Array
from ..run import Run
from ..stat_names import RANDOM_STATE
from .layout import EnsembleLayout


class EnsembleWriter:
    """The chains of a run to which a process appends the steps of an ensemble: one for each walker.

    Parameters
    ----------
    start : number of steps that all chains have.
    """

    def __init__(self, run: Run, layout: EnsembleLayout, start: int) -> None:
        self.run = run
        self.layout = layout
        self.process = os.getpid()
        self._chains = [run.init_chain(walker, start=start) for walker in range(layout.nwalkers)]
        run.tolerate_conflicts()

    def append(self, draws: Mapping[str, Array], stats: Mapping[str, Array], random_state: str) -> None:
        """Adds one step.

        Parameters
        ----------
        draws, stats : columns by name, of shape (nwalkers, ...) each.
        random_state : the generator's behind this step.

        Raises
        ------
        McbError
            If nothing may be appended: another process has written these chains, or this one is a fork. Chains of
            the first walkers may then have the step.
        """
        for walker, chain in enumerate(self._chains):
            draw = {name: values[walker] for name, values in draws.items()}
            values: dict[str, Any] = {name: column[walker] for name, column in stats.items()}
            if walker == 0:
                values[RANDOM_STATE] = random_state
            chain.append(draw, values)

    def extend(self, walker: int, draws: Mapping[str, Array], stats: Mapping[str, Array], random_state: str) -> None:
        """Adds many steps of one walker.

        Parameters
        ----------
        draws, stats : columns by name, of shape (steps, ...) each.
        random_state : the generator's behind the last of them.
        """
        values: dict[str, Any] = dict(stats)
        if walker == 0:
            steps = len(next(iter(draws.values())))
            values[RANDOM_STATE] = [""] * (steps - 1) + [random_state]
        self._chains[walker].extend(draws, values)
