"""The virtual environments in which the package is tested: one for each version of Python, beside pyproject.toml.

A version is found as `pythonX.Y` on the path or among pyenv's. Its environment is made once, and again when the
dependencies change.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# Versions of Python that the package is for, of which the oldest has an environment of the plain name.
VERSIONS = ("3.11", "3.12", "3.13")
OLDEST = VERSIONS[0]
# Newest releases that fit together on the oldest Python: PyMC 6 and ArviZ 1 need a later one.
KNOWN_GOOD = ("pymc==5.28.5", "arviz==0.23.4", "mcbackend==0.5.3", "betterproto==2.0.0b7")
# On later ones pip chooses, as it does for users, from these releases on.
AT_LEAST = ("pymc>=6.4", "arviz>=1.3", "mcbackend>=0.5.4", "numpy>=2.5", "xarray>=2026.9", "zarr>=3.4")
# Libraries of docs/recipes.md that CI installs, each on one Python since JAX and compilers cost it time, and how:
# of prophet, only its CmdStan program is used.
RECIPES = {"blackjax": (), "numpyro": (), "nutpie": (), "prophet": ("--no-deps",)}
RECIPES_IN_CI = {"3.11": ("blackjax", "numpyro"), "3.13": ("nutpie", "prophet")}
# The protoc that generated the code, in a folder of its own: it wants an older protobuf than the tests run on.
GRPCIO_TOOLS = ("grpcio-tools==1.72.1", "setuptools<81")
PIP = ("pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")


class Environment:
    """The environment of one version of Python.

    Parameters
    ----------
    version : such as "3.13".
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.folder = PACKAGE / (".venv" if version == OLDEST else f".venv-{version}")
        self.python = self.folder / "bin" / "python"
        self.constraints = KNOWN_GOOD if version == OLDEST else AT_LEAST
        self.protoc = self.folder / "protoc"
        self._stamp = self.folder / "installed.sha256"
        self._version_stamp = self.folder / "installed.version"

    def run(self, *arguments: str, check: bool = False) -> int:
        """Runs a module within the environment, and gives its exit status."""
        path = f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {**os.environ, "PATH": path}
        command = [str(self.python), "-m", *arguments]
        return subprocess.run(command, cwd=PACKAGE, env=environment, check=check).returncode

    def make(self, interpreter: str, recipes: Sequence[str]) -> None:
        """Installs what is missing: everything, the package's new version, or libraries of recipes."""
        digest, package_version = self._wanted()
        if not (self.python.exists() and self._stamp.exists() and self._stamp.read_text() == digest):
            print(
                f"installing the tests' environment of Python {self.version} in {self.folder} (minutes, once)",
                flush=True,
            )
            subprocess.run([interpreter, "-m", "venv", "--clear", str(self.folder)], check=True)
            self.run(*PIP, "--editable", f"{PACKAGE}[test]", *self.constraints, check=True)
            if self.version == OLDEST:
                self.run(*PIP, "--target", str(self.protoc), *GRPCIO_TOOLS, check=True)
            self._stamp.write_text(digest)
        elif not self._version_stamp.exists() or self._version_stamp.read_text() != package_version:
            # A new version needs new metadata of the package, and nothing else.
            self.run(*PIP, "--no-deps", "--editable", str(PACKAGE), check=True)
        self._version_stamp.write_text(package_version)
        for name in recipes:
            if self._has(name):
                continue
            print(f"installing {name} for its recipe on Python {self.version}", flush=True)
            if self.run(*PIP, *RECIPES[name], name, *(() if RECIPES[name] else self.constraints)) != 0:
                print(f"{name} cannot be installed here: its recipe is skipped", flush=True)

    def _has(self, name: str) -> bool:
        find = f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)"
        return subprocess.run([str(self.python), "-c", find], check=False).returncode == 0

    def _wanted(self) -> tuple[str, str]:
        """A digest of everything that the environment must hold, and the package's own version.

        The settings of tools at the end of pyproject.toml do not matter.
        """
        project = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.")[0]
        version = re.search(r"^version = .*\n", project, re.MULTILINE)
        if version is None:
            raise ValueError("pyproject.toml has no version")
        rest = project.replace(version[0], "")
        parts = (self.version, self.constraints, GRPCIO_TOOLS)
        return hashlib.sha256((rest + repr(parts)).encode()).hexdigest(), version[0]


def find_interpreter(version: str) -> str | None:
    """A Python of this version that can make environments, or None: pyenv's shims exist without one."""
    for candidate in _candidates(version):
        check = f"import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
        try:
            tried = subprocess.run([candidate, "-c", check], check=False, capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0:
            return candidate
    return None


def _candidates(version: str) -> Iterator[str]:
    if sys.version.startswith(f"{version}."):
        yield sys.executable
    for folder in os.get_exec_path():
        path = Path(folder) / f"python{version}"
        if path.is_file():
            yield str(path)
    for root in _pyenv_roots():
        found = root.glob(f"versions/{version}.*/bin/python")
        yield from map(str, sorted(found, key=lambda path: _numbers(path.parent.parent.name), reverse=True))


def _pyenv_roots() -> Iterator[Path]:
    if os.environ.get("PYENV_ROOT"):
        yield Path(os.environ["PYENV_ROOT"])
    yield Path.home() / ".pyenv"
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        told = subprocess.run([pyenv, "root"], check=False, capture_output=True, text=True)
        if told.returncode == 0:
            yield Path(told.stdout.strip())


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]
