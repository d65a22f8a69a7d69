"""Fixtures: a server with a run that has everything, one whose chains are equal, one that grows, and one with keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcbackend_edge import Client
from server import Server, command
from stored import EQUAL, UNEQUAL, Growing, Stored, names_as_arviz_1_has_them, store

REPOSITORY = Path(__file__).resolve().parents[3]

names_as_arviz_1_has_them()

# Time after its last append at which a run is no longer taken for one that grows, in seconds.
SILENCE = 61


@pytest.fixture(scope="session", autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the servers nor the keys of whoever runs the tests, nor their proxies."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("alone")
        patch.setenv("MCB_SPOOL_DIR", str(folder / "spool"))
        patch.setenv("MCB_PROFILE", str(folder / "profile.json"))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        for name in ("MCB_URL", "MCB_TOKEN"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers: `start_server()`, `start_server("keys")`, with further variables by name."""
    if command() is None:
        pytest.skip("there is no Node to start a server with: run npm ci in the repository")
    started: list[Server] = []

    def start(auth: str = "open", **variables: str) -> Server:
        started.append(Server(tmp_path_factory.mktemp("server"), auth, **variables))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server: Callable[..., Server]) -> Server:
    """The one that most tests share, without keys."""
    return start_server()


@pytest.fixture(scope="session")
def make_client(_alone: None) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        clients.append(Client(url, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close(timeout=5.0)


@pytest.fixture(scope="session")
def client(server: Server, make_client: Callable[..., Client]) -> Client:
    return make_client(server.url)


@pytest.fixture(scope="session")
def run(client: Client) -> Stored:
    """A run of everything, whose chains are of unequal length."""
    return store(client, "everything", UNEQUAL)


@pytest.fixture(scope="session")
def equal(client: Client) -> Stored:
    """The same with chains of equal length."""
    return store(client, "equal", EQUAL)


@pytest.fixture(scope="session")
def stored_at(run: Stored, equal: Stored) -> float:
    """Time at which both were written for the last time, by time.monotonic()."""
    return time.monotonic()


@pytest.fixture
def quiet(run: Stored, stored_at: float) -> Stored:
    """The run of everything when it has not grown for a minute; tests that want it come last."""
    time.sleep(max(0.0, stored_at + SILENCE - time.monotonic()))
    return run


@pytest.fixture(scope="session")
def reference(run: Stored) -> Any:
    """The run of everything as the project's own package reads it: an `xarray.DataTree`."""
    return run.tree()


_numbers = iter(range(10**6))


@pytest.fixture
def growing(client: Client) -> Iterator[Growing]:
    """A run of its own with 10 draws a chain, 5 of them warmup; `start()` makes it grow in the background."""
    made = Growing(client, f"growing-{next(_numbers)}")
    made.append(*[10] * made.chains)
    yield made
    made.stop()


@pytest.fixture
def duck() -> Any:
    """A DuckDB whose HTTP comes from a package, where it would download it."""
    duckdb = pytest.importorskip("duckdb", reason="this environment has no DuckDB")
    package = pytest.importorskip("duckdb_extension_httpfs", reason="this environment has no DuckDB extension")
    [file] = Path(package.__file__).parent.rglob("httpfs.duckdb_extension")
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "allow_unsigned_extensions": "true"})
    connection.sql(f"LOAD '{file}'")
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the folder of real MCMC output is absent: {folder}")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait until a run has been silent for a minute come last."""
    items.sort(key=lambda item: "quiet" in getattr(item, "fixturenames", ()))
