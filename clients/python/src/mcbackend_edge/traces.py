"""Traces for looking: few draws of long chains, between which a line covers the pixels of one through all of them."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from .elements import ElementIndex, Elements
from .errors import NotFoundError, OldServerError, ProtocolError, is_length, shown
from .ndarray import Array
from .schema import Variable
from .transport import MOST_META, Answer, Transport

# Elements of one trace, and buckets, that a server takes (the contract's limits).
MOST_ELEMENTS, MOST_BUCKETS = 100, 10_000


@dataclass(frozen=True)
class TracedChain:
    """Draws of one element of one chain.

    Attributes
    ----------
    chain : its number.
    at : iterations of the draws, rising, counted from the first one of warmup.
    values : the draws, in the variable's dtype.
    """

    chain: int
    at: Array
    values: Array


@dataclass(frozen=True)
class TracedElement:
    """One element of a variable or a sampler stat.

    Attributes
    ----------
    variable : its name.
    index : its place in a draw; empty for a scalar.
    label : the name with the labels of coordinates, or the index, in brackets.
    """

    variable: str
    index: tuple[int, ...]
    label: str
    chains: tuple[TracedChain, ...]


@dataclass(frozen=True)
class Trace:
    """Draws to look at; `Run.trace` gives it.

    Attributes
    ----------
    start, stop : the iterations over which the buckets are spread evenly.
    buckets : their number.
    """

    start: int
    stop: int
    buckets: int
    elements: tuple[TracedElement, ...]

    def __repr__(self) -> str:
        return f"Trace({len(self.elements)} elements, draws {self.start} to {self.stop} in {self.buckets} buckets)"


@dataclass(frozen=True)
class TraceQuestion:
    """The question for a trace.

    Attributes
    ----------
    columns : variables and sampler stats, with ``var`` or ``stat``.
    elements : elements of the one column, if not all are wanted.
    """

    columns: Sequence[tuple[str, Variable]]
    elements: Elements | None
    chains: Sequence[int] | None
    draws: slice
    buckets: int

    @classmethod
    def of(
        cls,
        columns: Sequence[tuple[str, Variable]],
        elements: Iterable[ElementIndex] | None,
        chains: Sequence[int] | None,
        draws: slice,
        buckets: int,
    ) -> TraceQuestion:
        """
        Raises
        ------
        TypeError, ValueError, IndexError
            For columns that are not numbers of fixed shape, too many elements or buckets, and slices with a step.
        """
        for _, var in columns:
            if not var.is_rigid or var.dtype == "str":
                raise TypeError(f"a trace is of numbers of fixed shape, and {var.name!r} is not")
        if elements is not None and len(columns) != 1:
            raise ValueError(f"elements are of one variable or stat, not of {len(columns)}")
        if draws.step not in (None, 1):
            raise ValueError("a trace goes through all draws: its slice has no step")
        if not 1 <= operator.index(buckets) <= MOST_BUCKETS:
            raise ValueError(f"a trace has 1 to {MOST_BUCKETS:,} buckets, not {buckets}")
        if chains is not None and not chains:
            raise ValueError("no chain is asked for")
        some = None if elements is None else Elements.of(columns[0][1], elements)
        question = cls(columns, some, chains, draws, operator.index(buckets))
        total = sum(count for _, count in question._counts())
        if total > MOST_ELEMENTS:
            raise ValueError(
                f"a trace has at most {MOST_ELEMENTS} elements, and these are {total:,}: name fewer variables, or some "
                "elements of one"
            )
        return question

    @property
    def query(self) -> str:
        parameters: list[tuple[str, Any]] = [(kind, var.name) for kind, var in self.columns]
        if self.elements is not None:
            parameters.append(("elem", self.elements.query))
        parameters += [("chain", operator.index(chain)) for chain in self.chains or ()]
        bounds = {"start": self.draws.start, "stop": self.draws.stop}
        parameters += [(name, operator.index(bound)) for name, bound in bounds.items() if bound is not None]
        return urlencode([*parameters, ("buckets", self.buckets)], safe=",:")

    def variables(self) -> list[Variable]:
        """The variable or stat of each element, in the order of the answer."""
        return [var for var, count in self._counts() for _ in range(count)]

    def _counts(self) -> Iterator[tuple[Variable, int]]:
        for _, var in self.columns:
            yield var, len(self.elements) if self.elements is not None else math.prod(var.shape)


def read_trace(transport: Transport, path: str, headers: Mapping[str, str], question: TraceQuestion) -> Trace:
    """Asks the server.

    Raises
    ------
    NotFoundError, RunReplacedError, PayloadTooLargeError, OldServerError
    """
    if not question.variables():
        raise ValueError("there is no element to be traced")
    try:
        answer = transport.request("GET", f"{path}/trace?{question.query}", headers=headers, limit=MOST_META)
    except NotFoundError as error:
        if error.code != "not_found":
            raise
        raise OldServerError(f"{transport.url} gives no traces of runs") from error
    return trace_of(answer, question)


def trace_of(answer: Answer, question: TraceQuestion) -> Trace:
    """The server's answer to a question.

    Raises
    ------
    ProtocolError
        If it makes no sense, or answers another question.
    """
    content = answer.json()
    variables = question.variables()
    try:
        elements = content["elements"]
        if len(elements) != len(variables):
            raise ValueError(f"it has {len(elements)} elements, not {len(variables)}")
        return Trace(
            _length(content["start"]),
            _length(content["stop"]),
            _length(content["buckets"]),
            tuple(_element(element, var) for element, var in zip(elements, variables, strict=True)),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ProtocolError(f"a trace makes no sense: {shown(str(error), 200)}") from error


def _element(element: Any, var: Variable) -> TracedElement:
    if element["variable"] != var.name:
        raise ValueError(f"an element is of {element['variable']!r}, not of {var.name!r}")
    if not isinstance(element["label"], str):
        raise TypeError("a label is no text")
    index = tuple(map(_length, element["index"]))
    return TracedElement(var.name, index, element["label"], tuple(_chain(chain, var) for chain in element["chains"]))


def _chain(chain: Any, var: Variable) -> TracedChain:
    at = np.array([_length(iteration) for iteration in chain["at"]], dtype=np.int64)
    read = _READERS.get(var.numpy_dtype.kind, _int)
    values = np.array([read(value) for value in chain["values"]], dtype=var.numpy_dtype)
    if len(at) != len(values):
        raise ValueError(f"{len(at)} iterations have {len(values)} values")
    return TracedChain(_length(chain["chain"]), at, values)


def _length(value: Any) -> int:
    if not is_length(value):
        raise ValueError(f"{value!r} is no number of iterations, chains or the like")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or value in ("NaN", "Infinity", "-Infinity")):
        raise ValueError(f"{value!r} is no float")
    return float(value)


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{value!r} is no integer")
    return int(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is no bool")
    return value


# Readers of values, by the kind of their dtype; beyond 2**53 integers come as texts.
_READERS: Mapping[str, Any] = {"f": _float, "b": _bool}
