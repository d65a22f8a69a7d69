"""The background thread that sends appended draws, and tries again while the server does not answer."""

from __future__ import annotations

import atexit
import logging
import math
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable

from .about import AboutPath
from .capture import is_on_this_machine
from .creation import register
from .disk_sync import DiskSync
from .errors import (
    AccessError,
    ApiError,
    DrawGapError,
    McbError,
    PayloadTooLargeError,
    ProtocolError,
    SpoolError,
    UploadPendingError,
)
from .notices import ANSWER_TIMEOUT
from .pace import Pace
from .refusals import refuse, say_what_is_left, tell_refusals
from .run_writer import RunWriter
from .saying import say
from .transport import Transport
from .waiting import SILENCE
from .ways_out import counted, draws_are, ended, sync_command
from .writer import ChainWriter

log = logging.getLogger("mcbackend_edge")

# Seconds between two looks for new draws: the time by which readers lag behind the sampler.
INTERVAL = 0.25
# Seconds between two attempts while the server does not answer: doubled from the first to the second. A client that
# looks for draws more often begins with its own interval, but for one that is next to nothing.
FIRST_DELAY, LAST_DELAY = 0.25, 5.0
SHORTEST_DELAY = 0.02
# Seconds between two attempts while the server refuses the key or the quota.
REFUSED_DELAY = 30.0
# Seconds behind an outage of which a warning told, in which further ones are only noted in the log, at INFO.
WARNING_PAUSE = 600.0
# Seconds that the end of the process waits for the server.
EXIT_TIMEOUT = 30.0


class Uploader:
    """Sends the draws of the runs that were added to it, over one connection, in the order of their chains.

    The thread starts with the first run and ends when there are none left.

    Parameters
    ----------
    interval : seconds between two looks for new draws.
    exit_timeout : seconds that the end of the process waits for the server.
    is_quiet : True where nobody samples and the caller tells what has failed.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        interval: float = INTERVAL,
        exit_timeout: float = EXIT_TIMEOUT,
        is_quiet: bool = False,
    ) -> None:
        self._transport = transport
        self._is_quiet = is_quiet
        self._interval = interval
        self._first_delay = min(FIRST_DELAY, max(interval, SHORTEST_DELAY))
        self.exit_timeout = exit_timeout
        # Time of the last outage that was told with a warning, in seconds of `time.monotonic`.
        self._warned_at = -math.inf
        self.reset()
        _uploaders.add(self)

    def reset(self) -> None:
        """Sets the state of an uploader that has nothing to do; a forked child begins with it, too."""
        self._runs: list[RunWriter] = []
        self._changed = threading.Condition()
        self._is_woken = False
        self._is_closed = False
        self._is_urgent = 0
        self._is_at_work = False
        self._thread: threading.Thread | None = None
        self._outage: McbError | None = None
        self._is_abandoned = False
        self._delay = 0.0
        self._retry_after = 0.0
        self._pace = Pace(is_on_this_machine(self._transport.url))
        # Length of all chains when the last round ended.
        self._length = 0
        # Draws that the server has acknowledged, and those at the begin of the outage; and the level of its line.
        self._sent = self._sent_before = 0
        self._level = logging.WARNING
        self._disk_sync = DiskSync(lambda: list(self._runs))

    def add(self, run: RunWriter) -> None:
        with self._changed:
            if self._is_closed:
                raise McbError("this client is closed")
            self._runs.append(run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="mcbackend-edge-uploader", daemon=True)
                self._thread.start()
        self._disk_sync.start()

    def is_away(self, error: McbError, place: str) -> None:
        """Notes an outage that somebody else has met with, and tells of it unless that is done.

        Parameters
        ----------
        place : the place of draws meanwhile, and their way from there.
        """
        with self._changed:
            is_new = self._outage is None
            if is_new:
                self._sent_before, self._delay, self._level = self._sent, self._first_delay, logging.WARNING
                self._retry_after = 0.0
            self._outage, self._warned_at = error, time.monotonic()
        if is_new:
            log.warning("%s Sampling goes on; draws are %s.", ended(str(error)), place)

    @property
    def has_outage(self) -> bool:
        return self._outage is not None

    def wake(self) -> None:
        """Asks the thread to look for new draws now."""
        self._is_woken = True
        with self._changed:
            self._changed.notify_all()

    def flush(self, runs: list[RunWriter], timeout: float, report: Callable[[int], None] | None = None) -> None:
        """Waits until everything that was appended is acknowledged, and for one attempt to tell what else there is.

        Parameters
        ----------
        report : called every now and then with the number of iterations that are still to be sent.

        Raises
        ------
        UploadPendingError
            If that takes longer than `timeout` seconds.
        McbError
            If the server refuses a chain; the others are waited for nevertheless.
        """
        deadline = time.monotonic() + timeout
        for run in runs:
            run.notices.has_failed = False
        with self._changed:
            self._is_urgent += 1
            self._is_woken = True
            self._changed.notify_all()
            try:
                while True:
                    pending = sum(run.pending for run in runs)
                    if report is not None:
                        report(pending)
                    chains = [chain for run in runs for chain in list(run.chains.values())]
                    error = next((chain.error for chain in chains if chain.error is not None), None)
                    left = deadline - time.monotonic()
                    if all(chain.error or (chain.is_created and not chain.pending) for chain in chains):
                        if error is not None:
                            raise error
                        # An outage is known to be over at the end of the round that sends what had waited.
                        is_there = self._outage is None or self._is_at_work
                        is_tellable = left > 0 and self._thread is not None and is_there
                        if not (is_tellable and any(run.notices.is_wanted for run in runs)):
                            return
                    if left <= 0:
                        raise error or self._pending_error(runs, pending)
                    self._changed.wait(min(left, 0.5))
            finally:
                self._is_urgent -= 1

    def _pending_error(self, runs: list[RunWriter], pending: int) -> UploadPendingError:
        places = ", ".join(sorted({run.place for run in runs if run.pending})) or "nothing is lost"
        spools = [run.spool for run in runs if run.pending and run.spool]
        message = f"{draws_are(pending)} not on the server yet, but {places}."
        if spools:
            command = sync_command(spools[0].path.parent)
            message += f" Try again with: {command}" if self._is_quiet else f" Sent later, or with: {command}"
        if self._outage:
            message += f" ({self._outage})"
        return UploadPendingError(message, pending, str(spools[0].path) if spools else None, self._outage)

    def is_interrupted(self) -> None:
        """Notes that an error ends the process: runs that it writes have not come to their end."""
        for run in self._runs:
            run.notices.is_whole = False

    def release(self, run: RunWriter) -> None:
        """Lets a run go once everything is acknowledged: nobody will append to it any more."""
        run.is_released = True
        self.wake()

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left, for at most `timeout` seconds, and says so if something remains."""
        with self._changed:
            if self._is_closed:
                return
            runs = list(self._runs)
        for run in runs:
            run.end()
        seconds = self.exit_timeout if timeout is None else timeout
        try:
            self.flush(runs, seconds, self._tell_that_it_waits(seconds))
        except (McbError, KeyboardInterrupt):
            pass
        finally:
            self.stop()
            for run in runs:
                say_what_is_left(run)
                run.finish()

    def _tell_that_it_waits(self, seconds: float) -> Callable[[int], None]:
        """Says once that the end of the process waits, if that takes its time."""
        began, has_told = time.monotonic(), False

        def report(pending: int) -> None:
            nonlocal has_told
            if pending and not has_told and time.monotonic() - began >= SILENCE:
                has_told = True
                log.warning(
                    "Waiting for %s to take %s, up to %.0f s. Ctrl-C leaves them where they are.",
                    *(self._transport.url, counted(pending, "draw"), seconds),
                )

        return report

    def stop(self) -> None:
        """Ends the thread, whatever is left to send."""
        with self._changed:
            self._is_closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout=5.0)
        self._disk_sync.stop()
        self._is_abandoned = True

    # -- the thread --------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._wait()
                self._is_woken = False
                if self._is_closed or not self._runs:
                    self._thread = None
                    return
                runs = list(self._runs)
                self._is_at_work = True
            self._pace.begin()
            try:
                self._send(runs)
                self._tell(runs)
                self._drop_released(runs)
            except Exception:  # the thread must outlive a defect: the draws stay in the log
                log.exception("sending draws failed; they are kept, and sending is tried again")
                self._delay = LAST_DELAY
            self._pace.end()
            self._length = _length_of(runs)
            with self._changed:
                self._is_at_work = False
                self._changed.notify_all()

    def _send(self, runs: list[RunWriter]) -> None:
        try:
            for run in runs:
                self._send_run(run)
        except McbError as error:
            self._outage_begins(error, runs)
        else:
            self._outage_over(runs)

    def _wait(self) -> None:
        """Waits for the time of the next look, or until `wake` asks for one; during an outage only `flush` does.

        A sampler that adds draws has its turn, too (see pace.py), unless somebody waits in `flush`.
        """
        began = time.monotonic()
        pause = max(self._delay * random.uniform(0.8, 1.2), self._retry_after) if self._delay else self._interval
        until = began + pause
        turn = began + self._pace.pause
        while not self._is_closed:
            if self._delay and self._is_urgent:
                # Somebody waits in `flush`: an attempt every half second, or as seldom as the server has asked for.
                until = min(until, began + max(0.5, self._retry_after))
            left = until - time.monotonic()
            if left <= 0 or (self._is_woken and not self._delay):
                left = turn - time.monotonic()
                is_still = time.monotonic() >= until and _length_of(self._runs) == self._length
                if left <= 0 or self._is_urgent or is_still:
                    return
                left = min(left, self._interval)
            self._changed.wait(left)

    def _send_run(self, run: RunWriter) -> None:
        """Sends all that is pending now, a batch of each chain in turn.

        Draws that are appended meanwhile are left for the next time, unless somebody waits for them: a sampler makes a
        draw in less time than a request takes, and each would become a request of its own. If a sampler appends more
        than there is time for (see pace.py), a batch of each chain is sent.
        """
        try:
            self._send_chains(run)
        finally:
            tell_refusals(run)

    def _send_chains(self, run: RunWriter) -> None:
        run.see_growth()
        chains = [chain for chain in list(run.chains.values()) if chain.error is None]
        if not all(chain.is_created for chain in chains):
            register(self._transport, run, chains)
            chains = [chain for chain in chains if chain.error is None]
        ends = {chain: chain.length for chain in chains}
        while chains and not self._is_closed:
            sent = [chain for chain in chains if self._send_batch(run, chain)]
            chains = [chain for chain in sent if self._is_urgent or chain.acknowledged < ends[chain]]
            if self._pace.is_over and not self._is_urgent and any(chain.length > end for chain, end in ends.items()):
                chains = []
            with self._changed:
                self._changed.notify_all()

    def _send_batch(self, run: RunWriter, chain: ChainWriter) -> bool:
        """Sends the next batch of a chain; False if there is none, or never will be.

        Raises
        ------
        McbError
            For failures that may pass.
        """
        try:
            batch = chain.next_batch(run.encoder)
        except SpoolError as error:
            return refuse(run, chain, error)
        if batch is None:
            return False
        start, count, body = batch
        path = f"{run.path}/chains/{chain.number}/draws"
        try:
            answer = self._transport.request("POST", path, body=body, headers=run.headers(), patience=0.0)
        except DrawGapError as error:
            return _rewound(run, chain, error)
        except PayloadTooLargeError as error:
            return chain.send_less() or refuse(run, chain, error)
        except ApiError as error:
            if not error.is_verdict:
                raise
            return refuse(run, chain, error)
        if answer.length() < start + count:
            raise ProtocolError(f"the server took {count} draws from {start} on, but has {answer.length()} only")
        if self._is_abandoned:
            # The spool has been given up meanwhile, and may be in the hands of `sync`.
            return False
        self._sent += max(0, start + count - chain.acknowledged)
        chain.acknowledge(start + count)
        return True

    def _tell(self, runs: list[RunWriter]) -> None:
        """Tells what there is to tell of runs that the server has; draws for which somebody waits go first."""
        for run in runs:
            notices = run.notices
            is_last_call = bool(self._is_urgent) or run.is_released
            is_time = notices.is_due() or (notices.is_wanted and is_last_call)
            is_later = run.pending and run.error is None and (is_last_call or notices.is_ending)
            if is_time and not is_later and run.registration is not None and not self._is_abandoned:
                document = AboutPath(self._transport, run.meta.rid, run.path, run.headers(), 0.0, ANSWER_TIMEOUT)
                notices.send(document)
                if not notices.has_failed:
                    run.keep_news()

    def _outage_begins(self, error: McbError, runs: list[RunWriter]) -> None:
        delay = min(max(self._first_delay, 2 * self._delay), LAST_DELAY)
        if isinstance(error, AccessError):
            delay = REFUSED_DELAY
        self._retry_after = (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0
        self._delay = max(delay, self._retry_after)
        if self._outage is None:
            self._sent_before = self._sent
            is_news = time.monotonic() - self._warned_at >= WARNING_PAUSE
            self._level = logging.WARNING if is_news else logging.INFO
            self._warned_at = time.monotonic() if is_news else self._warned_at
            if not self._is_quiet:
                places = ", ".join(sorted({run.place for run in runs}))
                when = "once the key is accepted" if isinstance(error, AccessError) else "when it answers"
                log.log(self._level, "%s Sampling goes on; draws are %s and sent %s.", ended(str(error)), places, when)
        self._outage = error

    def _outage_over(self, runs: list[RunWriter]) -> None:
        if self._outage is not None and not self._is_closed and not self._is_quiet:
            sent = self._sent - self._sent_before
            refused = sum(run.pending for run in runs if run.error is not None)
            if refused:
                line = (
                    f"is back: {draws_are(sent)} sent that had waited, and {draws_are(refused)} refused, as told above."
                )
            else:
                line = f"is back, all sent: {counted(sent, 'draw')} had waited."
            tell = say if self._level == logging.WARNING else log.info
            tell(f"{self._transport.url} {line}")
        self._outage, self._delay, self._retry_after = None, 0.0, 0.0

    def _drop_released(self, runs: list[RunWriter]) -> None:
        for run in runs:
            if run.is_released and (run.pending == 0 or run.error is not None):
                run.end()
                self._tell([run])
                with self._changed:
                    self._runs.remove(run)
                run.finish()


def _length_of(runs: list[RunWriter]) -> int:
    """Number of draws that all chains have, sent or not."""
    return sum(chain.length for run in runs for chain in list(run.chains.values()))


def _rewound(run: RunWriter, chain: ChainWriter, error: DrawGapError) -> bool:
    try:
        chain.rewind(error)
    except DrawGapError as lasting:
        return refuse(run, chain, lasting)
    log.warning(
        "%s has lost draws of chain %d of run %s; they are sent again.", "The server", chain.number, run.meta.rid
    )
    return True


_uploaders: weakref.WeakSet[Uploader] = weakref.WeakSet()


def _at_exit() -> None:
    """Closes all uploaders within the time that the first one has: a second server that hangs takes no longer."""
    began = time.monotonic()
    for uploader in list(_uploaders):
        if hasattr(sys, "last_value"):
            uploader.is_interrupted()
        uploader.close(max(0.0, uploader.exit_timeout - (time.monotonic() - began)))


def _after_fork() -> None:
    """A forked child has none of the parent's threads, and nothing of its own to send."""
    for uploader in list(_uploaders):
        uploader.reset()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
