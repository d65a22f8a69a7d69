"""The files of the chains: named in the order of the chains, or found by a pattern."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..names import check_chain

_WILDCARD = re.compile(r"\*\*[/\\]|\*+|\?|\[[^]]*\]")
_DIGITS = re.compile(r"\d+", re.ASCII)
# Numbers that stand for themselves: not the digits of ``5f3a2c``.
_NUMBER = re.compile(r"(?<![^\W_])\d+(?![^\W_])", re.ASCII)
# cmdstanr's ``model-202611281200-1-531204.csv``, behind whose number stands a random one.
_CMDSTANR = re.compile(r"-\d{12}-(\d+)-[0-9a-f]{6}\.csv$", re.ASCII)
# Digits of a chain's number at most.
_MOST_DIGITS = 9
# Chains of one run at most that are waited for.
MOST_CHAINS = 10_000


class Sources:
    """Files by the number of their chain.

    Attributes
    ----------
    is_whole : True if the files are all chains of their run, as far as the caller has said.
    is_closed : True if it is known how many files there will be.
    problems : files whose chain cannot be told, and the reason.
    """

    is_whole: bool = True

    def __init__(self) -> None:
        self.problems: dict[Path, str] = {}

    @property
    def is_closed(self) -> bool:
        return True

    def find(self) -> dict[int, Path]:
        """The files, by the number of their chain; of a pattern those that are there."""
        raise NotImplementedError

    def missing(self) -> list[str]:
        """Files, or the pattern, that are not there yet."""
        raise NotImplementedError

    def note(self, settings: Mapping[str, str]) -> None:
        """Learns from the settings of a file which others belong to it."""


class Named(Sources):
    """Files that the caller has named.

    Parameters
    ----------
    first : number of the first file's chain; the others count up. None is 0, and says that these are all chains.

    Raises
    ------
    ValueError
        If a file is named twice.
    """

    def __init__(self, paths: Sequence[Path], first: int | None = None) -> None:
        super().__init__()
        known: set[Path] = set()
        for path in paths:
            if path.absolute() in known:
                raise ValueError(f"{path} is named twice: each file is one chain")
            known.add(path.absolute())
        begin = check_chain(0 if first is None else first)
        self.is_whole = first is None
        self._files = {check_chain(begin + place): path for place, path in enumerate(paths)}

    def find(self) -> dict[int, Path]:
        return self._files

    def missing(self) -> list[str]:
        return [str(path) for path in self._files.values() if not path.exists()]


class Pattern(Sources):
    """Files that match a pattern such as ``output_*.csv``, also those that come later.

    The number where the wildcard stands tells the chain: ``output_1.csv`` is chain 0, ``output_10.csv`` chain 9,
    whichever of them are there and whenever they come. If there is a number 0, as in ``output_0.csv``, the numbers are
    those of the chains.

    Parameters
    ----------
    chains : number of files that there will be. None: those that the files themselves tell of, where one process of
        CmdStan writes several (`num_chains`), else unknown.
    """

    def __init__(self, pattern: str, chains: int | None = None) -> None:
        super().__init__()
        self.pattern = pattern
        self._expression = _expression(pattern)
        self._chains = chains
        self._first: int | None = None
        # Numbers of the files that the processes seen so far write.
        self._announced: set[int] = set()

    @property
    def is_closed(self) -> bool:
        return self._chains is not None or bool(self._announced)

    def note(self, settings: Mapping[str, str]) -> None:
        count, first = (_whole(settings.get(name, "1")) for name in ("num_chains", "id"))
        if 1 < count <= MOST_CHAINS:
            self._announced.update(range(first, first + count))

    def find(self) -> dict[int, Path]:
        numbered: dict[int, Path] = {}
        for path in map(Path, sorted(glob.glob(self.pattern, recursive=True))):
            number = self._number(str(path))
            if number is None:
                self._refuse(path, f"it has no number where {self.pattern} has its wildcard, that would tell its chain")
            elif numbered.setdefault(number, path) != path:
                self._refuse(path, f"it has the number of {numbered[number]} where {self.pattern} has its wildcard")
        if numbered and self._first is None:
            self._first = min(1, *numbered)
        first = self._first or 0
        for number in [number for number in numbered if number < first]:
            self._refuse(numbered.pop(number), "it has come after files that count from 1")
        return {number - first: numbered[number] for number in sorted(numbered)}

    def _refuse(self, path: Path, reason: str) -> None:
        self.problems.setdefault(path, f"{reason}: name the files in the order of their chains")

    def missing(self) -> list[str]:
        found = {number + (self._first or 0) for number in self.find()}
        count = len(found) + len(self.problems)
        if not count:
            return [self.pattern]
        expected = self._announced
        if self._chains is not None:
            first = 1 if self._first is None else self._first
            expected = set(range(first, first + self._chains))
        lacking = sorted(expected - found)[: max(0, len(expected) - count)]
        if found <= expected and (name := _named(self.pattern)):
            return [name(number) for number in lacking]
        return [f"{self.pattern} (file {place} of {len(expected)})" for place in range(count + 1, len(expected) + 1)]

    def _number(self, name: str) -> int | None:
        if cmdstanr := _CMDSTANR.search(name):
            digits = [cmdstanr[1]]
        else:
            match = self._expression.fullmatch(name)
            groups = [group for group in (match.groups() if match else ()) if _DIGITS.search(group)]
            last = groups[-1] if groups else ""
            digits = _NUMBER.findall(last) or _DIGITS.findall(last)
        return int(digits[-1]) if digits and len(digits[-1]) <= _MOST_DIGITS else None


def sources_of(files: Sequence[str], first: int | None, chains: int | None = None) -> Sources:
    """Sources for the arguments of a command.

    Parameters
    ----------
    first : number of the first file's chain, for files that are named.
    chains : number of files that a pattern will have.

    Raises
    ------
    ValueError
        For a pattern beside other files, or with a number of its chain; for other numbers of files than `chains`.
    """
    patterns = [name for name in files if glob.has_magic(name) and not Path(name).exists()]
    if not patterns:
        if chains not in (None, len(files)):
            raise ValueError(
                f"--chains {chains}, but {len(files)} named: name each file, or quote the pattern, 'output_*.csv'"
            )
        return Named([Path(name) for name in files], first)
    if len(files) > 1:
        raise ValueError(f"{patterns[0]} is a pattern, which has to stand alone: name each file, or give one pattern")
    if first is not None:
        raise ValueError(f"--chain is for named files; the chains of {patterns[0]} have the numbers of their files")
    return Pattern(patterns[0], chains)


def _whole(text: str) -> int:
    """A number of a setting, 1 if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 1


def _named(pattern: str) -> Callable[[int], str] | None:
    """Names of the files by their number; None if the pattern leaves more than that open."""
    if _WILDCARD.findall(pattern) != ["*"]:
        return None
    return lambda number: pattern.replace("*", str(number))


def _expression(pattern: str) -> re.Pattern[str]:
    parts, end = [], 0
    for wildcard in _WILDCARD.finditer(pattern):
        parts.append(re.escape(pattern[end : wildcard.start()]))
        is_folder = wildcard[0].startswith("**") and wildcard[0][-1] != "*"
        parts.append("(?:.*[/\\\\])?" if is_folder else "(.*)" if wildcard[0].startswith("*") else "(.)")
        end = wildcard.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]), re.DOTALL)
