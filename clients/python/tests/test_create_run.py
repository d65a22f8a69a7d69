"""Runs are created with their name and the rest at once; conflicts tell the difference and the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client

from .gate import Gate, Reply
from .server import RunningServer
from .test_about import earlier_release

SCHEMA: dict[str, Any] = {"variables": {"x": 0.0}}


def test_a_run_is_created_with_its_name(server: RunningServer, client: Client) -> None:
    """It is told at once, before any draw, and what others have set stays."""
    first = {"name": "radon", "tags": ["a", "a", "b"], "notes": "see p. 3", "facts": {"seed": 2**127}}
    run = client.create_run("named", **SCHEMA, **first, attributes={"k": 1})
    about = client.run("named").about()
    assert (about.name, about.tags, about.notes) == ("radon", ("a", "b"), "see p. 3")
    assert about.facts == {"seed": 2**127}
    assert about.attributes == {"k": 1}
    run.set_about(name="better", notes=None)
    again = client.create_run("named", **SCHEMA, **first, attributes={"k": 1})
    assert (again.about().name, again.about().notes) == ("better", "see p. 3")
    chain = again.init_chain(0)
    chain.append({"x": 1.0})
    again.flush(progress=False)
    facts = again.about().facts
    assert set(facts) == {"seed", "startedAt", "environment"}
    assert {"host", "user"} <= set(facts["environment"])


def test_a_name_that_is_too_long_is_refused_at_once(client: Client) -> None:
    with pytest.raises(mcb.InvalidError, match="name"):
        client.create_run("long-name", **SCHEMA, name=201 * "x")
    with pytest.raises(TypeError, match="tags is one text"):
        client.create_run("long-name", **SCHEMA, tags="x")
    with pytest.raises(ValueError, match=r"facts\.x is nan"):
        client.create_run("long-name", **SCHEMA, facts={"x": float("nan")})


def test_names_of_runs_that_begin_offline_come_with_the_draws(
    server: RunningServer, make_client: Callable[..., Client]
) -> None:
    refuses = [True]
    with Gate(server.port, lambda *_: Reply(503, b"") if refuses[0] else None) as gate:
        client = make_client(gate.url, patience=0.0)
        run = client.create_run("offline-name", **SCHEMA, name="n", notes="later", offline=True)
        run.init_chain(0).append({"x": 1.0})
        refuses[0] = False
        run.flush(progress=False)
        about = run.about()
    assert (about.name, about.notes) == ("n", "later")


def test_an_earlier_server_costs_a_warning(
    server: RunningServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    with Gate(server.port, earlier_release(server.port)) as gate:
        client = make_client(gate.url)
        run = client.create_run("earlier-name", **SCHEMA, name="n")
        assert client.free_rid("earlier-name") == "earlier-name"
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
        assert client.free_rid("earlier-name") == "earlier-name.2"
        assert client.free_rid("never-seen") == "never-seen"
    assert [line for line in caplog.messages if "are not stored" in line] == [
        f"name, tags and facts of run earlier-name are not stored: {gate.url} keeps no names, notes and facts of runs"
    ]


def test_conflicts_name_the_difference_and_the_way_out(client: Client) -> None:
    base: dict[str, Any] = {
        "variables": {"theta": np.zeros(2), "mu": 0.0},
        "sample_stats": {"lp": 0.0},
        "coords": {"school": ["A", "B"]},
        "dims": {"theta": ["school"]},
        "data": {"sigma": [1.0, 2.0]},
        "attributes": {"sampler": "x"},
    }
    run = client.create_run("differs", **base)
    assert client.create_run("differs", **base).rid == "differs"
    changes: list[tuple[dict[str, Any], str]] = [
        ({"variables": {"theta": np.zeros(2), "tau": 0.0}}, r"variables: 'mu' only there, 'tau' only here\."),
        ({"variables": {"theta": np.zeros(3), "mu": 0.0}}, "variables: 'theta' differs"),
        ({"variables": {"mu": 0.0, "theta": np.zeros(2)}}, "variables: in another order"),
        ({"coords": {"school": ["A", "C"]}}, "coords: 'school' differs"),
        ({"data": {"sigma": [1.0, 3.0]}}, "data: 'sigma' differs"),
        ({"data": {}, "observed_data": {"sigma": [1.0, 2.0]}}, "data: 'sigma' differs"),
        ({"attributes": {"sampler": "y"}}, "attributes: 'sampler' differs"),
        ({"sample_stats": {f"s{i}": 0.0 for i in range(9)}}, "sample stats: 'lp' only there, .*, 5 more"),
    ]
    for change, told in changes:
        with pytest.raises(mcb.RunConflictError, match=told) as caught:
            client.create_run("differs", **{**base, **change})
        assert caught.value.code == "run_conflict"
        assert "client.delete_run('differs')" in str(caught.value)
    run.init_chain(0).append({"theta": np.zeros(2), "mu": 1.0})
    run.flush(progress=False)
    with pytest.raises(mcb.ChainExistsError, match=r"resume=True.*free_rid\('differs'\)"):
        client.run("differs").init_chain(0)
