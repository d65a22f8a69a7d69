"""Runs as netCDF files that the server makes: the groups of `to_datatree`, broken connections, servers without them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable

from .gate import Gate, Reply
from .proxy import Fault, FaultyProxy
from .server import RunningServer


def new_run(client: Client, draws: int = 300) -> mcb.Run:
    run = client.create_run(
        variables=[
            Variable("x"),
            Variable("theta", "float64", (50,), ("school",)),
            Variable("flag", "bool"),
            Variable("word", "str"),
        ],
        sample_stats=[Variable("tune", "bool")],
        coords={"school": [f"school {i}" for i in range(50)]},
    )
    random = np.random.default_rng(1)
    for number in range(2):
        run.init_chain(number).extend(
            {
                "x": random.standard_normal(draws),
                "theta": random.standard_normal((draws, 50)),
                "flag": random.random(draws) < 0.5,
                "word": [["", "é", "three"][i % 3] for i in range(draws)],
            },
            {"tune": np.arange(draws) < 100},
        )
    run.flush()
    return run


def test_a_file_is_the_tree_of_the_run(client: Client, tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    run = new_run(client)
    path = run.to_netcdf(tmp_path / "run.nc")
    assert path == tmp_path / "run.nc"
    expected = run.to_datatree(chains="all", progress=False)
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert set(tree.children) == set(expected.children) == {"posterior", "warmup_posterior"}
        for name, group in expected.children.items():
            xarray.testing.assert_equal(group.to_dataset(), tree[name].to_dataset().load())
            assert list(group.data_vars) == list(tree[name].data_vars)


def test_a_download_that_breaks_off_goes_on(
    server: RunningServer, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    faults: list[Fault] = []
    with FaultyProxy(server.port, lambda: faults.pop() if faults else Fault()) as proxy:
        run = make_client(proxy.url).run(new_run(make_client(server.url)).rid)
        whole = run.to_netcdf(tmp_path / "whole.nc").read_bytes()
        faults[:] = [Fault(answer_bytes=bytes_) for bytes_ in (100, 90_000, 0, 60_000)]
        assert run.to_netcdf(tmp_path / "run.nc").read_bytes() == whole
        assert not faults
    assert sorted(path.name for path in tmp_path.glob("*.nc*")) == ["run.nc", "whole.nc"]
    assert not list(tmp_path.glob(".*.part"))


def test_what_fails_leaves_the_file_as_it_was(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "run.nc"
    path.write_bytes(b"mine")
    run = new_run(client, 10)
    client.delete_run(run.rid)
    with pytest.raises(mcb.NotFoundError):
        run.to_netcdf(path)
    assert path.read_bytes() == b"mine"
    assert [found.name for found in tmp_path.iterdir() if ".part" in found.name] == []


def test_an_earlier_server_is_told_of(
    server: RunningServer, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    run = new_run(make_client(server.url), 10)
    problem = json.dumps({"code": "not_found", "status": 404, "title": "t", "detail": "d", "type": "about:blank"})
    reply = Reply(404, problem.encode(), {"Content-Type": "application/problem+json"})
    with Gate(server.port, lambda _, path: reply if "data.nc" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.OldServerError, match="no netCDF"):
            other.to_netcdf(tmp_path / "run.nc")
    assert not (tmp_path / "run.nc").exists()
