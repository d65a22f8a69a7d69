"""`delete`: deletes a run on the server, after a question."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..client import Client
from ..errors import McbError, shown
from ..ways_out import counted
from .asking import is_confirmed
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Deletes a run with all its chains and draws, for good. A terminal is asked first; a script says --yes.

Exit status: 0 if the run is deleted, 1 if not.
"""
_EXAMPLES = """\
  python -m mcbackend_edge delete my-run
  python -m mcbackend_edge delete my-run --yes
"""


def add_to(commands: Commands) -> None:
    command = add_command(commands, "delete", run, "delete a run, with all its draws", _DESCRIPTION, _EXAMPLES)
    command.add_argument("rid", metavar="RID", help="id of the run")
    command.add_argument("--url", help="the server (default: MCB_URL, or that of mcb login)")
    command.add_argument("--yes", action="store_true", help="do not ask")


def run(options: argparse.Namespace) -> int:
    with Client(options.url, spool=None) as client:
        found = client.run(options.rid)
        lengths = found.lengths()
        try:
            name = found.about().name
        except McbError:
            name = None
        title = f"run {found.rid}" + (f" ({shown(name, 100)})" if name else "")
        draws = f"{counted(sum(lengths.values()), 'draw')} in {counted(len(lengths), 'chain')}"
        if not is_confirmed(f"Delete {title} on {client.url}, with {draws}?", options.yes):
            print("nothing is deleted")
            return 1
        client.delete_run(found.rid)
    print(f"{title} is deleted, with {draws}")
    return 0
