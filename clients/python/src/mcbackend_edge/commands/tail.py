"""`tail`: stores the draws of Stan's CSV files while they grow."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING

from ..client import Client
from ..errors import UploadPendingError
from ..names import check_chain
from ..notices import Beginning
from ..stan.sources import MOST_CHAINS, sources_of
from ..stan.tail import Tail
from .parsers import add_command

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = """\
Follows CSV files of CmdStan (also those of CmdStanPy and cmdstanr), RStan and PyStan 2, one a chain, and stores their
draws as one run. Started again with the same --rid it completes the run. Files that are not there yet are waited for. A
damaged file is reported with its line, and the others go on.

Exit status: 0 if all files are complete and stored, 1 if not.
"""
_EXAMPLES = """\
  python -m mcbackend_edge tail --rid my-run output_1.csv output_2.csv
  python -m mcbackend_edge tail --rid my-run 'output_*.csv'         files that come later, too
  python -m mcbackend_edge tail --rid my-run --chains 4 'output_*.csv'
  python -m mcbackend_edge tail --rid my-run --once output_*.csv    what is there now
  python -m mcbackend_edge tail --rid my-run --chain 3 output.csv   one chain of a job array
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands, "tail", run, "store the draws of Stan's CSV files, while they grow", _DESCRIPTION, _EXAMPLES
    )
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE.csv",
        help="in the order of the chains; or one quoted pattern such as 'output_*.csv', whose numbers tell the chains",
    )
    where = command.add_argument_group("the run")
    where.add_argument("--url", help="the server (default: MCB_URL)")
    where.add_argument("--rid", help="id of the run (default: a new one)")
    where.add_argument("--name", help="name of the run, if it has none yet")
    where.add_argument("--tag", action="append", default=[], metavar="TAG", help="a tag of the run; may be repeated")
    where.add_argument("--notes", help="notes on the run, if it has none yet")
    where.add_argument(
        "--attribute",
        action="append",
        default=[],
        type=_attribute,
        metavar="KEY=VALUE",
        help="an attribute of the run: a number, true, false, null, or text; may be repeated",
    )
    where.add_argument(
        "--capture",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="tell host and user with the run (default: for a server on this machine)",
    )
    what = command.add_argument_group("the files")
    what.add_argument(
        "--chain",
        type=_chain,
        metavar="N",
        help="the first file is chain N, and those behind it count up: for a run of which others follow the rest",
    )
    what.add_argument(
        "--chains",
        type=_chains,
        metavar="N",
        help="wait until N files match the pattern (default: as many as the files tell of by num_chains > 1; else for "
        "others until nothing has come for 30 seconds, or for --idle)",
    )
    what.add_argument(
        "--warmup",
        type=_count,
        metavar="N",
        help="the first N rows of each file are warmup: for tables that do not tell it (0 if none is)",
    )
    when = command.add_argument_group("following")
    when.add_argument("--once", action="store_true", help="take what is there now, and do not wait for more")
    when.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS", help="between two looks (default: 1)"
    )
    when.add_argument("--idle", type=_seconds, metavar="SECONDS", help="give up after so long without a new draw")


def run(options: argparse.Namespace) -> int:
    sources = sources_of(options.files, options.chain, options.chains)
    beginning = Beginning.checked(options.name, options.tag, None, options.notes)
    with Client(options.url) as client:
        tail = Tail(
            client,
            sources,
            options.rid,
            lambda text: print(text, flush=True),
            beginning,
            attributes=dict(options.attribute),
            warmup=options.warmup,
            capture=options.capture,
            progress=sys.stderr.isatty() and not options.once,
            offline=not options.once,
        )
        if options.once:
            tail.poll()
        else:
            tail.follow(options.interval, options.idle)
        try:
            tail.finish()
        except UploadPendingError:
            # The server has been waited for: the client's end tells of the draws, and waits no more.
            client.close(0.0)
            return 1
    if tail.summary is not None:
        print(tail.summary, flush=True)
    return 1 if tail.errors else 0


def _attribute(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        plain = json.loads(value)
    except ValueError:
        return name, value
    is_finite = not isinstance(plain, float) or math.isfinite(plain)
    return name, plain if is_finite and isinstance(plain, (bool, int, float, str, type(None))) else value


def _chain(text: str) -> int:
    try:
        return check_chain(int(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be a chain number") from error


def _chains(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= MOST_CHAINS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of files")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
