"""The run that files make up: registered with the first of them, and compared with the others.

The metadata hold what all chains of a run have in common, so that it does not matter which of them comes first, nor
from which machine. A run that an earlier release registered with more attributes is gone on with as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..client import Client
from ..errors import AccessError, RunConflictError, shown
from ..run import Run
from ..schema import Variable, build_run_meta
from .csv_file import CsvFile

# Settings that are attributes of the run where a file has them: those that all chains of a run share, and that it has
# again when its script is started again. The rest are facts.
_KEPT_SETTINGS = ("model", "num_samples", "num_warmup", "save_warmup", "thin", "delta", "max_depth", "metric")
_KEPT = (*_KEPT_SETTINGS, "method", "inference_library")
_FLAGS = {"true": "1", "false": "0"}


def attributes_of(file: CsvFile) -> dict[str, str]:
    """Attributes of the run, as a file tells them."""
    attributes = {"inference_library": "stan"}
    if file.settings.method is not None:
        attributes["method"] = file.settings.method
    return attributes | {name: file.settings[name] for name in _KEPT_SETTINGS if name in file.settings}


def variables_of(file: CsvFile) -> tuple[list[Variable], list[Variable]]:
    """Variables and sampler stats; the stat `tune`, for methods that have warmup, marks it."""
    stats = [group.variable for group in file.stats]
    if file.plan is not None and file.plan.method in ("sample", "generate_quantities", None):
        stats.append(Variable("tune", "bool"))
    return [group.variable for group in file.groups], stats


class Registration:
    """The run that some files share.

    Attributes
    ----------
    run : None until the first file has told what is in it.
    """

    def __init__(self, client: Client, rid: str, attributes: Mapping[str, Any], *, offline: bool = True) -> None:
        self.rid = rid
        self.run: Run | None = None
        self._client = client
        self._given = dict(attributes)
        self._offline = offline

    def join(self, file: CsvFile) -> Run:
        """The run, registered if no file was there before.

        Raises
        ------
        RunConflictError
            If the file is of another model, method or configuration than the run.
        """
        variables, stats = variables_of(file)
        if self.run is None:
            self.run = self._register(file, variables, stats)
        else:
            self._check(self.run, file, variables, stats)
        return self.run

    def _register(self, file: CsvFile, variables: list[Variable], stats: list[Variable]) -> Run:
        meta = build_run_meta(self.rid, variables=variables, sample_stats=stats, attributes=self._attributes(file))
        try:
            return self._client.register(meta, offline=self._offline)
        except RunConflictError as conflict:
            try:
                stored = self._client.run(self.rid)
            except AccessError:
                # A key that may only write.
                raise conflict from None
            self._check(stored, file, variables, stats)
            return stored

    def _attributes(self, file: CsvFile) -> dict[str, Any]:
        return {**attributes_of(file), **self._given}

    def _check(self, run: Run, file: CsvFile, variables: list[Variable], stats: list[Variable]) -> None:
        difference = _columns_differ(run, variables, stats) or _settings_differ(run.attributes, self._attributes(file))
        if difference:
            raise RunConflictError(
                409,
                "run_conflict",
                f"this file does not belong to run {run.rid}: {difference}. Store it under another --rid",
                {},
            )


def _columns_differ(run: Run, variables: list[Variable], stats: list[Variable]) -> str | None:
    """The first variable or stat that the run and a file do not share, in words."""
    for known, own, what in ((run.variables, variables, "variable"), (run.sample_stats, stats, "stat")):
        for variable in own:
            other = known.get(variable.name)
            name = shown(variable.name, 300)
            if other is None:
                return f"it has the {what} {name}, which the run does not have"
            if (other.dtype, other.shape) != (variable.dtype, variable.shape):
                return f"its {what} {name} has shape {list(variable.shape)}, the run's {list(other.shape)}"
        if missing := known.keys() - {variable.name for variable in own}:
            return f"it lacks the {what} {shown(min(missing), 300)} of the run"
    return None


def _settings_differ(stored: Mapping[str, Any], own: Mapping[str, Any]) -> str | None:
    for name in _KEPT:
        if name in stored and name in own and _value(stored[name]) != _value(own[name]):
            return f"its {name} is {shown(str(own[name]), 300)}, that of the run {shown(str(stored[name]), 300)}"
    return None


def _value(setting: Any) -> object:
    """A setting as a value, however this version of CmdStan writes it."""
    text = _FLAGS.get(str(setting), str(setting))
    try:
        return float(text)
    except ValueError:
        return text
