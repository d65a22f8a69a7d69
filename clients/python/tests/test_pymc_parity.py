"""A run that `PyMCTrace` has stored, read back, against the result of `pm.sample` itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .server import RunningServer

pm = pytest.importorskip("pymc", reason="PyMC is not installed: pip install mcbackend-edge[pymc]")

from mcbackend_edge import Client, PyMCTrace  # noqa: E402

from . import pymc_models as models  # noqa: E402
from .pymc_models import assert_same, groups, sample  # noqa: E402

# The groups that `pm.sample` does not give.
OWN = "unconstrained_posterior"
# Attributes that must be as `pm.sample` gives them; `created_at` is that of the run.
ATTRIBUTES = ("inference_library", "inference_library_version", "sampling_time", "tuning_steps")


def stored(server: RunningServer, model: Any, **options: Any) -> tuple[Any, Any]:
    """The result of `pm.sample`, and the run as another process would find it."""
    trace = PyMCTrace(server.url)
    result = sample(model, trace, **options)
    trace.flush()
    rid = trace.rid
    trace.close()
    return result, Client(server.url).run(rid)


def is_theirs(group: str) -> bool:
    return not group.endswith(OWN)


@pytest.mark.parametrize("keep_warmup", [False, True])
@pytest.mark.parametrize(
    "make_model", [models.eight_schools, models.compound, models.dates, models.data_of_all_kinds, models.shapes]
)
def test_datatree_is_the_result_of_pm_sample(
    server: RunningServer, make_model: Callable[[], Any], keep_warmup: bool
) -> None:
    result, run = stored(server, make_model(), discard_tuned_samples=not keep_warmup)
    tree = run.to_datatree(progress=False)
    assert_same(tree, result, but=(), only=is_theirs)
    assert all(data.data_vars for data in groups(tree).values())
    for name, data in groups(result).items():
        if data.data_vars:
            expected = {key: data.attrs[key] for key in ATTRIBUTES if key in data.attrs}
            assert {key: tree[name].attrs[key] for key in expected} == expected, name
            assert tree[name].attrs["rid"] == run.rid
    assert tree.attrs["created_at"] == run.about().created_at.isoformat()


def test_inferencedata_is_the_result_of_pm_sample(server: RunningServer) -> None:
    result, run = stored(server, models.eight_schools(), discard_tuned_samples=False)
    assert_same(run.to_inferencedata(progress=False), result, but=(), only=is_theirs)
    forced = run.to_inferencedata(progress=False, warmup=False)
    assert not any(name.startswith("warmup") for name in groups(forced))


def test_transformed_values_have_a_group_of_their_own(server: RunningServer) -> None:
    result, run = stored(server, models.eight_schools(), idata_kwargs={"include_transformed": True})
    found = groups(run.to_datatree(progress=False))
    assert set(found[OWN].data_vars) == {"tau_log__"}
    assert "tau_log__" not in found["posterior"]
    expected = groups(result)["posterior"]["tau_log__"].values
    assert found[OWN]["tau_log__"].values.tobytes() == expected.tobytes()


def test_interrupted_run_gives_what_pymc_gives(server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    def stop(trace: Any, draw: Any) -> None:
        if draw.chain == 1 and len(trace) == 33:
            raise KeyboardInterrupt

    result, run = stored(server, models.eight_schools(), chains=3, callback=stop)
    assert run.lengths() == {0: 50, 1: 33, 2: 50}
    # PyMC counts the chains that it keeps anew.
    assert groups(result)["posterior"].chain.values.tolist() == [0, 1]
    for read in (run.to_datatree(progress=False), run.to_inferencedata(progress=False)):
        assert_same(read, result, but=(), only=is_theirs)
    assert sum("chain 0, 2 counted from 0, as PyMC does; chains=[0, 2] keeps" in line for line in caplog.messages) == 2
    chosen = run.to_datatree(progress=False, chains=np.array([2, 0]))
    assert chosen["posterior"].chain.values.tolist() == [2, 0]


def test_netcdf_of_a_run_opens(server: RunningServer, tmp_path: Path) -> None:
    _, run = stored(server, models.dates())
    tree = run.to_datatree(progress=False)
    tree.to_netcdf(tmp_path / "run.nc")
    import xarray

    with xarray.open_datatree(tmp_path / "run.nc") as opened:
        assert np.array_equal(opened["posterior"]["x_day"].values, tree["posterior"]["x_day"].values)
        # A file tells times in units of its own.
        assert np.array_equal(opened["posterior"]["day"].values, tree["posterior"]["day"].values)
