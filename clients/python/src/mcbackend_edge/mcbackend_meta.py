"""Metadata that McBackend has serialised, mended by what the model knows that PyMC samples.

McBackend writes the memory addresses of labels that are Python objects, such as dates, and knows of data only where
they are a `pm.Data`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ._generated import meta_pb2
from .pymc_call import SampleCall
from .schema import RunMeta, build_run_meta, without_objects


def sampled_model(raw: bytes, call: SampleCall) -> Any:
    """The PyMC model of a run: that of the call of `pm.sample`, or of the ``with`` block, if its values are the run's.

    Parameters
    ----------
    raw : the run's metadata.

    Returns
    -------
    A `pymc.Model`; None if there is none.
    """
    pymc = sys.modules.get("pymc")
    if pymc is None:
        return None
    model = call.model
    if model is None:
        model = pymc.Model.get_context(error_if_none=False)
    if model is None:
        return None
    names = {var.name for var in meta_pb2.RunMeta.FromString(raw).variables}
    return model if names == {var.name for var in model.unobserved_value_vars} else None


def mended(raw: bytes, rid: str, model: Any, attributes: Mapping[str, Any]) -> RunMeta:
    """The metadata of a run under the id `rid`, with attributes added.

    Parameters
    ----------
    raw : as McBackend has serialised them.
    model : the PyMC model, whose labels and data then take the place of McBackend's; None if there is none.
    """
    message = meta_pb2.RunMeta.FromString(raw)
    message.rid = rid
    if model is None:
        made = build_run_meta(rid, variables=(), attributes=attributes)
    else:
        from .pymc_model import of_values

        known = of_values(model, [var.name for var in message.variables])
        del message.coordinates[:], message.data[:]
        made = known.run_meta(rid, (), attributes)
    message.MergeFrom(meta_pb2.RunMeta.FromString(made.raw))
    return without_objects(message.SerializeToString(deterministic=True), {}, {})
