"""Samples with nutpie into a folder and into a run's URL, in turns, for bench/doors/nutpie.ts: a line of JSON a turn.

Arguments: the server's address, draws, warmup draws, elements of the vector (0 for eight schools), turns.
"""

import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import nutpie
import pymc as pm

RETRY = {
    "max_retries": 1000,
    "retry_timeout": dt.timedelta(minutes=10),
    "backoff": {
        "init_backoff": dt.timedelta(milliseconds=50),
        "max_backoff": dt.timedelta(seconds=1),
        "base": 2,
    },
}
EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERRORS = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def model_of(size: int) -> pm.Model:
    """Eight schools, not centred, or a standard normal vector."""
    with pm.Model() as model:
        if size:
            pm.Normal("x", 0, 1, shape=size)
        else:
            mu = pm.Normal("mu", 0, 5)
            tau = pm.HalfCauchy("tau", 5)
            theta = pm.Deterministic("theta", mu + tau * pm.Normal("theta_t", 0, 1, shape=8))
            pm.Normal("obs", theta, ERRORS, observed=EFFECTS)
    return model


def main() -> None:
    server, draws, tune, size, turns = sys.argv[1], *map(int, sys.argv[2:6])
    compiled = nutpie.compile_pymc_model(model_of(size))

    def sample(store: object) -> float:
        begun = time.perf_counter()
        nutpie.sample(
            compiled, draws=draws, tune=tune, chains=4, seed=1, progress_bar=False, zarr_store=store
        )
        return time.perf_counter() - begun

    def at_url() -> float:
        url = f"{server.rstrip('/')}/v1/runs/bench-{time.time_ns()}/in.zarr"
        return sample(
            nutpie.zarr_store.HTTPStore(url, client_options={"allow_http": "true"}, retry_config=RETRY)
        )

    def local() -> float:
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="data-bench-") as folder:
            return sample(nutpie.zarr_store.LocalStore(folder))

    # The first turn warms up.
    for turn in range(turns + 1):
        first, second = (local, at_url) if turn % 2 else (at_url, local)
        took = {first.__name__: first(), second.__name__: second()}
        if turn:
            print(json.dumps({"local": took["local"], "url": took["at_url"]}), flush=True)


main()
