"""`tail`: stores the draws of CmdStan's CSV files while they grow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..client import Client
from ..notices import Beginning
from ..tail import Tail
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Follows CSV files of CmdStan, one a chain, and stores their draws as one run. Started again with the same --rid it
completes the run. A damaged file is reported with its line, and the others go on.

Exit status: 0 if all files are complete and stored, 1 if not.
"""
_EXAMPLES = """\
  python -m mcbackend_edge tail --rid my-run output_*.csv
  python -m mcbackend_edge tail --rid my-run --once output_*.csv
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands, "tail", run, "store the draws of CmdStan's CSV files, while they grow", _DESCRIPTION, _EXAMPLES
    )
    command.add_argument("files", nargs="+", type=Path, metavar="FILE.csv", help="in the order of the chains")
    command.add_argument("--url", help="the server (default: MCB_URL)")
    command.add_argument("--rid", help="id of the run (default: a new one)")
    command.add_argument("--name", help="name of the run, if it has none yet")
    command.add_argument("--tag", action="append", default=[], metavar="TAG", help="a tag of the run; may be repeated")
    command.add_argument("--once", action="store_true", help="take what is there now, and do not wait for more")
    command.add_argument("--interval", type=float, default=1.0, help="seconds between two looks (default: 1)")
    command.add_argument("--idle", type=float, help="give up after so many seconds without a new draw")


def run(options: argparse.Namespace) -> int:
    with Client(options.url) as client:
        beginning = Beginning.checked(options.name, options.tag, None)
        tail = Tail(client, options.files, options.rid, lambda text: print(text, flush=True), beginning)
        if options.once:
            tail.poll()
        else:
            tail.follow(options.interval, options.idle)
        tail.finish()
    return 1 if tail.errors else 0
