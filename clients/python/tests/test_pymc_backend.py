"""Things of a model that `HTTPBackend` knows although McBackend does not tell it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from .server import RunningServer

pm = pytest.importorskip("pymc", reason="PyMC is not installed: pip install mcbackend-edge[pymc]")
mcb = pytest.importorskip("mcbackend", reason="McBackend is not installed: pip install mcbackend-edge[mcbackend]")

from mcbackend.npproto.utils import ndarray_from_numpy  # noqa: E402

from mcbackend_edge import Client, HTTPBackend, McbError, run_ahead  # noqa: E402

from . import pymc_models as models  # noqa: E402
from .pymc_models import assert_same, groups, sample  # noqa: E402


@pytest.fixture
def backend(server: RunningServer) -> Iterator[HTTPBackend]:
    made = HTTPBackend(server.url)
    yield made
    made.close(10.0)


def test_labels_and_data_are_the_models(backend: HTTPBackend, server: RunningServer) -> None:
    with pm.Model(coords={"day": pd.date_range("2024-01-01", periods=2)}) as model:
        x = pm.Normal("x", dims="day")
        tau = pm.HalfNormal("tau")
        pm.Normal("y", x, tau, observed=[1.0, 2.0], dims="day")
    result = groups(sample(model, backend))["posterior"]
    backend.flush()
    run = Client(server.url).run(backend.rid)
    assert run.coords["day"].dtype == result.day.dtype
    assert run.coords["day"].tolist() == result.day.values.tolist()
    assert run.observed_data["y"].tolist() == [1.0, 2.0]
    assert run.dims["y"] == ["day"]
    assert run.attributes == {
        "inference_library": "pymc",
        "mcb.unconstrained": ["tau_log__"],
        "discard_tuned_samples": True,
    }


def test_facts_of_the_call_are_told(server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcbackend_edge")
    backend = HTTPBackend(
        server.url, name="named", tags=["t"], notes="n", attributes={"centred": True}, rid="by-mcbackend"
    )
    with pytest.raises(McbError, match="begins with"):
        backend.rid  # noqa: B018
    for rid in ("by-mcbackend", "by-mcbackend.2"):
        result = sample(models.eight_schools(), backend)
        backend.flush()
        assert backend.rid == rid
        about = backend.run.about()
        assert (about.name, about.tags, about.notes, about.state) == ("named", ("t",), "n", "done")
        assert about.facts["expected"] == {"draws": 30, "warmup": 20}
        assert about.facts["samplingTime"] == groups(result)["posterior"].attrs["sampling_time"]
        assert about.facts["chains"]["1"]["seed"] == "SeedSequence(11, spawn_key=(1,))"
        assert backend.run.attributes["centred"] is True
    assert sum("2 chains, 100 draws" in record.message for record in caplog.records) == 2
    backend.close()


def test_without_a_mirror_draws_are_read_in_blocks(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_ahead, "_MOST_ROWS", 16)
    monkeypatch.setattr(run_ahead, "_MOST_RAGGED_ROWS", 16)
    backend = HTTPBackend(server.url, mirror=False)
    mirrored = HTTPBackend(server.url)
    ours, reference = (sample(models.eight_schools(), one) for one in (backend, mirrored))
    assert_same(ours, reference)
    chain = backend.get_run(backend.rid).get_chains()[1]
    assert chain.get_draws_at(-1, ["mu"])["mu"] == groups(reference)["posterior"]["mu"].values[1, -1]
    assert chain.get_draws_at(3, ["tau", "mu"]).keys() == {"tau", "mu"}
    assert chain.get_stats_at(19, ["in_warmup"])["in_warmup"]
    assert not chain.get_stats_at(20, ["in_warmup"])["in_warmup"]
    with pytest.raises(IndexError):
        chain.get_draws_at(50, ["mu"])
    backend.close()
    mirrored.close()


def test_model_around_another_run_is_not_taken_for_its_own(backend: HTTPBackend) -> None:
    meta = mcb.RunMeta(
        "",
        [mcb.Variable("other", "float64", [2], ["school"])],
        coordinates=[mcb.Coordinate("school", ndarray_from_numpy(np.array(["u", "v"])))],
    )
    with models.eight_schools():
        run = backend.init_run(meta)
    assert run.coords["school"].tolist() == ["u", "v"]
    assert not run.observed_data
    assert not run.run.attributes


def test_objects_without_a_model_are_counted(backend: HTTPBackend, caplog: pytest.LogCaptureFixture) -> None:
    days: Any = np.array([pd.Timestamp(2024, 1, 1), None], dtype=object)
    meta = mcb.RunMeta(
        "",
        [mcb.Variable("x", "float64", [2], ["day"])],
        coordinates=[mcb.Coordinate("day", ndarray_from_numpy(days))],
    )
    run = backend.init_run(meta)
    assert run.coords["day"].tolist() == [0, 1]
    assert sum("cannot serialise" in record.message for record in caplog.records) == 1
