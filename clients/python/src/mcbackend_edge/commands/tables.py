"""Tables, ages and counts for people; text of others steers no terminal."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence

from ..errors import shown

# Characters of a cell, at most: those of the longest id.
_CELL = 128


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they must be, numbers to the right."""
    texts = [[shown(_text(cell), _CELL) for cell in row] for row in [heads, *rows]]
    widths = [max(map(_width, column)) for column in zip(*texts)]
    are_numbers = [bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(heads))]
    return "\n".join(
        "  ".join(_filled(cell, width, number) for cell, width, number in zip(row, widths, are_numbers)).rstrip()
        for row in texts
    )


def _text(cell: object) -> str:
    return "-" if cell is None or cell == "" else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _width(text: str) -> int:
    """Columns of a terminal: two for characters of East Asia that are wide, none for marks."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def _filled(text: str, width: int, is_number: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if is_number else text + blanks


def age(moment: dt.datetime) -> str:
    """``3 min``: the time since then, in one unit."""
    seconds = max(0.0, (dt.datetime.now(dt.timezone.utc) - moment).total_seconds())
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (129_600, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def moment_of(text: str) -> str:
    """A moment as the server takes it, from itself, a day, or a span before now: ``7d``, ``12h``, ``30min``."""
    found = re.fullmatch(r"(\d{1,6})\s*(d|h|min|m|s)", text.strip())
    if not found:
        return text
    unit = {"d": "days", "h": "hours", "min": "minutes", "m": "minutes", "s": "seconds"}[found[2]]
    moment = dt.datetime.now(dt.timezone.utc) - dt.timedelta(**{unit: int(found[1])})
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
