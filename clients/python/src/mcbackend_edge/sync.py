"""Sends what the spools of dead processes still hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import McbError, SpoolError, SpoolInUseError
from .spool import RunSpool, folders
from .transport import Transport
from .uploader import RunWriter, Uploader
from .writer import ChainWriter

Say = Callable[[str], None]
Report = Callable[[RunWriter, int], None]


@dataclass
class Outcome:
    """What became of the spools: folders sent, in use by living processes, and failed."""

    sent: int = 0
    busy: int = 0
    failed: int = 0
    draws: int = 0


def sync(
    root: Path,
    *,
    token: str | None = None,
    url: str | None = None,
    rid: str | None = None,
    timeout: float = 60.0,
    say: Say = print,
    report: Report | None = None,
) -> Outcome:
    """Sends every spool below `root` whose process has gone, each to its own server.

    The server compares what it has already, so nothing is stored twice, and a sync that is interrupted is repeated.

    Parameters
    ----------
    url : send to this server instead of the one that the spool names.
    rid : only this run.
    timeout : seconds for each spool.
    """
    outcome = Outcome()
    for path in folders(root):
        if rid is not None and path.name.rpartition("~")[0] != rid:
            continue
        try:
            if _is_stillborn(path):
                continue
            spool = RunSpool.open(path)
        except SpoolInUseError as error:
            outcome.busy += 1
            say(str(error))
            continue
        except (SpoolError, OSError) as error:
            outcome.failed += 1
            say(str(error))
            continue
        try:
            outcome.draws += _send(spool, Transport(url or spool.url, token), timeout, say, report)
            outcome.sent += 1
        except (McbError, OSError) as error:
            outcome.failed += 1
            spool.leave()
            say(f"{path}: {error}")
    return outcome


def load(spool: RunSpool) -> RunWriter:
    """The run in a spool folder, with the draws that it still holds.

    Raises
    ------
    SpoolError
    """
    run = RunWriter(spool.meta, spool.registration, spool)
    for number, segments in spool.segments(run.layout).items():
        run.chains[number] = ChainWriter.restored(number, segments, run.stock)
    return run


def _send(spool: RunSpool, transport: Transport, timeout: float, say: Say, report: Report | None) -> int:
    run = load(spool)
    stored = _stored(transport, run)
    draws = sum(max(0, chain.length - stored.get(number, 0)) for number, chain in run.chains.items())
    uploader = Uploader(transport)
    try:
        uploader.add(run)
        uploader.flush([run], timeout, None if report is None else lambda pending: report(run, pending))
    finally:
        uploader.stop()
    say(f"run {spool.meta.rid}: {draws} draws sent to {transport.url}")
    if spool.gaps:
        raise SpoolError(f"{'; '.join(spool.gaps)}. The folder is left as it is")
    run.finish()
    return draws


def _stored(transport: Transport, run: RunWriter) -> dict[int, int]:
    """Lengths of the chains on the server: it may have draws of the spool already."""
    try:
        rows = transport.request("GET", f"{run.path}/chains", headers=run.headers(), patience=0.0).json()["chains"]
    except McbError:
        # Sending will say what is wrong, if anything is.
        return {}
    return {row["chain"]: row["length"] for row in rows}


def _is_stillborn(path: Path) -> bool:
    """Removes a folder whose process died before it had written what the folder is about."""
    if (path / "run.json").exists() or (path / "lock").exists():
        return False
    shutil.rmtree(path, ignore_errors=True)
    return True
