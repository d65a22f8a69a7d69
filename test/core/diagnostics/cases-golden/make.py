"""Values of R's posterior and of arviz-stats for chains of many kinds and lengths: cases.json.gz, for cases.test.ts.

    python make.py

It needs arviz-stats 1.3.3 (Python 3.12 or newer), and Rscript with posterior 1.7.1 and matrixStats 0.63. The draws are
random. Sums of autocorrelations that are 0, so that rounding decides where a sequence ends, are rare among them: if the
test meets one, take another seed.
"""

import gzip
import json
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from arviz_stats.base import array_stats

HERE = Path(__file__).parent
CASES = 185
rng = np.random.default_rng(20260610)


def correlated(chains: int, draws: int, rho: float) -> np.ndarray:
    """Normal draws with autocorrelation rho."""
    values = rng.normal(size=(chains, draws))
    for draw in range(1, draws):
        values[:, draw] = rho * values[:, draw - 1] + np.sqrt(1 - rho**2) * values[:, draw]
    return values


def sticky(chains: int, draws: int) -> np.ndarray:
    """Draws of which four of five repeat the one before."""
    values = rng.normal(size=(chains, draws))
    for draw in range(1, draws):
        again = rng.random(chains) < 0.8
        values[again, draw] = values[again, draw - 1]
    return values


def having(values: np.ndarray, *other: float, share: float = 0) -> np.ndarray:
    """Draws of which some are others."""
    for value in other:
        values.flat[rng.integers(values.size, size=1 + int(share * values.size))] = value
    return values


def normal(chains: int, draws: int) -> np.ndarray:
    """Independent normal draws."""
    return rng.normal(size=(chains, draws))


FAMILIES: dict[str, Callable[[int, int], np.ndarray]] = {
    "iid": normal,
    "ar05": lambda m, n: correlated(m, n, 0.5),
    "ar099": lambda m, n: correlated(m, n, 0.99),
    "anti": lambda m, n: correlated(m, n, -0.7),
    "shifted": lambda m, n: correlated(m, n, 0.3) + np.arange(m)[:, None],
    "narrow": lambda m, n: correlated(m, n, 0.3) * (1 + np.arange(m))[:, None],
    "trend": lambda m, n: normal(m, n) + np.linspace(0, 3, n),
    "walk": lambda m, n: np.cumsum(normal(m, n), axis=1),
    "sticky": sticky,
    "cauchy": lambda m, n: rng.standard_cauchy((m, n)),
    "lognormal": lambda m, n: np.exp(2 * normal(m, n)),
    "ties": lambda m, n: np.round(normal(m, n), 1),
    "counts": lambda m, n: rng.poisson(1.5, size=(m, n)).astype(float),
    "coin": lambda m, n: rng.integers(2, size=(m, n)).astype(float),
    "rare": lambda m, n: (rng.random((m, n)) < 0.03).astype(float),
    "bounded": lambda m, n: np.minimum(normal(m, n), 0.5),
    "alternating": lambda m, n: np.tile(np.where(np.arange(n) % 2 == 0, 1.0, -1.0), (m, 1)),
    "constant": lambda m, n: np.full((m, n), rng.normal()),
    "each_constant": lambda m, n: np.repeat(np.arange(m, dtype=float)[:, None], n, 1),
    "one_constant": lambda m, n: np.vstack((np.full((1, n), 2.0), normal(m - 1, n))),
    "near_constant": lambda m, n: 3 + rng.integers(3, size=(m, n)) * 2.0**-51,
    "big": lambda m, n: 1e15 + np.round(normal(m, n) * 8) / 8,
    "million": lambda m, n: 1e6 + normal(m, n),
    "tiny": lambda m, n: normal(m, n) * 1e-17,
    "subnormal": lambda m, n: np.round(normal(m, n) * 3) * 5e-324,
    "huge": lambda m, n: normal(m, n) * 1e200,
    "largest": lambda m, n: np.where(normal(m, n) > 0, 1.7e308, -1.6e308),
    "negzero": lambda m, n: having(normal(m, n), 0.0, -0.0, share=0.25),
    "zeros": lambda m, n: np.where(normal(m, n) > 0, 0.0, -0.0),
    "inf": lambda m, n: having(normal(m, n), np.inf),
    "minus_inf": lambda m, n: having(normal(m, n), -np.inf),
    "infinities": lambda m, n: having(normal(m, n), np.inf, -np.inf, share=0.125),
    "mostly_inf": lambda m, n: having(normal(m, n), np.inf, share=0.8),
    "nan": lambda m, n: having(normal(m, n), np.nan),
    "nan_inf": lambda m, n: having(normal(m, n), np.inf, np.nan),
    "energy": lambda m, n: 50 + 3 * correlated(m, n, 0.8),
    "integers": lambda m, n: rng.integers(-(2**40), 2**40, size=(m, n)).astype(float),
}


def arviz(x: np.ndarray) -> dict[str, float | str]:
    """Values of arviz-stats; errors are words."""
    stats = array_stats
    superchains = np.arange(len(x)) // 2
    statistics: dict[str, Callable[[], float]] = {
        "rhat": lambda: stats.rhat(x),
        "rhat_split": lambda: stats.rhat(x, method="split"),
        "rhat_id": lambda: stats.rhat(x, method="identity"),
        "rhat_folded": lambda: stats.rhat(x, method="folded"),
        "rhat_z": lambda: stats.rhat(x, method="z_scale"),
        "ess_bulk": lambda: stats.ess(x),
        "ess_tail": lambda: stats.ess(x, method="tail", prob=(0.05, 0.95)),
        "ess_tail_11_89": lambda: stats.ess(x, method="tail", prob=(1 - 0.89, 0.89)),
        "ess_mean": lambda: stats.ess(x, method="mean"),
        "ess_sd": lambda: stats.ess(x, method="sd"),
        "ess_median": lambda: stats.ess(x, method="median"),
        "ess_id": lambda: stats.ess(x, method="identity"),
        "ess_q10": lambda: stats.ess(x, method="quantile", prob=0.1),
        "mcse_mean": lambda: stats.mcse(x),
        "mcse_sd": lambda: stats.mcse(x, method="sd"),
        "mcse_median": lambda: stats.mcse(x, method="median"),
        "mcse_q05": lambda: stats.mcse(x, method="quantile", prob=0.05),
        "mcse_q95": lambda: stats.mcse(x, method="quantile", prob=0.95),
        "khat": lambda: stats._pareto_khat(x)[1],
        "khat_right": lambda: stats._pareto_khat(x, tail="right")[1],
        "khat_left": lambda: stats._pareto_khat(x, tail="left")[1],
        "ess_local": lambda: stats.ess(x, method="local", prob=(0.2, 0.4)),
        "q05": lambda: np.quantile(x, 0.05),
        "q95": lambda: np.quantile(x, 0.95),
        "mean": lambda: np.mean(x),
        "sd": lambda: np.std(x, ddof=1),
        "median": lambda: np.median(x),
        "mad": lambda: np.median(np.abs(x - np.median(x))),
        "hdi94_lb": lambda: stats.hdi(x, 0.94, axis=[-2, -1])[0],
        "hdi94_ub": lambda: stats.hdi(x, 0.94, axis=[-2, -1])[1],
        "eti89_lb": lambda: stats.eti(x, 0.89, axis=[-2, -1])[0],
        "eti89_ub": lambda: stats.eti(x, 0.89, axis=[-2, -1])[1],
        "bfmi_chain0": lambda: stats.bfmi(x)[0],
    }
    if len(x) % 2 == 0:
        statistics["rhat_nested"] = lambda: stats.rhat_nested(x, superchain_ids=superchains, method="identity")
    return {name: word(each) for name, each in statistics.items()}


def word(statistic: Callable[[], float]) -> float | str:
    """A number as JSON has it, or a word."""
    try:
        value = float(statistic())
    except (ValueError, IndexError, TypeError) as error:
        return f"error: {error}"
    return value if np.isfinite(value) else str(value)


def in_r(cases: dict[str, np.ndarray]) -> dict[str, dict[str, float | str]]:
    """Values of R's posterior (posterior.R), for all cases at once."""
    lines = [f"{name} {x.shape[0]} {x.shape[1]}\n{' '.join(map(for_r, x.ravel()))}\n" for name, x in cases.items()]
    script = ["Rscript", str(HERE / "posterior.R")]
    answer = subprocess.run(script, input="".join(lines), capture_output=True, text=True, check=True).stdout
    return dict(zip(cases, map(json.loads, answer.splitlines()), strict=True))


def for_r(value: float) -> str:
    """A double as R reads it: decimals it takes for a neighbour at times."""
    if np.isnan(value):
        return "NaN"
    return float(value).hex() if np.isfinite(value) else ("Inf" if value > 0 else "-Inf")


def main() -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    names = list(FAMILIES)
    cases = {}
    for i in range(CASES):
        chains = int(rng.choice([1, 2, 3, 4, 4, 4, 6, 8]))
        draws = int(rng.choice([rng.integers(2, 17), rng.integers(10, 31)]))
        family = names[i % len(names)]
        cases[f"{family} {chains} × {draws}, {i}"] = FAMILIES[family](chains, draws)
    posterior = in_r({f"case{i}": x for i, x in enumerate(cases.values())})
    golden = [
        {
            "name": name,
            "chains": [[v if np.isfinite(v) else str(v).replace("inf", "Infinity") for v in row] for row in x.tolist()],
            "posterior": posterior[f"case{i}"],
            "arviz": arviz(x),
        }
        for i, (name, x) in enumerate(cases.items())
    ]
    (HERE / "cases.json.gz").write_bytes(gzip.compress(json.dumps(golden, separators=(",", ":")).encode(), mtime=0))


main()
