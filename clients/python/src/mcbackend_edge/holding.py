"""The content of a run folder, told in a line: before it is sent, or thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import SpoolError, SpoolGoneError, SpoolInUseError, shown
from .segment import Layout
from .spool import RunSpool, is_foreign, rid_of
from .ways_out import counted

# Chains of which a line names the draws, at most.
_MOST_NAMED = 10


@dataclass(frozen=True)
class Holding:
    """The draws in a run folder.

    Attributes
    ----------
    url : the server that they are for; "" if the folder does not tell.
    spans : first index, and index behind the last one, of the draws of each chain, by number.
    problems : a sentence for each part that cannot be read.
    target : id of the run to which a move of them was begun, if one was.
    """

    path: Path
    url: str = ""
    spans: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    target: str | None = None

    @classmethod
    def of(cls, path: Path) -> Holding:
        """
        Raises
        ------
        SpoolInUseError
            If its process still runs.
        SpoolGoneError
            If there is nothing in it any more.
        SpoolError
            If it is another user's.
        """
        if is_foreign(path):
            raise SpoolError(f"{path} is not this user's own")
        try:
            spool = RunSpool.open(path)
        except (SpoolInUseError, SpoolGoneError):
            raise
        except SpoolError as error:
            return cls(path, problems=(str(error),))
        try:
            found = spool.segments(Layout(spool.meta))
            spans = {number: (chain[0].start, chain[-1].end) for number, chain in found.items() if chain}
            return cls(path, spool.url, spans, tuple(spool.gaps), spool.move.rid if spool.move else None)
        except (ValueError, TypeError, MemoryError, SpoolError) as error:
            return cls(path, spool.url, problems=(f"{path} is damaged: {error}",))
        finally:
            spool.leave()

    @property
    def draws(self) -> int:
        """Number of draws that can be read; the server may have the first ones already."""
        return sum(end - start for start, end in self.spans.values())

    def __str__(self) -> str:
        """All of it, in a line for a terminal."""
        named = [
            f"chain {number}: {start} to {end - 1}"
            for number, (start, end) in sorted(self.spans.items())[:_MOST_NAMED]
            if end > start
        ]
        if len(self.spans) > _MOST_NAMED:
            named.append("…")
        spans = f" ({', '.join(named)})" if named else ""
        server = f" for {self.url}" if self.url else ""
        moved = f", being moved to run {self.target}" if self.target else ""
        counts = f"{counted(self.draws, 'draw')} of {counted(len(self.spans), 'chain')}{spans}"
        lines = [f"{self.path}: run {rid_of(self.path)}{server}: {counts}{moved}"]
        return "\n".join(shown(line) for line in [*lines, *self.problems])
