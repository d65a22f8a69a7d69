"""`runs`: finds runs on the server."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ..about import RunSummary
from ..client import Client
from ..facts import timestamp
from .parsers import add_command
from .tables import age, moment_of, table

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Lists the runs on the server, the newest first: those for which all that is given holds.

State: live if it was written to within the last minute, done if it has what it expects, else silent.
"""
_EXAMPLES = """\
  python -m mcbackend_edge runs
  python -m mcbackend_edge runs --q schools --tag paper --since 7d
  python -m mcbackend_edge runs --attr sampler=emcee --json
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands, "runs", run, "list the runs on the server, the newest first", _DESCRIPTION, _EXAMPLES
    )
    command.add_argument("--url", help="the server (default: MCB_URL, or that of mcb login)")
    command.add_argument("--q", metavar="TEXT", help="part of the id or the name")
    command.add_argument("--tag", action="append", default=[], metavar="TAG", help="a tag; may be repeated")
    command.add_argument("--since", metavar="TIME", help="registered since then: 7d, 12h, 2026-11-28, or a moment")
    command.add_argument(
        "--attr", action="append", default=[], metavar="NAME=VALUE", help="an attribute; may be repeated"
    )
    command.add_argument("--archived", action="store_true", help="archived runs alone")
    command.add_argument("--limit", type=_count, default=20, help="at most so many, 0 for all (default: 20)")
    command.add_argument("--json", action="store_true", help="as JSON, for scripts")


def run(options: argparse.Namespace) -> int:
    attributes = [condition.partition("=") for condition in options.attr]
    if any(not (name and equals) for name, equals, _ in attributes):
        raise ValueError("an attribute is asked for as NAME=VALUE")
    with Client(options.url, spool=None) as client:
        rows = list(
            client.runs(
                options.limit or None,
                q=options.q,
                tag=options.tag,
                since=moment_of(options.since) if options.since else None,
                attr={name: _value(text) for name, _, text in attributes} or None,
                archived=options.archived,
            )
        )
    if options.json:
        print(json.dumps({"runs": [summary_json(row) for row in rows]}, ensure_ascii=False, indent=1))
    elif rows:
        heads = ("RID", "NAME", "AGE", "CHAINS", "DRAWS", "STATE", "TAGS")
        cells = [(r.rid, r.name, age(r.created_at), r.chains, r.draws, r.state, ", ".join(r.tags)) for r in rows]
        print(table(heads, cells))
    else:
        print("no runs")
    return 0


def summary_json(row: RunSummary) -> dict[str, Any]:
    """A line of the list, with the names that the server uses."""
    return {
        "rid": row.rid,
        "name": row.name,
        "tags": list(row.tags),
        "archived": row.archived,
        "state": row.state,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "variables": row.variables,
        "sampleStats": row.sample_stats,
        "chains": row.chains,
        "draws": row.draws,
    }


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)


def _value(text: str) -> str | bool | None:
    """A text that is written as a number matches that number on the server, too."""
    plain: dict[str, bool | None] = {"true": True, "false": False, "null": None}
    return plain.get(text, text)
