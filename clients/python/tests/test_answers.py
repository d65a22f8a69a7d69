"""Answers that nobody hopes for: of a broken server, of something in between, of a server that refuses."""

from __future__ import annotations

import gzip
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.spool import folders
from mcbackend_edge.sync import sync

from .gate import Choose, Gate, Reply
from .server import RunningServer

SECRET = "mcb_s3cret-key"


def problem(status: int, code: str, **headers: str) -> Reply:
    body = json.dumps({"type": "about:blank", "status": status, "code": code, "detail": f"{code} it says"}).encode()
    return Reply(status, body, {"Content-Type": "application/problem+json", **headers})


PAGE = b"<html><body>Something in between</body></html>"
# Each of these must leave the draws where they are, to be sent again.
PASSING = {
    "500 after it was done": Reply(500, b"", is_applied=True),
    "500": problem(500, "internal_error"),
    "502 page": Reply(502, PAGE),
    "503": problem(503, "storage_unavailable", **{"Retry-After": "0"}),
    "503 overloaded": problem(503, "overloaded", **{"Retry-After": "1"}),
    "409 without a length": problem(409, "draw_gap"),
    "421 of something in between": Reply(421, PAGE),
    "429": problem(429, "rate_limited", **{"Retry-After": "1"}),
    "429 for ever": problem(429, "rate_limited", **{"Retry-After": "-inf"}),
    "503 without sense": problem(503, "storage_unavailable", **{"Retry-After": "nan"}),
    "401": problem(401, "unauthorized", **{"WWW-Authenticate": "Bearer"}),
    "403": problem(403, "quota_exceeded"),
    "400 page": Reply(400, PAGE),
    "404 page": Reply(404, PAGE),
    "302": Reply(302, b"", {"Location": "https://elsewhere.example/"}),
    "308 after it was done": Reply(308, b"", {"Location": "https://elsewhere.example/"}, is_applied=True),
    "200 page": Reply(200, PAGE),
    "200 empty": Reply(200),
    "204": Reply(204),
    "200 with too short a length": Reply(200, b'{"chain":0,"length":0}'),
    "200 without a length": Reply(200, b'{"chain":0}'),
    "200 with a negative length": Reply(200, b'{"chain":0,"length":-1}'),
    "200 deep": Reply(200, b"[" * 100_000),
    "200 bomb": Reply(200, gzip.compress(bytes(64 << 20)), {"Content-Encoding": "gzip"}),
    "200 list": Reply(200, b"[]", is_applied=True),
}


def first(times: int, reply: Reply, *methods: str) -> Choose:
    """Answers the first requests of these methods that concern a chain or a run."""
    left = [times]

    def choose(method: str, path: str) -> Reply | None:
        if method in methods and left[0] > 0:
            left[0] -= 1
            return reply
        return None

    return choose


@pytest.mark.parametrize("name", PASSING)
def test_draws_are_sent_until_the_server_itself_has_taken_them(
    server: RunningServer,
    make_client: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
    spool: Path,
    name: str,
) -> None:
    """With one warning, and without the key in it or on the disk."""
    with Gate(server.port, first(3, PASSING[name], "POST")) as gate:
        run = make_client(gate.url, token=SECRET, interval=0.01).create_run(variables={"x": 0.0})
        chain = run.init_chain(0)
        for index in range(50):
            chain.append({"x": float(index)})
        assert not any(SECRET.encode() in path.read_bytes() for path in spool.rglob("*") if path.is_file())
        run.flush(progress=False)
        assert gate.replies == 3
        assert gate.keys == {f"Bearer {SECRET}"}
    stored = make_client(server.url).run(run.rid)
    assert stored.chain(0).get_draws("x").tolist() == list(map(float, range(50)))
    assert sum(record.levelno >= logging.WARNING for record in caplog.records) == 1, caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("name", PASSING)
def test_a_run_that_was_begun_offline_is_registered_by_the_server_itself(
    server: RunningServer, make_client: Callable[..., Client], name: str
) -> None:
    """The same answers to the registration of the run and of its chain."""
    gate_is_shut = [True]

    def choose(method: str, path: str) -> Reply | None:
        return Reply(503) if gate_is_shut[0] else after(method, path)

    after = first(3, PASSING[name], "PUT")
    with Gate(server.port, choose) as gate:
        client = make_client(gate.url, interval=0.01)
        run = client.open_run(mcb.RunMeta(meta_bytes()), None)
        run.init_chain(0).append({"x": 1.0})
        gate_is_shut[0] = False
        run.flush(progress=False)
    stored = make_client(server.url).run(run.rid)
    assert run.registration == stored.registration
    assert stored.chain(0).get_draws("x").tolist() == [1.0]


def meta_bytes() -> bytes:
    from mcbackend_edge.schema import build_run_meta

    return build_run_meta(mcb.new_rid(), variables={"x": 0.0}).raw


@pytest.mark.parametrize("name", ["302", "200 page", "204", "400 page", "401"])
def test_everything_else_gives_a_clear_error(
    server: RunningServer, make_client: Callable[..., Client], name: str
) -> None:
    with Gate(server.port, lambda method, path: PASSING[name]) as gate:
        client = make_client(gate.url, token=SECRET, patience=0.1)
        for action in (
            lambda: client.run("r"),
            lambda: client.create_run(variables={"x": 0.0}),
            lambda: client.delete_run("r") if name != "204" else client.run("r"),
            lambda: list(client.runs()),
        ):
            with pytest.raises(mcb.McbError) as caught:
                action()
            assert SECRET not in str(caught.value)
        if name == "302":
            assert "https://elsewhere.example/: give that address" in str(caught.value)
        if name == "401":
            assert isinstance(caught.value, PermissionError)


def test_a_run_that_is_deleted_does_not_stop_its_sampler(
    client: Client, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Draws are kept; `flush` and the log say what is wrong, and neither they nor `sync` touch the new run."""
    run = client.create_run(variables={"x": np.zeros(3)})
    chain = run.init_chain(0, mirror=True)
    chain.append({"x": np.zeros(3)})
    run.flush(progress=False)
    client.delete_run(run.rid)
    chain.append({"x": np.ones(3)})
    with pytest.raises(mcb.NotFoundError):
        run.flush(progress=False)
    for _ in range(10_000):
        chain.append({"x": np.ones(3)})
    assert len(chain.get_draws("x")) == 10_002
    assert sum(record.levelno >= logging.WARNING for record in caplog.records) == 1
    new = client.create_run(run.rid, variables={"x": np.zeros(3)})
    client.close()
    [folder] = folders(spool)
    said: list[str] = []
    assert sync(spool, say=said.append).failed == 1
    assert "run_replaced" in "".join(said)
    assert folder.is_dir()
    with Client(client._transport.url) as other:
        assert other.run(new.rid).lengths() == {}


@pytest.mark.parametrize("status", [429, 503])
def test_a_run_begins_while_the_server_is_overloaded(
    server: RunningServer, make_client: Callable[..., Client], status: int
) -> None:
    """Nothing that was refused so is lost; nor is a chain taken for another's that was made in spite of the answer."""
    busy = problem(status, "overloaded", **{"Retry-After": "0"})
    with Gate(server.port, first(2, busy, "PUT")) as gate:
        client = make_client(gate.url)
        run = client.create_run(variables={"x": 0.0})
        gate.choose = first(2, busy, "PUT")
        run.init_chain(0).append({"x": 1.0})
        gate.choose = first(1, Reply(status, b"", {"Retry-After": "0"}, is_applied=True), "PUT")
        run.init_chain(1).append({"x": 1.0})
        gate.choose = first(2, busy, "POST", "GET")
        run.flush(progress=False)
        assert run.lengths() == {0: 1, 1: 1}
        gate.choose = lambda method, path: None
        with pytest.raises(mcb.ChainExistsError):
            make_client(gate.url).run(run.rid).init_chain(0)
        gate.choose = first(1000, busy, "PUT")
        run = make_client(gate.url, patience=0.2).create_run(variables={"x": 0.0}, offline=True)
        run.init_chain(0).append({"x": 2.0})
        gate.choose = lambda method, path: None
        run.flush(progress=False)
    assert make_client(server.url).run(run.rid).lengths() == {0: 1}


def test_a_server_that_goes_by_another_name_refuses_for_good(
    server: RunningServer, make_client: Callable[..., Client], spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sampler goes on, its draws are kept, and what to do is said; `sync` sends them once it is done."""
    refused = problem(421, "misdirected_request")
    is_refusing = [False]
    with Gate(server.port, lambda method, path: refused if is_refusing[0] else None) as gate:
        client = make_client(gate.url, patience=30.0)
        run = client.create_run(variables={"x": 0.0})
        chain = run.init_chain(0)
        is_refusing[0] = True
        with pytest.raises(mcb.MisdirectedError, match="MCB_HOSTS"):
            client.run(run.rid)
        chain.append({"x": 0.0})
        with pytest.raises(mcb.MisdirectedError, match="MCB_HOSTS"):
            run.flush(progress=False)
        for index in range(1, 1000):
            chain.append({"x": float(index)})
        client.close()
        assert sum(record.levelno >= logging.ERROR for record in caplog.records) == 1
        assert sync(spool, say=lambda _: None).failed == 1
        is_refusing[0] = False
        assert sync(spool, say=lambda _: None).sent == 1
    assert make_client(server.url).run(run.rid).lengths() == {0: 1000}


def test_a_chain_that_is_refused_does_not_keep_the_others(
    server: RunningServer, make_client: Callable[..., Client]
) -> None:
    """Neither in `flush` nor at the end of the process; nor does a run that is refused."""
    refused = problem(422, "shape_mismatch")
    with Gate(server.port, lambda method, path: refused if method == "POST" and "/chains/0/" in path else None) as gate:
        client = make_client(gate.url, interval=0.5)
        runs = [client.create_run(variables={"x": 0.0}) for _ in range(2)]
        chains = [run.init_chain(number) for run in runs for number in (0, 1)]
        for chain in chains:
            chain.append({"x": 1.0})
        client.close()
    for run in runs:
        assert make_client(server.url).run(run.rid).lengths() == {0: 0, 1: 1}


def test_a_disk_that_cannot_be_synced_does_not_end_the_uploader(
    server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    with Gate(server.port, first(2, Reply(503), "POST")) as gate:
        run = make_client(gate.url).create_run(variables={"x": 0.0})
        monkeypatch.setattr(os, "fsync", fail)
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
        assert gate.replies == 2
    assert make_client(server.url).run(run.rid).lengths() == {0: 1}


def test_keys_are_checked_and_never_shown() -> None:
    url = "http://127.0.0.1:9"
    assert Client(url, f"{SECRET}\n")._transport._headers["Authorization"] == f"Bearer {SECRET}"
    for wrong in (f"{SECRET}\nX-Other: 1", f"{SECRET} {SECRET}", f"ключ{SECRET}"):
        with pytest.raises(ValueError, match="MCB_TOKEN") as caught:
            Client(url, wrong)
        assert SECRET not in str(caught.value)
    with pytest.raises(ValueError, match="as token") as caught:
        Client(f"http://me:{SECRET}@127.0.0.1:9")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("is_applied", [False, True])
def test_a_page_is_tried_again_once_the_server_has_answered(
    server: RunningServer, make_client: Callable[..., Client], is_applied: bool
) -> None:
    """It makes no run, opens no chain and deletes nothing, whether the server has done its work or not."""
    page = Reply(200, PAGE, {"Content-Type": "text/html"}, is_applied=is_applied)
    replies: list[Reply] = []
    with Gate(server.port, lambda method, path: replies.pop() if replies else None) as gate:
        client = make_client(gate.url)
        assert list(client.runs(limit=1)) is not None
        replies.append(page)
        run = client.create_run(variables={"x": 0.0}, offline=False)
        stored = make_client(server.url).run(run.rid)
        replies.append(page)
        chain = run.init_chain(0)
        assert stored.lengths() == {0: 0}
        replies.append(page)
        chain.append({"x": 1.0})
        run.flush(progress=False)
        replies.append(page)
        assert chain.run.chain(0).get_draws("x", progress=False).tolist() == [1.0]
        replies.append(page)
        client.delete_run(run.rid)
        with pytest.raises(mcb.NotFoundError):
            make_client(server.url).run(run.rid)


def test_a_refusal_in_the_words_of_the_contract_makes_the_server_known(
    server: RunningServer, make_client: Callable[..., Client]
) -> None:
    page = Reply(200, PAGE, {"Content-Type": "text/html"})
    replies: list[Reply] = []
    with Gate(server.port, lambda method, path: replies.pop() if replies else None) as gate:
        client = make_client(gate.url)
        with pytest.raises(mcb.NotFoundError):
            client.run("no-such-run")
        replies.append(page)
        run = client.create_run(variables={"x": 0.0}, offline=False)
    assert make_client(server.url).run(run.rid).lengths() == {}


def test_a_page_of_404_behind_an_outage_has_deleted_nothing(
    server: RunningServer, make_client: Callable[..., Client]
) -> None:
    run = make_client(server.url).create_run(variables={"x": 0.0})
    replies = [Reply(404, PAGE), Reply(503)]
    with (
        Gate(server.port, lambda method, path: replies.pop()) as gate,
        pytest.raises(mcb.NotFoundError, match="is the address right"),
    ):
        make_client(gate.url).delete_run(run.rid)
    assert replies == []
    assert make_client(server.url).run(run.rid).lengths() == {}


def test_a_pause_that_the_server_asked_for_ends_with_its_outage(
    server: RunningServer, make_client: Callable[..., Client]
) -> None:
    """The next outage is another one, which a run meets with that begins in it."""
    with Gate(server.port, first(1, Reply(503, headers={"Retry-After": "4"}), "POST")) as gate:
        client = make_client(gate.url, interval=0.01, patience=0.1)
        run = client.create_run(variables={"x": 0.0})
        run.init_chain(0).append({"x": 1.0})
        run.flush(progress=False)
        run.give_up()
        while client._uploader._thread is not None:
            time.sleep(0.01)
        gate.choose = lambda method, path: Reply(503)
        later = client.create_run(variables={"x": 0.0}, offline=True)
        later.init_chain(0).append({"x": 2.0})
        gate.choose = lambda method, path: None
        began = time.monotonic()
        later.flush(progress=False)
        assert time.monotonic() - began < 2.0
    assert make_client(server.url).run(later.rid).lengths() == {0: 1}
