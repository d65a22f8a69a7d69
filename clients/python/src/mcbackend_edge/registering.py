"""`Registering`: the part of a client that writers of results need, which are themselves a part of the client."""

from __future__ import annotations

from typing import Protocol

from .run import Run
from .schema import RunMeta


class Registering(Protocol):
    """Registers runs and opens them; `mcbackend_edge.Client` tells about each.

    Attributes
    ----------
    exit_timeout : seconds that the end waits for the server to take what is left.
    """

    exit_timeout: float

    @property
    def url(self) -> str: ...

    def register(self, meta: RunMeta, *, offline: bool | None = None) -> Run: ...

    def open_run(self, meta: RunMeta, registration: str | None, *, is_spooled: bool = True) -> Run: ...

    def free_rid(self, rid: str, *, offline: bool | None = None) -> str: ...
