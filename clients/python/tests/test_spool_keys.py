"""A key goes to the server that it is for, whatever lies in the spool."""

from __future__ import annotations

from pathlib import Path

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client

from .dead import json_of, leave, rid_of, run_sync
from .gate import Gate, Reply
from .server import RunningServer

KEY = "mcb_a-key-of-this-server"


def test_a_key_is_sent_to_its_own_server_alone(server: RunningServer, client: Client, spool: Path) -> None:
    """That of MCB_URL, or of --url; without both the one whose run was written with it."""
    refusal = Reply(401, b'{"code":"unauthorized","detail":"no key"}')
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: refusal) as others:
        with Client(mine.url) as near, Client(others.url) as far:
            leave(near, spool, token=KEY)
            there = leave(far, spool, token="mcb_another-key")
        done = run_sync(MCB_TOKEN=KEY, MCB_URL=mine.url + "/")
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {None})
        assert done.returncode == 1
        assert f"--rid {rid_of(there)} --url {others.url}" in done.stdout
        assert KEY not in done.stdout + done.stderr
        for options in ([], ["--rid", rid_of(there)]):
            run_sync(*options, MCB_TOKEN=KEY)
        assert others.keys == {None}
        run_sync("--url", others.url, MCB_TOKEN="mcb_another-key")
        assert others.keys == {None, "Bearer mcb_another-key"}


def test_without_an_address_the_mark_tells(server: RunningServer, spool: Path) -> None:
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: None) as others:
        for gate, token in ((mine, KEY), (others, "mcb_another-key"), (others, None)):
            with Client(gate.url) as client:
                leave(client, spool, token=token)
        changed = leave(Client(mine.url), spool, token=KEY)
        json_of(url=others.url)(changed)
        assert not any(KEY.encode() in path.read_bytes() for path in spool.rglob("*") if path.is_file())
        assert run_sync(MCB_TOKEN=KEY).returncode == 0
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {None})


def test_a_spool_without_a_mark_gets_no_key(server: RunningServer, spool: Path) -> None:
    """An earlier version has left it: nothing tells that the key is for its server, whatever else lies in the spool."""
    refusal = Reply(401, b'{"code":"unauthorized","detail":"no key"}')
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: refusal) as others:
        unmarked = leave(Client(others.url), spool)
        json_of(format=1, keyMark=None)(unmarked)
        for options in ([], ["--rid", rid_of(unmarked)]):
            done = run_sync(*options, MCB_TOKEN=KEY)
            assert done.returncode == 1
            assert (
                f"set MCB_URL to that address, or: python -m mcbackend_edge sync --rid {rid_of(unmarked)}"
                in done.stdout
            )
        leave(Client(mine.url), spool, token=KEY)
        run_sync(MCB_TOKEN=KEY)
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {None})
        run_sync(MCB_TOKEN=KEY, MCB_URL=others.url)
        assert others.keys == {None, f"Bearer {KEY}"}


def test_no_redirect_carries_a_key_away(server: RunningServer, spool: Path) -> None:
    with Gate(server.port, lambda *_: None) as elsewhere:
        target = Reply(307, b"", {"Location": f"{elsewhere.url}/v1/runs"})
        with Gate(server.port, lambda *_: target) as mine:
            with Client(mine.url) as client:
                path = leave(client, spool, token=KEY)
            assert run_sync(MCB_TOKEN=KEY, MCB_URL=mine.url).returncode == 1
            with Client(mine.url, KEY, patience=0.1) as client, pytest.raises(mcb.ApiError, match="give that address"):
                client.run("r")
        assert elsewhere.keys == set()
    assert path.is_dir()
