"""PyMC models that the tests sample from, and comparison of results with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SIGMA = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
# Stats that tell the time, and so differ between two calls.
TIMINGS = ("perf_counter_diff", "perf_counter_start", "process_time_diff")


def eight_schools() -> pm.Model:
    """Non-centred, with coords, constant data, a deterministic and a transformed value; the data are no `pm.Data`."""
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        sigma = pm.Data("sigma", SIGMA, dims="school")
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * eta, dims="school")
        pm.Normal("obs", theta, sigma, observed=Y, dims="school")
    return model


def compound() -> pm.Model:
    """NUTS beside a Metropolis and a binary stepper: stats of several samplers, and integers."""
    with pm.Model(coords={"group": [1, 2, 3]}) as model:
        k = pm.Poisson("k", 3.0, dims="group")
        flag = pm.Bernoulli("flag", 0.4)
        mu = pm.Normal("mu", k.mean() + flag, 1.0)
        pm.Normal("y", mu, 1.0, observed=[1.0, 2.0])
    return model


def dates() -> pm.Model:
    """Labels of many kinds."""
    coords: dict[str, Any] = {
        "day": pd.date_range("2024-01-01", periods=2),
        "span": pd.to_timedelta([1, 36], unit="h"),
        "month": np.array(["2024-01", "2024-02"], dtype="datetime64[M]"),
        "half": [0.5, 1.5],
        "flag": [True, False],
        "text": ["α", "longer"],
    }
    with pm.Model(coords=coords) as model:
        for name in coords:
            pm.Normal(f"x_{name}", dims=name)
        pm.Normal("both", dims=("day", "text"))
    return model


def data_of_all_kinds() -> pm.Model:
    """Constants, scalars, missing values, observed `pm.Data`, and a series."""
    with pm.Model(coords={"row": list("abc"), "col": [10, 20], "wave": [1 + 2j, 3]}) as model:
        x = pm.Data("x", np.arange(6).reshape(3, 2), dims=("row", "col"))
        scale = pm.Data("scale", 2.0)
        seen = pm.Data("seen", [1.0, 2.0, 4.0], dims="row")
        beta = pm.Normal("beta", 0, scale, dims="col")
        pm.Deterministic("fit", x @ beta, dims="row")
        pm.Normal("y", x @ beta, 1.0, observed=seen, dims="row")
        pm.Normal("x_wave", dims="wave")
        pm.Normal("one", 0.0, 1.0, observed=1.5)
        pm.Normal("gap", 0.0, 1.0, observed=np.array([1.0, np.nan, 3.0]), dims="row")
        pm.Normal("series", beta.sum(), 1.0, observed=pd.Series([1.0, 2.0], name="s"))
    return model


def shapes() -> pm.Model:
    """Scalar, vector, matrix and empty values, with and without names for their dimensions."""
    with pm.Model(coords={"i": [1, 2]}) as model:
        pm.Normal("scalar")
        pm.Normal("vector", shape=3)
        pm.HalfNormal("matrix", shape=(2, 3))
        pm.HalfNormal("empty", shape=(0,))
        pm.Dirichlet("simplex", np.ones(3), shape=(2, 3))
        pm.Normal("named", dims="i")
        pm.Data("half_named_data", np.ones((2, 3)), dims=("i", None))
    return model


def sample(model: pm.Model, trace: Any = None, **options: Any) -> Any:
    """`pm.sample` with few draws and a fixed seed."""
    given = {
        "draws": 30,
        "tune": 20,
        "chains": 2,
        "cores": 1,
        "random_seed": 11,
        "progressbar": False,
        "compute_convergence_checks": False,
        # PyMC 6 chooses nutpie by itself where there is no trace.
        "nuts_sampler": "pymc",
        **options,
    }
    with model:
        return pm.sample(trace=trace, **given)


def groups(result: Any) -> dict[str, Any]:
    """Datasets of an InferenceData or of a DataTree by name."""
    if hasattr(result, "children"):
        return {name: node.to_dataset() for name, node in result.children.items()}
    return {name: result[name] for name in result.groups()}


def assert_same(ours: Any, reference: Any, *, but: Iterable[str] = TIMINGS, only: Callable[[str], bool] = bool) -> None:
    """Group by group, name by name: dtypes, dimensions, labels, and values bit by bit.

    Parameters
    ----------
    but : names of which the values are not compared.
    only : chooses the groups that are compared.
    """
    # PyMC 6 gives an empty group of data where there are none.
    mine, theirs = ({name: data for name, data in groups(of).items() if data.data_vars} for of in (ours, reference))
    assert set(filter(only, mine)) == set(filter(only, theirs))
    for group in filter(only, theirs):
        assert set(mine[group].data_vars) == set(theirs[group].data_vars), group
        assert set(mine[group].coords) == set(theirs[group].coords), group
        for name, values in {**theirs[group].coords, **theirs[group].data_vars}.items():
            found, place = mine[group][name], f"{group}.{name}"
            assert found.dims == values.dims, place
            assert found.dtype == values.dtype, place
            if name in theirs[group].coords:
                assert type(found.to_index()) is type(values.to_index()), place
            if name not in but:
                assert found.values.tobytes() == values.values.tobytes(), place
