"""Stores runs of all kinds, and tells how the Python client reads them: `python datatrees.py URL OUT FILE.nc [REPRO.py ...]`."""

import base64
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import xarray as xr

from mcbackend_edge import Client, DataVariable, Variable
from mcbackend_edge.inference.attributes import for_netcdf

URL, OUT, RESULT, *REPROS = sys.argv[1:]
CLIENT = Client(URL, spool=None)
RNG = np.random.default_rng(16)


def values(dtype, shape):
    """Some draws of a dtype."""
    if dtype == "str":
        words = np.array(["", "a", "Zürich", "🙂 smile", "x" * 300])
        return words[RNG.integers(0, len(words), shape)]
    if dtype == "bool":
        return RNG.random(shape) < 0.5
    if dtype.startswith("float"):
        return RNG.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def write(rid, variables, lengths, stats=(), flags=None, **options):
    """A run of chains of some lengths, by their numbers; `flags` has the stat of warmup, and its length in each chain."""
    columns = [*stats] + ([Variable(flags[0], "bool")] if flags else [])
    run = CLIENT.create_run(rid=rid, variables=variables, sample_stats=columns, **options)
    for number, length in lengths.items():
        draws = {var.name: values(var.dtype, (length, *var.shape)) for var in variables}
        told = {stat.name: values(stat.dtype, (length, *stat.shape)) for stat in stats}
        if flags:
            told[flags[0]] = np.arange(length) < flags[1][number]
        run.init_chain(number).extend(draws, told)
    run.flush()


def of_dtypes():
    dtypes = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "str"]
    shapes = {"s": (), "v": (3,), "m": (2, 3), "t": (2, 1, 2), "none": (0, 2)}
    variables = [Variable(f"{dtype}_{name}", dtype, shape) for dtype in dtypes for name, shape in shapes.items()]
    write("dtypes", variables, {0: 7, 1: 7})
    write("unequal", variables, {0: 40, 2: 33, 7: 51}, flags=("tune", {0: 20, 2: 15, 7: 21}))
    write("all-warmup", variables[:2], {3: 10, 4: 12}, flags=("sampler_0__tune", {3: 10, 4: 12}))
    write("discarded", variables[:2], {0: 10}, flags=("tune", {0: 4}), attributes={"discard_tuned_samples": True})


def of_coords():
    days = pd.date_range("2024-01-30", periods=3)
    coords = {
        "day": days,
        "hour": days.values.astype("M8[h]") + np.arange(3).astype("m8[h]"),
        "nano": days.values.astype("M8[ns]") + np.arange(3).astype("m8[ns]"),
        "milli": np.array(["2024-01-01", "NaT", "1950-05-05T01:02:03.004"], "M8[ms]"),
        "month": np.array(["2024-01", "2024-02", "1969-11"], "M8[M]"),
        "year": np.array(["1970", "1969", "2024"], "M8[Y]"),
        "week": np.array(["2024-01-04", "1969-12-25", "2024-01-11"], "M8[W]"),
        "span": np.array([1, 5, -7], "m8[h]"),
        "fine": np.array([1, 5, -7], "m8[us]"),
        "text": ["a", "Zürich", ""],
        "flag": np.array([True, False, True]),
        "whole": np.array([3, 1, -2], "int16"),
        "number": np.array([0.5, np.nan, -np.inf], "float32"),
        "half": np.array([0.5, -2.25, 6e-8], "float16"),
        "pair": [("a", 1), ("b", 2), ("c", 3)],
        "other_length": [1, 2, 3, 4],
        "unused": ["x"],
    }
    variables = [Variable(f"v_{dim}", "float64", (3,), (dim,)) for dim in [*coords][:-1]]
    data = [
        DataVariable("y", np.arange(3.0), ("day",), True),
        DataVariable("n", np.array(5), (), True),
        DataVariable("words", np.array([["a", "bb"], ["", "ü"]]), (), False),
        DataVariable("when", np.array(["2024-01-01", "2020-02-29"], "M8[s]"), ("when_dim",), False),
        DataVariable("half", np.array([1.5, np.nan], "float16"), (), False),
        DataVariable("mask", np.array([True, False]), (), False),
        DataVariable("day", np.zeros((3, 2)), ("day",), False),
        DataVariable("empty", np.zeros((0, 3)), ("nobody", "day"), False),
    ]
    attributes = {
        "text": "é", "number": 5, "third": 1 / 3, "flag": True, "nothing": None, "list": [1, "a", None, {"b": [True]}],
        "dict": {"a": 1.5, "b": {"c": []}}, "array": np.arange(4, dtype="int16"), "mask": np.array([True, False]),
        "table": np.arange(4.0).reshape(2, 2), "words": np.array(["a", "b"]), "inference_library": "emcee",
        "at": pd.Timestamp("2024-01-30T01:02:03.000450").to_pydatetime(), "took": pd.Timedelta("1500ms").to_pytimedelta(),
    }  # fmt: skip
    facts = {"samplingTime": 12.5, "expected": {"draws": 5, "warmup": 3}, "environment": {"packages": {"emcee": "3.1"}}}
    write("coords", variables, {0: 5}, coords=coords, data=data, attributes=attributes, facts=facts)


def of_stats():
    stats = [
        Variable("sampler_1__tree_size", "float64"), Variable("sampler_0__tree_size", "int16"),
        Variable("sampler_0__model_logp"), Variable("lp"), Variable("sampler_10__accept", "float32", (2,)),
        Variable("sampler_2__accept", "int16", (2,)), Variable("sampler_0__word", "str"), Variable("sampler_1__word", "str"),
        Variable("sampler_0__mixed", "str"), Variable("sampler_1__mixed"), Variable("sampler_0__u", "uint64"),
        Variable("sampler_1__u", "int8"), Variable("sampler_0__b", "bool"), Variable("sampler_1__b", "uint32"),
        Variable("sampler_2__b", "int32"), Variable("sampler_0__tune", "bool"), Variable("random_state", "str"),
        Variable("sampler_0__warning", "str"), Variable("warmup", "bool"), Variable("divergent__", "bool"),
        Variable("sampler_00__lp"), Variable("sampler_0__depth", "int64", (2,), ("day",)),
    ]  # fmt: skip
    write("stats", [Variable("x"), Variable("x_log__"), Variable("x_y__", dims=())], {0: 9, 1: 9}, stats)


def of_names():
    variables = [
        Variable("a/b", "float64", (2,), ("c/d",)), Variable("a_b", "float64", (2,), ("c_d",)), Variable("chain"),
        Variable("draw", "float64", (3,), ("draw",)), Variable("school", "float64", (4,), ("school",)),
        Variable("z", "float64", (4, 4), ("school", "school")), Variable("x", "float64", (2, 5), ("x_dim_0", "")),
        Variable("w", "float64", (3, 5, 3), ("", "named", "")), Variable("x_dim_1"), Variable("u_dim_0"), Variable("u", "float64", (2,)),
        Variable("twice", "float64", (2, 3), ("n", "n")), Variable("other", "float64", (3,), ("n",)), Variable("__proto__", "float64", (1,)),
        Variable("lots", "float64", (2,), ("a", "b", "c")[:1]), Variable("constructor"),
    ]  # fmt: skip
    write("names", variables, {0: 3}, coords={"school": list("ABCD"), "n": [7, 8, 9], "c/d": ["p", "q"], "u_dim_0": [5, 6]})
    write("order", [Variable("tau"), Variable("tau_log__"), Variable("b_"), Variable("b___")], {0: 3})


def of_results():
    CLIENT.store(RESULT, rid="eight-schools")
    chains, draws = 3, 6
    labels = {"chain": [4, 2, 9], "draw": np.arange(10, 22, 2), "k": ["p", "q"], "day": pd.date_range("2024-01-30", periods=2)}
    posterior = xr.Dataset(
        {
            "mu": (("chain", "draw"), RNG.normal(size=(chains, draws))),
            "theta": (("chain", "draw", "k"), RNG.normal(size=(chains, draws, 2))),
            "late": (("chain", "draw", "day"), RNG.integers(0, 9, (chains, draws, 2))),
        },
        labels,
        {"created_at": "2024-05-06T07:08:09", "inference_library": "nutpie", "flag": True, "table": {"a": [1, None]},
         "none": None, "ints": [1, 2], "mixed": [1, "a"], "floats": [1.5, 2], "empty": [], "bools": [True, False], "big": 2**70},
    )  # fmt: skip
    warmup = posterior[["mu", "theta"]].isel(draw=slice(4)).assign_coords(draw=np.arange(4))
    stats = xr.Dataset({"lp": posterior.mu * 2, "tune": posterior.mu > 0, "n_steps": posterior.late.isel(day=0, drop=True)})
    result = {"/": xr.Dataset(attrs={"title": "whole", "steps": 7}), "posterior": posterior, "warmup_posterior": warmup,
              "sample_stats": stats, "unconstrained_posterior": xr.Dataset({"mu_log": posterior.mu}),
              "observed_data": xr.Dataset({"y": ("k", [1, 2])}, {"k": ["p", "q"]}, {"own": 1})}  # fmt: skip
    CLIENT.store(xr.DataTree.from_dict(result), rid="whole")


def of_repros():
    for repro in REPROS:
        # They end with a look at their run as ArviZ 0.x has it, which may fail here. The runs are counted.
        env = {**os.environ, "MCB_URL": URL}
        subprocess.run([sys.executable, repro], env=env, check=False, capture_output=True)


def told(value):
    """An attribute, which may be text of JSON."""
    value = for_netcdf(value)
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "values": value.tolist()}
    if isinstance(value, list):
        array = np.asarray(value)
        return value if array.dtype.kind == "U" else {"dtype": array.dtype.name, "values": value}
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value


def described(name, array):
    values = np.asarray(array.values)
    if values.dtype.kind in "Mm":
        content = {"times": [str(int(time)) for time in values.astype(f"{values.dtype.kind}8[ns]").view("i8").ravel()]}
    elif values.dtype.kind in "OUT":
        content = {"texts": values.astype(str).ravel().tolist()}
    else:
        values = values.astype("float32") if values.dtype == "float16" else values
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        content = {"dtype": values.dtype.name, "bytes": base64.b64encode(little.tobytes()).decode()}
    return {"name": str(name), "dims": list(map(str, array.dims)), "shape": list(array.shape), **content}


def tree_of(run):
    lengths = run.lengths()
    tree = run.to_datatree(chains=[number for number in lengths if lengths[number]])
    groups = [
        {
            "name": name,
            "attributes": {key: told(value) for key, value in node.attrs.items()},
            "coords": [described(key, array) for key, array in sorted(node.coords.items())],
            "variables": [described(key, array) for key, array in node.data_vars.items()],
        }
        for name, node in tree.children.items()
    ]
    return {"rid": run.rid, "attributes": {key: told(value) for key, value in tree.attrs.items()}, "groups": groups}


for part in (of_dtypes, of_coords, of_stats, of_names, of_results, of_repros):
    part()
with open(OUT, "w") as file:
    json.dump([tree_of(CLIENT.run(line.rid)) for line in CLIENT.runs(archived="any")], file)
CLIENT.close()
