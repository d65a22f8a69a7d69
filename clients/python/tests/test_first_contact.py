"""The first contact with a server: the failures that last are told at once, the others are waited for."""

from __future__ import annotations

import http.server
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, waiting

from .gate import Gate, Reply
from .server import RunningServer
from .test_answers import first, problem

# Seconds, and those that a busy machine takes to do it.
AT_ONCE, SPARE = 2.0, 3.0


@pytest.fixture
def refused() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """A server with a certificate that nobody has reason to trust."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *about]
    try:
        subprocess.run(line, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl, which makes a certificate, is absent")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_http() -> Iterator[str]:
    """A service that speaks something else."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.sendall(b"220 mail.example ESMTP\r\n")
                peer.recv(65536)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


@pytest.fixture(params=["refused", "unknown host", "certificate", "no TLS", "no HTTP"])
def lasting(request: pytest.FixtureRequest, server: RunningServer) -> tuple[str, str]:
    """An address that does not heal, and part of the message about it."""
    if request.param == "refused":
        return request.getfixturevalue("refused"), "connection refused. Is the server running there"
    if request.param == "unknown host":
        return "http://no-such-host.invalid:8787", "its host is unknown here. Is the address right"
    if request.param == "certificate":
        return request.getfixturevalue("self_signed"), "cannot be trusted: self"
    if request.param == "no TLS":
        return server.url.replace("http:", "https:"), "TLS fails"
    return request.getfixturevalue("no_http"), "does not speak HTTP"


def test_what_does_not_heal_is_told_at_once(lasting: tuple[str, str], make_client: Callable[..., Client]) -> None:
    """Without a spool, and to whoever reads: in one short message, and without the HTTP library's own errors."""
    url, reason = lasting
    for action in (
        lambda: make_client(url, spool=None).create_run(variables={"x": 0.0}),
        lambda: make_client(url).run("r"),
        lambda: list(make_client(url).runs()),
    ):
        began = time.monotonic()
        with pytest.raises(mcb.ServerUnreachableError, match=reason) as caught:
            action()
        assert time.monotonic() - began < AT_ONCE + SPARE
        assert caught.value.is_lasting
        assert isinstance(caught.value.reason, Exception)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert len(str(caught.value)) < 300
        assert url in str(caught.value)


def test_with_a_spool_it_warns_and_goes_on(
    lasting: tuple[str, str], make_client: Callable[..., Client], spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, however many chains begin and however often it is tried."""
    url, reason = lasting
    client = make_client(url, exit_timeout=0.5)
    began = time.monotonic()
    run = client.create_run(variables={"x": 0.0})
    chains = [run.init_chain(number) for number in range(3)]
    assert time.monotonic() - began < AT_ONCE + SPARE
    for chain in chains:
        chain.append({"x": 1.0})
    time.sleep(1.0)
    [warning] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert reason in warning
    assert "Sampling goes on; draws are spooled in" in warning
    assert "python -m mcbackend_edge sync" in warning
    assert run.pending == 3
    client.close(timeout=0.2)
    assert "3 draws of run" in caplog.messages[-1]
    assert "Send them with: python -m mcbackend_edge sync" in caplog.messages[-1]


SCRIPT = """
import sys
from mcbackend_edge import Client
Client(sys.argv[1], spool=None).create_run(variables={"x": 0.0})
"""


def test_a_script_ends_with_one_traceback(refused: str) -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SCRIPT, refused], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "urllib3" not in done.stderr
    assert "connection refused" in done.stderr.splitlines()[-1]
    command = [sys.executable, "-m", "mcbackend_edge", "runs", "--url", refused]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    # Two starts of Python, and the time that is tried.
    assert time.monotonic() - began < 2 * AT_ONCE + 20


PAGE = Reply(404, b"<html>Not here</html>", {"Content-Type": "text/html"})
NEVER = {
    "401": (problem(401, "unauthorized"), "No key was sent"),
    "403": (problem(403, "forbidden"), "forbidden"),
    "421": (problem(421, "misdirected_request"), "MCB_HOSTS"),
    "422": (problem(422, "invalid_meta"), "invalid_meta"),
    "another run": (problem(409, "run_conflict"), "run_conflict"),
    "a page": (PAGE, "does not answer as a McBackend Edge server does: is the address right"),
    "a page that is found": (Reply(200, b"<html>Here</html>"), "does not answer as a McBackend Edge server does"),
    "another address": (Reply(301, b"", {"Location": "https://draws.example/"}), "give that address"),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_can_never_heal_is_an_error_with_a_spool_too(
    server: RunningServer, make_client: Callable[..., Client], name: str
) -> None:
    reply, reason = NEVER[name]
    with Gate(server.port, lambda method, path: reply) as gate:
        began = time.monotonic()
        with pytest.raises(mcb.McbError, match=reason) as caught:
            make_client(gate.url).create_run(variables={"x": 0.0})
        assert time.monotonic() - began < AT_ONCE + SPARE
        assert not isinstance(caught.value, mcb.ServerUnreachableError)
        assert gate.replies <= 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for(
    server: RunningServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Beyond the patience with one that says nothing, for it says when; and that is said once."""
    busy = problem(status, "overloaded", **{"Retry-After": "2"})
    with Gate(server.port, first(2, busy, "PUT")) as gate:
        began = time.monotonic()
        run = make_client(gate.url, spool=None, patience=1.5).create_run(variables={"x": 0.0})
        assert time.monotonic() - began >= 4.0
        assert run.registration
        [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert line == f"Waiting for {gate.url}, which is busy ({status}), up to 6 s."
        gate.choose = first(100, busy, "PUT")
        began = time.monotonic()
        with pytest.raises(mcb.ApiError):
            make_client(gate.url, spool=None, patience=0.5).create_run(variables={"x": 0.0})
        assert time.monotonic() - began < 5.0
        caplog.clear()
        run = make_client(gate.url, patience=0.5).create_run(variables={"x": 0.0})
        assert run.registration is None
        assert "Sampling goes on" in caplog.messages[-1]


def test_a_server_that_is_slow_is_waited_for_and_that_is_said(
    own_server: RunningServer,
    make_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It takes connections, and answers later, or not in time."""
    monkeypatch.setattr(waiting, "SILENCE", 0.5)
    monkeypatch.setattr(waiting, "FIRST_ANSWER", 1.0)
    own_server.pause()
    threading.Timer(2.0, own_server.resume).start()
    assert make_client(own_server.url, spool=None).create_run(variables={"x": 0.0}).registration
    assert caplog.messages == [f"Waiting for {own_server.url}, which has not answered yet, up to 15 s."]
    own_server.pause()
    caplog.clear()
    began = time.monotonic()
    with pytest.raises(mcb.ServerUnreachableError) as caught:
        make_client(own_server.url, spool=None, patience=2.0).create_run(variables={"x": 0.0})
    assert not caught.value.is_lasting
    run = make_client(own_server.url, patience=2.0, exit_timeout=30.0).create_run(variables={"x": 0.0})
    assert 4.0 <= time.monotonic() - began < 12.0
    run.init_chain(0).append({"x": 1.0})
    own_server.resume()
    run.flush(progress=False)


@pytest.mark.parametrize(("pause", "second"), [(600.0, logging.INFO), (0.0, logging.WARNING)])
def test_an_outage_ends_with_the_draws_that_had_waited(
    own_server: RunningServer,
    make_client: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    pause: float,
    second: int,
) -> None:
    """Once for each outage, more quietly soon after another; also with those begun before there was a server."""
    monkeypatch.setattr("mcbackend_edge.uploader.WARNING_PAUSE", pause)
    caplog.set_level(logging.INFO, "mcbackend_edge")
    url = own_server.url
    run = make_client(url).create_run(variables={"x": 0.0})
    chain = run.init_chain(0)
    for draws in (1, 5):
        own_server.stop()
        for _ in range(draws):
            chain.append({"x": 1.0})
        with pytest.raises(mcb.UploadPendingError) as caught:
            run.flush(timeout=1.0, progress=False)
        assert ("1 draw is" if draws == 1 else "5 draws are") in str(caught.value)
        own_server.start()
        run.flush(progress=False)
        wait_for(lambda: any("is back" in message for message in caplog.messages))
        levels = [(r.levelno, r.getMessage()) for r in caplog.records if "Sampling goes on" in r.getMessage()]
        back = [message for message in caplog.messages if "is back" in message]
        word = "1 draw" if draws == 1 else "5 draws"
        assert back == [f"{url} is back, all sent: {word} had waited."]
        assert [level for level, _ in levels] == [logging.WARNING if draws == 1 else second]
        caplog.clear()
    own_server.stop()
    begun = make_client(url).create_run(variables={"x": 0.0})
    begun.init_chain(0).extend({"x": [1.0, 2.0]})
    own_server.start()
    begun.flush(progress=False)
    wait_for(lambda: f"{url} is back, all sent: 2 draws had waited." in caplog.messages)
    assert sum("Sampling goes on" in message for message in caplog.messages) == 1


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


OUTAGE = """
import sys, time
from mcbackend_edge import Client
run = Client(sys.argv[1]).create_run(variables={"x": 0.0})
chain = run.init_chain(0)
for line in sys.stdin:
    chain.append({"x": 1.0})
    if line == "flush\\n":
        run.flush()
    print("done", flush=True)
"""


def test_a_script_without_logging_sees_both_ends_of_an_outage(own_server: RunningServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", OUTAGE, own_server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def step(line: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    step("flush\n")
    own_server.stop()
    step("draw\n")
    time.sleep(2.0)
    own_server.start()
    step("flush\n")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = [line for line in said.splitlines() if own_server.url in line and "/v1/runs/" not in line]
    assert len(lines) == 2, said
    assert "Sampling goes on" in lines[0]
    assert lines[1] == f"{own_server.url} is back, all sent: 2 draws had waited."


def test_a_chain_that_begins_during_an_outage(own_server: RunningServer, make_client: Callable[..., Client]) -> None:
    """It is created later, and the sampler does not wait; only the end of a stored chain cannot be guessed."""
    client = make_client(own_server.url, patience=1.0)
    run = client.create_run(variables={"x": 0.0})
    own_server.stop()
    began = time.monotonic()
    for number in range(4):
        run.init_chain(number).append({"x": float(number)})
    assert time.monotonic() - began < 5.0
    begun = client.create_run(variables={"x": 0.0})
    with pytest.raises(mcb.McbError, match="only the server knows where chain 0 of run"):
        begun.init_chain(0, resume=True)
    with pytest.raises(mcb.ServerUnreachableError):
        make_client(own_server.url, spool=None, patience=0.2).open_run(run.meta, run.registration).init_chain(4)
    own_server.start()
    run.flush(progress=False)
    assert run.lengths() == {0: 1, 1: 1, 2: 1, 3: 1}


def test_draws_in_memory_alone_are_told_as_lost(
    own_server: RunningServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(own_server.url, spool=None)
    run = client.create_run(variables={"x": 0.0})
    own_server.stop()
    run.init_chain(0, start=0).append({"x": 1.0})
    client.close(timeout=0.5)
    assert f"1 draw of run {run.rid} (chain 0) could not be sent, and is lost" in caplog.messages[-1]
