"""Eight schools in their centered form, sampled by PyMC into a server: `python eight_schools.py URL RID`."""

import sys
import time

import numpy as np
import pymc as pm

from mcbackend_edge import PyMCTrace

SCHOOLS = ["Choate", "Deerfield", "Phillips Andover", "Phillips Exeter", "Hotchkiss", "Lawrenceville", "St. Paul's", "Mt. Hermon"]
Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

url, rid = sys.argv[1:]
with pm.Model(coords={"school": SCHOOLS}):
    mu = pm.Normal("mu", 0, 5)
    tau = pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, dims="school")
    pm.Normal("obs", theta, SIGMA, observed=Y, dims="school")
    pm.sample(
        tune=300,
        draws=600,
        chains=4,
        cores=2,
        random_seed=1,
        progressbar=False,
        compute_convergence_checks=False,
        callback=lambda trace, draw: time.sleep(0.002),
        trace=PyMCTrace(url, name="Eight schools, centered", tags=["paper"], rid=rid),
    )
