"""`runs`: lists the runs on the server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..client import Client
from ..errors import shown
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_EXAMPLES = """\
  python -m mcbackend_edge runs
  python -m mcbackend_edge runs --limit 100
"""


def add_to(commands: Commands) -> None:
    summary = "list the runs on the server, the newest first"
    command = add_command(commands, "runs", run, summary, summary.capitalize() + ".", _EXAMPLES)
    command.add_argument("--url", help="the server (default: MCB_URL)")
    command.add_argument("--limit", type=int, default=20, help="at most so many (default: 20)")


def run(options: argparse.Namespace) -> int:
    with Client(options.url) as client:
        for run in client.runs(options.limit):
            name = f"  {shown(run.name)}" if run.name else ""
            print(f"{run.rid}  {run.created_at:%Y-%m-%d %H:%M:%S}  {run.chains} chains  {run.draws} draws{name}")
    return 0
