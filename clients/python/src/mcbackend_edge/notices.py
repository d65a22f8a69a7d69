"""Name, tags and facts that a writer tells of its run; the uploader's thread sends them behind the draws.

It is done as well as may be: a server that does not know them, or is away, costs the sampler nothing and keeps no draw
from being sent. News that are untold when draws are left in the spool stay there with them, and `sync` tells them; a
process that is killed leaves those that were known when its first chain began.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .about import AboutPath, RunAbout, patch_of
from .capture import Environment
from .errors import AccessError, ApiError, ConflictError, InvalidError, McbError, NotFoundError, OldServerError
from .facts import join, to_json

log = logging.getLogger("mcbackend_edge")

# Seconds between two changes, and behind one that has failed.
PAUSE, FAILED_PAUSE = 5.0, 30.0
# Seconds for which an answer is waited for: draws wait meanwhile.
ANSWER_TIMEOUT = 5.0


@dataclass(frozen=True)
class Beginning:
    """Name, tags, facts and notes for a run that has none yet; a run that is gone on with keeps its own."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: str | None = None

    @classmethod
    def checked(
        cls, name: str | None, tags: Sequence[str], facts: Mapping[str, Any] | None, notes: str | None = None
    ) -> Beginning:
        """
        Raises
        ------
        TypeError, ValueError
            For values that no server takes, with their place.
        """
        patch = patch_of(name=name, tags=tags, facts={} if facts is None else facts, notes=notes)
        return cls(patch["name"], tuple(patch["tags"] or ()), patch["facts"], patch["notes"])

    def with_facts(self, facts: Mapping[str, Any]) -> Beginning:
        """The same with more facts, of which those that are there already stay."""
        plain = to_json(facts, "facts")
        # An environment of which parts are still being found out goes with it as it is.
        plain.update({name: value for name, value in facts.items() if isinstance(value, Environment)})
        return replace(self, facts={**plain, **self.facts})

    def missing_in(self, about: RunAbout) -> dict[str, Any]:
        """The patch that adds what is not there."""
        patch: dict[str, Any] = {}
        if self.name is not None and about.name is None:
            patch["name"] = self.name
        if self.tags and not about.tags:
            patch["tags"] = list(self.tags)
        if self.notes is not None and about.notes is None:
            patch["notes"] = self.notes
        facts = {
            name: to_json(value.settle(), "facts") if isinstance(value, Environment) else value
            for name, value in self.facts.items()
            if name not in about.facts
        }
        return {**patch, "facts": facts} if facts else patch


class Notices:
    """News of one run that this process still has to tell.

    Attributes
    ----------
    name : that which the writer gives the run.
    is_whole : True where this process writes all chains, so that the run ends with it: `finishedAt` is then told.
    has_failed : True if the last attempt found no server; the next one is made later.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_whole = False
        self.has_failed = False
        self._lock = threading.Lock()
        self._beginning: Beginning | None = None
        self._facts: dict[str, Any] = {}
        self._end: str | None = None
        self._is_refused = self._is_sending = False
        self._not_before = 0.0

    def begin(self, beginning: Beginning) -> None:
        """Tells what no writer has told before, and that the run goes on."""
        with self._lock:
            self._beginning = beginning
            self.name = beginning.name

    def note(self, facts: Mapping[str, Any]) -> None:
        """Tells facts, as a merge patch."""
        plain = to_json(facts, "facts")
        with self._lock:
            self._facts = join(self._facts, plain)

    def end(self, at: str) -> None:
        """Tells that the run has ended, if it ends with this process."""
        if self.is_whole and self._end is None:
            self._end = at

    def untold(self) -> dict[str, Any]:
        """All that is still to be told, as JSON; empty if there is nothing. `again` takes it in another process."""
        with self._lock:
            beginning, facts, end = self._beginning, self._facts, self._end
        if self._is_refused:
            return {}
        news: dict[str, Any] = {}
        if beginning is not None:
            # Nothing is waited for: a sampler may be at work.
            known = {
                name: dict(value) if isinstance(value, Environment) else value
                for name, value in beginning.facts.items()
            }
            news = {"name": beginning.name, "tags": beginning.tags, "notes": beginning.notes, "facts": known}
        if facts:
            news["changes"] = facts
        if end is not None and self.is_whole:
            news["end"] = end
        return news

    def again(self, news: Mapping[str, Any]) -> None:
        """Takes what another process has left untold.

        Raises
        ------
        TypeError, ValueError
            If it makes no sense.
        """
        if "facts" in news:
            self.begin(Beginning.checked(news.get("name"), news.get("tags", ()), news["facts"], news.get("notes")))
        self.note(news.get("changes", {}))
        if end := news.get("end"):
            self.is_whole = True
            self.end(str(end))

    @property
    def is_wanted(self) -> bool:
        """True if there is something to tell that may be told at once, or is just being told."""
        return (self._is_sending or self._has_news) and not self.has_failed

    @property
    def _has_news(self) -> bool:
        return not self._is_refused and (self._beginning is not None or bool(self._facts) or self.is_ending)

    @property
    def is_ending(self) -> bool:
        return self._end is not None and self.is_whole

    def is_due(self) -> bool:
        """True if it is time for the next attempt."""
        return self._has_news and time.monotonic() >= self._not_before

    def send(self, document: AboutPath, *, is_checked: bool = False) -> None:
        """Tells what there is. No failure gets out of here, but for an `InvalidError` if `is_checked`."""
        with self._lock:
            beginning, facts, end = self._beginning, self._facts, self._end
            # Noted before the news are taken, so that there is no moment at which nothing seems to be wanted.
            self._is_sending = True
            self._beginning, self._facts = None, {}
        self._not_before = time.monotonic() + PAUSE
        try:
            self._tell(document, beginning, facts, end)
        except Exception as error:
            if is_checked and isinstance(error, InvalidError):
                raise
            if _is_for_good(error):
                self._is_refused = True
                _say(document, error, beginning)
                return
            log.debug("name and facts of run %s are told later: %s", document.rid, error)
            self.has_failed = True
            self._not_before = time.monotonic() + FAILED_PAUSE
            with self._lock:
                self._beginning = self._beginning or beginning
                self._facts = join(facts, self._facts)
        else:
            self.has_failed = False
            if end is not None:
                self._end, self.is_whole = None, False
        finally:
            self._is_sending = False

    def _tell(
        self, document: AboutPath, beginning: Beginning | None, facts: Mapping[str, Any], end: str | None
    ) -> None:
        patch: dict[str, Any] = {"facts": facts} if facts else {}
        if beginning is not None:
            try:
                present = document.read()
            except AccessError:
                # A key that may only write: an empty change is answered with what is there.
                present = document.change({})
            patch = join(beginning.missing_in(present), patch)
            if self.is_whole and "finishedAt" in present.facts:
                patch = join(patch, {"facts": {"finishedAt": None}})
        if end is not None and self.is_whole:
            patch = join(patch, {"facts": {"finishedAt": end}})
        if patch:
            document.change(patch)


def _is_for_good(error: Exception) -> bool:
    if isinstance(error, ApiError):
        # A key that is refused is tried again, as it is for draws.
        return not error.is_temporary and not isinstance(error, AccessError)
    return isinstance(error, OldServerError) or not isinstance(error, McbError)


def _say(document: AboutPath, error: Exception, beginning: Beginning | None) -> None:
    if not isinstance(error, McbError):
        log.error("name and facts of run %s were not told", document.rid, exc_info=error)
        return
    # A run that is gone is told of by its draws; facts that nobody has asked for are missed by nobody.
    is_asked_for = beginning is not None and (beginning.name is not None or beginning.tags or beginning.notes)
    is_silent = isinstance(error, (NotFoundError, ConflictError)) or (
        isinstance(error, OldServerError) and not is_asked_for
    )
    log.log(
        logging.DEBUG if is_silent else logging.WARNING,
        "name, tags and facts of run %s are not stored: %s",
        *(document.rid, error),
    )
