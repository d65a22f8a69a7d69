"""The command line: `python -m mcbackend_edge`, or `mcbackend-edge`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .commands import runs, sync, tail
from .errors import McbError

_ENVIRONMENT = """environment:
  MCB_URL         the server
  MCB_TOKEN       the key, where the server asks for one; it is never written to disk
  MCB_SPOOL_DIR   the spool folder
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mcbackend-edge" if Path(sys.argv[0]).name == "mcbackend-edge" else "python -m mcbackend_edge",
        description="Sends what was spooled, follows CmdStan's CSV files, and looks after the runs on a server.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mcbackend-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (sync, tail, runs):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status."""
    options = build_parser().parse_args(arguments)
    try:
        status: int = options.handler(options)
        return status
    except (McbError, ValueError, OSError) as error:
        print(f"mcbackend-edge: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mcbackend-edge: interrupted", file=sys.stderr)
        return 130
