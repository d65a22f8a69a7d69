#!/usr/bin/env python3
"""Runs the package's checks and tests on each Python that it is for, in environments of their own.

    python clients/python/run_tests.py                  # ruff, mypy and pytest, on 3.11, 3.12 and 3.13
    python clients/python/run_tests.py --python 3.13    # on this one alone; may be repeated
    python clients/python/run_tests.py -- -k spool      # pytest's own options behind --
    python clients/python/run_tests.py -- --slow        # with the tests that take minutes
    python clients/python/run_tests.py --recipes        # with the libraries of all recipes, on each Python
    python clients/python/run_tests.py --benchmark      # the speed table instead, on the oldest one

The environments are `.venv` (3.11), `.venv-3.12` and `.venv-3.13` beside this file (scripts/environments.py). A Python
that is not found is skipped by name; with none there is nothing to test, and the exit status is 0.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence

from scripts.environments import OLDEST, RECIPES, RECIPES_IN_CI, VERSIONS, Environment, find_interpreter

# Tests of the network, the disk and the spool, which meet none of the libraries.
WITHOUT_LIBRARIES = ("answers", "faults", "hostile", "spool_*")
MEASURE = ("--timeout=1800", "--benchmark-enable", "--benchmark-columns=min,median,rounds")


def version_of(text: str) -> str:
    if not re.fullmatch(r"3\.\d+", text) or int(text[2:]) < int(OLDEST[2:]):
        raise argparse.ArgumentTypeError(f"{text!r} is not {OLDEST} or later")
    return text


def report(environment: Environment, *command: str) -> int:
    print(f"$ python{environment.version} -m {' '.join(command)}", flush=True)
    return environment.run(*command)


def make(versions: Sequence[str], with_all_recipes: bool) -> tuple[list[Environment], list[str]]:
    """Gives the environments of those Pythons that are found, and the names of those that cannot be installed."""
    environments, failed = [], []
    for version in versions:
        interpreter = find_interpreter(version)
        if interpreter is None:
            print(
                f"Python {version} is skipped: there is no python{version} on the path, and none of pyenv's", flush=True
            )
            continue
        try:
            environment = Environment(version)
            environment.make(interpreter, [*RECIPES] if with_all_recipes else RECIPES_IN_CI.get(version, ()))
            environments.append(environment)
        except subprocess.CalledProcessError as error:
            failed.append(f"installing for {version}: {shlex.join(error.cmd)}")
    return environments, failed


def check(environment: Environment, is_first: bool, options: Sequence[str]) -> list[str]:
    """Runs lint on the first Python, types and tests on each, and gives the names of those that failed."""
    lint = [("ruff", "check", "."), ("ruff", "format", "--check", ".")] if is_first else []
    failed = [" ".join(command) for command in [*lint, ("mypy",)] if report(environment, *command) != 0]
    # Much of a test's time is a server's start, or waiting: two at a time.
    tests = ("pytest", "tests", "--numprocesses=2", "--dist=worksteal", *options)
    return failed + [f"pytest on {environment.version}"] * (report(environment, *tests) != 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", action="append", type=version_of, metavar="X.Y", help=f"{', '.join(VERSIONS)}, or a later one"
    )
    parser.add_argument("--lean", action="store_true", help="leave out tests that meet none of the libraries")
    parser.add_argument("--recipes", action="store_true", help=f"install {', '.join(RECIPES)} on each Python")
    parser.add_argument("--only-install", action="store_true", help="make the environments, and run nothing")
    parser.add_argument("--benchmark", action="store_true", help="measure the speed table and print it")
    parser.add_argument("pytest", nargs="*", metavar="OPTION", help="options for pytest, behind --")
    options = parser.parse_args()
    environments, failed = make(options.python or VERSIONS, options.recipes)
    if options.benchmark:
        command = ("pytest", "benchmarks", *MEASURE, *options.pytest)
        failed += ["pytest"] * any(report(environment, *command) != 0 for environment in environments[:1])
    elif not options.only_install:
        left_out = [f"--ignore-glob=*/test_{name}.py" for name in WITHOUT_LIBRARIES if options.lean]
        for environment in environments:
            failed += check(environment, environment is environments[0], [*left_out, *options.pytest])
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
