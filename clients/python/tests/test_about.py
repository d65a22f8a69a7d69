"""Names, notes and facts of runs, and finding them, against the real server and one of an earlier release."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.facts import is_same, merge

from .gate import Gate, Reply, pass_on
from .server import RunningServer
from .test_facts import OBJECTS

SEED = 0xF0E1D2C3B4A5968778695A4B3C2D1E0F
HOSTILE = {
    "html": "<script>alert('x')</script><img src=x onerror=alert(1)>&lt;",
    "NUL": "a\0b\x01\x7f\x1b[31m\r\n",
    "right to left": "\u202eevil\u202c \u2066مرحبا\u2069 שלום",
    "quotes": "\"'\\`${x}%00\u2028\u2029\ufeff",
    "characters beyond": "𝔘🧪e\u0301é\uffff",
}


@pytest.fixture
def run(client: Client) -> mcb.Run:
    return client.create_run(variables={"x": 0.0}, attributes={"sampler": "mine", "n": 3, "list": [1, "a"]})


def test_a_run_has_none_at_first(run: mcb.Run) -> None:
    about = run.about()
    assert (about.rid, about.variables, about.sample_stats, about.chains, about.draws) == (run.rid, 1, 0, 0, 0)
    assert (about.name, about.tags, about.notes, about.archived, about.facts) == (None, (), None, False, {})
    assert about.attributes == {"sampler": "mine", "n": 3, "list": [1, "a"]}
    assert (about.state, about.diagnostics) == ("live", None)
    assert about.created_at.tzinfo is not None
    assert about.etag.startswith('"')
    with pytest.raises(dataclasses.FrozenInstanceError):
        about.name = "x"  # type: ignore[misc]
    assert isinstance(about, mcb.RunSummary)
    assert len({about, about}) == 1


def test_what_is_given_changes_and_the_rest_stays(run: mcb.Run) -> None:
    facts = {"expected": {"draws": 10, "warmup": 5}, "chains": {0: {"seed": SEED}}, "loss": np.array([0.5, 1.5])}
    first = run.set_about(name="Eight schools", tags=["paper", "b", "paper"], notes="long", facts=facts)
    assert first.tags == ("paper", "b")
    assert first.facts["chains"]["0"]["seed"] == SEED
    assert first.facts["loss"] == [0.5, 1.5]
    second = run.set_about(facts={"expected": {"warmup": None}, "chains": {"1": {"seed": -SEED}}}, archived=True)
    assert second.facts == {
        "expected": {"draws": 10},
        "chains": {"0": {"seed": SEED}, "1": {"seed": -SEED}},
        "loss": [0.5, 1.5],
    }
    assert (second.name, second.tags, second.notes, second.archived) == ("Eight schools", ("paper", "b"), "long", True)
    assert run.about() == second
    third = run.set_about(name=None, tags=None, notes=None, archived=None, facts=None)
    assert (third.name, third.tags, third.notes, third.archived, third.facts) == (None, (), None, False, {})
    assert len({first.etag, second.etag, third.etag}) == 3


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_come_back_unchanged(client: Client, run: mcb.Run, kind: str) -> None:
    text = HOSTILE[kind]
    about = run.set_about(name=text, tags=[text], notes=text * 100, facts={text: {text: [text]}, "__proto__": text})
    assert (about.name, about.tags, about.notes) == (text, (text,), text * 100)
    assert about.facts == {text: {text: [text]}, "__proto__": text}
    assert run.about() == about
    [line] = client.runs(q=run.rid, tag=text)
    assert (line.rid, line.name, line.tags) == (run.rid, text, (text,))


def test_the_longest_texts(run: mcb.Run) -> None:
    notes = "é" * 32768
    about = run.set_about(name="𝔘" * 200, notes=notes, tags=[f"{i:064}" for i in range(50)], facts={"a": "x" * 10**6})
    assert about.notes == notes
    for patch in ({"notes": notes + "x"}, {"name": "x" * 201}, {"tags": ["x" * 65]}, {"facts": {"b": "x" * 10**5}}):
        with pytest.raises(mcb.InvalidError) as refused:
            run.set_about(**patch)  # type: ignore[arg-type]
        assert (refused.value.status, refused.value.code) == (422, "invalid_about")
    assert run.about() == about


@given(OBJECTS)
def test_facts_come_back(client: Client, facts: dict[str, Any]) -> None:
    run = client.create_run(variables={"x": 0.0})
    kept = merge({}, facts)
    assert is_same(run.set_about(facts=facts).facts, kept)
    assert is_same(run.about().facts, kept)


@pytest.mark.parametrize(
    ("patch", "kind", "message"),
    [
        ({"facts": {"a": [np.nan]}}, ValueError, r"^facts\.a\[0\] is nan"),
        ({"tags": "paper"}, TypeError, "^tags is one text, not a list"),
        ({"tags": ["a", 1j]}, TypeError, r"^tags\[1\] is a complex"),
        ({"name": 5}, TypeError, "^name is a int, not a text"),
        ({"name": "\ud800"}, ValueError, "^name is no Unicode"),
        ({"archived": "yes"}, TypeError, "^archived is a str"),
        ({"facts": [1]}, TypeError, "^facts is a list, not a dict"),
        ({"if_match": "a\r\nX: y", "name": "x"}, ValueError, "header"),
    ],
)
def test_what_no_server_takes_is_not_sent(run: mcb.Run, patch: Any, kind: type[Exception], message: str) -> None:
    before = run.about().etag
    with pytest.raises(kind, match=message):
        run.set_about(**patch)
    assert run.about().etag == before


def test_of_two_that_race_one_wins(client: Client, run: mcb.Run) -> None:
    etag = run.about().etag
    outcomes: list[str] = []

    def change(name: str) -> None:
        try:
            outcomes.append(client.run(run.rid).set_about(name=name, if_match=etag).name or "")
        except mcb.AboutChangedError as error:
            outcomes.append(f"{error.status} {error.code}")

    threads = [threading.Thread(target=change, args=(f"n{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [outcome for outcome in outcomes if outcome != "412 about_changed"]
    assert len(outcomes) == 8
    assert run.about().name == winner
    assert run.set_about(name="last", if_match="*").name == "last"


def lost_answer(then: Callable[[], object] = lambda: None) -> Callable[[str, str], Reply | None]:
    """The first change is made, and its answer lost; `then` follows it before the second attempt."""
    patches = [0]

    def choose(method: str, _: str) -> Reply | None:
        if method != "PATCH":
            return None
        patches[0] += 1
        if patches[0] == 2:
            then()
        return Reply(502, is_applied=True) if patches[0] == 1 else None

    return choose


def test_a_change_whose_answer_was_lost_counts_as_made(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run
) -> None:
    with Gate(server.port, lost_answer()) as gate:
        etag = run.about().etag
        facts = {"a": {"b": None, "c": SEED}, "t": dt.datetime(2026, 1, 1)}
        told = make_client(gate.url).run(run.rid).set_about(name="x", tags=["a", "a"], facts=facts, if_match=etag)
        assert told.name == "x"
        assert told.facts == {"a": {"c": SEED}, "t": "2026-01-01T00:00:00Z"}
        assert told == run.about()
        assert told.etag != etag
        assert gate.replies == 1


def test_a_lost_change_that_another_one_has_overwritten_is_told(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run
) -> None:
    with Gate(server.port, lost_answer(lambda: run.set_about(name="other"))) as gate:
        with pytest.raises(mcb.AboutChangedError) as refused:
            make_client(gate.url).run(run.rid).set_about(name="x", if_match=run.about().etag)
        assert refused.value.attempt == 2
    assert run.about().name == "other"


def test_a_run_that_is_gone_or_replaced(client: Client, run: mcb.Run) -> None:
    client.delete_run(run.rid)
    with pytest.raises(mcb.NotFoundError, match="run_not_found"):
        run.about()
    client.create_run(run.rid, variables={"y": 0.0})
    with pytest.raises(mcb.RunReplacedError):
        run.set_about(name="x")


def test_runs_are_found(client: Client) -> None:
    mark = mcb.new_rid()
    values: dict[str, Any] = {"text": "5", "number": 5, "large": 2**53, "half": 0.5, "flag": True, "none": None}
    found = client.create_run(f"{mark}-a", variables={"x": 0.0}, attributes={"mark": mark, "a.b": "ü &=", **values})
    client.create_run(f"{mark}-b", variables={"x": 0.0}, attributes={"mark": mark}).set_about(
        name="ΟΔΟΣ Straße", tags=["t", "&=+"], archived=True
    )

    def rids(**conditions: Any) -> list[str]:
        return [line.rid[len(mark) + 1 :] for line in client.runs(attr={"mark": mark}, **conditions)]

    assert rids() == ["a"]
    assert rids(archived=True) == ["b"]
    assert rids(archived="any") == ["b", "a"]
    assert rids(archived="any", q="οδος STRA") == ["b"]
    assert rids(archived="any", tag=["t", "&=+"]) == ["b"]
    assert rids(archived="any", tag=["t", "none"]) == []
    for name, value in {**values, "a.b": "ü &="}.items():
        assert [line.rid for line in client.runs(attr={"mark": mark, name: value})] == [found.rid], name
    for name, value in {"number": 5.0, "half": np.float32(0.5), "flag": np.bool_(True), "large": 2.0**53}.items():
        assert [line.rid for line in client.runs(attr={"mark": mark, name: value})] == [found.rid], name
    assert list(client.runs(attr={"mark": mark, "flag": False})) == []
    made = found.about().created_at
    second = dt.timedelta(seconds=1)
    assert rids(since=made) == ["a"]
    assert rids(until=made) == []
    assert rids(since=made - second, until=made + second) == ["a"]
    # Without a zone it is UTC, and with another zone the same moment.
    assert rids(since=made.replace(tzinfo=None), until=(made + second).replace(tzinfo=None)) == ["a"]
    eastern = dt.timezone(dt.timedelta(hours=-5))
    assert rids(since=made.astimezone(eastern), updated_since=made.astimezone(eastern)) == ["a"]
    assert rids(since=made.date(), until=made.date() + dt.timedelta(days=1)) == ["a"]
    assert rids(until=made.date()) == []
    assert rids(since="2000-01-01", updated_since=made + dt.timedelta(days=1)) == []


def test_pages_of_what_is_found(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = mcb.new_rid()
    for index in range(5):
        client.create_run(f"{mark}-{index}", variables={"x": 0.0})
    seen: list[str] = []
    ask = client._transport.request

    def paged(method: str, path: str, **options: Any) -> Any:
        seen.append(path)
        return ask(method, path.replace("limit=1000", "limit=2"), **options)

    monkeypatch.setattr(client._transport, "request", paged)
    assert [line.rid[-1] for line in client.runs(q=mark)] == list("43210")
    assert len(seen) == 3
    assert all(mark in path for path in seen)
    assert [line.rid[-1] for line in client.runs(3, q=mark)] == list("432")


@pytest.mark.parametrize(
    ("conditions", "kind"),
    [
        ({"archived": "yes"}, ValueError),
        ({"archived": None}, ValueError),
        ({"since": 5}, TypeError),
        ({"attr": {"a": [1]}}, TypeError),
        ({"since": "tomorrow"}, mcb.InvalidError),
    ],
)
def test_conditions_without_sense(client: Client, conditions: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        list(client.runs(**conditions))


NEW_MEMBERS = ("name", "tags", "archived", "state", "diagnostics")


def earlier_release(port: int) -> Callable[[str, str], Reply | None]:
    """A server that has no `about`, ignores what it does not know in a list, and tells less in its lines."""

    def choose(method: str, path: str) -> Reply | None:
        if path.endswith("/about"):
            body = json.dumps({"status": 404, "code": "not_found", "detail": "there is nothing here"}).encode()
            return Reply(404, body, {"Content-Type": "application/problem+json"})
        if not path.startswith("/v1/runs?"):
            return None
        known = [part for part in path.partition("?")[2].split("&") if part.startswith(("limit=", "cursor="))]
        content = json.loads(pass_on(port, "GET", f"/v1/runs?{'&'.join(known)}", b"", {}).body)
        for row in content["runs"]:
            for name in NEW_MEMBERS:
                row.pop(name)
        return Reply(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    return choose


def test_an_earlier_server_is_told_of(server: RunningServer, make_client: Callable[..., Client], run: mcb.Run) -> None:
    run.set_about(name="x", tags=["t"])
    with Gate(server.port, earlier_release(server.port)) as gate:
        client = make_client(gate.url)
        with pytest.raises(mcb.OldServerError, match="keeps no names, notes and facts"):
            client.run(run.rid).about()
        with pytest.raises(mcb.OldServerError):
            client.run(run.rid).set_about(name="x")
        with pytest.raises(mcb.OldServerError, match="would list them all"):
            list(client.runs(tag="t"))
        for line in (next(client.runs(1)), next(client.runs(1, archived="any"))):
            assert (line.rid, line.name, line.tags, line.archived) == (run.rid, None, (), False)
            assert (line.state, line.diagnostics) == ("live", None)
        with pytest.raises(mcb.NotFoundError, match="run_not_found"):
            client.run("no-such-run")


def line_of(rid: str, **members: Any) -> dict[str, Any]:
    times = {"createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
    return {"rid": rid, **times, "variables": 1, "sampleStats": 0, "chains": 0, "draws": 0, **members}


def test_members_of_other_kinds_count_as_absent(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run
) -> None:
    odd = line_of(run.rid, name=5, tags=["a", 1], archived="yes", state="gone", diagnostics=[], notes={}, facts=None)
    with Gate(server.port, lambda _, path: Reply(200, json.dumps(odd).encode()) if "about" in path else None) as gate:
        about = make_client(gate.url).run(run.rid).about()
    assert (about.name, about.tags, about.archived, about.notes, about.facts) == (None, ("a",), False, None, {})
    assert (about.state, about.diagnostics, about.attributes, about.etag) == ("silent", None, {}, "")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b"<html>", b"[" * 100_000, json.dumps(line_of("other")).encode()]
)
def test_answers_without_sense_are_errors(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run, body: bytes
) -> None:
    with Gate(server.port, lambda _, path: Reply(200, body) if "about" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.ProtocolError):
            other.about()
        with pytest.raises(mcb.ProtocolError):
            other.set_about(name="x")
