"""Writes a run with the Python package, reads it again, and prints its bytes. Usage: python python_bits.py URL RID."""

from __future__ import annotations

import json
import sys

import numpy as np
from mcbackend_edge import Client, Variable

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
SHAPE = (2, 3)


def values(dtype: str, draws: int, random: np.random.Generator) -> np.ndarray:
    """Random bits, as far as R has room for them; among floats are NaN, infinities and -0."""
    if dtype == "bool":
        return random.integers(0, 2, (draws, *SHAPE)).astype(bool)
    if dtype in ("int64", "uint64"):
        return random.integers(0 if dtype == "uint64" else -(2**53) + 1, 2**53, (draws, *SHAPE)).astype(dtype)
    if dtype.startswith("float"):
        array = random.normal(size=(draws, *SHAPE)).astype(dtype)
        array[0] = [[np.nan, np.inf, -np.inf], [-0.0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max]]
        return array
    limits = np.iinfo(dtype)
    array = random.integers(limits.min, limits.max, (draws, *SHAPE), dtype=dtype, endpoint=True)
    array[0, 0, :2] = limits.min, limits.max
    return array


def little_endian(array: np.ndarray) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def main(url: str, rid: str) -> None:
    random = np.random.default_rng(1)
    client = Client(url)
    variables = [Variable(dtype, dtype, SHAPE) for dtype in DTYPES] + [Variable("words", "str", (2,))]
    with client.create_run(rid, variables=variables) as run:
        for number in (0, 1):
            draws = {dtype: values(dtype, 50, random) for dtype in DTYPES}
            draws["words"] = np.array([[f"{i}", "μ" * i] for i in range(50)])
            run.init_chain(number).extend(draws)
    stored = client.run(rid)
    chains = {
        number: {name: little_endian(stored.chain(number).get_draws(name)).hex() for name in DTYPES}
        for number in (0, 1)
    }
    words = stored.chain(1).get_draws("words").ravel().tolist()
    print(json.dumps({"chains": chains, "words": words}))


main(*sys.argv[1:])
