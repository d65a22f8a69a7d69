"""Every recipe in docs/recipes.md, and one of the README, run as it stands in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .server import PACKAGE, RunningServer


def examples(path: Path) -> dict[str, str]:
    """The first code of each section that has some."""
    text = path.read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(): part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}
    found = {title: re.search(r"```python\n(.*?)```", part, re.DOTALL) for title, part in sections.items()}
    return {title: match[1] for title, match in found.items() if match}


NAMES = "Names, notes, facts"
RECIPES = {**examples(PACKAGE / "docs" / "recipes.md"), NAMES: examples(PACKAGE / "README.md")[NAMES]}
NEEDED = {
    "PyMC": ["pymc", "mcbackend", "arviz"],
    "emcee": ["emcee"],
    "NumPyro": ["numpyro"],
    "BlackJAX": ["blackjax"],
    "nutpie": ["nutpie", "pymc"],
    "Watching a run": [],
    NAMES: [],
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
