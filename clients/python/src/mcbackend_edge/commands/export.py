"""`export`: writes a run into a file that ArviZ and xarray read."""

from __future__ import annotations

import argparse
import importlib.util
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client import Client
from ..errors import McbError
from ..inference.attributes import for_netcdf
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Writes a run into a NetCDF file (.nc) or a Zarr folder (.zarr), with the groups that arviz.from_netcdf, arviz.from_zarr
and xarray.open_datatree read. The file appears under its name once it is whole, and takes the place of no other
without --force. It needs xarray; for .nc h5netcdf and h5py, or netCDF4; for .zarr zarr.
"""
_EXAMPLES = """\
  python -m mcbackend_edge export my-run -o my-run.nc
  python -m mcbackend_edge export my-run -o small.nc --var mu --var tau --draws=-1000:
  python -m mcbackend_edge export my-run -o my-run.zarr --chains 0,1,2 --no-warmup
"""
# Packages that can write a kind of file, in the order of preference: all of a group are needed.
_WRITERS = {".nc": (("h5netcdf", "h5py"), ("netCDF4",)), ".zarr": (("zarr",),)}


def add_to(commands: Commands) -> None:
    command = add_command(commands, "export", run, "write a run into a .nc or .zarr file", _DESCRIPTION, _EXAMPLES)
    command.add_argument("rid", metavar="RID", help="id of the run")
    command.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="a name with .nc or .zarr")
    command.add_argument("--force", action="store_true", help="take the place of a file that is there")
    command.add_argument("--var", action="append", metavar="NAME", help="only this variable; may be repeated")
    command.add_argument(
        "--chains", type=_chains, metavar="CHAINS", help="auto (those with the most draws, the default), all, or 0,2,3"
    )
    command.add_argument("--draws", type=_slice, metavar="FROM:TO", help="of the draws behind warmup: --draws=-1000:")
    command.add_argument(
        "--warmup", action=argparse.BooleanOptionalAction, help="with the groups of warmup, or without"
    )
    command.add_argument("--url", help="the server (default: MCB_URL, or that of mcb login)")


def run(options: argparse.Namespace) -> int:
    target: Path = options.output
    kind = target.suffix.lower()
    if kind not in _WRITERS:
        raise ValueError(f"{target} names no kind of file: it must end in .nc or .zarr")
    _require(kind)
    if not target.parent.is_dir():
        raise ValueError(f"{target.parent} is no folder")
    if not options.force:
        _refuse_present(target)
    elif target.exists() and target.is_dir() != (kind == ".zarr"):
        raise ValueError(f"{target} is {'a folder' if target.is_dir() else 'no folder'}: it is left as it is")
    chosen = {"var_names": options.var, "chains": options.chains, "draws": options.draws, "warmup": options.warmup}
    with Client(options.url, spool=None) as client:
        tree = client.run(options.rid).to_datatree(
            **{name: value for name, value in chosen.items() if value is not None}
        )
    if not tree.children:
        raise McbError(f"run {options.rid} has nothing to export yet")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}{kind}")
    try:
        _write(tree, draft, kind)
        _put(draft, target, is_forced=options.force)
    finally:
        _remove(draft)
    groups = ", ".join(tree.children)
    print(f"{target}: run {options.rid}, {groups}")
    return 0


def _require(kind: str) -> None:
    """
    Raises
    ------
    McbError
        That names the packages to install.
    """
    missing = [] if _is_there("xarray") else ["xarray"]
    if _writer(kind) is None:
        missing += [package for package in _WRITERS[kind][0] if not _is_there(package)]
    if missing:
        raise McbError(f"a {kind} file needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def _writer(kind: str) -> str | None:
    """The first package of the first group that is installed."""
    return next((group[0] for group in _WRITERS[kind] if all(map(_is_there, group))), None)


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _refuse_present(target: Path) -> None:
    if os.path.lexists(target):
        raise McbError(f"{target} is there already: --force takes its place")


def _write(tree: Any, draft: Path, kind: str) -> None:
    if kind == ".zarr":
        tree.to_zarr(draft, mode="w-", consolidated=True)
        return
    engine = "h5netcdf" if _writer(kind) == "h5netcdf" else "netcdf4"
    for node in tree.subtree:
        node.attrs = {name: for_netcdf(value) for name, value in node.attrs.items()}
    # The usual compression of ArviZ's own files.
    encoding = {
        node.path: {
            str(name): {"zlib": True, "complevel": 1}
            for name, array in node.data_vars.items()
            if array.dtype.kind in "biuf" and array.ndim
        }
        for node in tree.subtree
        if node.data_vars
    }
    has_complex = any(array.dtype.kind == "c" for node in tree.subtree for array in node.variables.values())
    options = {"auto_complex": True} if has_complex and engine == "netcdf4" else {}
    tree.to_netcdf(draft, engine=engine, encoding=encoding, **options)
    handle = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(draft: Path, target: Path, *, is_forced: bool) -> None:
    """Gives the whole file its name; somebody else may have taken it meanwhile."""
    if draft.is_dir():
        if is_forced and target.is_dir() and not target.is_symlink():
            old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
            target.rename(old)
            draft.rename(target)
            shutil.rmtree(old, ignore_errors=True)
            return
        _refuse_present(target)
        draft.rename(target)
    elif is_forced:
        draft.replace(target)
    else:
        try:
            os.link(draft, target)
        except FileExistsError:
            _refuse_present(target)
        except OSError:
            # A file system without links.
            _refuse_present(target)
            draft.rename(target)


def _remove(draft: Path) -> None:
    with suppress(OSError):
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def _chains(text: str) -> str | list[int]:
    if text in ("auto", "all"):
        return text
    numbers = text.split(",")
    if not all(number.strip().isascii() and number.strip().isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor all nor numbers as 0,2,3")
    return [int(number) for number in numbers]


def _slice(text: str) -> slice:
    parts = text.split(":")
    try:
        bounds = [int(part) if part.strip() else None for part in parts]
    except ValueError:
        bounds = []
    if len(bounds) not in (2, 3) or (len(bounds) == 3 and bounds[2] == 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no slice as FROM:TO or FROM:TO:STEP")
    return slice(*bounds)
