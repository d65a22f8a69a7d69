"""The part of a run that is read: variables, chains, draws, warmup; and single draws by their index."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbackend_edge import Client, Run, UnknownVariableError, Variable
from mcbackend_edge.inference.extents import Extent, _best
from mcbackend_edge.inference.notes import Notes
from mcbackend_edge.inference.selection import select

xr = pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")


def write(client: Client, lengths: list[int], warmup: int, names: tuple[str, ...] = ("x",)) -> Run:
    """Draw i of chain c is 1000 c + i."""
    run = client.create_run(variables=dict.fromkeys(names, 0.0), sample_stats={"tune": False, "depth": 0})
    for number, length in enumerate(lengths):
        values = 1000.0 * number + np.arange(length)
        run.init_chain(number).extend(
            dict.fromkeys(names, values),
            {"tune": np.arange(length) < warmup, "depth": np.arange(length)},
        )
    run.flush(progress=False)
    return client.run(run.rid)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_interrupted_chain_is_left_out_with_one_warning(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = write(client, [2500, 25, 2500], 500)
    for read in (run.to_datatree, run.to_inferencedata):
        if read == run.to_inferencedata:
            pytest.importorskip("arviz", reason="ArviZ is not installed: pip install mcbackend-edge[arviz]")
        caplog.clear()
        posterior = read(progress=False)["posterior"]
        assert dict(posterior.sizes) == {"chain": 2, "draw": 2000}
        # The numbers of the chains tell which of them are there.
        assert posterior["chain"].values.tolist() == [0, 2]
        assert posterior["x"].values[:, 0].tolist() == [500.0, 2500.0]
        [warning] = warnings_in(caplog)
        assert "chain 1 (25 draws, all of them warmup) left out" in warning
    one = run.to_datatree(progress=False, chains=[1])
    assert one["warmup_posterior"].sizes["draw"] == 25
    assert "posterior" not in one.children


def test_chains_that_are_asked_for_come_in_that_order(client: Client) -> None:
    run = write(client, [30, 20, 30], 10)
    tree = run.to_datatree(progress=False, chains=[2, 0, 2])
    assert tree["posterior"].chain.values.tolist() == [2, 0]
    assert tree["posterior/x"].values[:, 0].tolist() == [2010.0, 10.0]
    assert run.to_datatree(progress=False, chains=(np.int64(1),))["posterior"].sizes["draw"] == 10
    assert run.to_datatree(progress=False, chains="all")["posterior"].sizes == {"chain": 3, "draw": 10}
    with pytest.raises(ValueError, match=r"has no chain 7; it has 0, 1, 2"):
        run.to_datatree(chains=[0, 7])
    with pytest.raises(ValueError, match="'auto', 'all' or a list"):
        run.to_datatree(chains="some")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"such as \[0, 2\]"):
        run.to_datatree(chains=1)  # type: ignore[arg-type]


def test_chains_of_different_lengths_are_filled_up(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = write(client, [30, 20, 10, 4], 10)
    tree = run.to_datatree(progress=False, equalize_chain_lengths=False)
    assert tree["posterior"].sizes == {"chain": 2, "draw": 20}
    assert np.isnan(tree["posterior/x"].values).sum(axis=1).tolist() == [0, 10]
    assert tree["sample_stats/tree_depth"].dtype == float
    assert "chain 2 (10 draws, all of them warmup), chain 3 (4 draws, all of them warmup) left out" in caplog.text
    everything = run.to_datatree(progress=False, equalize_chain_lengths=False, chains="all")
    assert everything["posterior"].sizes == {"chain": 4, "draw": 20}
    assert everything["warmup_posterior"].sizes == {"chain": 4, "draw": 10}
    assert np.isnan(everything["warmup_posterior/x"].values).sum(axis=1).tolist() == [0, 0, 0, 6]
    caplog.clear()
    cut = run.to_datatree(progress=False, chains="all")
    assert "posterior" not in cut.children
    assert "chain 2, 3 has no draws behind warmup" in caplog.text


def test_a_run_that_has_only_just_begun_says_so(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = write(client, [8, 5], 10)
    tree = run.to_datatree(progress=False)
    assert set(tree.children) == {"warmup_posterior", "warmup_sample_stats"}
    assert tree["warmup_posterior"].sizes == {"chain": 2, "draw": 5}
    assert "all 13 draws so far are warmup: they are in the groups of warmup" in caplog.text
    caplog.clear()
    assert not run.to_datatree(progress=False, warmup=False).children
    assert "warmup=True reads them" in caplog.text
    caplog.clear()
    empty = client.create_run(variables={"x": np.zeros(2)}, sample_stats={"tune": False})
    assert not empty.to_datatree(progress=False).children
    assert "there are no chains yet" in caplog.text
    empty.init_chain(0)
    assert not client.run(empty.rid).to_datatree(progress=False).children
    assert "there are no draws yet" in caplog.text
    assert client.run(empty.rid).get_draws("x", progress=False).shape == (1, 0, 2)


@pytest.mark.parametrize(
    "part", [slice(5), slice(-3, None), slice(4, 16, 5), slice(None, None, -1), slice(0, 0), slice(100, 200)]
)
def test_draws_are_a_slice_behind_warmup(client: Client, part: slice) -> None:
    run = write(client, [30, 30], 10)
    expected = np.stack([np.arange(10.0, 30.0), np.arange(1010.0, 1030.0)])[:, part]
    tree = run.to_datatree(progress=False, draws=part)
    assert np.array_equal(run.get_draws("x", draws=part, progress=False), expected)
    assert ("posterior" in tree.children) == (expected.shape[1] > 0)
    if expected.shape[1]:
        assert np.array_equal(tree["posterior/x"].values, expected)
        assert tree["posterior"].draw.values.tolist() == list(range(20))[part]
        assert np.array_equal(tree["sample_stats/tree_depth"].values[0], expected[0].astype(int))
    assert tree["warmup_posterior"].sizes["draw"] == 10
    with pytest.raises(TypeError, match=r"such as slice\(100\)"):
        run.to_datatree(draws=100)  # type: ignore[arg-type]


def test_one_variable_of_all_chains(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = write(client, [30, 30, 12], 10)
    assert run.get_draws("x", progress=False).tolist() == [list(range(10, 30)), list(range(1010, 1030))]
    assert "chain 2 (2 draws behind warmup) left out" in caplog.text
    assert run.get_draws("x", warmup=True, chains=[0, 1], progress=False)[1].tolist() == list(range(1000, 1030))
    assert run.get_draws("x", chains=[2, 0], progress=False).tolist() == [[2010, 2011], [10, 11]]
    assert run.get_stats("depth", chains=[0], progress=False).tolist() == [list(range(10, 30))]
    with pytest.raises(UnknownVariableError, match="no variable 'y'"):
        run.get_draws("y")


def test_values_without_a_fixed_shape_and_texts_of_all_chains(client: Client) -> None:
    run = client.create_run(variables=[Variable("path", "float64", (-1,)), Variable("s", "str", (2,))])
    for number in range(2):
        chain = run.init_chain(number)
        for length in range(3):
            chain.append({"path": np.full(length, number), "s": ["a" * (1 + length), "b" * (1 + 9 * number)]})
    run.flush(progress=False)
    reader = client.run(run.rid)
    paths = reader.get_draws("path", progress=False)
    assert paths.shape == (2, 3)
    assert [[value.tolist() for value in chain] for chain in paths] == [[[], [0], [0, 0]], [[], [1], [1, 1]]]
    texts = reader.get_draws("s", progress=False)
    assert texts.shape == (2, 3, 2)
    assert texts.dtype == np.dtype("<U10")
    assert texts[1, 2].tolist() == ["aaa", "b" * 10]


@pytest.mark.parametrize(
    ("var_names", "filter_vars", "expected"),
    [
        (None, None, ["mu", "mu_log", "tau", "~odd"]),
        ("mu", None, ["mu"]),
        (["tau", "mu"], None, ["mu", "tau"]),
        ("mu", "like", ["mu", "mu_log"]),
        (["^t", "g$"], "regex", ["mu_log", "tau"]),
        ("~mu", None, ["mu_log", "tau", "~odd"]),
        ("~mu", "like", ["tau", "~odd"]),
        (["~^mu", "tau"], "regex", ["tau", "~odd"]),
        ("~odd", None, ["~odd"]),
        ([], None, []),
    ],
)
def test_variables_are_picked_as_arviz_picks_them(var_names: Any, filter_vars: Any, expected: list[str]) -> None:
    names = ["mu", "mu_log", "tau", "~odd"]
    assert sorted(select(names, var_names, filter_vars, Notes())) == sorted(expected)
    if var_names and len(expected) and var_names != []:
        utils = pytest.importorskip("arviz.utils", reason="ArviZ 0.x is not installed")
        theirs = utils._var_names(var_names, xr.Dataset(dict.fromkeys(names, 0)), filter_vars)
        assert sorted(set([theirs] if isinstance(theirs, str) else theirs)) == sorted(expected)


def test_only_wanted_variables_are_downloaded(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = write(client, [20, 20], 5, ("mu", "tau", "theta"))
    asked: list[str] = []
    transport = run.chain(0)._reader._transport
    request = transport.request

    def noted(method: str, path: str, **options: Any) -> Any:
        asked.append(path)
        return request(method, path, **options)

    transport.request = noted  # type: ignore[method-assign]
    tree = run.to_datatree(progress=False, var_names=["~t"], filter_vars="like", warmup=False)
    transport.request = request  # type: ignore[method-assign]
    assert set(tree["posterior"].data_vars) == {"mu"}
    assert set(tree["sample_stats"].data_vars) == {"tree_depth"}
    assert any("var=mu" in path for path in asked)
    assert not any("tau" in path or "theta" in path for path in asked)
    # Nor are draws of warmup, beyond the flag that tells them.
    assert all("start=5&stop=20" in path for path in asked if "var=mu" in path)
    with pytest.raises(UnknownVariableError, match="no variable 'nu', 'xi'; there are 'mu', 'tau', 'theta'"):
        run.to_datatree(var_names=["nu", "mu", "xi"])
    with pytest.raises(ValueError, match="'like' or 'regex'"):
        run.to_datatree(var_names=["mu"], filter_vars="glob")  # type: ignore[arg-type]
    caplog.clear()
    run.to_datatree(var_names=["~nu"], progress=False)
    assert "no variable 'nu' that could be left out" in caplog.text


@given(st.lists(st.integers(0, 30), max_size=8))
def test_auto_gives_the_most_draws(lengths: list[int]) -> None:
    class Chain:
        is_own = False

        def __init__(self, number: int) -> None:
            self.number = number

    extents = [Extent(Chain(number), 0, length) for number, length in enumerate(lengths)]  # type: ignore[arg-type]
    kept = [extent.posterior for extent in _best(extents, equalize=True)]
    most = max((sum(other >= length for other in lengths) * length for length in lengths), default=0)
    assert len(kept) * min(kept, default=0) == most
    if sum(lengths):
        pymc = pytest.importorskip(
            "pymc.backends.base", reason="PyMC is not installed: pip install mcbackend-edge[pymc]"
        )
        traces, length = pymc._choose_chains([range(length) for length in lengths], 0)
        assert len(traces) * length == most


def test_a_single_draw_by_its_index(client: Client) -> None:
    run = client.create_run(
        variables=[Variable("x"), Variable("v", "int64", (2, 2)), Variable("path", "float64", (-1,))],
        sample_stats={"lp": 0.0},
    )
    own, mirrored = run.init_chain(0), run.init_chain(1, mirror=True)
    for chain in (own, mirrored):
        for index in range(4):
            values = {"x": float(index), "v": np.full((2, 2), index), "path": np.zeros(index)}
            chain.append(values, {"lp": -float(index)})
    run.flush(progress=False)
    for chain in (own, mirrored, client.run(run.rid).chain(0)):
        for index in (-1, np.int64(3), np.array(3)):
            assert chain.get_draws("x", index).shape == ()
            assert chain.get_draws("x", index) == 3.0
            assert chain.get_draws("v", index).tolist() == [[3, 3], [3, 3]]
            assert chain.get_draws("path", index).shape == (3,)
            assert chain.get_stats("lp", index) == -3.0
        assert chain.get_draws("v", -4, elements=[0, 3]).tolist() == [0, 0]
        for outside in (4, -5):
            with pytest.raises(IndexError, match=f"no iteration {outside}"):
                chain.get_draws("x", outside)
        for wrong in ([1, 2], "1", None, 1.0, True, slice(1.5), np.arange(2)):
            with pytest.raises(TypeError, match=r"slice\(-100, None\)"):
                chain.get_draws("x", wrong)  # type: ignore[arg-type]
