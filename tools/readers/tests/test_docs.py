"""Every example of docs/readers.md runs as it stands, where its tool is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcbackend_edge import Client, Variable
from rscript import r
from server import REPOSITORY, Server, command

PAGE = REPOSITORY / "docs/readers.md"
ADDRESS = "http://127.0.0.1:8787"
# With one of them missing, cmdstanpy takes a file for one of the method fixed_param.
STATS = ("lp", "acceptance_rate", "step_size", "tree_depth", "n_steps", "energy")
# Packages of Python for whose name there is another one.
PACKAGES = {"arviz-0": "arviz", "arviz-1": "arviz", "numpy": "numpy"}


@dataclass(frozen=True)
class Example:
    """A block of the page, with the block before it of another tool whose files it wants, if it does."""

    language: str
    tool: str
    text: str
    line: int
    before: Example | None


def examples() -> list[Example]:
    text = PAGE.read_text(encoding="utf-8")
    found: list[Example] = []
    for match in re.finditer(r"^```(\w+) tool=([\w-]+)( after=\w+)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        language, tool, after, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        before = next(
            (one for one in reversed(found) if after and one.tool == after[7:] and "output_" in one.text), None
        )
        found.append(Example(language, tool, body, line, before))
    return found


@pytest.fixture(scope="module")
def places(start_server: Callable[..., Server], make_client: Callable[..., Client]) -> dict[str, Any]:
    """A server without keys and one with, each with a run `r`, and keys of the second."""
    server, keyed = start_server(), start_server("keys")
    admin = keyed.make_key("admin")
    for client in (make_client(server.url), make_client(keyed.url, token=admin)):
        run = client.create_run(
            "r",
            variables=[Variable("mu"), Variable("theta", "float64", (8,), ("school",))],
            sample_stats=[Variable("tune", "bool"), Variable("diverging", "bool"), *map(Variable, STATS)],
            coords={"school": list("ABCDEFGH")},
        )
        rng = np.random.default_rng(1)
        for number in range(2):
            draws = {"mu": rng.normal(size=120), "theta": rng.normal(size=(120, 8))}
            stats = {"tune": np.arange(120) < 20, "diverging": np.zeros(120, bool)}
            stats |= {name: np.ones(120) for name in STATS}
            run.init_chain(number).extend(draws, stats)
        run.flush(progress=False)
    share = keyed.ask("POST", "/v1/runs/r/shares", admin, {})
    return {"open": server.url, "keys": keyed.url, "MCB_TOKEN": keyed.make_key("read"), "MCB_SHARE": str(share["key"])}


def test_there_are_examples() -> None:
    assert len({example.tool for example in examples()}) > 15


def test_other_blocks_are_few() -> None:
    """All blocks are run, but for one that never ends."""
    fences = re.findall(r"^```(\w+)(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [language for language, more in fences if "tool=" not in more] == ["sh"]


@pytest.mark.parametrize("example", examples(), ids=lambda one: f"{one.tool}-line-{one.line}")
def test_example(example: Example, places: dict[str, Any], tmp_path: Path) -> None:
    require(example)
    if example.before is not None:
        require(example.before)
        run(example.before, places, tmp_path)
    run(example, places, tmp_path)


def require(example: Example) -> None:
    """Skips an example whose tool is not here."""
    if example.language == "python":
        name = PACKAGES.get(example.tool, example.tool)
        if find_spec(name) is None:
            pytest.skip(f"this environment has no {name}")
        if example.tool.startswith("arviz-"):
            import importlib.metadata

            release = importlib.metadata.version("arviz").split(".")[0]
            if release != example.tool[-1]:
                pytest.skip(f"this environment has ArviZ {release}")
    if example.tool == "curl" and shutil.which("curl") is None:
        pytest.skip("there is no curl")


def run(example: Example, places: dict[str, Any], folder: Path) -> None:
    wants_key = "MCB_TOKEN" in example.text or "MCB_SHARE" in example.text
    text = example.text.replace(ADDRESS, places["keys" if wants_key else "open"])
    variables = {**os.environ, "MCB_TOKEN": places["MCB_TOKEN"], "MCB_SHARE": places["MCB_SHARE"]}
    if example.language == "r":
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("MCB_TOKEN", places["MCB_TOKEN"])
            libraries = re.findall(r"library\((\w+)\)", text)
            quiet = "".join(f"suppressPackageStartupMessages(library({name}))\n" for name in libraries)
            r(f"{quiet}options(warn = 2)\n{text}", *libraries)
        return
    if example.language == "sql":
        duckdb(text)
        return
    done = subprocess.run(
        program(example, text),
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if example.language == "python" and example.tool != "arviz-0":
        assert "Warning" not in done.stderr


def program(example: Example, text: str) -> list[str]:
    if example.language == "python":
        return [sys.executable, "-W", "error::FutureWarning:__main__", "-c", text]
    if example.language == "sh":
        return ["sh", "-eu", "-c", text]
    found = command()
    assert found is not None
    # Its import is found from the checkout.
    text = text.replace("'zarrita'", repr(str(REPOSITORY / "node_modules/zarrita/dist/src/index.js")))
    return [found[0], "--input-type=module", "--eval", text]


def duckdb(text: str) -> None:
    library = pytest.importorskip("duckdb", reason="this environment has no DuckDB")
    package = pytest.importorskip("duckdb_extension_httpfs", reason="this environment has no DuckDB extension")
    [file] = Path(package.__file__).parent.rglob("httpfs.duckdb_extension")
    with library.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.sql(f"LOAD '{file}'")
        assert len(connection.sql(text).fetchall()) == 2
