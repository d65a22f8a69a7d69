"""The line at the start of sampling and the one at its end, by which a run is found again.

They go through the logger ``mcbackend_edge`` as INFO. Where the application has configured no logging, they are written
to stderr, so that a script shows them without further ado.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Run

log = logging.getLogger("mcbackend_edge")

_is_fork = False


def started(run: Run, *, name: str | None = None, moved_from: str | None = None) -> None:
    """Tells where the draws go.

    Parameters
    ----------
    name : the run's; that which its writer tells, if not given.
    moved_from : id of the run that was asked for, which has draws already.
    """
    reason = f" ({moved_from} has draws already)" if moved_from is not None else ""
    _say(f"{_title(run, name)}: {address_of(run)}{reason}")


def ended(run: Run) -> None:
    """Tells the chains and draws that this process has stored, or where those are that still wait."""
    lengths = run.own_lengths
    total = sum(lengths.values())
    counts = f"{_count(len(lengths), 'chain')}, {_count(total, 'draw')}"
    if waiting := run.pending:
        counts += f", of which {waiting:,} are not on the server yet, but {run.place}"
    _say(f"{_title(run, None)}: {counts}: {address_of(run)}")


def address_of(run: Run) -> str:
    """The address under which a run is found."""
    return f"{run.server_url}{run.path}"


def _title(run: Run, name: str | None) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in name or run.notices.name or "").strip()
    return f"run {shown} ({run.rid})" if shown else f"run {run.rid}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _say(line: str) -> None:
    """Logs the line, once for all of a sampler's processes."""
    if _is_fork or multiprocessing.parent_process() is not None:
        return
    if log.hasHandlers():
        log.info("%s", line)
    elif not log.disabled and (log.level == logging.NOTSET or log.isEnabledFor(logging.INFO)):
        # Not added to the logger, which would show all twice once the application configures logging.
        _stderr.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, "%s", (line,), None))


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at that time: a progress bar puts its own there, and keeps its place."""

    def emit(self, record: logging.LogRecord) -> None:
        # A stream that is closed or missing costs the line alone.
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()


_stderr = _Stderr()


def _after_fork() -> None:
    global _is_fork
    _is_fork = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
