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
from .run import Chain, Run
from .schema import Variable

# The configuration that is kept as attributes of the run, where a file has it.
_KEPT_SETTINGS = (
    *("stan_version_major", "stan_version_minor", "stan_version_patch", "model", "stanc_version", "num_samples"),
    *("num_warmup", "save_warmup", "thin", "delta", "max_depth", "metric", "seed"),
)

Say = Callable[[str], None]


class Tail:
    """Stores some CSV files as the chains 0, 1, … of one run.

    Appending is exactly-once and always begins with a file's first draw, so a run that was interrupted is completed
    by following the same files under the same id again.

    Parameters
    ----------
    paths : a file a chain; they need not exist yet.
    rid : id of the run; a new one if None.
    say : told what happens.
    """

    def __init__(self, client: Client, paths: Sequence[Path], rid: str | None, say: Say) -> None:
        self.files = [CsvFile(path) for path in paths]
        self.errors: dict[Path, McbError] = {}
        self.run: Run | None = None
        self._client = client
        self._rid = new_rid() if rid is None else check_rid(rid)
        self._say = say
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
        return self._chains[number]

    def _create_run(self, file: CsvFile) -> Run:
        self._registered = [group.variable for group in file.groups + file.stats]
        run = self._client.create_run(
            self._rid,
            variables=[group.variable for group in file.groups],
            sample_stats=[*(group.variable for group in file.stats), Variable("tune", "bool")],
            attributes={name: file.settings[name] for name in _KEPT_SETTINGS if name in file.settings},
            offline=True,
        )
        self._say(f"run {run.rid}: {len(file.groups)} variables, {len(file.stats)} sampler stats")
        return run


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
