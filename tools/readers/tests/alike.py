"""Comparison of what a reader got with what the project's own package gets: groups, names, dtypes, values, labels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr


def datasets(read: Any) -> dict[str, xr.Dataset]:
    """The groups of a DataTree, or of an InferenceData."""
    if isinstance(read, xr.DataTree):
        return {name: node.to_dataset() for name, node in read.children.items()}
    return {name: read[name] for name in read.groups()}


def same_array(ours: Any, theirs: Any, place: str = "") -> None:
    """Values bit by bit, but for the sign of NaN, and dtypes; strings are strings, of whatever width."""
    left, right = np.asarray(ours), np.asarray(theirs)
    assert left.shape == right.shape, f"{place}: shape {right.shape}, not {left.shape}"
    if left.dtype.kind in "UTO":
        assert right.dtype.kind in "UTO", f"{place}: dtype {right.dtype}, not strings"
        assert left.astype(object).tolist() == right.astype(object).tolist(), place
        return
    if left.dtype.kind == "M":
        assert right.dtype.kind == "M", f"{place}: dtype {right.dtype}, not {left.dtype}"
    else:
        assert left.dtype == right.dtype, f"{place}: dtype {right.dtype}, not {left.dtype}"
    np.testing.assert_array_equal(right, left, err_msg=place)
    if left.dtype.kind == "f":
        finite = ~np.isnan(left)
        np.testing.assert_array_equal(np.signbit(right[finite]), np.signbit(left[finite]), err_msg=place)


def same_dataset(ours: xr.Dataset, theirs: xr.Dataset, group: str) -> None:
    assert set(theirs.data_vars) == set(ours.data_vars), group
    assert set(theirs.coords) == set(ours.coords), group
    assert dict(theirs.sizes) == dict(ours.sizes), group
    for name, expected in ours.variables.items():
        place = f"{group}/{name}"
        assert theirs[name].dims == expected.dims, place
        same_array(expected.values, theirs[name].values, place)
    for name, value in ours.attrs.items():
        if name != "sample_dims":
            assert name in theirs.attrs, f"{group}: no attribute {name}"
            same_attribute(value, theirs.attrs[name], f"{group}: attribute {name}")


def same_attribute(ours: Any, theirs: Any, place: str) -> None:
    assert plain(theirs) == plain(ours), f"{place}: {theirs!r}, not {ours!r}"


def plain(value: Any) -> Any:
    """An attribute as values of Python; lists and objects within one are JSON, in which 1 and 1.0 are the same."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return np.asarray(value).tolist()


def same_tree(ours: Any, theirs: Any, left_out: Iterable[str] = ()) -> None:
    """
    Parameters
    ----------
    left_out : groups that this form cannot have.
    """
    expected, got = datasets(ours), datasets(theirs)
    assert set(got) == set(expected) - set(left_out)
    for group in got:
        same_dataset(expected[group], got[group], group)
    for name, value in ours.attrs.items():
        assert name in theirs.attrs, f"no attribute {name}"
        same_attribute(value, theirs.attrs[name], f"attribute {name}")
