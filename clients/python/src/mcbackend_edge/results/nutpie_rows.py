"""The draws that a nutpie sampler has at this moment, row by row, from its Arrow tables.

`sampler.inspect()` converts the whole trace each time, and fills up shorter chains with missing values. The tables
beneath have the draws that are there and no others, and give a few rows for little.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ndarray import Array
from ..schema import Variable
from .layout import as_text

# nutpie's name of the stat that marks warmup.
_TUNING = "tuning"


class Rows:
    """One chain at one moment.

    Attributes
    ----------
    length : draws that it has.
    warmup : those at the beginning that are warmup.
    """

    def __init__(self, draws: Any, stats: Any) -> None:
        self._tables = {True: stats, False: draws}
        self.length = min(int(draws.num_rows), int(stats.num_rows))
        self.warmup = int(np.asarray(stats.column(_TUNING).to_numpy())[: self.length].sum())

    def block(self, variable: Variable, begin: int, end: int, *, is_stat: bool) -> Array:
        """Values of a variable or stat: an array of shape (end - begin, \\*shape)."""
        import pyarrow

        array = pyarrow.array(self._tables[is_stat].slice(begin, end - begin).column(variable.name))
        is_there = np.asarray(array.is_valid())
        held = array.drop_null()
        flat = held.flatten() if hasattr(held, "flatten") else held
        values = flat.to_numpy(zero_copy_only=False).reshape((int(is_there.sum()), *variable.shape))
        if variable.dtype == "str":
            values = as_text(values.astype(object))
        else:
            values = np.ascontiguousarray(values, dtype=variable.numpy_dtype)
        if is_there.all():
            return values
        # The values that nutpie's own conversion gives to what is not there.
        filled = np.stack([variable.fill()] * (end - begin)).astype(values.dtype)
        filled[is_there] = values
        return filled


def look(sampler: Any) -> list[Rows] | None:
    """The chains of a running sampler; None for one that keeps no Arrow tables."""
    raw = sampler._sampler.inspect()
    if not raw.is_arrow():
        return None
    draws, stats = raw.get_arrow_trace()
    return [Rows(*tables) for tables in zip(draws, stats)]
