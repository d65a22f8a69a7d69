"""Keys at the reading doors: as each tool sends them, in HTTP Basic, and share keys in the path."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import requests
import xarray as xr
from alike import same_array
from mcbackend_edge import Client
from rscript import r
from server import Server
from stored import Growing
from test_zarr import by_obstore, check_growing, unstable_strings


@dataclass(frozen=True)
class Keyed:
    """A run on a server with keys, with one that reads and one that is a share of this run."""

    server: Server
    rid: str
    key: str
    share: str

    @property
    def url(self) -> str:
        return f"{self.server.url}/v1/runs/{self.rid}"

    @property
    def shared(self) -> str:
        return f"{self.server.url}/s/{self.share}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def with_basic(self) -> str:
        return self.url.replace("http://", f"http://any:{self.key}@")


@pytest.fixture(scope="module")
def keyed(start_server: Callable[..., Server], make_client: Callable[..., Client]) -> Keyed:
    server = start_server("keys")
    admin = server.make_key("admin")
    growing = Growing(make_client(server.url, token=admin), "keyed")
    growing.append(12, 12)
    share = server.ask("POST", "/v1/runs/keyed/shares", admin, {})
    return Keyed(server, "keyed", server.make_key("read"), str(share["key"]))


@pytest.mark.parametrize("path", ["data.zarr/zarr.json", "data.nc", "draws.csv", "draws.arrows", "chains/0/stan.csv"])
def test_doors_ask_for_a_key(keyed: Keyed, path: str) -> None:
    assert requests.get(f"{keyed.url}/{path}", timeout=60).status_code == 401
    assert requests.get(f"{keyed.url}/{path}", headers=keyed.headers, timeout=60).status_code == 200
    assert requests.get(f"{keyed.url}/{path}", auth=("any", keyed.key), timeout=60).status_code == 200
    assert requests.get(f"{keyed.shared}/{path}", timeout=60).status_code == 200
    assert requests.get(f"{keyed.server.url}/s/{keyed.key}/{path}", timeout=60).status_code == 401
    assert requests.get(f"{keyed.server.url}/s/nothing/{path}", timeout=60).status_code == 401


def test_xarray(keyed: Keyed) -> None:
    options: dict[str, Any] = {"headers": keyed.headers}
    with unstable_strings():
        with xr.open_datatree(f"{keyed.url}/data.zarr", engine="zarr", storage_options=options) as tree:
            check_growing(tree)
        with xr.open_datatree(f"{keyed.shared}/data.zarr", engine="zarr") as tree:
            check_growing(tree)


def test_xarray_and_netcdf(keyed: Keyed) -> None:
    pytest.importorskip("h5netcdf", reason="this environment has no h5netcdf")
    options: dict[str, Any] = {"headers": keyed.headers}
    url = f"{keyed.url}/at/0:12,1:12/data.nc"
    with xr.open_datatree(url, engine="h5netcdf", storage_options=options) as tree:
        check_growing(tree)
    with xr.open_datatree(f"{keyed.shared}/at/0:12,1:12/data.nc", engine="h5netcdf") as tree:
        check_growing(tree)


@pytest.mark.parametrize("url", ["url", "shared"])
def test_fsspec_takes_it_from_the_environment(keyed: Keyed, url: str) -> None:
    """No notebook needs to know of it."""
    script = (
        f"import xarray as xr; print(xr.open_datatree('{getattr(keyed, url)}/data.zarr')['posterior/x'].values.sum())"
    )
    # Its own way to say it: keywords of the file system, as JSON.
    environment = {"FSSPEC_HTTP": json.dumps({"headers": keyed.headers}), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin:/bin", **(environment if url == "url" else {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = sum(Growing.values(chain, 5, 12)["x"].sum() for chain in range(2))
    assert float(done.stdout) == expected


def test_obstore(keyed: Keyed) -> None:
    pytest.importorskip("obstore", reason="this environment has no obstore")
    store = by_obstore(f"{keyed.url}/data.zarr", default_headers=keyed.headers)
    with unstable_strings(), xr.open_datatree(store, engine="zarr") as tree:
        check_growing(tree)


def x_of(table: Any) -> None:
    expected = np.concatenate([Growing.values(chain, 5, 12)["x"] for chain in range(2)])
    same_array(expected, np.asarray(table["x"]), "x")


def test_pandas(keyed: Keyed) -> None:
    pandas = pytest.importorskip("pandas", reason="this environment has no pandas")
    x_of(pandas.read_csv(f"{keyed.url}/draws.csv", storage_options=keyed.headers))
    x_of(pandas.read_csv(f"{keyed.shared}/draws.csv"))


def test_polars(keyed: Keyed) -> None:
    """It has no way to send a header with a stream: a share it is."""
    polars = pytest.importorskip("polars", reason="this environment has no polars")
    x_of(polars.read_ipc_stream(f"{keyed.shared}/draws.arrows"))


def test_duckdb(keyed: Keyed, duck: Any) -> None:
    duck.sql(f"CREATE SECRET (TYPE http, BEARER_TOKEN '{keyed.key}')")
    x_of(duck.sql(f"SELECT * FROM read_csv('{keyed.url}/draws.csv')").fetchnumpy())


def test_r(keyed: Keyed) -> None:
    said = r(
        f"""
        u <- url("{keyed.url}/draws.csv", headers = c(Authorization = "Bearer {keyed.key}"))
        cat(read.csv(u, check.names = FALSE)$x, "\\n")
        cat(read.csv("{keyed.shared}/draws.csv", check.names = FALSE)$x, "\\n")
        """
    ).splitlines()
    for line in said[:2]:
        x_of({"x": np.array(line.split(), dtype=float)})


def test_curl_with_basic(keyed: Keyed) -> None:
    done = subprocess.run(
        ["curl", "-sf", "--noproxy", "*", f"{keyed.with_basic()}/draws.csv"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(".chain,.iteration,.draw,x")


def test_a_share_reads_and_nothing_else(keyed: Keyed) -> None:
    for method in ("PUT", "POST", "DELETE"):
        answer = requests.request(method, f"{keyed.shared}/draws.csv", timeout=60)
        assert answer.status_code in (404, 405), method
    assert requests.get(f"{keyed.server.url}/s/{keyed.share}/../other/draws.csv", timeout=60).status_code in (401, 404)
    said = "".join(keyed.server.output)
    assert keyed.share not in said
    assert keyed.key not in said
