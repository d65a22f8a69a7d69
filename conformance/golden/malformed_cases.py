"""Bytes that are no protobuf message of their kind: the official runtime refuses each of them."""

from __future__ import annotations

from collections.abc import Iterator

import betterproto.lib.google.protobuf as google
from google.protobuf.message import Message

from oracle import DrawBatch, RunMeta
from run_builder import RunBuilder


def _delimited(number: int, payload: bytes) -> bytes:
    """A length-delimited field; numbers below 16, payloads below 128 bytes."""
    return bytes([number << 3 | 2, len(payload)]) + payload


def malformed_cases() -> Iterator[tuple[str, type[Message], str, bytes]]:
    """(file name, the message that it is not, reason, bytes)."""
    for prefix, kind in (("draws", DrawBatch), ("run", RunMeta)):
        for name, reason, data in _broken_wire():
            yield f"{prefix}-{name}", kind, reason, data
    for name, reason, data in _broken_draws():
        yield f"draws-{name}", DrawBatch, reason, data
    for name, reason, data in _broken_runs():
        yield f"run-{name}", RunMeta, reason, data


def _broken_wire() -> Iterator[tuple[str, str, bytes]]:
    """Bytes that are no message of any schema; fields 8 and up are unknown to both."""
    yield "cut-varint", "the bytes end inside a varint", b"\x40\x80"
    yield "cut-tag", "the bytes end inside a tag", b"\x80"
    yield "cut-length", "the bytes end behind a tag that needs a length", b"\x42"
    yield "cut-bytes", "a length of 5 with 4 bytes left", b"\x42\x05abcd"
    yield "cut-column-or-variable", "a nested message that is longer than what is left", b"\x1a\x7f\x0a\x01x"
    yield "cut-nested-field", "a field that is longer than the message around it", b"\x1a\x03\x0a\x05x" + b"x" * 8
    yield "cut-fixed64", "the bytes end inside a fixed64", b"\x41" + b"\0" * 7
    yield "cut-fixed32", "the bytes end inside a fixed32", b"\x45\0\0\0"
    yield "field-zero", "field number 0", b"\x00\x01"
    yield "wire-type-6", "wire type 6", b"\x46\x00"
    yield "wire-type-7", "wire type 7", b"\x47\x00"
    yield "varint-of-11-bytes", "a varint of 11 bytes", b"\x40" + b"\x80" * 10 + b"\x01"
    yield "endless-length", "a length of 2^63", b"\x42" + b"\x80" * 9 + b"\x01"
    yield "negative-length", "a length of -1", b"\x42" + b"\xff" * 9 + b"\x01"
    yield "group-not-closed", "a group without its end", b"\x43\x08\x01"
    yield "group-not-opened", "the end of a group that has not begun", b"\x44"
    yield "group-closed-by-another", "a group that another field's end closes", b"\x43\x4c"


def _broken_draws() -> Iterator[tuple[str, str, bytes]]:
    yield "name-not-utf8", "a column's name is no UTF-8", _delimited(3, _delimited(1, b"\xff"))
    yield "dtype-not-utf8", "a column's dtype is no UTF-8", _delimited(4, _delimited(2, b"\xc3"))
    yield "string-surrogate", "a string holds an encoded surrogate", _delimited(3, _delimited(5, b"\xed\xa0\x80"))
    yield "string-overlong", "a string holds an overlong encoding of NUL", _delimited(3, _delimited(5, b"\xc0\x80"))
    yield "shapes-cut", "packed shapes end inside a varint", _delimited(3, _delimited(4, b"\x01\x80"))


def _broken_runs() -> Iterator[tuple[str, str, bytes]]:
    yield "rid-not-utf8", "the rid is no UTF-8", _delimited(1, b"a\xff")
    yield "key-not-utf8", "the key of an attribute is no UTF-8", _delimited(5, _delimited(1, b"\xf5"))
    text = _delimited(5, _delimited(1, b"k") + _delimited(2, _delimited(3, b"\xf4\x90\x80\x80")))
    yield "string-value-beyond-unicode", "a string_value holds a code point above U+10FFFF", text
    struct = _delimited(1, _delimited(1, b"\xed\xbf\xbf"))
    entry = _delimited(1, b"k") + _delimited(2, _delimited(5, struct))
    yield "struct-key-surrogate", "the key of a Struct is an encoded surrogate", _delimited(5, entry)
    yield "shape-cut", "a packed shape ends inside a varint", _delimited(3, _delimited(3, b"\xff"))
    yield (
        "ndarray-dtype-not-utf8",
        "an ndarray's dtype is no UTF-8",
        _delimited(4, _delimited(2, _delimited(2, b"\x80"))),
    )
    reason = "what betterproto writes for Struct.from_dict({'a': True}): a byte 0 where a Value should be"
    yield "struct-from-dict", reason, RunBuilder().attribute("k", google.Struct.from_dict({"a": True})).to_bytes()
