"""Servers that are broken or mean: each of their answers is an `McbError`, in little memory and in little time."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType

import pytest

from mcbackend_edge._generated import draws_pb2, meta_pb2
from mcbackend_edge._generated.npproto import ndarray_pb2
from mcbackend_edge.wire import varint

Respond = Callable[[str], Iterable[bytes]]
MIB = 1 << 20


class RawServer:
    """Answers each request with the bytes that `respond` gives for its path, for as long as the client reads them."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> RawServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = connection.recv(65536)
                    if not data:
                        return
                    head += data
                for piece in self._respond(head.split(b" ")[1].decode()):
                    connection.sendall(piece)
            except OSError:
                pass


def answer(body: bytes, *headers: str, status: str = "200 OK", length: object = None) -> list[bytes]:
    fields = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    if not any(header.startswith("Mcb-Registration") for header in headers):
        fields.append("Mcb-Registration: one")
    return ["\r\n".join([*fields, "Connection: close", "", ""]).encode(), body]


def json_answer(content: object, *headers: str, status: str = "200 OK") -> list[bytes]:
    return answer(json.dumps(content).encode(), "Content-Type: application/json", *headers, status=status)


def chunked(pieces: Iterable[bytes], *headers: str) -> Iterator[bytes]:
    yield "\r\n".join(
        ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Mcb-Registration: one", *headers, "", ""]
    ).encode()
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


def zeros() -> Iterator[bytes]:
    return itertools.repeat(bytes(MIB))


def bomb(size: int) -> bytes:
    """So many zeros, compressed, in members of 64 MiB."""
    return gzip.compress(bytes(64 * MIB)) * (size // (64 * MIB))


def run_meta(change: Callable[[meta_pb2.RunMeta], object] | None = None) -> bytes:
    message = meta_pb2.RunMeta(rid="r")
    message.variables.add(name="x", dtype="float64")
    message.variables.add(name="s", dtype="str")
    message.variables.add(name="empty", dtype="str", shape=[0])
    message.variables.add(name="none", dtype="float64", shape=[0])
    message.variables.add(name="path", dtype="float64", shape=[-1])
    message.variables.add(name="texts", dtype="str", shape=[-1])
    if change is not None:
        change(message)
    return message.SerializeToString()


def nested(depth: int) -> bytes:
    """The metadata of a run with an attribute that nests so deeply."""
    value = b"\x08\x00"
    for _ in range(depth):
        inner = b"\x0a" + varint(len(value)) + value
        value = b"\x32" + varint(len(inner)) + inner
    entry = b"\x0a\x01a\x12" + varint(len(value)) + value
    return run_meta() + b"\x2a" + varint(len(entry)) + entry


def batch(count: int, *columns: draws_pb2.Column, start: int = 0) -> list[bytes]:
    return answer(draws_pb2.DrawBatch(start=start, count=count, draws=columns).SerializeToString())


def column(name: str, dtype: str, data: bytes = b"", **fields: object) -> draws_pb2.Column:
    return draws_pb2.Column(name=name, dtype=dtype, data=data, **fields)  # type: ignore[arg-type]


def about(name: str, **changes: object) -> dict[str, object]:
    row = {"rid": name, "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
    return {**row, "variables": 1, "sampleStats": 0, "chains": 1, "draws": 1, **changes}


def pages(cursor: Callable[[int], object], rows: int = 1) -> Respond:
    calls = itertools.count()

    def respond(path: str) -> Iterable[bytes]:
        page = next(calls)
        return json_answer({"runs": [about(f"r{page}.{i}") for i in range(rows)], "nextCursor": cursor(page)})

    return respond


def drip(head: bytes) -> Iterator[bytes]:
    import time

    yield head
    while True:
        time.sleep(0.02)
        yield b"x"


def stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    yield from pieces


LONG = {"chain": 0, "length": 2**62}
TOO_LARGE = json_answer({"code": "payload_too_large", "limit": 1}, status="413 No")
DEEP = b"[" * 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\nMcb-Registration: one\r\n"
TRAILERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
CHAIN_EVENTS = (
    b"".join(b'data: {"chain":%d,"length":1}\n\n' % chain for chain in range(begin, begin + 10_000))
    for begin in itertools.count(0, 10_000)
)


# Actions of the client, and the answer that each gets.
HOSTILE: dict[str, tuple[str, Respond]] = {
    # Lengths.
    **{
        f"{action} announces {length}": (action, lambda _, length=length: answer(b"{", length=length))
        for action in ("run", "runs", "lengths", "len", "x", "path", "create", "delete")
        for length in ("1000000000000000", "9" * 5000, "-5", "0x10", "10, 10")
    },
    "an announced length that does not come": ("x", lambda _: answer(b"\x10\x05", length=1_000_000_000)),
    **{f"endless {action}": (action, lambda _: chunked(zeros())) for action in ("run", "runs", "lengths", "x", "path")},
    "endless draws where one was asked for": ("at", lambda _: chunked(zeros())),
    "an answer that is too large for ever": ("x", lambda path: TOO_LARGE if "draws" in path else json_answer(LONG)),
    "an endless problem": ("run", lambda _: itertools.chain([b"HTTP/1.1 404 No\r\n\r\n"], zeros())),
    # Compression.
    **{
        f"a bomb for {action}": (action, lambda _: answer(BOMB, "Content-Encoding: gzip"))
        for action in ("run", "runs", "lengths", "x", "path")
    },
    "a bomb as a problem": ("run", lambda _: answer(BOMB, "Content-Encoding: gzip", status="500 No")),
    "a corrupt gzip": ("runs", lambda _: answer(b"\x1f\x8b" + bytes(50), "Content-Encoding: gzip")),
    "a cut gzip": ("runs", lambda _: answer(gzip.compress(b'{"runs":[]}' * 9)[:-9], "Content-Encoding: gzip")),
    "gzip in gzip": ("runs", lambda _: answer(gzip.compress(b"{}"), "Content-Encoding: gzip, gzip")),
    "br": ("runs", lambda _: answer(b"{}", "Content-Encoding: br")),
    # Heads.
    "endless headers": ("runs", lambda _: itertools.chain([HEAD], (b"X-%d: a\r\n" % i for i in itertools.count()))),
    "an endless header": ("runs", lambda _: itertools.chain([HEAD, b"X: "], itertools.repeat(b"a" * 65536))),
    "endless 100 Continue": ("runs", lambda _: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "an endless size of a chunk": (
        "runs",
        lambda _: itertools.chain([HEAD, b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"0" * 65536)),
    ),
    "a negative size of a chunk": ("runs", lambda _: [HEAD, b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n"]),
    "endless trailers": ("runs", lambda _: itertools.chain([TRAILERS], itertools.repeat(b"X: a\r\n" * 1000))),
    "not HTTP": ("runs", lambda _: [b"SSH-2.0-nonsense\x1b[31m\r\n"]),
    "status 999": ("runs", lambda _: answer(b"{}", status="999 \x1b[31mred")),
    "no registration": ("run", lambda _: answer(run_meta(), "Mcb-Registration: ")),
    "drops": ("runs", lambda _: drip(HEAD + b"Content-Length: 100000\r\n\r\n")),
    "drops in a head": ("runs", lambda _: drip(HEAD + b"X: ")),
    "drops as events": (
        "runs",
        lambda _: drip(HEAD + b"Content-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n"),
    ),
    # JSON.
    **{f"deep JSON for {action}": (action, lambda _: answer(DEEP)) for action in ("runs", "lengths", "len", "init")},
    "deep JSON as a problem": ("run", lambda _: answer(DEEP[:100_000], status="404 No")),
    "no JSON as a problem": ("run", lambda _: answer(b"<html>", status="404 No")),
    "a problem of odd types": ("run", lambda _: json_answer({"code": [1], "detail": {"a": 1}}, status="409 No")),
    "a gap without a length": ("run", lambda _: json_answer({"code": "draw_gap", "length": "x"}, status="409 No")),
    **{
        f"a list of runs: {str(content)[:40]}": ("runs", lambda _, content=content: json_answer(content))
        for content in (
            [],
            None,
            7,
            {},
            {"runs": None},
            {"runs": {}},
            {"runs": [7]},
            {"runs": [{}]},
            {"runs": [about("../../x")]},
            {"runs": [about("..")]},
            {"runs": [about("a" * 129)]},
            {"runs": [about("a+b")]},
            {"runs": [about("r", createdAt=5)]},
            {"runs": [about("r", createdAt="x" * 100)]},
            {"runs": [about("r", draws=-1)]},
            {"runs": [about("r", draws=None)]},
            {"runs": [about("r")] * 1001},
            {"runs": [about("r")], "nextCursor": {"a": 1}},
        )
    },
    # Names and facts of a run.
    "deep JSON for about": ("about", lambda _: answer(DEEP)),
    "about without an end": (
        "about",
        lambda _: chunked(itertools.chain([b'{"facts":['], itertools.repeat(b"[]," * 10_000))),
    ),
    "facts of ten million lists": (
        "about",
        lambda _: answer(b'{"rid":"r","facts":{"a":[' + b"[]," * 10_000_000 + b"[]]}}"),
    ),
    "about of ten thousand digits": ("about", lambda _: answer(b'{"facts":{"a":' + b"9" * 10_000 + b"}}")),
    **{
        f"about: {str(content)[:40]}": ("about", lambda _, content=content: json_answer(content))
        for content in ([], None, 7, {}, about("other"), about("r", draws=-1), about("r", updatedAt="2026"))
    },
    "a cursor again and again": ("runs", pages(lambda _: "same")),
    "two cursors in turn": ("runs", pages(lambda page: f"c{page % 2}")),
    "pages without an end or a run": ("runs", pages(lambda page: f"c{page}", rows=0)),
    "an enormous cursor": ("runs", pages(lambda page: "c" * 1_000_000)),
    **{
        f"chains: {str(rows)[:40]}": ("lengths", lambda _, rows=rows: json_answer({"chains": rows}))
        for rows in (
            None,
            7,
            [7],
            [{}],
            [{"chain": 0, "length": -1}],
            [{"chain": -1, "length": 1}],
            [{"chain": 2**31, "length": 1}],
            [{"chain": "../x", "length": 1}],
            [{"chain": 0, "length": True}],
            [{"chain": 0, "length": 1.5}],
            [{"chain": 0, "length": 1e300}],
            [{"chain": 0, "length": 10**30}],
            [{"chain": 0, "length": float("inf")}],
        )
    },
    "an endless list of chains": (
        "lengths",
        lambda _: chunked(itertools.chain([b'{"chains":['], itertools.repeat(b'{"chain":1,"length":1},' * 1000))),
    ),
    **{
        f"a length of {length}": ("len", lambda _, length=length: json_answer({"chain": 0, "length": length}))
        for length in (None, -1, True, "7", 1.5, float("nan"), 10**30, [])
    },
    # Metadata.
    "metadata without sense": ("run", lambda _: answer(b"\xff" * 100)),
    "metadata of another run": ("run", lambda _: answer(run_meta(lambda meta: setattr(meta, "rid", "../../x")))),
    "metadata without an id": ("run", lambda _: answer(run_meta(lambda meta: meta.ClearField("rid")))),
    **{f"{depth} levels": ("attributes", lambda _, depth=depth: answer(nested(depth))) for depth in (200, 20_000)},
    "ten million variables": ("run", lambda _: answer(run_meta() + b"\x1a\x00" * 10_000_000)),
    "a hundred thousand variables": (
        "run",
        lambda _: answer(run_meta() + b"\x1a\x0b\x12\x07float64\x0a\x00" * 100_001),
    ),
    "an unknown dtype": ("run", lambda _: answer(run_meta(lambda meta: meta.variables.add(name="y", dtype="object")))),
    "a name twice": ("run", lambda _: answer(run_meta(lambda meta: meta.variables.add(name="x", dtype="bool")))),
    **{
        f"a shape of {shape[:3]}": (
            "run",
            lambda _, shape=shape: answer(run_meta(lambda m: m.variables.add(name="y", dtype="int8", shape=shape))),
        )
        for shape in ([-2], [2**62], [2**31, 2**31], [1] * 65)
    },
    "a time out of range": (
        "attributes",
        lambda _: answer(run_meta(lambda meta: setattr(meta.attributes["t"].timestamp_value, "seconds", 2**62))),
    ),
    **{
        f"an array of {dtype}": (
            "attributes",
            lambda _, dtype=dtype: answer(
                run_meta(
                    lambda meta: meta.attributes["a"].ndarray_value.CopyFrom(
                        ndarray_pb2.ndarray(data=b"abcdefgh", dtype=dtype, shape=[2**40])
                    )
                )
            ),
        )
        for dtype in ("float64", "f8,f8", "(1000,1000)f8", "<U999999999", "V8", "{", "", "x" * 1000)
    },
    # Draws.
    "no column": ("x", lambda _: batch(3)),
    "another column": ("x", lambda _: batch(1, column("none", "float64"))),
    "a column more": ("x", lambda _: batch(1, column("x", "float64", bytes(8)), column("none", "float64"))),
    "a column twice": ("x", lambda _: batch(1, column("x", "float64", bytes(8)), column("x", "float64", bytes(8)))),
    "ten million columns": ("x", lambda _: answer(b"\x1a\x00" * 10_000_000)),
    "another dtype": ("x", lambda _: batch(1, column("x", "float32", bytes(4)))),
    "too few bytes": ("x", lambda _: batch(2, column("x", "float64", bytes(8)))),
    "a billion numbers in no bytes": ("x", lambda _: batch(10**9, column("x", "float64"))),
    "more than was asked for": ("at", lambda _: batch(3, column("x", "float64", bytes(24)))),
    "a billion texts in no bytes": ("s", lambda _: batch(10**9, column("s", "str"))),
    "a billion ragged ones in no bytes": ("path", lambda _: batch(10**9, column("path", "float64"))),
    "a billion ragged texts in no bytes": ("texts", lambda _: batch(10**9, column("texts", "str"))),
    "texts where there are none": ("empty", lambda _: batch(10**9, column("empty", "str", strings=["a"]))),
    "a count beyond all": (
        "none",
        lambda _: answer(b"\x10" + varint(2**64 - 1) + b"\x1a\x0f\x0a\x04none\x12\x07float64"),
    ),
    "twenty million empty texts": ("s", lambda _: answer(b"\x10" + varint(20_000_000) + texts_column(20_000_000))),
    "an impossible shape": ("path", lambda _: batch(1, column("path", "float64", shapes=[2, 0, 0]))),
    "an enormous shape": ("path", lambda _: batch(1, column("path", "float64", shapes=[1, 2**32 - 1]))),
    "a shape that is cut off": ("path", lambda _: batch(1, column("path", "float64", shapes=[200]))),
    "too many shapes": ("path", lambda _: batch(1, column("path", "float64", shapes=[1, 0] * 1_000_000))),
    "a field of an enormous length": ("x", lambda _: answer(b"\x1a" + varint(2**63) + b"\x0a")),
    "a varint without an end": ("x", lambda _: answer(b"\x08" + b"\xff" * 1000)),
    "bytes without sense": ("x", lambda _: answer(bytes(range(256)) * 100)),
    # Refusals.
    **{
        f"Retry-After {after}": (
            "runs",
            lambda _, after=after: json_answer({}, f"Retry-After: {after}", status="503 No"),
        )
        for after in ("9" * 400, "inf", "nan", "-1", "1e309", "soon", "Fri, 31 Dec 9999 23:59:59 GMT")
    },
    "another name": ("run", lambda _: json_answer({"code": "misdirected_request", "detail": "no"}, status="421 No")),
    # Events.
    "an endless line of events": ("watch", lambda _: stream(itertools.repeat(b"a" * 65536))),
    "an endless event": ("watch", lambda _: stream(itertools.repeat(b"data: " + b"a" * 1000 + b"\n"))),
    "events that never begin": ("watch", lambda _: stream(drip(b": "))),
    "deep JSON as an event": ("watch", lambda _: stream([b"data: " + DEEP[:100_000] + b"\n\n"] * 2)),
    "events of endless chains": ("watch for ever", lambda _: stream(CHAIN_EVENTS)),
    "an event of a negative length": ("watch", lambda _: stream([b'data: {"chain":0,"length":-1}\n\n'])),
    "an event of no chain": ("watch", lambda _: stream([b'data: {"chain":"../x","length":1}\n\n'])),
    "events that are compressed": (
        "watch",
        lambda _: answer(BOMB, "Content-Encoding: gzip", "Content-Type: text/event-stream"),
    ),
}
BOMB = bomb(2 << 30)


def texts_column(count: int) -> bytes:
    content = b"\x0a\x01s\x12\x03str" + b"\x2a\x00" * count
    return b"\x1a" + varint(len(content)) + content


# Answers that are right, however odd they look, and must not take memory in proportion to what they claim.
HARMLESS: dict[str, tuple[str, Respond]] = {
    "a billion texts of size zero": ("empty", lambda _: batch(10**9, column("empty", "str"))),
    "a billion numbers of size zero": ("none", lambda _: batch(10**9, column("none", "float64"))),
    "gzip that nobody asked for": ("runs", lambda _: answer(gzip.compress(b'{"runs":[]}'), "Content-Encoding: gzip")),
}

CHILD = """
import json, resource, sys, time
import mcbackend_edge as mcb
from mcbackend_edge import bounded, events, reader
bounded.GRACE, events.SILENCE, reader.MOST_DRAWS = 1.0, 2.0, 64 << 20
def names(name):
    return lambda client: client.run("r").chain(0).get_draws(name, progress=False)
actions = {
    "run": lambda client: client.run("r"),
    "attributes": lambda client: client.run("r").attributes,
    "about": lambda client: client.run("r").about(),
    "runs": lambda client: list(client.runs()),
    "create": lambda client: client.create_run("r", variables={"x": 0.0}),
    "delete": lambda client: client.delete_run("r"),
    "lengths": lambda client: client.run("r").lengths(),
    "len": lambda client: len(client.run("r").chain(0)),
    "init": lambda client: client.run("r").init_chain(0, resume=True),
    "at": lambda client: client.run("r").chain(0).get_draws_at(0, ["x"]),
    "watch": lambda client: next(client.run("r").watch()),
    "watch for ever": lambda client: [None for _ in client.run("r").watch()],
    **{name: names(name) for name in ("x", "s", "empty", "none", "path", "texts")},
}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for line in sys.stdin:
    name, url, action = json.loads(line)
    client = mcb.Client(url, "mcb_key", patience=0.2, spool=None)
    try:
        result = actions[action](client)
        said = f"{type(result).__name__} {len(result) if hasattr(result, '__len__') else ''}"
        del result
    except mcb.McbError as error:
        text = str(error)
        said = "McbError" if len(text) < 3000 and text.isprintable() else f"not to be shown: {text[:3000]!r}"
    except BaseException as error:
        said = repr(error)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    print(json.dumps([name, said if grown < 900 else f"{grown} MiB"]), flush=True)
"""


def outcomes(cases: dict[str, tuple[str, Respond]]) -> dict[str, str]:
    """The outcome of each action; memory and time are bounded whatever it is."""

    def route(action: str, respond: Respond) -> Respond:
        def choose(path: str) -> Iterable[bytes]:
            is_about_run = path == "/v1/runs/r" and action not in ("run", "attributes", "create", "delete")
            return answer(run_meta()) if is_about_run else respond(path)

        return choose

    with ExitStack() as stack:
        lines = ""
        for name, (action, respond) in cases.items():
            server = stack.enter_context(RawServer(route(action, respond)))
            lines += json.dumps([name, server.url, action]) + "\n"
        command = [sys.executable, "-c", CHILD]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.parametrize("part", range(6))
def test_every_answer_that_makes_no_sense_is_an_error(part: int) -> None:
    cases = dict(list(HOSTILE.items())[part::6])
    assert outcomes(cases) == dict.fromkeys(cases, "McbError")


def test_draws_of_size_zero_take_no_memory() -> None:
    said = outcomes(HARMLESS)
    assert said.pop("gzip that nobody asked for") == "list 0"
    assert said == dict.fromkeys(said, f"ndarray {10**9}")
