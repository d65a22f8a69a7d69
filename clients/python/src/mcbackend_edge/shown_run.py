"""Runs and chains in a notebook: name, state, chains and variables, as far as the server tells them quickly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from . import html
from .about import RunAbout
from .schema import Variable

# Seconds that a notebook waits for the server before it shows what is known without.
GLANCE_TIMEOUT = 2.0


@dataclass(frozen=True)
class Glance:
    """News of a run that a server told at once; None for what it did not tell."""

    about: RunAbout | None
    lengths: Mapping[int, int] | None


class ShownRun(Protocol):
    variables: Mapping[str, Variable]
    sample_stats: Mapping[str, Variable]
    path: str

    @property
    def rid(self) -> str: ...

    @property
    def server_url(self) -> str: ...

    @property
    def pending(self) -> int: ...

    def glance(self) -> Glance: ...


def run_html(run: ShownRun) -> str:
    glance = run.glance()
    about = glance.about
    name = about.name if about is not None else None
    title = (
        f"{html.text(name)} ({html.link(run.server_url + run.path, run.rid)})"
        if name
        else html.link(run.server_url + run.path, run.rid)
    )
    parts = [_facts_line(about, glance.lengths, run.pending)]
    if glance.lengths:
        first = list(islice(sorted(glance.lengths.items()), html.MOST_ROWS))
        rows = [(number, f"{length:,}") for number, length in first]
        parts.append(
            html.folded(_count(glance.lengths, "chain"), html.table(("chain", "draws"), rows, len(glance.lengths)))
        )
    parts.append(_variables("variable", run.variables, is_open=True))
    parts.append(_variables("sample stat", run.sample_stats))
    return html.box(f"Run {title}", *parts)


def chain_html(number: int, length: int | None, run: ShownRun) -> str:
    where = html.link(run.server_url + run.path, run.rid)
    draws = "the server does not answer" if length is None else f"{length:,} draws"
    return html.box(
        f"Chain {number} of run {where}", f"<div>{html.text(draws)}</div>", _variables("variable", run.variables)
    )


def _facts_line(about: RunAbout | None, lengths: Mapping[int, int] | None, pending: int) -> str:
    facts: list[str] = []
    if about is not None:
        facts += [about.state, f"since {about.created_at:%Y-%m-%d %H:%M} UTC"]
        facts += [f"#{tag}" for tag in about.tags[:10]]
    if lengths is None:
        facts.append("the server does not answer")
    else:
        facts.append(f"{sum(lengths.values()):,} draws")
    if pending:
        facts.append(f"{pending:,} draws still to be sent")
    return f'<div style="opacity: 0.8">{html.text(" · ".join(facts))}</div>'


def _variables(what: str, variables: Mapping[str, Variable], *, is_open: bool = False) -> str:
    if not variables:
        return ""
    rows = [(var.name, var.dtype, _shape(var), _dims(var.dims)) for var in islice(variables.values(), html.MOST_ROWS)]
    content = html.table(("name", "dtype", "shape", "dims"), rows, len(variables))
    return html.folded(_count(variables, what), content, is_open=is_open)


def _shape(var: Variable) -> str:
    if var.undefined_ndim:
        return "varies"
    return " × ".join("varies" if length == -1 else f"{length:,}" for length in var.shape[:8]) or "scalar"


def _dims(dims: Iterable[str]) -> str:
    return ", ".join(islice(dims, 8))


def _count(items: Mapping[object, object] | Mapping[int, int] | Mapping[str, Variable], what: str) -> str:
    return f"{len(items):,} {what}" if len(items) == 1 else f"{len(items):,} {what}s"
