"""Python's own answers to (length, start, stop, step), the oracle for sliced reads."""

from __future__ import annotations

from itertools import product

# Python clamps a step of any size to what a 64-bit machine's list slicing can hold.
MAX_STEP = 2**63 - 1

# Chain lengths, and n where every n-th combination is taken: primes that divide none of the numbers of
# values, so that no value is left out.
THINNING = {0: 23, 1: 23, 2: 23, 5: 29, 10: 31, 1000: 37, 2**32 + 7: 43, 2**53 - 1: 43}

_HUGE = [2**31, 2**63 - 1, 2**63, 10**30, -(2**31), -(2**63), -(2**63) - 1, -(10**30)]


def _bounds(length: int) -> list[int | None]:
    """Values of start and stop at which an implementation may stumble, for a chain of this length."""
    near = {0, 1, 2, length // 2, length - 1, length, length + 1}
    return [None, *sorted(near | {-n for n in near}), *_HUGE]


def _steps(length: int) -> list[int | None]:
    near = {1, 2, 3, length - 1, length, length + 1} - {0}
    return [None, *sorted((near | {-n for n in near}) - {0}), *_HUGE]


def _answer(length: int, start: int | None, stop: int | None, step: int | None) -> tuple[int, int, int]:
    """(first index or 0 when empty, count, step clamped) of `list(range(length))[start:stop:step]`."""
    chosen = range(length)[slice(start, stop, step)]
    if length < 100 and list(chosen) != list(range(length))[start:stop:step]:
        raise AssertionError(f"range and list disagree on {(length, start, stop, step)}")
    clamped = max(-MAX_STEP, min(MAX_STEP, 1 if step is None else step))
    return (chosen[0] if chosen else 0, len(chosen), clamped)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def slice_table() -> list[list[object]]:
    """About 2000 rows `[length, start, stop, step, first, count, step clamped]`.

    Lengths, first and count are numbers up to 2^53 - 1; start, stop and both steps are decimal strings or null.
    """
    rows: list[list[object]] = []
    for length, thin in THINNING.items():
        combinations = product(_bounds(length), _bounds(length), _steps(length))
        for start, stop, step in list(combinations)[::thin]:
            first, count, clamped = _answer(length, start, stop, step)
            rows.append([length, _text(start), _text(stop), _text(step), first, count, str(clamped)])
    rows += _spelled_out()
    return rows


def _spelled_out() -> list[list[object]]:
    """The slices that the protocol's text uses as examples, and all of the tiny ones."""
    rows: list[list[object]] = []
    cases = [(20, -8, None, None), (20, 15, 2, -3), (20, None, None, -1), (20, None, None, None)]
    cases += [(3, *rest) for rest in product([None, -4, -1, 0, 2, 4], [None, -4, -1, 0, 2, 4], [None, 1, -1, 2, -2])]
    for length, start, stop, step in cases:
        first, count, clamped = _answer(length, start, stop, step)
        rows.append([length, _text(start), _text(stop), _text(step), first, count, str(clamped)])
    return rows
