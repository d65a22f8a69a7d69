"""CmdStan's CSV files: real ones, damaged ones, and ones that grow while they are followed."""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbackend_edge import Client, DamagedFileError, new_rid
from mcbackend_edge.stan.columns import group_columns
from mcbackend_edge.stan.csv_file import CsvFile, read_csv
from mcbackend_edge.stan.tail import Tail

from .server import RunningServer

RUNS = [
    ["bern-1.csv", "bern-2.csv", "bern-3.csv", "bern-4.csv"],
    ["corr_gauss_depth8-1.csv"],
    ["logistic_output_1.csv", "logistic_output_2.csv", "logistic_output_3.csv", "logistic_output_4.csv"],
    ["multidim_vars.csv"],
]
DAMAGED = {
    "output_bad_cols.csv": (44, "there are 7 values, not 8"),
    "output_bad_metric_1.csv": (40, "draws begin without the adaptation"),
    "output_bad_rows.csv": (54, "there are 9 draws, not 10"),
}


def python(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcbackend_edge", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def plain(path: Path) -> tuple[list[str], np.ndarray[Any, Any]]:
    """The table in a file, by Python's own CSV reader."""
    with path.open() as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#") and line.strip()))
    return rows[0], np.array([[float(cell) for cell in row] for row in rows[1:]])


def element(name: str) -> tuple[str, tuple[int, ...]]:
    base, *indices = name.split(".")
    return base, tuple(int(index) - 1 for index in indices)


@pytest.mark.parametrize("names", RUNS, ids=lambda names: names[0])
def test_real_files_go_in_and_come_back(
    server: RunningServer, client: Client, shared_data: Path, names: list[str]
) -> None:
    files = [shared_data / "cmdstan" / name for name in names]
    rid = new_rid()
    done = python("tail", "--url", server.url, "--rid", rid, "--idle", "0", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    run = client.run(rid)
    assert run.attributes["num_samples"].isdecimal()
    for number, path in enumerate(files):
        header, table = plain(path)
        chain = run.chain(number)
        assert len(chain) == len(table)
        assert not chain.get_stats("tune").any()
        for column, name in enumerate(header):
            base, index = element(name)
            values = chain.get_stats(base) if base.endswith("__") else chain.get_draws(base)
            assert np.array_equal(values[(slice(None), *index)], table[:, column]), name
    assert {run.sample_stats[name].dtype for name in ("treedepth__", "n_leapfrog__")} == {"int64"}
    assert run.sample_stats["divergent__"].dtype == "bool"
    if names[0] == "multidim_vars.csv":
        assert run.variables["y_rep"].shape == (5, 4, 3)
    # Once more under the same id: the server has it all.
    again = python("tail", "--url", server.url, "--rid", rid, *files)
    assert again.returncode == 0, again.stdout + again.stderr
    assert set(run.lengths().values()) == {len(plain(files[0])[1])}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_get_an_error_with_file_and_line(
    server: RunningServer, client: Client, shared_data: Path, tmp_path: Path, name: str
) -> None:
    """And the other files are stored nevertheless."""
    rid = new_rid()
    bad, good = shared_data / "cmdstan" / name, tmp_path / "good.csv"
    lines = (shared_data / "cmdstan" / "output_bad_rows.csv").read_text().splitlines(keepends=True)
    good.write_text("".join([*lines[:45], lines[45], *lines[45:]]))
    done = python("tail", "--url", server.url, "--rid", rid, bad, good)
    line, problem = DAMAGED[name]
    assert done.returncode == 1
    assert f"error: {bad}, line {line}: {problem}" in done.stdout
    assert client.run(rid).lengths()[1] == 10
    with pytest.raises(DamagedFileError) as caught:
        read_csv(bad)
    assert (caught.value.path, caught.value.line) == (str(bad), line)


HEADER = """# method = sample (Default)
#   sample
#     num_samples = {samples}
#     num_warmup = {warmup}
#     save_warmup = {save}
#     thin = {thin} (Default)
#     adapt
#       engaged = {engaged}
#     algorithm = {algorithm} (Default)
lp__,accept_stat__,divergent__,theta.1.1,theta.2.1,theta.1.2,theta.2.2,z.real,z.imag,w.1.real,w.2.real,t:1.1,t:1.2
"""
ADAPTED = "# Adaptation terminated\n# Step size = 0.5\n# Diagonal elements of inverse mass matrix:\n# 1, 1\n"
FOOTER = "# \n#  Elapsed Time: 0.1 seconds (Warm-up)\n# \n"


def row(index: int) -> str:
    return ",".join(map(str, [-index, 0.5, index % 2, *(index + k / 10 for k in range(10))])) + "\n"


def text(
    samples: int, warmup: int, *, save: str = "1", thin: int = 1, engaged: str = "1", algorithm: str = "hmc"
) -> str:
    options = {"samples": samples, "warmup": warmup, "save": save, "thin": thin, "engaged": engaged}
    head = HEADER.format(algorithm=algorithm, **options)
    kept = -(-warmup // thin) if save in ("1", "true") else 0
    adapted = ADAPTED if engaged in ("1", "true") and algorithm == "hmc" else ""
    rows = [row(index) for index in range(kept + -(-samples // thin))]
    return head + "".join(rows[:kept]) + adapted + "".join(rows[kept:]) + FOOTER


@pytest.mark.parametrize(
    ("content", "warmup", "total"),
    [
        (text(5, 3), 3, 8),
        (text(5, 3, save="true", engaged="true"), 3, 8),
        (text(5, 3, save="0"), 0, 5),
        (text(7, 5, thin=3), 2, 5),
        (text(4, 3, engaged="0"), 3, 7),
        (text(4, 3, save="false", algorithm="fixed_param"), 0, 4),
    ],
)
def test_warmup_is_kept_apart(tmp_path: Path, content: str, warmup: int, total: int) -> None:
    path = tmp_path / "o.csv"
    path.write_text(content)
    draws, stats, marks = read_csv(path)
    assert marks.tolist() == [True] * warmup + [False] * (total - warmup)
    assert draws["theta"][1].tolist() == [[1.0, 1.2], [1.1, 1.3]]
    assert draws["z.real"].shape == (total,)
    assert draws["w.real"][0].tolist() == [0.6, 0.7]
    assert draws["t:1"].shape == (total, 2)
    assert stats["divergent__"].dtype == bool


@given(st.data())
def test_files_are_read_alike_however_they_grow(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut at any byte, in the middle of a line too."""
    content = text(20, 7).encode()
    path = tmp_path_factory.mktemp("grow") / "o.csv"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    file, rows = CsvFile(path), []
    for cut in [*cuts, len(content)]:
        path.write_bytes(content[:cut])
        rows += list(file.read())
    file.finish()
    assert file.is_complete
    path.write_bytes(content)
    _, whole = plain(path)
    assert np.array_equal(np.concatenate([part.values for part in rows]), whole)
    assert np.concatenate([part.is_warmup for part in rows]).tolist() == [True] * 7 + [False] * 20


@given(st.data())
def test_a_cut_file_is_never_taken_for_a_whole_one(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = text(6, 2)
    end = content.index("# \n#  Elapsed Time") + len("# \n#  Elapsed Time: 0.1 seconds (Warm-up)\n")
    path = tmp_path_factory.mktemp("cut") / "o.csv"
    path.write_text(content[: data.draw(st.integers(0, end - 1))])
    with pytest.raises(DamagedFileError) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        (row(4), row(4).replace("4", "four", 1), 19, "could not convert"),
        (row(4), row(4) + "garbage\n", 20, "1 values, not 13"),
        (row(4), row(4).replace(",0,", ",0.5,"), 19, "divergent__ is 0.5"),
        (ADAPTED, "", 14, "without the adaptation"),
        ("theta.2.2", "theta.3.2", 10, "do not make up an array"),
        ("theta.2.2", "theta.2", 10, "different numbers of indices"),
        ("theta.2.2", "theta.2.1", 10, "twice"),
        ("num_samples = 5", "num_samples = many", 3, "'many', not a number"),
        ("method = sample", "method = diagnose", 1, "output of method 'diagnose', tests of gradients"),
        (FOOTER, FOOTER + row(9), 26, "comes after the timing"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    path = tmp_path / "o.csv"
    content = text(5, 3)
    assert old in content
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(DamagedFileError, match=problem) as caught:
        read_csv(path)
    assert caught.value.line == line


def test_a_file_that_another_run_overwrote(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text(text(5, 3)[:700])
    file = CsvFile(path)
    list(file.read())
    path.write_text(text(5, 3)[:300])
    with pytest.raises(DamagedFileError, match="shorter"):
        list(file.read())


def test_growing_files_are_followed(client: Client, tmp_path: Path) -> None:
    """Two chains that start late and write line by line; a reader sees them while they grow."""
    paths = [tmp_path / "chain-1.csv", tmp_path / "chain-2.csv"]
    lines = text(60, 20).splitlines(keepends=True)

    def write(path: Path, pause: float) -> None:
        time.sleep(pause * 20)
        with path.open("w") as file:
            for line in lines:
                file.write(line[:7])
                file.flush()
                file.write(line[7:])
                file.flush()
                time.sleep(pause)

    writers = [threading.Thread(target=write, args=(path, 0.005 * (i + 1))) for i, path in enumerate(paths)]
    said: list[str] = []
    tail = Tail(client, paths, None, said.append)
    for writer in writers:
        writer.start()
    tail.follow(interval=0.02, idle=10.0)
    tail.finish()
    assert not tail.errors
    assert tail.run is not None
    run = client.run(tail.run.rid)
    assert run.lengths() == {0: 80, 1: 80}
    assert run.chain(1).get_stats("tune").sum() == 20
    assert run.chain(1).get_draws("theta", slice(-1, None)).tolist() == [[[79.0, 79.2], [79.1, 79.3]]]
    assert sum("complete, 80 draws" in line for line in said) == 2


def test_files_are_followed_while_the_server_is_away(
    own_server: RunningServer, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """At the start, and when a second chain begins; no line is read twice or left out."""
    paths = [tmp_path / "chain-1.csv", tmp_path / "chain-2.csv"]
    content = text(60, 20)
    own_server.stop()
    tail = Tail(make_client(own_server.url, patience=0.1), paths, None, lambda _: None)
    paths[0].write_text(content[:2000])
    assert tail.poll() > 0
    own_server.start()
    assert tail.run is not None
    tail.run.flush(progress=False)
    own_server.stop()
    for path in paths:
        path.write_text(content)
    tail.poll()
    own_server.start()
    tail.finish()
    assert not tail.errors
    run = make_client(own_server.url).run(tail.run.rid)
    _, whole = plain(paths[0])
    for chain in run.get_chains():
        assert np.array_equal(chain.get_stats("lp__"), whole[:, 0])


def test_files_of_different_models_are_not_one_run(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text(5, 3))
    (tmp_path / "b.csv").write_text(text(5, 3).replace("t:1", "u:1"))
    tail = Tail(client, [tmp_path / "a.csv", tmp_path / "b.csv"], None, lambda _: None)
    tail.poll()
    tail.finish()
    assert "it has the variable u:1, which the run does not have" in str(tail.errors[tmp_path / "b.csv"])
    assert client.run(tail.run.rid if tail.run else "").lengths() == {0: 8}


def test_missing_files_and_options(server: RunningServer, tmp_path: Path) -> None:
    done = python("tail", "--url", server.url, "--once", tmp_path / "none.csv")
    assert done.returncode == 1
    assert "none.csv: there is no such file" in done.stdout
    assert python("tail", tmp_path / "none.csv").stderr.startswith("mcbackend-edge: no server is given")
    for command in ([], ["sync"], ["tail"], ["runs"]):
        assert "usage: python -m mcbackend_edge" in python(*command, "--help").stdout


@given(st.lists(st.integers(1, 3), max_size=3))
def test_columns_run_in_fortran_order(shape: list[int]) -> None:
    indices = [index[::-1] for index in np.ndindex(*shape[::-1])]
    [group] = group_columns(["x" + "".join(f".{i + 1}" for i in index) for index in indices])
    assert group.variable.shape == tuple(shape)
    assert [indices[column] for column in group.columns] == list(np.ndindex(*shape))


def test_the_list_of_runs(server: RunningServer, client: Client) -> None:
    rid = client.create_run(variables={"x": 0.0}).rid
    done = python("runs", "--url", server.url, "--limit", 3)
    row = done.stdout.splitlines()[1].split()
    assert row[0] == rid
    assert row[-4:-1] == ["0", "0", "live"]
