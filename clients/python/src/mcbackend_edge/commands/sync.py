"""`sync`: sends what dead processes have left in the spool."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SpoolGoneError, shown
from ..progress import ProgressBar
from ..reader import wants_progress
from ..run_writer import RunWriter
from ..spool import RunSpool, default_root, folders, is_foreign
from ..sync import load, sync
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Sends the draws that could not be sent before their process ended, in order and exactly once. Spools of living
processes, and those of other users, are left alone. The key in MCB_TOKEN is sent to the server that MCB_URL or --url
names, and to no other; without both, to the servers whose runs were written with it, as far as the spool tells (one of
an earlier version does not). Damaged and lost draws are reported, and their folder kept.

Exit status: 0 if nothing is left, 1 if something is.
"""
_EXAMPLES = """\
  python -m mcbackend_edge sync
  python -m mcbackend_edge sync --list
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands, "sync", run, "send the draws that dead processes have left in the spool", _DESCRIPTION, _EXAMPLES
    )
    command.add_argument("--spool", type=Path, help="the spool folder (default: MCB_SPOOL_DIR, or the user's)")
    command.add_argument("--url", help="send to this server, with the key, instead of the one that each spool names")
    command.add_argument("--rid", help="only this run")
    command.add_argument("--timeout", type=float, default=60.0, help="seconds for each run (default: 60)")
    command.add_argument("--list", action="store_true", help="only say what lies in the spool")


def run(options: argparse.Namespace) -> int:
    root = options.spool or default_root()
    if options.list:
        return _list(root)
    bars: dict[str, tuple[ProgressBar, int]] = {}

    def report(run: RunWriter, pending: int) -> None:
        rid = run.meta.rid
        bar, total = bars.setdefault(rid, (ProgressBar(f"run {rid}: sending", pending, "draws"), pending))
        bar.update(total - pending)

    outcome = sync(
        root,
        token=os.environ.get("MCB_TOKEN"),
        server=os.environ.get("MCB_URL"),
        url=options.url,
        rid=options.rid,
        timeout=options.timeout,
        report=report if wants_progress(None) else None,
    )
    if not outcome.sent + outcome.busy + outcome.foreign + outcome.failed:
        print(f"nothing to send in {root}")
    return 1 if outcome.failed else 0


def _list(root: Path) -> int:
    for path in folders(root):
        try:
            if is_foreign(path):
                print(f"{path} is not this user's own")
                continue
            spool = RunSpool.open(path)
        except (SpoolGoneError, FileNotFoundError):
            continue
        except Exception as error:  # one that cannot be read keeps no other from being listed
            print(shown(str(error)))
            continue
        try:
            run = load(spool)
            print(f"{path}: {run.pending} draws of {len(run.chains)} chains for {spool.url}")
            for gap in spool.gaps:
                print(f"{path}: {gap}")
        except Exception as error:  # as above
            print(shown(f"{path}: {error}"))
        finally:
            spool.leave()
    return 0
