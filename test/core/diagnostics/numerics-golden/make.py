"""Quantiles of distributions and of samples by SciPy and NumPy: numerics.json.gz, for numerics.test.ts.

python make.py
"""

import gzip
import json
from pathlib import Path

import numpy as np
from scipy import special, stats

rng = np.random.default_rng(241)


def normal() -> list[list[float]]:
    """Probabilities, from the ends and across the borders of AS 241's three ranges, with their quantiles."""
    edges = [0.075, 0.925, np.exp(-25.0), 0.5, 2.0**-53, 1 - 2.0**-53, 1e-300, 5e-324]
    around = [p * (1 + step * 1e-12) for p in edges for step in (-1, 0, 1)]
    p = np.array(
        [*around, *rng.random(150), *10.0 ** -rng.uniform(1, 300, 100), *(1 - 10.0 ** -rng.uniform(1, 15, 50))]
    )
    p = p[(p > 0) & (p < 1)]
    return [p.tolist(), special.ndtri(p).tolist()]


def beta() -> list[list[float]]:
    """Places ⌊q · size⌋ of quantiles of Beta(a, b), as the errors of quantiles of draws have them."""
    rows = []
    for _ in range(400):
        ess = 10.0 ** rng.uniform(0, 5.5)
        prob = float(rng.choice([0.01, 0.05, 0.5, 0.95, 0.99, rng.random()]))
        p = float(rng.choice([0.1586553, 0.8413447]))
        a, b, size = ess * prob + 1, ess * (1 - prob) + 1, int(10.0 ** rng.uniform(0.7, 5.5))
        place = stats.beta.ppf(p, a, b) * size
        # SciPy's own digits cannot decide what is nearer to a whole number than that.
        if abs(place - round(place)) > 1e-6 * max(place, 1):
            rows.append([p, a, b, size, int(np.floor(place))])
    return rows


def samples() -> list[dict[str, list[float]]]:
    """Sorted numbers with their quantiles."""
    probabilities = [0, 0.05, 0.055, 1 - 0.89, 0.25, 0.5, 0.75, 0.89, 0.95, 1]
    kinds = [
        lambda n: rng.normal(size=n),
        lambda n: np.round(rng.normal(size=n), 1),
        lambda n: 1e15 + np.round(8 * rng.normal(size=n)) / 8,
        lambda n: rng.normal(size=n) * 1e-310,
    ]
    return [
        {"sorted": x.tolist(), "p": probabilities, "quantiles": np.quantile(x, probabilities).tolist()}
        for n in (1, 2, 3, 5, 8, 20, 21, 41, 60)
        for x in (np.sort(kind(n)) for kind in kinds)
    ]


golden = json.dumps({"normal": normal(), "beta": beta(), "samples": samples()}, separators=(",", ":"))
(Path(__file__).parent / "numerics.json.gz").write_bytes(gzip.compress(golden.encode(), mtime=0))
