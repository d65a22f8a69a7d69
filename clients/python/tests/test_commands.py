"""The commands that look after runs, as one types them: listing, showing, exporting, deleting."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client

from .server import RunningServer

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(server: RunningServer) -> Command:
    """Runs a command against the server, where nobody can be asked."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "mcbackend_edge", *map(str, arguments)]
        return subprocess.run(
            line,
            env={**os.environ, "MCB_URL": server.url, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    return run


@pytest.fixture
def rid(client: Client) -> str:
    """A run of two chains of 20 draws of warmup and 30 behind it, with a name that would steer a terminal."""
    rid = mcb.new_rid()
    run = client.create_run(
        rid,
        variables={"mu": 0.0, "theta": np.zeros(3)},
        sample_stats={"lp": 0.0, "tune": False},
        coords={"school": ["a", "b", "c"]},
        dims={"theta": ["school"]},
        observed_data={"y": np.arange(3.0)},
        attributes={"model": "schools", "size": 3},
    )
    for number in range(2):
        index = np.arange(50.0)
        draws = {"mu": index + number, "theta": np.stack([index, index, index], axis=1)}
        run.init_chain(number).extend(draws, {"lp": -index, "tune": index < 20})
    run.flush(progress=False)
    run.set_about(name="Eight \x1b[31mschools", tags=["paper"], notes="Two\nlines.", facts={"expected": {"draws": 30}})
    return rid


def test_runs_are_found_and_listed(cli: Command, client: Client, rid: str) -> None:
    other = client.create_run(variables={"x": 0.0}).rid
    listed = cli("runs")
    assert (listed.returncode, listed.stderr) == (0, "")
    head, *rows = listed.stdout.splitlines()
    assert head.split() == ["RID", "NAME", "AGE", "CHAINS", "DRAWS", "STATE", "TAGS"]
    assert {row.split()[0] for row in rows} >= {rid, other}
    [row] = [row for row in rows if row.startswith(rid)]
    assert re.fullmatch(rf"{rid} +Eight \\x1b\[31mschools +\d+ \w+ +2 +100  \w+ +paper", row), row
    assert "\x1b" not in listed.stdout
    for conditions in (["--q", "eight"], ["--tag", "paper"], ["--attr", "model=schools"], ["--attr", "size=3"]):
        found = cli("runs", *conditions).stdout
        assert rid in found
        assert other not in found
    assert cli("runs", "--since", "1h", "--limit", "1").stdout.splitlines()[1].startswith(other)
    assert cli("runs", "--q", "no such run").stdout == "no runs\n"
    [line] = json.loads(cli("runs", "--q", rid, "--json").stdout)["runs"]
    assert (line["rid"], line["chains"], line["draws"], line["tags"]) == (rid, 2, 100, ["paper"])
    assert "--attr" not in cli("runs", "--attr", "model").stdout
    assert "NAME=VALUE" in cli("runs", "--attr", "model").stderr


def test_a_reader_that_has_enough_is_no_error(server: RunningServer, rid: str) -> None:
    line = [sys.executable, "-m", "mcbackend_edge", "runs", "--url", server.url]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=100)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_is_shown(cli: Command, rid: str) -> None:
    done = cli("show", rid)
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        rf"run +{rid}",
        r"name +Eight \\x1b\[31mschools",
        r"draws +100 draws in 2 chains",
        r"  theta +float64 +\(3\) +school",
        r"  tune +bool",
        r"  model: schools",
        r'  expected: \{"draws": 30\}',
        r"  Two",
    ):
        assert re.search(rf"(?m)^{line}", done.stdout), f"{line}\n{done.stdout}"
    assert "\x1b" not in done.stdout
    shown = json.loads(cli("show", rid, "--json").stdout)
    assert shown["chains"] == [{"chain": 0, "length": 50}, {"chain": 1, "length": 50}]
    assert shown["variables"][1] == {"name": "theta", "dtype": "float64", "shape": [3], "dims": ["school"]}
    assert shown["facts"]["expected"] == {"draws": 30}
    missing = cli("show", "no-such-run")
    assert missing.returncode == 1
    assert missing.stderr.startswith("mcbackend-edge: ")
    assert missing.stderr.count("\n") == 1


def require_netcdf() -> None:
    if not (importlib.util.find_spec("h5py") or importlib.util.find_spec("netCDF4")):
        pytest.skip("neither h5py nor netCDF4 is installed")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_an_exported_run_is_what_a_client_reads(
    cli: Command, client: Client, rid: str, tmp_path: Path, suffix: str
) -> None:
    xarray = pytest.importorskip("xarray")
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    else:
        require_netcdf()
    target = tmp_path / f"run{suffix}"
    done = cli("export", rid, "-o", target)
    assert done.returncode == 0, done.stderr
    options = {"engine": "zarr"} if suffix == ".zarr" else {}
    with xarray.open_datatree(target, **options) as read:
        wanted = client.run(rid).to_datatree()
        assert set(read.children) == set(wanted.children)
        for name in wanted.children:
            assert read[name].to_dataset().equals(wanted[name].to_dataset()), name
    again = cli("export", rid, "-o", target)
    assert again.returncode == 1
    assert "is there already: --force takes its place" in again.stderr
    chosen = ["--var", "mu", "--chains", "1", "--draws=-10:", "--no-warmup"]
    assert cli("export", rid, "-o", target, "--force", *chosen).returncode == 0
    with xarray.open_datatree(target, **options) as read:
        assert list(read["posterior"].data_vars) == ["mu"]
        assert read["posterior"]["mu"].values.tolist() == [[float(i) + 1 for i in range(40, 50)]]
        assert not [name for name in read.children if name.startswith("warmup")]
    assert [path.name for path in tmp_path.iterdir() if "run" in path.name] == [f"run{suffix}"]


def test_arviz_reads_an_exported_run(cli: Command, rid: str, tmp_path: Path) -> None:
    arviz = pytest.importorskip("arviz")
    require_netcdf()
    assert cli("export", rid, "-o", tmp_path / "run.nc").returncode == 0
    assert arviz.from_netcdf(str(tmp_path / "run.nc"))["posterior"]["theta"].shape == (2, 30, 3)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_attributes_and_labels_of_every_kind_are_exported(
    cli: Command, client: Client, tmp_path: Path, suffix: str
) -> None:
    """NetCDF has neither bools nor nothing nor complex numbers of its own."""
    xarray = pytest.importorskip("xarray")
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    else:
        require_netcdf()
    attrs = {"flag": True, "flags": np.array([True, False]), "none": None, "empty": {}, "list": [], "names": ["a", "b"]}
    attrs |= {"mixed": [1, None], "matrix": np.arange(4).reshape(2, 2), "numbers": [1, 2], "uneven": [[1], [2, 3]]}
    coords = {"chain": [0], "draw": [0, 1], "wave": [1j, 2.0]}
    result = xarray.Dataset({"x": (("chain", "draw", "wave"), np.zeros((1, 2, 2)))}, coords, attrs)
    users = {"mask": np.array([True, False]), "nothing": None}
    rid = client.store(result, attributes=users).rid
    assert client.run(rid).to_datatree()["posterior"]["wave"].dtype == np.complex128
    target = tmp_path / f"run{suffix}"
    done = cli("export", rid, "-o", target)
    assert done.returncode == 0, done.stderr
    has_h5py = importlib.util.find_spec("h5py") is not None
    engine = "zarr" if suffix == ".zarr" else "h5netcdf" if has_h5py else "netcdf4"
    options = {"auto_complex": True} if engine == "netcdf4" else {}
    with xarray.open_datatree(target, engine=engine, **options) as read:
        assert read["posterior"]["wave"].values.tolist() == [1j, 2.0]
        found = {name: np.array(value, object).tolist() for name, value in read["posterior"].attrs.items()}
        assert np.asarray(read.attrs["mask"]).tolist() == [True, False]
    assert (found["flag"], found["flags"]) == (True, [True, False])
    assert (found["numbers"], found["names"]) == ([1, 2], ["a", "b"])
    for name in ("none", "empty", "list", "mixed", "matrix", "uneven"):
        told = json.loads(found[name]) if suffix == ".nc" else found[name]
        assert told == (attrs[name].tolist() if name == "matrix" else attrs[name]), name


EXPORT_KILLED = """
import os, signal, sys
from mcbackend_edge import cli
from mcbackend_edge.commands import export
def dying(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
export._put = dying
cli.main(["export", *sys.argv[1:]])
"""


def test_an_export_is_whole_or_not_there(cli: Command, server: RunningServer, rid: str, tmp_path: Path) -> None:
    """A file that is there stays until then; nothing is downloaded where it could not be written at all."""
    pytest.importorskip("xarray")
    require_netcdf()
    target = tmp_path / "run.nc"
    target.write_text("mine")
    line = [sys.executable, "-c", EXPORT_KILLED, rid, "-o", str(target), "--force", "--url", server.url]
    assert subprocess.run(line, check=False, timeout=100).returncode == -signal.SIGKILL
    assert target.read_text() == "mine"
    for output, reason in (
        (tmp_path / "run.csv", "must end in .nc or .zarr"),
        (tmp_path / "none" / "run.nc", "is no folder"),
        (target, "--force"),
    ):
        done = cli("export", rid, "-o", output)
        assert done.returncode == 1
        assert reason in done.stderr
    assert cli("export", rid, "-o", tmp_path / "x.nc", "--chains", "some").returncode == 2
    assert cli("export", rid, "-o", tmp_path / "x.nc", "--draws", "1").returncode == 2
    assert not (tmp_path / "x.nc").exists()


MISSING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in sys.argv[1].split(","):
            raise ModuleNotFoundError(name)
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in sys.argv[1].split(",") else find(name, *rest)
from mcbackend_edge import cli
sys.exit(cli.main(["export", "r", "-o", sys.argv[2]]))
"""


@pytest.mark.parametrize(
    ("absent", "output", "named"),
    [
        ("h5py,netCDF4", "run.nc", "h5py"),
        ("h5netcdf,h5py,netCDF4", "run.nc", "h5netcdf h5py"),
        ("zarr", "run.zarr", "zarr"),
        ("xarray,zarr", "run.zarr", "xarray zarr"),
    ],
)
def test_packages_that_are_missing_are_named(absent: str, output: str, named: str) -> None:
    """Before anything is downloaded."""
    done = subprocess.run(
        [sys.executable, "-c", MISSING, absent, output], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 1
    assert re.search(rf"pip install (\w+ )*{named}\n$", done.stderr)


def test_a_run_is_deleted_once_somebody_agrees(cli: Command, client: Client, rid: str) -> None:
    asked = cli("delete", rid)
    assert asked.returncode == 1
    assert "with 100 draws in 2 chains?" in asked.stderr
    assert client.run(rid).lengths()
    done = cli("delete", rid, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "is deleted, with 100 draws in 2 chains" in done.stdout
    with pytest.raises(mcb.NotFoundError):
        client.run(rid)
    assert cli("delete", rid, "--yes").returncode == 1


def test_every_command_has_examples_that_can_be_parsed() -> None:
    from mcbackend_edge.cli import build_parser

    parser = build_parser()
    [choices] = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
    assert set(choices) == {"runs", "show", "export", "delete", "sync", "tail"}
    for name, command in choices.items():
        examples = re.findall(r"(?m)^  python -m mcbackend_edge (.*?)(?:   .*)?$", command.epilog)
        assert examples, name
        for example in examples:
            words = [word.strip("'") for word in example.split()]
            assert words[0] == name
            parser.parse_args(words)


def test_keys_are_no_arguments(cli: Command) -> None:
    for word in ("--token", "--token=mcb_secret", "--key"):
        done = cli("runs", word, "mcb_secret")
        assert done.returncode == 2
        assert "set MCB_TOKEN" in done.stderr
        assert "mcb_secret" not in done.stderr + done.stdout


def test_the_console_script_is_declared() -> None:
    found = shutil.which("mcbackend-edge", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("the package is not installed in this environment")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("mcbackend-edge ")
