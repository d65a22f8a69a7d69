"""Opens files of the spool: only regular ones of this user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# A link, or a pipe that nobody writes to, is an error at once. (Windows has neither flag.)
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def is_own(status: os.stat_result) -> bool:
    """True for files and folders of the user of this process."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """Descriptor of a regular file of this user. One that O_CREAT makes is readable by nobody else.

    Raises
    ------
    OSError
        Also for anything but a regular file, and for another user's.
    """
    file = os.open(path, flags | _CAREFUL, 0o600)
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode) and (flags & os.O_CREAT or is_own(status)):
        return file
    os.close(file)
    raise OSError(f"{path} is {'another user’s' if stat.S_ISREG(status.st_mode) else 'no regular file'}")


def read_own(path: Path, limit: int) -> bytes:
    """Content of a small file of this user.

    Raises
    ------
    OSError
        Also if it has more than `limit` bytes.
    """
    with os.fdopen(open_own(path), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"{path} has more than {limit} bytes")
    return content


def sync_path(path: Path) -> None:
    """Brings a file's content, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
