"""Questions before something is lost for good."""

from __future__ import annotations

import sys


def is_confirmed(question: str, is_agreed: bool) -> bool:
    """True if the user agrees, or has done so by ``--yes``. Nobody is asked where nobody can answer."""
    if is_agreed:
        return True
    if not sys.stdin.isatty():
        print(f"mcbackend-edge: {question} Nobody can be asked here: --yes agrees to it", file=sys.stderr)
        return False
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
