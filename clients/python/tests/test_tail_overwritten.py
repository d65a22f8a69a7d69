"""`tail`: files that another run overwrites, that are renewed, renamed or removed, while they are followed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mcbackend_edge import Client, new_rid
from mcbackend_edge.stan.sources import Pattern
from mcbackend_edge.stan.tail import Tail

from .tailing import TIMING, head, rows, tailing, thetas, whole


def in_place(path: Path, text: str) -> None:
    """As CmdStan does: it truncates the file and writes it anew."""
    path.write_text(text)


def renamed(path: Path, text: str) -> None:
    """As rotation does."""
    path.rename(path.with_suffix(".old"))
    path.write_text(text)


def replaced(path: Path, text: str) -> None:
    """As a copy that is renewed does."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


@pytest.mark.parametrize("write", [in_place, renamed, replaced])
@pytest.mark.parametrize(
    ("second", "reason"),
    [
        pytest.param(head(seed=2) + rows(2, 1, 6) + TIMING, "beginning has changed|taken its place", id="seed"),
        pytest.param(head() + rows(2, 1, 6) + TIMING, "beginning has changed|taken its place", id="draws"),
        pytest.param(head() + rows(2, 1, 3), "beginning has changed|taken its place", id="as long"),
        pytest.param(head(), "become shorter|taken its place", id="shorter"),
        pytest.param("", "become shorter|taken its place", id="empty"),
    ],
)
def test_draws_of_two_runs_are_never_in_one_chain(
    client: Client, tmp_path: Path, write: Callable[[Path, str], None], second: str, reason: str
) -> None:
    rid, path = new_rid(), tmp_path / "output.csv"
    path.write_text(head() + rows(1, 1, 3))
    tail, said = tailing(client, rid, path)
    assert tail.poll() == 3
    write(path, second)
    tail.follow(interval=0.01)
    tail.finish()
    assert said[-1].startswith(f"error: {path}, line 9: ")
    assert re.search(reason, str(tail.errors[path]))
    assert not any("complete" in line for line in said)
    assert thetas(client, rid) == [1.01, 1.02, 1.03]


def test_changes_far_behind_the_beginning_are_noticed(client: Client, tmp_path: Path) -> None:
    """A file with the same settings and seed, as long as the first one, that differs in its last draws alone."""
    path, count = tmp_path / "output.csv", 9000
    first = head(2 * count) + rows(1, 1, count)
    path.write_text(first)
    tail, _ = tailing(client, None, path)
    assert tail.poll() == count
    path.write_text(first[:-5] + "8" + first[-4:] + rows(1, count + 1, count) + TIMING)
    tail.follow(interval=0.01)
    tail.finish()
    assert "lines that were read have changed" in str(tail.errors[path])


def test_a_renewed_copy_of_the_same_run_is_gone_on_with(client: Client, tmp_path: Path) -> None:
    """Another file, as rsync makes one, with the same draws and more."""
    rid, path = new_rid(), tmp_path / "output.csv"
    path.write_text(head() + rows(1, 1, 3))
    tail, _ = tailing(client, rid, path)
    tail.poll()
    replaced(path, whole(1))
    tail.follow(interval=0.01)
    tail.finish()
    assert not tail.errors
    assert thetas(client, rid) == [1.01, 1.02, 1.03, 1.04, 1.05, 1.06]


def test_a_file_that_is_removed_is_told(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "output.csv"
    path.write_text(head() + rows(1, 1, 3))
    tail, _ = tailing(client, None, path)
    tail.poll()
    path.unlink()
    tail.follow(interval=0.01)
    tail.finish()
    assert "was removed while it was followed" in str(tail.errors[path])


@pytest.mark.parametrize("is_named", [True, False])
def test_a_file_without_draws_may_be_removed_and_come_again(client: Client, tmp_path: Path, is_named: bool) -> None:
    """`rm` before the sampler is started again; a pattern finds the next one of the chain also by another name."""
    rid, path = new_rid(), tmp_path / "a_1.csv"
    path.write_text(head(seed=1))
    said: list[str] = []
    tail = Tail(client, [path] if is_named else Pattern(str(tmp_path / "*.csv"), 1), rid, said.append)
    assert tail.poll() == 0
    path.unlink()
    assert tail.poll() == 0
    assert said[-1] == f"{path}: removed before its first draw; the next one of chain 0 is waited for"
    if not is_named:
        path = tmp_path / "b_1.csv"
    path.write_text(whole(2, seed=2))
    tail.follow(interval=0.01)
    tail.finish()
    assert not tail.errors
    assert thetas(client, rid)[0] == 2.01
    assert client.run(rid).about().facts["chains"]["0"]["seed"] == 2


def test_a_file_that_does_not_come_again_is_told(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "output.csv"
    path.write_text(head())
    tail, said = tailing(client, None, path)
    tail.poll()
    path.unlink()
    tail.finish()
    assert "was removed while it was followed" in said[-1]
    assert tail.errors.keys() == {path}


def test_a_file_without_draws_may_be_written_anew(client: Client, tmp_path: Path) -> None:
    """A sampler that is started again before its first draw; and one whose run is complete."""
    rid, path = new_rid(), tmp_path / "output.csv"
    path.write_text(head(seed=1))
    tail, said = tailing(client, rid, path)
    assert tail.poll() == 0
    path.write_text(whole(2, seed=2))
    tail.follow(interval=0.01)
    tail.finish()
    assert not tail.errors
    assert "written anew before its first draw" in said[0]
    assert thetas(client, rid)[0] == 2.01
    other = tmp_path / "other.csv"
    other.write_text(head() + rows(3, 1, 2))
    tail, said = tailing(client, None, path, other)
    tail.poll()
    path.write_text(head(seed=3))
    other.write_text(whole(3))
    tail.follow(interval=0.01)
    tail.finish()
    assert not tail.errors
    assert sum("complete, 6 draws" in line for line in said) == 2
