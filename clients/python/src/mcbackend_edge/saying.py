"""Good news for whoever looks at the terminal: logged as INFO, or written to stderr where no logging is configured."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys

log = logging.getLogger("mcbackend_edge")

_is_fork = False


def say(line: str) -> None:
    """Logs good news as INFO, once for all of a sampler's processes."""
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
