"""InferenceData and DataTree: names, warmup, chains of different lengths, and a real PyMC run there and back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbackend_edge import Client, Run, Variable
from mcbackend_edge.stat_names import arviz_names

xr = pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")
az = pytest.importorskip("arviz", reason="ArviZ 0.x is not installed: pip install mcbackend-edge[arviz]")


def make_run(client: Client, lengths: list[int], tunes: list[int], mark: str = "tune") -> Run:
    run = client.create_run(
        variables=[Variable("theta", "float64", (2,), ("school",)), Variable("k", "int16", (1, 3))],
        sample_stats=[Variable(mark, "bool"), Variable("sampler_0__tree_size", "int64"), Variable("w", "str")],
        coords={"school": ["a", "b"], "unused": [1]},
        data={"n": np.arange(5, dtype=np.int8)},
        observed_data={"y": np.arange(6).reshape(2, 3)},
        dims={"y": ["school"]},
        attributes={"flag": True, "list": [1, "a"], "span": None},
    )
    rng = np.random.default_rng(5)
    for number, (length, tune) in enumerate(zip(lengths, tunes)):
        run.init_chain(number).extend(
            {"theta": rng.normal(size=(length, 2)), "k": rng.integers(9, size=(length, 1, 3))},
            {
                mark: np.arange(length) < tune,
                "sampler_0__tree_size": np.arange(length) + 100 * number,
                "w": [str(index) for index in range(length)],
            },
        )
    run.flush(progress=False)
    return client.run(run.rid)


@pytest.mark.parametrize("mark", ["tune", "is_warmup", "sampler_0__tune"])
def test_warmup_is_told_by_any_of_the_flags(client: Client, mark: str) -> None:
    run = make_run(client, [10, 10], [4, 4], mark)
    idata = run.to_inferencedata(progress=False)
    assert dict(idata.warmup_posterior.sizes) == {"chain": 2, "draw": 4, "school": 2, "k_dim_0": 1, "k_dim_1": 3}
    assert idata.posterior.sizes["draw"] == 6
    assert idata.sample_stats.n_steps.values.tolist() == [list(range(4, 10)), list(range(104, 110))]
    assert set(idata.sample_stats.data_vars) == {"n_steps", "w"}
    stored = run.to_inferencedata(progress=False, stat_names="stored")
    assert set(stored.sample_stats.data_vars) == {mark, "sampler_0__tree_size", "w"}
    assert idata.attrs["flag"] == 1
    assert idata.attrs["list"] == '[1.0, "a"]'


def test_datatree_is_the_same_as_inferencedata(client: Client, tmp_path: Path) -> None:
    run = make_run(client, [10, 10], [4, 4])
    tree, idata = run.to_datatree(progress=False), run.to_inferencedata(progress=False)
    assert set(tree.children) == set(idata.groups())
    for group in idata.groups():
        ours, theirs = tree[group].to_dataset(), idata[group]
        assert set(ours.variables) == set(theirs.variables), group
        for name in theirs.variables:
            xr.testing.assert_equal(ours[name], theirs[name])
            assert ours[name].dtype == theirs[name].dtype
    tree.to_netcdf(tmp_path / "tree.nc", engine="h5netcdf")
    read = xr.open_datatree(tmp_path / "tree.nc", engine="h5netcdf")
    assert read["posterior/theta"].equals(tree["posterior/theta"])
    assert read.attrs["flag"] == 1
    idata.to_netcdf(str(tmp_path / "idata.nc"))
    assert az.from_netcdf(str(tmp_path / "idata.nc")).posterior.equals(idata.posterior)


def test_chains_are_cut_to_the_shortest_with_a_warning(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(client, [10, 7, 12], [4, 3, 4])
    tree = run.to_datatree(progress=False)
    assert tree["warmup_posterior"].sizes["draw"] == 3
    assert tree["posterior"].sizes["draw"] == 3
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * len(caplog.records)
    assert "{0: 10, 1: 7, 2: 12}" in caplog.records[0].message
    ragged = run.to_datatree(progress=False, equalize_chain_lengths=False)
    theta = ragged["posterior/theta"]
    assert theta.shape == (3, 8, 2)
    assert np.isnan(theta.values).sum(axis=(1, 2)).tolist() == [4, 8, 0]
    whole = run.chain(2).get_draws("theta", slice(4, None))
    assert np.array_equal(theta.values[2], whole)


def test_runs_without_a_mark_are_all_posterior(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run(variables={"x": 0.0})
    run.init_chain(0).extend({"x": np.arange(3.0)})
    tree = run.to_datatree(progress=False)
    assert set(tree.children) == {"posterior"}
    assert tree["posterior/x"].values.tolist() == [[0.0, 1.0, 2.0]]
    assert any("No 'tune' stat" in record.message for record in caplog.records)


def test_variables_without_a_fixed_shape_have_no_place(client: Client) -> None:
    run = client.create_run(variables=[Variable("x", "float64", (-1,))])
    with pytest.raises(NotImplementedError, match=r"\['x'\]"):
        run.to_inferencedata()


def test_a_growing_run_is_read_as_of_one_moment(client: Client) -> None:
    """Draws that are appended between two requests are left out, for all variables alike."""
    run = make_run(client, [10], [0])
    writer = client.run(run.rid).init_chain(0, resume=True)
    original = run.chain(0)._reader.read

    class Growing:
        def __init__(self, chain: Any) -> None:
            self.chain = chain

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            writer.extend({"theta": np.zeros((3, 2)), "k": np.zeros((3, 1, 3), dtype=int)})
            writer.run.flush(progress=False)
            return original(*arguments, **options)

    chain = run.chain(0)
    chain._reader.read = Growing(chain)  # type: ignore[method-assign]
    run._own[0] = chain
    tree = run.to_datatree(progress=False)
    assert run.lengths() == {0: 16}
    assert tree["posterior"].sizes["draw"] == 10
    assert tree["sample_stats"].sizes["draw"] == 10


def test_a_real_pymc_run_goes_in_and_comes_back(client: Client, shared_data: Path) -> None:
    """All variables and the 17 stats of 4 chains, by their dtypes and bits, through the server."""
    original = az.from_netcdf(str(shared_data / "pymc" / "non_centered_eight.nc"))
    posterior, stats = original.posterior, original.sample_stats
    assert len(stats.data_vars) == 17
    data = {**original.constant_data.data_vars} if "constant_data" in original.groups() else {}
    observed = original.observed_data.data_vars
    dims = {name: list(map(str, v.dims)) for name, v in (*data.items(), *observed.items())}
    run = client.create_run(
        variables=[
            Variable(str(name), str(v.dtype), v.shape[2:], tuple(map(str, v.dims[2:]))) for name, v in posterior.items()
        ],
        sample_stats=[Variable(str(name), str(v.dtype), v.shape[2:]) for name, v in stats.items()],
        coords={
            str(name): v.values.astype(str) if v.dtype.kind in "OU" else v.values
            for name, v in posterior.coords.items()
            if name not in ("chain", "draw")
        },
        data={str(name): v.values for name, v in data.items()},
        observed_data={str(name): v.values for name, v in observed.items()},
        dims=dims,
    )
    for number in range(posterior.sizes["chain"]):
        run.init_chain(number).extend(
            {str(name): v.values[number] for name, v in posterior.items()},
            {str(name): v.values[number] for name, v in stats.items()},
        )
    run.flush(progress=False)
    for read in (client.run(run.rid).to_inferencedata(progress=False), client.run(run.rid).to_datatree(progress=False)):
        for group in ("posterior", "sample_stats", "observed_data", "constant_data"):
            if group not in original.groups():
                continue
            names = set(read[group].data_vars)
            # Stats that have ArviZ's name keep it; the warmup flag of old PyMC is in no group.
            assert names == {name for name in original[group].data_vars if name != "tune"}
            for name in names:
                theirs = original[group][name]
                assert read[group][name].dims == theirs.dims
                assert read[group][name].dtype == theirs.dtype
                assert read[group][name].values.tobytes() == theirs.values.tobytes()


def test_names_of_stats() -> None:
    names = ["sampler_0__depth", "sampler_1__accept", "sampler_0__accept", "sampler_10__accept", "random_state", "lp__"]
    assert arviz_names(names) == {
        "tree_depth": ["sampler_0__depth"],
        "accept": ["sampler_0__accept", "sampler_1__accept", "sampler_10__accept"],
        "lp": ["lp__"],
    }
    assert arviz_names(["lp", "lp__"]) == {"lp": ["lp"], "lp__": ["lp__"]}


@given(
    st.lists(
        st.one_of(st.text(max_size=5), st.sampled_from(["lp", "lp__", "model_logp", "sampler_0__lp", "sampler_1__lp"])),
        unique=True,
    )
)
def test_no_stat_is_lost_in_renaming(names: list[str]) -> None:
    members = [member for group in arviz_names(names).values() for member in group]
    assert sorted(members) == sorted(name for name in names if name != "random_state")
