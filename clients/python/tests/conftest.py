"""Fixtures: a server for the whole session, servers of one's own, and clients with a spool in a temporary folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mcbackend_edge import Client, writer

from .server import SHARED_DATA, RunningServer, server_command

settings.register_profile(
    "package",
    deadline=None,
    max_examples=int(os.environ.get("MCB_EXAMPLES", "30")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("package")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: run with --slow"))


@pytest.fixture(scope="session")
def command() -> list[str]:
    found = server_command()
    if found is None:
        pytest.skip("there is no server to test against: run npm ci in the repository, or set MCB_SERVER_COMMAND")
    return found


@pytest.fixture(scope="session")
def server(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests that only need one."""
    running = RunningServer(tmp_path_factory.mktemp("server"), command)
    yield running
    running.stop()


@pytest.fixture
def own_server(command: list[str], tmp_path: Path) -> Iterator[RunningServer]:
    """A server that the test may stop, kill and start again."""
    running = RunningServer(tmp_path / "own-server", command)
    yield running
    running.resume()
    running.kill()


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool folder of the test, and of the processes that it starts."""
    path = tmp_path / "spool"
    monkeypatch.setenv("MCB_SPOOL_DIR", str(path))
    # Neither the servers nor the keys of whoever runs the tests.
    monkeypatch.setenv("MCB_PROFILE", str(tmp_path / "profile.json"))
    for name in ("MCB_URL", "MCB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a few draws, so that a chain has several."""
    monkeypatch.setattr(writer, "FIRST_SEGMENT", 2000)
    monkeypatch.setattr(writer, "LARGEST_SEGMENT", 2000)


@pytest.fixture
def make_client(spool: Path) -> Iterator[Callable[..., Client]]:
    """Makes clients that are closed behind the test."""
    clients: list[Client] = []

    def make(url: str, **options: object) -> Client:
        clients.append(Client(url, **options))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    for client in clients:
        client.close(timeout=5.0)


@pytest.fixture
def client(server: RunningServer, make_client: Callable[..., Client]) -> Client:
    return make_client(server.url)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real MCMC output."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the folder of real MCMC output is absent: {SHARED_DATA} (MCB_SHARED_DATA names another one)")
    return SHARED_DATA


@pytest.fixture
def unused_url() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"
