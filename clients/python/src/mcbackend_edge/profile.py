"""The server and the key: as they are given, else MCB_URL and MCB_TOKEN, else the profile that ``mcb login`` wrote.

    ~/.config/mcb/profile.json (MCB_PROFILE, XDG_CONFIG_HOME)    {"url": "https://…", "token": "mcb_…"}

The key of a profile goes to the profile's own server, and to no other.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ProfileError
from .transport import is_same_server

# Bytes of a profile, at most.
_MOST_BYTES = 64 << 10
_AGAIN = 'run "npx mcb login" again'


@dataclass(frozen=True)
class Profile:
    """A server and the key for it.

    Attributes
    ----------
    problem : the reason for which the key must not be used, with the way out; "" if there is none.
    """

    url: str
    token: str = field(repr=False)
    problem: str = ""


def profile_path() -> Path | None:
    """The file of the profile, which need not exist; None if MCB_PROFILE is set and empty."""
    chosen = os.environ.get("MCB_PROFILE")
    if chosen is not None:
        return Path(chosen) if chosen else None
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "mcb" / "profile.json"


def read_profile() -> Profile | None:
    """The profile of this user; None if there is none.

    Raises
    ------
    ProfileError
        If the file cannot be read or makes no sense.
    """
    try:
        path = profile_path()
        if path is None:
            return None
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            # None, or one in a folder of somebody else.
            return None
        if not stat.S_ISREG(mode):
            raise ProfileError(f"{path} is no regular file")
        with path.open("rb") as file:
            content = json.loads(file.read(_MOST_BYTES).decode())
        url, token = content["url"], content["token"]
        if not (isinstance(url, str) and isinstance(token, str)):
            raise ValueError("url and token are texts")
    except ProfileError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProfileError(f"{path} is damaged: {_AGAIN}") from None
    except (OSError, RuntimeError) as error:
        raise ProfileError(f"the profile cannot be read: {error}") from None
    # Windows has no such modes.
    is_open = os.name == "posix" and stat.S_IMODE(mode) & 0o077
    problem = f"{path} has mode {mode & 0o777:o}, so others can read its key: chmod 600 {path}, and change the key"
    return Profile(url, token, problem if is_open else "")


def server_and_key(url: str | None, token: str | None) -> tuple[str, str | None]:
    """The server's address, and the key for it, if there is one.

    Parameters
    ----------
    url, token : as the caller was given them; they go before the environment, and this before the profile.

    Raises
    ------
    ProfileError
        If the profile is needed and cannot be used.
    ValueError
        If no server is known.
    """
    url, token = url or os.environ.get("MCB_URL"), token or os.environ.get("MCB_TOKEN")
    if url and token:
        return url, token
    try:
        profile = read_profile()
    except ProfileError:
        if not url:
            raise
        # It may be of another server, and this one may ask for no key.
        return url, token
    if not url:
        if profile is None:
            raise ValueError(
                "no server is given: pass its address (url, --url), set MCB_URL, or run: npx mcb login --url https://…"
            )
        url = profile.url
    if not token and profile is not None and profile.token and is_same_server(profile.url, url):
        if profile.problem:
            raise ProfileError(profile.problem)
        token = profile.token
    return url, token
