"""One `pm.sample` in a process of its own: prints its seconds, and the most memory that the process ever had, in bytes.

Usage: python pymc_child.py MODEL URL DRAWS TUNE      with an empty URL: without `PyMCTrace`
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm


def eight_schools() -> pm.Model:
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * eta, dims="school")
        y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
        pm.Normal("obs", theta, np.array([15.0, 10, 16, 11, 9, 11, 10, 18]), observed=y, dims="school")
    return model


def wide() -> pm.Model:
    """5,000 dimensions with a cheap gradient."""
    with pm.Model() as model:
        pm.Normal("x", shape=5000)
    return model


def sample(model: pm.Model, trace: Any, draws: int, tune: int) -> Any:
    with model:
        return pm.sample(
            draws=draws,
            tune=tune,
            chains=4,
            cores=2,
            random_seed=3,
            trace=trace,
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
        )


def peak() -> int:
    """Peak resident memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def main(name: str, url: str, draws: int, tune: int) -> None:
    model = {"eight schools": eight_schools, "5,000 dimensions": wide}[name]()
    # Compiled functions are in PyTensor's cache from then on.
    sample(model, None, 5, 5)
    if url:
        # Not measured: a script without this package does not import it.
        from mcbackend_edge import PyMCTrace
    began = time.perf_counter()
    trace: Any = PyMCTrace(url, exit_timeout=120) if url else None
    sample(model, trace, draws, tune)
    print(time.perf_counter() - began, peak())
    if trace is not None:
        trace.flush(120)
        trace.client.delete_run(trace.rid)
        trace.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
