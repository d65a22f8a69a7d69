"""A run is read back as `pm.sample` returned it: groups, names, dimensions, labels, dtypes, values and attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from .server import RunningServer

pm = pytest.importorskip("pymc", reason="PyMC is not installed: pip install mcbackend-edge[pymc]")

from mcbackend_edge import Client, PyMCTrace  # noqa: E402

from . import pymc_models as models  # noqa: E402
from .pymc_models import assert_same, groups, sample  # noqa: E402


def is_pymcs(group: str) -> bool:
    """False for the group that `pm.sample` leaves out."""
    return "unconstrained" not in group


@pytest.fixture
def trace(server: RunningServer) -> Any:
    made = PyMCTrace(server.url)
    yield made
    made.close(5.0)


def both_forms(server: RunningServer, rid: str) -> list[Any]:
    run = Client(server.url).run(rid)
    return [run.to_inferencedata(progress=False), run.to_datatree(progress=False)]


@pytest.mark.parametrize("discard", [True, False])
@pytest.mark.parametrize(
    "make_model", [models.eight_schools, models.compound, models.dates, models.data_of_all_kinds, models.shapes]
)
def test_a_run_is_read_back_as_it_was_returned(
    trace: PyMCTrace, server: RunningServer, make_model: Callable[[], Any], discard: bool
) -> None:
    result = sample(make_model(), trace, discard_tuned_samples=discard)
    trace.flush()
    for read in both_forms(server, trace.rid):
        assert_same(read, result, but=(), only=is_pymcs)
        for name, theirs in groups(result).items():
            if not theirs.data_vars:
                continue
            ours = groups(read)[name]
            assert list(ours.data_vars) == list(theirs.data_vars) or "stats" in name
            told = {key for key in theirs.attrs if not key.startswith("creation_library")}
            if isinstance(read, type(result)):
                assert told <= set(ours.attrs), name
            for key in told & set(ours.attrs) - {"created_at", "sampling_time"}:
                assert ours.attrs[key] == theirs.attrs[key], (name, key)
            if "sampling_time" in told:
                assert 0 < ours.attrs["sampling_time"] < 600
                assert isinstance(ours.attrs["sampling_time"], float)
            assert ours.attrs["rid"] == trace.rid
    assert type(both_forms(server, trace.rid)[0]) is type(result)


def test_transformed_values_are_those_that_pymc_can_give(trace: PyMCTrace, server: RunningServer) -> None:
    result = sample(models.shapes(), trace, idata_kwargs={"include_transformed": True})
    trace.flush()
    posterior = groups(result)["posterior"]
    for read in both_forms(server, trace.rid):
        ours = groups(read)
        transformed = ours["unconstrained_posterior"]
        assert {*ours["posterior"].data_vars, *transformed.data_vars} == set(posterior.data_vars)
        assert set(transformed.data_vars) == {name for name in posterior.data_vars if str(name).endswith("__")}
        for name, values in transformed.data_vars.items():
            assert values.dims == posterior[name].dims
            assert np.array_equal(values.values, posterior[name].values)
