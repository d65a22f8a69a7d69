"""`client.store`: finished results of several libraries, exactly once, and what has no place is named."""

from __future__ import annotations

import copy
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Run
from mcbackend_edge import store as storing
from mcbackend_edge.facts import to_json
from mcbackend_edge.results.layout import has_place

from .gate import Gate, Reply
from .server import RunningServer

xarray = pytest.importorskip("xarray", reason="xarray is not installed")

CHAINS, WARMUP, DRAWS = 3, 7, 20
SCHOOLS = ["Choate", "Deerfield", "Exeter", "Hotchkiss"]


def drawn(*shape: int, draws: int = DRAWS, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(CHAINS, draws, *shape))


def dataset(draws: int = DRAWS, **variables: Any) -> Any:
    """A dataset of draws with ArviZ's coordinates."""
    held = {
        name: value if isinstance(value, tuple) else (("chain", "draw"), value) for name, value in variables.items()
    }
    coords = {"chain": range(CHAINS), "draw": range(draws)}
    return xarray.Dataset(held, coords)


def posterior(draws: int = DRAWS, seed: int = 1) -> Any:
    counts = np.arange(CHAINS * draws, dtype=np.int32).reshape(CHAINS, draws)
    found = dataset(
        draws,
        mu=drawn(draws=draws, seed=seed),
        theta=(("chain", "draw", "school"), drawn(4, draws=draws, seed=seed).astype(np.float32)),
        corr=(("chain", "draw", "corr_dim_0", "corr_dim_1"), drawn(2, 2, draws=draws, seed=seed)),
        count=counts,
        is_odd=counts % 2 == 1,
        label=np.char.add("ä", counts.astype(str)),
    )
    return found.assign_coords(school=SCHOOLS, corr_dim_0=[0, 1], corr_dim_1=[0, 1])


def stats(draws: int = DRAWS) -> Any:
    return dataset(
        draws,
        lp=drawn(draws=draws, seed=5),
        diverging=drawn(draws=draws) > 1,
        tree_depth=np.int64(4) + 0 * drawn(draws=draws).astype(np.int64),
    )


def full() -> dict[str, Any]:
    """All groups that have a place."""
    groups = {
        "posterior": posterior(),
        "sample_stats": stats(),
        "warmup_posterior": posterior(WARMUP, seed=2),
        "warmup_sample_stats": stats(WARMUP),
        "unconstrained_posterior": dataset(tau_log__=drawn(seed=3)),
        "warmup_unconstrained_posterior": dataset(WARMUP, tau_log__=drawn(draws=WARMUP, seed=4)),
        "observed_data": xarray.Dataset({"obs": ("school", [1.0, np.nan, 3.0, 4.0])}, {"school": SCHOOLS}),
        "constant_data": xarray.Dataset({"sigma": ("school", [1, 2, 3, 4])}, {"school": SCHOOLS}),
    }
    for name in ("posterior", "sample_stats"):
        groups[name].attrs = {
            "created_at": "2026-01-02T03:04:05.678901+00:00",
            "inference_library": "numpyro",
            "inference_library_version": "0.22.0",
            "sampling_time": np.float64(1.5),
            "tuning_steps": np.array([7]),
        }
    return groups


def tree_of(groups: dict[str, Any]) -> Any:
    return xarray.DataTree.from_dict(groups)


def assert_stored(run: Run, groups: dict[str, Any]) -> None:
    """The run holds the draws of all groups, warmup before the rest."""
    for name in ("posterior", "unconstrained_posterior", "sample_stats"):
        for variable, array in groups.get(name, xarray.Dataset()).data_vars.items():
            warmup = groups.get(f"warmup_{name}")
            for place, number in enumerate(range(CHAINS)):
                parts = [*([] if warmup is None else [warmup[variable][place]]), array[place]]
                wanted = np.concatenate([np.asarray(part) for part in parts])
                chain = run.chain(number)
                got = (chain.get_stats if name == "sample_stats" else chain.get_draws)(variable)
                assert got.dtype.kind == wanted.dtype.kind
                assert np.array_equal(got, wanted), (name, variable)


def groups_of(result: Any) -> dict[str, Any]:
    """Datasets by name, of a DataTree or InferenceData."""
    if isinstance(result, xarray.DataTree):
        return {name: node.to_dataset() for name, node in result.children.items()}
    return {name: result[name] for name in result.groups()}


def assert_same(got: Any, wanted: Any, rid: str) -> None:
    """All is read as it was stored: groups, names, dims, coords, dtypes, values and attributes."""
    had = {name: data for name, data in groups_of(wanted).items() if has_place(name) and data.data_vars}
    have = groups_of(got)
    assert set(have) == set(had)
    for name, dataset in had.items():
        assert list(have[name].data_vars) == list(dataset.data_vars)
        assert set(have[name].coords) == set(dataset.coords)
        for part in (*dataset.data_vars, *dataset.coords):
            one, other = have[name][part], dataset[part]
            assert set(one.dims) == set(other.dims)
            other = other.transpose(*one.dims)
            assert one.dtype.kind == other.dtype.kind or one.dtype.kind + other.dtype.kind == "UO", (name, part)
            assert one.dtype.kind in "UO" or one.dtype == other.dtype
            assert np.array_equal(one.values, other.values, equal_nan=one.dtype.kind == "f"), (name, part)
        plain = to_json(dict(dataset.attrs), "attrs")
        assert to_json(dict(have[name].attrs), "attrs") == {**plain, "rid": rid}


def test_all_that_has_a_place(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    groups = full()
    run = client.store(
        tree_of(groups), name="schools", rid="store-all", tags=["t"], notes="n", attributes={"k": 1}, facts={"mine": 2}
    )
    assert_stored(run, groups)
    assert run.lengths() == dict.fromkeys(range(CHAINS), WARMUP + DRAWS)
    assert run.chain(2).warmup_length() == WARMUP
    assert run.variables["theta"].dtype == "float32"
    assert run.dims["theta"] == ["school"]
    assert run.dims["corr"] == ["corr_dim_0", "corr_dim_1"]
    assert list(run.coords) == ["school"]
    assert run.coords["school"].tolist() == SCHOOLS
    assert run.observed_data["obs"].tolist()[2] == 3
    assert run.constant_data["sigma"].dtype == np.int64
    assert run.attributes["mcb.unconstrained"] == ["tau_log__"]
    assert run.attributes["mcb.stats"] == ["lp", "diverging", "tree_depth"]
    assert (run.attributes["inference_library"], run.attributes["k"]) == ("numpyro", 1)
    about = run.about()
    assert (about.name, about.tags, about.notes, about.state) == ("schools", ("t",), "n", "done")
    facts = about.facts
    assert facts["mine"] == 2
    assert facts["expected"] == {"draws": DRAWS, "warmup": WARMUP}
    assert facts["samplingTime"] == 1.5
    assert facts["finishedAt"] == "2026-01-02T03:04:05.678901Z"
    assert facts["environment"]["packages"]["numpyro"] == "0.22.0"
    assert facts["resultAttrs"]["posterior"]["tuning_steps"] == [7]
    assert [line for line in caplog.messages if "left out" in line] == []
    tree = client.run("store-all").to_datatree()
    assert_same(tree, tree_of(groups), "store-all")
    assert tree.attrs == {"rid": "store-all", "k": 1}
    assert [line for line in caplog.messages if "run store-all" in line] == []


def test_storing_again_changes_nothing_and_says_so(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    groups = full()
    with caplog.at_level("INFO", "mcbackend_edge"):
        first = client.store(tree_of(groups), rid="store-again", name="n")
        before = first.about()
        groups["posterior"].attrs["created_at"] = "2026-05-05T00:00:00+00:00"
        client.store(tree_of(groups), rid="store-again", name="other")
    after = client.run("store-again").about()
    assert (after.name, after.facts, after.updated_at) == ("n", before.facts, before.updated_at)
    said = [line for line in caplog.messages if "81 draws" in line]
    assert ["were all there already" in line for line in said] == [False, True]


def test_another_result_of_the_same_id_is_refused(client: Client) -> None:
    groups = full()
    client.store(tree_of(groups), rid="store-other")
    changed = copy.deepcopy(groups)
    changed["posterior"]["mu"][2, 19] = 5.0
    with pytest.raises(mcb.DrawConflictError, match=r"other draws than this result.*free_rid\('store-other'\)"):
        client.store(tree_of(changed), rid="store-other")
    assert_stored(client.run("store-other"), groups)
    with pytest.raises(mcb.RunConflictError, match="variables: 'count' only there"):
        client.store(tree_of({"posterior": groups["posterior"].drop_vars("count")}), rid="store-other")


def test_what_was_interrupted_is_completed(
    server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_BLOCK", 300)
    monkeypatch.setattr(storing, "_WAITING", 300)
    monkeypatch.setattr(storing, "_STANDSTILL", 4.0)
    left = [2]

    def fails(method: str, path: str) -> Reply | None:
        if "/draws" not in path:
            return None
        left[0] -= 1
        return Reply(503, b"") if left[0] < 0 else None

    groups = full()
    with Gate(server.port, fails) as gate:
        client = make_client(gate.url)
        with pytest.raises(mcb.UploadPendingError, match="Store the same result under the id store-cut again"):
            client.store(tree_of(groups), rid="store-cut")
        stored = sum(client.run("store-cut").lengths().values())
        assert 0 < stored < CHAINS * (WARMUP + DRAWS)
        assert client.run("store-cut").about().state != "done"
        left[0] = 10_000
        run = client.store(tree_of(groups), rid="store-cut")
        assert run.about().state == "done"
    assert_stored(run, groups)


def test_a_killed_upload_is_completed(server: RunningServer, client: Client, tmp_path: Path) -> None:
    """Also by a process that knows nothing of the first one; no spool is left behind."""
    pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    path = tmp_path / "r.nc"
    groups = {"posterior": dataset(x=(("chain", "draw", "n"), drawn(5000)))}
    tree_of(groups).to_netcdf(path)
    script = f"from mcbackend_edge import Client; Client({server.url!r}).store({str(path)!r}, rid='store-killed')"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as process:
        while not any(line.rid == "store-killed" and line.draws for line in client.runs(q="store-killed")):
            assert process.poll() is None or process.returncode == 0
            if process.poll() == 0:
                break
        process.kill()
    run = client.store(path, rid="store-killed")
    assert_stored(run, groups)


@pytest.mark.parametrize("form", ["nc", "zarr", "dataset", "transposed"])
def test_forms_of_results(client: Client, tmp_path: Path, form: str) -> None:
    groups = {"posterior": posterior().drop_vars("label")}
    if form == "nc":
        pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
        tree_of(groups).to_netcdf(tmp_path / "r.nc")
        run = client.store(str(tmp_path / "r.nc"))
    elif form == "zarr":
        pytest.importorskip("zarr", reason="zarr is not installed")
        tree_of(groups).to_zarr(tmp_path / "r.zarr")
        run = client.store(tmp_path / "r.zarr")
    elif form == "dataset":
        run = client.store(groups["posterior"])
    else:
        run = client.store(tree_of({"posterior": groups["posterior"].transpose("school", "draw", ..., "chain")}))
    assert_stored(run, groups)


def test_inference_data_of_arviz(client: Client) -> None:
    arviz = pytest.importorskip("arviz", reason="arviz is not installed")
    if not arviz.__version__.startswith("0."):
        pytest.skip("this ArviZ has no InferenceData")
    groups = full()
    idata = arviz.InferenceData(**groups, attrs={"site": "here"})
    run = client.store(idata)
    assert_stored(run, groups)
    assert run.chain(0).warmup_length() == WARMUP
    assert run.about().facts["resultAttrs"]["/"] == {"site": "here"}
    again = run.to_inferencedata()
    assert_same(again, idata, run.rid)
    assert again.attrs == {"site": "here", "rid": run.rid}


def test_what_has_no_place_is_named_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    odd = posterior()
    odd["mixed"] = ("chain", "draw"), np.full((CHAINS, DRAWS), None, dtype=object)
    odd["mixed"][0, 0] = {"a": 1}
    odd["wave"] = ("chain", "draw"), drawn() + 1j
    odd["day"] = ("chain", "draw"), np.full((CHAINS, DRAWS), "2026-01-01", dtype="datetime64[D]").astype("M8[ns]")
    odd["total"] = ("draw",), np.arange(DRAWS)
    odd["half"] = ("chain", "draw"), drawn().astype(np.float16)
    odd["long"] = ("chain", "draw"), drawn().astype(np.longdouble)
    odd["note"] = ("chain", "draw"), np.full((CHAINS, DRAWS), None, dtype=object)
    odd["note"][1, 1] = "diverged"
    odd = odd.assign_coords(place=("school", list("abcd")))
    odd.attrs = {"fine": {"a": [1, 2.5, None]}, "bad": float("nan"), "what": object()}
    groups = {
        "posterior": odd,
        "posterior_predictive": dataset(y=drawn()),
        "log_likelihood/inner": dataset(y=drawn()),
        "sample_stats": dataset(DRAWS - 1, lp=drawn(draws=DRAWS - 1)),
        "unconstrained_posterior": dataset(mu=drawn()),
        "constant_data": xarray.Dataset({"huge": ("n", np.zeros(2 << 20)), "small": 1.0}),
    }
    run = client.store(tree_of(groups), rid="store-odd")
    told = [line for line in caplog.messages if "store-odd" in line]
    assert len(told) == 1
    for part in (
        "groups that have no place yet are left out: log_likelihood/inner, posterior_predictive, log_likelihood",
        "left out, since its chains and draws are not those of the posterior: sample_stats",
        "left out, since draws of Python objects have no place: posterior/mixed",
        "left out, since draws of complex128 have no place: posterior/wave",
        "left out, since draws of datetime64[ns] have no place: posterior/day",
        "left out, since it has no dimensions chain and draw: posterior/total",
        "kept as float32: posterior/half",
        "left out, since draws of float128 have no place: posterior/long",
        "left out, since the posterior has a variable of that name: unconstrained_posterior/mu",
        "left out, since data have 8 MiB at most: constant_data/huge",
        "coordinates that label no dimension are left out: posterior/place",
        "attributes that have no place are left out: posterior/bad, posterior/what",
    ):
        assert part in told[0], part
    assert set(run.variables) == {"mu", "theta", "corr", "count", "is_odd", "label", "half", "note"}
    assert run.chain(1).get_draws("note").tolist()[:3] == ["", "diverged", ""]
    assert np.array_equal(run.chain(1).get_draws("half"), np.asarray(odd["half"][1], dtype=np.float32))
    assert list(run.constant_data) == ["small"]
    assert run.about().facts["resultAttrs"]["posterior"] == {"fine": {"a": [1, 2.5, None]}}


@pytest.mark.parametrize(
    ("result", "error", "told"),
    [
        ({"a": 1}, TypeError, "a dict is no result"),
        (xarray.Dataset({"x": (("sample",), [1.0])}), ValueError, "no dimension 'chain'.*its dimensions: sample"),
        (xarray.Dataset({"x": (("draw",), [1.0])}), ValueError, r"expand_dims\(chain=1\)"),
        (xarray.DataTree.from_dict({"prior": dataset(x=drawn())}), ValueError, "no group 'posterior'.*prior"),
        ("/nowhere/r.nc", FileNotFoundError, "nowhere"),
    ],
)
def test_what_is_no_result_is_refused(client: Client, result: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        client.store(result, rid="store-refused")
    with pytest.raises(mcb.NotFoundError):
        client.run("store-refused")


def test_chains_keep_their_numbers(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    numbered = posterior().assign_coords(chain=[5, 2, 9])
    assert client.store(numbered, rid="store-numbers").lengths() == {2: DRAWS, 5: DRAWS, 9: DRAWS}
    assert np.array_equal(client.run("store-numbers").chain(5).get_draws("mu"), numbered["mu"][0])
    named = posterior().assign_coords(chain=["a", "b", "c"])
    assert client.store(named, rid="store-named").lengths() == dict.fromkeys(range(3), DRAWS)
    assert "chains are counted from 0" in caplog.text


def test_draws_that_are_not_counted_from_0(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    later = posterior().assign_coords(draw=np.arange(500, 500 + 5 * DRAWS, 5))
    run = client.store(later)
    assert run.attributes["mcb.draw"] == {"posterior": [500, 5]}
    assert_same(run.to_datatree(), tree_of({"posterior": later}), run.rid)
    assert "tune" not in caplog.text
    part = run.to_datatree(draws=slice(10, 12))["posterior"]
    assert part["draw"].values.tolist() == [550, 555]
    assert "draws are counted" not in caplog.text
    uneven = posterior().assign_coords(draw=np.arange(DRAWS) ** 2)
    assert "mcb.draw" not in client.store(uneven).attributes
    assert "draws are counted from 0" in caplog.text


@pytest.mark.parametrize("name", ["in_warmup", "tune", "warmup"])
def test_stats_that_look_like_a_flag(client: Client, name: str) -> None:
    """They are kept, and say nothing about the warmup of a result that has none."""
    groups = {"posterior": posterior(), "sample_stats": stats()}
    groups["sample_stats"][name] = ("chain", "draw"), np.arange(CHAINS * DRAWS).reshape(CHAINS, DRAWS) < 5
    run = client.store(tree_of(groups))
    assert run.chain(0).warmup_length() == 0
    if name != "in_warmup":
        assert_same(run.to_datatree(), tree_of(groups), run.rid)
        assert np.array_equal(run.chain(0).get_stats(name), groups["sample_stats"][name][0])


def test_groups_and_variables_of_one_part_alone(client: Client) -> None:
    """Nothing is invented where warmup, or the posterior, lacks a group or a variable."""
    groups = full()
    del groups["warmup_sample_stats"], groups["unconstrained_posterior"]
    groups["warmup_posterior"] = groups["warmup_posterior"].drop_vars("mu")
    run = client.store(tree_of(groups), name="one part", progress=False)
    assert_same(run.to_datatree(progress=False), tree_of(groups), run.rid)


def test_only_warmup(client: Client) -> None:
    groups = {"warmup_posterior": posterior(WARMUP)}
    run = client.store(tree_of(groups))
    assert run.lengths() == dict.fromkeys(range(CHAINS), WARMUP)
    assert run.chain(0).warmup_length() == WARMUP
    assert np.array_equal(run.chain(1).get_draws("mu"), groups["warmup_posterior"]["mu"][1])
    assert_same(run.to_datatree(), tree_of(groups), run.rid)


def test_labels_of_several_kinds(client: Client) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    days = pandas.date_range("2026-01-01", periods=4)
    levels = xarray.Coordinates.from_pandas_multiindex(
        pandas.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1), ("b", 2)], names=["letter", "digit"]), "cell"
    )
    found = dataset(
        x=(("chain", "draw", "day"), drawn(4)),
        y=(("chain", "draw", "cell"), drawn(4)),
        z=(("chain", "draw", "wave"), drawn(4)),
    )
    found = found.assign_coords(day=days, wave=[0.5, 1.5, 2.5, 3.5]).assign_coords(levels)
    run = client.store(found)
    assert np.array_equal(run.coords["day"], days.to_numpy())
    assert run.coords["wave"].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert run.coords["cell"].tolist() == ["a, 1", "a, 2", "b, 1", "b, 2"]


def test_large_results_take_little_memory(server: RunningServer, tmp_path: Path) -> None:
    """A file of 40 MB is sent in blocks: the process never holds more than a part of it."""
    pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    values = np.random.default_rng(1).normal(size=(2, 500, 5000))
    held = xarray.Dataset({"x": (("chain", "draw", "n"), values)})
    tree_of({"posterior": held}).to_netcdf(tmp_path / "large.nc")
    script = f"""
import resource
import xarray
from mcbackend_edge import Client, store
store._WAITING = 4 << 20
with Client({server.url!r}, spool=None) as client:
    client.store({str(tmp_path / "small.nc")!r}, rid="store-small")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client.store({str(tmp_path / "large.nc")!r}, rid="store-large")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    tree_of({"posterior": held.isel(draw=slice(0, 50))}).to_netcdf(tmp_path / "small.nc")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) << 10 < 30e6
    with Client(server.url, spool=None) as client:
        stored = client.run("store-large").chain(1).get_draws("x", slice(490, 500))
    assert np.array_equal(stored, values[1, 490:])


def test_the_netcdf_file_of_pymc(client: Client, shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shared_data / "pymc" / "non_centered_eight.nc"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    run = client.store(path, name="eight schools", rid="store-eight")
    with xarray.open_datatree(path) as tree:
        assert_same(run.to_datatree(), tree, "store-eight")
    assert "posterior_predictive, log_likelihood, prior, prior_predictive" in caplog.text
    about = run.about()
    assert about.facts["environment"]["packages"]["pymc"] == "5.20.0"
    assert about.facts["finishedAt"] == "2025-01-19T14:30:19.978660Z"


def emcee_result() -> Any:
    emcee = pytest.importorskip("emcee", reason="emcee is not installed")
    arviz = pytest.importorskip("arviz", reason="arviz is not installed")
    sampler = emcee.EnsembleSampler(8, 2, lambda x: -0.5 * np.sum(x**2))
    sampler.run_mcmc(np.random.default_rng(1).normal(size=(8, 2)), 30, progress=False)
    return arviz.from_emcee(sampler, var_names=["a", "b"])


def numpyro_result() -> Any:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    numpyro = pytest.importorskip("numpyro", reason="numpyro is not installed")
    arviz = pytest.importorskip("arviz", reason="arviz is not installed")
    from numpyro.infer import MCMC, NUTS

    def model(y: Any) -> None:
        mu = numpyro.sample("mu", numpyro.distributions.Normal(0.0, 5.0))
        numpyro.sample("obs", numpyro.distributions.Normal(mu, 1.0), obs=y)

    mcmc = MCMC(NUTS(model), num_warmup=20, num_samples=30, num_chains=2, progress_bar=False)
    mcmc.run(jax.random.PRNGKey(0), np.array([1.0, 2.0], dtype=np.float32))
    return arviz.from_numpyro(mcmc)


@pytest.mark.parametrize("make", [emcee_result, numpyro_result])
def test_results_of_libraries(client: Client, make: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    result = make()
    run = client.store(result)
    assert_same(run.to_datatree(), result, run.rid)
    told = [line for line in caplog.messages if "left out" in line or "warm" in line]
    assert all(line.endswith("groups that have no place yet are left out: log_likelihood.") for line in told)
    assert run.attributes["inference_library"] == make.__name__.partition("_")[0]


def test_attributes_of_results_are_plain_json(client: Client) -> None:
    found = posterior()
    found.attrs = {"when": dt.datetime(2026, 1, 1), "array": np.arange(3), "big": "x" * (300 << 10)}
    facts = client.store(found).about().facts
    assert facts["resultAttrs"]["posterior"] == {"when": "2026-01-01T00:00:00Z", "array": [0, 1, 2]}
    assert json.dumps(facts)
