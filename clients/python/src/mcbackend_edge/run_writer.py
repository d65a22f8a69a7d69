"""`RunWriter`: everything of one run that this process writes, and its files."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from contextlib import suppress

from .errors import ApiError, McbError
from .facts import now
from .names import check_rid
from .notices import Notices
from .schema import RunMeta
from .segment import Layout
from .spool import RunSpool
from .stock import Stock
from .wire import BatchEncoder
from .writer import Casting, ChainWriter

log = logging.getLogger("mcbackend_edge")


class RunWriter:
    """The chains of one run that this process writes, and their spool.

    Attributes
    ----------
    path : the run's path on the server.
    registration : identity of the registration, None until the server has the run.
    process : id of the process that writes; a fork of it must not.
    chains : by number. The writer opens them while the uploader goes through them: take a list of them for that.
    notices : name and facts that are told behind the draws.
    origin : place where the draws are to be had again; None if there is none. With one the caller tells what the server
        refuses, and the spool does not keep it.
    is_left : True if another process has left the run, and `sync` sends it.
    failures : chains that have been refused since the last line about it.
    told : kinds of refusals of which there has been a line.
    is_movable : True if its writer takes all draws to another run, and tells of it, when they are in conflict.
    is_abandoned : True if it has done so: nothing more is sent, and nothing is left for `sync`.
    """

    def __init__(self, meta: RunMeta, registration: str | None, spool: RunSpool | None) -> None:
        self.meta = meta
        self.path = f"/v1/runs/{check_rid(meta.rid)}"
        self.registration = registration
        self.spool = spool
        self.process = os.getpid()
        self.chains: dict[int, ChainWriter] = {}
        self.is_released = self.is_left = self.is_movable = self.is_abandoned = False
        self.failures: list[ChainWriter] = []
        self.told: set[tuple[type, str]] = set()
        self.notices = Notices()
        self.origin: str | None = None
        # The last time at which more draws were seen, and their number then.
        self._grew_at, self._seen_length = "", 0
        self._has_warned = False
        # Held while files are synced, and while they are given up: behind that they are others'.
        self._files = threading.Lock()
        self._is_finished = False
        self._seen: dict[int, int] = {}
        self.layout = Layout(meta)
        self.stock = Stock(self.layout, spool)
        self.encoder = BatchEncoder(meta.variables, meta.sample_stats)

    @property
    def pending(self) -> int:
        """Number of iterations, over all chains, that the server has not acknowledged."""
        return sum(chain.pending for chain in list(self.chains.values()))

    def see_growth(self) -> None:
        """Notes the time, if draws have come since the last call."""
        length = sum(chain.length for chain in list(self.chains.values()))
        if length != self._seen_length:
            self._grew_at, self._seen_length = now(), length

    def end(self) -> None:
        """Tells the end of a run to which nobody will append any more: the time at which it last grew."""
        self.see_growth()
        if self.chains and self.error is None:
            self.notices.end(self._grew_at or now())

    def abandon(self) -> None:
        """Sends nothing more: all draws are stored elsewhere."""
        self.is_abandoned = True
        for chain in self.chains.values():
            chain.error = chain.error or McbError("the draws of this chain are stored elsewhere")

    @property
    def error(self) -> McbError | None:
        """The reason for which a chain of this run cannot be sent; None if all can."""
        return next((chain.error for chain in list(self.chains.values()) if chain.error), None)

    @property
    def place(self) -> str:
        return f"spooled in {self.spool.path}" if self.spool else "in memory only"

    def add_chain(self, number: int, start: int, casting: Casting) -> ChainWriter:
        writer = ChainWriter(number, start, self.stock, casting)
        _writers.add(writer)
        self.chains[number] = writer
        return writer

    def is_registered_as(self, registration: str) -> None:
        """Notes that the server has the run."""
        self.registration = registration
        if self.spool is not None:
            self.spool.registration = registration
            try:
                self.spool.save()
            except OSError as error:
                self._warn(error)

    def headers(self) -> dict[str, str]:
        return {"Mcb-Registration": self.registration} if self.registration else {}

    def finish(self) -> None:
        """Gives the spool back: removes it if all is on the server, else leaves it for `sync`."""
        if self.spool is None:
            return
        with self._files:
            self._is_finished = True
            if self._is_settled:
                self.spool.remove()
            else:
                self._sync()
                self.keep_news()
                self.spool.leave()

    def keep_news(self) -> None:
        """Keeps with the draws what is still to be told of the run."""
        if self.spool is not None and not self.is_left:
            with suppress(OSError):
                self.spool.keep_news(self.notices.untold())

    @property
    def _is_settled(self) -> bool:
        """True if no draw is left that is worth keeping."""
        if self.is_abandoned:
            return True
        if self.origin is None:
            return self.pending == 0 and self.error is None
        return all(chain.pending == 0 or isinstance(chain.error, ApiError) for chain in self.chains.values())

    def sync(self) -> None:
        """Brings what is not acknowledged to the disk, as far as that can be done."""
        with self._files:
            if not self._is_finished:
                self._sync()

    def sync_late(self) -> None:
        """As `sync`, if the server has not acknowledged all draws that were there at the call before."""
        chains = list(self.chains.values())
        is_late = any(chain.acknowledged < self._seen.get(chain.number, 0) for chain in chains)
        self._seen = {chain.number: chain.length for chain in chains}
        if is_late:
            self.sync()

    def _sync(self) -> None:
        try:
            were_written = [chain.sync() for chain in list(self.chains.values())]
            if self.spool is not None and any(were_written):
                self.spool.sync_files()
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("the spool cannot be written to the disk (%s): it may not outlive the machine.", error)


_writers: weakref.WeakSet[ChainWriter] = weakref.WeakSet()


def _after_fork() -> None:
    """A forked child shares the parent's segments, and must neither write nor send nor delete them."""
    for writer in list(_writers):
        writer.error = McbError("this process is a fork of the one that writes the chain; only that one may append")
        writer.refusal = writer.error


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
