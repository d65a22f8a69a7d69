"""Real CmdStan: output of each of its methods and ways to sample, stored and compared number by number."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcbackend_edge import Client, DamagedFileError, Run, new_rid
from mcbackend_edge.stan.csv_file import read_csv
from mcbackend_edge.stan.sources import Pattern
from mcbackend_edge.stan.tail import Tail

from .server import RunningServer
from .stan_program import SHAPES, StanProgram, program

__all__ = ["program"]


def table(path: Path) -> tuple[list[str], np.ndarray[Any, Any], int]:
    """Names, numbers, and how many rows stand before the adaptation."""
    lines = path.read_text().splitlines()
    rows = [index for index, line in enumerate(lines) if line and line[0] != "#"]
    ends = [index for index, line in enumerate(lines) if "Adaptation terminated" in line]
    values = np.array([[float(cell) for cell in lines[index].split(",")] for index in rows[1:]])
    return lines[rows[0]].split(","), values, sum(index < ends[0] for index in rows[1:]) if ends else 0


def follow(client: Client, *paths: Path, **options: Any) -> Run:
    tail = Tail(client, list(paths), None, lambda _: None, **options)
    tail.poll()
    tail.finish()
    assert not tail.errors
    assert tail.run is not None
    return client.run(tail.run.rid)


def check(run: Run, number: int, path: Path, skipped: int = 0) -> None:
    """Every number of the file is in the chain."""
    names, values, _ = table(path)
    chain = run.chain(number)
    for column, name in enumerate(names):
        base, *indices = name.split(".")
        stored = chain.get_stats(base) if base.endswith("__") else chain.get_draws(base)
        element = stored[(slice(None), *(int(index) - 1 for index in indices))]
        assert np.array_equal(element, values[skipped:, column], equal_nan=True), name
    assert {name: var.shape for name, var in run.variables.items()} == SHAPES


WAYS = {
    "plain": [],
    "save_warmup": ["save_warmup=1"],
    "thin": ["thin=3"],
    "thin, save_warmup": ["thin=3", "save_warmup=1"],
    "thin that divides": ["thin=5", "save_warmup=1"],
    "fixed_param": ["algorithm=fixed_param"],
    "fixed_param, save_warmup": ["save_warmup=1", "algorithm=fixed_param"],
    "fixed_param, save_warmup, thin": ["save_warmup=1", "thin=2", "algorithm=fixed_param"],
    "no adaptation": ["adapt", "engaged=0"],
    "no adaptation, save_warmup": ["save_warmup=1", "adapt", "engaged=0"],
    "dense": ["save_warmup=1", "algorithm=hmc", "metric=dense_e"],
    "unit": ["save_warmup=1", "algorithm=hmc", "metric=unit_e"],
    "static": ["save_warmup=1", "algorithm=hmc", "engine=static", "int_time=0.5"],
}


@pytest.mark.parametrize("way", WAYS)
def test_warmup_is_what_stands_before_the_end_of_adaptation(
    client: Client, program: StanProgram, tmp_path: Path, way: str
) -> None:
    path = program.run("sample", "num_samples=10", "num_warmup=20", *WAYS[way])
    _, values, warmup = table(path)
    run = follow(client, path)
    check(run, 0, path)
    tune = run.chain(0).get_stats("tune")
    assert tune.tolist() == [True] * warmup + [False] * (len(values) - warmup)
    about = run.about()
    assert about.state == "done"
    assert about.facts["expected"] == {"draws": len(values) - warmup, "warmup": warmup}
    facts = about.facts["chains"]["0"]
    assert facts["seed"] == 7
    assert ("stepSize" in facts) == ("fixed" not in way)
    metric = np.array(facts.get("inverseMetric", []))
    assert metric.shape == {"dense": (7, 7), "unit": (0,)}.get(way, (0,) if "fixed" in way else (7,))
    assert about.facts["settings"]["num_warmup"] == 20
    assert about.facts["environment"]["packages"]["stan"].startswith("2.")
    assert about.facts["samplingTime"] == facts["samplingTime"] >= facts["warmupTime"] >= 0
    started, finished = (dt.datetime.fromisoformat(about.facts[name]) for name in ("startedAt", "finishedAt"))
    assert started <= finished
    assert about.attributes["inference_library"] == "stan"


def test_no_warmup_at_all(client: Client, program: StanProgram) -> None:
    path = program.run("sample", "num_samples=4", "num_warmup=0", "save_warmup=1", "adapt", "engaged=0")
    run = follow(client, path)
    assert not run.chain(0).get_stats("tune").any()
    check(run, 0, path)


def test_chains_of_one_process(client: Client, program: StanProgram, tmp_path: Path) -> None:
    """They have one `id` and one seed in their settings, and are told apart by the numbers of their files."""
    program.run("sample", "num_samples=10", "num_warmup=20", "num_chains=11", output="o.csv")
    tail = Tail(client, Pattern(str(tmp_path / "o_*.csv")), None, lambda _: None)
    tail.follow(interval=0.01)
    tail.finish()
    assert not tail.errors
    assert tail.run is not None
    run = client.run(tail.run.rid)
    assert set(run.lengths()) == set(range(11))
    for number in (0, 1, 9, 10):
        check(run, number, tmp_path / f"o_{number + 1}.csv")
    assert run.about().facts["chains"].keys() == {str(number) for number in range(11)}


METHODS = {
    "optimize": (["optimize"], {"lp__"}),
    "optimize, all iterations": (["optimize", "save_iterations=1"], {"lp__"}),
    "variational": (["variational", "output_samples=6"], {"lp__", "log_p__", "log_g__"}),
    "pathfinder": (["pathfinder", "num_paths=2", "num_draws=5", "num_psis_draws=6"], {"lp_approx__", "lp__", "path__"}),
    "pathfinder, one path": (["pathfinder", "num_paths=1", "num_draws=5"], {"lp_approx__", "lp__", "path__"}),
    "pathfinder, not resampled": (
        ["pathfinder", "num_paths=2", "num_draws=5", "psis_resample=0", "calculate_lp=0"],
        {"lp_approx__", "lp__", "path__"},
    ),
    "laplace": (["laplace", "mode=mode.csv", "draws=5"], {"log_p__", "log_q__"}),
    "laplace without lp": (["laplace", "mode=mode.csv", "draws=5", "calculate_lp=0"], {"log_p__", "log_q__"}),
}


@pytest.mark.parametrize("name", METHODS)
def test_other_methods_are_draws_of_their_kind(client: Client, program: StanProgram, tmp_path: Path, name: str) -> None:
    arguments, stats = METHODS[name]
    if "laplace" in name:
        program.run("optimize", "jacobian=1", output="mode.csv")
    path = program.run(*arguments)
    names, values, _ = table(path)
    said: list[str] = []
    tail = Tail(client, [path], None, said.append)
    tail.poll()
    tail.finish()
    assert not tail.errors
    run = client.run(tail.run.rid if tail.run else "")
    has_mean = name == "variational"
    check(run, 0, path, skipped=int(has_mean))
    assert run.sample_stats.keys() == stats
    assert run.attributes["method"] == arguments[0]
    assert any(line.startswith(f"method {arguments[0]}: ") for line in said)
    facts = run.about().facts
    mean = facts["chains"]["0"].get("mean")
    own = {name: value for name, value in zip(names, values[0]) if not name.endswith("__")}
    assert mean == (own if has_mean else None)
    if "pathfinder" in name:
        assert run.sample_stats["path__"].dtype == "int64"


def test_output_that_is_no_draws_is_refused(client: Client, program: StanProgram, tmp_path: Path) -> None:
    """Before anything is stored; while it is followed, too."""
    program.run("diagnose", output="diagnose.csv")
    program.run("sample", "num_samples=5", "num_warmup=20", more=["diagnostic_file=diagnostic.csv"])
    (tmp_path / "parameters.json").write_text('{"params_r": [[0, 0, 0, 0, 0, 0, 0]]}')
    program.run("log_prob", "unconstrained_params=parameters.json", output="log_prob.csv")
    reasons = {"diagnose": "tests of gradients", "log_prob": "log densities", "diagnostic": "momenta and gradients"}
    tail = Tail(client, [tmp_path / f"{name}.csv" for name in reasons], None, lambda _: None)
    tail.follow(interval=0.01)
    tail.finish()
    for name, reason in reasons.items():
        assert reason in str(tail.errors[tmp_path / f"{name}.csv"])
    assert tail.run is None


def test_one_run_holds_one_configuration(client: Client, program: StanProgram, tmp_path: Path) -> None:
    """A file of another one is refused before its first draw, with what differs."""
    first = program.run("sample", "num_samples=10", "num_warmup=20", output="1.csv")
    others = {
        "its num_samples is 12, that of the run 10": ["sample", "num_samples=12", "num_warmup=20"],
        "its num_warmup is 30, that of the run 20": ["sample", "num_samples=10", "num_warmup=30"],
        "its metric is unit_e, that of the run diag_e": [
            *("sample", "num_samples=10", "num_warmup=20", "algorithm=hmc", "metric=unit_e")
        ],
        "it has the stat log_p__, which the run does not have": ["variational", "output_samples=10"],
        "it lacks the stat": ["optimize"],
    }
    rid = new_rid()
    for number, (reason, arguments) in enumerate(others.items()):
        other = program.run(*arguments, output=f"other-{number}.csv")
        tail = Tail(client, [first, other], rid, lambda _: None)
        tail.poll()
        tail.finish()
        assert reason in str(tail.errors[other])
        assert client.run(rid).lengths() == {0: 10}
        # The other way round, and in a process of its own: the server has the run.
        alone = Tail(client, [other], rid, lambda _: None)
        alone.poll()
        alone.finish()
        assert reason in str(alone.errors[other])


def test_the_program_is_followed_while_it_samples(
    server: RunningServer, client: Client, program: StanProgram, tmp_path: Path
) -> None:
    rid = new_rid()
    command = [sys.executable, "-m", "mcbackend_edge", "tail", "--url", server.url, "--rid", rid, "--interval", "0.05"]
    tail = subprocess.Popen([*command, str(tmp_path / "o_*.csv")], stdout=subprocess.PIPE, text=True)
    running = program.start("sample", "num_samples=3000", "num_warmup=500", "num_chains=2", output="o.csv", seed=3)
    assert running.wait(120) == 0
    output, _ = tail.communicate(timeout=120)
    assert tail.returncode == 0, output
    assert output.count("complete, 3,000 draws in chain") == 2
    run = client.run(rid)
    for number in (0, 1):
        check(run, number, tmp_path / f"o_{number + 1}.csv")


def test_generated_quantities_have_the_warmup_of_their_draws(
    client: Client, program: StanProgram, tmp_path: Path
) -> None:
    """CmdStan generates from every row of the file, those of warmup as well, and its output does not tell which."""
    fitted = program.run("sample", "num_samples=10", "num_warmup=20", "save_warmup=1", "thin=2", output="fit.csv")
    head = "# method = generate_quantities\n#   generate_quantities\n#     fitted_params = {}\ny.1,y.2\n"
    rows = "".join(f"{row}.5,2\n" for row in range(15))
    path = tmp_path / "gq.csv"
    for name in (str(fitted), "fit.csv", f"{fitted},other.csv"):
        path.write_text(head.format(name) + rows)
        _, _, marks = read_csv(path)
        assert marks.tolist() == [True] * 10 + [False] * 5
    path.write_text(head.format("gone.csv") + rows)
    with pytest.raises(DamagedFileError, match=r"made from gone\.csv, which cannot be read .* --warmup N"):
        read_csv(path)
    draws, _, marks = read_csv(path, warmup=3)
    assert marks.tolist() == [True] * 3 + [False] * 12
    assert draws["y"].shape == (15, 2)
    path.write_text(head.format(fitted) + rows[: rows.index("14.5")])
    with pytest.raises(DamagedFileError, match="ends after 14 of 15 draws"):
        read_csv(path)
    path.write_text(head.format(fitted) + rows)
    run = follow(client, path)
    assert run.attributes["method"] == "generate_quantities"
    assert run.chain(0).warmup_length() == 10


def test_a_name_that_leads_to_two_files_of_draws_is_asked_about(
    program: StanProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CmdStan's folder is not known: a file of that name lies in the present one, too, with as many other rows."""
    program.run("sample", "num_samples=10", "num_warmup=20", output="fit.csv")
    other = tmp_path / "other"
    other.mkdir()
    fitted = program.run("sample", "num_samples=4", "num_warmup=6", "save_warmup=1", output="other/fit.csv")
    head = "# method = generate_quantities\n#   generate_quantities\n#     fitted_params = {}\ny\n"
    path = tmp_path / "gq.csv"
    path.write_text(head.format("fit.csv") + "1\n" * 10)
    monkeypatch.chdir(other)
    with pytest.raises(DamagedFileError, match=r"made from fit\.csv, and .* differ: say with --warmup N"):
        read_csv(path)
    assert not read_csv(path, warmup=0)[2].any()
    path.write_text(head.format(fitted) + "1\n" * 10)
    assert read_csv(path)[2].tolist() == [True] * 6 + [False] * 4
    monkeypatch.chdir(tmp_path)
    path.write_text(head.format("fit.csv") + "1\n" * 10)
    assert not read_csv(path)[2].any()
