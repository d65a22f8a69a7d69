"""The command line: `sync` sends what was spooled, `tail` follows CmdStan's CSV files, `runs` lists runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .client import Client
from .errors import McbError, SpoolGoneError, shown
from .notices import Beginning
from .progress import ProgressBar
from .reader import wants_progress
from .run_writer import RunWriter
from .spool import RunSpool, default_root, folders, is_foreign
from .sync import load, sync
from .tail import Tail

_ENVIRONMENT = """environment:
  MCB_URL         the server
  MCB_TOKEN       the key, where the server asks for one; it is never written to disk
  MCB_SPOOL_DIR   the spool folder
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mcbackend_edge",
        description=__doc__,
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mcbackend-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_sync(commands)
    _add_tail(commands)
    runs = commands.add_parser("runs", help="list the runs on the server, the newest first")
    runs.add_argument("--url", help="the server (default: MCB_URL)")
    runs.add_argument("--limit", type=int, default=20, help="at most so many (default: 20)")
    return parser


def _add_sync(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "sync",
        help="send the draws that dead processes have left in the spool",
        description="Sends the draws that could not be sent before their process ended, in order and exactly once. "
        "Spools of living processes, and those of other users, are left alone. The key in MCB_TOKEN is sent to the "
        "server that MCB_URL or --url names, and to no other; without both, to the servers whose runs were written "
        "with it, as far as the spool tells (one of an earlier version does not). Damaged and lost draws are reported, "
        "and their folder kept. Exit status: 0 if nothing is left, 1 if something is.",
    )
    command.add_argument("--spool", type=Path, help="the spool folder (default: MCB_SPOOL_DIR, or the user's)")
    command.add_argument("--url", help="send to this server, with the key, instead of the one that each spool names")
    command.add_argument("--rid", help="only this run")
    command.add_argument("--timeout", type=float, default=60.0, help="seconds for each run (default: 60)")
    command.add_argument("--list", action="store_true", help="only say what lies in the spool")


def _add_tail(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "tail",
        help="store the draws of CmdStan's CSV files, while they grow",
        description="Follows CSV files of CmdStan, one a chain, and stores their draws as one run. Started again with "
        "the same --rid it completes the run. A damaged file is reported with its line, and the others go on. "
        "Exit status: 0 if all files are complete and stored, 1 if not.",
    )
    command.add_argument("files", nargs="+", type=Path, metavar="FILE.csv", help="in the order of the chains")
    command.add_argument("--url", help="the server (default: MCB_URL)")
    command.add_argument("--rid", help="id of the run (default: a new one)")
    command.add_argument("--name", help="name of the run, if it has none yet")
    command.add_argument("--tag", action="append", default=[], metavar="TAG", help="a tag of the run; may be repeated")
    command.add_argument("--once", action="store_true", help="take what is there now, and do not wait for more")
    command.add_argument("--interval", type=float, default=1.0, help="seconds between two looks (default: 1)")
    command.add_argument("--idle", type=float, help="give up after so many seconds without a new draw")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status."""
    options = build_parser().parse_args(arguments)
    handler = {"sync": run_sync, "tail": run_tail, "runs": run_runs}[options.command]
    try:
        return handler(options)
    except (McbError, ValueError, OSError) as error:
        print(f"mcbackend-edge: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mcbackend-edge: interrupted", file=sys.stderr)
        return 130


def run_sync(options: argparse.Namespace) -> int:
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


def run_tail(options: argparse.Namespace) -> int:
    with Client(options.url) as client:
        beginning = Beginning.checked(options.name, options.tag, None)
        tail = Tail(client, options.files, options.rid, lambda text: print(text, flush=True), beginning)
        if options.once:
            tail.poll()
        else:
            tail.follow(options.interval, options.idle)
        tail.finish()
    return 1 if tail.errors else 0


def run_runs(options: argparse.Namespace) -> int:
    with Client(options.url) as client:
        for run in client.runs(options.limit):
            name = f"  {shown(run.name)}" if run.name else ""
            print(f"{run.rid}  {run.created_at:%Y-%m-%d %H:%M:%S}  {run.chains} chains  {run.draws} draws{name}")
    return 0
