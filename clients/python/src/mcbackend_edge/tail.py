"""Follows CmdStan's CSV files and stores their draws while CmdStan samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .client import Client, new_rid
from .cmdstan import CsvFile, block
from .errors import DamagedFileError, McbError
from .names import check_rid
from .notices import Beginning
from .run import Chain, Run
from .schema import Variable

# The configuration that is kept as attributes of the run, where a file has it: those that all chains of a run have, and
# that it has again when its script is started again. The rest are facts.
_KEPT_SETTINGS = ("model", "num_samples", "num_warmup", "save_warmup", "thin", "delta", "max_depth", "metric")

Say = Callable[[str], None]

NOTHING = Beginning()


class Tail:
    """Stores some CSV files as the chains 0, 1, … of one run.

    Appending is exactly-once and always begins with a file's first draw, so a run that was interrupted is completed
    by following the same files under the same id again.

    Parameters
    ----------
    paths : a file a chain; they need not exist yet.
    rid : id of the run; a new one if None.
    beginning : name, tags and facts for a run that has none yet.
    say : told what happens.
    """

    def __init__(
        self,
        client: Client,
        paths: Sequence[Path],
        rid: str | None,
        say: Say,
        beginning: Beginning = NOTHING,
    ) -> None:
        self.files = [CsvFile(path) for path in paths]
        self.errors: dict[Path, McbError] = {}
        self.run: Run | None = None
        self._client = client
        self._rid = new_rid() if rid is None else check_rid(rid)
        self._say = say
        self._beginning = beginning
        self._told: set[int] = set()
        self._chains: dict[int, Chain] = {}

    def follow(self, interval: float = 1.0, idle: float | None = None) -> None:
        """Reads until all files are complete or damaged.

        Parameters
        ----------
        interval : seconds between two looks.
        idle : give up after so many seconds without anything new.
        """
        changed_at = time.monotonic()
        while not self.is_done:
            if self.poll():
                changed_at = time.monotonic()
            elif idle is not None and time.monotonic() - changed_at >= idle:
                return
            else:
                time.sleep(interval)

    @property
    def is_done(self) -> bool:
        return all(file.is_complete or file.path in self.errors for file in self.files)

    def poll(self) -> int:
        """Stores the new draws of the files; their number."""
        count = 0
        for number, file in enumerate(self.files):
            if file.path not in self.errors and not file.is_complete:
                count += self._poll_file(number, file)
        return count

    def finish(self) -> None:
        """Says which files are not whole, and waits until everything is on the server.

        Raises
        ------
        UploadPendingError
        """
        for file in self.files:
            if file.path not in self.errors:
                try:
                    file.finish()
                except DamagedFileError as error:
                    self._report(file, error)
        if self.run is not None:
            self.run.flush()

    def _poll_file(self, number: int, file: CsvFile) -> int:
        count = 0
        try:
            for rows in file.read():
                chain = self._chain(number, file)
                chain.extend(
                    block(file.groups, rows.values), {**block(file.stats, rows.values), "tune": rows.is_warmup}
                )
                count += len(rows.values)
                self._tell_step_size(number, file)
        except McbError as error:
            self._report(file, error)
        if file.is_complete:
            self._say(f"{file.path}: complete, {file.rows} draws in chain {number}")
        return count

    def _report(self, file: CsvFile, error: McbError) -> None:
        self.errors[file.path] = error
        self._say(f"error: {error}" if isinstance(error, DamagedFileError) else f"error: {file.path}: {error}")

    def _chain(self, number: int, file: CsvFile) -> Chain:
        if self.run is None:
            self.run = self._create_run(file)
        elif [group.variable for group in file.groups + file.stats] != self._registered:
            raise DamagedFileError(str(file.path), 1, "its columns are not those of the other files")
        if number not in self._chains:
            self._chains[number] = self.run.init_chain(number, start=0)
            if file.settings.get("seed", "").isdecimal():
                self.run.notices.note({"chains": {number: {"seed": int(file.settings["seed"])}}})
        return self._chains[number]

    def _tell_step_size(self, number: int, file: CsvFile) -> None:
        if self.run is not None and file.step_size is not None and number not in self._told:
            self._told.add(number)
            self.run.notices.note({"chains": {number: {"stepSize": file.step_size}}})

    def _create_run(self, file: CsvFile) -> Run:
        self._registered = [group.variable for group in file.groups + file.stats]
        run = self._client.create_run(
            self._rid,
            variables=[group.variable for group in file.groups],
            sample_stats=[*(group.variable for group in file.stats), Variable("tune", "bool")],
            attributes={name: file.settings[name] for name in _KEPT_SETTINGS if name in file.settings},
            offline=True,
        )
        expected = {"draws": file.sample_rows, "warmup": file.warmup_rows}
        run.notices.begin(self._beginning.with_facts({"expected": expected, "environment": _environment(file)}))
        self._say(f"run {run.rid}: {len(file.groups)} variables, {len(file.stats)} sampler stats")
        return run


def _environment(file: CsvFile) -> dict[str, str]:
    """Versions of Stan; those of this process are of no meaning for the draws."""
    parts = [file.settings.get(f"stan_version_{part}", "") for part in ("major", "minor", "patch")]
    versions = {"stan": ".".join(parts) if all(parts) else "", "stanc": file.settings.get("stanc_version", "")}
    return {name: version for name, version in versions.items() if version}


def read_csv(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """A whole file: draws and stats by variable, and the warmup flag of each draw.

    Raises
    ------
    DamagedFileError
    """
    file = CsvFile(path)
    rows = list(file.read())
    file.finish()
    values = np.concatenate([part.values for part in rows]) if rows else np.empty((0, len(file.groups)))
    marks = np.concatenate([part.is_warmup for part in rows]) if rows else np.empty(0, dtype=bool)
    return block(file.groups, values), block(file.stats, values), marks
