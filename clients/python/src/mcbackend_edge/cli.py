"""The command line: `python -m mcbackend_edge`, or `mcbackend-edge`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .commands import delete, export, runs, show, sync, tail
from .errors import McbError

_ENVIRONMENT = """environment:
  MCB_URL         the server
  MCB_TOKEN       the key, where the server asks for one; it is never written to disk
  MCB_PROFILE     the file of "mcb login", which is read where these two are not set
  MCB_SPOOL_DIR   the spool folder

Each command has examples: python -m mcbackend_edge COMMAND --help
"""
_KEY_OPTION = re.compile(r"--?(token|key|secret|password)(=.*)?")
_INTERRUPTED, _MISUSED = 130, 2


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mcbackend-edge" if Path(sys.argv[0]).name == "mcbackend-edge" else "python -m mcbackend_edge",
        description="Sends what was spooled, follows CmdStan's CSV files, and looks after the runs on a server.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mcbackend-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (runs, show, export, delete, sync, tail):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if any(_KEY_OPTION.fullmatch(word) for word in words):
        print(
            "mcbackend-edge: a key is no argument, which others on this machine see: set MCB_TOKEN, or log in with "
            "npx mcb login",
            file=sys.stderr,
        )
        return _MISUSED
    options = build_parser().parse_args(words)
    try:
        status: int = options.handler(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Somebody has read as much as they wanted. Python would complain once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (McbError, ValueError, TypeError, ImportError, OSError) as error:
        print(f"mcbackend-edge: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mcbackend-edge: interrupted", file=sys.stderr)
        return _INTERRUPTED
