"""`Client.store` and `Client.stream`: results of other libraries, finished or growing, as runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from .names import check_rid, new_rid
from .notices import Beginning

if TYPE_CHECKING:
    from .registering import Registering
    from .run import Run
    from .stream import NutpieStream


class StreamOptions(TypedDict, total=False):
    """The options of `Client.stream`, which are those of `Client.create_run`."""

    name: str | None
    rid: str | None
    tags: Sequence[str]
    notes: str | None
    attributes: Mapping[str, Any] | None
    facts: Mapping[str, Any] | None
    capture: bool | None


class ClientResults:
    """The part of `mcbackend_edge.Client` that stores results."""

    def store(
        self: Registering,
        result: Any,
        *,
        name: str | None = None,
        rid: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        capture: bool | None = None,
        progress: bool | None = None,
    ) -> Run:
        """Stores a finished result of any library, in blocks; `Run.to_datatree` gives it back.

            run = client.store(arviz.from_numpyro(mcmc), name="radon-centred")

        Posterior, sample stats, unconstrained posterior, their warmup, observed and constant data have their place;
        one warning names what has none. Storing the same result again under the same id changes nothing, and completes
        what was interrupted.

        Parameters
        ----------
        result : an `arviz.InferenceData`, an `xarray.DataTree`, the `xarray.Dataset` of a posterior with dimensions
            ``chain`` and ``draw``, or the path of a .nc or .zarr file, which is read as it is sent.
        rid : id of the run; one that sorts by time if not given.
        name, tags, notes, attributes, facts, capture : see `create_run`.
        progress : draw a progress bar; if not given, only where somebody is looking.

        Returns
        -------
        The run, with all its draws on the server.

        Raises
        ------
        TypeError, ValueError
            If it is no such result.
        RunConflictError, DrawConflictError
            If another result has this id.
        UploadPendingError
            If the server takes nothing for a minute.
        """
        from .store import store

        return store(
            self,
            result,
            rid=new_rid() if rid is None else check_rid(rid),
            beginning=Beginning.checked(name, tags, facts, notes),
            attributes=attributes,
            capture=capture,
            progress=progress,
        )

    @overload
    def stream(
        self: Registering, sampler: Any, *, blocking: Literal[True] = True, **options: Unpack[StreamOptions]
    ) -> Any: ...

    @overload
    def stream(
        self: Registering, sampler: Any, *, blocking: Literal[False], **options: Unpack[StreamOptions]
    ) -> NutpieStream: ...

    def stream(self: Registering, sampler: Any, *, blocking: bool = True, **options: Unpack[StreamOptions]) -> Any:
        """Stores the draws of a nutpie sampler while it samples, warmup and all.

            sampler = nutpie.sample(compiled, blocking=False)
            result = client.stream(sampler, name="radon-centred")

        Sampling goes on whatever happens to the server. A run of this id that has draws is left as it is, and the
        draws go to ``rid.2``, ``rid.3``, …

        Parameters
        ----------
        sampler : the one that ``nutpie.sample(…, blocking=False)`` gives. With a ``zarr_store`` the draws are stored
            when sampling has ended.
        blocking : True waits for the sampler's end; Ctrl-C ends sampling and gives the draws that there are. False
            gives a handle with ``run``, ``rid``, ``wait()`` and ``abort()``.
        **options : ``name``, ``rid``, ``tags``, ``notes``, ``attributes``, ``facts`` and ``capture``, as in
            `create_run`.

        Returns
        -------
        nutpie's own result.

        Raises
        ------
        TypeError
            If it is no such sampler.
        RuntimeError
            nutpie's, if sampling fails.
        """
        from .stream import stream_of

        streaming = stream_of(self, sampler, **options)
        if blocking:
            return streaming.follow()
        streaming.start()
        return streaming
