"""LOO of R's loo and of arviz-stats for log-likelihoods that are easy and hard: loo.json.gz, for loo.test.ts.

    python make.py ../../../../../shared/data/pymc/non_centered_eight.nc

It needs arviz-stats 1.3.3 with netCDF4 (Python 3.12 or newer), and Rscript with loo 2.10.1 and posterior 1.7.1.
Results alone are written of the named file.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray as xr
from arviz_stats import loo
from arviz_stats.base import array_stats
from arviz_stats.loo.loo_helper import _get_r_eff

HERE = Path(__file__).parent


def correlated(rng: np.random.Generator, observations: int, chains: int, draws: int, rho: float) -> np.ndarray:
    """Normal draws with autocorrelation rho."""
    values = rng.normal(size=(observations, chains, draws))
    for draw in range(1, draws):
        values[..., draw] = rho * values[..., draw - 1] + np.sqrt(1 - rho**2) * values[..., draw]
    return values


def cases() -> dict[str, tuple[np.ndarray, list[float]]]:
    """Log-likelihoods (observation, chain, draw) with the efficiency of each observation."""
    rng = np.random.default_rng(20210701)
    normal = -0.5 * correlated(rng, 3, 4, 60, 0.5) ** 2 - 1
    heavy = -2.5 * rng.exponential(size=(3, 4, 60))
    tied = np.round(normal[:1])
    tied[0, :, :20] = tied.min() - 1
    partly = np.sort(normal[:1].reshape(1, -1))
    partly[0, 30:60] = partly[0, 40]
    partly = rng.permutation(partly, axis=1).reshape(1, 4, 60)
    return {
        "normal": (normal, [1, 1, 1]),
        "efficiencies": (normal, [0.15, 0.7, 2.5]),
        "heavy": (heavy, [1, 0.5, 1.5]),
        "longer": (-0.5 * correlated(rng, 1, 2, 199, 0.3) ** 2, [0.83]),
        "one_chain": (normal[:2].reshape(2, 1, 240), [1, 0.4]),
        "one_observation": (normal[:1], [1]),
        "far": (normal - 2000, [1, 1, 1]),
        "equal_tail": (tied, [1]),
        "equal_quarter": (partly, [1]),
        "constant": (np.full((1, 2, 50), -1.25), [1]),
        "tail_of_six": (normal[:, :2, :15], [1, 1, 1]),
        "tail_of_five": (normal[:, :3, :7], [1, 1, 1]),
        "tail_of_four": (normal[:, :2, :10], [1, 1, 1]),
    }


def arviz(values: np.ndarray, efficiency: list[float]) -> dict[str, object]:
    """Results of arviz-stats, or its error."""
    try:
        pointwise = [array_stats.loo(one, r_eff=own) for one, own in zip(values, efficiency, strict=True)]
    except ValueError as error:
        return {"error": str(error)}
    elpd, k, p = (np.array([float(each[i]) for each in pointwise]) for i in range(3))
    total, error, total_p, _ = array_stats._summary(elpd, p)
    sums = {"elpd_loo": total, "se_elpd_loo": error, "p_loo": total_p}
    return plain(sums | {"elpd": elpd, "p": p, "k": k})


def plain(results: dict[str, object]) -> dict[str, object]:
    """Numbers as JSON has them, others as words."""

    def word(value: float) -> float | str:
        return float(value) if np.isfinite(value) else str(float(value))

    return {
        name: [word(each) for each in value] if isinstance(value, np.ndarray) else word(value)
        for name, value in results.items()
    }


def in_r(values: np.ndarray, efficiency: list[float]) -> dict[str, object]:
    """Results of R's loo (loo.R)."""
    observations, chains, draws = values.shape
    # R's first index runs fastest: draw, chain, observation are the order of C backwards.
    # R takes decimals for a neighbour at times, and hexadecimal numbers for themselves.
    lines = [f"{observations} {chains} {draws}", *(float(value).hex() for value in [*efficiency, *values.ravel()])]
    script = ["Rscript", str(HERE / "loo.R")]
    return json.loads(subprocess.run(script, input="\n".join(lines), capture_output=True, text=True, check=True).stdout)


def eight_schools(path: str) -> dict[str, object]:
    """Results for the log-likelihoods and the posterior of an InferenceData."""
    data = xr.open_datatree(path)
    likelihood = data["log_likelihood"]["obs"].transpose("school", "chain", "draw").values
    ones = [1.0] * len(likelihood)
    efficiency = float(_get_r_eff(data, likelihood[0].size))
    ours = loo(data, pointwise=True)
    own = {"elpd_loo": ours.elpd, "se_elpd_loo": ours.se, "p_loo": ours.p, "good_k": ours.good_k}
    own |= {"elpd": ours.elpd_i.values, "k": ours.pareto_k.values, "efficiency": efficiency}
    relative = in_r(likelihood, ones)["relative_eff"]
    return {
        "arviz": plain(own),
        "posterior": in_r(likelihood, ones),
        "posterior_efficiencies": in_r(likelihood, relative),
    }


def main() -> None:
    results = {}
    for name, (values, efficiency) in cases().items():
        values = np.round(values, 4)
        results[name] = {
            "chains": values.shape[1],
            "draws": values.shape[2],
            "values": values.ravel().tolist(),
            "efficiency": efficiency,
            "posterior": in_r(values, efficiency),
            "arviz": arviz(values, efficiency),
        }
    golden = {"cases": results, "non_centered_eight": eight_schools(sys.argv[1])}
    (HERE / "loo.json.gz").write_bytes(gzip.compress(json.dumps(golden, separators=(",", ":")).encode(), mtime=0))


main()
