"""Runs of which one variable does not fit: the others are read all the same, and one warning names it."""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, DataVariable, Run, Variable

from .test_inference import groups_of, has_arviz_0

xr = pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")


def begin(client: Client, variables: list[Variable], draws: int = 3, **options: Any) -> Run:
    """A run of one chain, in which all elements of draw i are i."""
    run = client.create_run(variables=variables, **options)
    values = {
        var.name: [np.full([0 if n == -1 else n for n in var.shape], i) for i in range(draws)] for var in variables
    }
    run.init_chain(0).extend({var.name: [v.astype(var.dtype) for v in values[var.name]] for var in variables})
    run.flush(progress=False)
    return client.run(run.rid)


def read_both(run: Run, caplog: pytest.LogCaptureFixture) -> tuple[list[dict[str, Any]], str]:
    """The groups of the DataTree, and of the InferenceData where there is one; and the one warning."""
    read = [groups_of(run.to_datatree(progress=False))]
    if has_arviz_0():
        read.append(groups_of(run.to_inferencedata(progress=False)))
    said = [
        r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING and "No 'tune'" not in r.getMessage()
    ]
    assert len(said) == len(read), said
    return read, said[0]


def test_a_variable_whose_shape_varies_is_left_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run(
        variables=[Variable("mu"), Variable("path", "float64", (-1,)), Variable("tree", "str", undefined_ndim=True)],
        sample_stats=[Variable("sizes", "int64", (-1,)), Variable("lp")],
    )
    chain = run.init_chain(0)
    for length in (1, 3, 2):
        values = {"mu": 0.5, "path": np.zeros(length), "tree": "t"}
        chain.append(values, {"sizes": np.zeros(length, dtype=int), "lp": 1.0})
    read, warning = read_both(run, caplog)
    for groups in read:
        assert set(groups["posterior"].data_vars) == {"mu"}
        assert groups["posterior"].mu.values.tolist() == [[0.5, 0.5, 0.5]]
        assert set(groups["sample_stats"].data_vars) == {"lp"}
    assert "'path', 'tree' left out" in warning
    assert "run.get_draws('path')" in warning
    assert "run.get_stats('sizes')" in warning
    caplog.clear()
    run.to_datatree(progress=False, var_names="mu")
    assert "path" not in caplog.text


CASES: dict[str, tuple[list[Variable], dict[str, Any], dict[str, tuple[str, ...]], str]] = {
    "a dimension named twice": (
        [Variable("cov", shape=(2, 2), dims=("school", "school")), Variable("theta", shape=(2,), dims=("school",))],
        {"school": ["a", "b"]},
        {"cov": ("school", "cov_dim_1"), "theta": ("school",)},
        "'cov' got dimensions of its own: dimension 'school' is named twice",
    ),
    "sizes that contradict": (
        [Variable("a", shape=(2,), dims=("d",)), Variable("b", shape=(3,), dims=("d",))],
        {},
        {"a": ("d",), "b": ("b_dim_0",)},
        "'b' got dimensions of its own: dimension 'd' has 2 elements elsewhere, and 3 here",
    ),
    "labels of another length": (
        [Variable("a", shape=(2,), dims=("d",)), Variable("b", shape=(2,), dims=("d",))],
        {"d": [1, 2, 3]},
        {"a": ("d",), "b": ("d",)},
        "dimension 'd' has 3 labels and 2 elements: it is counted from 0",
    ),
    "labels that fit another variable": (
        [Variable("a", shape=(2,), dims=("d",)), Variable("b", shape=(3,), dims=("d",))],
        {"d": [1, 2, 3]},
        {"a": ("a_dim_0",), "b": ("d",)},
        "'a' got dimensions of its own",
    ),
    "the draws' own dimensions": (
        [Variable("a", shape=(2, 4), dims=("chain", "draw"))],
        {"chain": [5, 6]},
        {"a": ("a_dim_0", "a_dim_1")},
        "'chain' is the name of the draws' own dimension",
    ),
    "too many names": (
        [Variable("a", shape=(2,), dims=("d", "e"))],
        {"d": ["x", "y"]},
        {"a": ("a_dim_0",)},
        "it has 2 names of dimensions and 1 dimensions",
    ),
    "a variable with the name of its dimension": (
        [Variable("d", shape=(2,), dims=("d",)), Variable("a", shape=(2,), dims=("d",))],
        {"d": ["x", "y"]},
        {"d": ("d_dim",), "a": ("d_dim",)},
        "dimension 'd' is called 'd_dim'",
    ),
    "variables with the names of default dimensions": (
        [
            Variable("a", shape=(2,)),
            Variable("a_dim_0", shape=(3,)),
            Variable("b", shape=(4,), dims=("c_dim_0",)),
            Variable("c", shape=(5,)),
            Variable("n", shape=(0,), dims=("none",)),
            Variable("m", shape=(1,), dims=("",)),
            Variable("twice", shape=(1, 1), dims=("q", "q")),
        ],
        {},
        {
            "a": ("a_dim_0_",),
            "a_dim_0": ("a_dim_0_dim_0",),
            "b": ("c_dim_0",),
            "c": ("c_dim_0_",),
            "n": ("none",),
            "m": ("m_dim_0",),
            "twice": ("q", "twice_dim_1"),
        },
        "'twice' got dimensions of its own",
    ),
    "names of the draws' dimensions": (
        [Variable("draw"), Variable("a", shape=(2,))],
        {},
        {"draw_": (), "a": ("a_dim_0",)},
        "'draw' is called 'draw_'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_dimensions_that_contradict_each_other(client: Client, caplog: pytest.LogCaptureFixture, case: str) -> None:
    variables, coords, expected, message = CASES[case]
    run = begin(client, variables, coords=coords)
    read, warning = read_both(run, caplog)
    assert message in warning
    for index, groups in enumerate(read):
        posterior = groups["posterior"]
        dims = {name: values.dims[2:] for name, values in posterior.data_vars.items()}
        if not has_arviz_0():
            # ArviZ 1.x counts the dimensions without a name.
            first = {"cov_dim_0": "cov_dim_1", "twice_dim_0": "twice_dim_1"}
            dims = {name: tuple(first.get(dim, dim) for dim in axes) for name, axes in dims.items()}
        assert dims == expected, index
        for values in posterior.data_vars.values():
            assert values.shape[:2] == (1, 3)
            assert all((values.values[0, draw] == draw).all() for draw in range(3))


def test_labels_stay_with_a_dimension_that_is_renamed(client: Client) -> None:
    run = begin(client, CASES["a variable with the name of its dimension"][0], coords={"d": ["x", "y"]})
    assert run.to_datatree(progress=False)["posterior"]["d_dim"].values.tolist() == ["x", "y"]


def test_names_with_slashes_have_no_place_in_a_tree(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """NumPyro's scopes give such names. InferenceData keeps them."""
    variables = [Variable("block/x", shape=(2,), dims=("a/b",)), Variable("block_x"), Variable("c/d", shape=(1,))]
    run = begin(client, variables, coords={"a/b": ["p", "q"]})
    posterior = run.to_datatree(progress=False)["posterior"]
    assert posterior["block_x_"].dims[2:] == ("a_b",)
    assert posterior["a_b"].values.tolist() == ["p", "q"]
    assert posterior["c_d"].dims[2:] == ("c_d_dim_0",)
    assert "'block/x' is called 'block_x_', 'c/d' is called 'c_d'" in caplog.text
    if has_arviz_0():
        assert run.to_inferencedata(progress=False).posterior["block/x"].dims[2:] == ("a/b",)


def test_data_that_contradict_each_other(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = begin(
        client,
        [Variable("mu")],
        coords={"obs": ["a", "b", "c"]},
        data=[
            DataVariable("y", np.zeros(3), ("obs",), True),
            DataVariable("z", np.zeros(4), ("obs",), True),
            DataVariable("x", np.ones((2, 2)), ("k", "k")),
            DataVariable("chain", np.arange(2), ("chain",)),
            DataVariable("one", np.array(1.5)),
        ],
    )
    read, warning = read_both(run, caplog)
    assert "'z' got dimensions of its own" in warning
    assert "'x' got dimensions of its own" in warning
    for groups in read:
        assert groups["observed_data"].y.dims == ("obs",)
        assert groups["observed_data"].z.dims == ("z_dim_0",)
        assert groups["constant_data"].x.shape == (2, 2)
        assert groups["constant_data"].chain.values.tolist() == [0, 1]
        assert groups["constant_data"].one.shape == ()


def test_text_and_empty_shapes_are_variables_like_others(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    variables = [
        Variable("s", "str", (2,)),
        Variable("e", "float32", (0,)),
        Variable("f", "str", (3, 0)),
        Variable("b", "bool"),
    ]
    run = client.create_run(variables=variables)
    for number, length in enumerate((3, 2)):
        run.init_chain(number).extend(
            {
                "s": [["a" * (1 + 5 * number), "ü"]] * length,
                "e": np.zeros((length, 0), dtype=np.float32),
                "f": np.zeros((length, 3, 0), dtype=str),
                "b": np.ones(length, dtype=bool),
            }
        )
    run.flush(progress=False)
    posterior = client.run(run.rid).to_datatree(progress=False)["posterior"]
    assert posterior["s"].values.tolist() == [[["a", "ü"]] * 2, [["aaaaaa", "ü"]] * 2]
    assert posterior["e"].shape == (2, 2, 0)
    assert posterior["e"].dtype == np.float32
    assert posterior["f"].shape == (2, 2, 3, 0)
    assert posterior["b"].dtype == bool
    filled = client.run(run.rid).to_datatree(progress=False, equalize_chain_lengths=False)["posterior"]
    assert filled["s"].values[1].tolist() == [["aaaaaa", "ü"]] * 2 + [["", ""]]
    assert np.isnan(filled["b"].values[1, 2])


def test_thousands_of_variables(client: Client) -> None:
    """The work grows as their number does, and not as its square. An address has no place for all of their names."""
    names = [f"pair[{i},{j}].μ" for i in range(2000) for j in range(4)]
    block = np.arange(len(names) * 2.0).reshape(len(names), 2)

    def read(count: int) -> tuple[Any, int]:
        """The tree, and the number of calls that it takes, which no load of the machine changes."""
        run = client.create_run(variables=[Variable(name) for name in names[:count]])
        for number in range(2):
            run.init_chain(number).extend(dict(zip(names[:count], block + number)))
        run.flush(progress=False)
        reader = client.run(run.rid)
        calls = 0

        def note(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            tree = reader.to_datatree(progress=False)
        finally:
            sys.setprofile(before)
        return tree, calls

    read(10)  # Imports are no part of it.
    _, few = read(1000)
    tree, many = read(len(names))
    assert few < many < 12 * few
    assert len(tree["posterior"].data_vars) == len(names)
    for index in (0, 1234, 7999):
        assert tree["posterior"][names[index]].values.tolist() == [
            (block[index] + number).tolist() for number in range(2)
        ]


def test_a_stat_that_no_array_has_room_for_is_left_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run(
        variables={"x": 0.0}, sample_stats=[Variable("lp"), Variable("huge", "float64", (2**16, 2**15))]
    )
    run.init_chain(0).extend({"x": np.arange(5.0)}, {"lp": np.arange(5.0)})
    run.flush(progress=False)
    for read in (run.to_datatree(progress=False), run.to_inferencedata(progress=False)):
        assert list(read["sample_stats"].data_vars) == ["lp"]
    told = [line for line in caplog.messages if "huge" in line]
    assert len(told) == 2
    assert (
        "'huge' left out, since it has 2^31 elements or more: run.chain(0).get_stats('huge', elements=[0])" in told[0]
    )
    assert np.isnan(run.chain(0).get_stats("huge", elements=[0])).all()


def test_a_warning_is_short_however_much_does_not_fit(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    run = begin(client, [Variable(f"v{i}", shape=(-1,)) for i in range(500)], draws=1)
    run.to_datatree(progress=False)
    warning = next(record.getMessage() for record in caplog.records if "left out" in record.getMessage())
    assert "and 492 more" in warning
    assert len(warning) < 1000
