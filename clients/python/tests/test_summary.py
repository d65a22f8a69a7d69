"""Summaries of a run, against the real server, ArviZ, and answers that make no sense."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client, Variable, summary

from .gate import Gate, Reply
from .server import REPOSITORY, RunningServer

pytest.importorskip("pandas", reason="pandas is not installed: pip install mcbackend-edge[datatree]")

DIAGNOSTICS = REPOSITORY / "docs" / "diagnostics.md"
CHAINS, DRAWS, WARMUP = 4, 400, 50
DEFAULT = ["mean", "sd", "median", "lb", "ub", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat"]
LABELS = ["mu", *(f"theta[{school}]" for school in ("Choate", "Deerfield", "Andover")), "k"]


def draws_of(number: int) -> dict[str, np.ndarray[Any, Any]]:
    """Draws that mix slowly; chain 2 is a little elsewhere, and k is the same everywhere."""
    random = np.random.default_rng(number)
    noise = random.standard_normal((WARMUP + DRAWS, 4))
    for i in range(1, len(noise)):
        noise[i] += 0.6 * noise[i - 1]
    noise[:, 1] = np.exp(noise[:, 1]) + 0.2 * (number == 2)
    return {"mu": noise[:, 0], "theta": noise[:, 1:], "k": np.full(len(noise), 3)}


@pytest.fixture(scope="module")
def run(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mcb.Run]:
    client = Client(server.url, spool=tmp_path_factory.mktemp("spool"))
    run = client.create_run(
        variables=[
            Variable("mu"),
            Variable("theta", "float64", (3,), ("school",)),
            Variable("k", "int64"),
            Variable("path", "float64", (-1,)),
        ],
        sample_stats={"tune": False, "lp": 0.0},
        coords={"school": ["Choate", "Deerfield", "Andover"]},
    )
    for number in range(CHAINS):
        draws = draws_of(number)
        path = [np.zeros(i % 2) for i in range(WARMUP + DRAWS)]
        tune = np.arange(WARMUP + DRAWS) < WARMUP
        run.init_chain(number).extend({**draws, "path": path}, {"tune": tune, "lp": draws["mu"] ** 2})
    run.init_chain(7).extend({"mu": [0.0], "theta": np.zeros((1, 3)), "k": [1], "path": [np.zeros(0)]})
    run.flush()
    yield run
    client.close()


def test_a_row_for_each_scalar(run: mcb.Run) -> None:
    frame = run.summary()
    assert list(frame.index) == LABELS
    assert list(frame.columns) == DEFAULT
    assert set(frame.dtypes) == {np.dtype("float64")}
    mu = np.stack([draws_of(number)["mu"][WARMUP:] for number in range(CHAINS)])
    assert frame.loc["mu", "mean"] == pytest.approx(mu.mean(), rel=1e-12)
    assert frame.loc["mu", "sd"] == pytest.approx(mu.std(ddof=1), rel=1e-12)
    assert frame.loc["k", "mean"] == 3
    assert math.isnan(frame.loc["k", "rhat"])
    assert frame.attrs == {
        "rid": run.rid,
        "registration": run.registration,
        "convention": "posterior",
        "ci": {"kind": "eti", "prob": 0.89},
        "warmup": "exclude",
        "chains": dict.fromkeys(range(CHAINS), DRAWS),
        "draws": DRAWS,
        "left_out": {7: "short", "path": "ragged"},
        "complete": True,
        "reasons": {"k": dict.fromkeys(["mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat"], "constant")},
    }


def test_a_part_of_it(run: mcb.Run) -> None:
    every = run.summary()
    part = run.summary("theta", elements=[2, 0], columns=["rhat", "mean"])
    assert part.to_dict() == every.loc[["theta[Andover]", "theta[Choate]"], ["rhat", "mean"]].to_dict()
    assert list(run.summary(["mu"], stat_names="lp", columns="mean").index) == ["mu", "lp"]
    worst = run.summary(sort="-rhat")
    assert list(worst.index) == [*every["rhat"].drop("k").sort_values(ascending=False).index, "k"]
    assert list(run.summary(sort="-rhat", limit=2).index) == list(worst.index[:2])
    assert run.summary(chains=[3, 0]).attrs["chains"] == {0: DRAWS, 3: DRAWS}
    assert run.summary(warmup="only", columns="mean").attrs["draws"] == WARMUP
    assert run.summary(warmup="include", columns="mean").attrs["draws"] == WARMUP + DRAWS


def posterior() -> Any:
    xarray = pytest.importorskip("xarray")
    draws = [{name: values[WARMUP:] for name, values in draws_of(number).items()} for number in range(CHAINS)]
    return xarray.Dataset(
        {
            "mu": (("chain", "draw"), np.stack([each["mu"] for each in draws])),
            "theta": (("chain", "draw", "school"), np.stack([each["theta"] for each in draws])),
        },
        coords={"school": ["Choate", "Deerfield", "Andover"]},
    )


@pytest.mark.skipif(sys.version_info < (3, 13), reason="arviz-stats 1.3 is there with Python 3.13 alone")
@pytest.mark.parametrize(("kind", "prob"), [("eti", 0.89), ("hdi", 0.89)])
def test_arviz_computes_the_same(run: mcb.Run, kind: Any, prob: float) -> None:
    arviz_stats = pytest.importorskip("arviz_stats")
    theirs = arviz_stats.summary(posterior(), ci_kind=kind, ci_prob=prob, round_to="none")
    bounds = {f"{kind}89_lb": "lb", f"{kind}89_ub": "ub", "r_hat": "rhat"}
    theirs = theirs.rename(columns=bounds, index=lambda label: label.replace("'", ""))
    columns = [str(column) for column in theirs.columns]
    assert {"mean", "sd", "lb", "ub", "ess_bulk", "ess_tail", "rhat", "mcse_mean", "mcse_sd"} <= set(columns)
    ours = run.summary(["mu", "theta"], convention="arviz", ci_kind=kind, ci_prob=prob, columns=columns)
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours.to_numpy(), theirs.astype(float).to_numpy(), rtol=1e-9)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="ArviZ 0.23 is there with Python 3.11 alone")
def test_arviz_of_before_computes_the_same_where_its_definitions_are_those_of_posterior(run: mcb.Run) -> None:
    az = pytest.importorskip("arviz")
    dataset = posterior()
    ours = run.summary(["mu", "theta"])
    for column, computed in {
        "rhat": az.rhat(dataset),
        "ess_bulk": az.ess(dataset, method="bulk"),
        "ess_tail": az.ess(dataset, method="tail"),
        "mcse_mean": az.mcse(dataset, method="mean"),
    }.items():
        theirs = [float(computed["mu"]), *computed["theta"].values.tolist()]
        np.testing.assert_allclose(ours[column].to_numpy(), theirs, rtol=1e-9, err_msg=column)


@pytest.mark.skipif(not DIAGNOSTICS.exists(), reason="the page lies in the repository")
def test_the_lines_of_the_page_on_diagnostics_run(
    run: mcb.Run, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    page = DIAGNOSTICS.read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert "my-run" in code
    code = code.replace("http://127.0.0.1:8787", server.url).replace("my-run", run.rid)
    exec(compile(code, "diagnostics.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.count("theta[Choate]") >= 2
    assert "divergences" in printed


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"var_names": "nothing"}, mcb.UnknownVariableError),
        ({"stat_names": "mu"}, mcb.UnknownVariableError),
        ({"elements": [0]}, ValueError),
        ({"var_names": "theta", "elements": [3]}, IndexError),
        ({"var_names": "path", "elements": [0]}, TypeError),
        ({"chains": []}, ValueError),
        ({"chains": [9]}, mcb.NotFoundError),
        ({"limit": 0}, ValueError),
        ({"columns": "mode"}, mcb.InvalidError),
        ({"sort": "mad"}, mcb.InvalidError),
        ({"ci_prob": 94}, mcb.InvalidError),
        ({"convention": "stan"}, mcb.InvalidError),
    ],
)
def test_arguments_without_sense_are_errors(run: mcb.Run, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        run.summary(**arguments)


def test_more_names_than_an_address_holds_are_told_of(run: mcb.Run) -> None:
    with pytest.raises(ValueError, match="do not fit into an address"):
        run.summary("theta", elements=[0, 2] * 2000)


def test_pages_are_put_together(run: mcb.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run.summary(sort="-rhat")
    monkeypatch.setattr(summary, "_MOST_ROWS", 2)
    paged = run.summary(sort="-rhat")
    assert paged.equals(whole)
    assert paged.attrs == whole.attrs
    assert run.summary(sort="-rhat", limit=3).equals(whole.iloc[:3])


PENDING: dict[str, Any] = {
    "rid": "r",
    "registration": "x",
    "convention": "posterior",
    "ci": {"kind": "eti", "prob": 0.89},
    "warmup": "exclude",
    "complete": False,
    "progress": 0.25,
    "chains": [],
    "leftOut": [],
    "draws": 0,
    "columns": ["mean"],
    "rows": [{"variable": "mu", "index": [], "label": "mu", "mean": None, "reasons": {"mean": "pending"}}],
}


def test_figures_that_are_not_computed_yet_are_waited_for(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run
) -> None:
    asked: list[str] = []

    def choose(_: int, path: str) -> Reply | None:
        if "/summary" not in path:
            return None
        asked.append(path)
        return Reply(200, json.dumps(PENDING).encode()) if len(asked) < 4 else None

    with Gate(server.port, choose) as gate:
        other = make_client(gate.url).run(run.rid)
        early = other.summary("mu", columns="mean", timeout=0)
        assert math.isnan(early.loc["mu", "mean"])
        assert not early.attrs["complete"]
        assert early.attrs["reasons"] == {"mu": {"mean": "pending"}}
        late = other.summary("mu", columns="mean")
    assert late.attrs["complete"]
    assert late.equals(run.summary("mu", columns="mean"))
    assert len(asked) == 4


def test_a_server_that_computes_fewer_at_once_is_asked_for_smaller_pages(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run
) -> None:
    problem = {"code": "payload_too_large", "status": 413, "title": "t", "detail": "d", "type": "x", "limit": 1}
    reply = Reply(413, json.dumps(problem).encode(), {"Content-Type": "application/problem+json"})

    def choose(_: int, path: str) -> Reply | None:
        return reply if "/summary" in path and ("limit=10000" in path or "limit=1000" in path) else None

    with Gate(server.port, choose) as gate:
        assert make_client(gate.url).run(run.rid).summary().equals(run.summary())
    refuse = Gate(server.port, lambda _, path: reply if "/summary" in path else None)
    with refuse as gate, pytest.raises(mcb.PayloadTooLargeError):
        make_client(gate.url).run(run.rid).summary()


def test_an_earlier_server_is_told_of(server: RunningServer, make_client: Callable[..., Client], run: mcb.Run) -> None:
    problem = json.dumps({"code": "not_found", "status": 404, "title": "t", "detail": "d", "type": "about:blank"})
    reply = Reply(404, problem.encode(), {"Content-Type": "application/problem+json"})
    with Gate(server.port, lambda _, path: reply if "/summary" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.OldServerError, match="gives no summaries"):
            other.summary()


def test_without_pandas_it_is_told_what_to_install(run: mcb.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"mcbackend-edge\[datatree\]"):
        run.summary()


WHOLE = {**PENDING, "complete": True, "rows": [{"label": "mu", "mean": 1.5}]}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {**WHOLE, "complete": 1},
        {**WHOLE, "rows": None},
        {**WHOLE, "rows": [None]},
        {**WHOLE, "rows": [{"label": "mu"}]},
        {**WHOLE, "rows": [{"label": 1, "mean": 1.5}]},
        {**WHOLE, "rows": [{"label": "mu", "mean": None}]},
        {**WHOLE, "rows": [{"label": "mu", "mean": True}]},
        {**WHOLE, "rows": [{"label": "mu", "mean": None, "reasons": {"mean": "mood"}}]},
        {**WHOLE, "rows": [{"label": "mu", "mean": None, "reasons": ["mean"]}]},
        {**WHOLE, "columns": [1]},
        {**WHOLE, "draws": -1},
        {**WHOLE, "ci": None},
        {**WHOLE, "chains": [{"chain": "0", "draws": 1}]},
        {**WHOLE, "leftOut": [{"reason": "short"}]},
        {**WHOLE, "leftOut": [{"chain": 0, "reason": None}]},
        {**WHOLE, "nextCursor": 5},
        {**WHOLE, "rows": [], "nextCursor": "x"},
        {**WHOLE, "complete": False, "progress": "much"},
    ],
)
def test_answers_without_sense_are_errors(
    server: RunningServer, make_client: Callable[..., Client], run: mcb.Run, content: Any
) -> None:
    body = json.dumps(content).encode()
    with Gate(server.port, lambda _, path: Reply(200, body) if "/summary" in path else None) as gate:
        other = make_client(gate.url).run(run.rid)
        with pytest.raises(mcb.ProtocolError):
            other.summary()
