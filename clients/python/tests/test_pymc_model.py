"""Metadata that a PyMC model has before its first draw."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

pm = pytest.importorskip("pymc", reason="PyMC is not installed: pip install mcbackend-edge[pymc]")

from mcbackend_edge.pymc_model import coords_of, data_of, describe, dims_of  # noqa: E402

from . import pymc_models as models  # noqa: E402


def described(model: Any) -> Any:
    point = model.initial_point()
    names = [var.name for var in model.unobserved_value_vars]
    values = dict(zip(names, model.compile_fn(model.unobserved_value_vars, inputs=model.value_vars)(point)))
    shapes = {name: value.shape for name, value in values.items()}
    return describe(model, names, shapes, {name: value.dtype for name, value in values.items()})


def test_values_of_a_model() -> None:
    meta = described(models.shapes())
    shapes = {var.name: var.shape for var in meta.variables}
    assert shapes["matrix"] == shapes["matrix_log__"] == (2, 3)
    assert shapes["empty"] == (0,)
    assert meta.unconstrained == ("matrix_log__", "empty_log__", "simplex_simplex__")
    assert {var.name: var.dims for var in meta.variables if var.dims} == {"named": ("i",)}


def test_data_are_those_of_pymcs_own_result() -> None:
    found = {item.name: item for item in data_of(models.data_of_all_kinds())}
    observed = {name: item.value.tolist() for name, item in found.items() if item.is_observed}
    assert observed == {"y": [1.0, 2.0, 4.0], "one": 1.5, "gap_observed": [1.0, 3.0], "series": [1.0, 2.0]}
    constant = {name: (item.value.tolist(), item.dims) for name, item in found.items() if not item.is_observed}
    assert constant == {"x": ([[0, 1], [2, 3], [4, 5]], ("row", "col")), "scale": (2.0, ())}
    assert found["y"].dims == ("row",)


def test_data_that_change_or_that_pymc_cannot_tell(recwarn: pytest.WarningsRecorder) -> None:
    with pm.Model(coords={"row": [0, 1]}, check_bounds=False) as model:
        x = pm.Data("x", [1.0, 2.0], dims="row")
        pm.Normal("batch", 0.0, 1.0, observed=pm.Minibatch(np.arange(10.0), batch_size=4), total_size=10)
        pm.Normal("y", x, 1.0, observed=[1, 2], dims="row")
        pm.Poisson("frame", 2.0, observed=pd.DataFrame({"a": [1, 2], "b": [3, 4]}))
    found = {item.name: item.value.tolist() for item in data_of(model)}
    assert found["batch"] == np.arange(10.0).tolist()
    assert found["frame"] == [[1, 3], [2, 4]]
    with model:
        pm.set_data({"x": [3.0, 4.0]})
    assert {item.name: item.value.tolist() for item in data_of(model)}["x"] == [3.0, 4.0]
    assert not recwarn.list


def test_dimensions_without_labels_have_no_coordinate() -> None:
    with pm.Model(coords={"row": [0, 1]}) as model:
        model.add_coord("free", length=3)
        pm.Normal("x", dims=("row", "free"))
    assert set(coords_of(model)) == {"row"}
    assert dims_of(model, "x", 2) == ("row", "free")
    assert dims_of(model, "x", 1) == ()
    assert dims_of(model, "unknown", 2) == ()


def test_what_is_too_large_is_left_out_by_name(caplog: pytest.LogCaptureFixture) -> None:
    with pm.Model(coords={"row": [f"row {i}" for i in range(2000)], "few": [1, 2]}) as model:
        pm.Normal("y", pm.Normal("mu", dims="few").sum(), 1.0, observed=np.zeros(2000), dims="row")
    whole = described(model)
    caplog.set_level(logging.WARNING, "mcbackend_edge")
    assert whole.within(1 << 20) is whole
    assert not caplog.records
    smaller = whole.within(20_000)
    assert set(smaller.coords) == {"few"}
    assert [item.name for item in smaller.data] == ["y"]
    assert "labels of 'row': too large" in caplog.text
    assert not whole.within(0).data
