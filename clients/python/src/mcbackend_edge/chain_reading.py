"""The half of a chain's handle that reads: from memory what this process has appended, else from the server."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, SupportsIndex

import numpy as np

from .columns import Column, element_at, to_numpy
from .elements import ElementIndex, Elements
from .errors import UnknownVariableError, shown
from .mirror import Mirror
from .ndarray import Array
from .reader import ChainReader, Wanted
from .schema import Variable
from .warmup import warmup_flag, warmup_length
from .writer import ChainWriter

ALL = slice(None)


class RunOfChain(Protocol):
    """The part of a run that its chains need for reading; `mcbackend_edge.Run` has it."""

    variables: Mapping[str, Variable]
    sample_stats: Mapping[str, Variable]

    @property
    def rid(self) -> str: ...

    def flush(self, timeout: float = 60.0, *, progress: bool | None = None) -> None: ...


class ChainReading:
    """Reads a chain. Draws that this process has appended are there at once."""

    def __init__(
        self, run: RunOfChain, number: int, reader: ChainReader, writer: ChainWriter | None, mirror: Mirror | None
    ) -> None:
        self.number = number
        self._run = run
        self._reader = reader
        self._writer = writer
        self._mirror = mirror

    @property
    def is_own(self) -> bool:
        """True if this handle writes the chain, and so knows its length."""
        return self._writer is not None

    @property
    def is_mirrored(self) -> bool:
        """True if reading what was appended costs no request."""
        return self._mirror is not None

    def __len__(self) -> int:
        return self._writer.length if self._writer else self._reader.length()

    def warmup_length(self) -> int:
        """Number of draws at the beginning that are warmup; only the stat that marks them is read.

        All draws behind the first one without the mark are posterior. A run without such a stat, a bool such as
        ``tune``, has no warmup.
        """
        flag = warmup_flag(self._run.sample_stats.values())
        return 0 if flag is None else warmup_length(self.get_stats(flag, progress=False))

    def get_draws(
        self,
        var_name: str,
        slc: slice | SupportsIndex = ALL,
        *,
        elements: Iterable[ElementIndex] | None = None,
        progress: bool | None = None,
    ) -> Array:
        """Draws of a variable: an array of shape (draws, \\*shape), or an object array of arrays if the shape varies.

            chain.get_draws("theta", slice(-100, None), elements=[0, 3, slice(10, 20)])
            chain.get_draws("theta", -1)

        Parameters
        ----------
        slc : the draws that are read; of a single index, that draw, an array of shape \\*shape.
        elements : indices into the flattened (C order) value, and slices of such, 10,000 elements at most. The array
            then has shape (draws, elements), in the order asked for. A scalar has element 0. The variable must have a
            fixed shape. A server of an earlier version sends whole draws, of which these elements are taken here.

        Raises
        ------
        UnknownVariableError
        TypeError, IndexError, ValueError
            If `slc` is neither, or an index that the chain does not have, or `elements` make no sense.
        """
        var = self._known(var_name, self._run.variables, "variable")
        chosen = None if elements is None else Elements.of(var, elements)
        rows = _rows(slc)
        if self._mirror is not None:
            return self._taken(slc, self._mirror.draws(var_name, rows, chosen))
        draws, _ = self._read(Wanted([var_name], [], chosen), rows, progress)
        return self._taken(slc, draws[var_name])

    def get_stats(
        self,
        stat_name: str,
        slc: slice | SupportsIndex = ALL,
        *,
        elements: Iterable[ElementIndex] | None = None,
        progress: bool | None = None,
    ) -> Array:
        """Values of a sampler stat; as `get_draws`."""
        var = self._known(stat_name, self._run.sample_stats, "sampler stat")
        chosen = None if elements is None else Elements.of(var, elements)
        rows = _rows(slc)
        if self._mirror is not None:
            return self._taken(slc, self._mirror.stats(stat_name, rows, chosen))
        _, stats = self._read(Wanted([], [stat_name], chosen), rows, progress)
        return self._taken(slc, stats[stat_name])

    def get_draws_at(self, idx: int, var_names: Sequence[str]) -> dict[str, Array]:
        """One iteration of the named variables.

        Raises
        ------
        IndexError
            If the chain has no such iteration.
        """
        for name in var_names:
            self._known(name, self._run.variables, "variable")
        if self._mirror is not None:
            return self._mirror.draws_at(idx, var_names)
        draws, _ = self._read(Wanted(var_names, []), _one(idx), False)
        return self._only(idx, draws)

    def get_stats_at(self, idx: int, stat_names: Sequence[str]) -> dict[str, Array]:
        """One iteration of the named sampler stats."""
        for name in stat_names:
            self._known(name, self._run.sample_stats, "sampler stat")
        if self._mirror is not None:
            return self._mirror.stats_at(idx, stat_names)
        _, stats = self._read(Wanted([], stat_names), _one(idx), False)
        return self._only(idx, stats)

    def get_many(
        self, var_names: Sequence[str], stat_names: Sequence[str], slc: slice = ALL, *, progress: bool | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Several variables and stats in one request, all of one moment."""
        if self._mirror is not None:
            stop = range(len(self))[slc]
            fixed = slice(stop.start, stop.stop if stop.stop >= 0 else None, stop.step)
            return (
                {name: self._mirror.draws(name, fixed) for name in var_names},
                {name: self._mirror.stats(name, fixed) for name in stat_names},
            )
        return self._read(Wanted(var_names, stat_names), slc, progress)

    def _read(self, wanted: Wanted, slc: slice, progress: bool | None) -> tuple[dict[str, Array], dict[str, Array]]:
        if self._writer is not None and self._writer.pending:
            self._run.flush(progress=False)
        draws, stats = self._reader.read(wanted, slc, progress=progress)
        elements = wanted.elements

        def arrays(columns: Mapping[str, Column], known: Mapping[str, Variable]) -> dict[str, Array]:
            held = {name: known[name] if elements is None else elements.variable(known[name]) for name in columns}
            return {name: to_numpy(held[name], column) for name, column in columns.items()}

        return arrays(draws, self._run.variables), arrays(stats, self._run.sample_stats)

    def _taken(self, slc: slice | SupportsIndex, values: Array) -> Array:
        """The values of a slice, or the only one of an index."""
        if isinstance(slc, slice):
            return values
        return self._only(operator.index(slc), {"": values})[""]

    def _only(self, idx: int, columns: Mapping[str, Array]) -> dict[str, Array]:
        if any(len(values) == 0 for values in columns.values()):
            raise IndexError(f"chain {self.number} has no iteration {idx}")
        return {name: element_at(values, 0) for name, values in columns.items()}

    def _known(self, name: str, known: Mapping[str, Variable], what: str) -> Variable:
        try:
            return known[name]
        except KeyError:
            raise UnknownVariableError(f"run {self._run.rid} has no {what} {name!r}") from None


def _rows(slc: object) -> slice:
    """The slice that a caller has given, or that of a single index.

    Raises
    ------
    TypeError
        For anything else.
    """
    try:
        if isinstance(slc, slice):
            for bound in (slc.start, slc.stop, slc.step):
                if bound is not None:
                    operator.index(bound)
            return slc
        if not isinstance(slc, (bool, np.bool_)):
            return _one(operator.index(slc))  # type: ignore[arg-type]
    except TypeError:
        pass
    raise TypeError(
        "draws are named by a slice, such as slice(-100, None), or by an index, such as -1, "
        f"not {shown(repr(slc), 100)}; "
        "others are taken from the array that a slice gives"
    )


def _one(idx: int) -> slice:
    """The slice that holds one index; -1 has no end that a slice could name."""
    return slice(idx, idx + 1 if idx != -1 else None)
