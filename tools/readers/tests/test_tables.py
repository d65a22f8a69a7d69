"""`draws.csv` and `draws.arrows`: pandas, polars, pyarrow, DuckDB and R open them by their address alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import requests
from alike import same_array
from rscript import r
from stored import CATS, UNEQUAL, VARIABLES, Growing, Stored, draws_of, stats_of

pandas = pytest.importorskip("pandas", reason="this environment has no pandas")

# Arrow's dtypes are the stored ones; text has no room for them, and each reader guesses its own.
EXACT_IN_TEXT = ("float64", "int64", "bool", "str")


def scalars(names: str = "index") -> dict[str, tuple[str, Any]]:
    """By column, its dtype and its values behind warmup, of all chains one after the other, as they were stored."""
    rng = np.random.default_rng(16)
    drawn: list[dict[str, Any]] = []
    for count, warmup in UNEQUAL:
        draws = draws_of(rng, count)
        stats_of(rng, count, warmup)
        drawn.append({name: values[warmup:] for name, values in draws.items()})
    columns: dict[str, tuple[str, Any]] = {}
    for var in VARIABLES:
        if not var.is_rigid:
            continue
        values = np.concatenate([np.asarray(chain[var.name]) for chain in drawn])
        for index in np.ndindex(*var.shape):
            column = values[(slice(None), *index)]
            columns[labelled(var.name, var.dims, index) if names == "label" else indexed(var.name, index)] = (
                var.dtype,
                column,
            )
    return columns


def indexed(name: str, index: Sequence[int]) -> str:
    return f"{name}[{','.join(str(i + 1) for i in index)}]" if index else name


def labelled(name: str, dims: Sequence[str], index: Sequence[int]) -> str:
    labels = {"cat": CATS, "step": [10, 20, 30]}
    if not index:
        return name
    axes = [labels.get(dim) for dim in dims] or [None] * len(index)
    return f"{name}[{','.join(str(i if axis is None else axis[i]) for axis, i in zip(axes, index))}]"


def ids() -> dict[str, Any]:
    lengths = [count - warmup for count, warmup in UNEQUAL]
    return {
        ".chain": np.repeat(np.arange(len(lengths)) + 1, lengths),
        ".iteration": np.concatenate([np.arange(length) + 1 for length in lengths]),
        ".draw": np.arange(sum(lengths)) + 1,
    }


def check(names: Iterable[str], column: Mapping[str, Any], dtypes: Iterable[str] | None = None) -> None:
    """
    Parameters
    ----------
    dtypes : those that this reader gets right; all if not given.
    """
    expected = scalars()
    assert list(names) == [*ids(), *expected]
    for name, values in ids().items():
        same_array(values, np.asarray(column[name]), name)
    for name, (dtype, values) in expected.items():
        got = np.asarray(column[name])
        if dtypes is not None and dtype not in dtypes:
            got = got.astype(values.dtype)
        same_array(values, got, name)


class Columns:
    """Columns of a table by name, where a library has another way to them."""

    def __init__(self, read: Any) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Any:
        return self._read(name)


def test_pandas_reads_csv(run: Stored) -> None:
    table = pandas.read_csv(f"{run.url}/draws.csv", keep_default_na=False, na_values=["NaN"])
    check(table.columns, table, EXACT_IN_TEXT)


def test_pandas_reads_arrow(run: Stored) -> None:
    """As a stream of Arrow, which pandas makes of no address itself."""
    ipc = pytest.importorskip("pyarrow.ipc", reason="this environment has no pyarrow")
    body = requests.get(f"{run.url}/draws.arrows", timeout=60).content
    table = ipc.open_stream(body).read_all()
    check(table.column_names, Columns(lambda name: table[name].to_numpy(zero_copy_only=False)))
    frame = table.to_pandas()
    assert list(frame.columns) == table.column_names


def test_polars_reads_arrow(run: Stored) -> None:
    polars = pytest.importorskip("polars", reason="this environment has no polars")
    table = polars.read_ipc_stream(f"{run.url}/draws.arrows")
    check(table.columns, Columns(lambda name: table[name].to_numpy()))


def test_polars_reads_csv(run: Stored) -> None:
    polars = pytest.importorskip("polars", reason="this environment has no polars")
    # By the address alone it wants a length, which a table of text has only at its end.
    body = requests.get(f"{run.url}/draws.csv", timeout=60).content
    # Integers beyond 64 bits with a sign are floats to it, unless it is told.
    table = polars.read_csv(body, schema_overrides={"vast": polars.UInt64}, infer_schema_length=None)
    check(table.columns, Columns(lambda name: table[name].to_numpy()), EXACT_IN_TEXT)


def test_pyarrow_reads_csv(run: Stored) -> None:
    csv = pytest.importorskip("pyarrow.csv", reason="this environment has no pyarrow")
    import pyarrow

    body = requests.get(f"{run.url}/draws.csv", timeout=60).content
    options = csv.ConvertOptions(column_types={"vast": pyarrow.uint64()})
    # Without this a line in a text is the end of a row.
    table = csv.read_csv(
        io.BytesIO(body), convert_options=options, parse_options=csv.ParseOptions(newlines_in_values=True)
    )
    check(table.column_names, Columns(lambda name: table[name].to_numpy(zero_copy_only=False)), EXACT_IN_TEXT)


def test_duckdb_reads_csv(run: Stored, duck: Any) -> None:
    csv = (
        f"read_csv('{run.url}/draws.csv', sample_size = -1, allow_quoted_nulls = false, types = {{'vast': 'UBIGINT'}})"
    )
    table = duck.sql(f"SELECT * FROM {csv}")
    check(table.columns, table.fetchnumpy(), EXACT_IN_TEXT)
    means = duck.sql(f'SELECT ".chain", avg(mu) FROM {csv} GROUP BY 1 ORDER BY 1').fetchall()
    assert [chain for chain, _ in means] == [1, 2, 3]


def test_names_by_label(run: Stored) -> None:
    table = pandas.read_csv(f"{run.url}/draws.csv?var=half&var=matrix&var=level&names=label")
    expected = scalars("label")
    wanted = [name for name in expected if name.startswith(("half[", "level["))]
    got = list(table.columns)
    assert set(wanted) <= set(got)
    assert "half[Choate]" in got
    assert sum(name.startswith("matrix[Choate,") for name in got) == 3


def test_slices_chains_and_warmup(run: Stored) -> None:
    url = f"{run.url}/draws.csv?var=mu&stat=sampler_0__energy"
    everything = pandas.read_csv(f"{url}&warmup=include")
    assert list(everything.columns) == [".chain", ".iteration", ".draw", "mu", "sampler_0__energy"]
    assert len(everything) == sum(count for count, _ in UNEQUAL)
    kept = pandas.read_csv(url)
    assert len(kept) == sum(count - warmup for count, warmup in UNEQUAL)
    one = pandas.read_csv(f"{url}&chain=1&start=-10&step=3")
    mu = kept[kept[".chain"] == 2]["mu"].to_numpy()
    assert one["mu"].tolist() == mu[-10::3].tolist()
    assert set(one[".chain"]) == {2}


def test_the_header_names_what_is_left_out(run: Stored) -> None:
    assert requests.get(f"{run.url}/draws.csv?stop=1", timeout=60).headers["Mcb-Left-Out"] == "path"


def test_summary_is_a_table(run: Stored) -> None:
    """The same numbers as JSON, CSV and Arrow."""
    ipc = pytest.importorskip("pyarrow.ipc", reason="this environment has no pyarrow")
    text = requests.get(f"{run.url}/summary", headers={"Accept": "text/csv"}, timeout=60)
    assert text.headers["Content-Type"].startswith("text/csv")
    stream = requests.get(f"{run.url}/summary", headers={"Accept": "application/vnd.apache.arrow.stream"}, timeout=60)
    frame = pandas.read_csv(io.BytesIO(text.content), keep_default_na=False, na_values=["NaN", ""])
    table = ipc.open_stream(stream.content).read_all()
    assert list(frame.columns) == table.column_names
    assert len(frame) == table.num_rows > 20


def test_npy(run: Stored) -> None:
    rng = np.random.default_rng(16)
    draws = draws_of(rng, UNEQUAL[0][0])
    for var in VARIABLES:
        if var.is_rigid:
            answer = requests.get(f"{run.url}/chains/0/draws.npy", params={"var": var.name}, timeout=60)
            same_array(draws[var.name], np.load(io.BytesIO(answer.content), allow_pickle=False), var.name)


def test_a_table_while_it_grows(growing: Growing) -> None:
    growing.pause = 0.002
    growing.start()
    lengths = []
    for _ in range(10):
        table = pandas.read_csv(f"{growing.url}/draws.csv?stat=lp&var=x&var=k&var=s&warmup=include")
        chain, iteration = table[".chain"].to_numpy() - 1, table[".iteration"].to_numpy() - 1
        x = chain * 1000.0 + iteration
        same_array(x, table["x"].to_numpy(), "x")
        same_array(-x, table["lp"].to_numpy(), "lp")
        assert table["k[3]"].tolist() == (10 * x + 2).astype(int).tolist()
        assert table["s"].tolist() == x.astype(int).tolist()
        lengths.append(len(table))
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]


def test_posterior_takes_the_table(run: Stored) -> None:
    script = f"""
    suppressPackageStartupMessages(library(posterior))
    d <- as_draws_df(read.csv("{run.url}/draws.csv", check.names = FALSE))
    cat(nchains(d), niterations(d), ndraws(d), "\\n")
    cat(format(mean(d[["mu"]]), digits = 15), "\\n")
    cat(format(d[["matrix[2,3]"]][5], digits = 17), "\\n")
    s <- summarise_draws(subset_draws(d, variable = c("mu", "tau"), iteration = 1:37), "rhat")
    cat(format(as.numeric(s$rhat), digits = 15), "\\n")
    """
    said = r(script, "posterior").split("\n")
    expected = scalars()
    assert said[0].split()[2] == str(sum(count - warmup for count, warmup in UNEQUAL))
    assert float(said[1]) == pytest.approx(expected["mu"][1].mean(), rel=1e-13)
    assert float(said[2]) == expected["matrix[2,3]"][1][4]
    # The server's own diagnostics are posterior's, of the same draws.
    asked = {"var": ["mu", "tau"], "stop": 37}
    summary = requests.get(f"{run.url}/summary", params=asked, timeout=60).json()
    assert [float(text) for text in said[3].split()] == pytest.approx(
        [row["rhat"] for row in summary["rows"]], rel=1e-10
    )
