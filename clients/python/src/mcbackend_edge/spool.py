"""The spool: a folder for each run that is written, with the draws that are not on the server yet.

    <root>/<rid>~<random>/
        lock                        locked by the writing process for as long as it lives
        run.json                    server, run id, registration, and a mark by which the key is known (not the key)
        run.pb                      the registered metadata
        news.json                   name, tags, notes and facts that the server may not have yet
        <chain>/<start>.rows        segments (see segment.py); deleted once the server has acknowledged all of a segment
        <chain>/<start>.new         a segment that is being made: there are no draws in it yet

Guarantee: once `append` has returned, the draw survives the death of its process. It survives the death of the machine
if it is older than `FSYNC_SECONDS` at that time: what the server acknowledges sooner is durable there, and the rest is
brought to the disk here (see disk_sync.py).
"""

from __future__ import annotations

import errno
import hmac
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from .errors import McbError, SpoolError, SpoolGoneError, SpoolInUseError
from .files import is_own, open_own, read_own, sync_path
from .names import check_chain, check_rid
from .schema import RunMeta
from .segment import Layout, StoredSegment

FSYNC_SECONDS = 5.0
FORMAT = 2
_READABLE_FORMATS = (1, FORMAT)
# Bytes of run.json and run.pb, at most; no protobuf message is larger.
_MOST_ABOUT, _MOST_META = 1 << 20, 2**31 - 1
# Bytes of news.json, at most: facts may have 1 MiB, which escapes make longer.
_MOST_NEWS = 16 << 20
_CHAIN = re.compile(r"0|[1-9][0-9]{0,9}")
_SEGMENT = re.compile(r"[0-9]{20}\.rows")
_DRAFT = re.compile(r"[0-9]{20}\.new")


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
    """Keeps all others out of a folder: other processes, and other users of the spool in this one.

    POSIX record locks belong to a process and are not inherited by forked children, so workers that outlive their
    sampler do not hold them. They exclude nobody within a process, so the paths that it holds are noted, too.

    Raises
    ------
    SpoolInUseError
        If another one has it.
    SpoolGoneError
        If the folder has been removed meanwhile.
    OSError
        If the system does not say.
    """

    _held: ClassVar[set[Path]] = set()

    def __init__(self, path: Path) -> None:
        import fcntl

        self._path = path.resolve()
        self._file = -1
        if self._path in Lock._held:
            raise SpoolInUseError(f"{path.parent} is in use by this process")
        file = -1
        try:
            file = open_own(path, os.O_RDWR | os.O_CREAT)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have sent and removed the folder since this one found it.
            is_there = os.path.samestat(os.fstat(file), path.stat())
        except OSError as error:
            if file >= 0:
                os.close(file)
            if error.errno in (errno.EACCES, errno.EAGAIN) and file >= 0:
                raise SpoolInUseError(f"{path.parent} is in use by another process") from error
            if isinstance(error, FileNotFoundError):
                raise SpoolGoneError(f"{path.parent} has been removed") from error
            raise
        if not is_there:
            os.close(file)
            raise SpoolGoneError(f"{path.parent} has been removed")
        self._file = file
        Lock._held.add(self._path)

    @staticmethod
    def is_held_here(path: Path) -> bool:
        """True if this process has it."""
        return path.resolve() in Lock._held

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            Lock._held.discard(self._path)


@dataclass(frozen=True)
class Move:
    """A move of a spool's draws to another run that has been begun.

    Attributes
    ----------
    rid, registration : those of the other run.
    firsts : index of the draw with which a chain begins there, if its beginning is lost; by number.
    """

    rid: str
    registration: str
    firsts: Mapping[int, int]

    @classmethod
    def of(cls, about: object) -> Move | None:
        """
        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            If it makes no sense.
        """
        if about is None:
            return None
        rid, registration, firsts = about["rid"], about["registration"], about["firsts"]  # type: ignore[index]
        if not (isinstance(registration, str) and registration.isprintable()):
            raise ValueError("run.json makes no sense")
        return cls(check_rid(rid), registration, {check_chain(int(name)): int(firsts[name]) for name in firsts})

    def to_json(self) -> dict[str, object]:
        firsts = {str(number): first for number, first in self.firsts.items()}
        return {"rid": self.rid, "registration": self.registration, "firsts": firsts}


@dataclass(frozen=True)
class About:
    """The content of run.json.

    Attributes
    ----------
    key_mark : recognises the key with which the run was written (see `mark_of`); None in spools of earlier versions,
        "" if the run was written without a key.
    move : the one that `sync --as` has begun, if there is one.
    """

    url: str
    registration: str | None
    boot: str
    key_mark: str | None
    move: Move | None = None

    @classmethod
    def read(cls, path: Path) -> About:
        """
        Raises
        ------
        SpoolError
            If the folder `path` has none, or one that makes no sense.
        """
        try:
            about = json.loads(read_own(path / "run.json", _MOST_ABOUT))
            if about["format"] not in _READABLE_FORMATS:
                raise SpoolError(f"{path} was written by another version of this package")
            url, registration, boot = about["url"], about["registration"], about["boot"]
            mark = about.get("keyMark")
            check_rid(about["rid"])
            texts = (url, boot, *(text for text in (registration, mark) if text is not None))
            if not all(isinstance(text, str) and text.isprintable() for text in texts):
                raise ValueError("run.json makes no sense")
            return cls(url, registration, boot, mark, Move.of(about.get("moves")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SpoolError(f"{path} is damaged: {error}") from error


def mark_of(token: str | None, url: str, salt: str | None = None) -> str:
    """A mark by which `sync` recognises a key and its server, and which does not give the key away.

    Keys are long and random, so a hash cannot be guessed. It covers the address, so it fits no other server.
    """
    if not token:
        return ""
    salt = salt or secrets.token_hex(8)
    digest = hmac.new(token.strip().encode(), f"{salt} {url}".encode(), "sha256").hexdigest()
    return f"{salt}-{digest[:16]}"


def is_mark_of(mark: str, token: str, url: str) -> bool:
    """True if a mark was made of this key and this server."""
    salt, _, _ = mark.partition("-")
    return bool(salt) and hmac.compare_digest(mark, mark_of(token, url, salt))


class RunSpool:
    """The folder of a run that this process writes or sends.

    Attributes
    ----------
    gaps : a sentence for each part that cannot be sent, with the reason; `segments` finds them.
    """

    def __init__(self, path: Path, lock: Lock, meta: RunMeta, about: About) -> None:
        self.path = path
        self.meta = meta
        self.url = about.url
        self.registration = about.registration
        self.key_mark = about.key_mark
        self.move = about.move
        self.gaps: list[str] = []
        self._boot = about.boot
        self._lock = lock
        self._made: set[int] = set()

    @classmethod
    def create(
        cls, root: Path, url: str, meta: RunMeta, registration: str | None, token: str | None = None
    ) -> RunSpool:
        """A new folder below `root`.

        Raises
        ------
        OSError
            If it cannot be written; nothing is left of it then.
        """
        rid = check_rid(meta.rid)
        about = About(url, registration, boot_id(), mark_of(token, url))
        for _ in range(3):
            path = root / f"{rid}~{secrets.token_hex(4)}"
            path.mkdir(parents=True, mode=0o700)
            try:
                spool = cls(path, Lock(path / "lock"), meta, about)
            except (SpoolGoneError, SpoolInUseError):
                # `sync` found the folder before it was locked, and took its process for dead.
                continue
            except BaseException:
                _remove_written(path)
                raise
            try:
                (path / "run.pb").write_bytes(meta.raw)
                spool.save()
                return spool
            except BaseException:
                spool.remove()
                raise
        raise OSError(f"{root} is being cleared by another process")

    @classmethod
    def open(cls, path: Path) -> RunSpool:
        """A folder that another process has left.

        Raises
        ------
        SpoolError
            If its process still runs, or it cannot be read.
        """
        try:
            lock = Lock(path / "lock")
        except OSError as error:
            raise SpoolError(f"{path} cannot be opened: {error}") from error
        try:
            if _is_empty(path):
                _remove_written(path)
                raise SpoolGoneError(f"{path} was empty")
            about = About.read(path)
            meta = RunMeta.received(read_own(path / "run.pb", _MOST_META))
            check_rid(meta.rid)
            return cls(path, lock, meta, about)
        except (OSError, MemoryError) as error:
            lock.release()
            raise SpoolError(f"{path} is damaged: {error}") from error
        except SpoolError:
            lock.release()
            raise
        except McbError as error:
            lock.release()
            raise SpoolError(f"{path} is damaged: run.pb: {error}") from error
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
            "keyMark": self.key_mark,
            **({"moves": self.move.to_json()} if self.move else {}),
            "boot": self._boot,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        draft = self.path / "run.json.draft"
        draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
        # Without this, the name could reach the disk before the content, and a loss of power leave an empty file.
        sync_path(draft)
        draft.replace(self.path / "run.json")

    def keep_news(self, news: Mapping[str, Any]) -> None:
        """Writes news.json, whole or not at all; without news it is removed.

        Raises
        ------
        OSError
        """
        if not news:
            (self.path / "news.json").unlink(missing_ok=True)
            return
        draft = self.path / "news.json.draft"
        draft.write_text(json.dumps(news), encoding="utf-8")
        draft.replace(self.path / "news.json")

    def news(self) -> dict[str, Any]:
        """The content of news.json; empty where there is none, or none that makes sense: draws matter more."""
        try:
            news = json.loads(read_own(self.path / "news.json", _MOST_NEWS))
        except (OSError, ValueError, RecursionError):
            return {}
        return news if isinstance(news, dict) else {}

    def segment_path(self, chain: int, start: int) -> Path:
        folder = self.path / str(check_chain(chain))
        if chain not in self._made:
            folder.mkdir(exist_ok=True)
            self._made.add(chain)
        return folder / f"{start:020d}.rows"

    def segments(self, layout: Layout) -> dict[int, list[StoredSegment]]:
        """The segments in the folder, by chain and in order, up to the first iteration that is missing or damaged.

        Draws behind that one cannot be sent, for a chain has no holes, and `gaps` tells of them. (The disk was full for
        a while, so that draws were in memory alone; a restart of the machine lost some; or the disk has lost bits.)
        """
        self.gaps += [f"{path} was not written by this package" for path in _strange(self.path)]
        only_synced = self._boot != boot_id()
        found: dict[int, list[StoredSegment]] = {}
        for folder in _chain_folders(self.path):
            number = int(folder.name)
            found[number] = []
            try:
                self._gather(layout, folder, found[number], only_synced)
            except (McbError, OSError) as error:
                self.gaps.append(str(error))
                if not found[number]:
                    del found[number]
        return found

    def _gather(self, layout: Layout, folder: Path, chain: list[StoredSegment], only_synced: bool) -> None:
        """Collects the segments of a chain in `chain`, as far as they can be sent.

        Raises
        ------
        SpoolError
            For the first that cannot; the message says why.
        """
        for path in sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name)):
            segment = StoredSegment.open(layout, path, only_synced=only_synced)
            if chain and segment.start != chain[-1].end:
                missing = f"{chain[-1].end} to {segment.start - 1}"
                raise SpoolError(f"chain {folder.name} lacks the draws {missing}, so those behind cannot be sent")
            chain.append(segment)
            if segment.problem:
                raise SpoolError(segment.problem)

    def sync_files(self) -> None:
        """Makes sure that run.json, run.pb and the names of all files are on disk, too."""
        for path in (self.path / "run.pb", self.path / "run.json", self.path.parent, self.path):
            sync_path(path)
        for folder in _chain_folders(self.path):
            sync_path(folder)

    def remove(self) -> None:
        """Deletes what was written: all of it is on the server. Files that others have put into the folder stay."""
        _remove_written(self.path)
        self._lock.release()

    def leave(self) -> None:
        """Gives the folder up as it is, for `sync` to send."""
        self._lock.release()


def discard(path: Path) -> list[Path]:
    """Deletes what this package has written into a run folder; the files of others, which stay.

    Raises
    ------
    SpoolInUseError
        If its process still runs.
    SpoolError
        If it cannot be deleted.
    """
    try:
        lock = Lock(path / "lock")
        try:
            _remove_written(path)
            if not path.exists():
                return []
            return [child for child in _strange(path) if child.exists()] or [path]
        finally:
            lock.release()
    except OSError as error:
        raise SpoolError(f"{path} cannot be deleted: {error}") from None


def folders(root: Path) -> Iterator[Path]:
    """The run folders below a spool root."""
    if root.is_dir():
        for path in sorted(root.iterdir()):
            if re.fullmatch(r".+~[0-9a-f]{8}", path.name) and (path.is_dir() or path.is_symlink()):
                yield path


def rid_of(path: Path) -> str:
    """The id of the run of a run folder."""
    return path.name.rpartition("~")[0]


def is_foreign(path: Path) -> bool:
    """True for a run folder of another user, and for a link to a folder: the draws in it are not this user's."""
    return path.is_symlink() or not is_own(path.lstat())


def _chain_folders(path: Path) -> list[Path]:
    return sorted(
        child for child in path.iterdir() if _CHAIN.fullmatch(child.name) and child.is_dir() and not child.is_symlink()
    )


def _strange(path: Path) -> Iterator[Path]:
    """Files in a run folder that this package has not written, but for those of a file system's helpers (``.name``)."""
    chains = _chain_folders(path)
    for child in path.iterdir():
        if child not in chains and child.name not in _WRITTEN and not child.name.startswith("."):
            yield child
    for folder in chains:
        with suppress(OSError):
            for child in folder.iterdir():
                is_known = _SEGMENT.fullmatch(child.name) or _DRAFT.fullmatch(child.name) or child.name.startswith(".")
                if not is_known:
                    yield child


_WRITTEN = ("news.json.draft", "news.json", "run.json.draft", "run.pb", "run.json", "lock")


def _is_empty(path: Path) -> bool:
    """True if there are no draws: the process died before it had written run.json and run.pb, or removing them."""
    if (path / "run.json").exists() and (path / "run.pb").exists():
        return False
    try:
        return not any(_strange(path)) and not any(
            child for folder in _chain_folders(path) for child in folder.iterdir()
        )
    except OSError:
        return False


def _remove_written(path: Path) -> None:
    """Removes a run folder, but no strange files. Draws go first, so that a folder half removed says the truth."""
    with suppress(OSError):
        for folder in _chain_folders(path):
            with suppress(OSError):
                for child in folder.iterdir():
                    if _SEGMENT.fullmatch(child.name) or _DRAFT.fullmatch(child.name):
                        child.unlink()
                folder.rmdir()
        if _chain_folders(path) or any(_strange(path)):
            return
        for name in _WRITTEN:
            (path / name).unlink(missing_ok=True)
        path.rmdir()
