"""Steps of a run that processes which have died left in the spool of this machine."""

from __future__ import annotations

import logging
from pathlib import Path

from ..client import Client
from ..errors import McbError
from ..spool import About, Lock, folders
from ..sync import sync
from ..transport import is_same_server

log = logging.getLogger("mcbackend_edge")

# Seconds that sending takes at most.
_PATIENCE = 30.0


def send_leftovers(client: Client, rid: str) -> bool:
    """Sends what the spool holds of a run; True if another process of this machine is writing the run.

    Nothing is raised: what cannot be sent stays, for ``python -m mcbackend_edge sync`` to name the reason.
    """
    root = client.spool_root
    if root is None:
        return False
    found = [path for path in folders(root) if path.name.rpartition("~")[0] == rid]
    others = [path for path in found if not Lock.is_held_here(path / "lock")]
    if not others or not all(_is_for(client, path) for path in others):
        return False
    outcome = sync(
        root, token=client.token, server=client.url, rid=rid, timeout=_PATIENCE, say=lambda line: log.info("%s", line)
    )
    return outcome.busy > len(found) - len(others)


def _is_for(client: Client, path: Path) -> bool:
    try:
        return is_same_server(About.read(path).url, client.url)
    except McbError:
        return True
