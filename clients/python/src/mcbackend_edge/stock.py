"""The segments of a run: files in the spool, or memory where that is switched off or fails."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from .segment import Layout, Segment, StoredSegment
from .spool import RunSpool

log = logging.getLogger("mcbackend_edge")


class Stock:
    """Makes the segments of one run: in the spool, or in memory where that is switched off or fails."""

    def __init__(self, layout: Layout, spool: RunSpool | None) -> None:
        self.layout = layout
        self.spool = spool
        self._open = 0
        self._has_warned = False

    def segment(self, chain: int, start: int, capacity: int, heap_bytes: int) -> Segment:
        if self.spool is not None and self._open < _most_files():
            try:
                path = self.spool.segment_path(chain, start)
                segment = Segment.create(self.layout, path, start, capacity, heap_bytes)
                self._open += 1
                return segment
            except OSError as error:
                self._warn(f"the spool folder {self.spool.path} cannot be written ({error})")
        elif self.spool is not None:
            self._warn("this process may not open enough files for a spool of this many chains")
        return Segment.create(self.layout, None, start, capacity, heap_bytes)

    def discard(self, segment: Segment | StoredSegment) -> None:
        if segment.path is not None:
            self._open -= isinstance(segment, Segment)
            # A file that stays is sent again by `sync`, and the server knows its draws already.
            with suppress(OSError):
                segment.path.unlink(missing_ok=True)

    def is_replaced(self, segment: Segment) -> None:
        """Notes that another segment has taken the file of this one."""
        if segment.path is not None:
            self._open -= 1
            segment.path = None

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("%s: draws are kept in memory until they are sent, and lost if the process dies.", reason)


def _most_files() -> int:
    """Segments that may be open at once: each holds a file descriptor."""
    if sys.platform == "win32":
        return 200
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(16, limit // 4) if limit > 0 else 1024
