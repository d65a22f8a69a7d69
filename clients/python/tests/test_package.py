"""The package as a whole: generated code is up to date, optional packages are optional, nothing leaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

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


@pytest.mark.slow
def test_the_wheel_is_whole(tmp_path: Path) -> None:
    """Every module, the mark of types, the licence and the README; it needs the build backend from PyPI."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(PACKAGE)]
    subprocess.run(command, check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = next(name for name in names if name.endswith("/METADATA"))
        metadata = archive.read(about).decode()
    source = PACKAGE / "src"
    modules = {str(path.relative_to(source)) for path in source.rglob("*.py*") if "__pycache__" not in path.parts}
    assert modules | {"mcbackend_edge/py.typed"} <= names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert "# mcbackend-edge for Python" in metadata


def test_the_licence_is_that_of_the_repository() -> None:
    if not (REPOSITORY / "LICENSE").exists():
        pytest.skip("the repository's LICENSE is absent")
    assert (PACKAGE / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def test_the_version_is_one() -> None:
    from importlib.metadata import version

    assert version("mcbackend-edge") == mcbackend_edge.__version__
