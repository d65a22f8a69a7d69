"""A server of this checkout, on loopback, with its data in a folder of its own: with keys or without."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import threading
from pathlib import Path
from typing import Any

import requests

REPOSITORY = Path(__file__).resolve().parents[3]


def command() -> list[str] | None:
    """The repository's Node and the server's entry, of ``MCB_CHECKOUT`` if it is set; None where there is no Node."""
    checkout = Path(os.environ.get("MCB_CHECKOUT", REPOSITORY))
    node = Path(os.environ.get("MCB_NODE", checkout / "node_modules/.bin/node"))
    return [str(node), str(checkout / "src/node.ts")] if node.exists() else None


class Server:
    """One process.

    Attributes
    ----------
    url : the address at which it listens; the same after a restart.
    """

    def __init__(self, folder: Path, auth: str = "open", **variables: str) -> None:
        self.folder, self.auth = folder, auth
        self.token = secrets.token_hex(24)
        self._variables = variables
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        found = command()
        if found is None:
            raise RuntimeError("there is no Node to start a server with: run npm ci in the repository")
        variables = {
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "MCB_STORAGE": "sqlite",
            "MCB_DATA_DIR": str(self.folder),
            "MCB_LOG": "quiet",
            "MCB_AUTH": self.auth,
            **({"MCB_OPERATOR_TOKEN": self.token} if self.auth == "keys" else {}),
            **self._variables,
        }
        self._process = subprocess.Popen(
            found,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        ready = threading.Event()
        self._drained = threading.Thread(target=self._drain, args=(self._process, ready), daemon=True)
        self._drained.start()
        if not ready.wait(60) or not self.port:
            self.kill()
            raise RuntimeError(f"the server did not start:\n{''.join(self.output)}")

    def _drain(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
                found = re.search(r"listening on http://[^ :]+:(\d+)", line)
                if found:
                    self.port = int(found[1])
                    ready.set()
        ready.set()

    def stop(self) -> None:
        """Ends it as an operator would, and fails if it has met a defect."""
        self._process.terminate()
        self._process.wait(30)
        self._drained.join(30)
        said = "".join(self.output)
        assert not re.search("defect|Error:", said), said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)
        self._drained.join(30)

    def ask(self, method: str, path: str, key: str | None = None, body: object = None) -> Any:
        """The JSON that it answers.

        Raises
        ------
        AssertionError
            If it refuses.
        """
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        data = None if body is None else json.dumps(body)
        answer = requests.request(method, self.url + path, headers=headers, data=data, timeout=60)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def make_key(self, *scopes: str, tenant: str = "home") -> str:
        """A key of a tenant, which is made if there is none."""
        made = requests.post(
            f"{self.url}/v1/tenants",
            json={"tenant": tenant},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        assert made.status_code in (201, 409), made.text
        answer = self.ask("POST", f"/v1/tenants/{tenant}/keys", self.token, {"name": "tests", "scopes": list(scopes)})
        return str(answer["key"])
