"""`client.stream`: a real nutpie sampler whose draws are on the server while it samples."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, Run, stream

from .gate import Gate, Reply
from .server import RunningServer

nutpie = pytest.importorskip("nutpie", reason="nutpie is not installed")
pm = pytest.importorskip("pymc", reason="pymc is not installed")

FEATURES = [f"f{index}" for index in range(5)]
SETTINGS: dict[str, Any] = {"draws": 300, "tune": 200, "chains": 3, "cores": 2, "seed": 5, "progress_bar": False}


@pytest.fixture(scope="module")
def compiled() -> Any:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(20_000, 5))
    outcome = inputs @ np.arange(5.0) + generator.normal(size=20_000)
    with pm.Model(coords={"feature": FEATURES}) as model:
        slope = pm.Normal("slope", 0, 5, dims="feature")
        sigma = pm.HalfNormal("sigma", 1)
        pm.Deterministic("twice", 2 * slope, dims="feature")
        pm.Normal("outcome", pm.math.dot(inputs, slope), sigma, observed=outcome)
    return nutpie.compile_pymc_model(model)


@pytest.fixture(scope="module")
def failing() -> Any:
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1)
        pm.Potential("never", pm.math.switch(x > -1e9, np.nan, 0.0))
    return nutpie.compile_pymc_model(model)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that follow each other at once: chains of different lengths are met."""
    monkeypatch.setattr(stream, "_INTERVAL", 0.05)
    monkeypatch.setattr(stream, "_POLL", 0.02)
    monkeypatch.setattr(stream, "_SHARE", 1.0)


def start(compiled: Any, **options: Any) -> Any:
    return nutpie.sample(compiled, blocking=False, **{**SETTINGS, **options})


def groups_of(result: Any) -> dict[str, Any]:
    names = result.groups() if callable(result.groups) else [path.strip("/") for path in result.groups]
    return {name: result[name] for name in names if name}


def assert_equal(run: Run, result: Any, chains: int = 3, lengths: dict[int, tuple[int, int]] | None = None) -> None:
    """The run has what nutpie gives, bit by bit, warmup before the rest; `lengths` are those of chains cut short."""
    groups = groups_of(result)
    kinds = {
        "draws": (run.variables, ("posterior", "unconstrained_posterior")),
        "stats": (run.sample_stats, ("sample_stats",)),
    }
    for kind, (variables, names) in kinds.items():
        group = {name: place for place in names if place in groups for name in groups[place].data_vars}
        assert set(variables) == {*group, *(["in_warmup"] if kind == "stats" else [])}
        for name, place in group.items():
            for number in range(chains):
                parts = [groups[part][name] for part in (f"warmup_{place}", place) if part in groups]
                if lengths is not None:
                    parts = [array[:, :end] for array, end in zip(parts, lengths[number])]
                wanted = np.concatenate([np.asarray(array[number]) for array in parts])
                chain = run.chain(number)
                got = chain.get_draws(name) if kind == "draws" else chain.get_stats(name)
                if got.dtype.kind == "U":
                    wanted = np.array([text if isinstance(text, str) else "" for text in wanted], dtype=str)
                else:
                    assert got.dtype == wanted.dtype
                assert np.array_equal(got, wanted, equal_nan=got.dtype.kind == "f"), (name, number)


def test_what_is_streamed_is_nutpies_result(client: Client, compiled: Any) -> None:
    alone = nutpie.sample(compiled, **SETTINGS)
    result = client.stream(start(compiled), name="slopes", rid="nut-1", tags=["a"], notes="n", attributes={"k": 1})
    assert type(result) is type(alone)
    for name, group in groups_of(alone).items():
        if "posterior" in name:
            for variable in group.data_vars:
                assert np.array_equal(group[variable], groups_of(result)[name][variable])
    run = client.run("nut-1")
    assert run.lengths() == {0: 500, 1: 500, 2: 500}
    assert_equal(run, result)
    assert run.chain(1).warmup_length() == 200
    assert run.dims["slope"] == ["feature"]
    assert run.coords["feature"].tolist() == FEATURES
    assert run.attributes["inference_library"] == "nutpie"
    assert run.attributes["k"] == 1
    about = run.about()
    assert (about.name, about.tags, about.notes, about.state) == ("slopes", ("a",), "n", "done")
    facts = about.facts
    assert facts["expected"] == {"draws": 300, "warmup": 200}
    assert {"startedAt", "finishedAt", "samplingTime"} <= set(facts)
    assert facts["environment"]["packages"]["nutpie"] == nutpie.__version__
    assert [facts["chains"][str(number)]["warmup"] for number in range(3)] == [200] * 3
    steps = np.asarray(groups_of(result)["sample_stats"]["step_size"])
    assert facts["chains"]["2"]["stepSize"] == steps[2, -1]


def test_draws_are_there_while_it_samples(client: Client, compiled: Any) -> None:
    handle = client.stream(start(compiled, draws=4000, chains=2), rid="nut-2", blocking=False)
    assert handle.rid == "nut-2"
    seen: set[tuple[int, ...]] = set()
    while len(seen) < 4:
        assert handle._thread is not None
        assert handle._thread.is_alive(), seen
        if handle.run is not None:
            lengths = client.run("nut-2").lengths()
            seen |= {tuple(lengths.values())} if len(lengths) == 2 else set()
        time.sleep(0.05)
    with pytest.raises(TimeoutError):
        handle.wait(0.01)
    result = handle.abort()
    assert handle.wait() is result
    run = client.run("nut-2")
    lengths = run.lengths()
    assert all(length >= max(step[number] for step in seen) for number, length in lengths.items())
    assert 0 < sum(lengths.values()) < 8400


def test_nothing_is_stored_that_was_never_drawn(client: Client, compiled: Any) -> None:
    """Chains that are cut short at different lengths: nutpie fills them up, and the run does not."""
    handle = client.stream(start(compiled, draws=3000, cores=2), rid="nut-3", blocking=False)
    while handle.run is None or sum(handle.run.lengths().values()) < 900:
        time.sleep(0.02)
    result = handle.abort()
    run = client.run("nut-3")
    lengths = run.lengths()
    parts = {number: (run.chain(number).warmup_length(), length) for number, length in lengths.items()}
    assert_equal(run, result, lengths={number: (warmup, end - warmup) for number, (warmup, end) in parts.items()})
    groups = groups_of(result)
    for number, (warmup, length) in parts.items():
        for name, end in (("warmup_sample_stats", warmup), ("sample_stats", length - warmup)):
            step_sizes = np.asarray(groups[name]["step_size"])[number]
            assert np.isnan(step_sizes[end:]).all()
            assert not np.isnan(step_sizes[:end]).any()


def test_ctrl_c_ends_sampling_and_keeps_what_there_is(client: Client, compiled: Any) -> None:
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = client.stream(start(compiled, draws=100_000), rid="nut-4")
    run = client.run("nut-4")
    total = sum(run.lengths().values())
    assert 0 < total < 300_600
    assert groups_of(result)["posterior"].sizes["draw"] >= max(run.lengths().values()) - 200
    assert run.about().state == "done"


def test_a_second_start_goes_to_the_next_free_run(client: Client, compiled: Any) -> None:
    for _ in range(2):
        client.stream(start(compiled, draws=20, tune=20), rid="nut-5")
    assert client.run("nut-5").lengths() == client.run("nut-5.2").lengths() == {0: 40, 1: 40, 2: 40}


@pytest.mark.parametrize(
    "options", [{"tune": 20}, {"save_warmup": False}, {"store_unconstrained": True, "store_gradient": True}]
)
def test_what_nutpie_is_told_to_keep_is_kept(client: Client, compiled: Any, options: dict[str, Any]) -> None:
    result = client.stream(start(compiled, **options), rid="nut-" + "-".join(options))
    run = client.run("nut-" + "-".join(options))
    assert_equal(run, result)
    warmup = 0 if "save_warmup" in options else options.get("tune", 200)
    assert run.chain(0).warmup_length() == warmup
    if "store_gradient" in options:
        assert run.sample_stats["gradient"].dims == ("unconstrained_parameter",)
        assert run.coords["unconstrained_parameter"].tolist()[-1] == "sigma_log__"


def test_a_sampler_goes_on_when_the_server_does_not(
    server: RunningServer, make_client: Callable[..., Client], compiled: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Draws are kept in the spool, and come when it is back."""
    is_away = threading.Event()
    with Gate(server.port, lambda *_: Reply(503, b"") if is_away.is_set() else None) as gate:
        client = make_client(gate.url, patience=0.0, exit_timeout=0.5)
        handle = client.stream(start(compiled, draws=1000, chains=2), rid="nut-6", blocking=False)
        while handle.run is None:
            time.sleep(0.02)
        is_away.set()
        result = handle.wait()
        assert handle.run.pending > 0
        assert "spooled in" in caplog.text
        is_away.clear()
        handle.run.flush(progress=False)
        assert_equal(client.run("nut-6"), result, chains=2)


def test_a_run_that_is_refused_costs_one_message(
    client: Client, compiled: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.create_run("nut-7", variables={"x": 0.0})
    result = client.stream(start(compiled, draws=50, tune=50), rid="nut-7")
    assert groups_of(result)["posterior"].sizes["draw"] == 50
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert "variables: 'x' only there" in told[0].getMessage()
    assert "client.store(result)" in told[0].getMessage()
    assert told[0].exc_info is None


def test_what_nutpie_raises_is_raised(client: Client, failing: Any) -> None:
    with pytest.raises(RuntimeError, match="initialization points failed"):
        client.stream(start(failing), rid="nut-8")
    handle = client.stream(start(failing), rid="nut-8", blocking=False)
    with pytest.raises(RuntimeError, match="initialization points failed"):
        handle.wait()
    assert handle.run is None


def test_what_is_no_sampler_is_refused(client: Client, compiled: Any) -> None:
    with pytest.raises(TypeError, match="a dict cannot be streamed"):
        client.stream({})
    sampler = start(compiled, draws=10, tune=10, return_raw_trace=True)
    with pytest.raises(TypeError, match="return_raw_trace"):
        client.stream(sampler)
    sampler.cancel()
    sampler = start(compiled, draws=10, tune=10)
    with pytest.raises(TypeError, match="tags is one text"):
        client.stream(sampler, tags="a")
    sampler.cancel()


def test_looks_take_a_small_share_of_the_time(client: Client, compiled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They grow with the trace, and become rarer."""
    monkeypatch.undo()
    spent: list[float] = []
    look = stream.look

    def timed(sampler: Any) -> Any:
        began = time.perf_counter()
        rows = look(sampler)
        time.sleep(0.05)
        spent.append(time.perf_counter() - began)
        return rows

    monkeypatch.setattr(stream, "look", timed)
    began = time.perf_counter()
    client.stream(start(compiled, draws=2000, chains=2), rid="nut-9")
    took = time.perf_counter() - began
    # The first looks, before there is a draw and with it, count by themselves.
    assert len(spent) <= 4 + took / 0.5
    assert sum(spent) <= 0.3 + 0.15 * took
