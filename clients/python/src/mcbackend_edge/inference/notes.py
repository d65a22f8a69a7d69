"""The one warning of a conversion: all that was left out or changed, with its name and the way to get it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..errors import shown

log = logging.getLogger("mcbackend_edge")

# Names that a sentence holds, and sentences that a warning has.
_MOST_NAMES, _MOST_SENTENCES = 8, 20


class Notes:
    """Sentences that are said together at the end."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def add(self, sentence: str) -> None:
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    def say(self, rid: str) -> None:
        if self._sentences:
            more = len(self._sentences) - _MOST_SENTENCES
            ending = f"; and {more:,} more such notes" if more > 0 else ""
            log.warning("run %s: %s%s.", rid, "; ".join(self._sentences[:_MOST_SENTENCES]), ending)


def listed(names: Iterable[object]) -> str:
    """``'a', 'b' and 7 more``."""
    held = list(names)
    first = ", ".join(shown(repr(name), 100) for name in held[:_MOST_NAMES])
    return first if len(held) <= _MOST_NAMES else f"{first} and {len(held) - _MOST_NAMES:,} more"
