"""`data.zarr`: xarray, ArviZ, zarr-python and obstore open a run by its address alone."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import requests
import xarray as xr
import zarr
from alike import datasets, same_array, same_dataset, same_tree
from stored import UNEQUAL, Growing, Stored

WIDE = ("count", "vast")


def open_tree(url: str, **options: Any) -> Any:
    return xr.open_datatree(f"{url}/data.zarr", engine="zarr", **options)


def by_obstore(url: str, **options: Any) -> Any:
    """The store of zarr-python that goes through obstore."""
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(url, client_options={"allow_http": True, **options})
    return zarr.storage.ObjectStore(store, read_only=True)


@contextmanager
def unstable_strings() -> Iterator[None]:
    """zarr-python before 3.1 says of every array of strings that their place in the specification may change."""
    with warnings.catch_warnings():
        if zarr.__version__ < "3.1":
            warnings.filterwarnings("ignore", "The codec `vlen-utf8` is currently not part", UserWarning)
            warnings.filterwarnings("ignore", "The dtype `StringDType", UserWarning)
        yield


@pytest.mark.parametrize("name", ["run", "equal"])
def test_xarray_opens_the_tree(name: str, request: pytest.FixtureRequest) -> None:
    stored: Stored = request.getfixturevalue(name)
    with unstable_strings(), open_tree(stored.url) as tree:
        same_tree(stored.tree(), tree.load())
    if name == "equal":
        same_tree(stored.reader.to_datatree(progress=False), tree)


def test_xarray_opens_a_group(run: Stored) -> None:
    with unstable_strings(), xr.open_dataset(f"{run.url}/data.zarr", group="posterior", engine="zarr") as posterior:
        same_dataset(run.tree()["posterior"].to_dataset(), posterior.load(), "posterior")


def test_xarray_slices_without_the_rest(run: Stored) -> None:
    expected = run.tree()["posterior"].to_dataset()
    with unstable_strings(), open_tree(run.url) as tree:
        for index in ({"draw": -1}, {"chain": 1, "draw": slice(3, 30, 4)}, {"draw": [5, 2, 2]}, {"chain": slice(0, 0)}):
            for name in ("mu", "matrix", "word", "flags", "vast"):
                got = tree["posterior"][name].isel(index)
                same_array(expected[name].isel(index).values, got.values, f"{name} at {index}")
        matrix = tree["posterior/matrix"].sel(cat="Deerfield", day="2026-03-01")
        same_array(expected["matrix"].values[:, :, 1, 1], matrix.values)


def test_xarray_opens_unequal_chains_in_full(run: Stored) -> None:
    """Dtypes stay, so that a reader stays right that opened early; behind the end of a chain there is fill."""
    expected = datasets(run.tree(equalize=False))
    with unstable_strings(), open_tree(f"{run.url}/ragged") as tree:
        got = datasets(tree.load())
    assert set(got) == set(expected)
    for group, dataset in expected.items():
        if "draw" not in dataset.sizes:
            same_dataset(dataset, got[group], group)
            continue
        assert dict(got[group].sizes) == dict(dataset.sizes)
        lengths = [warmup if group.startswith("warmup_") else count - warmup for count, warmup in UNEQUAL]
        cut = datasets(run.tree())[group]
        for name in dataset.data_vars:
            values = got[group][name].values
            assert values.dtype == cut[name].dtype or values.dtype.kind in "UTO", f"{group}/{name}"
            for chain, length in enumerate(lengths):
                place = f"{group}/{name} of chain {chain}"
                kept = dataset[name].values[chain, :length]
                if name in WIDE:
                    # Floats, which fill makes of them in the other form, do not hold these.
                    kept, length = cut[name].values[chain], cut.sizes["draw"]
                same_array(kept.astype(values.dtype), values[chain, :length], place)
                rest = values[chain, lengths[chain] :]
                is_fill = np.isnan(rest) if values.dtype.kind == "f" else ~rest.astype(bool)
                assert is_fill.all(), place


def test_the_tree_says_what_it_leaves_out(run: Stored) -> None:
    with unstable_strings(), open_tree(run.url) as tree:
        told = {name: value for name, value in tree.attrs.items() if "path" in str(value)}
        assert told, tree.attrs
        assert all("path" not in group for group in datasets(tree).values())


def test_zarr_opens_the_group(run: Stored) -> None:
    with unstable_strings():
        group = zarr.open_group(f"{run.url}/data.zarr", mode="r")
        compare_arrays(run, group)


def test_zarr_through_obstore(run: Stored) -> None:
    pytest.importorskip("obstore", reason="this environment has no obstore")
    with unstable_strings():
        store = by_obstore(f"{run.url}/data.zarr")
        compare_arrays(run, zarr.open_group(store, mode="r"))
        with xr.open_datatree(store, engine="zarr") as tree:
            same_tree(run.tree(), tree.load())


def compare_arrays(run: Stored, group: Any) -> None:
    """All arrays as zarr has them: times are numbers there."""
    expected = datasets(run.tree())
    assert set(dict(group.groups())) == set(expected)
    for name, dataset in expected.items():
        arrays = dict(group[name].arrays())
        assert set(arrays) == set(dataset.variables)
        for key, variable in dataset.variables.items():
            if variable.dtype.kind != "M":
                same_array(variable.values, np.asarray(arrays[key][...]), f"{name}/{key}")
            assert tuple(arrays[key].metadata.dimension_names) == variable.dims


def test_arviz_opens_it(run: Stored) -> None:
    arviz = pytest.importorskip("arviz", reason="this environment has no ArviZ")
    with warnings.catch_warnings():
        if arviz.__version__.startswith("0."):
            # The announcement of its next release.
            warnings.filterwarnings("ignore", ".*ArviZ is undergoing a major refactor", FutureWarning)
            # Its own from_zarr takes no release of zarr from 3 on, and names this instead.
            with open_tree(run.url) as tree:
                idata = arviz.InferenceData.from_datatree(tree.load())
            reference = arviz.InferenceData.from_datatree(run.tree())
        else:
            idata, reference = arviz.from_zarr(f"{run.url}/data.zarr"), run.tree()
        same_tree(run.tree(), idata)
        scalars = ["mu", "tau"]
        ours, theirs = (arviz.summary(read, var_names=scalars) for read in (reference, idata))
    assert ours.to_dict() == theirs.to_dict()


def test_a_reader_that_opened_early_stays_right(growing: Growing) -> None:
    """Sizes are those of its opening; the values behind them are read later, while the run grows."""
    with unstable_strings(), open_tree(growing.url) as early:
        sizes = dict(early["posterior"].sizes)
        growing.start()
        growing.wait_for(60)
        assert sizes["draw"] == 5
        check_growing(early)
        assert dict(early["posterior"].sizes) == sizes
        with open_tree(growing.url) as late:
            assert late["posterior"].sizes["draw"] > 50
            check_growing(late)


def test_readers_while_it_grows(growing: Growing) -> None:
    """Groups of one opening are of one moment, and no draw is torn."""
    growing.pause = 0.002
    growing.start()
    lengths = []
    for _ in range(12):
        with unstable_strings(), open_tree(growing.url) as tree:
            check_growing(tree)
            assert tree["posterior"].sizes["draw"] == tree["sample_stats"].sizes["draw"]
            lengths.append(tree["posterior"].sizes["draw"])
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]


def check_growing(tree: Any) -> None:
    for prefix, first in (("warmup_", 0), ("", Growing.warmup)):
        posterior, stats = tree[f"{prefix}posterior"], tree[f"{prefix}sample_stats"]
        chains = posterior["chain"].values
        count = posterior.sizes["draw"]
        assert chains.tolist() == [0, 1]
        assert posterior["draw"].values.tolist() == list(range(count))
        for index, chain in enumerate(chains):
            expected = Growing.values(int(chain), first, first + count)
            for name in ("x", "k"):
                same_array(expected[name], posterior[name].values[index], name)
            assert posterior["s"].values[index].tolist() == expected["s"]
            same_array(-expected["x"], stats["lp"].values[index], "lp")
    assert tree["posterior"]["which"].values.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("path", [".zgroup", ".zattrs", ".zmetadata", "posterior/.zgroup", "posterior/mu/.zarray"])
def test_files_of_the_older_format_are_absent(run: Stored, path: str) -> None:
    """zarr-python asks for them, and takes whatever comes with 200."""
    assert requests.get(f"{run.url}/data.zarr/{path}", timeout=60).status_code == 404


def test_writing_there_is_refused(run: Stored) -> None:
    for path, method in itertools.product(("zarr.json", "posterior/mu/c/0/0"), ("PUT", "DELETE", "POST")):
        answer = requests.request(method, f"{run.url}/data.zarr/{path}", data=b"{}", timeout=60)
        assert answer.status_code == 405, (method, path)
        assert "GET" in answer.headers["Allow"]


def test_documents_are_answered_once(run: Stored) -> None:
    """HEAD, ETag and 304 of documents and of chunks."""
    for path in ("zarr.json", "posterior/zarr.json", "posterior/mu/zarr.json", "posterior/mu/c/0/0"):
        url = f"{run.url}/data.zarr/{path}"
        first = requests.get(url, timeout=60)
        assert first.status_code == 200, path
        again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=60)
        assert (again.status_code, again.content) == (304, b"")
        head = requests.head(url, timeout=60)
        # The ETag is weak where the answer is compressed on its way.
        assert (head.status_code, head.headers["ETag"]) == (200, first.headers["ETag"].removeprefix("W/"))
