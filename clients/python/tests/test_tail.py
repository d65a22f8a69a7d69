"""`tail`: files that come late, runs that are started again, and chains that several processes follow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mcbackend_edge import Client, DrawConflictError, RunConflictError, Variable, new_rid
from mcbackend_edge.cli import main
from mcbackend_edge.stan import tail as module
from mcbackend_edge.stan.progress_line import text_of
from mcbackend_edge.stan.sources import Named, Pattern, sources_of
from mcbackend_edge.stan.tail import Tail

from .server import RunningServer
from .tailing import TIMING, head, rows, store, tailing, thetas, whole

# -- started again, and by several -------------------------------------------------------------------------------------


def test_it_does_not_matter_which_chain_comes_first(client: Client, tmp_path: Path) -> None:
    rid, first, second = new_rid(), tmp_path / "output_1.csv", tmp_path / "output_2.csv"
    second.write_text(whole(2, seed=22))
    tail, said = store(client, rid, first, second)
    assert list(tail.errors) == [first]
    assert said[-1].endswith("complete, 6 draws in chain 1")
    first.write_text(whole(1, seed=11))
    tail, _ = store(client, rid, first, second)
    assert not tail.errors
    assert (thetas(client, rid, 0)[0], thetas(client, rid, 1)[0]) == (1.01, 2.01)
    chains = client.run(rid).about().facts["chains"]
    assert {number: chain["seed"] for number, chain in chains.items()} == {"0": 11, "1": 22}


def test_every_node_of_a_job_array_follows_its_own_chain(
    server: RunningServer, client: Client, tmp_path: Path, spool: Path
) -> None:
    """All at once, with the same `id` in their files, as CmdStan's num_chains writes it."""
    rid = new_rid()
    command = [sys.executable, "-m", "mcbackend_edge", "tail", "--url", server.url, "--rid", rid, "--name", "array"]
    nodes = []
    for chain in (1, 2, 7):
        path = tmp_path / f"node{chain}.csv"
        path.write_text(whole(chain, seed=chain).replace("# random", "# id = 1\n# random"))
        nodes.append(subprocess.Popen([*command, "--chain", str(chain), str(path)], stdout=subprocess.PIPE, text=True))
    outputs = [node.communicate(timeout=60)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0, 0], outputs
    run = client.run(rid)
    assert run.lengths() == {1: 6, 2: 6, 7: 6}
    assert thetas(client, rid, 7)[0] == 7.01
    assert {number: chain["seed"] for number, chain in run.about().facts["chains"].items()} == {"1": 1, "2": 2, "7": 7}
    # A second node that says nothing is refused with the way out, and leaves nothing for `sync`.
    code = main(["tail", "--once", "--url", server.url, "--rid", rid, str(tmp_path / "node1.csv")])
    assert code == 0
    assert list(spool.rglob("*.pb")) == []


def test_a_chain_that_is_another_is_refused_with_the_way_out(
    server: RunningServer, client: Client, tmp_path: Path, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is called complete that the server does not have, and no draw is left for `sync` to fail on."""
    rid = new_rid()
    for chain in (1, 2):
        (tmp_path / f"node{chain}.csv").write_text(whole(chain, seed=chain))
    command = ["tail", "--once", "--url", server.url, "--rid", rid]
    assert main([*command, str(tmp_path / "node1.csv")]) == 0
    capsys.readouterr()
    assert main([*command, str(tmp_path / "node2.csv")]) == 1
    output = capsys.readouterr().out
    assert "complete" not in output
    assert f"So chain 0 of run {rid} is another run's, or this file is another chain" in output
    assert "--chain N" in output
    assert [path for path in spool.rglob("*") if path.is_file() and path.suffix == ".seg"] == []
    assert main(["sync", "--url", server.url]) == 0
    assert thetas(client, rid) == [1.01, 1.02, 1.03, 1.04, 1.05, 1.06]
    capsys.readouterr()
    assert main([*command, "--chain", "1", str(tmp_path / "node2.csv")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"run {rid}: 1 chain, 6 draws on the server: {server.url}/v1/runs/{rid}"
    assert client.run(rid).lengths() == {0: 6, 1: 6}


def test_a_refused_chain_keeps_no_other_from_being_stored(client: Client, tmp_path: Path) -> None:
    rid, first, second = new_rid(), tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(whole(1))
    store(client, rid, first)
    first.write_text(whole(9))
    second.write_text(whole(2))
    tail, said = store(client, rid, first, second)
    assert list(tail.errors) == [first]
    assert isinstance(tail.errors[first], DrawConflictError)
    assert any(line.endswith("2.csv: complete, 6 draws in chain 1") for line in said)
    assert thetas(client, rid, 1)[0] == 2.01


def test_runs_of_earlier_releases_are_completed(client: Client, tmp_path: Path) -> None:
    """They have the first chain's seed and the version among their attributes, and lack the method."""
    rid, first, second = new_rid(), tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(whole(1, seed=11))
    second.write_text(whole(2, seed=22))
    run = client.create_run(
        rid,
        variables=[Variable("theta")],
        sample_stats=[Variable("lp__"), Variable("accept_stat__"), Variable("tune", "bool")],
        attributes={"seed": "22", "num_samples": "6", "num_warmup": "0", "stan_version_major": "2"},
    )
    stats = {"lp__": [-2.01, -2.02], "accept_stat__": [0.9, 0.9], "tune": [False, False]}
    run.init_chain(1).extend({"theta": [2.01, 2.02]}, stats)
    run.flush()
    tail, _ = store(client, rid, first, second)
    assert not tail.errors
    assert client.run(rid).lengths() == {0: 6, 1: 6}
    assert client.run(rid).attributes["seed"] == "22"
    first.write_text(whole(1, samples=7))
    tail, _ = store(client, rid, first)
    assert isinstance(tail.errors[first], RunConflictError)
    assert "its num_samples is 7, that of the run 6" in str(tail.errors[first])


def test_bools_of_two_versions_of_cmdstan_are_the_same(client: Client, tmp_path: Path) -> None:
    rid, first, second = new_rid(), tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(
        head(more="#     save_warmup = 0 (Default)\n#  delta = 0.80000000000000004\n") + rows(1, 1, 6) + TIMING
    )
    second.write_text(head(more="#     save_warmup = false (Default)\n#  delta = 0.8\n") + rows(2, 1, 6) + TIMING)
    tail, _ = store(client, rid, first, second)
    assert not tail.errors


# -- files that come late ----------------------------------------------------------------------------------------------


def test_files_that_are_waited_for_are_named_once(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "output.csv"
    tail, said = tailing(client, None, path)

    def write() -> None:
        time.sleep(0.3)
        path.write_text(whole(1))

    writer = threading.Thread(target=write)
    writer.start()
    tail.follow(interval=0.02)
    tail.finish()
    assert said[0] == f"{path}: not there yet; waiting for it"
    assert re.fullmatch(f"{re.escape(str(path))}: there after [0-9] s", said[1])
    assert sum("waiting" in line for line in said) == 1
    assert said[-1].endswith("complete, 6 draws in chain 0")


def test_a_pattern_takes_files_as_they_come(client: Client, tmp_path: Path) -> None:
    """Their chains are told by their numbers, whichever comes first: a second start finds the same."""
    rid, said = new_rid(), list[str]()
    pattern = str(tmp_path / "output_*.csv")
    tail = Tail(client, Pattern(pattern, chains=2), rid, said.append)

    def write() -> None:
        time.sleep(0.2)
        (tmp_path / "output_10.csv").write_text(head() + rows(10, 1, 2))
        time.sleep(0.2)
        (tmp_path / "output_2.csv").write_text(whole(2))
        time.sleep(0.2)
        with (tmp_path / "output_10.csv").open("a") as file:
            file.write(rows(10, 3, 4) + TIMING)

    writer = threading.Thread(target=write)
    writer.start()
    tail.follow(interval=0.02)
    tail.finish()
    assert said[0] == f"{pattern}: not there yet; waiting for it"
    assert not tail.errors
    assert client.run(rid).lengths() == {1: 6, 9: 6}
    (tmp_path / "output_1.csv").write_text(whole(1))
    again = Tail(client, Pattern(pattern, chains=3), rid, said.append)
    again.follow(interval=0.02)
    again.finish()
    assert not again.errors
    assert client.run(rid).lengths() == {0: 6, 1: 6, 9: 6}
    assert thetas(client, rid, 9)[0] == 10.01


def test_numbers_of_files_tell_the_chains(tmp_path: Path) -> None:
    def found(pattern: str, *names: str) -> dict[int, str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        return {number: path.name for number, path in Pattern(str(folder / pattern)).find().items()}

    twelve = [f"o_{number}.csv" for number in range(1, 13)]
    assert list(found("o_*.csv", *twelve).values()) == twelve
    assert found("o_*.csv", "o_0.csv", "o_1.csv") == {0: "o_0.csv", 1: "o_1.csv"}
    assert found("*_?.csv", "m-20261128_1.csv", "m-20261128_2.csv") == {0: "m-20261128_1.csv", 1: "m-20261128_2.csv"}
    assert found("o-[0-9].csv", "o-3.csv") == {2: "o-3.csv"}
    assert found("**/*.csv", "c4.csv") == {3: "c4.csv"}
    cmdstanr = [
        f"bern-202611281200-{number}-{end}.csv" for number, end in ((1, "5f3a2c"), (2, "531204"), (10, "a1b2c9"))
    ]
    assert list(found("bern-*.csv", *cmdstanr).values()) == cmdstanr
    assert found("m-*.csv", "m-7_v2b.csv") == {6: "m-7_v2b.csv"}
    (tmp_path / "x_1.csv").touch()
    (tmp_path / "y_1.csv").touch()
    (tmp_path / "z.csv").touch()
    pattern = Pattern(str(tmp_path / "*.csv"))
    assert pattern.find() == {0: tmp_path / "x_1.csv"}
    assert {path.name for path in pattern.problems} == {"y_1.csv", "z.csv"}
    late = Pattern(str(tmp_path / "x_*.csv"))
    late.find()
    (tmp_path / "x_0.csv").touch()
    assert late.find() == {0: tmp_path / "x_1.csv"}
    assert "come after files that count from 1" in str(late.problems)


def test_arguments_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stand alone"):
        sources_of(["a_*.csv", "b.csv"], None)
    with pytest.raises(ValueError, match="--chain is for named files"):
        sources_of(["a_*.csv"], 2)
    with pytest.raises(ValueError, match="named twice"):
        sources_of(["a.csv", "./a.csv"], None)
    (tmp_path / "a[1].csv").touch()
    assert isinstance(sources_of([str(tmp_path / "a[1].csv")], None), Named)
    assert sources_of(["a.csv", "b.csv"], 4).find().keys() == {4, 5}


def test_a_file_that_nothing_ends(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of R or pandas, whose warmup the caller tells."""
    path = tmp_path / "table.csv"
    path.write_text("lp__,theta\n" + "-1,2.5\n" * 5)
    monkeypatch.setattr(module, "QUIET", 0.1)
    refused, _ = tailing(client, None, path)
    refused.follow(interval=0.02)
    refused.finish()
    assert "--warmup N" in str(refused.errors[path])
    tail, said = tailing(client, None, path, warmup=2)
    tail.follow(interval=0.02)
    tail.finish()
    assert said[-1] == f"{path}: nothing marks its end, 5 draws in chain 0"
    assert tail.run is not None
    run = client.run(tail.run.rid)
    assert run.chain(0).warmup_length() == 2
    assert "method" not in run.attributes


# -- names, facts and progress -----------------------------------------------------------------------------------------


def test_everything_by_which_a_run_is_found(server: RunningServer, client: Client, tmp_path: Path) -> None:
    rid, path = new_rid(), tmp_path / "o.csv"
    path.write_text(whole(1))
    options = [
        "--name",
        "bern",
        "--tag",
        "a",
        "--notes",
        "of a test",
        "--attribute",
        "prior=weak",
        "--attribute",
        "n=5",
    ]
    command = ["tail", "--url", server.url, "--rid", rid, *options, "--no-capture", str(path)]
    assert main(command) == 0
    assert main(command) == 0
    about = client.run(rid).about()
    assert (about.name, about.tags, about.notes, about.state) == ("bern", ("a",), "of a test", "done")
    assert (about.attributes["prior"], about.attributes["n"]) == ("weak", 5)
    assert "host" not in about.facts["environment"]
    assert about.facts["samplingTime"] == 1.5
    assert about.facts["chains"]["0"] == {"seed": 1, "samplingTime": 1.5, "warmupTime": 0.5}
    assert main([*command, "--attribute", "n=6"]) == 0
    assert main(["tail", "--url", server.url, "--rid", new_rid(), "--capture", str(path)]) == 0
    newest = next(client.runs(1))
    assert client.run(newest.rid).about().facts["environment"]["host"]


@pytest.mark.parametrize(
    "options", [["--chain", "-1"], ["--warmup", "x"], ["--interval", "nan"], ["--attribute", "x"], ["--idle", "-3"]]
)
def test_options_that_make_no_sense(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tail", *options, "x.csv"])
    assert options[0] in capsys.readouterr().err


def test_large_metrics_are_left_out_with_one_message(client: Client, tmp_path: Path) -> None:
    size = 300
    adapted = "# Adaptation terminated\n# Step size = 0.25\n# Elements of inverse mass matrix:\n"
    matrix = "".join(f"# {', '.join(['0.123456789'] * size)}\n" for _ in range(size))
    paths = [tmp_path / f"{number}.csv" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_text(head() + adapted + matrix + rows(number, 1, 6) + TIMING)
    tail, said = store(client, None, *paths)
    assert not tail.errors
    assert sum("inverse metric of 300 parameters is too large" in line for line in said) == 1
    assert tail.run is not None
    chains = client.run(tail.run.rid).about().facts["chains"]
    assert [chain["stepSize"] for chain in chains.values()] == [0.25, 0.25]
    assert not any("inverseMetric" in chain for chain in chains.values())


def test_dense_metrics_of_many_chains_stay_within_the_bound(client: Client, tmp_path: Path) -> None:
    """Each chain has its share of the facts, which a server bounds."""
    size, adapted = 2000, "# Adaptation terminated\n# Step size = 0.25\n# Diagonal elements of inverse mass matrix:\n"
    paths = [tmp_path / f"{number}.csv" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_text(head() + adapted + f"# {', '.join(['0.123456789'] * size)}\n" + rows(number, 1, 6) + TIMING)
    tail, _ = store(client, None, *paths)
    assert tail.run is not None
    chains = client.run(tail.run.rid).about().facts["chains"]
    assert all(np.array(chain["inverseMetric"]).shape == (size,) for chain in chains.values())
    assert len(chains) == 8


def test_progress_is_drawn_on_a_terminal(server: RunningServer, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="this platform has no pseudo-terminals")
    path = tmp_path / "o.csv"
    path.write_text(head(samples=8) + rows(1, 1, 2))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mcbackend_edge", "tail", "--url", server.url, "--interval", "0.05", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    drawn = b""
    while b"chain 0: 2 of 8 (25 %)" not in drawn:
        drawn += os.read(ours, 4096)
    path.write_text(head(samples=8) + rows(1, 1, 8) + TIMING)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "complete, 8 draws in chain 0" in output
    os.close(ours)


def test_many_chains_share_one_line_of_progress(client: Client, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.csv" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_text(head() + rows(number, 1, 3))
    tail, _ = tailing(client, None, *paths)
    tail.poll()
    assert text_of(tail.files) == "8 chains: 24 of 48 (50 %)"
    assert text_of({0: tail.files[0]}) == "chain 0: 3 of 6 (50 %)"


def test_what_is_no_file_is_told(client: Client, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.csv"
    os.mkfifo(fifo)
    secret = tmp_path / "secret.csv"
    secret.write_text(whole(1))
    shutil.copy(secret, tmp_path / "good.csv")
    tail, _ = tailing(client, None, tmp_path, fifo, tmp_path / "good.csv")
    tail.follow(interval=0.01)
    tail.finish()
    assert "folder, pipe or device" in str(tail.errors[tmp_path])
    assert "folder, pipe or device" in str(tail.errors[fifo])
    assert tail.run is not None
    assert client.run(tail.run.rid).lengths() == {2: 6}
