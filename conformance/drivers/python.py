"""The driver of the Python client, for the conformance kit: a JSON command a line in, an answer a line out.

npm run conform -- --driver 'clients/python/.venv/bin/python conformance/drivers/python.py'

README.md beside it has the commands. Python's handles write a chain at one place, or read it: `ChainHandle` does what a
program does that needs both.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

if "--help" in sys.argv[1:]:
    print(__doc__)
    sys.exit()

from mcbackend_edge import Client, __version__, errors
from mcbackend_edge.run import Chain, Run
from mcbackend_edge.schema import RunMeta, Variable

Command = Mapping[str, Any]

LACKS = {
    "isNew": "Client.register gives a run, new or not",
    "cursor": "Client.runs is one iterator over all pages, which it asks for itself",
    "dtypes": "a value of another dtype is cast where nothing of it is lost",
    "count": "Chain.extend goes by the lengths of its arrays",
    "empty-batch": "Chain.extend with a block of no draws does nothing",
    "gives-up": "a refused key and a failing server may be mended: draws are kept, and sent again",
    "huge-dims": "NumPy has no array of dimensions whose product is beyond 2^63, also if another one is 0",
    "million-draws": "strings are encoded draw by draw: a block of a million takes a minute",
}

# Codes of what the client refuses itself, and of failures that have none on the wire.
CODES: tuple[tuple[type[BaseException], str], ...] = (
    (errors.MissingVariableError, "missing_variable"),
    (errors.UnknownVariableError, "unknown_variable"),
    (errors.DtypeMismatchError, "dtype_mismatch"),
    (errors.ShapeMismatchError, "shape_mismatch"),
    (errors.ServerUnreachableError, "transport"),
    (errors.UploadPendingError, "transport"),
    (errors.ProtocolError, "invalid_answer"),
    (IndexError, "invalid_slice"),
)
# The same of Python's own exceptions, by command.
CODES_OF: Mapping[str, tuple[tuple[type[BaseException], str], ...]] = {
    "initRun": ((TypeError, "unsupported_dtype"), (ValueError, "invalid_run_meta")),
    "initChain": ((ValueError, "invalid_parameter"),),
    "getDraws": ((ValueError, "invalid_slice"),),
    "getStats": ((ValueError, "invalid_slice"),),
}


class NotImplementedByClientError(Exception):
    """A command, or a part of one, for which the client has no function."""


# -- arrays ------------------------------------------------------------------------------------------------------------


def array_of(given: Command) -> np.ndarray:
    """An array of the kit. Strings are Python objects, since NumPy's own lose NULs at their ends."""
    shape = tuple(given["shape"])
    if given["dtype"] == "str":
        texts = np.empty(len(given["strings"]), dtype=object)
        texts[:] = given["strings"]
        return texts.reshape(shape)
    return np.frombuffer(base64.b64decode(given.get("data", "")), np.dtype(given["dtype"]).newbyteorder("<")).reshape(
        shape
    )


def block_of(given: Command) -> Any:
    """Draws of the kit: an array, or one for each draw."""
    return [array_of(draw) for draw in given["list"]] if "list" in given else array_of(given)


def arrays_of(given: Mapping[str, Command] | None, convert: Callable[[Command], Any]) -> dict[str, Any]:
    return {name: convert(value) for name, value in (given or {}).items()}


def shown(values: np.ndarray, dtype: str | None = None) -> dict[str, Any]:
    """An array for the kit.

    Parameters
    ----------
    dtype : that of the variable; the array's own if not given. Times are then int64, with the unit beside.
    """
    array = np.asarray(values)
    shape = list(array.shape)
    if dtype == "str" or (dtype is None and array.dtype.kind in "UO"):
        return {"dtype": "str", "shape": shape, "strings": [str(text) for text in array.ravel().tolist()]}
    more = {}
    if dtype is None and array.dtype.kind == "M":
        more = {"unit": np.datetime_data(array.dtype)[0]}
        array = array.view("int64")
    name = dtype or array.dtype.name
    data = np.ascontiguousarray(array, np.dtype(name).newbyteorder("<")).tobytes()
    return {"dtype": name, "shape": shape, "data": base64.b64encode(data).decode(), **more}


def shown_draws(values: np.ndarray, variable: Variable) -> dict[str, Any]:
    if variable.is_rigid:
        return shown(values, variable.dtype)
    return {"list": [shown(draw, variable.dtype) for draw in values]}


def slice_of(command: Command) -> slice:
    return slice(*(None if command.get(name) is None else int(command[name]) for name in ("start", "stop", "step")))


# -- handles -----------------------------------------------------------------------------------------------------------


class ChainHandle:
    """A chain as the kit's tests use one: read and written by one handle, and at any place.

    `append` goes through a writer that is kept open. So do batches, through another one, as long as each begins where
    the one before has ended, on the same handle; else a writer is opened that begins where the batch does.
    """

    def __init__(self, run: Run, number: int, clients: Clients, writer: Chain | None = None) -> None:
        self.run, self.number, self.clients = run, number, clients
        self.reader = run.chain(number)
        self.writer = writer
        self.batch_writer: Chain | None = None
        # Index behind the last iteration that batches of this handle have written; None before the first.
        self.end: int | None = None

    def open_writer(self, client: Client, start: int | None) -> Chain:
        """The chain, open for writing from `start` on; at its end if that is None."""
        run = client.open_run(self.run.meta, self.run.registration)
        return run.init_chain(self.number, resume=True) if start is None else run.init_chain(self.number, start=start)

    def writer_of_batch(self, start: int | None) -> Chain:
        """A writer for a batch at `start`, or behind what this handle has written, or else at the chain's end."""
        at = self.end if start is None else start
        if self.clients.batching is not self:
            if self.clients.batching is not None:
                self.clients.batching.close_batch_writer()
            self.clients.batching = self
        if self.batch_writer is None or len(self.batch_writer) != at:
            self.close_batch_writer()
            self.batch_writer = self.open_writer(self.clients.batches, at)
        return self.batch_writer

    def close_batch_writer(self) -> None:
        """Lets the writer of batches go, and what it has not sent."""
        if self.batch_writer is not None:
            self.batch_writer.run.give_up()
            self.batch_writer = None

    def append(self, draw: Mapping[str, Any], stats: Mapping[str, Any]) -> None:
        if self.writer is None:
            self.writer = self.open_writer(self.clients.writing, self.end)
        self.writer.append(draw, stats)

    def append_batch(self, start: int | None, count: int, draws: Mapping[str, Any], stats: Mapping[str, Any]) -> int:
        self.flush()
        if self.writer is not None:
            self.end, self.writer = len(self.writer), None
        chain = self.writer_of_batch(start)
        try:
            if draws or stats:
                chain.extend(draws, stats)
            else:
                # A block without a column does not tell its length.
                for _ in range(count):
                    chain.append({})
            chain.run.flush(self.clients.patience)
        except Exception:
            self.close_batch_writer()
            raise
        self.end = max(self.end or 0, len(chain))
        return self.length()

    def flush(self) -> None:
        if self.writer is not None:
            self.writer.run.flush(self.clients.patience)

    def length(self) -> int:
        self.flush()
        return self.run.lengths()[self.number]

    def to_json(self, handle: int) -> dict[str, Any]:
        return {"chain": handle, "number": self.number}


class Clients:
    """Two clients: `writing` spools what is appended, as it does unless told otherwise; a batch is waited for."""

    def __init__(self) -> None:
        limit = os.environ.get("MCB_RETRY_LIMIT_MS")
        self.patience = 60.0 if limit is None else float(limit) / 1000
        options: dict[str, Any] = {} if limit is None else {"patience": self.patience}
        self.writing = Client(os.environ["MCB_URL"], os.environ.get("MCB_TOKEN"), interval=0.05, **options)
        self.batches = Client(os.environ["MCB_URL"], os.environ.get("MCB_TOKEN"), spool=None, interval=0.02, **options)
        # The handle that has a writer of batches open.
        self.batching: ChainHandle | None = None

    def close(self) -> None:
        for client in (self.writing, self.batches):
            client.close(5.0)


class Driver:
    """Answers commands; `runs` and `chains` are the handles that it has given, by number."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.client = clients.writing
        self.runs: list[Run] = []
        self.chains: list[ChainHandle] = []

    def answer(self, command: Command) -> Any:
        do = {
            "hello": self.hello,
            "initRun": self.init_run,
            "getRun": self.get_run,
            "listRuns": self.list_runs,
            "deleteRun": self.delete_run,
            "describe": self.describe,
            "initChain": self.init_chain,
            "getChain": self.get_chain,
            "getChains": self.get_chains,
            "append": self.append,
            "appendBatch": self.append_batch,
            "flush": lambda command: self.chain(command).flush(),
            "length": lambda command: self.chain(command).length(),
            "getDraws": self.get_draws,
            "getStats": self.get_stats,
            "getDrawsAt": self.get_draws_at,
            "getStatsAt": self.get_stats_at,
        }.get(command["op"])
        if do is None:
            raise NotImplementedByClientError(f"there is no {command['op']}")
        return do(command)

    def hello(self, command: Command) -> Any:
        return {
            "protocol": 1,
            "client": "mcbackend_edge",
            "version": __version__,
            "language": f"Python {sys.version.split()[0]}",
            "lacks": LACKS,
        }

    # -- runs ----------------------------------------------------------------------------------------------------------

    def keep_run(self, run: Run) -> Any:
        self.runs.append(run)
        meta = base64.b64encode(run.meta.raw).decode()
        return {"run": len(self.runs) - 1, "meta": meta, "registration": run.registration}

    def init_run(self, command: Command) -> Any:
        return self.keep_run(self.client.register(RunMeta(base64.b64decode(command["meta"])), offline=False))

    def get_run(self, command: Command) -> Any:
        try:
            return self.keep_run(self.client.run(command["rid"]))
        except errors.NotFoundError:
            return None

    def list_runs(self, command: Command) -> Any:
        conditions = {name: command[name] for name in ("limit", "q", "tag") if command.get(name) is not None}
        if command.get("cursor") is not None:
            raise NotImplementedByClientError("Client.runs takes no cursor")
        return {"runs": [summary(line) for line in self.client.runs(**conditions)], "nextCursor": None}

    def delete_run(self, command: Command) -> Any:
        try:
            self.client.delete_run(command["rid"])
        except errors.NotFoundError:
            return False
        return True

    def describe(self, command: Command) -> Any:
        run = self.runs[command["run"]]
        arrays = {"coords": run.coords, "constantData": run.constant_data, "observedData": run.observed_data}
        told = {part: {name: shown(values) for name, values in named.items()} for part, named in arrays.items()}
        return {**told, "dims": run.dims}

    # -- chains --------------------------------------------------------------------------------------------------------

    def chain(self, command: Command) -> ChainHandle:
        return self.chains[command["chain"]]

    def keep_chain(self, chain: ChainHandle) -> Any:
        self.chains.append(chain)
        return chain.to_json(len(self.chains) - 1)

    def init_chain(self, command: Command) -> Any:
        run, number = self.runs[command["run"]], command["number"]
        written = self.client.open_run(run.meta, run.registration)
        try:
            writer = written.init_chain(number)
        except errors.ChainExistsError:
            if command.get("exclusive"):
                raise
            writer = None
        return self.keep_chain(ChainHandle(run, number, self.clients, writer))

    def get_chain(self, command: Command) -> Any:
        run, number = self.runs[command["run"]], command["number"]
        return self.keep_chain(ChainHandle(run, number, self.clients)) if number in run.lengths() else None

    def get_chains(self, command: Command) -> Any:
        run = self.runs[command["run"]]
        return [self.keep_chain(ChainHandle(run, chain.number, self.clients)) for chain in run.get_chains()]

    def append(self, command: Command) -> Any:
        draw, stats = arrays_of(command["draws"], array_of), arrays_of(command.get("stats"), array_of)
        self.chain(command).append(draw, stats)

    def append_batch(self, command: Command) -> Any:
        draws, stats = arrays_of(command["draws"], block_of), arrays_of(command.get("stats"), block_of)
        return self.chain(command).append_batch(command.get("start"), command["count"], draws, stats)

    # -- reading -------------------------------------------------------------------------------------------------------

    def read_chain(self, command: Command) -> Chain:
        chain = self.chain(command)
        chain.flush()
        return chain.reader

    def get_draws(self, command: Command) -> Any:
        chain, name = self.read_chain(command), command["name"]
        return shown_draws(chain.get_draws(name, slice_of(command)), chain.run.variables[name])

    def get_stats(self, command: Command) -> Any:
        chain, name = self.read_chain(command), command["name"]
        return shown_draws(chain.get_stats(name, slice_of(command)), chain.run.sample_stats[name])

    def get_draws_at(self, command: Command) -> Any:
        chain = self.read_chain(command)
        variables = chain.run.variables
        names = chosen(command.get("names"), variables)
        found = chain.get_draws_at(int(command["index"]), names)
        return {name: shown(value, variables[name].dtype) for name, value in found.items()}

    def get_stats_at(self, command: Command) -> Any:
        chain = self.read_chain(command)
        stats = chain.run.sample_stats
        names = chosen(command.get("names"), stats)
        found = chain.get_stats_at(int(command["index"]), names)
        return {name: shown(value, stats[name].dtype) for name, value in found.items()}


def chosen(names: list[str] | None, known: Iterable[str]) -> list[str]:
    return list(known) if names is None else names


def summary(line: Any) -> dict[str, Any]:
    return {
        "rid": line.rid,
        "createdAt": time_of(line.created_at),
        "updatedAt": time_of(line.updated_at),
        "variables": line.variables,
        "sampleStats": line.sample_stats,
        "chains": line.chains,
        "draws": line.draws,
    }


def time_of(time: dt.datetime) -> str:
    return time.astimezone(dt.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def problem(command: Command, error: Exception) -> dict[str, Any]:
    """The error for the kit: the code of the API, or that of the table for what has none."""
    if isinstance(error, errors.UploadPendingError) and error.reason is not None:
        error = error.reason
    code = getattr(error, "code", "") or ""
    if isinstance(error, errors.ApiError) and not code:
        code = "transport" if error.is_temporary else "invalid_answer"
    if isinstance(error, NotImplementedByClientError):
        code = "not_implemented"
    table = (*CODES, *CODES_OF.get(command.get("op", ""), ()))
    code = code or next((code for kind, code in table if isinstance(error, kind)), "driver")
    told: dict[str, Any] = {"code": code, "detail": f"{type(error).__name__}: {error}"}
    if isinstance(error, errors.LengthConflictError):
        told["length"] = error.length
    return told


def main() -> None:
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="mcb-conform-") as spool:
        os.environ.setdefault("MCB_SPOOL_DIR", spool)
        clients = Clients()
        driver = Driver(clients)
        for line in sys.stdin:
            command = json.loads(line)
            try:
                answer = {"ok": driver.answer(command)}
            except Exception as error:
                answer = {"error": problem(command, error)}
            print(json.dumps({"id": command["id"], **answer}), flush=True)
        clients.close()


if __name__ == "__main__":
    main()
