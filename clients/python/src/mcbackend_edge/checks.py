"""Checks of a run: findings of the server that tell whether it can be trusted, and what to do."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import html
from .errors import NotFoundError, OldServerError, ProtocolError, is_length, shown
from .transport import MOST_META, Answer, Transport

Status = Literal["ok", "warn", "fail", "unknown"]
"""`unknown`: too few draws, a sampler stat that the run has not, or numbers that are not computed yet."""

_STATUSES: tuple[Status, ...] = ("ok", "warn", "fail", "unknown")
# Seconds that the server may take for one answer.
_WAIT = 10
# Columns of text on a terminal at most, those before each sentence, and characters of one.
_MOST_COLUMNS, _HEAD, _MOST_SENTENCE = 120, 21, 2000


@dataclass(frozen=True)
class ChainValue:
    """A number of one chain: its draws, divergences, E-BFMI, R-hat without it, or scalars that are concerned."""

    chain: int
    value: float


@dataclass(frozen=True)
class NamedValue:
    """A number of one scalar.

    Attributes
    ----------
    label : the variable with the labels of coordinates: ``theta[Choate]``.
    value : R-hat, ESS, AUC of divergences, or the like; infinite where it is.
    at : ``small`` or ``large``, of divergences: the side of the scalar on which they are.
    """

    label: str
    value: float
    at: Literal["small", "large"] | None = None


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes
    ----------
    check : its name: ``progress``, ``finite``, ``stuck``, ``divergences``, ``rhat``, ``ess``, ``bfmi`` or
        ``treedepth``.
    message : a sentence with the numbers, and the source of each threshold.
    advice : a sentence that says what to do; empty where there is nothing to do.
    chains, worst : the chains and the scalars that are concerned; at most five scalars, the worst first.
    """

    check: str
    status: Status
    message: str
    advice: str
    chains: tuple[ChainValue, ...] = ()
    worst: tuple[NamedValue, ...] = ()

    def __str__(self) -> str:
        return f"{self.check}: {self.status}. {self.message}"


@dataclass(frozen=True)
class RunChecks:
    """All checks of a run; `Run.checks` gives it.

        checks = run.checks()
        print(checks)
        assert checks.status != "fail", checks

    Attributes
    ----------
    draws : draws of each chain that is judged, without warmup.
    status : the worst of all; ``unknown`` counts as ok, unless all are.
    checks : always the same, in the same order.
    is_complete : False if the server had not computed all numbers in the time that it was given.
    """

    rid: str
    draws: int
    status: Status
    checks: tuple[Check, ...]
    is_complete: bool = True

    def __getitem__(self, check: str) -> Check:
        """The check of a name, as in ``checks["rhat"].status``."""
        for each in self.checks:
            if each.check == check:
                return each
        raise KeyError(check)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __str__(self) -> str:
        columns = min(_MOST_COLUMNS, shutil.get_terminal_size().columns)
        wrap = textwrap.TextWrapper(max(60, columns), subsequent_indent=" " * _HEAD, break_on_hyphens=False)
        lines = [f"{self.rid}: {self.status}, {self.draws} draws a chain"]
        for check in self.checks:
            head = f"{check.status:<8}{check.check:<13}"
            for start, text in ((head, check.message), (" " * _HEAD, check.advice)):
                wrap.initial_indent = start
                lines += wrap.wrap(shown(text, _MOST_SENTENCE))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [(check.status, check.check, check.message, check.advice) for check in self.checks]
        title = html.text(f"{self.rid}: {self.status}, {self.draws:,} draws a chain")
        return html.box(title, html.table(("", "check", "finding", "what to do"), rows, most_text=_MOST_SENTENCE))


def read_checks(transport: Transport, path: str, headers: Mapping[str, str], timeout: float | None) -> RunChecks:
    """Asks the server until all numbers are computed, or the time is over.

    Raises
    ------
    NotFoundError, RunReplacedError, PayloadTooLargeError, OldServerError
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _WAIT if end is None else min(_WAIT, int(max(0.0, end - time.monotonic())))
        try:
            answer = transport.request(
                "GET", f"{path}/checks", headers={**headers, "Prefer": f"wait={left}"}, limit=MOST_META
            )
        except NotFoundError as error:
            if error.code != "not_found":
                raise
            raise OldServerError(f"{transport.url} does not check runs") from error
        checks = checks_of(answer)
        if checks.is_complete or (end is not None and time.monotonic() >= end - 1):
            return checks


def checks_of(answer: Answer) -> RunChecks:
    """The server's answer.

    Raises
    ------
    ProtocolError
        If it makes no sense.
    """
    content = answer.json()
    try:
        return RunChecks(
            rid=_text(content["rid"]),
            draws=_length(content["draws"]),
            status=_status(content["status"]),
            checks=tuple(map(_check, content["checks"])),
            is_complete=content.get("complete", True) is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"checks make no sense: {shown(str(error), 200)}") from error


def _check(check: Any) -> Check:
    return Check(
        check=_text(check["check"]),
        status=_status(check["status"]),
        message=_text(check["message"]),
        advice=_text(check["advice"]),
        chains=tuple(ChainValue(_length(each["chain"]), _number(each["value"])) for each in check.get("chains", ())),
        worst=tuple(map(_named, check.get("worst", ()))),
    )


def _named(each: Any) -> NamedValue:
    value = each["value"]
    at = each.get("at")
    if at not in (None, "small", "large"):
        raise ValueError(f"{at!r} is no side")
    return NamedValue(_text(each["label"]), float("inf") if value is None else _number(value), at)


def _status(value: Any) -> Status:
    for status in _STATUSES:
        if value == status:
            return status
    raise ValueError(f"{value!r} is no status")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _length(value: Any) -> int:
    if not is_length(value):
        raise ValueError(f"{value!r} is no number of draws or chains")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return float(value)
