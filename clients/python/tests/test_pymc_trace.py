"""`PyMCTrace` with unmodified PyMC, against the same seed without it. McBackend is not needed."""

from __future__ import annotations

import datetime as dt
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from .server import RunningServer

pm = pytest.importorskip("pymc", reason="PyMC is not installed: pip install mcbackend-edge[pymc]")

from mcbackend_edge import Client, McbError, PyMCTrace, cli, pymc_stream  # noqa: E402
from mcbackend_edge.pymc_stats import as_text  # noqa: E402

from . import pymc_models as models  # noqa: E402
from .pymc_models import assert_same, groups, sample  # noqa: E402

MakeTrace = Callable[..., PyMCTrace]


@pytest.fixture
def make_trace(server: RunningServer) -> Iterator[MakeTrace]:
    made: list[PyMCTrace] = []

    def make(**options: Any) -> PyMCTrace:
        made.append(PyMCTrace(options.pop("url", server.url), **options))
        return made[-1]

    yield make
    for trace in made:
        trace.close(5.0)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize(
    "make_model", [models.eight_schools, models.compound, models.dates, models.data_of_all_kinds, models.shapes]
)
def test_pm_sample_returns_what_it_returns_without(
    make_trace: MakeTrace, make_model: Callable[[], Any], cores: int
) -> None:
    reference = sample(make_model(), cores=cores, discard_tuned_samples=False)
    assert_same(sample(make_model(), make_trace(), cores=cores, discard_tuned_samples=False), reference)


@pytest.mark.parametrize(
    "options",
    [
        {"var_names": ["mu", "tau"]},
        {"keep_warning_stat": True},
        {"idata_kwargs": {"include_transformed": True}},
        {"tune": 0},
        {"chains": 1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_pm_sample_do_what_they_do_without(make_trace: MakeTrace, options: dict[str, Any]) -> None:
    reference = sample(models.eight_schools(), **options)
    assert_same(sample(models.eight_schools(), make_trace(), **options), reference, but=(*models.TIMINGS, "warning"))


@pytest.mark.filterwarnings("ignore:DEMetropolis should be used:UserWarning")
@pytest.mark.parametrize("step", ["Metropolis", "Slice", "DEMetropolis", "DEMetropolisZ"])
@pytest.mark.parametrize("cores", [1, 2])
def test_other_step_methods(make_trace: MakeTrace, step: str, cores: int) -> None:
    def result(trace: PyMCTrace | None) -> Any:
        model = models.eight_schools()
        with model:
            method = getattr(pm, step)()
        return sample(model, trace, step=method, chains=4, cores=cores)

    trace = make_trace()
    assert_same(result(trace), result(None))
    trace.flush()
    assert trace.run.lengths() == dict.fromkeys(range(4), 50)
    steps = trace.run.about().facts["settings"]["steps"]
    # Metropolis and Slice have a method for each variable.
    assert {told["method"] for told in steps} == {step}


def test_a_multitrace_is_as_it_is_without(make_trace: MakeTrace) -> None:
    reference = sample(models.eight_schools(), return_inferencedata=False)
    ours = sample(models.eight_schools(), make_trace(), return_inferencedata=False)
    assert [type(one) for one in ours._straces.values()] == [type(one) for one in reference._straces.values()]
    assert ours.varnames == reference.varnames
    assert all(np.array_equal(ours[name], reference[name]) for name in ours.varnames)
    assert np.array_equal(ours[5:9]["theta"], reference[5:9]["theta"])
    assert np.array_equal(ours.get_sampler_stats("energy"), reference.get_sampler_stats("energy"))


def test_all_draws_and_stats_are_on_the_server(make_trace: MakeTrace, server: RunningServer) -> None:
    trace = make_trace()
    result = groups(sample(models.compound(), trace, discard_tuned_samples=False))
    trace.flush()
    run = Client(server.url).run(trace.rid)
    assert {name: var.dtype for name, var in run.variables.items()} == {"k": "int64", "flag": "int64", "mu": "float64"}
    for number, chain in enumerate(run.get_chains()):
        for name in run.variables:
            parts = [result[group][name].values[number] for group in ("warmup_posterior", "posterior")]
            assert chain.get_draws(name).tobytes() == np.concatenate(parts).tobytes(), name
        assert chain.get_stats("in_warmup").tolist() == [True] * 20 + [False] * 30
    energies = [name for name in run.sample_stats if name.endswith("__energy")]
    stored = run.chain(1).get_stats(energies[0])[20:]
    assert stored.tobytes() == result["sample_stats"]["energy"].values[1].tobytes()


def test_metadata_and_facts_of_a_run(make_trace: MakeTrace) -> None:
    trace = make_trace(
        name="eight schools", tags=["paper"], notes="a note", attributes={"centred": False}, facts={"why": "test"}
    )
    result = sample(models.eight_schools(), trace)
    trace.flush()
    run, about = trace.run, trace.run.about()
    assert (about.name, about.tags, about.notes, about.state) == ("eight schools", ("paper",), "a note", "done")
    assert run.attributes == {
        "inference_library": "pymc",
        "mcb.unconstrained": ["tau_log__"],
        "discard_tuned_samples": True,
        "centred": False,
    }
    assert [name for name, var in run.variables.items() if var.is_deterministic] == ["theta"]
    assert run.variables["eta"].dims == ("school",)
    assert run.coords["school"].tolist() == list("ABCDEFGH")
    assert run.constant_data["sigma"].tolist() == models.SIGMA.tolist()
    assert run.observed_data["obs"].tolist() == models.Y.tolist()
    assert run.dims["obs"] == ["school"]
    facts = about.facts
    assert facts["why"] == "test"
    assert facts["expected"] == {"draws": 30, "warmup": 20}
    assert facts["samplingTime"] == groups(result)["posterior"].attrs["sampling_time"]
    assert facts["startedAt"] < facts["finishedAt"]
    assert facts["environment"]["packages"]["pymc"] == pm.__version__
    assert facts["settings"] | {"steps": None} == {
        "chains": 2,
        "cores": 1,
        "init": "auto",
        "randomSeed": 11,
        "steps": None,
    }
    nuts = facts["settings"]["steps"][0]
    assert (nuts["method"], nuts["targetAccept"], nuts["maxTreedepth"]) == ("NUTS", 0.8, 10)
    for number in (0, 1):
        chain = facts["chains"][str(number)]
        assert chain["stepSize"] == groups(result)["sample_stats"]["step_size_bar"].values[number, -1]
        assert chain["seed"] == f"SeedSequence(11, spawn_key=({number},))"


def test_warnings_of_the_sampler_are_told_as_text(make_trace: MakeTrace) -> None:
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 3)
        pm.Normal("x", 0, pm.math.exp(5 * scale), shape=9)
    trace = make_trace()
    result = groups(sample(model, trace, draws=100, keep_warning_stat=True))
    trace.flush()
    assert not any("warning" in name for name in trace.run.sample_stats)
    chains = trace.run.about().facts["chains"]
    for number, values in enumerate(result["sample_stats"]["warning"].values[..., 0].reshape(2, -1)):
        expected = [(20 + i, one.kind.name, one.message[:500]) for i, one in enumerate(values) if one is not None][:10]
        told = [(one["draw"], one["kind"], one["message"]) for one in chains[str(number)].get("warnings", [])]
        assert expected
        assert [one for one in told if one[0] >= 20][:10] == expected


def test_second_sample_is_a_second_run(make_trace: MakeTrace) -> None:
    trace, model = make_trace(name="twice"), models.eight_schools()
    first = sample(model, trace)
    before = trace.run
    second = sample(model, trace, random_seed=12, tune=10)
    trace.flush()
    assert trace.rid != before.rid
    assert (before.about().name, trace.run.about().name) == ("twice", "twice")
    for run, result, tune in ((before, first, 20), (trace.run, second, 10)):
        assert run.about().facts["expected"]["warmup"] == tune
        for number in (0, 1):
            drawn = run.chain(number).get_draws("theta")
            assert drawn[tune:].tobytes() == groups(result)["posterior"]["theta"].values[number].tobytes()


def test_another_model_may_follow(make_trace: MakeTrace) -> None:
    trace = make_trace()
    sample(models.eight_schools(), trace)
    assert_same(sample(models.compound(), trace), sample(models.compound()))
    assert set(trace.run.variables) == {"k", "flag", "mu"}


def test_starts_with_one_rid_never_conflict(make_trace: MakeTrace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcbackend_edge")
    rids = []
    for model in (models.eight_schools(), models.eight_schools(), models.compound()):
        trace = make_trace(rid="radon-of-many-starts")
        sample(model, trace)
        rids.append(trace.rid)
    trace = make_trace(rid="radon-of-many-starts")
    for _ in range(2):
        sample(models.eight_schools(), trace)
        rids.append(trace.rid)
    assert rids == ["radon-of-many-starts", *(f"radon-of-many-starts.{number}" for number in (2, 3, 4, 5))]
    assert sum("has draws already" in record.message for record in caplog.records) == 4
    trace.flush()
    assert trace.run.lengths() == {0: 50, 1: 50}


@pytest.mark.parametrize(
    ("labels", "stored"),
    [
        (pd.period_range("2024-01", periods=2, freq="M"), ["2024-01", "2024-02"]),
        (["a", None], ["a", "None"]),
        ([1, "b"], ["1", "b"]),
        ([("a", 1), ("b", 2)], ["a, 1", "b, 2"]),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], ["2024-01-01", "2024-01-02"]),
    ],
    ids=["periods", "None", "mixed", "tuples", "dates"],
)
def test_labels_that_are_objects(
    make_trace: MakeTrace, caplog: pytest.LogCaptureFixture, labels: Any, stored: list[str]
) -> None:
    """Also where PyMC cannot make a result of its own of them: the draws are stored by then."""
    with pm.Model(coords={"day": labels}) as model:
        pm.Normal("x", dims="day")
    trace = make_trace()
    try:
        sample(model, trace, chains=1)
    except ValueError as error:
        assert "dimension" in str(error)  # noqa: PT017
    trace.flush()
    assert trace.run.coords["day"].tolist() == stored
    assert trace.run.lengths() == {0: 50}
    assert trace.run.to_datatree(progress=False)["posterior"]["x"].sizes["day"] == 2
    told = [record.message for record in caplog.records if "keeps as text" in record.message]
    assert len(told) == 1


def test_trace_may_be_made_before_the_model(make_trace: MakeTrace) -> None:
    trace = make_trace()
    model = models.eight_schools()
    # Without a ``with`` block, too.
    pm.sample(20, tune=10, chains=1, cores=1, model=model, trace=trace, progressbar=False)
    with pm.Model() as other:
        inside = make_trace()
        pm.Normal("late")
    sample(other, inside, chains=1)
    assert set(trace.run.variables) == {"mu", "tau_log__", "eta", "tau", "theta"}
    assert set(inside.run.variables) == {"late"}


def test_trace_of_chosen_values(make_trace: MakeTrace) -> None:
    model = models.eight_schools()
    trace = make_trace(vars=[model["mu"], model["theta"]])
    sample(model, trace)
    assert list(trace.run.variables) == ["mu", "theta"]


def test_drivers_other_than_pm_sample_tell_less(make_trace: MakeTrace) -> None:
    """Nothing but the interface of a trace is used: what only `pm.sample` knows is found out, or left out."""
    model = models.eight_schools()
    point = model.initial_point()
    trace = make_trace(model=model)
    chains = [trace.__copy__(), trace.__copy__()]
    for number, chain in enumerate(chains):
        chain.setup(5, number, [{"tune": bool}])
    for row in range(5):
        for chain in chains:
            chain.record(point, [{"tune": row < 2}], in_warmup=row < 2)
    for chain in chains:
        chain.close()
    trace.close()
    facts = trace.run.about().facts
    assert facts["expected"] == {"draws": 3, "warmup": 2}
    assert facts["samplingTime"] >= 0
    assert "seed" not in facts.get("chains", {}).get("0", {})
    assert trace.run.chain(1).get_stats("in_warmup").tolist() == [True] * 2 + [False] * 3


def test_it_is_a_trace_of_pymcs_own_kind(make_trace: MakeTrace) -> None:
    trace = make_trace()
    assert isinstance(trace, pm.backends.NDArray)
    assert len(trace) == 0


def test_objects_among_the_stats_are_stored_as_text(make_trace: MakeTrace) -> None:
    """As PyMC-BART gives them."""
    model = models.eight_schools()
    trace = make_trace(model=model)
    chain = trace.__copy__()
    chain.setup(3, 0, [{"accepted": bool, "variable_inclusion": object}, {"scaling": np.float32}])
    for row in range(3):
        stats = [{"accepted": row == 1, "variable_inclusion": np.arange(row) if row else None}, {"scaling": row / 2}]
        chain.record(model.initial_point(), stats, in_warmup=row == 0)
    chain.close()
    trace.close()
    stored = trace.run.chain(0)
    assert stored.get_stats("sampler_0__variable_inclusion").tolist() == ["", "[0]", "[0, 1]"]
    assert stored.get_stats("sampler_0__accepted").tolist() == [False, True, False]
    assert stored.get_stats("sampler_1__scaling").tolist() == [0.0, 0.5, 1.0]
    assert stored.get_stats("in_warmup").tolist() == [True, False, False]


def test_model_that_cannot_be_told_is_named() -> None:
    trace = PyMCTrace("http://127.0.0.1:9", spool=None)
    with pytest.raises(McbError, match="give it model="):
        trace.__copy__()
    with pytest.raises(McbError, match="begins with"):
        trace.rid  # noqa: B018
    trace.close(0)


def test_trace_that_is_never_used_says_so(
    make_trace: MakeTrace, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    trace = make_trace()
    trace.close()
    trace.close()
    # A trace of another test may be collected meanwhile, and say so of another server.
    messages = [record.message for record in caplog.records if server.url in record.message]
    assert [message for message in messages if "has not been used" in message] == [
        f"the PyMCTrace for {server.url} has not been used, and nothing is stored: samplers other than PyMC's own "
        "take no trace. Use client.stream(...) for nutpie, or client.store(idata) for any result; see docs/pymc.md."
    ]
    caplog.clear()
    forgotten = PyMCTrace(server.url)
    del forgotten
    assert "has not been used" in caplog.text
    caplog.clear()
    used = make_trace()
    sample(models.eight_schools(), used)
    used.close()
    assert f"{server.url} has not been used" not in caplog.text


def test_trace_that_is_never_used_says_so_at_the_end_of_the_process(server: RunningServer) -> None:
    script = "import sys, mcbackend_edge as mcb; trace = mcb.PyMCTrace(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", script, server.url], capture_output=True, text=True, check=True)
    assert done.stderr.count("has not been used") == 1


@pytest.mark.parametrize("cores", [1, 2])
def test_interrupted_sampling_keeps_its_draws(make_trace: MakeTrace, cores: int) -> None:
    def stop(trace: Any, draw: Any) -> None:
        if len(trace) == 33:
            raise KeyboardInterrupt

    trace = make_trace()
    result = sample(models.eight_schools(), trace, cores=cores, callback=stop)
    trace.flush()
    lengths = trace.run.lengths()
    assert lengths[0] == 33 or lengths[1] == 33
    assert all(length <= 33 for length in lengths.values())
    # PyMC keeps the chains that give the most draws, and numbers them anew.
    kept = groups(result)["posterior"]["theta"].values
    drawn = [chain.get_draws("theta")[20 : 20 + kept.shape[1]].tobytes() for chain in trace.run.get_chains()]
    assert all(values.tobytes() in drawn for values in kept)
    assert trace.run.about().facts["finishedAt"]


def test_draw_that_an_interrupt_kept_from_being_sent_follows(
    make_trace: MakeTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = pymc_stream.ChainStream._copy

    def copy(self: pymc_stream.ChainStream, row: int, in_warmup: bool | None) -> None:
        if row == 24 and not sent:
            sent.append(row)
            raise KeyboardInterrupt
        original(self, row, in_warmup)

    sent: list[int] = []
    monkeypatch.setattr(pymc_stream.ChainStream, "_copy", copy)
    trace = make_trace()
    sample(models.eight_schools(), trace, chains=1, draws=30)
    trace.flush()
    assert trace.run.lengths() == {0: 25}
    assert trace.run.chain(0).get_stats("in_warmup").tolist() == [True] * 20 + [False] * 5


def test_defect_of_ours_does_not_stop_the_sampler(
    make_trace: MakeTrace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = pymc_stream.ChainStream._copy

    def copy(self: pymc_stream.ChainStream, row: int, in_warmup: bool | None) -> None:
        if row == 7:
            raise RuntimeError("a defect")
        original(self, row, in_warmup)

    monkeypatch.setattr(pymc_stream.ChainStream, "_copy", copy)
    trace = make_trace()
    assert_same(sample(models.eight_schools(), trace), sample(models.eight_schools()))
    trace.flush()
    assert trace.run.lengths() == {0: 7, 1: 7}
    assert sum("no longer stored from draw 7 on" in record.message for record in caplog.records) == 2
    assert "finishedAt" not in trace.run.about().facts


def test_server_that_goes_away_costs_the_sampler_nothing(own_server: RunningServer, spool: Path) -> None:
    def stop(trace: Any, draw: Any) -> None:
        if draw.chain == 0 and len(trace) == 10:
            own_server.kill()

    trace = PyMCTrace(own_server.url, spool=spool)
    assert_same(sample(models.eight_schools(), trace, callback=stop), sample(models.eight_schools()))
    own_server.start()
    trace.flush(30.0)
    assert trace.run.lengths() == {0: 50, 1: 50}
    trace.close()


KILLED = """
import os, signal, sys
sys.path[:0] = [sys.argv[2]]
import pymc as pm
from mcbackend_edge import PyMCTrace
from tests import pymc_models as models

def stop(trace, draw):
    if draw.chain == 1 and len(trace) == 17:
        os.kill(os.getpid(), signal.SIGKILL)

trace = PyMCTrace(sys.argv[1], rid="killed-while-it-sampled", interval=60)
models.sample(models.eight_schools(), trace, callback=stop)
"""


def test_draws_of_a_killed_process_are_in_its_spool(server: RunningServer, spool: Path) -> None:
    here = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run([sys.executable, "-c", KILLED, server.url, here], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert cli.main(["sync", "--spool", str(spool)]) == 0
    assert Client(server.url).run("killed-while-it-sampled").lengths() == {0: 50, 1: 17}


def test_large_data_are_left_out_with_a_warning(make_trace: MakeTrace, caplog: pytest.LogCaptureFixture) -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.Normal("small", mu, 1.0, observed=np.zeros(10))
        pm.Normal("large", mu, 1.0, observed=np.zeros(3_000_000))
    trace = make_trace()
    sample(model, trace, draws=5, tune=0, chains=1)
    assert set(trace.run.observed_data) == {"small"}
    assert "data 'large': too large" in caplog.text


def test_objects_among_the_stats_become_text() -> None:
    assert as_text(None) == as_text(0) == ""
    assert as_text(np.array([1, 2])) == "[1, 2]"
    assert as_text("word") == "word"
    assert as_text(object()).startswith("<object")
