"""`sync`: sends what dead processes have left in the spool, moves it to another run, or throws it away."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ProfileError, SpoolError, SpoolGoneError, shown
from ..holding import Holding
from ..keys import Keys
from ..names import check_rid
from ..profile import Profile, read_profile
from ..progress import ProgressBar
from ..reader import wants_progress
from ..spool import default_root, discard
from ..sync import Report, Sync, chosen_folders, sync
from ..ways_out import counted
from .asking import is_confirmed
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Sends the draws that could not be sent before their process ended, in order and exactly once. Spools of living
processes, and those of other users, are left alone. Damaged and lost draws are reported, and their folder kept.

The key in MCB_TOKEN is sent to the server that MCB_URL or --url names, and to no other; without both, to the servers
whose runs were written with it, as far as the spool tells (one of an earlier version does not). That of the profile
goes to the profile's server.

Draws that the server refuses for good, since it has others in their place or the run is gone, have two ways out. --as
stores them as a run of their own, with the draws before them, which are copied from the run that has them. --discard
throws them away. Draws that are stored stay as they are with both.

Exit status: 0 if nothing is left, 1 if something is.
"""
_EXAMPLES = """\
  python -m mcbackend_edge sync
  python -m mcbackend_edge sync --list
  python -m mcbackend_edge sync --rid my-run --as my-run.2
  python -m mcbackend_edge sync --rid my-run --discard
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands, "sync", run, "send the draws that dead processes have left in the spool", _DESCRIPTION, _EXAMPLES
    )
    command.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="only this folder of --list")
    command.add_argument("--rid", help="only this run")
    command.add_argument("--spool", type=Path, help="the spool folder (default: MCB_SPOOL_DIR, or the user's)")
    command.add_argument("--url", help="send to this server, with the key, instead of the one that each spool names")
    command.add_argument("--timeout", type=float, default=60.0, help="seconds for each run (default: 60)")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="only say what lies in the spool")
    what.add_argument("--as", dest="new_rid", metavar="NEWRID", help="store the draws as this run, which must be new")
    what.add_argument("--discard", action="store_true", help="throw the draws away, after a question")
    command.add_argument(
        "--tail", action="store_true", help="with --as: where the draws before are lost, begin with the first there is"
    )
    command.add_argument("--yes", action="store_true", help="with --discard: do not ask")


def run(options: argparse.Namespace) -> int:
    root = options.spool or default_root()
    paths = chosen_folders(root, options.rid, options.folder)
    if options.folder is not None and not paths:
        raise SpoolError(f"{options.folder} is no folder of a run, as --list shows them")
    if options.list:
        return _list(paths)
    if options.discard or options.new_rid is not None:
        if options.rid is None and options.folder is None:
            raise ValueError("say which run: --rid RID, or the folder that --list shows")
        if not paths:
            raise SpoolError(f"there are no draws of run {options.rid} in {root}")
        return _discard(paths, options.yes) if options.discard else _move(paths, options)
    outcome = sync(
        root,
        token=os.environ.get("MCB_TOKEN"),
        server=os.environ.get("MCB_URL"),
        profile=_profile(),
        url=options.url,
        rid=options.rid,
        folder=options.folder,
        timeout=options.timeout,
        report=_report(),
    )
    if not outcome.sent + outcome.busy + outcome.foreign + outcome.failed:
        print(f"nothing to send in {options.folder or root}")
    return 1 if outcome.failed else 0


def _report() -> Report | None:
    bars: dict[str, ProgressBar] = {}

    def report(rid: str, done: int, total: int) -> None:
        bars.setdefault(rid, ProgressBar(f"run {shown(rid)}: sending", total, "draws")).update(done)

    return report if wants_progress(None) else None


def _profile() -> Profile | None:
    """The profile of ``mcb login``, if it can be used; else the reason is told."""
    try:
        profile = read_profile()
        problem = profile.problem if profile else ""
    except ProfileError as error:
        profile, problem = None, str(error)
    if problem:
        print(f"mcbackend-edge: {problem}", file=sys.stderr)
    return profile


def _list(paths: list[Path]) -> int:
    for path in paths:
        try:
            print(Holding.of(path))
        except (SpoolGoneError, FileNotFoundError):
            continue
        except Exception as error:  # one that cannot be read keeps no other from being listed
            print(shown(str(error)))
    return 0


def _available(paths: list[Path]) -> tuple[list[Holding], int]:
    """The folders that nobody uses, and the exit status: 1 if others are left out, which is said."""
    holdings, status = [], 0
    for path in paths:
        try:
            holdings.append(Holding.of(path))
        except SpoolGoneError:
            continue
        except SpoolError as error:
            print(f"mcbackend-edge: {error}: it is left alone", file=sys.stderr)
            status = 1
    return holdings, status


def _discard(paths: list[Path], is_agreed: bool) -> int:
    """Throws away all folders but those in use, or none."""
    holdings, status = _available(paths)
    if not holdings:
        return status
    for holding in holdings:
        print(holding)
    draws = counted(sum(holding.draws for holding in holdings), "draw")
    damaged = ", and damaged files" if any(holding.problems for holding in holdings) else ""
    if not is_confirmed(f"Throw away {draws}{damaged}? Those that the server has stored stay.", is_agreed):
        print("nothing is thrown away")
        return 1
    for holding in holdings:
        for left in discard(holding.path):
            print(f"{left} was not written by this package, and stays")
            status = 1
    print(f"{draws} thrown away")
    return status


def _move(paths: list[Path], options: argparse.Namespace) -> int:
    new_rid = check_rid(options.new_rid)
    holdings, status = _available(paths)
    if not holdings:
        return status
    if len(holdings) > 1:
        for holding in holdings:
            print(holding)
        raise SpoolError(f"there are {len(holdings)} folders of run {options.rid}: name one in place of --rid")
    url = options.url or os.environ.get("MCB_URL")
    keys = Keys.of(os.environ.get("MCB_TOKEN"), url, _profile())
    job = Sync(keys, options.url, options.timeout, print, _report())
    spool = job.open(holdings[0].path)
    if spool is None:
        return 1
    try:
        job.move(spool, new_rid, is_tail=options.tail)
    finally:
        spool.leave()
    return 1 if job.outcome.failed else 0
