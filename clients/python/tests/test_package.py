"""The package as a whole: generated code is up to date, optional packages are optional, nothing leaks."""

from __future__ import annotations

import ast
import graphlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcbackend_edge

from .server import PACKAGE, REPOSITORY


def test_generated_code_is_up_to_date() -> None:
    protoc = Path(sys.prefix) / "protoc"
    if not protoc.is_dir() or not (REPOSITORY / "protobufs").is_dir():
        pytest.skip("no protoc, which run_tests.py installs for Python 3.11, or no protobufs folder of the repository")
    command = [sys.executable, str(PACKAGE / "scripts" / "generate_protobuf.py"), "--check"]
    environment = {**os.environ, "PYTHONPATH": str(protoc)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_optional_packages_are_imported_only_when_asked_for() -> None:
    """Without them, all but their names can be had, and each of those says how to get it."""
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'mcbackend', 'pymc', 'emcee', 'arviz', 'xarray', 'pandas', 'betterproto'}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
import mcbackend_edge, mcbackend_edge.cli
from mcbackend_edge import *
for name in ('HTTPBackend', 'EmceeBackend'):
    assert name in dir(mcbackend_edge)
    try:
        exec(f"from mcbackend_edge import {name}")
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "HTTPBackend needs the package 'mcbackend', which comes with the extra 'mcbackend': "
        "pip install 'mcbackend-edge[mcbackend]'",
        "EmceeBackend needs the package 'emcee', which comes with the extra 'emcee': "
        "pip install 'mcbackend-edge[emcee]'",
    ]


def test_dir_shows_all_that_can_be_imported() -> None:
    assert {*mcbackend_edge.__all__, *mcbackend_edge._LAZY, "__version__"} <= set(dir(mcbackend_edge))
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        mcbackend_edge.Nope  # noqa: B018


def test_names_that_need_an_extra_are_known_to_type_checkers_and_to_the_package() -> None:
    """The table of those names, the imports that type checkers see, and the extras of pyproject.toml agree."""
    tree = ast.parse(Path(mcbackend_edge.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    table = mcbackend_edge._LAZY
    assert seen == {name: item.module for name, item in table.items()}
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {item.extra for item in table.values()} <= set(project["optional-dependencies"])


def test_files_are_short_and_begin_with_what_they_are_for() -> None:
    for path in [*PACKAGE.glob("src/**/*.py"), *PACKAGE.glob("tests/*.py"), *PACKAGE.glob("scripts/*.py")]:
        text = path.read_text(encoding="utf-8")
        if "_generated" in path.parts or not text:
            continue
        assert re.match(r'(#!.*\n)?"""\S', text), path
        assert text.count("\n") < 500, path


def import_graph(package: Path) -> dict[str, set[str]]:
    """The modules and folders of a package, and those of it that each imports: anywhere, also within functions."""
    modules = {path.stem: [path] for path in package.glob("*.py")}
    modules |= {path.name: list(path.rglob("*.py")) for path in package.iterdir() if path.is_dir()}
    graph: dict[str, set[str]] = {}
    for name, paths in modules.items():
        graph[name] = set()
        nodes = [(path, node) for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
        for path, node in nodes:
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                # One dot is the folder of the module, each further one that above.
                folders = [package.name, *path.parent.relative_to(package).parts]
                base = ".".join(folders[: len(folders) + 1 - node.level]) if node.level else ""
                module = ".".join(filter(None, (base, node.module)))
                targets = [f"{module}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in targets:
                first, _, rest = target.partition(".")
                if first == package.name:
                    inner = rest.partition(".")[0]
                    graph[name].add(inner if inner in modules else "__init__")
    return {name: targets - {name} for name, targets in graph.items()}


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = import_graph(PACKAGE / "src" / "mcbackend_edge")
    assert {"run_reading", "chain_reading"} <= graph["run"]
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("back", ["from .a import x", "from . import a", "import pack.a", "from pack.a import x"])
def test_circles_are_found_wherever_they_hide(tmp_path: Path, back: str) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("from .a import x\n")
    (package / "a.py").write_text("from .b import y\n")
    (package / "b.py").write_text("def y():\n    import os\n    return os\n")
    graphlib.TopologicalSorter(import_graph(package)).prepare()
    (package / "b.py").write_text(f"def y():\n    {back}\n")
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(import_graph(package)).prepare()


def remarks(path: Path) -> Iterator[str]:
    """The docstrings of a file, and its comments, of which one may have several lines."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield ast.get_docstring(node) or ""
    for block in re.findall(r"(?m)(?:^ *# .*\n)+", text):
        yield " ".join(line.strip(" #") for line in block.splitlines())


def test_remarks_name_their_subject_first() -> None:
    """No sentence, nor what stands behind the name of a parameter, opens with a clause in place of a noun."""
    of_parameters = re.compile(r"^\w[\w, ]* : (?:what|who|whether|where|which|of)\s", re.IGNORECASE | re.MULTILINE)
    between_sentences = re.compile(r"\n\s*\n|(?<=[.!?])\s+(?=[A-Z])")
    for path in [*PACKAGE.glob("src/**/*.py"), *PACKAGE.glob("tests/*.py"), *PACKAGE.glob("scripts/*.py")]:
        for remark in remarks(path):
            assert not of_parameters.search(remark), f"{path}: {remark}"
            for sentence in between_sentences.split(remark):
                assert not re.match(r"\s*(What|Who|Whoever|Whether|Where|Which|Of)\s", sentence), f"{path}: {sentence}"


def test_the_licence_is_that_of_the_repository() -> None:
    if not (REPOSITORY / "LICENSE").exists():
        pytest.skip("the repository's LICENSE is absent")
    assert (PACKAGE / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def test_the_version_is_one() -> None:
    """That of pyproject.toml is the installed one, and that of the server in the same checkout."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == mcbackend_edge.__version__
    told = subprocess.run(
        [sys.executable, "-m", "mcbackend_edge", "--version"], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"mcbackend-edge {project['version']}\n"
    if (REPOSITORY / "package.json").exists():
        server = json.loads((REPOSITORY / "package.json").read_text(encoding="utf-8"))
        assert server["version"] == project["version"]


def test_sources_that_are_not_installed_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "mcbackend_edge").symlink_to(Path(mcbackend_edge.__file__).parent)
    script = f"""
import importlib.metadata, sys
def absent(name):
    raise importlib.metadata.PackageNotFoundError(name)
importlib.metadata.version = absent
sys.path.insert(0, {str(tmp_path)!r})
import mcbackend_edge
print(mcbackend_edge.__version__, mcbackend_edge.Client)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("0+source <class")


def test_the_version_stands_in_no_other_file() -> None:
    for path in (PACKAGE / "src").rglob("*.py"):
        assert not re.search(r"""^__version__ = ["']""", path.read_text(encoding="utf-8"), re.MULTILINE), path
