"""Numbers of arviz-stats and SciPy for the plots of the page: draws.json.gz, for test/page/draws/golden.test.ts.

    python make.py

It needs arviz-stats 1.3.3 (Python 3.12 or newer). The draws are random, and rounded to seven digits.
"""

import gzip
import json
from pathlib import Path

import numpy as np
from arviz_stats.base import array_stats
from scipy.stats import hypergeom, rankdata

HERE = Path(__file__).parent
rng = np.random.default_rng(20261129)
AXES = {"chain_axis": 0, "draw_axis": 1}


def correlated(chains: int, draws: int, rho: float) -> np.ndarray:
    """Normal draws with autocorrelation rho."""
    values = rng.normal(size=(chains, draws))
    for draw in range(1, draws):
        values[:, draw] = rho * values[:, draw - 1] + np.sqrt(1 - rho**2) * values[:, draw]
    return values


SAMPLES = {
    "normal": rng.normal(size=(4, 250)),
    "correlated": correlated(4, 200, 0.9),
    "far away": 1e4 + 1e-2 * rng.normal(size=(2, 300)),
    "heavy tails": rng.standard_t(2, size=(4, 250)),
    "cauchy": rng.standard_cauchy(size=(4, 100)),
    "two modes": np.where(rng.random((4, 250)) < 0.3, -4, 4) + rng.normal(size=(4, 250)),
    "bounded": rng.beta(0.5, 1, size=(4, 250)),
    "positive": rng.exponential(size=(4, 250)),
    "one chain elsewhere": rng.normal(size=(4, 100)) + np.array([[0], [0], [0], [30]]),
    "few": rng.normal(size=(2, 7)),
    "two draws": rng.normal(size=(1, 2)),
    "repeats": np.repeat(rng.normal(size=(4, 50)), 4, axis=1),
    "mostly one value": np.where(rng.random((2, 100)) < 0.9, 1.0, rng.normal(size=(2, 100))),
}


def density(values: np.ndarray, limits: tuple[float, float], points: int) -> list[float] | None:
    """The density on a grid that is given, or None where arviz-stats has none."""
    x, y, _ = array_stats.kde(values, grid_len=points, custom_lims=limits)
    return None if np.isnan(y).any() else y.tolist()


def densities(name: str, values: np.ndarray, points: int) -> dict:
    limits = (float(values.min()), float(values.max()))
    x, _, _ = array_stats.kde(values.flatten(), grid_len=points)
    return {
        "name": name,
        "points": points,
        "chains": values.tolist(),
        "x": x.tolist(),
        "all": density(values.flatten(), limits, points),
        "each": [density(chain, limits, points) for chain in values],
    }


def figures(name: str, values: np.ndarray, points: int) -> dict:
    """Local and quantile ESS, MCSE of quantiles and autocorrelations, of whole numbers of fours of draws."""
    middles = [(i / points, (i + 1) / points) for i in range(points)]
    probabilities = np.linspace(1 / points, 1 - 1 / points, points).tolist()
    return {
        "name": name,
        "points": points,
        "chains": values.tolist(),
        "local": [float(array_stats.ess(values, method="local", prob=p, **AXES)) for p in middles],
        "quantile": [float(array_stats.ess(values, method="quantile", prob=p, **AXES)) for p in probabilities],
        "mcse": [float(array_stats.mcse(values, method="quantile", prob=p, **AXES)) for p in probabilities],
        "mcse_mean": float(array_stats.mcse(values, method="mean", **AXES)),
        "mcse_sd": float(array_stats.mcse(values, method="sd", **AXES)),
        "autocorrelation": [array_stats.autocorr(chain)[:21].tolist() for chain in values],
    }


def bounds(chains: int, draws: int, points: int, tail: float) -> dict:
    """Pointwise bounds of the number of a chain's draws up to each inner point (Säilynoja et al. 2022)."""
    ranks = [i * chains * draws // points for i in range(1, points)]
    return {
        "chains": chains,
        "draws": draws,
        "points": points,
        "tail": tail,
        "lower": hypergeom.ppf(tail, chains * draws, draws, ranks).tolist(),
        "upper": hypergeom.ppf(1 - tail, chains * draws, draws, ranks).tolist(),
    }


def simulated_tail(chains: int, draws: int, points: int, simulations: int = 20_000) -> dict:
    """The tail of pointwise bounds that hold for all chains at all points with 95 %, by the paper's simulation."""
    size = chains * draws
    ranks = np.array([i * size // points for i in range(1, points)])
    least = np.empty(simulations)
    below = np.stack([hypergeom.cdf(np.arange(-1, draws + 1), size, draws, k) for k in ranks])
    for i in range(simulations):
        order = rankdata(rng.random(size), method="ordinal").reshape(chains, draws)
        counts = np.stack([np.searchsorted(np.sort(chain), ranks, side="right") for chain in order])
        column = np.arange(len(ranks))
        lower = below[column, counts + 1].min()
        upper = (1 - below[column, counts]).min()
        least[i] = min(lower, upper)
    return {"chains": chains, "draws": draws, "points": points, "tail": float(np.quantile(least, 0.05))}


def main() -> None:
    rounded = {name: np.array([[float(f"{x:.7g}") for x in chain] for chain in values]) for name, values in SAMPLES.items()}
    # Draws far away differ in their last digits.
    rounded["far away"] = np.round(SAMPLES["far away"], 9)
    golden = {
        "densities": [densities(name, values, 100 if i % 2 else 512) for i, (name, values) in enumerate(rounded.items())],
        "figures": [figures(name, rounded[name], 10) for name in ("normal", "correlated", "positive")],
        "bounds": [bounds(4, 250, 50, 1e-3), bounds(2, 1000, 100, 2e-3), bounds(64, 100_000, 20, 1e-5)],
        "tails": [simulated_tail(*case) for case in ((2, 200, 50), (4, 100, 100), (4, 500, 50), (8, 200, 40))],
    }
    text = json.dumps(golden, separators=(",", ":")).encode()
    (HERE / "draws.json.gz").write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main()
