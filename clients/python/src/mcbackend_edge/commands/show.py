"""`show`: tells what there is of one run, but for its draws."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ..about import RunAbout
from ..client import Client
from ..errors import OldServerError, shown
from ..run import Run
from ..schema import Variable
from ..ways_out import counted
from .parsers import add_command
from .runs import summary_json
from .tables import age, table

if TYPE_CHECKING:
    from .parsers import Commands

_DESCRIPTION = "Shows a run: name, state, chains, variables and sampler stats, attributes, facts and notes."
_EXAMPLES = """\
  python -m mcbackend_edge show my-run
  python -m mcbackend_edge show my-run --json
"""
# Rows of a table, at most; --json has all.
_MOST_ROWS = 200


def add_to(commands: Commands) -> None:
    command = add_command(commands, "show", run, "show one run", _DESCRIPTION, _EXAMPLES)
    command.add_argument("rid", metavar="RID", help="id of the run")
    command.add_argument("--url", help="the server (default: MCB_URL, or that of mcb login)")
    command.add_argument("--json", action="store_true", help="as JSON, for scripts")


def run(options: argparse.Namespace) -> int:
    with Client(options.url, spool=None) as client:
        found = client.run(options.rid)
        lengths = found.lengths()
        try:
            about: RunAbout | None = found.about()
        except OldServerError:
            about = None
    if options.json:
        print(json.dumps(_json(found, lengths, about), ensure_ascii=False, indent=1, default=str))
    else:
        _print(found, lengths, about)
    return 0


def _json(run: Run, lengths: dict[int, int], about: RunAbout | None) -> dict[str, Any]:
    told = {} if about is None else {**summary_json(about), "notes": about.notes, "facts": about.facts}
    return {
        **told,
        "rid": run.rid,
        "chains": [{"chain": number, "length": length} for number, length in sorted(lengths.items())],
        "variables": [_variable_json(var) for var in run.meta.variables],
        "sampleStats": [_variable_json(var) for var in run.meta.sample_stats],
        "attributes": dict(about.attributes) if about is not None else run.attributes,
    }


def _variable_json(var: Variable) -> dict[str, Any]:
    shape = None if var.undefined_ndim else list(var.shape)
    return {"name": var.name, "dtype": var.dtype, "shape": shape, "dims": list(var.dims)}


def _print(run: Run, lengths: dict[int, int], about: RunAbout | None) -> None:
    rows: list[tuple[str, object]] = [("run", run.rid)]
    if about is not None:
        rows += [
            ("name", about.name),
            ("state", about.state),
            ("registered", f"{about.created_at:%Y-%m-%d %H:%M:%S}Z ({age(about.created_at)} ago)"),
            ("tags", ", ".join(about.tags)),
        ]
    rows.append(("draws", f"{counted(sum(lengths.values()), 'draw')} in {counted(len(lengths), 'chain')}"))
    print(table(("", ""), rows).lstrip("- \n"))
    _section("chains", ("CHAIN", "DRAWS"), sorted(lengths.items()))
    heads = ("NAME", "DTYPE", "SHAPE", "DIMS")
    _section("variables", heads, [_row(var) for var in run.meta.variables])
    _section("sampler stats", heads, [_row(var) for var in run.meta.sample_stats])
    _values("attributes", dict(about.attributes) if about is not None else run.attributes)
    if about is not None:
        _values("facts", dict(about.facts))
        if about.notes:
            print("\nnotes")
            for line in about.notes.splitlines():
                print(f"  {shown(line)}")


def _row(var: Variable) -> tuple[object, ...]:
    lengths = ", ".join("?" if length == -1 else str(length) for length in var.shape)
    return var.name, var.dtype, "any" if var.undefined_ndim else f"({lengths})", ", ".join(var.dims)


def _section(title: str, heads: tuple[str, ...], rows: list[Any]) -> None:
    if not rows:
        return
    print(f"\n{title}")
    print("\n".join(f"  {line}" for line in table(heads, rows[:_MOST_ROWS]).splitlines()))
    if len(rows) > _MOST_ROWS:
        print(f"  and {len(rows) - _MOST_ROWS:,} more: --json has all")


def _values(title: str, values: dict[str, Any]) -> None:
    if not values:
        return
    print(f"\n{title}")
    for name, value in list(values.items())[:_MOST_ROWS]:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        print(f"  {shown(name, 100)}: {shown(text, 500)}")
