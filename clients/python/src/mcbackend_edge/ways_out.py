"""Counts in sentences, and the commands by which draws get out of a spool."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from .errors import ApiError, ConflictError, McbError, NotFoundError
from .spool import RunSpool, default_root

_COMMAND = "python -m mcbackend_edge sync"
_LONGEST_RID = 128


def counted(number: int, what: str) -> str:
    """``1 draw``, ``2000 draws``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def draws_are(number: int) -> str:
    """``1 draw is``, ``2000 draws are``."""
    return f"{counted(number, 'draw')} {'is' if number == 1 else 'are'}"


def named_chains(numbers: Iterable[int]) -> str:
    """``chain 0``, ``chains 0, 1``; not more than some of them."""
    ordered = sorted(numbers)
    shown = ", ".join(map(str, ordered[:20])) + (", …" if len(ordered) > 20 else "")
    return f"chain {shown}" if len(ordered) == 1 else f"chains {shown}"


def ended(text: str) -> str:
    """The text as a sentence, with a full stop if it has no end of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def sync_command(root: Path, *options: str) -> str:
    """The command that sends what lies below a spool root, as one types it."""
    place = [] if root.absolute() == default_root().absolute() else ["--spool", str(root)]
    return " ".join([_COMMAND, *map(shlex.quote, [*place, *options])])


def next_rid(rid: str) -> str:
    """The id with the next number behind it: ``r.2`` for ``r``, ``r.3`` for ``r.2``."""
    found = re.fullmatch(r"(.+)\.([1-9][0-9]{0,8})", rid)
    base, number = (found[1], int(found[2]) + 1) if found else (rid, 2)
    ending = f".{number}"
    return f"{base[: _LONGEST_RID - len(ending)]}{ending}"


def is_for_good(error: McbError) -> bool:
    """True if the server has, or is to have, something else in the place of these draws: repeating never helps."""
    is_gone = isinstance(error, NotFoundError) and error.code in ("run_not_found", "chain_not_found")
    return isinstance(error, ConflictError) or is_gone


def out_of_conflict(error: McbError, spool: RunSpool | None, *, is_living: bool) -> str:
    """The two ways out for draws that the server refuses for good; "" where they do not help.

    Parameters
    ----------
    is_living : the process that writes them still runs, and holds the spool.
    """
    if spool is None or not isinstance(error, ApiError) or not error.code or not is_for_good(error):
        return ""
    root, rid = spool.path.parent, spool.meta.rid
    keep = sync_command(root, "--rid", rid, "--as", next_rid(rid))
    drop = sync_command(root, "--rid", rid, "--discard")
    when = " once this process has ended" if is_living else ""
    return f"Keep them as a run of their own{when}: {keep} (or throw them away: {drop})"
