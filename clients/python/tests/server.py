"""Starts the real server for tests: `RunningServer` can be stopped, killed, paused and started again on its port."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
REPOSITORY = PACKAGE.parent.parent
SHARED_DATA = Path(os.environ.get("MCB_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))


def server_command() -> list[str] | None:
    """``MCB_SERVER_COMMAND``, or the repository's Node entry; None where there is neither."""
    command = os.environ.get("MCB_SERVER_COMMAND")
    if command:
        return shlex.split(command)
    node, entry = REPOSITORY / "node_modules" / ".bin" / "node", REPOSITORY / "src" / "node.ts"
    return [str(node), str(entry)] if node.exists() and entry.exists() else None


class RunningServer:
    """One server process with a data folder of its own.

    Attributes
    ----------
    url : the address at which it listens; the same after a restart.
    """

    def __init__(self, data: Path, command: list[str]) -> None:
        self._data, self._command = data, command
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {**os.environ, "PORT": str(self.port), "MCB_DATA_DIR": str(self._data), "MCB_LOG": "quiet"}
        self._process = subprocess.Popen(
            self._command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        ready = threading.Event()
        threading.Thread(target=self._drain, args=(self._process, ready), daemon=True).start()
        if not ready.wait(60) or not self.port:
            self.kill()
            raise RuntimeError(f"{shlex.join(self._command)} did not start:\n{''.join(self.output)}")

    def _drain(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            found = re.search(r"listening on http://[^ :]+:(\d+)", line)
            if found:
                self.port = int(found[1])
                ready.set()
        ready.set()

    def stop(self) -> None:
        """Ends it as an operator would."""
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def pause(self) -> None:
        """It accepts connections, and answers nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        # One that has ended needs none.
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGCONT)

    def restart_after(self, seconds: float) -> threading.Thread:
        def wait() -> None:
            time.sleep(seconds)
            self.start()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread
