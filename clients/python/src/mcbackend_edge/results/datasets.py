"""The groups of a result, as `xarray.Dataset` by name: of InferenceData, a DataTree, a Dataset, or a file of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray

SAMPLED = ("chain", "draw")


@dataclass(frozen=True)
class Result:
    """
    Attributes
    ----------
    groups : datasets by ArviZ's name of the group.
    attrs : those of the root.
    nested : names of groups within groups.
    """

    groups: Mapping[str, xarray.Dataset]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    nested: tuple[str, ...] = ()


@contextmanager
def opened(result: Any) -> Iterator[Result]:
    """The groups of a result; files are open meanwhile, and read as far as they are needed.

    Raises
    ------
    TypeError
        If it is nothing of that kind.
    ValueError
        If it has no posterior with the dimensions ``chain`` and ``draw``.
    """
    if isinstance(result, (str, os.PathLike)):
        import xarray

        path = Path(result)
        engine = {"engine": "zarr"} if path.suffix == ".zarr" or path.is_dir() else {}
        with xarray.open_datatree(path, **engine) as tree:  # type: ignore[arg-type]
            yield _checked(_of_tree(tree))
    else:
        yield _checked(_of(result))


def _of(result: Any) -> Result:
    # None of these libraries is imported for it: a result of theirs is not there without.
    xarray, arviz = sys.modules.get("xarray"), sys.modules.get("arviz")
    found: Any = result
    if xarray is not None and isinstance(result, getattr(xarray, "DataTree", ())):
        return _of_tree(found)
    if xarray is not None and isinstance(result, xarray.Dataset):
        return Result({"posterior": found})
    if arviz is not None and isinstance(result, getattr(arviz, "InferenceData", ())):
        return Result({name: found[name] for name in found.groups()}, dict(found.attrs))
    raise TypeError(
        f"a {type(result).__name__} is no result that can be stored: give an arviz.InferenceData, an xarray.DataTree, "
        "the xarray.Dataset of a posterior, or the path of a .nc or .zarr file; arviz.from_… makes one of the results "
        "of many libraries"
    )


def _of_tree(tree: xarray.DataTree) -> Result:
    if set(SAMPLED) <= set(tree.ds.dims):
        return Result({"posterior": tree.to_dataset()})
    groups = {str(name): node.to_dataset() for name, node in tree.children.items()}
    nested = tuple(node.path.lstrip("/") for node in tree.subtree if node.level > 1)
    return Result(groups, {str(name): value for name, value in tree.attrs.items()}, nested)


def _checked(result: Result) -> Result:
    posteriors = [result.groups[name] for name in ("posterior", "warmup_posterior") if name in result.groups]
    if not posteriors:
        found = ", ".join(result.groups) or "none"
        raise ValueError(f"the result has no group 'posterior' (its groups: {found})")
    for dataset in posteriors:
        missing = [dim for dim in SAMPLED if dim not in dataset.dims]
        if missing:
            raise ValueError(
                f"the posterior has no dimension {missing[0]!r} (its dimensions: {', '.join(map(str, dataset.dims))}); "
                "draws of a single chain get it from expand_dims(chain=1)"
            )
    return result
