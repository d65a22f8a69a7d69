"""A file that another program writes: gives its new bytes, and notices that it is not the file that it was."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ..errors import shown

# Bytes that are read at once.
_CHUNK = 1 << 20
# Bytes of the beginning, and before the place where reading ended, that are compared at each look.
_HEAD, _LAST = 64 << 10, 4 << 10


class NoFileError(ValueError):
    """The name is not that of a file."""


class OverwrittenError(ValueError):
    """The file is not the one whose beginning was read."""


class GrowingFile:
    """The bytes of a file, each once.

    A file that is written anew would continue the old one in the middle of nowhere. So its first bytes and those before
    the present place are compared behind each read, before anything is given out; a file that has taken the
    place of the first one (another inode, as of a copy that is renewed) is compared from its beginning.

    Attributes
    ----------
    offset : number of bytes that were read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self._head, self._last = b"", b""
        self._digest = hashlib.sha256()
        self._identity: tuple[int, int] | None = None

    def chunks(self) -> Iterator[bytes]:
        """The bytes that have come since the last call; none while there is no such file.

        Raises
        ------
        NoFileError, OverwrittenError
        OSError
            If the file cannot be read.
        """
        try:
            # Looked at first: opening a pipe would wait for its writer.
            is_file = stat.S_ISREG(os.stat(self.path).st_mode)
            if not is_file:
                raise NoFileError("this is not a file, but a folder, pipe or device")
            file = FileIO(self.path, "rb")
        except FileNotFoundError:
            if self.offset:
                raise OverwrittenError("the file was removed while it was followed") from None
            return
        with file:
            status = os.fstat(file.fileno())
            identity = (status.st_dev, status.st_ino)
            if self._identity not in (None, identity) and self._digest_of(file) != self._digest.digest():
                raise OverwrittenError("another file has taken its place, whose draws are not those that were read")
            self._identity = identity
            while chunk := self._next(file):
                yield chunk

    def _next(self, file: FileIO) -> bytes:
        file.seek(self.offset)
        chunk = file.read(_CHUNK)
        # Behind the read: what is the same now was the same then.
        self._check(file)
        self.offset += len(chunk)
        self._digest.update(chunk)
        if len(self._head) < _HEAD:
            self._head += chunk[: _HEAD - len(self._head)]
        self._last = (self._last + chunk)[-_LAST:]
        return chunk

    def _check(self, file: FileIO) -> None:
        if os.fstat(file.fileno()).st_size < self.offset:
            raise OverwrittenError("another run has overwritten it: it has become shorter")
        if _read_at(file, 0, len(self._head)) != self._head:
            raise OverwrittenError("another run has overwritten it: its beginning has changed")
        if _read_at(file, self.offset - len(self._last), len(self._last)) != self._last:
            raise OverwrittenError("another run has overwritten it: lines that were read have changed")

    def _digest_of(self, file: FileIO) -> bytes:
        digest, left = hashlib.sha256(), self.offset
        file.seek(0)
        while left > 0 and (part := file.read(min(left, _CHUNK))):
            digest.update(part)
            left -= len(part)
        return digest.digest()

    def __repr__(self) -> str:
        return f"GrowingFile({shown(str(self.path), 300)!r}, {self.offset} bytes read)"


def _read_at(file: FileIO, place: int, count: int) -> bytes:
    """So many bytes from that place on; fewer if the file ends before."""
    parts: list[bytes] = []
    file.seek(place)
    while count > 0 and (part := file.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
