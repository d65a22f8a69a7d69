"""Writes the golden files, and reads files of another implementation with McBackend.

RunMeta messages are written by McBackend's own package, mcbackend 0.5.3 with betterproto 2.0.0b7 and numpy; canonical
JSON and DrawBatch messages come from the official `protobuf` runtime. The exact versions are in requirements.txt; the
layout of the files is in README.md. The same versions give the same bytes in every run.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

import betterproto
import numpy as np
from google.protobuf.json_format import SerializeToJsonError
from google.protobuf.message import Message
from mcbackend.meta import ExtendedValue, RunMeta, Variable
from mcbackend.npproto import Ndarray
from mcbackend.npproto.utils import ndarray_to_numpy

import oracle
from arrays import describe, from_c_ordered_bytes
from draws_cases import draws_cases, read_back
from malformed_cases import malformed_cases
from runmeta_cases import refused_cases, runmeta_cases
from slice_cases import slice_table

VERSIONS = {"mcbackend": "0.5.3", "betterproto": "2.0.0b7"}


class Golden:
    """The folder that the files go to; `paths` are those written so far."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths: set[Path] = set()

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        if path in self.paths:
            raise ValueError(f"{name} was written twice")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.paths.add(path)

    def write_json(self, name: str, content: object) -> None:
        """Keys are sorted: the official runtime gives map entries in another order in every run."""
        self.write(name, (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def ndarray_at(run: Message, path: str) -> Message:
    """The ndarray of an official RunMeta that a path such as `coordinates.school` names."""
    field, name = path.split(".", 1)
    if field == "attributes":
        return run.attributes[name].ndarray_value
    [found] = [item for item in getattr(run, field) if item.name == name]
    return found.values if field == "coordinates" else found.value


def check_arrays(run: Message, arrays: dict[str, np.ndarray]) -> None:
    """Raises unless the bytes of each array, read by their shape alone, are the array that went in."""
    for path, array in arrays.items():
        sent = ndarray_at(run, path)
        read = from_c_ordered_bytes(sent.data, sent.dtype, list(sent.shape))
        if describe(read) != describe(array):
            raise AssertionError(f"{path} does not hold the array that went in")


def write_runs(golden: Golden) -> None:
    for name, run in runmeta_cases():
        data = run.to_bytes()
        check_arrays(oracle.RunMeta.FromString(data), run.arrays)
        RunMeta().parse(data)
        arrays = {path: describe(array) for path, array in run.arrays.items()}
        golden.write(f"runmeta/{name}.bin", data)
        golden.write_json(f"runmeta/{name}.json", {"canonical": oracle.canonical_json(data), "arrays": arrays})


def write_refused(golden: Golden) -> None:
    for name, reason, data in refused_cases():
        oracle.RunMeta.FromString(data)
        try:
            oracle.canonical_json(data)
        except (SerializeToJsonError, ValueError) as refusal:
            golden.write(f"refused/{name}.bin", data)
            golden.write(f"refused/{name}.txt", f"{reason}\nofficial runtime: {refusal}\n".encode())
        else:
            raise AssertionError(f"{name}: canonical JSON expresses it")


def write_malformed(golden: Golden) -> None:
    for name, kind, reason, data in malformed_cases():
        try:
            kind.FromString(data)
        except oracle.DecodeError:
            golden.write(f"malformed/{name}.bin", data)
            golden.write(f"malformed/{name}.txt", f"{reason}\n".encode())
        else:
            raise AssertionError(f"{name}: the official runtime takes it")


def write_draws(golden: Golden) -> None:
    for name, batch, data in draws_cases():
        if read_back(data) != batch:
            raise AssertionError(f"{name}: the official runtime reads {read_back(data)}")
        golden.write(f"draws/{name}.bin", data)
        golden.write_json(f"draws/{name}.json", batch.description())


def write_slices(golden: Golden) -> None:
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in slice_table())
    columns = json.dumps(["length", "start", "stop", "step", "first", "count", "clampedStep"])
    golden.write("slices.json", f'{{"columns":{columns},\n"rows":[\n{rows}\n]}}\n'.encode())


def make(root: Path) -> int:
    """Writes all files below `root`; the exit status is 1 when files of an earlier version lie among them."""
    for package, wanted in VERSIONS.items():
        if version(package) != wanted:
            print(
                f"{package} is {version(package)}; the golden files need {wanted}: see requirements.txt",
                file=sys.stderr,
            )
            return 1
    golden = Golden(root)
    for write in (write_runs, write_refused, write_malformed, write_draws, write_slices):
        write(golden)
    size = sum(path.stat().st_size for path in golden.paths)
    print(f"{len(golden.paths)} files, {size} bytes in {root}")
    stale = sorted(path for path in root.rglob("*") if path.is_file() and path not in golden.paths)
    for path in stale:
        print(f"{path} is no golden file (any more): remove it", file=sys.stderr)
    return 1 if stale else 0


def read_arrays(run: RunMeta) -> dict[str, Ndarray]:
    """The ndarray messages of a run that McBackend parsed, by their paths; one without a dtype is no array."""
    found = {f"coordinates.{item.name}": item.values for item in run.coordinates}
    found |= {f"data.{item.name}": item.value for item in run.data}
    for key, value in run.attributes.items():
        if kind(value) == "ndarray_value":
            found[f"attributes.{key}"] = value.ndarray_value
    return {path: sent for path, sent in found.items() if sent.dtype}


def kind(value: ExtendedValue) -> str:
    """The field of an attribute that is set, or "" when none is."""
    return betterproto.which_one_of(value, "kind")[0]


def _variable(variable: Variable) -> dict[str, object]:
    names = ("name", "dtype", "shape", "dims", "is_deterministic", "undefined_ndim")
    return {name: getattr(variable, name) for name in names}


def rewritten_json(run: RunMeta) -> object:
    """The canonical JSON of what McBackend writes when it has read a run; None where it writes what has no JSON."""
    data = bytes(run)
    oracle.RunMeta.FromString(data)
    try:
        return oracle.canonical_json(data)
    except (SerializeToJsonError, ValueError):
        return None


def report(path: Path) -> dict[str, object]:
    """The contents of a file as McBackend reads them: README.md has the fields."""
    data = path.read_bytes()
    try:
        # betterproto takes bytes that end too early; the official runtime does not.
        canonical = oracle.canonical_json(data)
        run = RunMeta().parse(data)
        arrays = {name: describe(ndarray_to_numpy(sent)) for name, sent in read_arrays(run).items()}
        rewritten = rewritten_json(run)
    except Exception as error:  # the other implementation's bytes may be wrong in any way
        return {"file": path.name, "error": f"{type(error).__name__}: {error}"}
    return {
        "file": path.name,
        "rid": run.rid,
        "variables": [_variable(item) for item in run.variables],
        "sample_stats": [_variable(item) for item in run.sample_stats],
        "coordinates": [item.name for item in run.coordinates],
        "data": [{"name": d.name, "dims": d.dims, "is_observed": d.is_observed} for d in run.data],
        "attributes": {key: kind(value) for key, value in run.attributes.items()},
        "arrays": arrays,
        "canonical": canonical,
        "rewritten": rewritten,
    }


def check(folder: Path) -> int:
    """Prints a line of JSON for each `*.bin` file; the exit status is 1 when one of them cannot be read."""
    paths = sorted(folder.glob("*.bin"))
    if not paths:
        print(f"no *.bin files in {folder}", file=sys.stderr)
        return 1
    reports = [report(path) for path in paths]
    for line in reports:
        print(json.dumps(line, allow_nan=False))
    return 1 if any("error" in line for line in reports) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--out", type=Path, metavar="DIR", help="write the golden files below DIR")
    task.add_argument("--check", type=Path, metavar="DIR", help="read the *.bin RunMeta files in DIR with McBackend")
    options = parser.parse_args()
    if options.check is not None and not options.check.is_dir():
        parser.error(f"{options.check} is no folder")
    return make(options.out) if options.out is not None else check(options.check)


if __name__ == "__main__":
    sys.exit(main())
