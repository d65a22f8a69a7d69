"""The spool: a folder for each run that is being written, from which what is not on the server can be sent later.

    <root>/<rid>~<random>/
        lock                        locked by the writing process for as long as it lives
        run.json                    server, run id, registration; no key
        run.pb                      the registered metadata
        <chain>/<start>.rows        segments (see segment.py); deleted once the server has acknowledged all of a segment

Guarantee: once `append` has returned, the draw survives the death of its process. It survives the death of the machine
if it is older than `FSYNC_SECONDS` at that time; while the server acknowledges draws that time is of no importance,
since what is acknowledged is durable there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .errors import SpoolError, SpoolInUseError
from .schema import RunMeta
from .segment import Layout, Segment

FSYNC_SECONDS = 5.0
FORMAT = 1


def default_root() -> Path:
    """``MCB_SPOOL_DIR``, or ``mcbackend-edge/spool`` in the user's state folder."""
    chosen = os.environ.get("MCB_SPOOL_DIR")
    if chosen:
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "mcbackend-edge" / "spool"


def boot_id() -> str:
    """Names the present start of the machine; "" where the system has no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Lock:
    """Keeps other processes, and other users of the spool in this one, out of a folder.

    POSIX record locks belong to a process and are not inherited by forked children, so workers of a sampler that
    outlive it do not hold on to them. Within a process they exclude nobody; the set of held paths does.
    """

    _held: ClassVar[set[Path]] = set()

    def __init__(self, path: Path) -> None:
        import fcntl

        self._path = path.resolve()
        self._file = -1
        if self._path in Lock._held:
            raise SpoolInUseError(f"{path.parent} is in use by this process")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise SpoolInUseError(f"{path.parent} is in use by another process") from error
        Lock._held.add(self._path)

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            Lock._held.discard(self._path)


class RunSpool:
    """The folder of one run that this process writes or sends.

    Attributes
    ----------
    gaps : what is missing in it, in words; found out by `segments`.
    """

    def __init__(self, path: Path, lock: Lock, meta: RunMeta, url: str, registration: str | None, boot: str) -> None:
        self.path = path
        self.meta = meta
        self.url = url
        self.registration = registration
        self.gaps: list[str] = []
        self._boot = boot
        self._lock = lock

    @classmethod
    def create(cls, root: Path, url: str, meta: RunMeta, registration: str | None) -> RunSpool:
        """A new folder below `root`.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        path = root / f"{meta.rid}~{secrets.token_hex(4)}"
        path.mkdir(parents=True, mode=0o700)
        spool = cls(path, Lock(path / "lock"), meta, url, registration, boot_id())
        (path / "run.pb").write_bytes(meta.raw)
        spool.save()
        return spool

    @classmethod
    def open(cls, path: Path) -> RunSpool:
        """A folder that another process has left.

        Raises
        ------
        SpoolError
            If its process still runs, or it cannot be read.
        """
        lock = Lock(path / "lock")
        try:
            about = json.loads((path / "run.json").read_text(encoding="utf-8"))
            if about["format"] != FORMAT:
                raise SpoolError(f"{path} was written by another version of this package")
            meta = RunMeta((path / "run.pb").read_bytes())
            return cls(path, lock, meta, about["url"], about["registration"], about["boot"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            lock.release()
            raise SpoolError(f"{path} is damaged: {error}") from error
        except BaseException:
            lock.release()
            raise

    def save(self) -> None:
        """Writes run.json, whole or not at all."""
        about = {
            "format": FORMAT,
            "url": self.url,
            "rid": self.meta.rid,
            "registration": self.registration,
            "boot": self._boot,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        draft = self.path / "run.json.draft"
        draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
        draft.replace(self.path / "run.json")

    def segment_path(self, chain: int, start: int) -> Path:
        folder = self.path / str(chain)
        folder.mkdir(exist_ok=True)
        return folder / f"{start:020d}.rows"

    def segments(self, layout: Layout) -> dict[int, list[Segment]]:
        """What lies in the folder, by chain and in order, up to the first iteration that is missing.

        Where one is missing (the disk was full, so that what followed was in memory alone; or a restart of the machine
        lost it), the rest cannot be sent: `gaps` then tells what lies behind it.

        Raises
        ------
        SpoolError
            If a segment is damaged.
        """
        is_same_boot = self._boot == boot_id()
        found: dict[int, list[Segment]] = {}
        for folder in sorted(path for path in self.path.iterdir() if path.name.isdecimal()):
            chain: list[Segment] = []
            for path in sorted(folder.glob("*.rows")):
                segment = Segment.open(layout, path)
                if segment is None:
                    continue
                if not is_same_boot:
                    segment.keep_synced_only()
                if chain and segment.start != chain[-1].end:
                    missing = f"{chain[-1].end} to {segment.start - 1}"
                    self.gaps.append(f"chain {folder.name} lacks the draws {missing}, so those behind cannot be sent")
                    break
                chain.append(segment)
            found[int(folder.name)] = chain
        return found

    def sync_folders(self) -> None:
        """Makes sure that the names of the files are on disk, too."""
        for folder in (self.path.parent, self.path, *(path for path in self.path.iterdir() if path.is_dir())):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self) -> None:
        """Deletes the folder: all of it is on the server."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()

    def leave(self) -> None:
        """Gives the folder up as it is, for `sync` to send."""
        self._lock.release()


def folders(root: Path) -> Iterator[Path]:
    """The run folders below a spool root."""
    if root.is_dir():
        for path in sorted(root.iterdir()):
            if re.fullmatch(r".+~[0-9a-f]{8}", path.name) and path.is_dir():
                yield path
