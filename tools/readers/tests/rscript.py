"""Scripts in R, where there is one, with the libraries that Debian has for it."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def r(script: str, *libraries: str) -> str:
    """Output of a script, warnings of which are errors."""
    if shutil.which("Rscript") is None:
        pytest.skip("there is no R")
    for library in libraries:
        found = subprocess.run(["Rscript", "-e", f"library({library})"], capture_output=True, check=False)
        if found.returncode != 0:
            pytest.skip(f"R has no {library}")
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", f"options(warn = 2)\n{script}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
