"""Follows CSV files of the Stan family, and stores their draws while the sampler runs."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..capture import environment_of
from ..client import Client, new_rid
from ..errors import (
    AccessError,
    ConflictError,
    DamagedFileError,
    DrawConflictError,
    McbError,
    MisdirectedError,
    ServerUnreachableError,
)
from ..facts import timestamp
from ..greeting import address_of
from ..names import check_rid
from ..notices import Beginning
from ..run import Chain, Run
from .chain_facts import MOST_BYTES, begin_of, bytes_of, chain_facts, lacks_metric, run_facts, share_of
from .columns import block
from .csv_file import CsvFile, Rows
from .growing import OverwrittenError
from .progress_line import ProgressLine
from .registration import Registration
from .settings import KINDS
from .sources import Named, Sources

Say = Callable[[str], None]

NOTHING = Beginning()
# Seconds without a new draw behind which a file that nothing ends counts as whole, and seconds for which further files
# of a pattern are waited for where nothing tells how many there will be.
QUIET = 30.0


class Tail:
    """Stores some CSV files as the chains of one run.

    Appending is exactly-once and always begins with a file's first draw, so a run that was interrupted is completed
    by following the same files under the same id again, in any order of time.

    Parameters
    ----------
    paths : a file a chain, in the order of the chains; they need not exist yet. Or `Sources`.
    rid : id of the run; a new one if None.
    say : told what happens.
    beginning : name, tags, notes and facts for a run that has none yet.
    attributes : more attributes of the run.
    warmup : number of rows at the beginning that are warmup, for files that do not tell it.
    capture : as for `mcbackend_edge.capture.environment_of`, of which host and user are told.
    progress : True draws how far the chains are on standard error.
    offline : begin even if the server cannot be reached; False makes it an error.

    Attributes
    ----------
    files : by the number of their chain.
    errors : why a file, or a chain of it, is not stored.
    """

    def __init__(
        self,
        client: Client,
        paths: Sequence[Path] | Sources,
        rid: str | None,
        say: Say,
        beginning: Beginning = NOTHING,
        *,
        attributes: Mapping[str, Any] | None = None,
        warmup: int | None = None,
        capture: bool | None = None,
        progress: bool = False,
        offline: bool = True,
    ) -> None:
        self.files: dict[int, CsvFile] = {}
        self.errors: dict[Path, McbError] = {}
        self._client = client
        self._sources = paths if isinstance(paths, Sources) else Named(paths)
        self._registration = Registration(
            *(client, new_rid() if rid is None else check_rid(rid), {} if attributes is None else attributes),
            offline=offline,
        )
        self._beginning, self._warmup, self._capture = beginning, warmup, capture
        self._tell = say
        self._line = ProgressLine(progress)
        self._chains: dict[int, Chain] = {}
        # Chains whose files were read to their end, and those that were told to be stored.
        self._read: set[int] = set()
        self._stored: set[int] = set()
        # Facts that were told of each chain, and the bytes of their numbers.
        self._told: dict[int, dict[str, Any]] = {}
        self._spent: dict[int, int] = {}
        self._grew_at: dict[int, float] = {}
        self._waiting: dict[str, float] = {}
        self._has_left_out = self._is_finishing = self._has_told_wait = False

    @property
    def run(self) -> Run | None:
        """The run; None until the first draws have come."""
        return self._registration.run

    def follow(self, interval: float = 1.0, idle: float | None = None) -> None:
        """Reads until all files are complete or damaged.

        If nothing tells how many files a pattern will have, others are waited for until nothing new has come for
        `QUIET` seconds, or for `idle`.

        Parameters
        ----------
        interval : seconds between two looks.
        idle : give up after so many seconds without anything new.
        """
        patience = QUIET if idle is None else idle
        changed_at = time.monotonic()
        while True:
            self._look_for_missing()
            if self.poll():
                changed_at = time.monotonic()
            if self._is_done and (self._sources.is_closed or not self._waits_for_others(changed_at + patience)):
                return
            self._line.update(self.files, self._waiting)
            if idle is not None and time.monotonic() - changed_at >= idle:
                return
            time.sleep(max(0.01, interval))

    def _waits_for_others(self, until: float) -> bool:
        """True until that time of `time.monotonic`, while further files may match the pattern; says so once."""
        left = until - time.monotonic()
        if left > 0 and not self._has_told_wait:
            self._has_told_wait = True
            self._say(
                f"all files so far are read; others are waited for, until none comes within {left:.0f} s "
                "(--chains N says how many there will be)"
            )
        return left > 0

    def poll(self) -> int:
        """Stores the new draws of the files; their number.

        Raises
        ------
        AccessError, MisdirectedError, ServerUnreachableError
            If the run cannot be begun at this server.
        """
        for number, path in self._sources.find().items():
            if number not in self.files:
                self.files[number] = CsvFile(path, warmup=self._warmup)
        for path, problem in self._sources.problems.items():
            self._report(path, DamagedFileError(str(path), 0, problem))
        files = list(self.files.items())
        count = sum(self._poll_file(number, file) for number, file in files if file.path not in self.errors)
        self._note_stored()
        return count

    def finish(self) -> None:
        """Waits until everything is on the server, and says which files are not whole.

        Raises
        ------
        UploadPendingError
            If it takes too long; the draws are kept, and sent later.
        """
        self._is_finishing = True
        for number in list(self.files):
            self._finish_file(number)
        for name in self._missing():
            self._report(Path(name), DamagedFileError(name, 0, "there is no such file"))
        run = self._registration.run
        if run is not None:
            try:
                self._flush(run)
            finally:
                # They are kept with the draws if the server is away.
                for number in self._chains:
                    self._tell_chain(number, self.files[number])
            self._note_stored()
            if self._is_whole:
                run.notices.note(self._end_facts())
            self._flush(run)
        self._line.clear()

    def _flush(self, run: Run) -> None:
        try:
            run.flush(progress=False)
        except McbError:
            # That of a chain is told with its file; any other is the caller's.
            if not any(chain.error for chain in self._chains.values()):
                raise

    @property
    def summary(self) -> str | None:
        """Chains and draws that are on the server, in a sentence; None if no draws have come."""
        run = self._registration.run
        if run is None:
            return None
        stored = [len(chain) - chain.pending for chain in self._chains.values() if chain.error is None]
        counts = f"{_count(len(stored), 'chain')}, {_count(sum(stored), 'draw')} on the server"
        return f"{_title(run, self._beginning.name)}: {counts}: {address_of(run)}"

    @property
    def _is_done(self) -> bool:
        """True if there is nothing more to read."""
        if self._missing() or not (self.files or self.errors) or self._sources.find().keys() - self.files.keys():
            # Files that have come while others were read are for the next look.
            return False
        return all(file.path in self.errors or self._has_ended(number) for number, file in self.files.items())

    def _has_ended(self, number: int) -> bool:
        file = self.files[number]
        if file.is_open_ended:
            return self._is_finishing or time.monotonic() - self._grew_at.get(number, time.monotonic()) >= QUIET
        return file.is_complete

    def _missing(self) -> list[str]:
        """Files that are still waited for."""
        begun = {str(file.path) for file in self.files.values() if file.is_begun}
        return [name for name in self._sources.missing() if name not in begun]

    def _finish_file(self, number: int) -> None:
        if self.files[number].path not in self.errors:
            # The lines behind the first one of the timing.
            self._poll_file(number, self.files[number])
        file = self.files[number]
        if file.path not in self.errors:
            try:
                file.finish()
            except DamagedFileError as error:
                self._report(file.path, error)
            else:
                if not file.rows:
                    self._say(f"{file.path}: complete, no draws")

    # -- one file ----------------------------------------------------------------------------------------------------

    def _poll_file(self, number: int, file: CsvFile) -> int:
        """Stores what has come; a file that is complete is looked at once more, for the lines behind its timing."""
        was_complete, count = file.is_complete, 0
        if number in self._read:
            return 0
        try:
            for rows in file.read():
                self._grew_at[number] = time.monotonic()
                self._store(number, file, rows)
                count += len(rows.values)
            chain = self._chains.get(number)
            if chain is not None and chain.pending < len(chain):
                # The server has compared its draws: if the chain is another run's, its facts are that one's, too.
                self._tell_chain(number, file)
        except (AccessError, MisdirectedError, ServerUnreachableError) as error:
            if self._registration.run is None:
                # No file is at fault, and the next one would meet with the same.
                raise
            self._report(file.path, error, number)
        except McbError as error:
            if not isinstance(error.__cause__, OverwrittenError):
                self._report(file.path, error, number)
            elif not was_complete:
                self._begin_anew(number, file, error)
            # Behind its end a file may be written anew: this run has all of its own.
        except OSError as error:
            self._report(file.path, DamagedFileError(str(file.path), 0, error.strerror or str(error)))
        self._sources.note(file.settings)
        if was_complete:
            self._read.add(number)
        return count

    def _begin_anew(self, number: int, file: CsvFile, error: McbError) -> None:
        """Reads a file from its beginning that was overwritten before it had a draw; behind that it is given up."""
        is_there = file.path.exists()
        if number in self._chains or (self._is_finishing and not is_there):
            self._report(file.path, error, number)
        elif is_there:
            self.files[number] = CsvFile(file.path, warmup=self._warmup)
            self._say(f"{file.path}: written anew before its first draw; read from its beginning")
        else:
            # A pattern may find the chain's next file under another name.
            del self.files[number]
            self._say(f"{file.path}: removed before its first draw; the next one of chain {number} is waited for")

    def _store(self, number: int, file: CsvFile, rows: Rows) -> None:
        if number not in self._chains:
            self._chains[number] = self._begin(number, file)
        chain = self._chains[number]
        draws, stats = block(file.groups, rows.values), block(file.stats, rows.values)
        if "tune" in chain.run.sample_stats and "tune" not in stats:
            stats["tune"] = rows.is_warmup
        chain.extend(draws, stats)

    def _begin(self, number: int, file: CsvFile) -> Chain:
        is_first = self._registration.run is None
        run = self._registration.join(file)
        if is_first:
            run.origin = "in its CSV files"
            facts = run_facts(file, environment_of(self._client.url, self._capture))
            run.notices.begin(self._beginning.with_facts(facts))
            self._say(
                f"{_title(run, self._beginning.name)}: {address_of(run)} "
                f"({_count(len(run.variables), 'variable')}, {_count(len(run.sample_stats), 'sampler stat')})"
            )
            method = file.plan.method if file.plan else None
            if method not in (None, "sample"):
                self._say(f"method {method}: {KINDS[method]} (the run's attribute `method` tells it)")
        return run.init_chain(number, start=0)

    def _tell_chain(self, number: int, file: CsvFile) -> None:
        """Notes what is known of the chain, if there is something new."""
        run = self._registration.run
        others = sum(size for other, size in self._spent.items() if other != number)
        share = min(share_of(len(self.files), self._sources.is_whole), MOST_BYTES - others)
        facts = chain_facts(file, share)
        if run is None or self._chains[number].error is not None or facts == self._told.get(number, {}):
            return
        self._told[number], self._spent[number] = facts, bytes_of(facts)
        run.notices.note({"chains": {number: facts}})
        if lacks_metric(file, share) and not self._has_left_out:
            self._has_left_out = True
            size = file.adaptation.size
            self._say(f"the inverse metric of {size} parameters is too large to be told with the run: it is left out")

    @property
    def _is_whole(self) -> bool:
        """True if these files are the whole run, and are all stored."""
        return self._sources.is_whole and not self.errors and not self._missing() and bool(self.files)

    def _end_facts(self) -> dict[str, Any]:
        """End and duration of a run of which these files are all chains."""
        seconds = [file.adaptation.seconds.get("Total") for file in self.files.values()]
        known = [value for value in seconds if value is not None]
        facts: dict[str, Any] = {"samplingTime": max(known)} if len(known) == len(seconds) else {}
        try:
            ended = max(file.path.stat().st_mtime for file in self.files.values())
        except OSError:
            ended = time.time()
        end = dt.datetime.fromtimestamp(round(ended, 3), dt.timezone.utc)
        # Times of files are some milliseconds behind the clock that has told the begin.
        facts["finishedAt"] = timestamp(max([end, *filter(None, map(begin_of, self.files.values()))]))
        return facts

    def _note_stored(self) -> None:
        """Says which files are complete and on the server, and which the server refuses."""
        for number, chain in self._chains.items():
            file = self.files[number]
            if chain.error is not None:
                if file.path not in self.errors:
                    self._report(file.path, chain.error, number)
            elif (
                number not in self._stored
                and file.path not in self.errors
                and chain.pending == 0
                and self._has_ended(number)
            ):
                self._stored.add(number)
                end = "nothing marks its end" if file.is_open_ended else "complete"
                self._say(f"{file.path}: {end}, {_count(file.rows, 'draw')} in chain {number}")

    # -- messages ----------------------------------------------------------------------------------------------------

    def _look_for_missing(self) -> None:
        """Says once of each file that it is waited for, and when it has come."""
        now = time.monotonic()
        missing = self._missing()
        for name in missing:
            if name not in self._waiting:
                self._waiting[name] = now
                self._say(f"{name}: not there yet; waiting for it")
        for name in [name for name in self._waiting if name not in missing]:
            self._say(f"{name}: there after {now - self._waiting.pop(name):.0f} s")

    def _report(self, path: Path, error: McbError, number: int | None = None) -> None:
        if path in self.errors:
            return
        self.errors[path] = error
        text = str(error) if isinstance(error, DamagedFileError) else f"{path}: {error}"
        self._say(f"error: {text}{self._advice(error, number)}")

    def _advice(self, error: McbError, number: int | None) -> str:
        if isinstance(error, DrawConflictError):
            chain = "the chain" if number is None else f"chain {number} of run {self._registration.rid}"
            return (
                f". So {chain} is another run's, or this file is another chain: store it under another --rid, or say "
                "which chain it is with --chain N"
            )
        if isinstance(error, ConflictError) and "--rid" not in str(error):
            return ". Store this file under another --rid"
        return ""

    def _say(self, text: str) -> None:
        self._line.clear()
        self._tell(text)


def _title(run: Run, name: str | None) -> str:
    shown = "".join(letter for letter in name or "" if letter.isprintable()).strip()
    return f"run {shown} ({run.rid})" if shown else f"run {run.rid}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
