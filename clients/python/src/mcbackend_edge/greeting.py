"""The line at the start of sampling and the one at its end, by which a run is found again.

They go through the logger ``mcbackend_edge`` as INFO. If the application has configured no logging, they are written
to stderr, so that a script shows them without further ado.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .saying import say

if TYPE_CHECKING:
    from .run import Run


def started(run: Run, *, name: str | None = None, moved_from: str | None = None) -> None:
    """Tells where the draws go.

    Parameters
    ----------
    name : the run's; that which its writer tells, if not given.
    moved_from : id of the run that was asked for, which has draws already.
    """
    reason = f" ({moved_from} has draws already)" if moved_from is not None else ""
    say(f"{_title(run, name)}: {address_of(run)}{reason}")


def ended(run: Run, *, remark: str | None = None) -> None:
    """Tells the chains and draws that this process has stored, or where those are that still wait.

    Parameters
    ----------
    remark : more about the draws.
    """
    lengths = run.own_lengths
    total = sum(lengths.values())
    counts = f"{_count(len(lengths), 'chain')}, {_count(total, 'draw')}"
    if waiting := run.pending:
        counts += f", of which {waiting:,} are not on the server yet, but {run.place}"
    if remark:
        counts += f", {remark}"
    say(f"{_title(run, None)}: {counts}: {address_of(run)}")


def address_of(run: Run) -> str:
    """The address under which a run is found."""
    return f"{run.server_url}{run.path}"


def _title(run: Run, name: str | None) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in name or run.notices.name or "").strip()
    return f"run {shown} ({run.rid})" if shown else f"run {run.rid}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
