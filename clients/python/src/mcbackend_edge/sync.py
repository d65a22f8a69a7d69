"""Sends what the spools of dead processes still hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import AccessError, McbError, SpoolError, SpoolGoneError, SpoolInUseError, shown
from .names import check_rid
from .run_writer import RunWriter
from .spool import RunSpool, folders, is_foreign, is_mark_of
from .transport import Transport, is_same_server
from .uploader import Uploader
from .writer import ChainWriter

Say = Callable[[str], None]
Report = Callable[[RunWriter, int], None]


@dataclass
class Outcome:
    """Counts of spool folders: sent, in use by living processes, of other users, and failed; and of draws sent."""

    sent: int = 0
    busy: int = 0
    foreign: int = 0
    failed: int = 0
    draws: int = 0


@dataclass(frozen=True)
class Key:
    """A key and the server that may see it.

    Attributes
    ----------
    url : that server; None if nobody has named it. The marks in the spools then tell; spools of an earlier version
        have no mark and get no key.
    """

    token: str | None
    url: str | None

    def for_spool(self, url: str, mark: str | None) -> str | None:
        """The key, if it belongs to the server `url` of a spool; else None."""
        if not self.token:
            return None
        if self.url is not None:
            return self.token if is_same_server(self.url, url) else None
        return self.token if mark is not None and is_mark_of(mark, self.token, url) else None


def sync(
    root: Path,
    *,
    token: str | None = None,
    server: str | None = None,
    url: str | None = None,
    rid: str | None = None,
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
    url : send to this server instead of the one that the spool names. The key is then for this one.
    rid : only this run.
    timeout : seconds for each spool.
    """
    if rid is not None:
        check_rid(rid)
    job = _Sync(Key(token, url or server), url, timeout, say, report)
    for path in [path for path in folders(root) if rid is None or path.name.rpartition("~")[0] == rid]:
        spool = job.open(path)
        if spool is not None:
            try:
                job.send(spool)
            finally:
                spool.leave()
    return job.outcome


@dataclass(frozen=True)
class _Sync:
    """One call of `sync`, which goes from folder to folder."""

    key: Key
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
        """Sends a spool to its server, with the key if that is for this server."""
        own = None
        try:
            own = self.key.for_spool(self.url or spool.url, spool.key_mark)
            transport = Transport(self.url or spool.url, own)
            self.outcome.draws += _send(spool, transport, self.timeout, self.say, self.report)
            if spool.gaps:
                raise SpoolError(f"{'; '.join(spool.gaps)}. The folder is left as it is")
            self.outcome.sent += 1
        except Exception as error:
            self._fail(spool.path, error)
            if isinstance(error, AccessError) and self.key.token and not own:
                self.say(
                    f"{spool.path}: the key was not sent, since nothing tells that it is for {spool.url}. If it is, "
                    "set MCB_URL to that address, or: "
                    f"python -m mcbackend_edge sync --rid {spool.meta.rid} --url {spool.url}"
                )

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
    except (ValueError, TypeError, MemoryError) as error:
        raise SpoolError(f"{spool.path} is damaged: run.pb: {error}") from error
    for number, segments in spool.segments(run.layout).items():
        run.chains[number] = ChainWriter.restored(number, segments, run.stock)
    return run


def _send(spool: RunSpool, transport: Transport, timeout: float, say: Say, report: Report | None) -> int:
    try:
        run = load(spool)
        stored = _stored(transport, run)
        draws = sum(max(0, chain.length - stored.get(number, 0)) for number, chain in run.chains.items())
        uploader = Uploader(transport)
        try:
            uploader.add(run)
            uploader.flush([run], timeout, None if report is None else lambda pending: report(run, pending))
        except McbError as error:
            if spool.gaps:
                raise SpoolError("; ".join([str(error), *spool.gaps])) from error
            raise
        finally:
            uploader.stop()
    finally:
        transport.close()
    if draws or not spool.gaps:
        say(f"run {spool.meta.rid}: {draws} draws sent to {transport.url}")
    if not spool.gaps:
        run.finish()
    return draws


def _stored(transport: Transport, run: RunWriter) -> dict[int, int]:
    """Lengths of the chains on the server: it may have draws of the spool already.

    Raises
    ------
    AccessError
        If the server does not take the key: nobody has to wait for more.
    """
    try:
        answer = transport.request("GET", f"{run.path}/chains", headers=run.headers(), patience=0.0)
        return answer.lengths()
    except AccessError:
        raise
    except McbError:
        # If something is wrong, sending will say so.
        return {}


def _sentence(path: Path, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return shown(text if str(path) in text else f"{path}: {text}")
