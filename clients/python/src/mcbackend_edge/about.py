"""Lines of the list of runs, and what is known of a run beside its metadata: name, tags, notes, facts."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from . import html
from .errors import AboutChangedError, NotFoundError, OldServerError, ProtocolError, is_length, shown
from .facts import is_same, merge, to_json
from .names import check_rid
from .transport import MERGE_PATCH, MOST_ABOUT, Answer, Transport

RunState = Literal["done", "live", "silent"]
"""`done` by its facts or lengths, `live` when it was written within the last minute, else `silent`."""

# Stands for "stays as it is", where None means "is reset".
KEEP: Any = object()
# Seconds since the last write for which a run is `live`.
_LIVE = 60.0


@dataclass(frozen=True)
class RunSummary:
    """A row of the catalogue of runs.

    Attributes
    ----------
    draws : the sum of the chains' lengths.
    diagnostics : as they were last computed; None where they never were.

    Name, tags and diagnostics are empty where a server of an earlier release does not tell them, and `state` is then
    known from `updated_at` alone.
    """

    rid: str
    created_at: dt.datetime
    updated_at: dt.datetime
    variables: int
    sample_stats: int
    chains: int
    draws: int
    name: str | None = None
    tags: tuple[str, ...] = ()
    archived: bool = False
    state: RunState = "silent"
    diagnostics: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class RunAbout(RunSummary):
    """All that is known of a run beside its draws; `Run.about` gives it.

    Attributes
    ----------
    notes : text for people.
    facts : a dict for what is known late, or differs between two starts of one script. Integers are exact; a float
        without a fraction comes back as an integer.
    attributes : those of the run's metadata, as plain JSON.
    etag : changes with each `Run.set_about`, for its `if_match`.
    """

    notes: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    etag: str = ""

    def _repr_html_(self) -> str:
        times = f"{self.created_at:%Y-%m-%d %H:%M} to {self.updated_at:%Y-%m-%d %H:%M} UTC"
        rows: list[tuple[object, ...]] = [
            ("state", f"{self.state}, archived" if self.archived else self.state),
            ("tags", ", ".join(self.tags)),
            ("written", times),
            ("draws", f"{self.draws:,} in {self.chains:,} chains"),
            ("notes", self.notes or ""),
            *((f"attribute {name}", value) for name, value in islice(self.attributes.items(), 10)),
            *((f"fact {name}", value) for name, value in islice(self.facts.items(), 10)),
        ]
        title = html.text(f"{self.name} ({self.rid})" if self.name else self.rid)
        return html.box(f"Run {title}", html.table(("", ""), [row for row in rows if row[1] != ""]))


def summary_of(row: Any) -> RunSummary:
    """A line of the list of runs.

    Raises
    ------
    ProtocolError
        If it makes no sense.
    """
    return RunSummary(**_line(row))


def about_of(answer: Answer, rid: str) -> RunAbout:
    """The server's answer about a run.

    Raises
    ------
    ProtocolError
        If it makes no sense, or is about another run.
    """
    content = answer.json()
    line = _line(content)
    if line["rid"] != rid:
        raise ProtocolError(f"an answer about run {rid} is about {shown(repr(line['rid']), 150)}")
    etag = answer.headers.get("ETag", "")
    return RunAbout(
        **line,
        notes=_text_or_none(content, "notes"),
        facts=_object(content, "facts"),
        attributes=_object(content, "attributes"),
        etag=etag if re.fullmatch(r"[ -~]{1,1000}", etag) else "",
    )


def _line(row: Any) -> dict[str, Any]:
    try:
        counts = {
            "variables": row["variables"],
            "sample_stats": row["sampleStats"],
            "chains": row["chains"],
            "draws": row["draws"],
        }
        if not all(map(is_length, counts.values())):
            raise ValueError("a count is no number")
        updated_at = dt.datetime.fromisoformat(row["updatedAt"])
        tags = row.get("tags", [])
        return {
            "rid": check_rid(row["rid"]),
            "created_at": dt.datetime.fromisoformat(row["createdAt"]),
            "updated_at": updated_at,
            **counts,
            "name": _text_or_none(row, "name"),
            "tags": tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            "archived": row.get("archived") is True,
            "state": _state(row.get("state"), updated_at),
            "diagnostics": _object(row, "diagnostics") or None,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"an answer lists a run that makes no sense: {shown(repr(row), 200)}") from error


def _state(state: object, updated_at: dt.datetime) -> RunState:
    if state in ("done", "live", "silent"):
        return state
    return "live" if (dt.datetime.now(dt.timezone.utc) - updated_at).total_seconds() <= _LIVE else "silent"


def _text_or_none(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _object(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def patch_of(*, name: Any = KEEP, tags: Any = KEEP, notes: Any = KEEP, archived: Any = KEEP, facts: Any = KEEP) -> Any:
    """The JSON merge patch of what is given.

    Raises
    ------
    TypeError, ValueError
        For values that no server takes, with their place.
    """
    given = {"name": name, "tags": tags, "notes": notes, "archived": archived, "facts": facts}
    patch = {member: value for member, value in given.items() if value is not KEEP}
    for member, value in patch.items():
        if value is not None and not isinstance(value, _KINDS[member]):
            raise TypeError(f"{member} is a {type(value).__name__}, not {_WANTED[member]}")
    if isinstance(patch.get("tags"), str):
        raise TypeError(f"tags is one text, not {_WANTED['tags']}")
    if patch.get("tags") is not None:
        patch["tags"] = list(dict.fromkeys(patch["tags"]))
    return {member: to_json(value, member) for member, value in patch.items()}


_KINDS: dict[str, Any] = {"name": str, "tags": Sequence, "notes": str, "archived": bool, "facts": Mapping}
_WANTED = {
    "name": "a text",
    "tags": "a list of texts",
    "notes": "a text",
    "archived": "True or False",
    "facts": "a dict",
}


def is_made_by(about: RunAbout, patch: Mapping[str, Any]) -> bool:
    """True where the patch would change nothing: it may have been applied before."""
    present: dict[str, Any] = {
        "name": about.name,
        "tags": list(about.tags),
        "notes": about.notes,
        "archived": about.archived,
        "facts": about.facts,
    }
    nothing: dict[str, Any] = {"name": None, "tags": [], "notes": None, "archived": False, "facts": {}}
    for member, value in patch.items():
        changed = nothing[member] if value is None else value
        if member == "facts" and value is not None:
            changed = merge(about.facts, value)
        if not is_same(changed, present[member]):
            return False
    return True


@dataclass(frozen=True)
class AboutPath:
    """The document of one run on the server.

    Attributes
    ----------
    path : the run's path.
    headers : sent with each request: the registration.
    patience, timeout, can_go_on : see `Transport.request`.
    """

    transport: Transport
    rid: str
    path: str
    headers: Mapping[str, str]
    patience: float | None = None
    timeout: float | None = None
    can_go_on: bool = False

    def read(self) -> RunAbout:
        """
        Raises
        ------
        NotFoundError, RunReplacedError, OldServerError
        """
        return self._request("GET", None, self.headers)

    def change(self, patch: Mapping[str, Any], if_match: str | None = None) -> RunAbout:
        """Applies a merge patch. If an answer was lost, the change may be made already, and counts as made.

        Raises
        ------
        InvalidError, AboutChangedError, NotFoundError, RunReplacedError, OldServerError
        """
        headers = {**self.headers, **({} if if_match is None else {"If-Match": if_match})}
        body = json.dumps(patch, ensure_ascii=False, allow_nan=False).encode()
        try:
            return self._request("PATCH", body, headers)
        except AboutChangedError as error:
            if error.attempt == 1:
                raise
            present = self.read()
            if is_made_by(present, patch):
                return present
            raise

    def _request(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> RunAbout:
        try:
            answer = self.transport.request(
                method,
                f"{self.path}/about",
                body=body,
                content_type=MERGE_PATCH,
                headers=headers,
                patience=self.patience,
                timeout=self.timeout,
                can_go_on=self.can_go_on,
                limit=MOST_ABOUT,
            )
        except NotFoundError as error:
            if error.code != "not_found":
                raise
            raise OldServerError(f"{self.transport.url} keeps no names, notes and facts of runs") from error
        return about_of(answer, self.rid)
