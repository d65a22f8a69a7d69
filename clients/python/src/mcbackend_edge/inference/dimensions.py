"""Names and labels of the axes of one group, such that they fit: no variable is lost to one that contradicts it.

ArviZ's conventions: an axis without a name is called ``theta_dim_0`` and counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..ndarray import Array
from .notes import Notes, listed

Numbering = Literal["axis", "unnamed"]
"""``theta_dim_1`` is axis 1 of the variable in ArviZ 0.x, and in 1.x the second one that has no name."""


@dataclass(frozen=True)
class Axes:
    """The variables of a group and their axes.

    Attributes
    ----------
    names : the variables' names in the group, by those that are stored.
    dims : names of the axes behind `leading`, by the stored name of the variable.
    labels : labels by the name of the axis; axes that are not in it are counted from 0.
    """

    leading: tuple[str, ...]
    names: Mapping[str, str]
    dims: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Array]


@dataclass
class Fitting:
    """Names the axes of the groups of a run.

    Parameters
    ----------
    coords : labels by the name of the axis.
    allows_slash : False for a DataTree, in which ``/`` parts the names of groups.
    """

    coords: Mapping[str, Array]
    numbering: Numbering
    allows_slash: bool
    notes: Notes = field(default_factory=Notes)

    def fit(
        self, shapes: Mapping[str, tuple[int, ...]], dims: Mapping[str, Sequence[str]], leading: tuple[str, ...]
    ) -> Axes:
        """
        Parameters
        ----------
        shapes : those of the variables, without the axes `leading`.
        dims : names of the axes as registered; "" has none.
        """
        names = self._variable_names(shapes, leading)
        group = _Group(self, set(names.values()), set(leading), shapes, dims)
        fitted = {name: group.axes_of(name) for name in names}
        if group.misfits:
            self.notes.add(
                f"{listed(group.misfits)} got dimensions of its own: {group.misfits[next(iter(group.misfits))]}"
            )
        return Axes(leading, names, fitted, group.labels)

    def _variable_names(self, shapes: Mapping[str, tuple[int, ...]], leading: tuple[str, ...]) -> dict[str, str]:
        names: dict[str, str] = {}
        changed: list[str] = []
        taken = {name for name in shapes if self.plain(name) == name} | set(leading)
        for name in shapes:
            given = name
            if name in leading or self.plain(name) != name:
                given = free_name(self.plain(name), taken)
                taken.add(given)
                changed.append(f"{name!r} is called {given!r}")
            names[name] = given
        if changed:
            more = f" and {len(changed) - 3:,} more" if len(changed) > 3 else ""
            self.notes.add(f"{', '.join(changed[:3])}{more}, since the group has no place for such a name")
        return names

    def plain(self, name: str) -> str:
        """The name without what it must not hold."""
        return name if self.allows_slash else name.replace("/", "_")


class _Group:
    """The axes of one group as they are found, variable by variable; the first size of a name counts."""

    def __init__(
        self,
        fitting: Fitting,
        variables: set[str],
        leading: set[str],
        shapes: Mapping[str, tuple[int, ...]],
        dims: Mapping[str, Sequence[str]],
    ) -> None:
        self._fitting, self._variables, self._leading = fitting, variables, leading
        self._shapes, self._dims = shapes, dims
        self._sizes: dict[str, int] = {}
        self._given: dict[str, str] = {}
        self.labels: dict[str, Array] = {}
        self.misfits: dict[str, str] = {}
        self._usable = self._usable_labels()

    def _usable_labels(self) -> dict[str, Array]:
        """Labels as long as the axis of some variable; others say nothing."""
        sizes: dict[str, set[int]] = {}
        for name, shape in self._shapes.items():
            for dim, size in zip(self._dims.get(name, ()), shape):
                sizes.setdefault(dim, set()).add(size)
        usable = {}
        for dim, labels in self._fitting.coords.items():
            if labels.ndim == 1 and (dim not in sizes or len(labels) in sizes[dim]):
                usable[dim] = labels
            elif dim in sizes:
                count = f"{len(labels):,}" if labels.ndim == 1 else "an array of"
                self._fitting.notes.add(
                    f"dimension {dim!r} has {count} labels and {' or '.join(map(str, sorted(sizes[dim])))} elements: "
                    "it is counted from 0"
                )
        return usable

    def axes_of(self, name: str) -> tuple[str, ...]:
        shape = self._shapes[name]
        registered = tuple(self._dims.get(name, ()))
        if len(registered) > len(shape):
            self.misfits[name] = f"it has {len(registered)} names of dimensions and {len(shape)} dimensions"
            registered = ()
        axes: list[str] = []
        unnamed = 0
        for index, size in enumerate(shape):
            dim = registered[index] if index < len(registered) else ""
            if dim == f"{name}_dim_{index}" and dim not in self._usable:
                # A writer has spelt out the name of ArviZ 0.x for an axis without one.
                dim = ""
            reason = self._reason_against(dim, size, axes) if dim else None
            if dim and not reason:
                axes.append(self._take(dim, size))
                continue
            if reason:
                self.misfits.setdefault(name, reason)
            number = index if self._fitting.numbering == "axis" else unnamed
            axes.append(self._own(f"{name}_dim_{number}", size, axes))
            unnamed += 1
        return tuple(axes)

    def _reason_against(self, dim: str, size: int, axes: Sequence[str]) -> str | None:
        if dim in self._leading:
            return f"{dim!r} is the name of the draws' own dimension"
        if self._given.get(dim, dim) in axes:
            return f"dimension {dim!r} is named twice"
        expected = self._expected(dim)
        if expected is not None and expected != size:
            return f"dimension {dim!r} has {expected} elements elsewhere, and {size} here"
        return None

    def _expected(self, dim: str) -> int | None:
        if dim in self._usable:
            return len(self._usable[dim])
        return self._sizes.get(self._given.get(dim, dim))

    def _take(self, dim: str, size: int) -> str:
        """The name of an axis in the group: another one where a variable has that name."""
        if dim not in self._given:
            given = self._fitting.plain(dim)
            if given in self._variables:
                given = f"{given}_dim"
            if given != dim:
                given = free_name(given, {*self._variables, *self._leading, *self._sizes})
                self._fitting.notes.add(
                    f"dimension {dim!r} is called {given!r}, since the group has no place for its name"
                )
            self._given[dim] = given
            self._sizes[given] = size
            if dim in self._usable:
                self.labels[given] = self._usable[dim]
        return self._given[dim]

    def _own(self, default: str, size: int, axes: Sequence[str]) -> str:
        """The default name of an axis that has none, or none that fits; another one where that is taken."""
        given = self._fitting.plain(default)
        if given in self._variables or given in axes or self._expected(default) not in (None, size):
            given = free_name(given, {*self._variables, *self._leading, *self._sizes, *self._usable, *axes})
        elif default in self._usable:
            self.labels[given] = self._usable[default]
        self._sizes[given] = size
        return given


def free_name(name: str, taken: set[str]) -> str:
    """The name, with as many ``_`` behind it as it takes to be another one."""
    while name in taken:
        name += "_"
    return name
