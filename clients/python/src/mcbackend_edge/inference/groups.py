"""The columns of a run, sorted into ArviZ's groups: posterior, unconstrained posterior, and stats under their names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..results.layout import STATS_AS_THEY_ARE
from ..schema import Variable
from ..stat_names import arviz_names, own_name
from ..warmup import is_warmup_flag
from .download import Draws
from .notes import Notes, listed
from .selection import FilterVars, select
from .stored import StoredRun

# Elements of a value that no array of all draws has room for.
_TOO_MANY = 2**31

StatNames = Literal["arviz", "stored"]


@dataclass(frozen=True)
class Stat:
    """A stat as it is given: under its name, one that is stored, or those of several samplers side by side."""

    name: str
    members: tuple[Variable, ...]

    @property
    def dims(self) -> tuple[str, ...]:
        return self.members[0].dims

    def draws(self, stored: Mapping[str, Draws]) -> Draws:
        """Arrays of shape (chains, draws, \\*shape), or (chains, draws, \\*shape, samplers) if there are several."""
        parts = [stored[member.name] for member in self.members]
        if len(parts) == 1:
            return parts[0]
        return Draws(
            np.stack([part.warmup for part in parts], axis=-1), np.stack([part.posterior for part in parts], axis=-1)
        )


@dataclass(frozen=True)
class Plan:
    """The variables and stats that are read."""

    posterior: tuple[Variable, ...]
    unconstrained: tuple[Variable, ...]
    stats: tuple[Stat, ...]

    @classmethod
    def of(
        cls,
        run: StoredRun,
        *,
        var_names: str | Sequence[str] | None,
        filter_vars: FilterVars,
        stat_names: StatNames,
        warnings: bool,
        notes: Notes,
    ) -> Plan:
        """
        Raises
        ------
        UnknownVariableError
            If the run has no variable of a name.
        TypeError, ValueError
            If the arguments make no sense.
        """
        if stat_names not in ("arviz", "stored"):
            raise ValueError(f"stat_names is 'arviz' or 'stored', not {stat_names!r}")
        wanted = select(list(run.variables), var_names, filter_vars, notes)
        variables = _rigid((var for var in run.variables.values() if var.name in wanted), "get_draws", notes)
        hidden = unconstrained_names(run)
        stats = [stat for stat in run.sample_stats.values() if warnings or not _is_warning(stat)]
        as_they_are = run.attributes.get(STATS_AS_THEY_ARE)
        if stat_names == "arviz" and isinstance(as_they_are, list):
            # A result that was stored under the names that its library gives.
            stat_names = "stored"
            stats = [run.sample_stats[name] for name in as_they_are if name in run.sample_stats]
        elif stat_names == "arviz":
            # The groups tell warmup from posterior; the flags would say it again.
            stats = [stat for stat in stats if not is_warmup_flag(stat)]
        return cls(
            tuple(var for var in variables if var.name not in hidden),
            tuple(var for var in variables if var.name in hidden),
            tuple(_named(_rigid(stats, "get_stats", notes), stat_names)),
        )

    @property
    def columns(self) -> tuple[list[Variable], list[Variable]]:
        """The variables and the stats that are downloaded."""
        return [*self.posterior, *self.unconstrained], [member for stat in self.stats for member in stat.members]


def unconstrained_names(run: StoredRun) -> set[str]:
    """The variables that the sampler sees in the place of those that the model names, such as ``tau_log__`` of ``tau``.

    The run's attribute ``mcb.unconstrained`` lists them. Runs without it are PyMC's, or older: then names of the form
    that PyMC gives to transformed variables count, if the run also has the variable itself.
    """
    listed_names = run.attributes.get("mcb.unconstrained")
    if isinstance(listed_names, list):
        return {name for name in listed_names if isinstance(name, str)}
    if run.attributes.get("inference_library", "pymc") != "pymc":
        return set()
    names = set(run.variables)
    return {name for name in names if _is_transformed(name, names)}


def _is_transformed(name: str, names: set[str]) -> bool:
    if not name.endswith("__") or name.count("_") < 3:
        return False
    stem = name[:-2]
    ends = [index for index, letter in enumerate(stem) if letter == "_"]
    return any(stem[:end] in names for end in ends)


def _is_warning(stat: Variable) -> bool:
    """True for PyMC's pickled warnings: text that is far larger than all draws, and that nobody unpickles."""
    return stat.dtype == "str" and own_name(stat.name) == "warning"


def _rigid(variables: Iterable[Variable], reader: str, notes: Notes) -> list[Variable]:
    """Those that ArviZ's groups have a place for: of one shape, and not all too many dimensions."""
    held = list(variables)
    ragged = [var.name for var in held if not var.is_rigid]
    if ragged:
        notes.add(
            f"{listed(ragged)} left out, since its shape varies from draw to draw: run.{reader}({ragged[0]!r}) reads it"
        )
    huge = [var.name for var in held if var.is_rigid and math.prod(var.shape) >= _TOO_MANY]
    if huge:
        read = f"run.chain(0).{reader}({huge[0]!r}, elements=[0])"
        notes.add(f"{listed(huge)} left out, since it has 2^31 elements or more: {read} reads some")
    return [var for var in held if var.is_rigid and var.name not in huge]


def _named(stats: Sequence[Variable], stat_names: StatNames) -> list[Stat]:
    if stat_names == "stored":
        return [Stat(stat.name, (stat,)) for stat in stats]
    known = {stat.name: stat for stat in stats}
    named: list[Stat] = []
    for name, members in arviz_names(known).items():
        held = tuple(known[member] for member in members)
        if len({(var.shape, var.dtype == "str") for var in held}) == 1:
            named.append(Stat(name, held))
        else:
            named += [Stat(var.name, (var,)) for var in held]
    return named
