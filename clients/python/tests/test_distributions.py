"""The sdist and the wheel: whole, without anything else, and at work in an environment that holds nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from .server import PACKAGE, RunningServer

pytest.importorskip("build", reason="build is not installed: pip install mcbackend-edge[test]")

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
# A user's first minute: a run is written, read back, and the command works.
SESSION = """
import sys
import numpy as np
import mcbackend_edge as mcb

assert mcb.__file__.startswith(sys.prefix), mcb.__file__
draws = np.random.default_rng(1).normal(size=(50, 3))
with mcb.Client() as client:
    run = client.create_run(variables={"theta": np.zeros(3)}, sample_stats={"lp": 0.0})
    chain = run.init_chain(0)
    for draw in draws:
        chain.append({"theta": draw}, {"lp": draw.sum()})
    run.flush()
    read = client.run(run.rid).chain(0)
    assert np.array_equal(read.get_draws("theta"), draws)
    assert np.array_equal(read.get_stats("lp"), [draw.sum() for draw in draws])
for name in ("HTTPBackend", "EmceeBackend"):
    try:
        getattr(mcb, name)
    except ImportError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(PACKAGE)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def the(folder: Path, pattern: str) -> Path:
    [found] = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return the(built, "*.whl")


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_what_an_index_would_refuse_is_known(built: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(built.iterdir())) == 2


def test_the_wheel_is_whole(wheel: Path, metadata: Message) -> None:
    """Every module, the mark of types, the licence and the README, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        licence = archive.read(licences[0])
    source = PACKAGE / "src"
    files = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert names == {str(path.relative_to(source)) for path in files if ".egg-info" not in str(path)}
    assert "mcbackend_edge/py.typed" in names
    assert licence == (PACKAGE / "LICENSE").read_bytes()
    assert "# mcbackend-edge for Python" in str(metadata.get_payload())


def test_the_sdist_holds_what_is_under_version_control(built: Path) -> None:
    git = shutil.which("git")
    command = [str(git), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=False) if git else None
    if listed is None or listed.returncode != 0 or not listed.stdout:
        pytest.skip("no git, or no repository: nothing says what is under version control")
    files = {name for name in listed.stdout.splitlines() if (PACKAGE / name).exists()}
    with tarfile.open(the(built, "*.tar.gz")) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert names == files | {"PKG-INFO"}


def test_pythons_are_those_that_are_tested(metadata: Message) -> None:
    sys.path.insert(0, str(PACKAGE))
    try:
        from scripts.environments import OLDEST, VERSIONS
    finally:
        sys.path.remove(str(PACKAGE))
    named = [line.rpartition(" ")[2] for line in metadata.get_all("Classifier", ()) if re.search(r":: 3\.\d+$", line)]
    assert (named, metadata["Requires-Python"]) == (list(VERSIONS), f">={OLDEST}")


def test_an_empty_environment_is_enough(wheel: Path, server: RunningServer, tmp_path: Path) -> None:
    """NumPy, protobuf and urllib3 come with it, and nothing of the sampling libraries."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    installed = subprocess.run(
        [python, *PIP, "install", "--quiet", "--no-compile", str(wheel)], capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    subprocess.run([python, *PIP, "check"], check=True, capture_output=True)
    listed = subprocess.run([python, *PIP, "list", "--format=json"], check=True, capture_output=True, text=True)
    names = {package["name"] for package in json.loads(listed.stdout)}
    assert names - {"pip", "setuptools"} == {"mcbackend-edge", "numpy", "protobuf", "urllib3"}
    environment = {**os.environ, "MCB_URL": server.url}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "-c", SESSION], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"mcbackend-edge\[\w+\]", done.stdout) == ["mcbackend-edge[mcbackend]", "mcbackend-edge[emcee]"]
    program = str(tmp_path / "venv" / "bin" / "mcbackend-edge")
    told = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("mcbackend-edge ")


def requirements(metadata: Message, extra: str) -> set[str]:
    """Names of what an extra asks for, with those of the extras that it contains."""
    lines = metadata.get_all("Requires-Dist", ())
    found = {line.partition(";")[0].strip() for line in lines if re.search(rf"extra == ['\"]{extra}['\"]", line)}
    inner = {name for line in found for name in re.findall(r"mcbackend-edge\[(.+)\]", line)}
    named = {re.split(r"[^\w.-]", line)[0] for line in found if not line.startswith("mcbackend-edge[")}
    return named.union(*(requirements(metadata, name) for names in inner for name in names.split(",")))


def test_only_who_asks_for_mcbackend_gets_it(metadata: Message) -> None:
    """Its licence is another one."""
    assert "mcbackend" in requirements(metadata, "mcbackend")
    for extra in ("pymc", "arviz", "datatree", "emcee", "recipes"):
        assert not {"mcbackend", "betterproto"} & requirements(metadata, extra), extra


def test_today_s_pymc_is_what_pip_finds(wheel: Path) -> None:
    """It resolves the extra as in an empty environment, and installs nothing."""
    command = [sys.executable, *PIP, "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*command, f"{wheel}[pymc]"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {
        item["metadata"]["name"].lower(): item["metadata"]["version"] for item in json.loads(done.stdout)["install"]
    }
    is_new = sys.version_info >= (3, 12)
    assert found["pymc"].split(".")[0] == ("6" if is_new else "5")
    assert found["arviz"].split(".")[0] == ("1" if is_new else "0")
    assert not {"mcbackend", "betterproto"} & set(found)
