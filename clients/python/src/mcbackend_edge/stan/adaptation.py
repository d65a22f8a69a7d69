"""Comments behind the line of names: the adaptation (step size, inverse metric) and the time that the run took."""

from __future__ import annotations

import math
import re

# Numbers of an inverse metric that are kept, at most: what is told of a run has a bound.
MOST_ELEMENTS = 100_000

_STEP_SIZE = re.compile(r"#\s*Step size = (\S+)\s*$")
_METRIC = re.compile(r"#\s*(?:Diagonal elements|Elements) of inverse mass matrix:")
_SECONDS = re.compile(r"#\s*(?:Elapsed Time:)?\s*(\S+) seconds \(([^)]*)\)")


class Adaptation:
    """The content of the comments behind the names.

    Attributes
    ----------
    is_done : True once "Adaptation terminated" was read.
    is_timed : True once "Elapsed Time" was read, with which a file ends.
    step_size : that of the draws; None until it was read.
    inverse_metric : the diagonal, or the rows of a dense one; None if there is none, or it has too many elements.
    size : number of parameters that the metric has.
    seconds : by phase, as it is written: "Warm-up", "Sampling", "Total", "Pathfinders", "PSIS".
    """

    def __init__(self) -> None:
        self.is_done = self.is_timed = False
        self.step_size: float | None = None
        self.size = 0
        self.seconds: dict[str, float] = {}
        self._rows: list[list[float]] = []
        self._is_in_metric = self._is_too_large = False

    @property
    def inverse_metric(self) -> list[float] | list[list[float]] | None:
        if not self._rows or self._is_too_large:
            return None
        return self._rows[0] if len(self._rows) == 1 else self._rows

    @property
    def is_left_out(self) -> bool:
        """True if the metric has more than `MOST_ELEMENTS`."""
        return self._is_too_large

    def note(self, comment: str) -> None:
        """Takes a comment."""
        if "Adaptation terminated" in comment:
            self.is_done = True
        elif "Elapsed Time" in comment:
            self.is_timed, self._is_in_metric = True, False
            self._note_seconds(comment)
        elif self.is_timed:
            self._note_seconds(comment)
        elif self.is_done:
            self._note_adaptation(comment)

    def _note_adaptation(self, comment: str) -> None:
        if self._is_in_metric:
            row = _numbers(comment)
            if row is None:
                self._is_in_metric = False
            elif len(row) * (len(self._rows) + 1) > MOST_ELEMENTS:
                self._is_too_large, self.size, self._rows = True, len(row), []
            elif not self._is_too_large:
                self._rows.append(row)
                self.size = len(row)
        elif step_size := _STEP_SIZE.match(comment):
            number = _number(step_size[1])
            self.step_size = number if number is not None and number > 0 else None
        elif _METRIC.match(comment):
            self._is_in_metric = True

    def _note_seconds(self, comment: str) -> None:
        match = _SECONDS.match(comment)
        number = _number(match[1]) if match else None
        if match and number is not None and number >= 0 and len(self.seconds) < 10:
            self.seconds[match[2][:100]] = number


def _numbers(comment: str) -> list[float] | None:
    numbers = [_number(cell) for cell in comment.lstrip("#").split(",")]
    return None if None in numbers else numbers  # type: ignore[return-value]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
