"""Reads CmdStan's CSV output, also while CmdStan is still writing it.

The format (CmdStan User's Guide, "Stan CSV file format"): comments with the configuration, a line of column names,
warmup draws if they were saved, comments with the adaptation, draws, comments with the timing. Columns of containers
are called ``theta.1.2``, indices from 1, the first running fastest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .errors import DamagedFileError
from .ndarray import Array
from .schema import Variable

# Stats that are whole numbers or flags; CmdStan writes all columns as text.
_STAT_DTYPES = {"treedepth__": "int64", "n_leapfrog__": "int64", "divergent__": "bool"}
_COUNTS = ("num_samples", "num_warmup", "thin")
_SETTING = re.compile(r"#\s*(\w+) = (.*?)(?: \(Default\))?\s*$")
_STEP_SIZE = re.compile(r"#\s*Step size = (\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*$")
_INDICES = re.compile(r"(.+?)((?:\.\d+)+)(\.(?:real|imag))?$")
_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class ColumnGroup:
    """A variable and the columns that hold it, listed in C order of its shape."""

    variable: Variable
    columns: tuple[int, ...]


@dataclass
class Rows:
    """Consecutive draws: `values` has shape (draws, columns), `is_warmup` shape (draws,)."""

    values: Array
    is_warmup: Array
    first_line: int


@dataclass
class CsvFile:
    """A CmdStan CSV file that may still be written: each `read` goes on where the one before ended.

    Attributes
    ----------
    settings : the configuration, such as ``num_samples``; values are text.
    groups, stats : variables and sampler stats with their columns; empty until the line of names was read.
    rows : number of draws read so far.
    is_complete : True once the timing at the end was read.
    step_size : that of the adaptation; None until it was read.
    """

    path: Path
    settings: dict[str, str] = field(default_factory=dict)
    groups: list[ColumnGroup] = field(default_factory=list)
    stats: list[ColumnGroup] = field(default_factory=list)
    rows: int = 0
    is_complete: bool = False
    step_size: float | None = None
    _names: list[str] = field(default_factory=list)
    _line: int = 0
    _offset: int = 0
    _rest: bytes = b""
    _is_adapted: bool = False

    def read(self) -> Iterator[Rows]:
        """The draws that have come since the last call; a line that is not finished waits for its end.

        Raises
        ------
        DamagedFileError
            If a line makes no sense. The draws before it were given already.
        """
        if not self.path.exists():
            return
        if self.path.stat().st_size < self._offset:
            raise self._damaged("the file has become shorter: another run has overwritten it")
        with self.path.open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(_TEXT_BYTES):
                self._offset += len(chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                yield from self._parse(lines)

    def finish(self) -> None:
        """Checks that the file is whole.

        Raises
        ------
        DamagedFileError
        """
        if self._rest:
            raise self._damaged("the last line is cut off", self._line + 1)
        if not self._names:
            raise self._damaged("there is no line of column names")
        if not self.is_complete:
            raise self._damaged(f"the file ends after {self.rows} of {self._expected} draws, without the timing")

    def _parse(self, lines: Sequence[bytes]) -> Iterator[Rows]:
        """The draws among these lines, in stretches that end at a comment or with the lines."""
        numbers: list[list[float]] = []
        first = 0
        try:
            for raw in lines:
                self._line += 1
                line = raw.decode("utf-8", errors="replace").rstrip("\r")
                if line.startswith("#") or not line.strip():
                    if numbers:
                        yield self._stretch(numbers, first)
                        numbers = []
                    self._comment(line)
                elif not self._names:
                    self._header(line)
                else:
                    row = self._row(line)
                    first = first if numbers else self._line
                    numbers.append(row)
                    self.rows += 1
        except DamagedFileError:
            if numbers:
                yield self._stretch(numbers, first)
            raise
        if numbers:
            yield self._stretch(numbers, first)

    def _stretch(self, numbers: list[list[float]], first_line: int) -> Rows:
        indices = np.arange(self.rows - len(numbers), self.rows)
        return Rows(np.array(numbers), indices < self.warmup_rows, first_line)

    def _comment(self, line: str) -> None:
        setting = _SETTING.match(line)
        if setting and not self._names:
            self.settings.setdefault(setting[1], setting[2])
            if setting[1] in _COUNTS and not setting[2].isdecimal():
                raise self._damaged(f"{setting[1]} is {setting[2]!r}, not a number")
        elif "Adaptation terminated" in line:
            if self.rows != self.warmup_rows:
                raise self._damaged(f"adaptation ends after {self.rows} draws of warmup, not {self.warmup_rows}")
            self._is_adapted = True
        elif self._is_adapted and (step_size := _STEP_SIZE.match(line)):
            self.step_size = float(step_size[1])
        elif "Elapsed Time" in line:
            if self.rows != self._expected:
                raise self._damaged(f"there are {self.rows} draws, not {self._expected}")
            self.is_complete = True

    def _header(self, line: str) -> None:
        if self.settings.get("method", "sample") != "sample":
            raise self._damaged(f"this is output of method {self.settings['method']!r}, not of sampling")
        self._names = line.split(",")
        if len(set(self._names)) != len(self._names):
            raise self._damaged("a column has its name twice")
        try:
            groups = group_columns(self._names)
        except ValueError as error:
            raise self._damaged(str(error)) from error
        self.stats = [group for group in groups if group.variable.name.endswith("__")]
        self.groups = [group for group in groups if not group.variable.name.endswith("__")]

    def _row(self, line: str) -> list[float]:
        if self.is_complete:
            raise self._damaged("a draw comes after the timing")
        if self.rows == self.warmup_rows and self._must_adapt and not self._is_adapted:
            raise self._damaged("draws begin without the adaptation before them (step size and metric are missing)")
        cells = line.split(",")
        if len(cells) != len(self._names):
            raise self._damaged(f"there are {len(cells)} values, not {len(self._names)}")
        try:
            row = [float(cell) for cell in cells]
        except ValueError as error:
            raise self._damaged(str(error)) from error
        for group in self.stats:
            value = row[group.columns[0]]
            if group.variable.dtype != "float64" and not (value.is_integer() and abs(value) < 2**53):
                raise self._damaged(f"{group.variable.name} is {cells[group.columns[0]]}, not a whole number")
        return row

    @property
    def _must_adapt(self) -> bool:
        """True if the adaptation stands before the draws."""
        is_hmc = self.settings.get("algorithm", "hmc") == "hmc"
        return is_hmc and _flag(self.settings.get("engaged", "0")) and self._setting("num_warmup") > 0

    @property
    def warmup_rows(self) -> int:
        """Number of draws at the beginning that are warmup."""
        if not _flag(self.settings.get("save_warmup", "0")):
            return 0
        return math.ceil(self._setting("num_warmup") / max(1, self._setting("thin", 1)))

    @property
    def sample_rows(self) -> int:
        """Number of draws behind the warmup, once the file is whole."""
        return math.ceil(self._setting("num_samples") / max(1, self._setting("thin", 1)))

    @property
    def _expected(self) -> int:
        return self.warmup_rows + self.sample_rows

    def _setting(self, name: str, default: int = 0) -> int:
        return int(self.settings.get(name, default))

    def _damaged(self, problem: str, line: int | None = None) -> DamagedFileError:
        return DamagedFileError(str(self.path), self._line if line is None else line, problem)


def group_columns(names: Sequence[str]) -> list[ColumnGroup]:
    """Puts the columns of each variable together, in the order of their first columns.

    ``theta.1.2`` is an element of ``theta``; of complex numbers, ``z.1.real`` is one of ``z.real``. Tuples keep their
    colons: ``t:1.3`` is an element of ``t:1``.

    Raises
    ------
    ValueError
        If a container lacks an element.
    """
    indices: dict[str, dict[tuple[int, ...], int]] = {}
    for column, name in enumerate(names):
        match = _INDICES.fullmatch(name)
        base = match[1] + (match[3] or "") if match else name
        index = tuple(map(int, match[2].split(".")[1:])) if match else ()
        indices.setdefault(base, {})[index] = column
    groups = []
    for base, columns in indices.items():
        if len({len(index) for index in columns}) > 1:
            raise ValueError(f"the columns of {base} have different numbers of indices")
        shape = tuple(max(axis) for axis in zip(*columns))
        wanted = [tuple(i + 1 for i in index) for index in np.ndindex(*shape)]
        if set(wanted) != set(columns):
            raise ValueError(f"{base} has {len(columns)} columns, which do not make up an array of shape {list(shape)}")
        dtype = _STAT_DTYPES.get(base, "float64")
        groups.append(ColumnGroup(Variable(base, dtype, shape), tuple(columns[index] for index in wanted)))
    return groups


def block(groups: Sequence[ColumnGroup], values: Array) -> dict[str, Array]:
    """Draws by variable, each of shape (draws, \\*shape), from `values` of shape (draws, columns)."""
    return {
        group.variable.name: values[:, list(group.columns)]
        .reshape(len(values), *group.variable.shape)
        .astype(group.variable.numpy_dtype)
        for group in groups
    }


def _flag(text: str) -> bool:
    """The value of a boolean: 0 or 1 in older versions of CmdStan, false or true in newer ones."""
    return text in ("1", "true")
