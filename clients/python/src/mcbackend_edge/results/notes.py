"""The one warning of a result: all that has no place, with its reason."""

from __future__ import annotations

import logging

from ..errors import shown

log = logging.getLogger("mcbackend_edge")

# Names of one reason, at most.
_MOST_NAMES = 8


class Notes:
    """Names by the reason for which they are left out or changed."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, name: object) -> None:
        self._names.setdefault(reason, []).append(shown(str(name), 100))

    def say(self, rid: str) -> None:
        if self._names:
            log.warning("run %s: %s.", rid, "; ".join(f"{reason}: {_listed(n)}" for reason, n in self._names.items()))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
