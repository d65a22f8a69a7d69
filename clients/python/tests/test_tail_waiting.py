"""`tail` of a pattern: how many files are waited for, and which."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mcbackend_edge import Client, new_rid
from mcbackend_edge.cli import main
from mcbackend_edge.stan import tail as module
from mcbackend_edge.stan.sources import Pattern, sources_of
from mcbackend_edge.stan.tail import Tail

from .server import RunningServer
from .stan_program import StanProgram, program
from .tailing import whole

__all__ = ["program"]


def of_process(chain: int, chains: int, first: int = 1) -> str:
    """A file of a process that samples several chains, with the same `id` in each."""
    settings = f"#     num_chains = {chains}\n# id = {first} (Default)\n# random"
    return whole(chain, seed=5).replace("# random", settings)


class Said(list[str]):
    """All that a tail says; each reaction in turn is called once its text is said."""

    def __init__(self, *reactions: tuple[str, Callable[[], object]]) -> None:
        super().__init__()
        self._reactions = list(reactions)

    def __call__(self, text: str) -> None:
        self.append(text)
        if self._reactions and self._reactions[0][0] in text:
            self._reactions.pop(0)[1]()


def test_chains_one_after_another_are_one_command(
    server: RunningServer, client: Client, program: StanProgram, tmp_path: Path
) -> None:
    """As CmdStanPy starts them, a process each: the next begins when the one before has ended."""
    rid = new_rid()
    command = [sys.executable, "-m", "mcbackend_edge", "tail", "--url", server.url, "--rid", rid, "--interval", "0.05"]
    tail = subprocess.Popen(
        [*command, "--chains", "3", str(tmp_path / "o_*.csv")], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert tail.stdout is not None
    lines = []
    for chain in (1, 2, 3):
        program.run("sample", "num_samples=20", "num_warmup=20", f"id={chain}", output=f"o_{chain}.csv", seed=chain)
        for line in tail.stdout:
            lines.append(line)
            if f"complete, 20 draws in chain {chain - 1}" in line:
                break
    rest, _ = tail.communicate(timeout=120)
    assert tail.returncode == 0, (lines, rest)
    assert client.run(rid).lengths() == {0: 20, 1: 20, 2: 20}
    assert client.run(rid).about().state == "done"
    assert any(f"{tmp_path / 'o_2.csv'}: not there yet; waiting for it" in line for line in lines)


def test_files_of_a_process_are_waited_for_as_it_tells_their_number(client: Client, tmp_path: Path) -> None:
    pattern = str(tmp_path / "o_*.csv")
    (tmp_path / "o_5.csv").write_text(of_process(5, 3, first=5))
    (tmp_path / "o_7.csv").write_text(of_process(7, 3, first=5))
    said = Said(("o_6.csv: not there yet", lambda: (tmp_path / "o_6.csv").write_text(of_process(6, 3, first=5))))
    tail = Tail(client, Pattern(pattern), None, said)
    tail.follow(interval=0.02)
    tail.finish()
    assert not tail.errors
    assert not any("others are waited for" in line for line in said)
    assert tail.run is not None
    assert client.run(tail.run.rid).lengths() == {4: 6, 5: 6, 6: 6}


def test_where_nothing_tells_their_number_others_are_waited_for_a_while(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = str(tmp_path / "o_*.csv")
    (tmp_path / "o_1.csv").write_text(whole(1))
    said = Said(("waited for, until none comes within 30 s", lambda: None))
    tail = Tail(client, Pattern(pattern), None, said)
    following = threading.Thread(target=tail.follow, kwargs={"interval": 0.02}, daemon=True)
    following.start()
    while "all files so far are read" not in " ".join(said):
        assert following.is_alive()
        following.join(0.02)
    (tmp_path / "o_2.csv").write_text(whole(2))
    while not any("o_2.csv: complete" in line for line in said):
        assert following.is_alive()
        following.join(0.02)
    monkeypatch.setattr(module, "QUIET", 0.0)
    again = Tail(client, Pattern(pattern), tail._registration.rid, said)
    again.follow(interval=0.02)
    again.finish()
    assert not again.errors
    assert sum("others are waited for" in line for line in said) == 1
    assert client.run(tail._registration.rid).lengths() == {0: 6, 1: 6}
    # `idle` says how long.
    idle = Tail(client, Pattern(pattern), tail._registration.rid, said)
    monkeypatch.setattr(module, "QUIET", 600.0)
    idle.follow(interval=0.02, idle=0.1)
    idle.finish()
    assert not idle.errors


def test_once_never_waits_and_tells_what_is_not_there(
    server: RunningServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rid, pattern = new_rid(), str(tmp_path / "o_*.csv")
    (tmp_path / "o_1.csv").write_text(whole(1))
    command = ["tail", "--once", "--url", server.url, "--rid", rid]
    assert main([*command, pattern]) == 0
    assert main([*command, "--chains", "2", pattern]) == 1
    assert f"error: {tmp_path / 'o_2.csv'}: there is no such file" in capsys.readouterr().out
    (tmp_path / "o_2.csv").write_text(whole(2))
    assert main([*command, "--chains", "2", pattern]) == 0
    assert client.run(rid).lengths() == {0: 6, 1: 6}
    # Given up before the last has come.
    assert main(["tail", "--idle", "0.1", "--interval", "0.02", *command[2:], "--chains", "3", pattern]) == 1
    assert f"error: {tmp_path / 'o_3.csv'}: there is no such file" in capsys.readouterr().out


def test_files_that_are_awaited_have_their_names(tmp_path: Path) -> None:
    def awaited(pattern: str, chains: int | None, *names: str, settings: dict[str, str] | None = None) -> list[str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        sources = Pattern(str(folder / pattern), chains)
        sources.find()
        sources.note(settings or {})
        return [Path(name).name for name in sources.missing()]

    assert awaited("o_*.csv", 3) == ["o_*.csv"]
    assert awaited("o_*.csv", None, "o_1.csv") == []
    assert awaited("o_*.csv", 3, "o_2.csv") == ["o_1.csv", "o_3.csv"]
    assert awaited("o_*.csv", 3, "o_0.csv") == ["o_1.csv", "o_2.csv"]
    assert awaited("o_*.csv", 2, "o_5.csv", "o_8.csv") == []
    assert awaited("o_*.csv", 2, "o_1.csv", "o_2.csv", "o_3.csv") == []
    assert awaited("o_*.csv", 3, "o_5.csv", "o_8.csv") == ["o_*.csv (file 3 of 3)"]
    assert awaited("o-*-*.csv", 4, "o-a-1.csv") == [f"o-*-*.csv (file {place} of 4)" for place in (2, 3, 4)]
    two = {"num_chains": "2", "id": "1"}
    assert awaited("o_*.csv", None, "o_1.csv", settings=two) == ["o_2.csv"]
    assert awaited("o_*.csv", 1, "o_1.csv", settings=two) == []
    assert awaited("o_*.csv", None, "o_1.csv", settings={"num_chains": "1", "id": "1"}) == []
    assert awaited("o_*.csv", None, "o_1.csv", settings={"num_chains": "9999999999", "id": "x"}) == []


def test_a_number_of_chains_that_contradicts_the_files() -> None:
    with pytest.raises(ValueError, match="--chains 4, but 2 named: name each file, or quote the pattern"):
        sources_of(["output_1.csv", "output_2.csv"], None, 4)
    assert len(sources_of(["output_1.csv", "output_2.csv"], None, 2).find()) == 2


@pytest.mark.parametrize("chains", ["0", "-1", "x", "10001"])
def test_a_number_of_chains_that_is_none(chains: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tail", "--chains", chains, "o_*.csv"])
    assert "is not a number of files" in capsys.readouterr().err
