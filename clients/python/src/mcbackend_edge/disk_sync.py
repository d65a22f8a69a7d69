"""The thread that brings draws to the disk while the server does not take them.

Draws are on the disk after `FSYNC_SECONDS`, as spool.py promises. The uploader's thread cannot see to it: it waits for
an answer for up to a minute, and between two attempts for up to five. The sampler's thread never waits for a disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from .run_writer import RunWriter
from .spool import FSYNC_SECONDS

log = logging.getLogger("mcbackend_edge")

# Seconds between two looks. The second look after a draw was appended syncs it, and the fsync takes time as well.
LOOK_SECONDS = FSYNC_SECONDS / 2.5


class DiskSync:
    """Syncs the spools of some runs, in a thread that ends when there are none left.

    Parameters
    ----------
    runs : gives the runs of the moment.
    """

    def __init__(self, runs: Callable[[], Sequence[RunWriter]]) -> None:
        self._runs = runs
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread, if there is none; called after each run that is added."""
        with self._lock:
            if self._thread is None and self._spooled():
                self._thread = threading.Thread(target=self._loop, name="mcbackend-edge-disk", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout=5.0)

    def _spooled(self) -> list[RunWriter]:
        return [run for run in self._runs() if run.spool is not None]

    def _loop(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            with self._lock:
                runs = self._spooled()
                if not runs:
                    self._thread = None
                    return
            for run in runs:
                try:
                    run.sync_late()
                except Exception:  # the thread must outlive a defect
                    log.exception("draws of run %s could not be brought to the disk", run.meta.rid)
