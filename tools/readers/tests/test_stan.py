"""`stan.csv`: cmdstanpy, ArviZ 0.23 and rstan take a chain for one of CmdStan's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from mcbackend_edge import Client, Run, Variable
from rscript import r
from stored import Stored


@pytest.fixture(scope="session")
def stan(client: Client) -> tuple[str, dict[int, dict[str, Any]]]:
    """A run as a Stan program gives it, its address, and what was stored, by chain."""
    run: Run = client.create_run(
        "stan",
        variables=[
            Variable("mu"),
            Variable("theta", "float64", (3,)),
            Variable("m", "float64", (2, 3)),
            Variable("k", "int64"),
        ],
        sample_stats=[
            Variable("tune", "bool"),
            Variable("lp__"),
            Variable("accept_stat__"),
            Variable("stepsize__"),
            Variable("treedepth__", "int64"),
            Variable("n_leapfrog__", "int64"),
            Variable("divergent__", "bool"),
            Variable("energy__"),
        ],
        attributes={"inference_library": "stan"},
    )
    rng = np.random.default_rng(3)
    stored = {}
    for number in range(2):
        draws = {
            "mu": rng.normal(size=60),
            "theta": rng.normal(size=(60, 3)),
            "m": rng.normal(size=(60, 2, 3)),
            "k": rng.integers(0, 9, size=60),
        }
        stats = {
            "tune": np.arange(60) < 20,
            "lp__": rng.normal(size=60),
            "accept_stat__": rng.random(60),
            "stepsize__": np.full(60, 0.5),
            "treedepth__": rng.integers(1, 5, size=60),
            "n_leapfrog__": rng.integers(1, 31, size=60),
            "divergent__": rng.random(60) < 0.1,
            "energy__": rng.normal(size=60),
        }
        run.init_chain(number).extend(draws, stats)
        stored[number] = {**draws, **stats}
    run.flush(progress=False)
    return f"{client.url}/v1/runs/stan", stored


def files(url: str, folder: Path) -> list[str]:
    paths = []
    for chain in range(2):
        path = folder / f"output_{chain + 1}.csv"
        path.write_bytes(requests.get(f"{url}/chains/{chain}/stan.csv", timeout=60).content)
        paths.append(str(path))
    return paths


def test_cmdstanpy(stan: tuple[str, dict[int, dict[str, Any]]], tmp_path: Path) -> None:
    cmdstanpy = pytest.importorskip("cmdstanpy", reason="this environment has no cmdstanpy")
    url, stored = stan
    fit = cmdstanpy.from_csv(files(url, tmp_path))
    assert fit.chains == 2
    for name in ("mu", "theta", "m"):
        expected = np.concatenate([stored[chain][name][20:] for chain in range(2)])
        np.testing.assert_allclose(fit.stan_variable(name), expected, rtol=1e-15, atol=0)
    variables = fit.method_variables()
    for name in ("lp__", "energy__", "n_leapfrog__", "divergent__"):
        # With those of warmup, since the file has them.
        expected = np.stack([stored[chain][name] for chain in range(2)], axis=1)
        np.testing.assert_array_equal(variables[name], expected.astype(float))


def test_arviz_0(stan: tuple[str, dict[int, dict[str, Any]]], tmp_path: Path) -> None:
    arviz = pytest.importorskip("arviz", reason="this environment has no ArviZ")
    if not arviz.__version__.startswith("0."):
        pytest.skip("ArviZ 1 reads no files of CmdStan by itself")
    url, stored = stan
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*ArviZ is undergoing a major refactor", FutureWarning)
        idata = arviz.from_cmdstan(files(url, tmp_path), save_warmup=True)
    for chain in range(2):
        np.testing.assert_array_equal(idata.posterior["theta"].values[chain], stored[chain]["theta"][20:])
        np.testing.assert_array_equal(idata.posterior["m"].values[chain], stored[chain]["m"][20:])
        np.testing.assert_array_equal(idata.sample_stats["lp"].values[chain], stored[chain]["lp__"][20:])


def test_rstan(stan: tuple[str, dict[int, dict[str, Any]]]) -> None:
    url, stored = stan
    said = r(
        f"""
        suppressPackageStartupMessages(library(rstan))
        options(warn = 2)
        fit <- read_stan_csv(c("{url}/chains/0/stan.csv", "{url}/chains/1/stan.csv"))
        e <- rstan::extract(fit, permuted = FALSE)
        cat(dim(e)[1:2], "\\n")
        cat(format(e[5, 2, "theta[3]"], digits = 17), format(e[1, 1, "m[2,1]"], digits = 17), "\\n")
        cat(get_num_divergent(fit), "\\n")
        """,
        "rstan",
    ).split("\n")
    assert said[0].split() == ["40", "2"]
    first, second = map(float, said[1].split())
    assert first == pytest.approx(stored[1]["theta"][24, 2], rel=1e-15)
    assert second == pytest.approx(stored[0]["m"][20, 1, 0], rel=1e-15)
    assert int(said[2]) == sum(int(stored[chain]["divergent__"][20:].sum()) for chain in range(2))


def test_every_chain_of_any_run_is_a_file(run: Stored) -> None:
    """Strings, which Stan has none of, are left out; the rest is there."""
    answer = requests.get(f"{run.url}/chains/0/stan.csv", timeout=60)
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("lp__")
