"""The package as a whole: generated code is up to date, optional packages are optional, nothing leaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import mcbackend_edge

from .server import PACKAGE, REPOSITORY


def test_generated_code_is_up_to_date() -> None:
    protoc = PACKAGE / ".venv" / "protoc"
    if not protoc.is_dir() or not (REPOSITORY / "protobufs").is_dir():
        pytest.skip("protoc or the repository's protobufs folder is absent: run_tests.py installs the former")
    command = [sys.executable, str(PACKAGE / "scripts" / "generate_protobuf.py"), "--check"]
    environment = {**os.environ, "PYTHONPATH": str(protoc)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_optional_packages_are_imported_only_when_asked_for() -> None:
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'mcbackend', 'pymc', 'emcee', 'arviz', 'xarray', 'pandas', 'betterproto'}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import mcbackend_edge, mcbackend_edge.cli
from mcbackend_edge import *
for name in ('HTTPBackend', 'EmceeBackend'):
    try:
        getattr(mcbackend_edge, name)
    except ModuleNotFoundError:
        print(name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["HTTPBackend", "EmceeBackend"]


def test_files_are_short_and_begin_with_what_they_are_for() -> None:
    for path in [*PACKAGE.glob("src/**/*.py"), *PACKAGE.glob("tests/*.py"), *PACKAGE.glob("scripts/*.py")]:
        text = path.read_text(encoding="utf-8")
        if "_generated" in path.parts or not text:
            continue
        assert re.match(r'(#!.*\n)?"""\S', text), path
        assert text.count("\n") < 500, path


def test_the_version_is_one() -> None:
    from importlib.metadata import version

    assert version("mcbackend-edge") == mcbackend_edge.__version__
