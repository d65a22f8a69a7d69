"""The server and the key: arguments go before the environment, and this before the profile of ``mcb login``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.errors import ProfileError
from mcbackend_edge.profile import profile_path, read_profile

from .dead import json_of, leave, run_sync
from .gate import Gate, Reply
from .server import REPOSITORY, RunningServer

KEY, OTHER = "mcb_key-of-the-profile", "mcb_another-key"


def write(path: Path, url: str, token: str = KEY, mode: int = 0o600) -> Path:
    """A file as `mcb login` writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"url": url, "token": token}, indent=2) + "\n")
    path.chmod(mode)
    return path


@pytest.fixture
def profile() -> Path:
    """The place of the test's own profile."""
    return Path(os.environ["MCB_PROFILE"])


def test_the_profile_is_what_is_neither_given_nor_set(
    server: RunningServer, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: None) as others:
        write(profile, mine.url + "/")

        def keys(*arguments: str, **environment: str) -> tuple[set[str | None], set[str | None]]:
            mine.keys.clear()
            others.keys.clear()
            with monkeypatch.context() as patched:
                for name, value in environment.items():
                    patched.setenv(name, value)
                list(Client(*arguments).runs(1))
            return set(mine.keys), set(others.keys)

        assert keys() == ({f"Bearer {KEY}"}, set())
        assert keys(mine.url) == ({f"Bearer {KEY}"}, set())
        assert keys(MCB_URL=mine.url) == ({f"Bearer {KEY}"}, set())
        assert keys(MCB_TOKEN=OTHER) == ({f"Bearer {OTHER}"}, set())
        assert keys(mine.url, OTHER) == ({f"Bearer {OTHER}"}, set())
        # Another server sees no key of this one.
        assert keys(others.url) == (set(), {None})
        assert keys(MCB_URL=others.url) == (set(), {None})
        assert keys(others.url, MCB_URL=mine.url) == (set(), {None})
        assert keys(others.url, MCB_TOKEN=OTHER) == (set(), {f"Bearer {OTHER}"})


def test_without_any_it_says_what_to_do(profile: Path) -> None:
    with pytest.raises(ValueError, match=r"no server is given: .*MCB_URL.*npx mcb login --url"):
        Client()


def test_its_place_is_that_of_the_other_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MCB_PROFILE", "/somewhere/else.json")
    assert profile_path() == Path("/somewhere/else.json")
    monkeypatch.setenv("MCB_PROFILE", "")
    assert profile_path() is None
    monkeypatch.delenv("MCB_PROFILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert profile_path() == tmp_path / "config" / "mcb" / "profile.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert profile_path() == tmp_path / ".config" / "mcb" / "profile.json"


def test_the_profile_that_mcb_login_writes_is_read(server: RunningServer, profile: Path) -> None:
    node, entry = REPOSITORY / "node_modules" / ".bin" / "node", REPOSITORY / "bin" / "mcb.mjs"
    if not (node.exists() and entry.exists()):
        pytest.skip("the repository's own command line is absent")
    # The server of the tests has no keys: a gate answers in its place that this one is known.
    who = Reply(200, b'{"tenant":"lab","scopes":["read"]}', {"Content-Type": "application/json"})
    with Gate(server.port, lambda method, path: who if path == "/v1/whoami" else None) as gate:
        command = [str(node), str(entry), "login", "--url", gate.url]
        done = subprocess.run(command, input=f"{KEY}\n", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert profile.stat().st_mode & 0o777 == 0o600
        list(Client().runs(1))
        assert gate.keys == {f"Bearer {KEY}"}


def test_a_key_that_others_can_read_is_not_used(profile: Path) -> None:
    write(profile, "https://draws.example.org", mode=0o644)
    for arguments in ((), ("https://draws.example.org",)):
        with pytest.raises(ProfileError, match="has mode 644, so others can read its key: chmod 600") as caught:
            Client(*arguments)
        assert KEY not in str(caught.value)
    # It is not needed here.
    Client("https://another.example.org")
    Client("https://draws.example.org", OTHER)


DAMAGED = ["", "{", "[]", '{"url": 1, "token": "t"}', '{"url": "http://x"}', "\udcff", "[" * 10**5]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_profile_is_named_where_it_is_needed(profile: Path, content: str) -> None:
    profile.write_bytes(content.encode("utf-8", "surrogateescape"))
    profile.chmod(0o600)
    with pytest.raises(ProfileError, match=r"profile.json is damaged: run .*mcb login") as caught:
        Client()
    assert isinstance(caught.value, (mcb.McbError, ValueError))
    Client("http://127.0.0.1:9")
    profile.unlink()
    profile.mkdir()
    with pytest.raises(ProfileError, match="no regular file"):
        Client()
    profile.rmdir()
    assert read_profile() is None


def test_the_key_is_in_no_repr(profile: Path) -> None:
    write(profile, "https://draws.example.org")
    assert KEY not in repr(read_profile())
    assert KEY not in repr(Client())


def test_sync_sends_each_key_to_its_own_server(server: RunningServer, profile: Path, spool: Path) -> None:
    """That of the profile, and that of the environment beside it."""
    with Gate(server.port, lambda *_: None) as mine, Gate(server.port, lambda *_: None) as others:
        write(profile, mine.url)
        for url in (mine.url, others.url):
            leave(Client(url), spool)
        unmarked = leave(Client(mine.url), spool)
        json_of(format=1, keyMark=None)(unmarked)
        assert run_sync().returncode == 0
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {None})
        leave(Client(mine.url), spool)
        leave(Client(others.url), spool, token=OTHER)
        others.keys.clear()
        assert run_sync(MCB_TOKEN=OTHER).returncode == 0
        assert (mine.keys, others.keys) == ({f"Bearer {KEY}"}, {f"Bearer {OTHER}"})
        leave(Client(mine.url), spool)
        profile.chmod(0o644)
        mine.keys.clear()
        done = run_sync()
        assert done.returncode == 0
        assert "others can read its key" in done.stderr
        assert mine.keys == {None}
