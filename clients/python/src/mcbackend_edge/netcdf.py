"""A run as the netCDF file that the server makes: streamed to disk, and gone on with when the connection breaks."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import ApiError, NotFoundError, OldServerError, ProtocolError, ServerUnreachableError
from .files import sync_path
from .transport import Stream, Transport
from .waiting import FIRST_DELAY, LAST_DELAY, READ_TIMEOUT


@dataclass
class _Got:
    """The part of a file that is there.

    Attributes
    ----------
    path : the server's path at which these bytes stay as they are; that of the run where they do not.
    """

    path: str
    etag: str = ""
    size: int = -1
    bytes: int = 0


def save_netcdf(transport: Transport, path: str, headers: Mapping[str, str], target: Path, patience: float) -> None:
    """Writes the file beside its name, and gives it the name when it is whole.

    Parameters
    ----------
    path : the run's.
    patience : seconds without progress after which it is given up.

    Raises
    ------
    NotFoundError, RunReplacedError, OldServerError, ServerUnreachableError
    OSError
        If the file cannot be written.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as file:
            _fill(file, _Got(f"{path}/data.nc"), transport, headers, patience)
        sync_path(draft)
        os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _fill(file: BinaryIO, got: _Got, transport: Transport, headers: Mapping[str, str], patience: float) -> None:
    since, delay = time.monotonic(), FIRST_DELAY
    while got.bytes != got.size:
        before = got.bytes
        try:
            _fetch_more(file, got, transport, headers)
        except (ServerUnreachableError, ApiError) as error:
            if isinstance(error, ApiError) and not error.is_temporary:
                raise
            if got.bytes > before:
                since, delay = time.monotonic(), FIRST_DELAY
            if not transport.waiting.wait(error, since, patience, delay):
                raise
            delay = min(delay * 2, LAST_DELAY)


def _fetch_more(file: BinaryIO, got: _Got, transport: Transport, headers: Mapping[str, str]) -> None:
    more = {"Range": f"bytes={got.bytes}-", "If-Range": got.etag} if got.bytes else {}
    try:
        stream = transport.stream(got.path, headers={**headers, **more}, silence=READ_TIMEOUT, statuses=(200, 206))
    except NotFoundError as error:
        if error.code != "not_found":
            raise
        raise OldServerError(f"{transport.url} makes no netCDF files") from error
    try:
        _begin(got, stream, transport)
        file.seek(got.bytes)
        file.truncate()
        for chunk in stream:
            file.write(chunk)
            got.bytes += len(chunk)
    finally:
        stream.close()
    if got.bytes < got.size:
        raise ServerUnreachableError(f"{transport.url} has broken off within a netCDF file", None)
    if got.bytes > got.size:
        raise ProtocolError(f"{transport.url} sends more bytes of a netCDF file than it has announced")


def _begin(got: _Got, stream: Stream, transport: Transport) -> None:
    """A part goes on behind what is there; the whole begins anew."""
    if stream.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", stream.headers.get("Content-Range", ""))
        if found is None:
            raise _cut_head(transport)
        if (int(found[1]), int(found[2])) != (got.bytes, got.size):
            raise ProtocolError(f"{transport.url} sends another part of a netCDF file than was asked for")
        return
    length = stream.headers.get("Content-Length", "")
    if not re.fullmatch(r"\d{1,15}", length):
        raise _cut_head(transport)
    got.bytes, got.size = 0, int(length)
    got.etag = stream.headers.get("ETag", "")
    location = stream.headers.get("Content-Location", "")
    if re.fullmatch(re.escape(got.path.removesuffix("/data.nc")) + r"/at/[0-9:,]+/data\.nc", location):
        got.path = location


def _cut_head(transport: Transport) -> ServerUnreachableError:
    return ServerUnreachableError(f"{transport.url} has broken off: the head of an answer is not whole", None)
