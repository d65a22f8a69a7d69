"""`Client.stream`: the draws of a nutpie sampler while it samples.

One thread waits for the sampler, and now and then looks at the draws that it has. Nothing that happens to the server
reaches the sampler: it is looked at no more, goes on, and its result is what it would have been.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import greeting
from .capture import environment_of
from .errors import McbError
from .facts import now, to_json
from .names import check_rid, new_rid
from .notices import Beginning
from .results.datasets import opened
from .results.layout import FLAG, Layout, layout_of
from .results.nutpie_rows import Rows, look
from .run import Chain, Run
from .schema import build_run_meta

if TYPE_CHECKING:
    from .registering import Registering

log = logging.getLogger("mcbackend_edge")

# Seconds between two questions whether the sampler has ended, and between two looks at its draws.
_POLL, _INTERVAL = 0.1, 0.5
# Looks take this share of the time at most.
_SHARE = 0.05
# Bytes of a block of draws.
_BLOCK = 4 << 20


class NutpieStream:
    """A nutpie sampler whose draws go to a server. Get one from ``client.stream(sampler, blocking=False)``.

    Attributes
    ----------
    rid : id of the run.
    run : the run; None until the sampler has its first draw.
    """

    def __init__(
        self,
        client: Registering,
        sampler: Any,
        *,
        rid: str,
        moved_from: str | None,
        beginning: Beginning,
        attributes: Mapping[str, Any] | None,
        capture: bool | None,
    ) -> None:
        self.rid = rid
        self.run: Run | None = None
        self._client = client
        self._sampler = sampler
        self._moved_from = moved_from
        self._attributes = attributes
        environment = environment_of(client.url, capture, "nutpie", "pymc", "pytensor", "arviz")
        self._began = time.monotonic()
        here = {**_settings(sampler), "startedAt": now(), "environment": environment}
        self._beginning = beginning.with_facts(here)
        self._layout: Layout | None = None
        self._chains: list[Chain] = []
        self._has_failed = False
        self._next_look = 0.0
        self._wants_abort = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"NutpieStream({self.rid!r})"

    def start(self) -> None:
        """Streams in a thread."""
        self._thread = threading.Thread(target=self._hold, name="mcbackend-edge-stream", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> Any:
        """Waits until sampling has ended, and gives nutpie's result.

        Raises
        ------
        TimeoutError
            If it takes longer than `timeout` seconds; it goes on.
        RuntimeError
            nutpie's, if sampling has failed.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"the sampler has not ended within {timeout} s; it goes on")
        if self._error is not None:
            raise self._error
        return self._result

    def abort(self) -> Any:
        """Ends sampling, and gives nutpie's result with the draws that there are."""
        self._wants_abort.set()
        return self.wait()

    def follow(self) -> Any:
        """Streams until the sampler has ended; its result. Ctrl-C ends sampling, as in `nutpie.sample`."""
        try:
            result = self._wait_and_look()
        except KeyboardInterrupt:
            result = self._abort()
        except BaseException:
            self._quietly(self._finish, None)
            raise
        self._quietly(self._finish, result)
        return result

    # -- the thread --------------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        try:
            self._result = self.follow()
        except BaseException as error:
            self._error = error

    def _wait_and_look(self) -> Any:
        while not self._wants_abort.is_set():
            try:
                return self._sampler.wait(timeout=_POLL)
            except TimeoutError:
                if time.monotonic() >= self._next_look:
                    self._quietly(self._look)
        return self._abort()

    def _abort(self) -> Any:
        self._quietly(self._look)
        return self._sampler.abort()

    def _quietly(self, step: Callable[..., None], *arguments: Any) -> None:
        """Does a step; if it fails, no more are done, and one message tells the way out."""
        if self._has_failed:
            return
        try:
            step(*arguments)
        except KeyboardInterrupt:
            raise
        except Exception as error:
            self._has_failed = True
            log.error(
                "run %s: draws are not streamed any more (%s). The sampler goes on; store its result with "
                "client.store(result).",
                *(self.rid, error),
                exc_info=None if isinstance(error, McbError) else error,
            )

    def _look(self) -> None:
        rows = look(self._sampler)
        if rows is None:
            # Its draws are on the disk, and are stored when sampling has ended.
            self._next_look = float("inf")
            return
        if self.run is None and any(chain.length for chain in rows):
            with warnings.catch_warnings():
                # ArviZ finds so few draws odd.
                warnings.simplefilter("ignore")
                first = self._sampler.inspect()
            self._begin(first)
        # The first look is followed by the conversion of the trace: later ones tell what a look costs.
        began = time.monotonic()
        rows = look(self._sampler) or rows
        for number, chain in enumerate(self._chains):
            self._send_rows(chain, rows[number])
        took = time.monotonic() - began
        self._next_look = time.monotonic() + max(_INTERVAL, took / _SHARE)

    def _begin(self, result: Any) -> None:
        """Registers the run by the first draws, or by the result."""
        with opened(result) as groups:
            layout = layout_of(groups, is_whole=False)
        attributes = {"inference_library": "nutpie", **layout.attributes, **(self._attributes or {})}
        meta = build_run_meta(
            self.rid,
            variables=[column.variable for column in layout.variables],
            sample_stats=layout.sample_stats,
            coords=layout.named_coords,
            attributes=attributes,
        )
        layout.notes.say(self.rid)
        run = self._client.register(meta, offline=True)
        run.notices.is_whole = True
        run.notices.begin(self._beginning)
        greeting.started(run, name=self._beginning.name, moved_from=self._moved_from)
        chains = [run.init_chain(number, start=0) for number in layout.chains]
        # The batches that it was made of are let go: the draws come from elsewhere.
        self._layout, self._chains, self.run = layout.without_arrays(), chains, run

    def _send_rows(self, chain: Chain, rows: Rows) -> None:
        """Sends the draws that have come since the last look; without warmup if the sampler does not keep it."""
        assert self._layout is not None
        layout = self._layout
        skipped = 0 if _keeps_warmup(self._sampler) else rows.warmup
        row = max(1, sum(column.row_bytes for column in (*layout.variables, *layout.stats)))
        step = max(1, _BLOCK // row)
        for begin in range(len(chain) + skipped, rows.length, step):
            end = min(begin + step, rows.length)
            draws = {c.variable.name: rows.block(c.variable, begin, end, is_stat=False) for c in layout.variables}
            stats = {c.variable.name: rows.block(c.variable, begin, end, is_stat=True) for c in layout.stats}
            if layout.flag:
                stats[FLAG] = np.arange(begin, end) < rows.warmup
            chain.extend(draws, stats)

    def _finish(self, result: Any | None) -> None:
        """Sends the draws since the last look, tells the end, and waits for the server a while."""
        if result is not None:
            if self.run is None:
                self._begin(result)
            with opened(result) as groups:
                self._send_rest(layout_of(groups, is_whole=False))
        if self.run is None:
            return
        self.run.notices.note({"samplingTime": round(time.monotonic() - self._began, 3)})
        if result is not None:
            self.run.end()
        try:
            self.run.flush(self._client.exit_timeout, progress=False)
        except McbError as error:
            log.warning("run %s: %s", self.rid, error)
        greeting.ended(self.run)

    def _send_rest(self, layout: Layout) -> None:
        steps: dict[str, Any] = {}
        for place, chain in enumerate(self._chains):
            lengths = layout.real_lengths(place)
            for draws, stats in layout.blocks(place, _BLOCK, len(chain), lengths=lengths):
                chain.extend(draws, stats)
            steps[str(chain.number)] = {"warmup": lengths[0], **layout.last_values(place, {"step_size": "stepSize"})}
        assert self.run is not None
        self.run.notices.note({"chains": steps})


def stream_of(
    client: Registering,
    sampler: Any,
    *,
    name: str | None = None,
    rid: str | None = None,
    tags: Sequence[str] = (),
    notes: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    capture: bool | None = None,
) -> NutpieStream:
    """The stream of a sampler; see `Client.stream`.

    Raises
    ------
    TypeError
        If it is no sampler of nutpie that is running.
    """
    is_sampler = all(hasattr(sampler, part) for part in ("inspect", "wait", "abort", "_sampler"))
    if not is_sampler or getattr(sampler, "_return_raw_trace", False):
        raise TypeError(
            f"a {type(sampler).__name__} cannot be streamed: give what nutpie.sample(…, blocking=False) returns, "
            "without return_raw_trace. client.store takes finished results"
        )
    beginning = Beginning.checked(name, tags, facts, notes)
    wanted = new_rid() if rid is None else check_rid(rid)
    free = wanted if rid is None else client.free_rid(wanted, offline=True)
    moved_from = None if free == wanted else wanted
    return NutpieStream(
        *(client, sampler),
        rid=free,
        moved_from=moved_from,
        beginning=beginning,
        attributes=attributes,
        capture=capture,
    )


def _keeps_warmup(sampler: Any) -> bool:
    return bool(getattr(sampler, "_save_warmup", True))


def _settings(sampler: Any) -> dict[str, Any]:
    """Settings and expected draws, as far as this version of nutpie tells them."""
    held: Any = getattr(sampler, "_settings", None)
    try:
        told = to_json(held.as_dict(), "settings") if hasattr(held, "as_dict") else {}
    except (TypeError, ValueError):
        told = {}
    inner = told.get("settings", {})
    draws, warmup = (inner.get(name, getattr(held, name, None)) for name in ("num_draws", "num_tune"))
    facts: dict[str, Any] = {"settings": told} if told else {}
    if isinstance(draws, int) and isinstance(warmup, int):
        facts["expected"] = {"draws": draws, "warmup": warmup if _keeps_warmup(sampler) else 0}
    return facts
