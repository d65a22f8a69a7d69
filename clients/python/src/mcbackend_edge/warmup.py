"""Warmup: the draws at the beginning of a chain for which the run's warmup flag is true."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from .schema import Variable

# Names of the flag, the first choice first; ``in_warmup`` is the word of PyMC's driver, not of one of its samplers.
FLAG_NAMES = ("in_warmup", "tune", "warmup", "is_warmup")
# PyMC names the flags of its samplers ``sampler_0__tune``.
_ENDINGS = tuple(f"__{name}" for name in FLAG_NAMES)


def is_warmup_flag(stat: Variable) -> bool:
    """True for stats that can mark warmup: a single bool whose name is one of the flag's, or ends in ``__`` and one."""
    is_scalar = stat.shape == () and not stat.undefined_ndim
    return is_scalar and stat.dtype == "bool" and (stat.name in FLAG_NAMES or stat.name.endswith(_ENDINGS))


def warmup_flag(stats: Iterable[Variable]) -> str | None:
    """The stat that marks a run's warmup; None if there is none, and so no warmup.

    Parameters
    ----------
    stats : the sampler stats, in the order of registration.
    """
    flags = [stat.name for stat in stats if is_warmup_flag(stat)]
    return next((name for name in FLAG_NAMES if name in flags), flags[0] if flags else None)


def warmup_length(flag: ArrayLike) -> int:
    """Number of draws that are warmup: the longest prefix of a chain for which the flag is true.

    Draws behind the first False are posterior, even if a later one is marked again.

    Parameters
    ----------
    flag : the flag's values from the chain's first draw on.
    """
    marks = np.asarray(flag, dtype=bool)
    return int(marks.argmin()) if not marks.all() else len(marks)
