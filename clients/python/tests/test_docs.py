"""README and pages: what they tell to type is there, and what they tell to import can be."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcbackend_edge
from mcbackend_edge.cli import build_parser

from .server import PACKAGE, REPOSITORY

OVERVIEW = REPOSITORY / "README.md"
PAGES = [PACKAGE / "README.md", *sorted((PACKAGE / "docs").glob("*.md")), *[OVERVIEW] * OVERVIEW.exists()]
EXTRAS = set(
    tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
)
SUBSTITUTION = re.compile(r"\$\w+|\$\(.*?\)")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path: Path) -> Iterator[list[str]]:
    """Commands of a page's shell blocks and tables, as lists of words without redirections."""
    text = path.read_text(encoding="utf-8")
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`((?:python|pip|mcbackend-edge) [^`]*)`", text)
    for line in lines:
        words = shlex.split(SUBSTITUTION.sub("1", line), comments=True)
        words = [word for word in words if not re.match(r"\d?[<>]", word)]
        while words and re.fullmatch(r"[A-Z_]+=.*|do|for|done|&", words[0]):
            words = words[1:]
        if words:
            yield words


def by_program(program: str) -> list[tuple[str, list[str]]]:
    length = len(program.split())
    found = [(path, words) for path in PAGES for words in commands(path) if " ".join(words[:length]) == program]
    return [(path.name, words[length:]) for path, words in found]


def test_the_pages_tell_how_to_install_and_to_use_it() -> None:
    """The looks below find something."""
    assert by_program("pip install")
    assert by_program("python -m mcbackend_edge")


@pytest.mark.parametrize(("page", "words"), by_program("pip install"))
def test_install_lines(page: str, words: list[str]) -> None:
    """Folders are there, seen from the repository's root, and extras exist."""
    [asked] = [word for word in words if not word.startswith("-")]
    found = re.fullmatch(r"(?P<what>[./\w-]+)(?:\[(?P<extras>[\w,]+)\])?", asked)
    assert found is not None, asked
    assert set((found["extras"] or "").split(",")) - {""} <= EXTRAS
    if "/" in found["what"]:
        assert (REPOSITORY / found["what"]).resolve() == PACKAGE
    else:
        assert found["what"] == "mcbackend-edge"


def test_an_install_by_name_is_told_to_be_for_later() -> None:
    """No index has the package yet: lines by name come behind a sentence that says so."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        at = re.search(r"pip install [\"']?mcbackend-edge", text)
        assert at is None or "not published" in text[: at.start()], path


@pytest.mark.parametrize(
    ("page", "words"), by_program("python -m mcbackend_edge") + by_program("mcbackend-edge"), ids=str
)
def test_commands_are_understood(page: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["value" if re.fullmatch(r"…|[A-Z]+", word) else word for word in words]
    if len(words) == 1:
        # A command that is only named.
        words = [*words, "--help"]
    try:
        build_parser().parse_args(words)
    except SystemExit as ended:
        # That is how `--version` and `--help` end.
        if ended.code != 0:
            pytest.fail(capsys.readouterr().err)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_code_can_be_read_and_its_imports_exist(path: Path) -> None:
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "mcbackend_edge":
                assert {alias.name for alias in node.names} <= set(dir(mcbackend_edge)), block


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_are_cited_are_there(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / link).exists(), link
    scripts = [word for words in commands(path) if words[0] == "python" for word in words[1:2]]
    for script in scripts:
        assert script == "-m" or (PACKAGE / script).exists() or (REPOSITORY / script).exists(), script
