"""The client: registers runs, appends and reads draws.

client = Client("https://draws.example.org", token="…")
run = client.create_run(variables={"theta": np.zeros(8), "mu": 0.0}, sample_stats={"lp": 0.0})
chain = run.init_chain(0)
chain.append({"theta": theta, "mu": mu}, {"lp": lp})
run.flush()
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlencode

from numpy.typing import ArrayLike

from . import html
from .about import AboutPath, RunSummary, summary_of
from .capture import environment_of
from .client_results import ClientResults
from .errors import (
    AccessError,
    ApiError,
    McbError,
    NotFoundError,
    OldServerError,
    ProtocolError,
    RunConflictError,
    ServerUnreachableError,
    may_pass,
    shown,
)
from .explaining import explained_run_conflict
from .facts import now
from .finding import AttributeValue, conditions
from .names import check_rid
from .names import new_rid as new_rid
from .notices import Beginning
from .profile import server_and_key
from .run import Run
from .run_writer import RunWriter
from .schema import DataVariable, RunMeta, Variables, build_run_meta
from .spool import RunSpool, default_root
from .transport import MOST_ABOUT, MOST_META, PROTOBUF, Transport
from .uploader import EXIT_TIMEOUT, INTERVAL, Uploader
from .ways_out import sync_command

log = logging.getLogger("mcbackend_edge")

# Seconds for which a server that was given up is not asked again, by another step of the same beginning.
_JUST_NOW = 1.0
# Stands for "not given", where None means "none".
DEFAULT_SPOOL: Any = object()


def numbered(rid: str, number: int) -> str:
    """The id with a number behind it, as long as an id may be."""
    ending = f".{number}"
    return f"{rid[: 128 - len(ending)]}{ending}"


def _writer_in_memory(meta: RunMeta, registration: str | None) -> RunWriter:
    return RunWriter(meta, registration, None)


class Client(ClientResults):
    """Speaks to one server.

    Parameters
    ----------
    url : the server's address. If it is not given, the environment variable ``MCB_URL``, or else the server of the
        profile that ``mcb login`` wrote.
    token : the key, else ``MCB_TOKEN``, else that of the profile if it is for this server; not needed by all servers.
    spool : folder for draws that cannot be sent at once; ``MCB_SPOOL_DIR`` or one in the user's state folder if not
        given; None keeps them in memory, and loses them if the process dies.
    interval : seconds between two uploads, which is how far readers lag behind the sampler. It is more where a sampler
        makes more than a server on the same machine takes in a tenth of the time: `flush` sends all.
    patience : seconds for which a request that may succeed later is retried before it raises; four times as long where
        the server is busy and says when it will have time. An address that has never answered and cannot be reached at
        all raises within 2 s. (Appended draws are retried for as long as the process lives.)
    exit_timeout : seconds that the end of the process waits for the server to take what is left.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        spool: str | os.PathLike[str] | None = DEFAULT_SPOOL,
        interval: float = INTERVAL,
        patience: float = 15.0,
        exit_timeout: float = EXIT_TIMEOUT,
    ) -> None:
        url, self._token = server_and_key(url, token)
        self.exit_timeout = exit_timeout
        self._transport = Transport(url, self._token, patience=patience)
        self._uploader = Uploader(self._transport, interval=interval, exit_timeout=exit_timeout)
        chosen = default_root() if spool is DEFAULT_SPOOL else None if spool is None else Path(spool)
        # A process may change its working folder while it samples.
        self._spool = None if chosen is None else chosen.absolute()
        self._gone_on_at = -math.inf

    def __repr__(self) -> str:
        return f"Client({self._transport.url!r})"

    def _repr_html_(self) -> str:
        """Its address and spool; the server is not asked."""
        rows = [("server", self._transport.url), ("spool", self._spool or "none: draws wait in memory")]
        return html.box("Client", html.table(("", ""), rows))

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    @property
    def token(self) -> str | None:
        """The key; None where none is given."""
        return self._token

    @property
    def spool_root(self) -> Path | None:
        """The folder for draws that cannot be sent at once; None if they are kept in memory."""
        return self._spool

    @property
    def has_outage(self) -> bool:
        """True if the last attempt to send draws, or to begin, has failed for a reason that may pass."""
        return self._uploader.has_outage

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left, and closes the connections. Says so if draws remain in the spool.

        Parameters
        ----------
        timeout : seconds to wait for the server, `exit_timeout` if not given.
        """
        self._uploader.close(timeout)
        self._transport.close()

    def runs(
        self,
        limit: int | None = None,
        *,
        q: str | None = None,
        tag: str | Sequence[str] = (),
        since: dt.date | str | None = None,
        until: dt.date | str | None = None,
        updated_since: dt.date | str | None = None,
        attr: Mapping[str, AttributeValue] | None = None,
        archived: bool | Literal["any"] = False,
    ) -> Iterator[RunSummary]:
        """The runs on the server, the newest first: those for which all that is given holds.

            for line in client.runs(q="schools", tag="paper", since=dt.date(2026, 11, 1), attr={"sampler": "emcee"}):
                print(line.rid, line.name, line.state)

        Parameters
        ----------
        limit : at most so many.
        q : part of the id or the name, in upper or lower case.
        tag : one or several, of which a run has all.
        since, until : registered at `since` or later, and before `until`: a datetime (UTC if it has no zone), a date
            (its begin in UTC), or text in RFC 3339.
        updated_since : written to at that time or later.
        attr : values of attributes of the metadata: text, numbers, bools, None. Numbers match by value, and a text that
            is written as one (``"5"``) matches that number, too.
        archived : False leaves archived runs out, True gives these alone, "any" both.

        Raises
        ------
        InvalidError
            If the server does not know a condition, or takes none such.
        OldServerError
            If the server is of an earlier release, which ignores conditions and would give all runs.
        """
        asked_for = conditions(
            q=q, tag=tag, since=since, until=until, updated_since=updated_since, attr=attr, archived=archived
        )
        return self._runs(limit, asked_for)

    def _runs(self, limit: int | None, asked_for: list[tuple[str, str]]) -> Iterator[RunSummary]:
        # Archived runs are unknown to a server that ignores the condition: then all runs are what was asked for.
        needs_filter = any(condition != ("archived", "any") for condition in asked_for)
        cursor: str | None = None
        seen: set[str] = set()
        left = limit
        while left is None or left > 0:
            asked = 1000 if left is None else min(left, 1000)
            query = [("limit", str(asked)), *asked_for, *([("cursor", cursor)] if cursor else [])]
            answer = self._transport.request("GET", f"/v1/runs?{urlencode(query)}", limit=MOST_ABOUT)
            rows = answer.rows("runs")
            if len(rows) > asked:
                raise ProtocolError(f"an answer lists {len(rows)} runs, where {asked} were asked for")
            if needs_filter and any(isinstance(row, dict) and "state" not in row for row in rows):
                raise OldServerError(f"{self._transport.url} cannot find runs by conditions: it would list them all")
            yield from map(summary_of, rows)
            cursor = answer.json().get("nextCursor")
            left = None if left is None else left - len(rows)
            if not cursor:
                return
            if not isinstance(cursor, str) or len(cursor) > 10_000 or cursor in seen or not rows:
                raise ProtocolError(f"the list of runs does not end: it goes on with {shown(repr(cursor), 100)}")
            seen.add(cursor)

    def run(self, rid: str) -> Run:
        """A run on the server.

        Raises
        ------
        NotFoundError
        """
        answer = self._transport.request(
            "GET", f"/v1/runs/{check_rid(rid)}", headers={"Accept": PROTOBUF}, limit=MOST_META
        )
        meta = RunMeta.received(bytes(answer.body))
        if meta.rid != rid:
            raise ProtocolError(f"an answer about run {rid} is about {shown(repr(meta.rid), 150)}")
        return self.open_run(meta, answer.registration())

    def create_run(
        self,
        rid: str | None = None,
        *,
        variables: Variables,
        sample_stats: Variables = (),
        coords: Mapping[str, ArrayLike] | None = None,
        dims: Mapping[str, Sequence[str]] | None = None,
        data: Mapping[str, ArrayLike] | Iterable[DataVariable] = (),
        observed_data: Mapping[str, ArrayLike] | None = None,
        attributes: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        facts: Mapping[str, Any] | None = None,
        capture: bool | None = None,
        offline: bool | None = None,
    ) -> Run:
        """Registers a run. Registering an equal one again, under the same id, gives that one.

        Parameters
        ----------
        rid : its id, of up to 128 of ``A-Z a-z 0-9 . _ ~ -``; one that sorts by time if not given.
        variables, sample_stats : a list of `Variable`, or example values by name, from which dtype and shape are taken.
        coords : labels by dimension.
        dims : names of the dimensions, by variable or data; only where these are given as plain values.
        data : constant data by name, or a list of `DataVariable`.
        observed_data : observed data by name.
        attributes : anything else: numbers, text, bools, lists, dicts, times, arrays. They are part of the run, so that
            two starts of one script must give the same. ``inference_library`` names the package that samples.
        name, tags, notes, facts : those of a run that has none yet; see `mcbackend_edge.Run.set_about`. `facts` are for
            what differs between two starts.
        capture : True tells in the facts' ``environment`` host, user, script or notebook, and git's commit; False
            versions alone; if not given, the rest is told to a server on this machine only. It is told with the draws.
        offline : go on with a warning if the server cannot be reached, or is overloaded: the run is then registered
            when its draws are sent. If not given, that is done where there is a spool to keep them. False makes it an
            error. A key that is refused, another run of this id, and an address at which there is no such server are
            errors in any case.

        Raises
        ------
        IdentifierError
            If no run can have this id.
        RunConflictError
            If a different run is registered under this id; the message names the parts that differ.
        InvalidError
            If the server refuses the metadata, the name, tags, notes or facts.
        ServerUnreachableError
        """
        beginning = Beginning.checked(name, tags, facts, notes)
        meta = build_run_meta(
            new_rid() if rid is None else check_rid(rid),
            variables=variables,
            sample_stats=sample_stats,
            coords=coords,
            dims=dims,
            data=data,
            observed_data=observed_data,
            attributes=attributes,
        )
        run = self.register(meta, offline=offline)
        if beginning != Beginning() and run.registration is not None:
            run.tell(beginning)
        library = (attributes or {}).get("inference_library")
        packages = [library] if isinstance(library, str) and library else []
        here = {"startedAt": now(), "environment": environment_of(self.url, capture, *packages)}
        run.notices.begin(beginning.with_facts(here))
        return run

    def register(self, meta: RunMeta, *, offline: bool | None = None) -> Run:
        """Registers a run whose metadata are at hand as a message; see `create_run`."""
        path = f"/v1/runs/{check_rid(meta.rid)}"
        can_go_on = self._is_offline(offline)
        if can_go_on and time.monotonic() - self._gone_on_at < _JUST_NOW:
            return self.open_run(meta, None)
        try:
            answer = self._transport.request("PUT", path, body=meta.raw, can_go_on=can_go_on)
        except RunConflictError as error:
            raise self._explained(error, meta) from None
        except (ServerUnreachableError, ApiError) as error:
            if not self.goes_on(error, offline):
                raise
            return self.open_run(meta, None)
        return self.open_run(meta, answer.registration())

    def _explained(self, error: RunConflictError, meta: RunMeta) -> RunConflictError:
        try:
            return explained_run_conflict(error, self.run(meta.rid).meta, meta)
        except McbError:
            # A key that may only write, or a run that is gone meanwhile.
            return error

    def goes_on(self, error: McbError, offline: bool | None) -> bool:
        """True if sampling begins in spite of this failure; the user is then told."""
        if not may_pass(error) or not self._is_offline(offline):
            return False
        if self._spool is None:
            place = "kept in memory, sent when it answers, and lost if this process ends before"
        else:
            command = sync_command(self._spool)
            place = f"spooled in {self._spool} and sent when it answers, or later with: {command}"
        self._uploader.is_away(error, place)
        self._gone_on_at = time.monotonic()
        return True

    def _is_offline(self, offline: bool | None) -> bool:
        return self._spool is not None if offline is None else offline

    def free_rid(self, rid: str, *, offline: bool | None = None) -> str:
        """The id itself if no run of that id has draws, else the next one of ``rid.2``, ``rid.3``, … that is free.

        A run is then left as it is by a writer that cannot go on with it. Gaps, where runs were deleted, may be found
        as well as the end.

        Parameters
        ----------
        offline : give the id itself if the server cannot be reached, or is overloaded; if not given, where there is a
            spool.

        Raises
        ------
        IdentifierError, ServerUnreachableError
        """
        try:
            return self._free_rid(check_rid(rid), self._is_offline(offline))
        except (ServerUnreachableError, ApiError) as error:
            if not self.goes_on(error, offline):
                raise
            return rid

    def _free_rid(self, rid: str, can_go_on: bool) -> str:
        if not self._has_draws(rid, can_go_on):
            return rid
        taken, free = 1, 2
        while self._has_draws(numbered(rid, free)):
            taken, free = free, 2 * free
        while free - taken > 1:
            middle = (taken + free) // 2
            if self._has_draws(numbered(rid, middle)):
                taken = middle
            else:
                free = middle
        return numbered(rid, free)

    def _has_draws(self, rid: str, can_go_on: bool = False) -> bool:
        document = AboutPath(self._transport, rid, f"/v1/runs/{rid}", {}, can_go_on=can_go_on)
        try:
            try:
                return document.read().draws > 0
            except AccessError:
                # A key that may only write: an empty change is answered with what is there.
                return document.change({}).draws > 0
        except NotFoundError:
            return False
        except OldServerError:
            try:
                answer = self._transport.request("GET", f"/v1/runs/{rid}/chains")
            except NotFoundError:
                return False
            return any(answer.lengths().values())

    def delete_run(self, rid: str) -> None:
        """Deletes a run with all its chains and draws.

        Raises
        ------
        NotFoundError
        """
        try:
            answer = self._transport.request("DELETE", f"/v1/runs/{check_rid(rid)}")
        except NotFoundError as error:
            if error.attempt == 1 or error.code != "run_not_found":
                raise
            # An attempt whose answer was lost has deleted it. Another 404 is not the server's.
            return
        if answer.status != 204:
            raise ProtocolError(f"{self._transport.url} answers {answer.status} where a run that is gone is 204")

    def open_run(self, meta: RunMeta, registration: str | None, *, is_spooled: bool = True) -> Run:
        """A handle on a registered run; with registration None, on one that is registered when its draws are sent.

        Parameters
        ----------
        is_spooled : False keeps draws that wait in memory, for those that are to be had again elsewhere.
        """
        new_writer = self._new_writer if is_spooled else _writer_in_memory
        return Run(meta, registration, self._transport, self._uploader, new_writer)

    def _new_writer(self, meta: RunMeta, registration: str | None) -> RunWriter:
        spool = None
        if self._spool is not None:
            try:
                spool = RunSpool.create(self._spool, self._transport.url, meta, registration, self._token)
            except (OSError, ImportError) as error:
                log.warning("no spool in %s (%s): draws that cannot be sent are kept in memory.", self._spool, error)
        return RunWriter(meta, registration, spool)
