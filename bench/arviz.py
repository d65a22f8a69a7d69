"""Computes with arviz-stats what benches ask for, a line of JSON each, and answers with the CPU seconds that it took."""

import json
import sys
import time
import warnings

import numpy as np
import xarray as xr
from arviz_base import from_dict
from arviz_stats import summary
from arviz_stats.base import array_stats

warnings.filterwarnings("ignore")


def ar1(chains: int, draws: int, scalars: int) -> np.ndarray:
    """Autoregressive draws with a coefficient of one half, of shape (chains, draws, scalars)."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((chains, draws, scalars))
    for i in range(1, draws):
        values[:, i] += 0.5 * values[:, i - 1]
    return values


def four(values: np.ndarray) -> None:
    axes = {"chain_axis": 0, "draw_axis": 1}
    for scalar in range(values.shape[2]):
        one = np.ascontiguousarray(values[:, :, scalar])
        array_stats.rhat(one, **axes)
        array_stats.ess(one, method="bulk", **axes)
        array_stats.ess(one, method="tail", prob=0.89, **axes)
        array_stats.ess(one, method="mean", **axes)


def main() -> None:
    tree: xr.DataTree | None = None
    values = np.empty(0)
    for line in sys.stdin:
        task = json.loads(line)
        if "draws" in task:
            values = ar1(task["chains"], task["draws"], task["scalars"])
            tree = from_dict({"posterior": {"x": values}})
        begun = time.process_time()
        if task.get("what") == "four":
            four(values)
        elif task.get("what") == "summary":
            summary(tree, round_to="none")
        print(json.dumps({"seconds": time.process_time() - begun}), flush=True)


main()
