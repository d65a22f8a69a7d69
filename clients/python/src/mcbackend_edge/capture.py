"""The environment of a run: versions, and for a server on this machine also the machine, the code and its state.

Nothing that may be secret is looked at: no arguments, no variables of the environment beside the notebook's name and
the user's, no addresses of repositories.
"""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from .facts import environment

# Seconds for which git may take part of the sampler's own time; it goes on behind it.
_GLANCE = 0.25
# Seconds that git has in all.
_GIT_TIMEOUT = 2.0
# Bytes of git's answers that are read, and characters of a name.
_MOST_ANSWER, _MOST_NAME = 65_536, 1000
# Variables that would lead git to another repository, or have it do more than look.
_STEERING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_TRACE", "GIT_EXTERNAL_DIFF")


class Environment(dict[str, Any]):
    """All that is known of the environment; a slow git adds ``git`` later."""

    def __init__(self, known: dict[str, Any], look: threading.Thread | None = None) -> None:
        super().__init__(known)
        self._look = look

    def settle(self, timeout: float = _GIT_TIMEOUT) -> dict[str, Any]:
        """All of it as a plain dict, for which git is waited for: not on a sampler's thread."""
        if self._look is not None and self._look is not threading.current_thread():
            self._look.join(timeout)
        return dict(self)


def environment_of(url: str, capture: bool | None, *packages: str) -> Environment:
    """The fact ``environment`` of a run.

    Parameters
    ----------
    url : the server's.
    capture : True tells host, user, script or notebook, and git's commit; False versions alone; None tells the rest to
        a server on this machine only.
    packages : installed ones whose versions are told beside NumPy's.
    """
    known = environment(*packages)
    if capture is False or (capture is None and not is_on_this_machine(url)):
        return Environment(known)
    try:
        known.update(_place())
        folder = _folder_of_code(known)
    except OSError:
        # The working folder is gone.
        return Environment(known)
    found = Environment(known)

    def look() -> None:
        state = _git_state(folder, known.get("script"))
        if state:
            found["git"] = state

    found._look = threading.Thread(target=look, name="mcbackend-edge-git", daemon=True)
    found._look.start()
    found.settle(_GLANCE)
    return found


def is_on_this_machine(url: str) -> bool:
    """True for ``localhost`` and loopback addresses."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _place() -> dict[str, Any]:
    """Host, user, and script or notebook, as far as each can be told."""
    place: dict[str, Any] = {}
    if host := platform.node():
        place["host"] = host
    with contextlib.suppress(OSError, KeyError, ImportError):
        place["user"] = getpass.getuser()
    kind, name = _code()
    if name:
        place[kind] = name
    return {key: _shortened(value) for key, value in place.items()}


def _code() -> tuple[str, str | None]:
    main = sys.modules.get("__main__")
    if "ipykernel" in sys.modules:
        return "notebook", _notebook(main)
    name = getattr(main, "__file__", None)
    return "script", os.path.abspath(name) if isinstance(name, str) and name else None


def _notebook(main: object) -> str | None:
    """The notebook's path, as VS Code or Jupyter's server tells it to the kernel."""
    told = (
        getattr(main, "__vsc_ipynb_file__", None),
        os.environ.get("JPY_SESSION_NAME"),
        getattr(main, "__session__", None),
    )
    return next((name for name in told if isinstance(name, str) and name.endswith(".ipynb")), None)


def _shortened(value: str) -> str:
    """Without what is no Unicode, such as a name in another encoding."""
    return value.encode("utf-8", "replace").decode()[:_MOST_NAME]


def _folder_of_code(known: dict[str, Any]) -> str:
    name = known.get("script") or known.get("notebook") or ""
    folder = os.path.dirname(name)
    return folder if os.path.isabs(folder) and os.path.isdir(folder) else os.getcwd()


def _git_state(folder: str, script: str | None) -> dict[str, Any]:
    """The commit that is checked out, and whether the files differ from it; nothing if there is none, or no git."""
    try:
        program = shutil.which("git")
        if program is None:
            return {}
        ask = _Git(program, folder, time.monotonic() + _GIT_TIMEOUT)
        commit = (ask("rev-parse", "--verify", "HEAD") or "").strip()
        if not commit or len(commit) > 64 or not commit.isalnum():
            return {}
        changes = ask("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
        if changes is None:
            return {"commit": commit}
        if not changes and script is not None:
            # A script that was never added is not in the commit either.
            changes = ask("ls-files", "--others", "--exclude-standard", "--", script) or ""
        return {"commit": commit, "dirty": bool(changes)}
    except Exception:  # git is looked at as well as may be
        return {}


class _Git:
    """Questions to git, which neither writes, nor asks anybody, nor speaks to another machine."""

    def __init__(self, program: str, folder: str, deadline: float) -> None:
        self._command = [program, "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-C", folder]
        self._deadline = deadline
        self._environment = {name: value for name, value in os.environ.items() if name not in _STEERING} | {
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            "LC_ALL": "C",
        }

    def __call__(self, *arguments: str) -> str | None:
        """The first part of the answer; None if it fails, or is not there in time."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            return None
        with subprocess.Popen(
            [*self._command, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            timer = threading.Timer(left, process.kill)
            timer.daemon = True
            timer.start()
            try:
                assert process.stdout is not None
                answer = process.stdout.read(_MOST_ANSWER)
                if len(answer) == _MOST_ANSWER:
                    process.kill()
                    return answer.decode("utf-8", "replace")
                return answer.decode("utf-8", "replace") if process.wait() == 0 else None
            finally:
                timer.cancel()
