"""Moves the draws of a spool to a run of their own, where another has taken the place that they were for.

The spool may hold the end of a chain only: the draws before it were stored, and given back. They are copied from the
run that has them, as long as it is the same registration, so that the new run is whole; the old one stays as it is. The
spool is kept until the new run has everything, and appending is exactly-once, so a move that is interrupted is
repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .about import AboutPath, RunAbout
from .columns import Column
from .errors import (
    AnswerTooLargeError,
    ConflictError,
    McbError,
    NotFoundError,
    PayloadTooLargeError,
    ProtocolError,
    RunReplacedError,
    SpoolError,
)
from .notices import Beginning, Notices
from .reader import ChainReader, Wanted
from .schema import RunMeta
from .segment import Layout
from .spool import Move, RunSpool
from .transport import MOST_META, PROTOBUF, Transport
from .ways_out import counted, next_rid, sync_command
from .wire import BatchEncoder

# Bytes of a batch of copied draws, about; and draws in the first one.
_BATCH_BYTES, _FIRST_ROWS = 4 << 20, 64
_MOST_ROWS = 1_000_000
# Chains that a message names, at most.
_MOST_NAMED = 10

Columns = Callable[[int, int], Sequence[Column | None]]
Report = Callable[[int, int], None]
"""Called with the draws that are stored so far, and those that will be."""


@dataclass(frozen=True)
class Moved:
    """The outcome of a move: draws that were copied from the old run, and those that came out of the spool."""

    copied: int
    sent: int


def move(
    spool: RunSpool, transport: Transport, rid: str, *, is_tail: bool = False, report: Report | None = None
) -> Moved:
    """Stores the draws of a spool as run `rid`, with those before them from the run that they were for.

    Parameters
    ----------
    is_tail : begin a chain with the first draw that there is, if those before it are lost.

    Raises
    ------
    SpoolError
        If draws are missing and `is_tail` is not set, or the other run has draws of its own. Nothing has changed then.
    McbError
        If the server does not take them. The move can be repeated.
    """
    return _Mover(spool, transport, rid, is_tail, report).move()


class _Mover:
    def __init__(self, spool: RunSpool, transport: Transport, rid: str, is_tail: bool, report: Report | None) -> None:
        self._spool, self._transport, self._rid, self._is_tail = spool, transport, rid, is_tail
        self._path = f"/v1/runs/{rid}"
        self._layout = Layout(spool.meta)
        self._encoder = BatchEncoder(spool.meta.variables, spool.meta.sample_stats)
        self._chains = {number: found for number, found in spool.segments(self._layout).items() if found}
        self._headers: dict[str, str] = {}
        self._report = report
        self._total, self._done = sum(found[-1].end for found in self._chains.values()), 0

    def move(self) -> Moved:
        if self._rid == self._spool.meta.rid:
            raise SpoolError(f"run {self._rid} is the one that these draws cannot get into: choose another id")
        source = _Source(self._spool, self._transport)
        begun = self._begun()
        if begun is None:
            lengths: dict[int, int] = {}
            firsts: Mapping[int, int] = self._firsts(source)
            self._begin(firsts)
        else:
            lengths, firsts = begun
            self._check(source, lengths, firsts)
        copied = sent = 0
        for number, segments in sorted(self._chains.items()):
            first, start = firsts.get(number, 0), segments[0].start
            self._transport.request("PUT", f"{self._path}/chains/{number}", headers=self._headers)
            present = first + lengths.get(number, 0)
            # Draws that are there already are compared once more: others may have come in their place.
            if first < start <= source.length(number):
                self._append(number, first, first, start, source.columns(number, self._layout))
                copied += max(0, start - present)
            for segment in segments:
                self._append(number, first, segment.start, segment.end, segment.columns, _MOST_ROWS)
                sent += segment.end - max(segment.start, min(present, segment.end))
        self._tell(source, firsts)
        return Moved(copied, sent)

    def _begun(self) -> tuple[dict[int, int], Mapping[int, int]] | None:
        """The lengths of the chains, and their first draws, of a move that was begun before; None if there is none."""
        begun = self._spool.move
        if begun is None or begun.rid != self._rid:
            return None
        self._headers = {"Mcb-Registration": begun.registration}
        try:
            lengths = self._transport.request("GET", f"{self._path}/chains", headers=self._headers).lengths()
            return lengths, begun.firsts
        except (NotFoundError, RunReplacedError):
            return None

    def _firsts(self, source: _Source) -> dict[int, int]:
        """Index of the draw with which a chain begins, if the draws before are lost; by number.

        Raises
        ------
        SpoolError
            If they are, and that is not accepted.
        """
        starts = {number: segments[0].start for number, segments in self._chains.items()}
        lost = {number: start for number, start in starts.items() if start and start > source.length(number)}
        if lost and not self._is_tail:
            root, rid = self._spool.path.parent, self._spool.meta.rid
            command = sync_command(root, "--rid", rid, "--as", self._rid, "--tail")
            raise SpoolError(
                f"{self._lost(source, lost)}. Nothing was moved. To store what there is, as chains that begin with "
                f"their first draw: {command}"
            )
        return lost

    def _check(self, source: _Source, lengths: Mapping[int, int], firsts: Mapping[int, int]) -> None:
        """
        Raises
        ------
        SpoolError
            If draws have been lost since the move was begun.
        """
        starts = {number: segments[0].start for number, segments in self._chains.items()}
        behind = {n: start for n, start in starts.items() if start > firsts.get(n, 0) + lengths.get(n, 0)}
        lost = {number: start for number, start in behind.items() if start > source.length(number)}
        if lost:
            raise SpoolError(f"{self._lost(source, lost)}. Choose another id to move what there is")

    def _lost(self, source: _Source, lost: Mapping[int, int]) -> str:
        parts = [f"draws {source.length(number)} to {start - 1} of chain {number}" for number, start in lost.items()]
        named = ", ".join(parts[:_MOST_NAMED]) + (", …" if len(parts) > _MOST_NAMED else "")
        return f"{named} are neither in {self._spool.path} nor on the server ({source.problem})"

    def _begin(self, firsts: Mapping[int, int]) -> None:
        """Registers the run, which must have no draws yet, and notes it in the spool."""
        another = f"choose another id, such as {next_rid(self._rid)}"
        try:
            answer = self._transport.request("PUT", self._path, body=self._spool.meta.renamed(self._rid).raw)
        except ConflictError as error:
            raise SpoolError(f"run {self._rid} is another one: {another} ({error.plain})") from None
        registration = answer.registration()
        self._headers = {"Mcb-Registration": registration}
        lengths = self._transport.request("GET", f"{self._path}/chains", headers=self._headers).lengths()
        if any(lengths.values()):
            raise SpoolError(f"run {self._rid} has {counted(sum(lengths.values()), 'draw')} already: {another}")
        self._spool.move = Move(self._rid, registration, firsts)
        try:
            self._spool.save()
        except OSError as error:
            raise SpoolError(f"{self._spool.path} cannot be written, so nothing was moved: {error}") from None

    def _append(self, number: int, first: int, begin: int, end: int, columns: Columns, rows: int = _FIRST_ROWS) -> None:
        """Appends the iterations [begin, end), counted as in the old run, of which `first` is the new one's first."""
        while begin < end:
            count = min(rows, end - begin)
            try:
                body = self._encoder.encode(begin - first, count, columns(begin, begin + count))
                path = f"{self._path}/chains/{number}/draws"
                length = self._transport.request("POST", path, body=body, headers=self._headers).length()
            except (PayloadTooLargeError, AnswerTooLargeError):
                if count == 1:
                    raise
                rows = count // 2
                continue
            except ConflictError as error:
                raise SpoolError(
                    f"run {self._rid} has been written by somebody else meanwhile: choose another id, such as "
                    f"{next_rid(self._rid)} ({error.plain})"
                ) from None
            if length < begin - first + count:
                raise ProtocolError(
                    f"the server took {counted(count, 'draw')} from {begin - first} on, but has {length}"
                )
            begin += count
            self._done += count
            if self._report is not None:
                self._report(min(self._done, self._total), self._total)
            if len(body) < _BATCH_BYTES:
                rows = min(2 * rows, _MOST_ROWS)

    def _tell(self, source: _Source, firsts: Mapping[int, int]) -> None:
        """Tells the run its origin, and its name and facts, as well as may be."""
        origin: dict[str, Any] = {"rid": self._spool.meta.rid}
        cut = {str(number): first for number, first in firsts.items() if first}
        if cut:
            origin["firstDraws"] = cut
        document = AboutPath(self._transport, self._rid, self._path, self._headers)
        try:
            about = source.about()
            beginning = Beginning(facts={"movedFrom": origin})
            if about is not None:
                beginning = Beginning(about.name, about.tags, {**about.facts, "movedFrom": origin}, about.notes)
            patch = beginning.missing_in(document.read())
            if patch:
                document.change(patch)
        except McbError:
            # The draws are stored; a server of an earlier release, or a key that may only write, keeps no origin.
            pass
        waiting = Notices()
        with suppress(TypeError, ValueError, AttributeError):
            waiting.again(self._spool.news())
        waiting.send(document)


class _Source:
    """The run that the draws of a spool were for, as far as it is still there.

    Attributes
    ----------
    problem : the reason for which its draws do not help; "" if they are there.
    """

    def __init__(self, spool: RunSpool, transport: Transport) -> None:
        self._meta, self._transport = spool.meta, transport
        self._path = f"/v1/runs/{spool.meta.rid}"
        self._headers = {"Mcb-Registration": spool.registration} if spool.registration else {}
        self.problem = ""
        self._found: dict[int, int] | None = None

    def length(self, number: int) -> int:
        """Number of draws of a chain that it can give."""
        if self._found is None:
            self._found = self._lengths()
        return self._found.get(number, 0)

    def _lengths(self) -> dict[int, int]:
        rid, url = self._meta.rid, self._transport.url
        try:
            if not self._headers:
                answer = self._transport.request("GET", self._path, headers={"Accept": PROTOBUF}, limit=MOST_META)
                if not RunMeta.received(bytes(answer.body)).is_same(self._meta):
                    self.problem = f"run {rid} is another one on {url}"
                    return {}
                self._headers = {"Mcb-Registration": answer.registration()}
            found = self._transport.request("GET", f"{self._path}/chains", headers=self._headers).lengths()
        except NotFoundError:
            self.problem = f"run {rid} is not on {url}"
        except RunReplacedError:
            self.problem = f"run {rid} was deleted on {url}, and registered again"
        else:
            self.problem = f"run {rid} has fewer"
            return found
        return {}

    def columns(self, number: int, layout: Layout) -> Columns:
        """Reads iterations of a chain, column by column in the layout's order."""
        draws, stats = [var.name for var in layout.variables], [var.name for var in layout.sample_stats]
        known = {var.name: var for var in layout.variables}, {var.name: var for var in layout.sample_stats}
        reader = ChainReader(self._transport, f"{self._path}/chains/{number}", self._headers, *known)

        def read(begin: int, end: int) -> list[Column]:
            found = reader.read(Wanted(draws, stats), slice(begin, end))
            columns = [*(found[0][name] for name in draws), *(found[1][name] for name in stats)]
            if any(len(column) != end - begin for column in columns):
                raise ProtocolError(f"chain {number} of run {self._meta.rid} is shorter than it was")
            return columns

        return read

    def about(self) -> RunAbout | None:
        """Name, tags, notes and facts; None if they are not to be had."""
        if not self._headers:
            return None
        try:
            return AboutPath(self._transport, self._meta.rid, self._path, self._headers).read()
        except McbError:
            return None
