"""Hypothesis strategies: schemas of runs, and draws that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcbackend_edge import Variable
from mcbackend_edge.schema import DTYPES, RunMeta, build_run_meta

NAMES = st.one_of(
    st.sampled_from(["theta[1,2]", "μ", "a/b", "log prior", "__proto__", "constructor", "?&=#%", "a\u0301"]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
)


@st.composite
def variables(draw: st.DrawFn, names: list[str]) -> list[Variable]:
    found = []
    for name in names:
        dtype = draw(st.sampled_from(DTYPES))
        shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 3, -1]), max_size=3)))
        found.append(Variable(name, dtype, shape, undefined_ndim=draw(st.integers(0, 5)) == 0))
    return found


@st.composite
def metas(draw: st.DrawFn, rid: str = "run") -> RunMeta:
    """Runs of one to four variables and up to three stats, of all dtypes and kinds of shapes."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    stats = draw(st.lists(NAMES, max_size=3, unique=True))
    return build_run_meta(rid, variables=draw(variables(names)), sample_stats=draw(variables(stats)))


@st.composite
def values(draw: st.DrawFn, var: Variable) -> np.ndarray[Any, Any]:
    """One draw of a variable; floats include NaN, infinities and -0."""
    if var.undefined_ndim:
        shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    else:
        shape = tuple(draw(st.integers(0, 3)) if length == -1 else length for length in var.shape)
    if var.dtype == "str":
        size = int(np.prod(shape, dtype=int))
        # NumPy's strings end at their last non-NUL character.
        text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
        texts = draw(st.lists(text, min_size=size, max_size=size))
        return np.array(texts, dtype=str).reshape(shape)
    return draw(hnp.arrays(var.numpy_dtype, shape))


@st.composite
def iterations(
    draw: st.DrawFn, meta: RunMeta, max_size: int = 12
) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Draws with stats, some of which are missing."""
    found = []
    for _ in range(draw(st.integers(1, max_size))):
        stats = {var.name: draw(values(var)) for var in meta.sample_stats if draw(st.integers(0, 4))}
        found.append(({var.name: draw(values(var)) for var in meta.variables}, stats or None))
    return found


def slices(length: int) -> st.SearchStrategy[slice]:
    """Slices with bounds around a chain of that length, and far beyond it."""
    bound = st.one_of(st.none(), st.integers(-length - 3, length + 3), st.sampled_from([10**30, -(10**30), 2**63]))
    step = st.one_of(st.none(), st.integers(-4, 4).filter(bool), st.sampled_from([10**20, -(10**20)]))
    return st.builds(slice, bound, bound, step)


def same(left: Any, right: Any) -> bool:
    """True for arrays of one dtype, one shape and the same bits (strings: the same text)."""
    left, right = np.asarray(left), np.asarray(right)
    if left.shape != right.shape:
        return False
    if left.dtype.kind == "U" and right.dtype.kind == "U":
        return bool(np.array_equal(left, right))
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()
