"""The keys that `sync` has, each for one server, and shown to no other."""

from __future__ import annotations

from dataclasses import dataclass

from .profile import Profile
from .spool import is_mark_of
from .transport import is_same_server


@dataclass(frozen=True)
class Key:
    """A key and the server that may see it.

    Attributes
    ----------
    url : that server; None if nobody has named it. The marks in the spools then tell; spools of an earlier version
        have no mark and get no key.
    """

    token: str
    url: str | None

    def is_for(self, url: str, mark: str | None) -> bool:
        """True if the key belongs to the server `url` of a spool with this mark."""
        if self.url is not None:
            return is_same_server(self.url, url)
        return mark is not None and is_mark_of(mark, self.token, url)


class Keys(tuple[Key, ...]):
    """Keys in the order in which they are tried on a spool."""

    @classmethod
    def of(cls, token: str | None, url: str | None, profile: Profile | None) -> Keys:
        """The key that was given, with the server that was named for it; then that of the profile."""
        keys = [Key(token, url)] if token else []
        if profile is not None and profile.token and not profile.problem:
            keys.append(Key(profile.token, profile.url))
        return cls(keys)

    def for_spool(self, url: str, mark: str | None) -> str | None:
        """The key for the server of a spool, if there is one."""
        return next((key.token for key in self if key.is_for(url, mark)), None)
