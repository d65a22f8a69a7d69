#!/usr/bin/env python3
"""Runs the package's checks and tests in a virtual environment of their own.

    python clients/python/run_tests.py                # ruff, mypy and pytest, as CI does
    python clients/python/run_tests.py -- -k spool    # pytest's own options behind --
    python clients/python/run_tests.py -- --slow      # with the tests that take minutes
    python clients/python/run_tests.py --recipes      # with NumPyro and nutpie, which take a while to install
    python clients/python/run_tests.py --benchmark    # the speed table instead

The environment is `.venv` beside this file. It is made once, and again when the dependencies change. Without Python
3.11 or later there is nothing to test: that is said, and the exit status is 0.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
VENV = PACKAGE / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.sha256"
VERSION_STAMP = VENV / "installed.version"
NEEDED = (3, 11)
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3", "python")
# Newest versions that fit together on the oldest Python; on later ones pip may choose.
CONSTRAINTS = ("pymc==5.28.5", "arviz==0.23.4", "mcbackend==0.5.3", "betterproto==2.0.0b7")
# Libraries of docs/recipes.md: the one that is always tried, and those that cost CI too much time.
RECIPE, MORE_RECIPES = "blackjax", ("numpyro", "nutpie")
# The protoc that generated the code, in a folder of its own: it wants an older protobuf than the tests run on.
PROTOC = VENV / "protoc"
GRPCIO_TOOLS = "grpcio-tools==1.72.1"


def find_python() -> str | None:
    """A Python that is new enough: this one, or another one on the path."""
    if sys.version_info >= NEEDED:
        return sys.executable
    for name in CANDIDATES:
        path = shutil.which(name)
        if path is not None:
            check = f"import sys; sys.exit(sys.version_info < {NEEDED})"
            if subprocess.run([path, "-c", check], check=False, stderr=subprocess.DEVNULL).returncode == 0:
                return path
    return None


def wanted() -> tuple[str, str]:
    """A digest of everything that the environment must hold, and the package's own version.

    The settings of tools at the end of pyproject.toml do not matter.
    """
    project = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.")[0]
    version = re.search(r"^version = .*\n", project, re.MULTILINE)
    if version is None:
        raise ValueError("pyproject.toml has no version")
    rest = project.replace(version[0], "")
    return hashlib.sha256((rest + repr((CONSTRAINTS, RECIPE))).encode()).hexdigest(), version[0]


def install(python: str, recipes: Sequence[str]) -> None:
    """Makes the environment unless it is as it should be, and puts the libraries of recipes into it."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    digest, version = wanted()
    if not (PYTHON.exists() and STAMP.exists() and STAMP.read_text() == digest):
        print(f"installing the Python package's test environment in {VENV} (a minute or two, once)", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([*pip, "--editable", f"{PACKAGE}[test]", *CONSTRAINTS], check=True)
        subprocess.run([*pip, "--target", str(PROTOC), GRPCIO_TOOLS, "setuptools<81"], check=True)
        STAMP.write_text(digest)
    elif not VERSION_STAMP.exists() or VERSION_STAMP.read_text() != version:
        # A new version needs new metadata of the package, and nothing else.
        subprocess.run([*pip, "--no-deps", "--editable", str(PACKAGE)], check=True)
    VERSION_STAMP.write_text(version)
    for name in recipes:
        is_present = subprocess.run([str(PYTHON), "-c", f"import {name}"], check=False, stderr=subprocess.DEVNULL)
        if is_present.returncode != 0 and subprocess.run([*pip, name, *CONSTRAINTS], check=False).returncode != 0:
            print(f"{name} cannot be installed here: its recipe is skipped", flush=True)


def run(*command: str) -> int:
    print(f"$ {' '.join(command)}", flush=True)
    environment = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run([str(PYTHON), "-m", *command], cwd=PACKAGE, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", action="store_true", help="measure the speed table and print it")
    parser.add_argument("--recipes", action="store_true", help=f"install {' and '.join(MORE_RECIPES)}, too")
    parser.add_argument("--only-install", action="store_true", help="make the environment, and run nothing")
    parser.add_argument("pytest", nargs="*", metavar="OPTION", help="options for pytest, behind --")
    options = parser.parse_args()
    python = find_python()
    if python is None:
        print("The Python package was skipped: it needs Python 3.11 or later, and there is none on the path.")
        return 0
    install(python, [RECIPE, *(MORE_RECIPES if options.recipes else ())])
    if options.only_install:
        return 0
    if options.benchmark:
        measure = ("--timeout=1800", "--benchmark-enable", "--benchmark-columns=min,median,rounds")
        return run("pytest", "benchmarks", *measure, *options.pytest)
    checks = [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)]
    failed = [" ".join(check) for check in checks if run(*check) != 0]
    # Much of a test's time is a server's start, or waiting: two at a time.
    tests = ("pytest", "tests", "--numprocesses=2", "--dist=worksteal", *options.pytest)
    failed += ["pytest"] if run(*tests) != 0 else []
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
