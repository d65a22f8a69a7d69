"""The kind of `argparse` parsers that the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

Handler = Callable[[argparse.Namespace], int]
"""Runs a command; its exit status."""


def add_command(
    commands: Commands, name: str, handler: Handler, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """A parser for the command `name`, whose options the caller adds.

    Parameters
    ----------
    summary : its line in the list of commands.
    examples : lines that run as they stand.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(handler=handler)
    return parser
