"""Run ids and chain numbers: each is checked before it becomes part of a path or a URL, wherever it comes from."""

from __future__ import annotations

import datetime as dt
import operator
import re
import secrets
from typing import Any

from .errors import IdentifierError, shown

_RID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
# Characters.
LONGEST_RID = 128
LARGEST_CHAIN = 2**31 - 1


def check_rid(rid: object) -> str:
    """The run id, if the contract allows it.

    Raises
    ------
    IdentifierError
    """
    if isinstance(rid, str) and _RID.fullmatch(rid) and rid not in (".", ".."):
        return rid
    raise IdentifierError(
        f"{shown(repr(rid), 150)} cannot be a run id: it takes 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, "
        "and is neither '.' nor '..'"
    )


def check_chain(number: Any) -> int:
    """The chain number as an `int`, if the contract allows it.

    Raises
    ------
    IdentifierError
    """
    try:
        index = operator.index(number)
    except TypeError:
        index = -1
    if 0 <= index <= LARGEST_CHAIN:
        return index
    raise IdentifierError(f"{shown(repr(number), 150)} cannot be a chain number: those are 0 to {LARGEST_CHAIN}")


def new_rid() -> str:
    """A run id that sorts by time and that no other process has: ``20261123-081500-9f86d081``."""
    return f"{dt.datetime.now(dt.timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
