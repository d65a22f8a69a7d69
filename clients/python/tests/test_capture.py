"""The environment that a run tells: what is told where, and what never is."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mcbackend_edge import Client, capture
from mcbackend_edge.capture import environment_of, is_on_this_machine

from .server import RunningServer

HERE = "http://127.0.0.1:8000"
AWAY = "https://draws.example.org"
VERSIONS = {"python", "platform", "packages"}
SECRET = "hunter2"

SCRIPT = """
import json, sys
{before}
from mcbackend_edge.capture import environment_of
print(json.dumps(environment_of({url!r}, {capture!r}, "pytest").settle()))
"""


def found_by(script: Path, *arguments: str, url: str = HERE, tell: bool | None = None, before: str = "") -> Any:
    """The environment that a script finds, which is started as users do."""
    script.write_text(SCRIPT.format(url=url, capture=tell, before=before))
    sources = str(Path(capture.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": sources, "MY_TOKEN": SECRET}
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=script.parent, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of two files, one of which is the script."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", f"https://user:{SECRET}@example.org/x.git")
    for name in ("fit.py", "data.csv"):
        (folder / name).write_text("1")
    found_by(folder / "fit.py", tell=False)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.mark.parametrize(
    ("url", "is_near"),
    [
        (HERE, True),
        ("http://127.8.9.10", True),
        ("http://[::1]:80/base", True),
        ("http://LOCALHOST:1", True),
        ("http://localhost.:1", True),
        ("http://[::ffff:192.0.2.1]", False),
        (AWAY, False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://192.168.0.1", False),
        ("http://0.0.0.0", False),
    ],
)
def test_this_machine_is_known_by_its_addresses(url: str, is_near: bool) -> None:
    assert is_on_this_machine(url) is is_near


def test_another_machine_is_told_versions_alone(repository: Path) -> None:
    script = repository / "fit.py"
    for url, tell in ((AWAY, None), (AWAY, False), (HERE, False)):
        found = found_by(script, url=url, tell=tell)
        assert set(found) == VERSIONS
        assert {"numpy", "pytest"} <= set(found["packages"])
    assert {"host", "user", "script", "git"} <= set(found_by(script, url=AWAY, tell=True))


def test_a_script_in_a_repository(repository: Path) -> None:
    script = repository / "fit.py"
    commit = git(repository, "rev-parse", "HEAD")
    # Its text is another one than that which was committed.
    found = found_by(script, f"--password={SECRET}")
    assert found["script"] == str(script)
    assert found["host"] == platform.node()
    assert found["git"] == {"commit": commit, "dirty": True}
    assert "notebook" not in found
    git(repository, "commit", "-qam", "second")
    assert found_by(script, SECRET)["git"] == {"commit": git(repository, "rev-parse", "HEAD"), "dirty": False}
    assert SECRET not in json.dumps(found_by(script, SECRET))


def test_a_script_that_was_never_added_is_not_in_the_commit(repository: Path) -> None:
    git(repository, "checkout", "-q", ".")
    assert found_by(repository / "new.py")["git"]["dirty"] is True
    (repository / ".gitignore").write_text(".gitignore\nignored.py\n")
    assert found_by(repository / "ignored.py")["git"]["dirty"] is False


def test_git_is_asked_of_the_scripts_folder(repository: Path, tmp_path: Path) -> None:
    assert "git" not in found_by(tmp_path / "elsewhere.py", before=f"import os; os.chdir({str(repository)!r})")
    inner = "import os; os.environ['GIT_DIR'] = '/nowhere'; os.chdir('/')"
    assert "git" in found_by(repository / "fit.py", before=inner)


def test_a_repository_runs_nothing(repository: Path, tmp_path: Path) -> None:
    """Programs that a repository's settings name are not started."""
    marker = tmp_path / "started"
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    (repository / "data.csv").write_text("2")
    assert found_by(repository / "fit.py")["git"]["dirty"] is True
    assert not marker.exists()


def test_a_slow_git_costs_the_sampler_little(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: RunningServer
) -> None:
    """It is told of nevertheless, behind the draws, if it is there in time."""
    real = shutil.which("git")
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\nsleep 0.4\nexec {real} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(repository / "fit.py"), raising=False)
    began = time.perf_counter()
    found = environment_of(HERE, None)
    assert time.perf_counter() - began < 0.39
    assert "git" not in found
    assert found.settle()["git"]["dirty"] is False
    with Client(server.url) as client:
        run = client.create_run(variables={"x": 0.0})
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
        assert run.about().facts["environment"]["git"]["commit"] == git(repository, "rev-parse", "HEAD")
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    began = time.perf_counter()
    stuck = environment_of(HERE, None)
    assert "git" not in stuck.settle(5)
    assert time.perf_counter() - began < 4
    assert "host" in stuck


@pytest.mark.parametrize("program", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\nprintf '\\377\\000'\n", "no program\n", None])
def test_a_git_that_fails_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if program is not None:
        (tmp_path / "git").write_text(program)
        (tmp_path / "git").chmod(0o755)
    assert "git" not in environment_of(HERE, None).settle()


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    before = (
        "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); sys.modules['__main__'].__file__ = 'x'"
    )
    assert set(found_by(tmp_path / "fit.py", before=before)) >= VERSIONS


@pytest.mark.parametrize("teller", ["vscode", "jupyter"])
def test_a_notebook_is_named_by_what_shows_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, teller: str) -> None:
    notebook = str(tmp_path / "radon.ipynb")
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    if teller == "vscode":
        monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", notebook, raising=False)
    else:
        monkeypatch.setenv("JPY_SESSION_NAME", notebook)
    found = environment_of(HERE, None)
    assert found["notebook"] == notebook
    assert "script" not in found


def test_an_interactive_session_has_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    assert not {"script", "notebook"} & set(environment_of(HERE, None))


def test_names_in_another_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "h\udcff" + 2000 * "x")
    host = environment_of(HERE, True)["host"]
    assert host.startswith("h?x")
    assert len(host) == 1000
    assert capture.is_on_this_machine(HERE)
