"""Every recipe in docs/recipes.md, and the example of docs/names.md, run as it stands in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcbackend_edge import Client

from .server import PACKAGE, RunningServer


def examples(path: Path) -> dict[str, tuple[str, str]]:
    """The language and the text of the first code behind each heading."""
    text = path.read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(): part for part in re.split(r"^##? ", text, flags=re.MULTILINE)[1:]}
    found = {title: re.search(r"```(python|sh)\n(.*?)```", part, re.DOTALL) for title, part in sections.items()}
    return {title: (match[1], match[2]) for title, match in found.items() if match}


NAMES = "Names, notes, facts"
RECIPES = examples(PACKAGE / "docs" / "recipes.md") | examples(PACKAGE / "docs" / "names.md")
NEEDED = {
    "PyMC": ["pymc", "arviz"],
    "PyMC, by way of McBackend": ["pymc", "mcbackend", "arviz"],
    "emcee": ["emcee"],
    "NumPyro": ["numpyro"],
    "BlackJAX": ["blackjax"],
    "nutpie": ["nutpie", "pymc"],
    "Any result": ["emcee", "arviz"],
    "CmdStan": ["prophet"],
    "Watching a run": [],
    NAMES: [],
}
INTERPRETER = {"python": [sys.executable, "-W", "ignore", "-c"], "sh": ["bash", "-eu", "-c"]}


def test_all_recipes_are_known() -> None:
    assert set(RECIPES) == set(NEEDED)


@pytest.mark.parametrize("title", RECIPES)
def test_recipe(server: RunningServer, client: Client, tmp_path: Path, title: str) -> None:
    for module in NEEDED[title]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (run_tests.py --recipes installs it)")
    if title in BEFORE:
        BEFORE[title](tmp_path)
    language, code = RECIPES[title]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "MCB_URL": server.url, "PATH": path}
    done = subprocess.run(
        [*INTERPRETER[language], code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    if title in AFTER:
        AFTER[title](client)


def lay_a_model_of_cmdstan(folder: Path) -> None:
    """The program is that of prophet's model, by CmdStan 2.37, from its wheel; the data are a trend with a season."""
    found = importlib.util.find_spec("prophet")
    assert found is not None
    assert found.submodule_search_locations is not None
    program = Path(found.submodule_search_locations[0]) / "stan_model" / "prophet_model.bin"
    if not program.exists():
        pytest.skip("this wheel of prophet has no program of CmdStan")
    (folder / "model").symlink_to(program)
    times = np.linspace(0, 1, 60)
    season = [[math.sin(8 * t), math.cos(8 * t)] for t in times]
    noise = np.random.default_rng(1).normal(0, 0.02, times.size)
    data = {
        "T": times.size,
        "t": times.tolist(),
        "y": (0.2 + 0.6 * times + 0.1 * np.sin(8 * times) + noise).tolist(),
        "cap": [0.0] * times.size,
        "S": 3,
        "t_change": [0.2, 0.4, 0.6],
        "K": 2,
        "X": season,
        "sigmas": [10.0, 10.0],
        "tau": 0.05,
        "trend_indicator": 0,
        "s_a": [1.0, 1.0],
        "s_m": [0.0, 0.0],
    }
    (folder / "data.json").write_text(json.dumps(data))


def check_the_run_of_cmdstan(client: Client) -> None:
    run = client.run("my-run")
    assert run.lengths() == {0: 400, 1: 400}
    assert [run.chain(number).warmup_length() for number in (0, 1)] == [200, 200]
    assert run.about().name == "A trend"
    season = np.concatenate([run.chain(number).get_draws("beta", slice(200, None)) for number in (0, 1)])
    # Amplitudes of the season in the data.
    assert season.shape == (400, 2)
    assert np.allclose(season.mean(axis=0), [0.1, 0.0], atol=0.03)
    assert run.chain(0).get_draws("trend").shape == (400, 60)


BEFORE: dict[str, Callable[[Path], None]] = {"CmdStan": lay_a_model_of_cmdstan}
AFTER: dict[str, Callable[[Client], None]] = {"CmdStan": check_the_run_of_cmdstan}
