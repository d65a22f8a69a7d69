"""nutpie, PyMC and xarray write a run by its address alone, also while the server is killed and started again."""

from __future__ import annotations

import datetime as dt
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from mcbackend_edge import Client
from server import Server

nutpie = pytest.importorskip("nutpie")
pm = pytest.importorskip("pymc")
xr = pytest.importorskip("xarray")

SCHOOLS = ["Choate", "Deerfield", "Andover", "Exeter", "Hotchkiss", "Lawrenceville", "St. Pauls", "Hermon"]
# As docs/readers.md tells it: by default nutpie gives up after two seconds.
PATIENT = {
    "max_retries": 1000,
    "retry_timeout": dt.timedelta(minutes=10),
    "backoff": {
        "init_backoff": dt.timedelta(milliseconds=50),
        "max_backoff": dt.timedelta(seconds=1),
        "base": 2,
    },
}
# Requests that the server answers between two kills, of some 3,500 while nutpie samples.
REQUESTS = 600


@pytest.fixture(scope="module")
def model() -> Any:
    with pm.Model(coords={"school": SCHOOLS}) as schools:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        raw = pm.Normal("raw", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * raw, dims="school")
        pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12], dims="school")
    return schools


@pytest.fixture(scope="module")
def compiled(model: Any) -> Any:
    return nutpie.compile_pymc_model(model)


def store_at(url: str, rid: str) -> Any:
    return nutpie.zarr_store.HTTPStore(
        f"{url}/v1/runs/{rid}/in.zarr", client_options={"allow_http": "true"}, retry_config=PATIENT
    )


def sample(compiled: Any, draws: int, tune: int, **options: Any) -> Any:
    return nutpie.sample(compiled, draws=draws, tune=tune, chains=4, seed=1, progress_bar=False, **options)


def assert_same_draws(written: Any, plain: Any) -> None:
    """The draws and stats that both have: nutpie keeps events of divergences otherwise in Zarr."""
    for group in ("warmup_posterior", "posterior", "warmup_sample_stats", "sample_stats"):
        for name, expected in plain[group].data_vars.items():
            if name in written[group] and written[group][name].dims == expected.dims:
                np.testing.assert_array_equal(written[group][name].values, expected.values, err_msg=f"{group}/{name}")


def assert_is_run(client: Client, rid: str, plain: Any) -> None:
    """The run has the same draws, none lost and none doubled."""
    tree = client.run(rid).to_datatree(chains="all")
    for group in ("warmup_posterior", "posterior"):
        for name in ("mu", "tau", "theta"):
            np.testing.assert_array_equal(tree[group][name].values, plain[group][name].values)
    np.testing.assert_array_equal(tree["posterior"]["school"].values, SCHOOLS)
    np.testing.assert_array_equal(tree["sample_stats"]["energy"].values, plain["sample_stats"]["energy"].values)
    assert "tau_log__" in tree["unconstrained_posterior"]


def test_nutpie_writes_into_a_url(server: Server, client: Client, compiled: Any) -> None:
    # Blocks of 16 draws: the last ones of both parts have 8.
    written = sample(compiled, 200, 104, zarr_store=store_at(server.url, "nutpie"))
    plain = sample(compiled, 200, 104)
    assert_same_draws(written, plain)
    assert_is_run(client, "nutpie", plain)
    assert client.run("nutpie").about().state == "done"


@pytest.mark.filterwarnings("ignore:`nuts_:FutureWarning", "ignore:`nuts:FutureWarning")
def test_pymc_through_nutpie(server: Server, client: Client, model: Any) -> None:
    options: dict[str, Any] = {"draws": 50, "tune": 50, "chains": 2, "random_seed": 1, "progressbar": False}
    with model:
        store = store_at(server.url, "pymc")
        written = pm.sample(nuts_sampler="nutpie", nuts_sampler_kwargs={"zarr_store": store}, **options)
        plain = pm.sample(nuts_sampler="nutpie", **options)
    for name, expected in plain["posterior"].data_vars.items():
        np.testing.assert_array_equal(written["posterior"][name].values, expected.values)
    assert client.run("pymc").lengths() == {0: 100, 1: 100}


def test_a_tree_of_xarray(server: Server, client: Client) -> None:
    rng = np.random.default_rng(1)
    axes = ("chain", "draw")
    posterior = xr.Dataset(
        {
            "mu": (axes, rng.normal(size=(2, 30))),
            "theta": ((*axes, "school"), rng.normal(size=(2, 30, 3)).astype("f4")),
            "k": (axes, rng.integers(-5, 5, size=(2, 30))),
            "zero": (axes, np.zeros((2, 30))),
            "word": (axes, rng.choice(["a", "bcd"], size=(2, 30))),
        },
        coords={"chain": [0, 1], "draw": np.arange(30), "school": ["A", "B", "C"]},
        attrs={"inference_library": "emcee", "created_at": "2026-01-02T03:04:05+00:00"},
    )
    stats = xr.Dataset({"diverging": (axes, np.zeros((2, 30), bool))}, coords={"chain": [0, 1], "draw": np.arange(30)})
    days = np.array(["2026-01-01", "2026-01-02"], "M8[ns]")
    data = xr.Dataset({"y": (("day",), [1.5, 2.5])}, coords={"day": days})
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": stats,
            "warmup_posterior": posterior.isel(draw=slice(10)),
            "observed_data": data,
        }
    )
    url = f"{server.url}/v1/runs/tree/in.zarr"
    # fsspec cannot delete over HTTP, as zarr would for a chunk of nothing but fill.
    with pytest.warns(UserWarning, match="Consolidated metadata"):
        tree.to_zarr(url, write_empty_chunks=True)
    xr.testing.assert_identical(xr.open_datatree(url, engine="zarr").load(), tree)
    read = client.run("tree").to_datatree(chains="all")
    for group in ("posterior", "warmup_posterior", "sample_stats", "observed_data"):
        for name, expected in tree[group].variables.items():
            np.testing.assert_array_equal(read[group][name].values, expected.values)
    assert read["posterior"].attrs["created_at"] == "2026-01-02T03:04:05+00:00"


class _Proxy(BaseHTTPRequestHandler):
    """A reverse proxy, which answers 503 for a server that is away. Without one, nutpie ends at a DELETE that is cut off."""

    protocol_version = "HTTP/1.1"
    port = 0
    passed = 0

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            upstream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            upstream.request(self.command, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            status, content, type_ = answer.status, answer.read(), answer.headers.get("Content-Type")
            upstream.close()
            type(self).passed += 1
        except (OSError, http.client.HTTPException):
            status, content, type_ = 503, b"", None
        self.send_response(status)
        if type_ is not None:
            self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_DELETE = do_PROPFIND = _pass


@pytest.fixture
def proxy(start_server: Callable[..., Server]) -> Iterator[tuple[Server, str, type[_Proxy]]]:
    server = start_server()
    handler: type[_Proxy] = type("Proxy", (_Proxy,), {"port": server.port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{front.server_address[1]}", handler
        front.shutdown()


def test_the_server_is_killed_while_nutpie_samples(
    proxy: tuple[Server, str, type[_Proxy]], make_client: Callable[..., Client], compiled: Any
) -> None:
    server, url, front = proxy
    ended = threading.Event()
    kills = 0

    def kill() -> None:
        """By requests and not by time, since sampling takes 4 s on one machine and 30 s on another."""
        nonlocal kills
        while not ended.wait(0.01):
            if front.passed >= (kills + 1) * REQUESTS:
                server.kill()
                server.start()
                kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        written = sample(compiled, 400, 200, zarr_store=store_at(url, "killed"))
    finally:
        ended.set()
        killer.join()
    requests = front.passed
    plain = sample(compiled, 400, 200)
    assert_same_draws(written, plain)
    assert_is_run(make_client(server.url), "killed", plain)
    assert kills >= 3, f"{kills} kills in {requests} requests"
