"""`data.zarr` in JavaScript: zarrita, on the Node of this checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alike import datasets, same_array
from server import command
from stored import Stored

SCRIPT = Path(__file__).with_name("zarrita.mjs")


def read(url: str) -> dict[str, dict[str, Any]]:
    found = command()
    if found is None:
        pytest.skip("there is no Node: run npm ci in the repository")
    done = subprocess.run([found[0], str(SCRIPT), url], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    arrays = map(json.loads, done.stdout.splitlines())
    return {array["path"].strip("/"): array for array in arrays}


def test_zarrita_reads_every_array(run: Stored) -> None:
    arrays = read(f"{run.url}/data.zarr")
    expected = {
        f"{group}/{name}": variable
        for group, dataset in datasets(run.tree()).items()
        for name, variable in dataset.variables.items()
    }
    assert set(arrays) == set(expected)
    for path, variable in expected.items():
        array = arrays[path]
        assert tuple(array["dims"]) == variable.dims
        assert tuple(array["shape"]) == variable.shape, path
        if variable.dtype.kind == "M":
            continue
        if variable.dtype.kind in "UTO":
            assert array["dtype"] == "string"
            assert array["values"] == variable.values.ravel().tolist()
            continue
        assert array["dtype"] == variable.dtype.name, path
        kind = int if variable.dtype.kind in "iu" else float if variable.dtype.kind == "f" else bool
        values = np.array([kind(value) for value in array["values"]], dtype=variable.dtype)
        same_array(variable.values, values.reshape(variable.shape), path)
