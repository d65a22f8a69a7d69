"""Every recipe in docs/recipes.md, run as it stands in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from .server import PACKAGE, RunningServer

TEXT = (PACKAGE / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0].strip(): part for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]}
RECIPES = {
    title: found[1] for title, part in SECTIONS.items() if (found := re.search(r"```python\n(.*?)```", part, re.DOTALL))
}
NEEDED = {
    "PyMC": ["pymc", "mcbackend", "arviz"],
    "emcee": ["emcee"],
    "NumPyro": ["numpyro"],
    "BlackJAX": ["blackjax"],
    "nutpie": ["nutpie", "pymc"],
    "Watching a run": [],
}


def test_all_recipes_are_known() -> None:
    assert set(RECIPES) == set(NEEDED)


@pytest.mark.parametrize("title", RECIPES)
def test_recipe(server: RunningServer, title: str) -> None:
    for module in NEEDED[title]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (run_tests.py --recipes installs it)")
    environment = {**os.environ, "MCB_URL": server.url}
    command = [sys.executable, "-W", "ignore", "-c", RECIPES[title]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
