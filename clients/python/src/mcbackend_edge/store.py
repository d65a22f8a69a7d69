"""`Client.store`: a finished result of any library as a run, in blocks, exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import greeting
from .capture import environment_of
from .errors import DrawConflictError, UploadPendingError
from .names import check_rid
from .notices import Beginning
from .progress import ProgressBar
from .reader import wants_progress
from .results.datasets import Result, opened
from .results.layout import Layout, layout_of
from .results.told import facts_of, finished_at, library_of, packages_of
from .run import Run
from .schema import RunMeta, build_run_meta

if TYPE_CHECKING:
    from .registering import Registering

# Bytes of a block, and of blocks that wait to be sent.
_BLOCK, _WAITING = 4 << 20, 32 << 20
# Seconds without progress after which a server counts as away.
_STANDSTILL = 60.0


def store(
    client: Registering,
    result: Any,
    *,
    rid: str,
    beginning: Beginning,
    attributes: Mapping[str, Any] | None,
    capture: bool | None,
    progress: bool | None,
) -> Run:
    """Uploads a result; see `Client.store`."""
    with opened(result) as groups:
        layout = layout_of(groups)
        meta = meta_of(rid, groups, layout, attributes)
        registration = client.register(meta, offline=False).registration
        run = client.open_run(meta, registration, is_spooled=False)
        run.origin = "in the result"
        before = run.lengths()
        known = facts_of(groups, layout.notes)
        layout.notes.say(rid)
        environment = environment_of(client.url, capture, *packages_of(groups), "arviz", "xarray").settle()
        environment["packages"] = {**environment["packages"], **packages_of(groups)}
        expected = {"draws": layout.draws, "warmup": layout.warmup}
        run.tell(beginning.with_facts({**known, "expected": expected, "environment": environment}))
        greeting.started(run, name=beginning.name)
        try:
            _send(run, layout, progress)
        except DrawConflictError as error:
            raise _other_draws(error, rid) from error
        finally:
            run.give_up()
    run.tell(Beginning(beginning.name, facts={"finishedAt": finished_at(groups)}))
    is_known = all(before.get(number, 0) >= layout.length for number in layout.chains)
    greeting.ended(run, remark="which were all there already" if is_known and layout.length else None)
    return client.open_run(meta, run.registration)


def meta_of(rid: str, result: Result, layout: Layout, attributes: Mapping[str, Any] | None) -> RunMeta:
    """Metadata that are the same whenever the same result is stored."""
    library = library_of(result)
    about = {**({"inference_library": library} if library else {}), **layout.attributes, **(attributes or {})}
    return build_run_meta(
        check_rid(rid),
        variables=[column.variable for column in layout.variables],
        sample_stats=layout.sample_stats,
        coords=layout.named_coords,
        data=layout.data,
        attributes=about,
    )


def _send(run: Run, layout: Layout, progress: bool | None) -> None:
    row = max(1, sum(column.row_bytes for column in (*layout.variables, *layout.stats)))
    most = max(1, _WAITING // row)
    total = layout.length * len(layout.chains)
    with ProgressBar(f"run {run.rid}: storing", total, "draws") as bar:
        for place, number in enumerate(layout.chains):
            chain = run.init_chain(number, start=0)
            for draws, stats in layout.blocks(place, _BLOCK):
                chain.extend(draws, stats)
                if run.pending > most:
                    _flush(run)
                if wants_progress(progress):
                    bar.update(place * layout.length + len(chain) - run.pending)
        _flush(run)


def _flush(run: Run) -> None:
    """Waits until all is on the server, for as long as it takes some.

    Raises
    ------
    McbError
        If the server refuses the draws, or takes none for a minute.
    """
    while True:
        before = run.pending
        try:
            return run.flush(_STANDSTILL, progress=False)
        except UploadPendingError as error:
            if run.pending >= before:
                message = f"{error}. Store the same result under the id {run.rid} again, which sends the rest"
                raise UploadPendingError(message, error.pending, None) from error


def _other_draws(error: DrawConflictError, rid: str) -> DrawConflictError:
    detail = (
        f"run {rid} has other draws than this result ({error.detail}): store it under another id, such as that which "
        f"client.free_rid({rid!r}) gives"
    )
    return DrawConflictError(error.status, error.code, detail, error.fields, error.retry_after)
