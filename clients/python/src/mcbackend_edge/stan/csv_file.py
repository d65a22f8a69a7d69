"""A CSV file of the Stan family, read whole or while it is written.

The format (CmdStan User's Guide, "Stan CSV file format"): comments with the settings, a line of column names, warmup
draws if they were saved, comments with the adaptation, draws, comments with the timing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DamagedFileError
from ..ndarray import Array
from .adaptation import Adaptation
from .columns import ColumnGroup, block, group_columns, is_stat
from .growing import GrowingFile, NoFileError, OverwrittenError
from .rows import RowError, parse_rows
from .settings import Plan, Settings

# Bytes of a line at most: a million numbers with all their digits take 24 MB.
_MOST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"
# First bytes of compressed files, and the program that unpacks them.
_PACKED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"PK\x03\x04": "unzip",
}
# Columns of tables that hold all chains at once, of PyStan, CmdStanPy and posterior.
_TABLE_COLUMNS = frozenset({"chain__", "iter__", "draw__", ".chain", ".iteration", ".draw", "draws"})


@dataclass
class Rows:
    """Consecutive draws: `values` has shape (draws, columns), `is_warmup` shape (draws,)."""

    values: Array
    is_warmup: Array


class CsvFile:
    """A file that may still be written: each `read` goes on where the one before ended.

    Attributes
    ----------
    settings : the configuration by CmdStan's names.
    groups, stats : variables and sampler stats with their columns; empty until the line of names was read.
    plan : the rows that the file will hold; None until that is known.
    rows : number of draws read so far.
    is_complete : True once the file has ended as its settings tell.
    adaptation : step size, metric and time, as far as they were read.
    mean : mean of a variational approximation by column; None if there is none, or it was not read yet.
    """

    def __init__(self, path: Path, *, warmup: int | None = None) -> None:
        """
        Parameters
        ----------
        warmup : number of rows that are warmup, for files that do not tell it.
        """
        self.path = path
        self.settings = Settings()
        self.groups: list[ColumnGroup] = []
        self.stats: list[ColumnGroup] = []
        self.plan: Plan | None = None
        self.rows = 0
        self.adaptation = Adaptation()
        self.mean: dict[str, float] | None = None
        self._warmup = warmup
        self._bytes = GrowingFile(path)
        self._names: list[str] = []
        self._line = 0
        self._rest = b""
        # Rows, and the number of the first one's line, of which it is not known yet whether they are warmup.
        self._held: list[str] = []
        self._held_line = 0

    @property
    def is_complete(self) -> bool:
        if self.plan is None or self._held:
            return False
        if self.plan.has_timing:
            return self.adaptation.is_timed
        return self.plan.rows is not None and self.rows == self.plan.rows

    @property
    def is_open_ended(self) -> bool:
        """True for a file that begins to be read, and whose end nothing will mark."""
        return self.plan is not None and not self.plan.has_end

    @property
    def is_begun(self) -> bool:
        """True if something of the file was read."""
        return self._bytes.offset > 0

    def read(self) -> Iterator[Rows]:
        """The draws that have come since the last call; a line that is not finished waits for its end.

        Raises
        ------
        DamagedFileError
            If a line makes no sense, or the file is another one than before. The draws before it were given already.
        OSError
            If the file cannot be read.
        """
        try:
            for chunk in self._bytes.chunks():
                if self._line == 0:
                    self._check_packed(self._rest + chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                if len(self._rest) > _MOST_LINE:
                    raise self._damaged(f"the line has more than {_MOST_LINE >> 20} MiB", self._line + 1)
                yield from self._parse(lines)
        except (NoFileError, OverwrittenError) as error:
            raise self._damaged(str(error)) from error

    def finish(self) -> None:
        """Checks that the file is whole.

        Raises
        ------
        DamagedFileError
        """
        if not self.is_begun:
            raise self._damaged("the file is empty" if self.path.exists() else "there is no such file")
        if self._rest and not self._takes_last_comment():
            raise self._damaged("the last line is cut off", self._line + 1)
        if not self._names:
            raise self._damaged("there is no line of column names")
        if self.is_complete or (self.is_open_ended and self.rows):
            return
        rows, plan = self.rows + len(self._held), self.plan
        if plan is None or plan.has_timing:
            told = "" if plan is None or plan.rows is None else f" of {plan.rows}"
            raise self._damaged(f"the file ends after {rows}{told} draws, without the timing")
        if plan.rows is None:
            raise self._damaged("the file has no draws")
        raise self._damaged(f"the file ends after {rows} of {plan.rows} draws")

    def _takes_last_comment(self) -> bool:
        """True if the line without an end stands behind all draws; of the timing only whole lines are noted."""
        line = self._rest.decode("utf-8", errors="replace").rstrip()
        if not self.is_complete or not self.adaptation.is_timed or line[:1] not in ("", "#"):
            return False
        self.adaptation.note(line)
        return True

    def _parse(self, lines: Sequence[bytes]) -> Iterator[Rows]:
        """The draws among these lines, in stretches that end at a comment or with the lines."""
        stretch: list[str] = []
        for raw in lines:
            if self._line == 0:
                raw = self._without_mark(raw)
            line = raw.decode("utf-8", errors="replace").rstrip("\r")
            if self._names and line and line[0] != "#" and not line.isspace():
                stretch.append(line)
                self._line += 1
                continue
            if stretch:
                yield from self._stretch(stretch, self._line - len(stretch) + 1)
                stretch = []
            self._line += 1
            if line.startswith("#"):
                yield from self._comment(line)
            elif line.strip():
                self._header(line)
        if stretch:
            yield from self._stretch(stretch, self._line - len(stretch) + 1)

    def _check_packed(self, beginning: bytes) -> None:
        for mark, program in _PACKED.items():
            if beginning.startswith(mark):
                raise self._damaged(f"this file is compressed: unpack it first, as with {program}", 1)

    def _without_mark(self, raw: bytes) -> bytes:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:100]:
            raise self._damaged("this is no text in UTF-8 (PowerShell's > writes UTF-16): write it as UTF-8", 1)
        return raw.removeprefix(_BOM)

    # -- comments and names ------------------------------------------------------------------------------------------

    def _comment(self, line: str) -> Iterator[Rows]:
        if not self._names:
            try:
                self.settings.note(line)
                self.settings.check_method()
            except ValueError as error:
                raise self._damaged(str(error)) from error
            return
        if "Adaptation terminated" in line:
            yield from self._decided(is_fixed=False)
            if self.plan is not None and self.rows != self.plan.warmup:
                problem = f"adaptation ends after {self.rows} draws of warmup, not {self.plan.warmup}"
                raise self._damaged(problem)
        elif "Elapsed Time" in line and not self.adaptation.is_timed:
            yield from self._decided(is_fixed=True)
            rows = None if self.plan is None else self.plan.rows
            if self.plan is not None and rows is not None and not rows <= self.rows <= (self.plan.most_rows or rows):
                raise self._damaged(f"there are {self.rows} draws, not {rows}")
        self.adaptation.note(line)

    def _header(self, line: str) -> None:
        self.settings.translate()
        try:
            names = next(csv.reader([line])) if '"' in line else line.split(",")
        except csv.Error as error:
            raise self._damaged(f"the names of the columns cannot be read: {error}") from error
        self._names = [name.strip() for name in names]
        self._check_names(line)
        try:
            hmc = self.settings.plan(is_fixed=self.settings.is_fixed, warmup=self._warmup, fitted=self._fitted())
            groups = group_columns(self._names)
        except ValueError as error:
            raise self._damaged(str(error)) from error
        self.stats = [group for group in groups if is_stat(group.variable.name)]
        self.groups = [group for group in groups if not is_stat(group.variable.name)]
        # A model without parameters is run with fixed ones, whatever its settings say (before CmdStan 2.37).
        is_undecided = (hmc.warmup or hmc.must_adapt) and not self.settings.has_hmc_columns(self._names)
        self.plan = None if is_undecided and hmc.method == "sample" else hmc

    def _fitted(self) -> Plan | None:
        """The rows from which quantities were generated, one for each."""
        is_generated = self.settings.method == "generate_quantities"
        if not is_generated:
            return None
        return _plan_of(self.settings.get("fitted_params", ""), self.path, is_told=self._warmup is not None)

    def _check_names(self, line: str) -> None:
        names = self._names
        is_plain = self.settings.method is None
        if "" in names:
            place = names.index("") + 1
            raise self._damaged(
                f"column {place} has no name: write the table without row names (index=False in pandas)"
            )
        if is_plain and len(names) == 1 and (";" in line or "\t" in line):
            raise self._damaged("columns are separated by commas in a CSV file, and numbers have a decimal point")
        if is_plain and not _TABLE_COLUMNS.isdisjoint(names):
            raise self._damaged("this is a table of all chains: write a file a chain, or store it with client.store")
        third = len(own := [name for name in names if not is_stat(name)]) // 3
        if third and own == own[:third] + [f"{mark}_{name}" for mark in "pg" for name in own[:third]]:
            raise self._damaged("this is a diagnostic file: unconstrained values, momenta and gradients, not draws")

    # -- rows --------------------------------------------------------------------------------------------------------

    def _stretch(self, lines: list[str], first_line: int) -> Iterator[Rows]:
        """Draws on consecutive lines; those before a faulty one are given, then it raises."""
        if self.plan is None:
            self._held_line = self._held_line or first_line
            self._held += lines
            hmc = self.settings.plan(is_fixed=False, warmup=None)
            if len(self._held) > hmc.warmup:
                # The adaptation would stand here.
                yield from self._decided(is_fixed=True)
            return
        if self.adaptation.is_timed:
            raise self._damaged("a draw comes after the timing", first_line)
        lines, first_line = self._without_mean(lines, first_line)
        allowed, problem = self._allowed(len(lines))
        try:
            values = parse_rows(lines[:allowed], len(self._names))
            fault = self._fault(values)
        except RowError as error:
            allowed, problem = error.index, self._problem_of(lines[error.index], str(error))
            values = parse_rows(lines[:allowed], len(self._names))
            fault = self._fault(values)
        if fault is not None:
            allowed, problem = fault
            values = values[:allowed]
        if allowed:
            indices = np.arange(self.rows, self.rows + allowed)
            self.rows += allowed
            yield Rows(values, indices < self.plan.warmup)
        if problem is not None:
            raise self._damaged(problem, first_line + allowed)

    def _without_mean(self, lines: list[str], first_line: int) -> tuple[list[str], int]:
        """The lines without the first row of a variational approximation, which is its mean."""
        if self.plan is None or not self.plan.has_mean or self.mean is not None:
            return lines, first_line
        try:
            row = parse_rows(lines[:1], len(self._names))[0]
        except RowError as error:
            raise self._damaged(str(error), first_line) from error
        self.mean = {name: float(value) for name, value in zip(self._names, row) if not is_stat(name)}
        return lines[1:], first_line + 1

    def _allowed(self, count: int) -> tuple[int, str | None]:
        """Number of the next rows that may be there, and the reason why the one behind them may not."""
        assert self.plan is not None
        if self.plan.must_adapt and not self.adaptation.is_done and self.rows + count > self.plan.warmup:
            reason = "draws begin without the adaptation before them (step size and metric are missing)"
            return self.plan.warmup - self.rows, reason
        most = self.plan.most_rows
        if most is not None and self.rows + count > most:
            return most - self.rows, f"there are more draws than the {most} that its settings tell"
        return count, None

    def _fault(self, values: Array) -> tuple[int, str] | None:
        """The first row with a stat that is no whole number, and the reason."""
        faults = []
        for group in self.stats:
            if group.variable.dtype != "float64":
                column = values[:, group.columns[0]]
                bad = ~((np.abs(column) < 2**53) & (column == np.floor(column)))
                if bad.any():
                    index = int(bad.argmax())
                    faults.append((index, f"{group.variable.name} is {column[index]:g}, not a whole number"))
        return min(faults, default=None)

    def _problem_of(self, line: str, problem: str) -> str:
        if line.split(",")[: len(self._names)] == self._names:
            return "the column names come again: a second run is appended to the first"
        return problem

    def _decided(self, *, is_fixed: bool) -> Iterator[Rows]:
        """Settles which rows are warmup where the settings leave it open, and gives those that were held back."""
        if self.plan is None:
            self.plan = self.settings.plan(is_fixed=is_fixed, warmup=None)
            held, self._held = self._held, []
            if held:
                yield from self._stretch(held, self._held_line)

    def _damaged(self, problem: str, line: int | None = None) -> DamagedFileError:
        return DamagedFileError(str(self.path), self._line if line is None else line, problem)


def _plan_of(fitted_params: str, path: Path, *, is_told: bool) -> Plan | None:
    """The rows of the file from which quantities were generated; None if it is not there, or not draws.

    Parameters
    ----------
    fitted_params : its name as CmdStan was given it: of several chains one for each, or the part that they share.
    path : the file with the quantities, in whose folder the other may be.
    is_told : the caller knows the number of rows that are warmup.

    Raises
    ------
    ValueError
        If a relative name leads to two files with different rows.
    """
    first = Path(fitted_params.split(",")[0].strip())
    if not first.name:
        return None
    names = [first, first.with_name(f"{first.stem}_1{first.suffix}")]
    plans: dict[Plan, Path] = {}
    # CmdStan's own folder is not known: it may be the present one, or that of its output.
    for folder in [names, [path.parent / name.name for name in names]]:
        found = next(((plan, name) for name in folder if (plan := _plan_in(name, path))), None)
        if found is not None:
            plans.setdefault(*found)
            if first.is_absolute():
                break
    if len(plans) > 1 and not is_told:
        places = " and ".join(map(str, plans.values()))
        raise ValueError(
            f"its draws were made from {first}, and {places} differ: say with --warmup N which rows are warmup"
        )
    return next(iter(plans)) if len(plans) == 1 else None


def _plan_in(name: Path, path: Path) -> Plan | None:
    """The rows of a file of draws other than `path`."""
    if not name.is_file() or name.samefile(path):
        return None
    file = CsvFile(name)
    try:
        for _ in file.read():
            break
    except (DamagedFileError, OSError):
        return None
    is_draws = file.plan is not None and not file.plan.has_mean and file.plan.method is not None
    return file.plan if is_draws else None


def read_csv(path: Path, *, warmup: int | None = None) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """A whole file: draws and stats by variable, and the warmup flag of each draw.

    Parameters
    ----------
    warmup : number of rows that are warmup, for files that do not tell it.

    Raises
    ------
    DamagedFileError
    """
    file = CsvFile(path, warmup=warmup)
    rows = list(file.read())
    file.finish()
    width = sum(len(group.columns) for group in file.groups + file.stats)
    values = np.concatenate([part.values for part in rows]) if rows else np.empty((0, width))
    marks = np.concatenate([part.is_warmup for part in rows]) if rows else np.empty(0, dtype=bool)
    return block(file.groups, values), block(file.stats, values), marks
