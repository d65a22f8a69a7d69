"""The runs that every reader opens: each dtype, shape, label and name that a model may bring."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mcbackend_edge import Client, Run, Variable, inference

# Chains of these lengths, of which the first draws are warmup.
UNEQUAL = ((60, 10), (45, 8), (52, 10))
EQUAL = ((50, 10), (50, 10))

CATS = ["Choate", "Deerfield", "Hôtel – 北", ""]
DAYS = np.array(["2026-02-28", "2026-03-01", "1969-12-31"], dtype="datetime64[ns]")
HOURS = np.array(["2026-02-28T12:34:56.789", "2026-03-01T00:00:00"], dtype="datetime64[ns]")

VARIABLES = [
    Variable("mu"),
    Variable("half", "float32", (4,), ("cat",)),
    Variable("flag", "bool"),
    Variable("flags", "bool", (3,), ("day",)),
    Variable("tiny", "int8", (2,), ("hour",)),
    Variable("byte", "uint8"),
    Variable("count", "int64"),
    Variable("vast", "uint64"),
    Variable("word", "str"),
    Variable("words", "str", (2, 2)),
    Variable("matrix", "float64", (4, 3), ("cat", "day")),
    Variable("cube", "float64", (2, 3, 2)),
    Variable("level", "int32", (3,), ("step",)),
    # Names that are no identifiers, of which a DataTree has no place for the second.
    Variable("μ"),
    Variable("a/b", "float64", (2,)),
    Variable("theta[1,2]"),
    Variable("log prior"),
    Variable("tau"),
    Variable("tau_log__"),
    # Its shape differs from draw to draw: no array of all draws has a place for it.
    Variable("path", "float64", (-1,)),
]
STATS = [
    Variable("tune", "bool"),
    Variable("sampler_0__tree_size", "int64"),
    Variable("sampler_0__depth", "int64"),
    Variable("sampler_0__energy"),
    Variable("sampler_0__diverging", "bool"),
    Variable("sampler_0__accept"),
    Variable("sampler_1__accept"),
    Variable("sampler_0__warning", "str"),
    Variable("note", "str"),
]
COORDS: dict[str, Any] = {"cat": CATS, "day": DAYS, "hour": HOURS, "step": [10, 20, 30]}
OBSERVED = {"y": np.arange(6, dtype=np.float64).reshape(2, 3), "seen": np.array([True, False])}
CONSTANT = {
    "x": np.array([0.5, np.nan, -np.inf], dtype=np.float32),
    "scalar": np.array(7, dtype=np.int16),
    "labels": np.array(["a", "ß", ""]),
    "big": np.array([2**63 + 5], dtype=np.uint64),
}
DIMS = {"y": ["hour", "day"], "x": ["day"]}


def words_of(rng: np.random.Generator, *shape: int) -> Any:
    known = np.array(["", "a", "ünï", "北京", 'with, "quotes"', "two\nlines", "x" * 300])
    return known[rng.integers(len(known), size=shape)]


def draws_of(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Values of all variables; those of `path` are in a list."""
    tau = rng.gamma(2.0, size=count)
    half = rng.normal(size=(count, 4)).astype(np.float32)
    half[::7, 0] = np.nan
    matrix = rng.normal(size=(count, 4, 3))
    matrix[::11, 1, 1] = [np.inf]
    matrix[::13, 2, 2] = [-0.0]
    return {
        "mu": rng.normal(size=count),
        "half": half,
        "flag": rng.random(count) < 0.5,
        "flags": rng.random((count, 3)) < 0.5,
        "tiny": rng.integers(-128, 128, size=(count, 2), dtype=np.int8),
        "byte": rng.integers(0, 256, size=count, dtype=np.uint8),
        "count": rng.integers(-(2**63), 2**63 - 1, size=count, dtype=np.int64),
        "vast": rng.integers(0, 2**64 - 1, size=count, dtype=np.uint64),
        "word": words_of(rng, count),
        "words": words_of(rng, count, 2, 2),
        "matrix": matrix,
        "cube": rng.normal(size=(count, 2, 3, 2)),
        "level": rng.integers(0, 9, size=(count, 3), dtype=np.int32),
        "μ": rng.normal(size=count),
        "a/b": rng.normal(size=(count, 2)),
        "theta[1,2]": rng.normal(size=count),
        "log prior": rng.normal(size=count),
        "tau": tau,
        "tau_log__": np.log(tau),
        "path": [rng.normal(size=index % 3) for index in range(count)],
    }


def stats_of(rng: np.random.Generator, count: int, warmup: int) -> dict[str, Any]:
    return {
        "tune": np.arange(count) < warmup,
        "sampler_0__tree_size": rng.integers(1, 1024, size=count),
        "sampler_0__depth": rng.integers(1, 11, size=count),
        "sampler_0__energy": rng.normal(size=count),
        "sampler_0__diverging": rng.random(count) < 0.1,
        "sampler_0__accept": rng.random(count),
        "sampler_1__accept": rng.random(count),
        "sampler_0__warning": np.full(count, "gASV"),
        "note": words_of(rng, count),
    }


@dataclass
class Stored:
    """A run on a server.

    Attributes
    ----------
    url : the run's address, `http://…/v1/runs/{rid}`.
    reader : the run as the project's own package reads it, which is what other readers are compared with.
    """

    url: str
    reader: Run
    _trees: dict[bool, Any] = field(default_factory=dict)

    @property
    def rid(self) -> str:
        return str(self.reader.rid)

    def tree(self, *, equalize: bool = True) -> Any:
        """The result of `to_datatree`, which is asked for once."""
        if equalize not in self._trees:
            self._trees[equalize] = self.read(equalize=equalize)
        return self._trees[equalize]

    def read(self, *, equalize: bool = True) -> Any:
        return self.reader.to_datatree(chains="all", equalize_chain_lengths=equalize, progress=False)


def register(client: Client, rid: str, **options: Any) -> Run:
    return client.create_run(
        rid,
        variables=VARIABLES,
        sample_stats=STATS,
        coords=COORDS,
        dims=DIMS,
        data=CONSTANT,
        observed_data=OBSERVED,
        attributes={"inference_library": "pymc", "study": "readers", "levels": [1, 2]},
        name="A run for every reader",
        **options,
    )


def store(client: Client, rid: str, chains: Sequence[tuple[int, int]]) -> Stored:
    """A run whose chains have these lengths and warmups; in several batches, so that it lies in tail and chunks."""
    run = register(client, rid)
    rng = np.random.default_rng(16)
    for number, (count, warmup) in enumerate(chains):
        draws, stats = draws_of(rng, count), stats_of(rng, count, warmup)
        chain = run.init_chain(number)
        for start in range(0, count, 17):
            rows = slice(start, start + 17)
            chain.extend(
                {name: values[rows] for name, values in draws.items()},
                {name: values[rows] for name, values in stats.items()},
            )
            run.flush(progress=False)
    return Stored(f"{client.url}/v1/runs/{rid}", client.run(rid))


class Growing:
    """A run to which a thread appends: value i of chain c is c * 1000 + i, in all that it has.

    Attributes
    ----------
    url : the run's address.
    """

    chains = 2
    warmup = 5

    def __init__(self, client: Client, rid: str, pause: float = 0.02) -> None:
        self.url, self.rid, self.pause = f"{client.url}/v1/runs/{rid}", rid, pause
        self.run = client.create_run(
            rid,
            variables=[Variable("x"), Variable("k", "int64", (3,), ("which",)), Variable("s", "str")],
            sample_stats=[Variable("tune", "bool"), Variable("lp")],
            coords={"which": ["a", "b", "c"]},
            attributes={"inference_library": "growing"},
        )
        self._writers = [self.run.init_chain(number) for number in range(self.chains)]
        self._lengths = [0] * self.chains
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @staticmethod
    def values(chain: int, start: int, stop: int) -> dict[str, Any]:
        """The draws [start, stop) of a chain."""
        x = chain * 1000.0 + np.arange(start, stop)
        return {"x": x, "k": (x[:, None] * 10 + np.arange(3)).astype(np.int64), "s": [f"{v:.0f}" for v in x]}

    def append(self, *counts: int) -> None:
        """As many draws to each chain, stored when this returns."""
        for chain, count in enumerate(counts):
            if count:
                start = self._lengths[chain]
                draws = self.values(chain, start, start + count)
                stats = {"tune": np.arange(start, start + count) < self.warmup, "lp": -draws["x"]}
                self._writers[chain].extend(draws, stats)
                self._lengths[chain] += count
        self.run.flush(progress=False)

    def start(self) -> None:
        """Goes on in the background, the chains at different paces."""
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._end.wait(self.pause):
            self.append(2, 3)

    def stop(self) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(60)
            self._thread = None

    def wait_for(self, draws: int, seconds: float = 60.0) -> None:
        """Until the shortest chain has so many."""
        until = time.monotonic() + seconds
        while min(self._lengths) < draws:
            assert time.monotonic() < until, f"{self._lengths} after {seconds:.0f} s"
            time.sleep(self.pause)


def names_as_arviz_1_has_them() -> None:
    """The doors name axes as ArviZ 1 does; the package does as the ArviZ beside it, which may be an older one."""
    inference.convert._arviz_release = lambda: 1  # type: ignore[attr-defined]
