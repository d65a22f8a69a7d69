"""The reference itself: the project's own package gives what was stored."""

from __future__ import annotations

import numpy as np
import requests
from alike import same_array
from stored import UNEQUAL, VARIABLES, Growing, Stored, draws_of, stats_of


def test_the_reference_is_what_was_stored(run: Stored) -> None:
    rng = np.random.default_rng(16)
    tree = run.tree()
    least = min(count - warmup for count, warmup in UNEQUAL)
    assert tree["posterior"].sizes["draw"] == least
    assert tree["warmup_posterior"].sizes["draw"] == 8
    for number, (count, warmup) in enumerate(UNEQUAL):
        draws, stats = draws_of(rng, count), stats_of(rng, count, warmup)
        for var in VARIABLES:
            if not var.is_rigid:
                continue
            group = "unconstrained_posterior" if var.name == "tau_log__" else "posterior"
            name = var.name.replace("/", "_")
            same_array(draws[var.name][warmup : warmup + least], tree[group][name].values[number], var.name)
            same_array(draws[var.name][:8], tree[f"warmup_{group}"][name].values[number], var.name)
        steps = tree["sample_stats/n_steps"].values[number]
        assert steps.tolist() == stats["sampler_0__tree_size"][warmup : warmup + least].tolist()


def test_a_growing_run_grows(growing: Growing) -> None:
    url = f"{growing.url}/chains/1"
    before = requests.get(url, timeout=60).json()["length"]
    growing.start()
    growing.wait_for(30)
    assert before == 10
    assert requests.get(url, timeout=60).json()["length"] >= 30
