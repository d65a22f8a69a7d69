"""Sends what the spools of dead processes still hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .errors import (
    AccessError,
    McbError,
    ServerUnreachableError,
    SpoolError,
    SpoolGoneError,
    SpoolInUseError,
    UploadPendingError,
    shown,
)
from .keys import Keys
from .moving import move
from .names import check_rid
from .profile import Profile
from .run_writer import RunWriter
from .spool import RunSpool, folders, is_foreign, rid_of
from .transport import Transport
from .uploader import Uploader
from .ways_out import counted, draws_are, ended, sync_command
from .writer import ChainWriter

# Seconds for which a request is tried again.
_PATIENCE = 15.0

Say = Callable[[str], None]
Report = Callable[[str, int, int], None]
"""Called with the run's id, the draws that are sent so far, and those that will be."""


@dataclass
class Outcome:
    """Counts of spool folders: sent, in use by living processes, of other users, and failed; and of draws sent."""

    sent: int = 0
    busy: int = 0
    foreign: int = 0
    failed: int = 0
    draws: int = 0


def sync(
    root: Path,
    *,
    token: str | None = None,
    server: str | None = None,
    profile: Profile | None = None,
    url: str | None = None,
    rid: str | None = None,
    folder: Path | None = None,
    timeout: float = 60.0,
    say: Say = print,
    report: Report | None = None,
) -> Outcome:
    """Sends every spool below `root` whose process has gone, each to its own server.

    The server compares what it has already, so nothing is stored twice, and a sync that is interrupted is repeated.
    A damaged spool or chain is reported and left as it is; the others are sent.

    Parameters
    ----------
    token : the key. It is shown to no other server than its own.
    server : that server; if not given, the one whose runs were written with this key.
    profile : another key, and its server.
    url : send to this server instead of the one that the spool names. `token` is then for this one.
    rid, folder : only this run, or this run folder.
    timeout : seconds for each spool.
    """
    job = Sync(Keys.of(token, url or server, profile), url, timeout, say, report)
    for path in chosen_folders(root, rid, folder):
        spool = job.open(path)
        if spool is not None:
            try:
                job.send(spool)
            finally:
                spool.leave()
    return job.outcome


def chosen_folders(root: Path, rid: str | None, folder: Path | None) -> list[Path]:
    """The run folders below the root, or those of one run, or one alone."""
    if rid is not None:
        check_rid(rid)
    if folder is not None:
        return [path for path in folders(folder.parent) if path.name == folder.name]
    return [path for path in folders(root) if rid is None or rid_of(path) == rid]


@dataclass(frozen=True)
class Sync:
    """One call of `sync`, which goes from folder to folder."""

    keys: Keys
    url: str | None
    timeout: float
    say: Say
    report: Report | None
    outcome: Outcome = field(default_factory=Outcome)

    def open(self, path: Path) -> RunSpool | None:
        """The spool in a folder; None if it is gone or in use, of another user or damaged."""
        try:
            if is_foreign(path):
                self.outcome.foreign += 1
                self.say(f"{path} is not this user's own: skipped")
                return None
            return RunSpool.open(path)
        except (SpoolGoneError, FileNotFoundError):
            pass
        except SpoolInUseError as error:
            self.outcome.busy += 1
            self.say(str(error))
        except Exception as error:
            self._fail(path, error)
        return None

    def send(self, spool: RunSpool) -> None:
        """Sends a spool to its server, with the key if that is for it; goes on with a move if one was begun."""
        if spool.move is not None:
            self.move(spool, spool.move.rid)
        else:
            self._attempt(spool, lambda transport: self._send(spool, transport))

    def move(self, spool: RunSpool, rid: str, *, is_tail: bool = False) -> None:
        """Moves the draws of a spool to another run."""
        self._attempt(spool, lambda transport: self._move(spool, transport, rid, is_tail=is_tail))

    def _attempt(self, spool: RunSpool, action: Callable[[Transport], None]) -> None:
        own, url = None, self.url or spool.url
        try:
            own = self.keys.for_spool(url, spool.key_mark)
            transport = Transport(url, own, patience=min(self.timeout, _PATIENCE))
            try:
                action(transport)
            finally:
                transport.close()
            if spool.gaps:
                raise SpoolError(f"{'; '.join(spool.gaps)}. The folder is left as it is")
            self.outcome.sent += 1
        except Exception as error:
            self._fail(spool.path, error)
            if isinstance(error, AccessError) and self.keys and not own:
                command = sync_command(spool.path.parent, "--rid", spool.meta.rid, "--url", spool.url)
                self.say(
                    f"{spool.path}: the key was not sent, since nothing tells that it is for {spool.url}. If it is, "
                    f"set MCB_URL to that address, or: {command}"
                )

    def _send(self, spool: RunSpool, transport: Transport) -> None:
        run, rid = load(spool), spool.meta.rid
        with suppress(TypeError, ValueError, AttributeError):
            run.notices.again(spool.news())
        try:
            stored = _stored(transport, run)
        except ServerUnreachableError as error:
            message = f"{draws_are(run.pending)} not on the server yet, but {run.place}. {ended(str(error))}"
            raise UploadPendingError(message, run.pending, str(spool.path)) from None
        firsts = {number: max(chain.acknowledged, stored.get(number, 0)) for number, chain in run.chains.items()}
        total = run.pending

        def report(pending: int) -> None:
            if self.report is not None:
                self.report(rid, total - pending, total)

        uploader = Uploader(transport, is_quiet=True)
        try:
            uploader.add(run)
            uploader.flush([run], self.timeout, report)
        except McbError as error:
            if spool.gaps:
                raise SpoolError("; ".join([str(error), *spool.gaps])) from error
            raise
        finally:
            uploader.stop()
            sent = sum(max(0, chain.acknowledged - firsts[number]) for number, chain in run.chains.items())
            self.outcome.draws += sent
            if sent or not (run.pending or spool.gaps):
                self.say(f"run {rid}: {counted(sent, 'draw')} sent to {transport.url}")
        if not spool.gaps:
            run.finish()

    def _move(self, spool: RunSpool, transport: Transport, rid: str, *, is_tail: bool) -> None:
        before, old = spool.move, spool.meta.rid

        def report(done: int, total: int) -> None:
            if self.report is not None:
                self.report(rid, done, total)

        moved = move(spool, transport, rid, is_tail=is_tail, report=report)
        self.outcome.draws += moved.sent
        copied = f", and {counted(moved.copied, 'draw')} copied from run {old}" if moved.copied else ""
        self.say(f"run {rid}: {counted(moved.sent, 'draw')} sent to {transport.url}{copied}; run {old} stays as it is")
        if before is not None and before.rid != rid:
            self.say(f"run {before.rid} may hold some of them from an earlier attempt")
        if not spool.gaps:
            spool.remove()

    def _fail(self, path: Path, error: Exception) -> None:
        """Counts and reports a folder that cannot be sent, which keeps no other from being sent."""
        self.outcome.failed += 1
        self.say(_sentence(path, error))


def load(spool: RunSpool) -> RunWriter:
    """The run in a spool folder, with the draws that it still holds.

    Raises
    ------
    SpoolError
    """
    try:
        run = RunWriter(spool.meta, spool.registration, spool)
        run.is_left = True
    except (ValueError, TypeError, MemoryError) as error:
        raise SpoolError(f"{spool.path} is damaged: run.pb: {error}") from error
    for number, segments in spool.segments(run.layout).items():
        run.chains[number] = ChainWriter.restored(number, segments, run.stock)
    return run


def _stored(transport: Transport, run: RunWriter) -> dict[int, int]:
    """Lengths of the chains on the server: it may have draws of the spool already.

    Raises
    ------
    AccessError
        If the server does not take the key: nobody has to wait for more.
    ServerUnreachableError
        If it cannot be reached at all.
    """
    try:
        return transport.request("GET", f"{run.path}/chains", headers=run.headers()).lengths()
    except (AccessError, ServerUnreachableError):
        raise
    except McbError:
        # If something is wrong, sending will say so.
        return {}


def _sentence(path: Path, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return shown(text if str(path) in text else f"{path}: {text}")
