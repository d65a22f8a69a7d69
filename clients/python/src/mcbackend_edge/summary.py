"""Summaries of a run: the server's figures of each scalar, as a DataFrame."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import numpy as np

from .elements import ElementIndex, Elements
from .errors import NotFoundError, OldServerError, PayloadTooLargeError, ProtocolError, is_length, shown
from .progress import ProgressBar
from .reader import wants_progress
from .schema import Variable
from .transport import MOST_META, Answer, Transport

if TYPE_CHECKING:
    import pandas

Warmup = Literal["exclude", "include", "only"]
Convention = Literal["posterior", "arviz"]
IntervalKind = Literal["eti", "hdi"]

# Rows of a page that a server gives at most (the contract's limit), and the factor by which a page has fewer that needs
# more draws than a server computes at once.
_MOST_ROWS, _FEWER = 10_000, 10
# Characters of a query: web servers and proxies take lines of about 8 KiB.
_MOST_CHARACTERS = 6000
# Seconds that the server may take for an answer at most; the first ones are sooner, so that a bar moves.
_WAIT = 10
_REASONS = frozenset({"constant", "too_few", "nan", "infinite", "pending"})


@dataclass(frozen=True)
class SummaryQuestion:
    """The question for a summary, but for the page of it.

    Attributes
    ----------
    query : its parameters, encoded.
    limit : rows at most; None for all.
    """

    query: str
    limit: int | None

    @classmethod
    def of(
        cls,
        columns: Sequence[tuple[str, Variable]],
        elements: Iterable[ElementIndex] | None,
        chains: Sequence[int] | None,
        figures: Sequence[str] | None,
        limit: int | None,
        **settings: Any,
    ) -> SummaryQuestion:
        """
        Parameters
        ----------
        columns : variables and sampler stats, with ``var`` or ``stat``; none for all variables.
        settings : further parameters, which the server checks; those that are None are left out.

        Raises
        ------
        TypeError, ValueError, IndexError
            For elements that are not there, and for more names than fit into an address.
        """
        parameters: list[tuple[str, Any]] = [(kind, var.name) for kind, var in columns]
        if elements is not None:
            if len(columns) != 1:
                raise ValueError(f"elements are of one variable or stat that is named, not of {len(columns)}")
            parameters.append(("elem", Elements.of(columns[0][1], elements).query))
        if chains is not None and not chains:
            raise ValueError("no chain is asked for")
        parameters += [("chain", operator.index(chain)) for chain in chains or ()]
        if figures is not None:
            parameters.append(("columns", ",".join([figures] if isinstance(figures, str) else figures)))
        parameters += [(name, value) for name, value in settings.items() if value is not None]
        query = urlencode(parameters, safe=",:")
        if len(query) > _MOST_CHARACTERS:
            raise ValueError("these names do not fit into an address: ask for all variables, and choose among the rows")
        if limit is not None and operator.index(limit) < 1:
            raise ValueError(f"a summary has at least one row, not {limit}")
        return cls(query, None if limit is None else operator.index(limit))


@dataclass
class _Gathered:
    """Rows of all pages so far."""

    labels: list[str] = field(default_factory=list)
    figures: list[list[float]] = field(default_factory=list)
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, row: Any, columns: Sequence[str]) -> None:
        label, reasons = row["label"], row.get("reasons", {})
        if not isinstance(label, str) or not isinstance(reasons, dict) or not _REASONS.issuperset(reasons.values()):
            raise TypeError("a row has no label, or reasons that are unknown")
        self.labels.append(label)
        self.figures.append([_figure(row[column], column in reasons) for column in columns])
        if reasons:
            self.reasons[label] = dict(reasons)


def read_summary(
    transport: Transport,
    path: str,
    headers: Mapping[str, str],
    question: SummaryQuestion,
    *,
    timeout: float | None,
    progress: bool | None,
) -> pandas.DataFrame:
    """Asks the server for all pages, each until its figures are computed, or the time is over.

    Raises
    ------
    ImportError
        If pandas is not installed.
    NotFoundError, InvalidError, RunReplacedError, PayloadTooLargeError, OldServerError
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "pandas is not installed, and a summary is a DataFrame: pip install 'mcbackend-edge[datatree]'"
        ) from error
    rows = _Gathered()
    columns: list[str] = []
    attributes: dict[str, Any] = {}
    with ProgressBar("computing the summary", 100, "%") as bar:
        report = bar.update if wants_progress(progress) else None
        for page in _pages(transport, path, headers, question, timeout, report):
            try:
                columns = [_text(column) for column in page["columns"]]
                for row in page["rows"]:
                    rows.add(row, columns)
                is_complete = page["complete"] and attributes.get("complete", True)
                attributes = {**_attributes(page, rows.reasons), "complete": is_complete}
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise ProtocolError(f"a summary makes no sense: {shown(str(error), 200)}") from error
    figures = np.array(rows.figures, dtype=np.float64).reshape(len(rows.labels), len(columns))
    frame = pandas.DataFrame(figures, index=rows.labels, columns=columns)
    frame.attrs.update(attributes)
    return frame


def _pages(
    transport: Transport,
    path: str,
    headers: Mapping[str, str],
    question: SummaryQuestion,
    timeout: float | None,
    report: Any,
) -> Iterator[dict[str, Any]]:
    """Pages of one moment, until there is no further row."""
    end = None if timeout is None else time.monotonic() + timeout
    most, cursor = _MOST_ROWS, None
    left = question.limit
    while True:
        size = most if left is None else min(most, left)
        page = [question.query, urlencode([("limit", size), *([("cursor", cursor)] if cursor else [])])]
        address = f"{path}/summary?{'&'.join(part for part in page if part)}"
        try:
            content = _computed(transport, address, headers, end, report)
        except PayloadTooLargeError:
            if size == 1:
                raise
            most = max(1, size // _FEWER)
            continue
        yield content
        count = len(content["rows"])
        cursor = content.get("nextCursor")
        if cursor is not None and (not isinstance(cursor, str) or not count):
            raise ProtocolError("a page of a summary leads to no other")
        left = None if left is None else left - count
        if cursor is None or left == 0:
            return


def _computed(
    transport: Transport, address: str, headers: Mapping[str, str], end: float | None, report: Any
) -> dict[str, Any]:
    """A page, with all its figures if there is time for them."""
    wait = 1
    while True:
        left = wait if end is None else min(wait, int(max(0.0, end - time.monotonic())))
        sent = {**headers, "Prefer": f"wait={left}"}
        try:
            answer = transport.request("GET", address, headers=sent, limit=MOST_META)
        except NotFoundError as error:
            if error.code != "not_found":
                raise
            raise OldServerError(f"{transport.url} gives no summaries of runs") from error
        content = _content(answer)
        if content["complete"] or (end is not None and time.monotonic() >= end - 1):
            return content
        if report is not None:
            report(round(100 * float(content.get("progress") or 0)))
        wait = min(_WAIT, 2 * wait)


def _content(answer: Answer) -> dict[str, Any]:
    content = answer.json()
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("complete"), bool)
        or not isinstance(content.get("rows"), list)
        or not isinstance(content.get("progress", 0), (int, float))
    ):
        raise ProtocolError("a summary makes no sense: it has no rows, or does not tell if it is complete")
    return content


def _attributes(page: Mapping[str, Any], reasons: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The chains, draws and convention that the rows are of."""
    interval = page["ci"]
    chains = {_length(chain["chain"]): _length(chain["draws"]) for chain in page["chains"]}
    return {
        "rid": _text(page["rid"]),
        "registration": _text(page["registration"]),
        "convention": _text(page["convention"]),
        "ci": {"kind": _text(interval["kind"]), "prob": float(interval["prob"])},
        "warmup": _text(page["warmup"]),
        "chains": chains,
        "draws": _length(page["draws"]),
        "left_out": {
            each["variable"] if "variable" in each else _length(each["chain"]): _text(each["reason"])
            for each in page["leftOut"]
        },
        "reasons": {label: dict(each) for label, each in reasons.items()},
    }


def _figure(value: Any, has_reason: bool) -> float:
    if value is None and has_reason:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is neither a number nor has it a reason")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _length(value: Any) -> int:
    if not is_length(value):
        raise ValueError(f"{value!r} is no number of draws or chains")
    return int(value)
