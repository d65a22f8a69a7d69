"""The origin of a run, as attributes of ArviZ's groups: the library, its version, times, and the run's id."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..about import RunAbout
from ..errors import AccessError, OldServerError, ProtocolError
from ..results.layout import ABSENT, DRAW_LABELS, STATS_AS_THEY_ARE
from ..results.told import kept_attrs
from .stored import StoredRun

# Attributes that steer this package.
_OWN = ("mcb.unconstrained", STATS_AS_THEY_ARE, DRAW_LABELS, ABSENT, "discard_tuned_samples", "inference_library")


@dataclass(frozen=True)
class Attributes:
    """Attributes of the root, of groups of draws, and of groups of data.

    Attributes
    ----------
    kept : by group, those that a result had which was stored as a whole; None for a run that was sampled to the server.
    """

    root: dict[str, Any]
    sampled: dict[str, Any]
    data: dict[str, Any]
    kept: Mapping[str, Mapping[str, Any]] | None = None

    def of(self, group: str, others: dict[str, Any]) -> dict[str, Any]:
        """Those of a group: `others`, unless the group had its own."""
        if self.kept is None:
            return others
        return {**self.kept.get(group, {}), "rid": others["rid"]}


def attributes_of(run: StoredRun, warmup: int) -> Attributes:
    """
    Parameters
    ----------
    warmup : draws of warmup that the chains have; the number that was planned counts first.
    """
    library = run.attributes.get("inference_library")
    of_data = {"created_at": None, "inference_library": library, "inference_library_version": None, "rid": run.rid}
    sampling: dict[str, Any] = {"sampling_time": None, "tuning_steps": warmup or None}
    about = _about(run)
    if about is not None:
        of_data["created_at"] = about.created_at.isoformat()
        packages = _object(_object(about.facts, "environment"), "packages")
        if isinstance(library, str) and isinstance(packages.get(library), str):
            of_data["inference_library_version"] = packages[library]
        sampling["sampling_time"] = _number(about.facts.get("samplingTime"), float)
        planned = _number(_object(about.facts, "expected").get("warmup"), int)
        sampling["tuning_steps"] = planned if planned is not None else sampling["tuning_steps"]
    data = {name: value for name, value in of_data.items() if value is not None}
    sampled = {**data, **{name: value for name, value in sampling.items() if value is not None}}
    users = {name: plain_attribute(value) for name, value in run.attributes.items() if name not in _OWN}
    kept = None if about is None else kept_attrs(about.facts)
    root = {**sampled, **users} if kept is None else {**kept.get("/", {}), "rid": run.rid, **users}
    return Attributes(root, sampled, data, kept)


def _about(run: StoredRun) -> RunAbout | None:
    """Facts and times of the run; None where the server does not tell them."""
    try:
        return run.about()
    except (OldServerError, AccessError, ProtocolError):
        return None


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def _number(value: object, kind: type[int] | type[float]) -> int | float | None:
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def plain_attribute(value: Any) -> Any:
    """An attribute in a form that NetCDF can hold."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf" and value.ndim == 1 and value.size:
            return value.astype(np.int8) if value.dtype.kind == "b" else value
        return json.dumps(value.tolist() if value.dtype.kind in "biufU" else value.astype(str).tolist())
    if value is None or isinstance(value, (dict, list)):
        return json.dumps(value)
    return value


def for_netcdf(value: Any) -> Any:
    """An attribute of a group as a NetCDF file takes it: bools become 0 and 1, anything without a place there JSON."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if value is None or isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, (list, tuple, np.ndarray)):
        try:
            array = np.asarray(value)
        except ValueError:
            # Lists of several lengths within one.
            return json.dumps(value)
        if array.ndim != 1 or array.dtype.kind not in "biufU" or not array.size:
            return json.dumps(array.tolist())
        if array.dtype.kind == "b":
            return array.astype(np.int8)
        return array.tolist() if array.dtype.kind == "U" else value
    return value
