"""InferenceData and DataTree: names, warmup, attributes, and a real PyMC run there and back."""

from __future__ import annotations

import datetime as dt
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbackend_edge import Client, Run, Variable
from mcbackend_edge.stat_names import arviz_names

xr = pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")


def make_run(client: Client, lengths: list[int], tunes: list[int], mark: str = "tune", **attributes: Any) -> Run:
    run = client.create_run(
        variables=[Variable("theta", "float64", (2,), ("school",)), Variable("k", "int16", (1, 3))],
        sample_stats=[Variable(mark, "bool"), Variable("sampler_0__tree_size", "int64"), Variable("w", "str")],
        coords={"school": ["a", "b"], "unused": [1]},
        data={"n": np.arange(5, dtype=np.int8)},
        observed_data={"y": np.arange(6).reshape(2, 3)},
        dims={"y": ["school"]},
        attributes={"flag": True, "list": [1, "a"], "span": None, **attributes},
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


def groups_of(read: Any) -> dict[str, Any]:
    """The groups of an InferenceData or a DataTree, as datasets."""
    if isinstance(read, xr.DataTree):
        return {name: node.to_dataset() for name, node in read.children.items()}
    return {name: read[name] for name in read.groups()}


def has_arviz_0() -> bool:
    try:
        import arviz
    except ImportError:
        return False
    return str(arviz.__version__).startswith("0.")


@pytest.mark.parametrize("mark", ["tune", "is_warmup", "sampler_0__tune"])
def test_warmup_is_told_by_any_of_the_flags(client: Client, mark: str) -> None:
    run = make_run(client, [10, 10], [4, 4], mark)
    tree = run.to_datatree(progress=False)
    assert dict(tree["warmup_posterior"].sizes) == {"chain": 2, "draw": 4, "school": 2, "k_dim_0": 1, "k_dim_1": 3}
    assert tree["posterior"].sizes["draw"] == 6
    assert tree["sample_stats/n_steps"].values.tolist() == [list(range(4, 10)), list(range(104, 110))]
    assert set(tree["sample_stats"].data_vars) == {"n_steps", "w"}
    stored = run.to_datatree(progress=False, stat_names="stored")
    assert set(stored["sample_stats"].data_vars) == {mark, "sampler_0__tree_size", "w"}
    assert tree.attrs["flag"] == 1
    assert tree.attrs["list"] == '[1.0, "a"]'


def test_inferencedata_is_the_same_as_the_datatree(client: Client, tmp_path: Path) -> None:
    """And where ArviZ has no InferenceData, it is the DataTree."""
    pytest.importorskip("arviz", reason="ArviZ is not installed: pip install mcbackend-edge[arviz]")
    run = make_run(client, [10, 10], [4, 4])
    tree, idata = run.to_datatree(progress=False), run.to_inferencedata(progress=False)
    assert isinstance(idata, xr.DataTree) != has_arviz_0()
    ours, theirs = groups_of(tree), groups_of(idata)
    assert set(ours) == set(theirs)
    for group in theirs:
        assert set(ours[group].variables) == set(theirs[group].variables), group
        for name in theirs[group].variables:
            xr.testing.assert_equal(ours[group][name], theirs[group][name])
            assert ours[group][name].dtype == theirs[group][name].dtype
    assert tree.attrs == idata.attrs
    if find_spec("netCDF4") or find_spec("h5py"):
        tree.to_netcdf(tmp_path / "tree.nc")
        read = xr.open_datatree(tmp_path / "tree.nc")
        assert read["posterior/theta"].equals(tree["posterior/theta"])
        assert read.attrs["flag"] == 1
    if has_arviz_0():
        import arviz as az

        idata.to_netcdf(str(tmp_path / "idata.nc"))
        assert az.from_netcdf(str(tmp_path / "idata.nc")).posterior.equals(idata.posterior)


@pytest.mark.skipif(not has_arviz_0(), reason="ArviZ 0.x is not installed, or a newer one")
def test_other_options_go_to_arviz(client: Client) -> None:
    run = make_run(client, [10, 10], [4, 4])
    more = np.zeros((2, 6, 2))
    idata = run.to_inferencedata(posterior_predictive={"y": more}, dims={"y": ["school"]}, progress=False)
    assert idata.posterior_predictive.y.dims == ("chain", "draw", "school")
    assert idata.posterior.theta.shape == (2, 6, 2)
    with pytest.raises(TypeError, match=r"no options \['chain'\]; it has var_names"):
        run.to_inferencedata(chain=[1])


def test_attributes_say_where_a_run_is_from(client: Client) -> None:
    run = make_run(client, [10, 10], [4, 4], inference_library="nutpie", discard_tuned_samples=True)
    run.set_about(
        facts={
            "samplingTime": 3.0,
            "expected": {"warmup": 5},
            "environment": {"packages": {"nutpie": "0.16.11", "numpy": "2.5"}},
        }
    )
    tree = run.to_datatree(progress=False)
    assert set(tree.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}
    of_data = {
        "created_at": run.about().created_at.isoformat(),
        "inference_library": "nutpie",
        "inference_library_version": "0.16.11",
        "rid": run.rid,
    }
    of_draws = {**of_data, "sampling_time": 3.0, "tuning_steps": 5}
    assert dt.datetime.fromisoformat(of_data["created_at"]).tzinfo is not None
    for name in ("posterior", "sample_stats"):
        assert tree[name].attrs == {**of_draws, "sample_dims": ["chain", "draw"]}
        assert isinstance(tree[name].attrs["sampling_time"], float)
    assert tree["observed_data"].attrs == {**of_data, "sample_dims": []}
    assert tree.attrs == {**of_draws, "flag": 1, "list": '[1.0, "a"]', "span": "null"}


def test_facts_that_make_no_sense_are_no_attributes(client: Client) -> None:
    run = make_run(client, [10], [4])
    run.set_about(facts={"samplingTime": "long", "expected": 7, "environment": {"packages": []}})
    attributes = run.to_datatree(progress=False)["posterior"].attrs
    assert attributes["rid"] == run.rid
    assert attributes["tuning_steps"] == 4
    assert "sampling_time" not in attributes


@pytest.mark.parametrize(("warmup", "discard", "is_there"), [(None, False, True), (None, True, False)])
@pytest.mark.parametrize("forced", [None, True, False])
def test_warmup_is_there_unless_it_was_discarded_or_is_not_wanted(
    client: Client, warmup: bool | None, discard: bool, is_there: bool, forced: bool | None
) -> None:
    run = make_run(client, [10, 10], [4, 4], discard_tuned_samples=discard)
    tree = run.to_datatree(progress=False, warmup=forced if forced is not None else warmup)
    expected = is_there if forced is None else forced
    assert ("warmup_posterior" in tree.children) == ("warmup_sample_stats" in tree.children) == expected
    assert tree["posterior"].sizes["draw"] == 6
    assert tree["posterior"].draw.values.tolist() == list(range(6))


def test_runs_without_a_mark_are_all_posterior(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run(variables={"x": 0.0})
    run.init_chain(0).extend({"x": np.arange(3.0)})
    tree = run.to_datatree(progress=False)
    assert set(tree.children) == {"posterior"}
    assert tree["posterior/x"].values.tolist() == [[0.0, 1.0, 2.0]]
    assert any("No 'tune' stat" in record.message for record in caplog.records)


def test_transformed_values_are_in_a_group_of_their_own(client: Client) -> None:
    """By the run's list; without one, names as PyMC makes them count if the variable itself is there."""
    names = ["tau", "tau_log__", "x_log_exp_m1__", "x", "lp__", "a_b__", "y_log__"]
    draws = {name: np.arange(4.0) for name in names}

    def read(**attributes: Any) -> Any:
        run = client.create_run(
            variables=dict.fromkeys(names, 0.0), sample_stats={"tune": False}, attributes=attributes
        )
        run.init_chain(0).extend(draws, {"tune": np.arange(4) < 1})
        return run.to_datatree(progress=False)

    tree = read()
    assert set(tree["unconstrained_posterior"].data_vars) == {"tau_log__", "x_log_exp_m1__"}
    assert set(tree["posterior"].data_vars) == set(names) - {"tau_log__", "x_log_exp_m1__"}
    assert tree["warmup_unconstrained_posterior/tau_log__"].values.tolist() == [[0.0]]
    assert set(read(**{"mcb.unconstrained": ["a_b__"]})["unconstrained_posterior"].data_vars) == {"a_b__"}
    other = read(inference_library="stan")
    assert "unconstrained_posterior" not in other.children
    assert set(other["posterior"].data_vars) == set(names)


def test_pickled_warnings_are_read_only_if_asked_for(client: Client) -> None:
    run = client.create_run(
        variables={"x": 0.0},
        sample_stats=[Variable("sampler_0__warning", "str"), Variable("warning"), Variable("tune", "bool")],
    )
    run.init_chain(0).extend({"x": np.zeros(3)}, {"sampler_0__warning": ["a", "b", "c"], "warning": np.ones(3)})
    run.flush(progress=False)
    asked: list[str] = []
    reader = client.run(run.rid)
    chain = reader.chain(0)
    request = chain._reader._transport.request

    def noted(method: str, path: str, **options: Any) -> Any:
        asked.append(path)
        return request(method, path, **options)

    chain._reader._transport.request = noted  # type: ignore[method-assign]
    tree = reader.to_datatree(progress=False)
    assert not any("sampler_0__warning" in path for path in asked)
    assert tree["sample_stats/warning"].dtype == float
    both = reader.to_datatree(progress=False, warnings=True)
    assert set(both["sample_stats"].data_vars) == {"sampler_0__warning", "warning"}
    assert both["sample_stats/sampler_0__warning"].values.tolist() == [["a", "b", "c"]]


def test_stats_of_several_samplers_are_side_by_side(client: Client) -> None:
    """Behind the other dimensions, as PyMC puts them; those that do not go together keep their names."""
    run = client.create_run(
        variables={"x": 0.0},
        sample_stats=[
            Variable("sampler_1__accept", "float64"),
            Variable("sampler_0__accept", "float64"),
            Variable("sampler_0__grad", "float64", (3,)),
            Variable("sampler_1__grad", "float64", (3,)),
            Variable("sampler_0__size", "int64"),
            Variable("sampler_1__size", "int64", (2,)),
        ],
    )
    grad = np.arange(12.0).reshape(4, 3)
    run.init_chain(0).extend(
        {"x": np.zeros(4)},
        {
            "sampler_0__accept": np.zeros(4),
            "sampler_1__accept": np.ones(4),
            "sampler_0__grad": grad,
            "sampler_1__grad": -grad,
        },
    )
    stats = run.to_datatree(progress=False)["sample_stats"]
    assert stats["accept"].dims == ("chain", "draw", "accept_dim_0")
    assert stats["accept"].values[0].tolist() == [[0.0, 1.0]] * 4
    assert stats["grad"].dims == ("chain", "draw", "grad_dim_0", "grad_dim_1")
    assert np.array_equal(stats["grad"].values[0], np.stack([grad, -grad], axis=-1))
    assert {"sampler_0__size", "sampler_1__size"} <= set(stats.data_vars)


def test_a_growing_run_is_read_as_of_one_moment(client: Client) -> None:
    """Draws that are appended between two requests are left out, for all variables alike."""
    run = make_run(client, [10], [0])
    writer = client.run(run.rid).init_chain(0, resume=True)
    original = run.chain(0)._reader.read
    requests = 0

    class Growing:
        def __init__(self, chain: Any) -> None:
            self.chain = chain

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            nonlocal requests
            requests += 1
            writer.extend({"theta": np.zeros((3, 2)), "k": np.zeros((3, 1, 3), dtype=int)})
            writer.run.flush(progress=False)
            return original(*arguments, **options)

    chain = run.chain(0)
    chain._reader.read = Growing(chain)  # type: ignore[method-assign]
    run._own[0] = chain
    tree = run.to_datatree(progress=False)
    assert run.lengths() == {0: 10 + 3 * requests}
    assert requests > 1
    assert tree["posterior"].sizes["draw"] == 10
    assert tree["sample_stats"].sizes["draw"] == 10


def test_a_real_pymc_run_goes_in_and_comes_back(client: Client, shared_data: Path) -> None:
    """All variables and the 17 stats of 4 chains, by their dtypes and bits, through the server."""
    file = str(shared_data / "pymc" / "non_centered_eight.nc")
    original = {name: xr.open_dataset(file, group=name) for name in ("posterior", "sample_stats", "observed_data")}
    posterior, stats = original["posterior"], original["sample_stats"]
    assert len(stats.data_vars) == 17
    observed = original["observed_data"].data_vars
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
        observed_data={str(name): v.values for name, v in observed.items()},
        dims={name: list(map(str, v.dims)) for name, v in observed.items()},
    )
    for number in range(posterior.sizes["chain"]):
        run.init_chain(number).extend(
            {str(name): v.values[number] for name, v in posterior.items()},
            {str(name): v.values[number] for name, v in stats.items()},
        )
    run.flush(progress=False)
    read = groups_of(client.run(run.rid).to_datatree(progress=False))
    for group, theirs in original.items():
        names = set(read[group].data_vars)
        # Stats that have ArviZ's name keep it; the warmup flag of old PyMC is in no group.
        assert names == {name for name in theirs.data_vars if name != "tune"}
        for name in names:
            assert read[group][name].dims == theirs[name].dims
            assert read[group][name].dtype == theirs[name].dtype
            assert read[group][name].values.tobytes() == theirs[name].values.tobytes()


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


def test_nothing_is_said_where_all_is_well(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(client, [10, 10], [4, 4])
    run.to_datatree(progress=False)
    run.get_draws("theta")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
