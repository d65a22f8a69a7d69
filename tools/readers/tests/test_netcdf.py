"""`data.nc`: h5netcdf, netCDF4, h5py, h5dump, ArviZ and R open a file that is nowhere on a disk."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import xarray as xr
from alike import datasets, same_array, same_tree
from rscript import r
from stored import UNEQUAL, Growing, Stored
from test_zarr import check_growing

h5py = pytest.importorskip("h5py", reason="this environment has no HDF5")
netcdf4 = pytest.importorskip("netCDF4", reason="this environment has no netCDF4")

LENGTHS = ",".join(f"{chain}:{count}" for chain, (count, _) in enumerate(UNEQUAL))


@pytest.fixture(scope="module")
def file(run: Stored, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file as it is downloaded."""
    answer = requests.get(f"{run.url}/data.nc", timeout=60)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    path = tmp_path_factory.mktemp("netcdf") / "run.nc"
    path.write_bytes(answer.content)
    return path


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_the_file(run: Stored, file: Path, engine: Any) -> None:
    with xr.open_datatree(file, engine=engine) as tree:
        same_tree(run.tree(), tree.load())


def test_xarray_opens_a_moment_over_http(run: Stored) -> None:
    """With ranges, of which h5netcdf takes what it needs."""
    with xr.open_datatree(f"{run.url}/at/{LENGTHS}/data.nc", engine="h5netcdf") as tree:
        same_array(run.tree()["posterior/cube"].values, tree["posterior/cube"].values)
        same_groups(run, tree.load())


def same_groups(run: Stored, tree: Any) -> None:
    """All but the facts, which may change, and are not in the file of a moment."""
    expected = run.tree().copy()
    for node in (expected, *expected.children.values()):
        for name in ("inference_library_version", "sampling_time", "tuning_steps"):
            if name not in tree.attrs:
                node.attrs.pop(name, None)
    same_tree(expected, tree)


def test_xarray_opens_a_run_at_rest_over_http(quiet: Stored) -> None:
    with xr.open_datatree(f"{quiet.url}/data.nc", engine="h5netcdf") as tree:
        same_tree(quiet.tree(), tree.load())


def test_arviz_opens_the_file(run: Stored, file: Path) -> None:
    arviz = pytest.importorskip("arviz", reason="this environment has no ArviZ")
    with warnings.catch_warnings():
        if arviz.__version__.startswith("0."):
            warnings.filterwarnings("ignore", ".*ArviZ is undergoing a major refactor", FutureWarning)
        idata = arviz.from_netcdf(str(file))
        same_tree(run.tree(), idata)


def test_netcdf4_reads_every_variable(run: Stored, file: Path) -> None:
    with netcdf4.Dataset(file) as root:
        root.set_auto_mask(False)
        assert set(root.groups) == set(datasets(run.tree()))
        for group, dataset in datasets(run.tree()).items():
            assert set(root[group].variables) == set(dataset.variables)
            for name, variable in dataset.variables.items():
                got = root[group][name]
                assert got.dimensions == variable.dims
                if variable.dtype.kind == "M":
                    continue
                values = np.asarray(got[...])
                if variable.dtype.kind == "b":
                    values = values.astype(bool)
                same_array(variable.values, values, f"{group}/{name}")


def test_h5py_reads_every_variable(run: Stored, file: Path) -> None:
    with h5py.File(file) as root:
        for group, dataset in datasets(run.tree()).items():
            for name, variable in dataset.variables.items():
                got = root[group][name]
                if variable.dtype.kind in "UTO":
                    same_array(variable.values, np.asarray(got.asstr()[...]), f"{group}/{name}")
                elif variable.dtype.kind == "b":
                    same_array(variable.values, np.asarray(got[...]).astype(bool), f"{group}/{name}")
                elif variable.dtype.kind != "M":
                    same_array(variable.values, np.asarray(got[...]), f"{group}/{name}")


def test_h5dump_reads_the_file(run: Stored, file: Path) -> None:
    if shutil.which("h5dump") is None:
        pytest.skip("there is no h5dump: Debian's hdf5-tools has it")
    done = subprocess.run(["h5dump", "-r", str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert 'GROUP "sample_stats"' in done.stdout
    picked = subprocess.run(
        ["h5dump", "-m", "%.17g", "-y", "-d", "/posterior/mu[0,0;;1,3]", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    data = picked.stdout.split("DATA {", 1)[1].split("}")[0]
    assert [float(text) for text in data.split(",")] == run.tree()["posterior/mu"].values[0, :3].tolist()


def test_ncdf4_reads_the_file(run: Stored, file: Path) -> None:
    said = r(
        f"""
        library(ncdf4)
        f <- nc_open("{file}")
        mu <- ncvar_get(f, "posterior/mu")
        cat(dim(mu), "\\n")
        cat(format(mu[5, 2], digits = 17), "\\n")
        cat(ncvar_get(f, "posterior/cat"), sep = "|")
        """,
        "ncdf4",
    ).split("\n")
    mu = run.tree()["posterior/mu"].values
    # Axes are in the order of Fortran.
    assert said[0].split() == [str(mu.shape[1]), str(mu.shape[0])]
    assert float(said[1]) == mu[1, 4]
    assert said[2].split("|")[:2] == ["Choate", "Deerfield"]


def test_ranges_are_those_of_one_moment(growing: Growing) -> None:
    """Pieces that are asked for while the run grows are one file, under the address of its moment."""
    head = requests.head(f"{growing.url}/at/0:10,1:10/data.nc", timeout=60)
    size, etag = int(head.headers["Content-Length"]), head.headers["ETag"]
    growing.start()
    pieces = []
    for start in range(0, size, 997):
        end = min(start + 997, size)
        headers = {"Range": f"bytes={start}-{end - 1}"}
        answer = requests.get(f"{growing.url}/at/0:10,1:10/data.nc", headers=headers, timeout=60)
        assert answer.status_code == 206
        assert answer.headers["ETag"] == etag
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        pieces.append(answer.content)
    growing.wait_for(20)
    with xr.open_datatree(io.BytesIO(b"".join(pieces)), engine="h5netcdf") as tree:
        check_growing(tree)
        assert tree["posterior"].sizes["draw"] == 5


def test_bytes_of_two_moments_are_never_in_one_answer(growing: Growing) -> None:
    """A range of a run that grows is the whole, or is refused when the moment is another."""
    url = f"{growing.url}/data.nc"
    first = requests.head(url, timeout=60)
    growing.append(3, 3)
    part = {"Range": "bytes=0-99"}
    bare = requests.get(url, headers=part, timeout=60)
    assert (bare.status_code, len(bare.content)) == (200, int(bare.headers["Content-Length"]))
    matched = requests.get(url, headers={**part, "If-Match": first.headers["ETag"]}, timeout=60)
    assert (matched.status_code, matched.json()["code"]) == (412, "chains_changed")
    if_range = requests.get(url, headers={**part, "If-Range": first.headers["ETag"]}, timeout=60)
    assert if_range.status_code == 200
    present = requests.get(url, headers={**part, "If-Match": bare.headers["ETag"]}, timeout=60)
    assert (present.status_code, present.content) == (206, bare.content[:100])


def test_h5netcdf_over_http_while_it_grows(growing: Growing) -> None:
    """Right values under the address of a moment; under the plain one right values, or an error, and no mixture."""
    growing.pause = 0.002
    growing.start()
    for _ in range(6):
        chains = requests.get(f"{growing.url}/chains", timeout=60).json()["chains"]
        lengths = ",".join(f"{chain['chain']}:{chain['length']}" for chain in chains)
        with xr.open_datatree(f"{growing.url}/at/{lengths}/data.nc", engine="h5netcdf") as tree:
            check_growing(tree)
    for _ in range(6):
        try:
            tree = xr.open_datatree(f"{growing.url}/data.nc", engine="h5netcdf")
        except (ValueError, OSError):
            continue
        with tree:
            check_growing(tree)


def test_downloads_while_it_grows(growing: Growing) -> None:
    growing.pause = 0.002
    growing.start()
    lengths = []
    for _ in range(8):
        answer = requests.get(f"{growing.url}/data.nc", timeout=60)
        with xr.open_datatree(io.BytesIO(answer.content), engine="h5netcdf") as tree:
            check_growing(tree)
            lengths.append(tree["posterior"].sizes["draw"])
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]
