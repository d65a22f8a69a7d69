"""The place of each variable of a result in a run, and the blocks of draws that are sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..names import LARGEST_CHAIN
from ..ndarray import Array
from ..schema import DTYPES, DataVariable, Variable
from ..warmup import is_warmup_flag
from .datasets import SAMPLED, Result
from .notes import Notes

if TYPE_CHECKING:
    import xarray

FLAG = "in_warmup"
"""Stat that marks warmup: the first choice of all readers."""

STATS_AS_THEY_ARE = "mcb.stats"
"""Attribute of a run: names of the stats that readers show, unchanged; others are this package's."""
DRAW_LABELS = "mcb.draw"
"""Attribute of a run: by group, the first label of ``draw`` and the step to the next, where they are not 0 and 1."""

ABSENT = "mcb.absent"
"""Attribute of a run: by group, names of the variables that it lacks; their draws are filled up with missing values."""

# Bytes of observed and constant data, at most: metadata have 16 MiB, labels and attributes among them.
_MOST_DATA = 8 << 20
_PLACED = ("posterior", "unconstrained_posterior", "sample_stats")
_DATA = ("observed_data", "constant_data")


@dataclass(frozen=True)
class Column:
    """A variable or stat, and its arrays, with the dimensions (chain, draw, …); None where a part lacks it."""

    variable: Variable
    posterior: xarray.DataArray | None
    warmup: xarray.DataArray | None

    @property
    def row_bytes(self) -> int:
        itemsize = 64 if self.variable.dtype == "str" else self.variable.numpy_dtype.itemsize
        return itemsize * math.prod(self.variable.shape)

    def block(self, chain: int, warmup: range, posterior: range) -> Array:
        """Draws of one chain: some of warmup, and behind them some of the posterior."""
        parts = [
            self._part(array, chain, rows)
            for array, rows in ((self.warmup, warmup), (self.posterior, posterior))
            if rows
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, array: xarray.DataArray | None, chain: int, rows: range) -> Array:
        if array is None:
            return np.stack([self.variable.fill()] * len(rows))
        values = np.asarray(array[chain, rows.start : rows.stop])
        if self.variable.dtype == "str":
            return as_text(values)
        return np.ascontiguousarray(values, dtype=self.variable.numpy_dtype)


@dataclass
class Layout:
    """A result as a run.

    Attributes
    ----------
    chains : their numbers, in the order of the arrays.
    draws, warmup : draws of each chain behind warmup, and of it.
    attributes : those by which readers give back the same.
    flag : True if the stat `FLAG` marks warmup.
    """

    chains: list[int] = field(default_factory=list)
    draws: int = 0
    warmup: int = 0
    variables: list[Column] = field(default_factory=list)
    stats: list[Column] = field(default_factory=list)
    coords: dict[str, Any] = field(default_factory=dict)
    data: list[DataVariable] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    flag: bool = False
    notes: Notes = field(default_factory=Notes)

    @property
    def length(self) -> int:
        return self.warmup + self.draws

    @property
    def sample_stats(self) -> list[Variable]:
        return [column.variable for column in self.stats] + ([Variable(FLAG, "bool")] if self.flag else [])

    def blocks(
        self, chain: int, size: int, begin: int = 0, *, lengths: tuple[int, int] | None = None
    ) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
        """Draws and stats of the chain at that place, in blocks of about `size` bytes.

        Parameters
        ----------
        begin : index of the first draw, counted from the first one of warmup.
        lengths : draws of warmup and behind it that the chain really has, where the arrays are filled up.
        """
        in_warmup, in_posterior = lengths if lengths is not None else (self.warmup, self.draws)
        row = sum(column.row_bytes for column in (*self.variables, *self.stats)) + 1
        step = max(1, size // row)
        length = in_warmup + in_posterior
        for first in range(begin, length, step):
            end = min(first + step, length)
            warmup = range(first, min(end, in_warmup))
            posterior = range(max(first, in_warmup) - in_warmup, end - in_warmup)
            draws = {column.variable.name: column.block(chain, warmup, posterior) for column in self.variables}
            stats = {column.variable.name: column.block(chain, warmup, posterior) for column in self.stats}
            if self.flag:
                stats[FLAG] = np.arange(first, end) < in_warmup
            yield draws, stats

    @property
    def named_coords(self) -> dict[str, Any]:
        """Labels of the dimensions that do not just count from 0."""
        return {dim: labels for dim, labels in self.coords.items() if not is_counted(labels)}

    def without_arrays(self) -> Layout:
        """The same without draws and data."""
        variables, stats = (
            [Column(column.variable, None, None) for column in columns] for columns in (self.variables, self.stats)
        )
        return replace(self, variables=variables, stats=stats, coords={}, data=[])

    def last_values(self, chain: int, names: Mapping[str, str]) -> dict[str, float]:
        """The last finite value of scalar stats of a chain, under new names; those that have none are left out."""
        found = {}
        for column in self.stats:
            if column.variable.name in names and not column.variable.shape and column.posterior is not None:
                values = np.asarray(column.posterior[chain])
                finite = values[np.isfinite(values)]
                if len(finite):
                    found[names[column.variable.name]] = float(finite[-1])
        return found

    def real_lengths(self, chain: int) -> tuple[int, int]:
        """Draws of warmup and behind it that a chain has, where the arrays are filled up with missing values.

        A sampler's draw has at least one number among its stats; one that never was has none.
        """
        floats = [
            column for column in self.stats if column.variable.dtype.startswith("float") and not column.variable.shape
        ]
        parts = ([column.warmup for column in floats], [column.posterior for column in floats])
        full = (self.warmup, self.draws)
        return tuple(_present(part, chain, most) for part, most in zip(parts, full))  # type: ignore[return-value]


def _present(arrays: list[xarray.DataArray | None], chain: int, most: int) -> int:
    known = [np.isfinite(np.asarray(array[chain])) for array in arrays if array is not None]
    if not known:
        return most
    present = np.flatnonzero(np.logical_or.reduce(known))
    return int(present[-1]) + 1 if len(present) else 0


def layout_of(result: Result, *, is_whole: bool = True) -> Layout:
    """Finds the place of everything, and notes what has none.

    Parameters
    ----------
    is_whole : False for the beginning of a result that still grows: warmup is then always marked.
    """
    layout = Layout()
    groups = dict(result.groups)
    for name in result.nested:
        layout.notes.add("groups that have no place yet are left out", name)
    for name in groups:
        if not has_place(name):
            layout.notes.add("groups that have no place yet are left out", name)
    sizes = {name: groups[name].sizes["draw"] for name in ("posterior", "warmup_posterior") if name in groups}
    layout.draws, layout.warmup = sizes.get("posterior", 0), sizes.get("warmup_posterior", 0)
    reference = groups["posterior" if "posterior" in groups else "warmup_posterior"]
    layout.chains = _chain_numbers(reference, layout.notes)
    parts = _fitting_parts(groups, reference, layout)
    unconstrained: list[str] = []
    for group in _PLACED:
        columns = _columns(group, parts.get(group), parts.get(f"warmup_{group}"), layout)
        if group == "sample_stats":
            layout.stats = columns
            continue
        taken = {column.variable.name for column in layout.variables}
        for column in columns:
            if column.variable.name in taken:
                layout.notes.add("left out, since the posterior has a variable of that name", _path(group, column))
                continue
            layout.variables.append(column)
            if group == "unconstrained_posterior":
                unconstrained.append(column.variable.name)
    _mark_warmup(layout, is_whole)
    _take_coords(parts, layout)
    _take_data(groups, layout)
    layout.attributes = {"mcb.unconstrained": unconstrained, STATS_AS_THEY_ARE: [c.variable.name for c in layout.stats]}
    if labels := _draw_labels(parts, layout.notes):
        layout.attributes[DRAW_LABELS] = labels
    if absent := _absent(layout, unconstrained):
        layout.attributes[ABSENT] = absent
    return layout


def _absent(layout: Layout, unconstrained: Sequence[str]) -> dict[str, list[str]]:
    """By group, the columns of which warmup or the posterior has none, where the result has both."""
    absent: dict[str, list[str]] = {}
    if not (layout.warmup and layout.draws):
        return absent
    hidden = set(unconstrained)
    for columns, group in ((layout.variables, "posterior"), (layout.stats, "sample_stats")):
        for column in columns:
            name = column.variable.name
            kind = "unconstrained_posterior" if group == "posterior" and name in hidden else group
            for array, prefix in ((column.posterior, ""), (column.warmup, "warmup_")):
                if array is None:
                    absent.setdefault(prefix + kind, []).append(name)
    return absent


def absent_in(attributes: Mapping[str, Any], group: str) -> set[str]:
    """Names of variables that a group of a stored result lacks."""
    told = attributes.get(ABSENT)
    names = told.get(group, ()) if isinstance(told, Mapping) else ()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def has_place(group: str) -> bool:
    """True for groups that a run can hold."""
    return group.removeprefix("warmup_") in _PLACED or group in _DATA


def drawn_labels(attributes: Mapping[str, Any], group: str, indices: range) -> Array:
    """Labels of ``draw`` for draws of the posterior or of warmup, which is `group`, by their indices in it."""
    told = attributes.get(DRAW_LABELS)
    first, step = told.get(group, (0, 1)) if isinstance(told, Mapping) else (0, 1)
    return int(first) + int(step) * np.array(indices, dtype=np.int64)


def _chain_numbers(dataset: xarray.Dataset, notes: Notes) -> list[int]:
    count = dataset.sizes["chain"]
    labels = np.asarray(dataset["chain"].values).tolist() if "chain" in dataset.coords else list(range(count))
    are_numbers = all(isinstance(label, int) and 0 <= label <= LARGEST_CHAIN for label in labels)
    if are_numbers and len(set(labels)) == count:
        return labels
    notes.add("chains are counted from 0, since their labels are no numbers of chains", labels[0])
    return list(range(count))


def _fitting_parts(
    groups: Mapping[str, xarray.Dataset], reference: xarray.Dataset, layout: Layout
) -> dict[str, xarray.Dataset]:
    """The groups of draws whose chains and draws are those of the posterior."""
    parts = {}
    for name, dataset in groups.items():
        if name.removeprefix("warmup_") not in _PLACED:
            continue
        wanted = layout.warmup if name.startswith("warmup_") else layout.draws
        has_axes = set(SAMPLED) <= set(dataset.dims)
        if not has_axes or (dataset.sizes["chain"], dataset.sizes["draw"]) != (len(layout.chains), wanted):
            # A group without variables, as nutpie gives of a model without transformed ones, is missed by nobody.
            if dataset.data_vars:
                layout.notes.add("left out, since its chains and draws are not those of the posterior", name)
        elif "chain" in dataset.coords and not np.array_equal(dataset["chain"], _labels(reference, "chain")):
            layout.notes.add("left out, since its chains are not those of the posterior", name)
        else:
            parts[name] = dataset
    return parts


def _labels(dataset: xarray.Dataset, dim: str) -> Any:
    return dataset[dim].values if dim in dataset.coords else np.arange(dataset.sizes[dim])


def _columns(
    group: str, posterior: xarray.Dataset | None, warmup: xarray.Dataset | None, layout: Layout
) -> list[Column]:
    names = [*(() if posterior is None else posterior.data_vars), *(() if warmup is None else warmup.data_vars)]
    columns = []
    for name in dict.fromkeys(names):
        arrays = [None if part is None or name not in part else part[name] for part in (posterior, warmup)]
        present = [array for array in arrays if array is not None]
        place = f"{group}/{name}"
        reason = _reason_against(name, present)
        if reason:
            layout.notes.add(f"left out, since {reason}", place)
            continue
        ordered = [None if array is None else array.transpose(*SAMPLED, ...) for array in arrays]
        first = next(array for array in ordered if array is not None)
        dims = tuple(map(str, first.dims[2:]))
        dtype = "float32" if first.dtype == np.float16 else _dtype(first)
        if first.dtype == np.float16:
            layout.notes.add("kept as float32", place)
        variable = Variable(str(name), dtype, first.shape[2:], dims)
        if len(present) == 1 and layout.warmup and layout.draws:
            part = "warmup" if arrays[1] is None else "the posterior"
            layout.notes.add(f"filled up with missing values where {part} lacks it", place)
        columns.append(Column(variable, *ordered))
    return columns


def _reason_against(name: object, arrays: list[xarray.DataArray]) -> str | None:
    if not str(name) or len(str(name)) > 256:
        return "a name has 1 to 256 characters"
    if any(not set(SAMPLED) <= set(array.dims) for array in arrays):
        return "it has no dimensions chain and draw"
    for array in arrays:
        if array.dtype != np.float16 and _dtype(array) not in DTYPES:
            return f"draws of {_dtype(array)} have no place"
    if len({(_dtype(array), array.transpose(*SAMPLED, ...).shape[2:]) for array in arrays}) > 1:
        return "its shape or dtype in warmup is another one"
    return None


def _dtype(array: xarray.DataArray) -> str:
    """The dtype in the words of the contract; that of NumPy if it has none."""
    if array.dtype.kind in "UT" or (array.dtype.kind == "O" and _is_text(array)):
        return "str"
    return "Python objects" if array.dtype.kind == "O" else array.dtype.name


def _is_text(array: xarray.DataArray) -> bool:
    """True for text, and what marks its absence; looks at one chain after the other."""
    if array.ndim == 0 or "chain" not in array.dims:
        return False
    parts = (np.asarray(array.isel(chain=chain)) for chain in range(array.sizes["chain"]))
    return all(isinstance(value, str) or _is_missing(value) for part in parts for value in part.flat)


def _is_missing(value: object) -> bool:
    """True for None, NaN and pandas' NA, as different versions of libraries put them among text."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def as_text(values: Array) -> Array:
    """Text as text alone, "" where it is missing."""
    if values.dtype.kind == "O":
        plain = ["" if _is_missing(value) else value for value in values.flat]
        return np.array(plain, dtype=str).reshape(values.shape)
    return values.astype(str)


def _path(group: str, column: Column) -> str:
    return f"{group}/{column.variable.name}"


def _mark_warmup(layout: Layout, is_whole: bool) -> None:
    """Decides on the flag: needed for warmup, and where a stat of the result would be taken for one."""
    own = [column for column in layout.stats if column.variable.name == FLAG]
    misread = any(is_warmup_flag(column.variable) for column in layout.stats)
    layout.flag = bool(layout.warmup) or misread or not is_whole
    if own and layout.flag:
        layout.stats.remove(own[0])
        layout.notes.add("left out, since the groups tell warmup", _path("sample_stats", own[0]))


def _take_coords(parts: Mapping[str, xarray.Dataset], layout: Layout) -> None:
    used = {dim for column in (*layout.variables, *layout.stats) for dim in column.variable.dims}
    for name, dataset in parts.items():
        _coords_of(name, dataset, used, layout)


def _coords_of(group: str, dataset: xarray.Dataset, used: set[str], layout: Layout) -> None:
    for key in dataset.coords:
        dim = str(key)
        if dim in SAMPLED:
            continue
        if key not in dataset.indexes or dataset[key].dims != (key,):
            if not _is_level(dataset, key):
                layout.notes.add("coordinates that label no dimension are left out", f"{group}/{dim}")
        elif dim in used:
            labels = dataset.indexes[key]
            if dim not in layout.coords:
                layout.coords[dim] = labels
            elif not labels.equals(layout.coords[dim]):
                layout.notes.add("its labels are those of another group", f"{group}/{dim}")


def _is_level(dataset: xarray.Dataset, key: Any) -> bool:
    """True for a level of labels that have several."""
    dims = dataset[key].dims
    return len(dims) == 1 and key in getattr(dataset.indexes.get(dims[0]), "names", ())


def _take_data(groups: Mapping[str, xarray.Dataset], layout: Layout) -> None:
    size = 0
    for group in _DATA:
        dataset = groups.get(group)
        if dataset is None:
            continue
        dims: set[str] = set()
        for name, array in dataset.data_vars.items():
            size += array.nbytes
            if size > _MOST_DATA:
                size -= array.nbytes
                layout.notes.add(f"left out, since data have {_MOST_DATA >> 20} MiB at most", f"{group}/{name}")
                continue
            names = tuple(map(str, array.dims))
            layout.data.append(DataVariable(str(name), np.asarray(array), names, group == "observed_data"))
            dims.update(names)
        _coords_of(group, dataset, dims, layout)


def is_counted(labels: Any) -> bool:
    """True for labels that count from 0, as those of a dimension without labels do."""
    array = np.asarray(labels)
    return array.dtype == np.int64 and array.ndim == 1 and np.array_equal(array, np.arange(len(array)))


def _draw_labels(parts: Mapping[str, xarray.Dataset], notes: Notes) -> dict[str, list[int]]:
    """First label and step of the draws, for warmup and posterior, where they do not count from 0."""
    found = {}
    for name in ("posterior", "warmup_posterior"):
        dataset = parts.get(name)
        if dataset is None or "draw" not in dataset.coords:
            continue
        labels = np.asarray(dataset["draw"].values)
        if np.array_equal(labels, np.arange(len(labels))):
            continue
        steps = np.diff(labels) if labels.dtype.kind in "iu" else np.array([])
        if labels.dtype.kind in "iu" and len(set(steps.tolist())) <= 1:
            found[name] = [int(labels[0]), int(steps[0]) if len(steps) else 1]
        else:
            notes.add("draws are counted from 0, since their labels are not equally far apart", f"{name}/draw")
    return found
