"""The warmup rule: which stat is the flag, and where warmup ends; flags that come back are not followed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbackend_edge import Client, Run, Variable
from mcbackend_edge.warmup import FLAG_NAMES, is_warmup_flag, warmup_flag, warmup_length

ENDINGS = ("__in_warmup", "__tune", "__warmup", "__is_warmup")


def bools(*names: str) -> list[Variable]:
    return [Variable(name, "bool") for name in names]


def test_the_first_of_the_names_is_the_flag_wherever_it_was_registered() -> None:
    for names in itertools.permutations(("in_warmup", "tune", "warmup", "is_warmup")):
        assert warmup_flag(bools("a__tune", *names)) == "in_warmup"
    assert warmup_flag(bools("is_warmup", "warmup", "tune")) == "tune"
    assert warmup_flag(bools("is_warmup", "sampler_0__in_warmup", "warmup")) == "warmup"


def test_else_it_is_the_first_registered_stat_with_such_an_ending() -> None:
    assert warmup_flag(bools("lp", "b__is_warmup", "a__in_warmup")) == "b__is_warmup"
    assert warmup_flag(bools("sampler_1__tune", "sampler_0__tune")) == "sampler_1__tune"
    assert warmup_flag(bools("__tune")) == "__tune"
    assert warmup_flag(bools("tuned", "_tune", "Tune", "tune__", "sampler_0_tune")) is None
    assert warmup_flag([]) is None


@pytest.mark.parametrize(
    "other",
    [
        Variable("tune", "int8"),
        Variable("tune", "str"),
        Variable("tune", "bool", (1,)),
        Variable("tune", "bool", (-1,)),
        Variable("tune", "bool", undefined_ndim=True),
    ],
)
def test_only_a_single_bool_is_a_flag(other: Variable) -> None:
    assert not is_warmup_flag(other)
    assert warmup_flag([other]) is None
    assert warmup_flag([other, *bools("x__tune", "is_warmup")]) == "is_warmup"


STATS = st.lists(
    st.builds(
        Variable,
        st.one_of(
            st.sampled_from([*FLAG_NAMES, *(f"sampler_{i}{ending}" for i in range(2) for ending in ENDINGS)]),
            st.text(st.sampled_from("_tune"), min_size=1, max_size=8),
        ),
        st.sampled_from(["bool", "bool", "int8"]),
        st.sampled_from([(), (), (2,)]),
    ),
    max_size=8,
    unique_by=lambda stat: stat.name,
)


@given(STATS)
def test_the_flag_is_that_of_the_rule_read_word_by_word(stats: list[Variable]) -> None:
    flag = None
    for name in ("in_warmup", "tune", "warmup", "is_warmup"):
        for stat in stats:
            if flag is None and stat.dtype == "bool" and stat.shape == () and stat.name == name:
                flag = stat.name
    for stat in stats:
        if flag is None and stat.dtype == "bool" and stat.shape == () and any(map(stat.name.endswith, ENDINGS)):
            flag = stat.name
    assert warmup_flag(stats) == flag


@given(st.lists(st.booleans(), max_size=40))
def test_warmup_is_the_longest_prefix(flags: list[bool]) -> None:
    length = warmup_length(np.array(flags, dtype=bool))
    assert length == len(list(itertools.takewhile(bool, flags)))
    assert all(flags[:length])
    assert length == len(flags) or not flags[length]


def write(client: Client, marks: list[list[bool]], name: str = "tune") -> Run:
    """A run whose draws are their own index."""
    run = client.create_run(variables={"x": 0.0}, sample_stats=[Variable("i", "int64"), Variable(name, "bool")])
    for number, flags in enumerate(marks):
        indices = np.arange(len(flags))
        run.init_chain(number).extend({"x": indices.astype(float)}, {"i": indices, name: np.array(flags, dtype=bool)})
    run.flush(progress=False)
    return client.run(run.rid)


T, F = True, False


def test_flips_that_are_stored_are_read_as_a_prefix(client: Client) -> None:
    pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")
    run = write(client, [[T, T, F, T, F, F], [T, T, F, F, T, T]])
    assert [chain.warmup_length() for chain in run.get_chains()] == [2, 2]
    tree = run.to_datatree(progress=False)
    assert tree["warmup_posterior/x"].values.tolist() == [[0.0, 1.0]] * 2
    assert tree["posterior/x"].values.tolist() == [[2.0, 3.0, 4.0, 5.0]] * 2
    assert tree["warmup_sample_stats/i"].values.tolist() == [[0, 1]] * 2
    assert tree["sample_stats/i"].values.tolist() == [[2, 3, 4, 5]] * 2


def test_a_chain_that_begins_without_the_flag_has_no_warmup(client: Client) -> None:
    pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")
    run = write(client, [[F, T, T, T]], "is_warmup")
    assert run.chain(0).warmup_length() == 0
    tree = run.to_datatree(progress=False)
    assert tree["posterior/x"].values.tolist() == [[0.0, 1.0, 2.0, 3.0]]
    assert "warmup_posterior" not in tree.children


def test_stats_that_only_look_like_flags_are_kept(client: Client) -> None:
    """A number called ``tune`` splits nothing, and is a stat as any other."""
    pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")
    run = client.create_run(variables={"x": 0.0}, sample_stats=[Variable("tune"), Variable("sampler_0__tune", "bool")])
    run.init_chain(0).extend({"x": np.arange(4.0)}, {"tune": np.ones(4), "sampler_0__tune": np.arange(4) < 1})
    tree = run.to_datatree(progress=False)
    assert set(tree["sample_stats"].data_vars) == {"tune"}
    assert tree["posterior/x"].values.tolist() == [[1.0, 2.0, 3.0]]


def test_the_length_of_warmup_is_known_from_memory_and_from_the_server(client: Client) -> None:
    run = client.create_run(variables={"x": np.zeros(3)}, sample_stats={"in_warmup": False})
    mirrored, plain = run.init_chain(0, mirror=True), run.init_chain(1)
    for chain in (mirrored, plain):
        for index in range(7):
            chain.append({"x": np.zeros(3)}, {"in_warmup": index < 5})
        assert chain.warmup_length() == 5
    assert client.run(run.rid).chain(0).warmup_length() == 5
    without = client.create_run(variables={"x": 0.0})
    assert without.init_chain(0).warmup_length() == 0
