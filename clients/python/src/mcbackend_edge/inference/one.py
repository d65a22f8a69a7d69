"""One variable or stat of several chains, without InferenceData and its libraries."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..ndarray import Array
from ..schema import Variable
from .download import download
from .extents import ChainChoice, spans
from .notes import Notes
from .stored import StoredRun


def read_variable(
    run: StoredRun,
    var: Variable,
    kind: Literal["variable", "stat"],
    *,
    chains: ChainChoice,
    draws: slice,
    warmup: bool,
    progress: bool | None,
) -> Array:
    """Draws of one variable or stat; see `mcbackend_edge.Run.get_draws`."""
    notes = Notes()
    taken = spans(run, chains, draws, wants_warmup=warmup, equalize=True, notes=notes)
    got = download(run, taken, *(([var], []) if kind == "variable" else ([], [var])), progress)
    notes.say(run.rid)
    column = (got.variables if kind == "variable" else got.stats)[var.name]
    if not warmup or not column.warmup.shape[1]:
        return column.posterior
    return np.concatenate([column.warmup, column.posterior], axis=1)
