"""Exactly once, whatever happens between client and server; and the sampler never waits."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, transport, uploader

from .proxy import Fault, FaultyProxy
from .server import RunningServer

# Seconds. An append that waited for the server would take longer; a busy machine makes none that long.
STALL = 5.0


def append_all(chain: mcb.Chain, count: int, pause: float = 0.0) -> float:
    """Appends draws that name their index; the longest time that one append took, in seconds."""
    longest = 0.0
    for index in range(len(chain), len(chain) + count):
        began = time.perf_counter()
        chain.append({"x": np.full(5, float(index)), "s": str(index)}, {"lp": -index} if index % 3 else None)
        longest = max(longest, time.perf_counter() - began)
        if pause:
            time.sleep(pause)
    return longest


def check_chain(chain: mcb.Chain, length: int) -> None:
    x = chain.get_draws("x", progress=False)
    assert np.array_equal(x, np.repeat(np.arange(float(length))[:, None], 5, axis=1))
    assert chain.get_draws("s").tolist() == [str(index) for index in range(length)]


def new_run(client: Client) -> mcb.Run:
    return client.create_run(variables={"x": np.zeros(5), "s": ""}, sample_stats={"lp": 0.0})


def random_fault(rng: random.Random) -> Callable[[], Fault]:
    """Cuts about every second exchange, in the request, in the answer, or before it."""

    def choose() -> Fault:
        kind = rng.random()
        if kind < 0.5:
            return Fault()
        if kind < 0.65:
            return Fault(request_bytes=rng.randrange(2000))
        return Fault(answer_bytes=rng.choice([0, 5, 150, 330, 500, 700]))

    return choose


@pytest.mark.parametrize("seed", range(4))
def test_broken_connections_neither_lose_nor_double_draws(
    server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(uploader, "LAST_DELAY", 0.01)
    direct = make_client(server.url)
    run = new_run(direct)
    with FaultyProxy(server.port, random_fault(random.Random(seed))) as proxy:
        client = make_client(proxy.url, interval=0.01, patience=60.0)
        written = client.run(run.rid)
        chains = [written.init_chain(0), written.init_chain(1)]
        for _ in range(20):
            for chain in chains:
                append_all(chain, 25, 0.0005)
        written.flush(timeout=100.0, progress=False)
        assert proxy.faults > 2
        check_chain(written.chain(0), 500)
    for number in (0, 1):
        check_chain(run.chain(number), 500)


def test_an_answer_that_is_cut_off_anywhere_is_asked_for_again(
    server: RunningServer, make_client: Callable[..., Client]
) -> None:
    rid = new_run(make_client(server.url)).rid
    faults: list[Fault] = []
    with FaultyProxy(server.port, lambda: faults.pop() if faults else Fault()) as proxy:
        client = make_client(proxy.url)
        for cut in range(0, 1200, 17):
            faults[:] = [Fault(answer_bytes=cut)]
            assert client.run(rid).rid == rid, f"cut after {cut} bytes"
            faults.clear()
        assert proxy.faults > 20


def test_the_server_is_stopped_and_killed_while_sampling(
    own_server: RunningServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mcbackend_edge")
    run = new_run(make_client(own_server.url))
    chain = run.init_chain(0)
    append_all(chain, 500, 0.001)
    own_server.stop()
    longest = append_all(chain, 2000, 0.001)
    own_server.start()
    append_all(chain, 500, 0.001)
    own_server.kill()
    longest = max(longest, append_all(chain, 500, 0.001))
    own_server.start()
    append_all(chain, 500, 0.001)
    run.flush(progress=False)
    check_chain(run.chain(0), 4000)
    check_chain(make_client(own_server.url).run(run.rid).chain(0), 4000)
    assert longest < STALL
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1, warnings
    assert "Sampling goes on" in warnings[0]


@pytest.mark.slow
def test_the_server_is_stopped_for_half_a_minute(own_server: RunningServer, make_client: Callable[..., Client]) -> None:
    run = new_run(make_client(own_server.url))
    chain = run.init_chain(0)
    append_all(chain, 100, 0.001)
    own_server.stop()
    restart = own_server.restart_after(30.0)
    longest = append_all(chain, 8000, 0.005)
    restart.join()
    run.flush(progress=False)
    assert longest < STALL
    check_chain(run.chain(0), 8100)


def test_a_server_that_hangs(
    own_server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and says nothing; what it was sent is sent again."""
    monkeypatch.setattr(transport, "READ_TIMEOUT", 4.0)
    run = new_run(make_client(own_server.url))
    chain = run.init_chain(0)
    append_all(chain, 200, 0.001)
    own_server.pause()
    longest = append_all(chain, 1500, 0.002)
    own_server.resume()
    append_all(chain, 300, 0.001)
    run.flush(progress=False)
    assert longest < STALL
    check_chain(run.chain(0), 2000)


def test_a_fast_sampler_makes_a_request_an_interval(
    server: RunningServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one a draw, although there are always new ones when an answer comes."""
    run = new_run(make_client(server.url, interval=0.2))
    chain = run.init_chain(0)
    request = transport.Transport.request
    posts = []

    def counted(self: transport.Transport, method: str, path: str, **options: Any) -> Any:
        if method == "POST":
            posts.append(path)
        return request(self, method, path, **options)

    monkeypatch.setattr(transport.Transport, "request", counted)
    began = time.perf_counter()
    append_all(chain, 400, 0.001)
    most = (time.perf_counter() - began) / 0.2 + 4
    assert 0 < len(posts) <= most
    run.flush(progress=False)
    check_chain(chain, 400)


def test_flush_says_what_is_missing(own_server: RunningServer, make_client: Callable[..., Client]) -> None:
    run = new_run(make_client(own_server.url))
    chain = run.init_chain(0)
    append_all(chain, 10)
    run.flush(progress=False)
    own_server.stop()
    append_all(chain, 7)
    with pytest.raises(mcb.UploadPendingError, match="7 draws are not on the server yet, but spooled in") as caught:
        run.flush(timeout=0.5, progress=False)
    assert caught.value.pending == 7
    assert caught.value.spool is not None
    own_server.start()
    run.flush(progress=False)
    assert run.pending == 0


def test_starting_without_a_server(own_server: RunningServer, make_client: Callable[..., Client]) -> None:
    """Draws that have a spool, or whose user accepts the risk, are sent once it is there; others are an error."""
    own_server.stop()
    about: dict[str, Any] = {"variables": {"x": np.zeros(5), "s": ""}, "sample_stats": {"lp": 0.0}}
    for refusing, offline in ((make_client(own_server.url), False), (make_client(own_server.url, spool=None), None)):
        with pytest.raises(mcb.ServerUnreachableError):
            refusing.create_run(**about, offline=offline)
    clients = [make_client(own_server.url), make_client(own_server.url, spool=None)]
    runs = [clients[0].create_run(**about), clients[1].create_run(**about, offline=True)]
    for run in runs:
        assert run.registration is None
        append_all(run.init_chain(0), 50)
    own_server.start()
    for client, run in zip(clients, runs):
        run.flush(progress=False)
        assert run.registration
        check_chain(client.run(run.rid).chain(0), 50)


def test_a_chain_whose_creation_was_not_answered(server: RunningServer, make_client: Callable[..., Client]) -> None:
    """The chain is there and empty: it is as good as a new one. One with draws is not."""
    run = new_run(make_client(server.url))
    faults = iter([Fault(answer_bytes=0)])
    with FaultyProxy(server.port, lambda: next(faults, Fault())) as proxy:
        other = make_client(proxy.url).open_run(run.meta, run.registration)
        append_all(other.init_chain(0), 5)
        other.flush(progress=False)
        assert proxy.faults == 1
    faults = iter([Fault(answer_bytes=0)])
    with FaultyProxy(server.port, lambda: next(faults, Fault())) as proxy:
        other = make_client(proxy.url).open_run(run.meta, run.registration)
        with pytest.raises(mcb.ChainExistsError):
            other.init_chain(0)


def test_two_writers_race(server: RunningServer, make_client: Callable[..., Client]) -> None:
    """One wins, the other hears of it; what is stored is the winner's."""
    run = new_run(make_client(server.url))
    outcomes: dict[int, int | None] = {}

    def write(value: int) -> None:
        written = make_client(server.url, interval=0.01).run(run.rid)
        chain = written.init_chain(0, start=0)
        try:
            for _ in range(200):
                chain.append({"x": np.full(5, float(value)), "s": str(value)})
                time.sleep(0.001)
            written.flush(progress=False)
            outcomes[value] = None
        except mcb.DrawConflictError as error:
            outcomes[value] = error.length

    threads = [threading.Thread(target=write, args=(value,)) for value in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [winner] = [value for value, length in outcomes.items() if length is None]
    [loser] = [value for value, length in outcomes.items() if length is not None]
    assert 0 < (outcomes[loser] or 0) <= 200
    assert set(run.chain(0).get_draws("s").tolist()) == {str(winner)}
    assert run.lengths() == {0: 200}


def test_a_server_that_forgot_draws_gets_them_again(
    own_server: RunningServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """Its data folder is an older copy, as after a restore: the log still has what was acknowledged meanwhile."""
    import shutil

    run = new_run(make_client(own_server.url))
    chain = run.init_chain(0)
    append_all(chain, 50)
    run.flush(progress=False)
    own_server.stop()
    backup = own_server._data.with_name("backup")
    shutil.copytree(own_server._data, backup)
    own_server.start()
    append_all(chain, 50)
    run.flush(progress=False)
    own_server.stop()
    shutil.rmtree(own_server._data)
    shutil.copytree(backup, own_server._data)
    own_server.start()
    append_all(chain, 50)
    run.flush(progress=False)
    check_chain(run.chain(0), 150)
    assert any("lost draws" in record.message for record in caplog.records)


def test_large_batches_are_made_smaller(server: RunningServer, make_client: Callable[..., Client]) -> None:
    """A server with a smaller limit for bodies answers 413."""
    limit = 40_000
    with LimitingProxy(server.port, limit) as proxy:
        run = new_run(make_client(proxy.url, interval=5.0))
        chain = run.init_chain(0)
        append_all(chain, 3000)
        run.flush(progress=False)
        check_chain(chain, 3000)
        assert proxy.refused
        chain.append({"x": np.zeros(5), "s": "x" * limit})
        with pytest.raises(mcb.PayloadTooLargeError):
            run.flush(progress=False)


class LimitingProxy(FaultyProxy):
    """Answers 413 by itself where a body is too large."""

    def __init__(self, port: int, limit: int) -> None:
        self._limit = limit
        self.refused = 0
        super().__init__(port, Fault)

    def _exchange(self, client: object, server: object) -> bool:
        import socket

        from .proxy import _forward, _read_head

        assert isinstance(client, socket.socket)
        assert isinstance(server, socket.socket)
        head = _read_head(client)
        if not head:
            return False
        fields, _, body = head.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in fields.split(b"\r\n") if line.lower().startswith(b"content-length")),
            0,
        )
        if length > self._limit:
            missing = length - len(body)
            while missing > 0:
                missing -= len(client.recv(65536))
            self.refused += 1
            problem = b'{"code":"payload_too_large","detail":"too large","limit":%d}' % self._limit
            client.sendall(
                b"HTTP/1.1 413 Too Large\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(problem), problem)
            )
            return True
        return _forward(client, server, head, None) and _forward(server, client, _read_head(server), None)
