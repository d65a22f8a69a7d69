"""HTML for notebooks: small tables that look right on light and on dark pages. All text in them is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .errors import shown

# Rows of a table, and characters of a cell.
MOST_ROWS, _MOST_TEXT = 20, 200

# Greys that are seen on white and on black; the page's own font and colours are left as they are.
_LINE = "1px solid rgba(128, 128, 128, 0.35)"
_CELL = f"text-align: left; padding: 0.15em 0.8em 0.15em 0; border: none; border-bottom: {_LINE}; background: none"
_SUMMARY = "cursor: pointer; margin-top: 0.4em"


def text(value: object, most: int = _MOST_TEXT) -> str:
    """A value as escaped text, of at most so many characters."""
    return html.escape(shown(str(value), most))


def link(url: str, label: object) -> str:
    """A link; plain text if the address is not one of the web."""
    if not url.startswith(("http://", "https://")):
        return text(label)
    return f'<a href="{html.escape(url)}" target="_blank" rel="noopener noreferrer">{text(label)}</a>'


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], total: int | None = None, *, most_text: int = _MOST_TEXT
) -> str:
    """The first rows of a table.

    Parameters
    ----------
    total : number of all rows, if `rows` holds the first of them only.
    most_text : characters of a cell.
    """
    total = len(rows) if total is None else total
    head = "".join(f'<th style="{_CELL}; opacity: 0.7; font-weight: normal">{text(name)}</th>' for name in columns)
    cells = ("".join(f'<td style="{_CELL}">{text(value, most_text)}</td>' for value in row) for row in rows[:MOST_ROWS])
    body = "".join(f"<tr style='background: none'>{row}</tr>" for row in cells)
    more = total - min(len(rows), MOST_ROWS)
    note = f'<div style="opacity: 0.7">and {more:,} more</div>' if more > 0 else ""
    header = f"<thead><tr>{head}</tr></thead>" if any(columns) else ""
    return f'<table style="border-collapse: collapse; margin: 0.2em 0">{header}<tbody>{body}</tbody></table>{note}'


def folded(title: str, content: str, *, is_open: bool = False) -> str:
    """Content that is shown on a click."""
    return (
        f'<details{" open" if is_open else ""}><summary style="{_SUMMARY}">{text(title)}</summary>{content}</details>'
    )


def box(title: str, *parts: str) -> str:
    """The whole; `title` and `parts` are HTML."""
    return f'<div style="line-height: 1.4"><div><strong>{title}</strong></div>{"".join(parts)}</div>'
