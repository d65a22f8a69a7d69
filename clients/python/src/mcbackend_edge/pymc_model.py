"""Metadata that a PyMC model has before its first draw: variables, coordinates, data.

PyMC's own functions find the data, so that a run has what `pm.sample` gives, in each of its versions.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pymc.backends.arviz import find_constants, find_observations
from pymc.util import get_default_varnames

from .ndarray import Array
from .schema import DTYPES, DataVariable, RunMeta, Variable, build_run_meta

log = logging.getLogger("mcbackend_edge")

# Attribute of a run: names of its variables that belong to the group ``unconstrained_posterior``.
UNCONSTRAINED = "mcb.unconstrained"
# Bytes of coordinates and data that go with a run, at most: servers take 16 MiB of metadata by default.
MOST_BYTES = 15 << 20


@dataclass(frozen=True)
class ModelMeta:
    """
    Attributes
    ----------
    variables : those that are traced and can be stored, in the order of the trace.
    coords : labels by dimension, as the model has them.
    data : observed and constant data.
    unconstrained : names of the variables that hold transformed values.
    """

    variables: tuple[Variable, ...]
    coords: Mapping[str, Any]
    data: tuple[DataVariable, ...]
    unconstrained: tuple[str, ...]

    def run_meta(self, rid: str, sample_stats: Sequence[Variable], attributes: Mapping[str, Any]) -> RunMeta:
        """The metadata of a run that samples from this model."""
        own = {"inference_library": "pymc", UNCONSTRAINED: list(self.unconstrained)}
        return build_run_meta(
            rid,
            variables=self.variables,
            sample_stats=sample_stats,
            coords=self.coords,
            data=self.data,
            attributes={**own, **attributes},
        )

    def within(self, most_bytes: int) -> ModelMeta:
        """The same without the largest coordinates and data, as far as they go beyond `most_bytes`; they are named."""
        sizes = {f"data {item.name!r}": item.value.nbytes for item in self.data}
        sizes |= {f"labels of {name!r}": _label_bytes(labels) for name, labels in self.coords.items()}
        total, left_out = sum(sizes.values()), []
        for name in sorted(sizes, key=lambda name: -sizes[name]):
            if total <= most_bytes:
                break
            total -= sizes[name]
            left_out.append(name)
        if not left_out:
            return self
        log.warning("%s: too large to be stored with the run, and left out.", ", ".join(left_out))
        return replace(
            self,
            data=tuple(item for item in self.data if f"data {item.name!r}" not in left_out),
            coords={name: labels for name, labels in self.coords.items() if f"labels of {name!r}" not in left_out},
        )


def describe(
    model: Any, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, Any]
) -> ModelMeta:
    """
    Parameters
    ----------
    model : a `pymc.Model`.
    names : names of the traced values, in order.
    shapes, dtypes : shape and dtype of each.
    """
    deterministic = {var.name for var in model.deterministics}
    variables = []
    for name in names:
        dtype, shape = np.dtype(dtypes[name]).name, tuple(shapes[name])
        if dtype not in DTYPES:
            log.warning("%r has dtype %s, which cannot be stored: its draws are not sent.", name, dtype)
            continue
        dims = dims_of(model, name, len(shape))
        variables.append(Variable(name, dtype, shape, dims, is_deterministic=name in deterministic))
    return replace(of_values(model, [var.name for var in variables]), variables=tuple(variables))


def of_values(model: Any, names: Sequence[str]) -> ModelMeta:
    """All but the variables.

    Parameters
    ----------
    names : names of the traced values, in order.
    """
    plain = set(get_default_varnames(list(names), include_transformed=False))
    unconstrained = tuple(name for name in names if name not in plain)
    return ModelMeta((), coords_of(model), data_of(model), unconstrained).within(MOST_BYTES)


def dims_of(model: Any, name: str, ndim: int) -> tuple[str, ...]:
    """Names of all dimensions of a value, or none if the model names none; those without a name get ArviZ's."""
    named = tuple(model.named_vars_to_dims.get(name) or ())
    if not named or len(named) > ndim:
        return ()
    filled = (*named, *(None,) * (ndim - len(named)))
    return tuple(f"{name}_dim_{i}" if dim is None else str(dim) for i, dim in enumerate(filled))


def coords_of(model: Any) -> dict[str, Any]:
    """Labels by dimension; dimensions that have a length alone are left out."""
    return {str(name): labels for name, labels in model.coords.items() if labels is not None}


def data_of(model: Any) -> tuple[DataVariable, ...]:
    """Observed data under the names of their random variables, and constant data, as PyMC itself converts them."""
    found: list[DataVariable] = []
    for finder, kind in ((find_constants, "constant"), (find_observations, "observed")):
        try:
            with warnings.catch_warnings():
                # PyMC says the same when it converts its own result.
                warnings.simplefilter("ignore")
                values = finder(model)
        except Exception:  # a model whose data PyMC cannot tell can be sampled nevertheless
            log.warning("the %s data of the model are not stored:", kind, exc_info=True)
            continue
        for name, value in values.items():
            array = _plain_array(value)
            if array.dtype.kind not in "biufUMm":
                log.warning("data %r has dtype %s, which cannot be stored: it is left out.", name, array.dtype)
                continue
            found.append(DataVariable(name, array, dims_of(model, name, array.ndim), kind == "observed"))
    return tuple(found)


def _plain_array(value: Any) -> Array:
    """An array without a mask: masked elements are NaN, as xarray has them."""
    if isinstance(value, np.ma.MaskedArray):
        values = np.array(value.data, dtype=np.result_type(value.dtype, np.float32) if value.mask.any() else None)
        values[value.mask] = np.nan
        return values
    return np.asarray(value)


def _label_bytes(labels: Any) -> int:
    array = np.asarray(labels)
    if array.dtype.kind != "O":
        return array.nbytes
    # Text is stored in a width that fits the longest.
    return 4 * len(labels) * max((len(str(label)) for label in labels), default=0)
