"""Handles on a run and its chains; names and values follow McBackend's."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from .about import KEEP, AboutPath, RunAbout, patch_of
from .chain_reading import ChainReading
from .errors import McbError
from .mirror import Mirror
from .names import check_chain
from .notices import Beginning, Notices
from .opening import open_chain
from .progress import ProgressBar
from .reader import ChainReader, wants_progress
from .run_reading import RunReading
from .run_writer import RunWriter
from .schema import RunMeta
from .segment import Layout
from .shown_run import chain_html
from .transport import Transport
from .uploader import Uploader
from .writer import Casting, ChainWriter

if TYPE_CHECKING:
    pass

Append = Callable[[Mapping[str, ArrayLike], Mapping[str, ArrayLike] | None], None]


class Run(RunReading):
    """A run on the server. Get one from `Client.run` or `Client.create_run`.

    Attributes
    ----------
    meta : its metadata.
    path : the run's path on the server.
    registration : identity of the registration; None until the server has a run that was begun offline.
    notices : name and facts that a writer tells in the background.
    origin : place where the draws that this process appends are to be had again, such as a file; None if there is none.
        Set before the first chain is opened, it leaves the telling of draws that the server refuses to the caller, and
        the spool does not keep them.
    """

    def __init__(
        self,
        meta: RunMeta,
        registration: str | None,
        transport: Transport,
        uploader: Uploader,
        new_writer: Callable[[RunMeta, str | None], RunWriter],
    ) -> None:
        super().__init__(meta, transport)
        self._registration = registration
        self._uploader = uploader
        self._new_writer = new_writer
        self._writer: RunWriter | None = None
        self._own: dict[int, Chain] = {}
        self.origin: str | None = None
        self.notices = Notices()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()

    @property
    def registration(self) -> str | None:
        return self._writer.registration if self._writer else self._registration

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request of this handle, so that it never touches a run that replaced this one."""
        return {"Mcb-Registration": self.registration} if self.registration else {}

    def init_chain(
        self,
        chain_number: int,
        *,
        resume: bool = False,
        start: int | None = None,
        mirror: bool = False,
        casting: Casting = "strict",
    ) -> Chain:
        """Opens a chain for writing.

        Parameters
        ----------
        resume : go on where the chain on the server ends, if it exists. Without it an existing chain is an error.
        start : index of the first iteration that will be appended. The server compares the iterations that it has, and
            takes those that are new. The chain is opened without asking the server.
        mirror : keep what is appended in memory as well, so that reading it back costs no request.
        casting : "strict" refuses values that do not go into the registered dtype without loss, and wrong shapes;
            "numpy" stores what assigning them to a NumPy array would.

        Raises
        ------
        ChainExistsError
            If the chain exists; with its two ways out.
        """
        chain_number = check_chain(chain_number)
        if chain_number in self._own:
            raise McbError(f"chain {chain_number} of run {self.rid} is open for writing already")
        if self._writer is not None and self._writer.process != os.getpid():
            # A fork writes chains of its own into a spool of its own; its parent deletes the other.
            self._writer, self.notices = None, Notices()
        writer_of_run = self._writer or self._new_writer(self.meta, self.registration)
        length, is_created = start or 0, False
        if start is None:
            length, is_created = open_chain(self._transport, self._uploader, writer_of_run, chain_number, resume=resume)
        writer = writer_of_run.add_chain(chain_number, length, casting)
        writer.is_created = is_created
        writer.wake = self._uploader.wake
        if self._writer is None:
            writer_of_run.notices = self.notices
            writer_of_run.keep_news()
            writer_of_run.origin = self.origin
            self._writer = writer_of_run
            self._uploader.add(writer_of_run)
            # Not at the end of the process, where the uploader's own end tells of draws that are left.
            weakref.finalize(self, self._uploader.release, writer_of_run).atexit = False
        copy = Mirror(writer_of_run.layout, writer) if mirror and length == 0 else None
        chain = Chain(self, chain_number, self._reader(chain_number), writer, copy)
        # Run and chain hold each other: Python's collector frees both when neither is in use.
        self._own[chain_number] = chain
        return chain

    def chain(self, chain_number: int) -> Chain:
        """A chain of this process or of another one."""
        chain_number = check_chain(chain_number)
        return self._own.get(chain_number) or Chain(self, chain_number, self._reader(chain_number))

    def get_chains(self) -> tuple[Chain, ...]:
        """All chains, by number."""
        return tuple(self.chain(number) for number in sorted({*self.lengths(), *self._own}))

    def about(self) -> RunAbout:
        """Name, tags, notes and facts of the run, and its line of the list, as they are now.

        Raises
        ------
        NotFoundError, OldServerError
        """
        return self._document().read()

    def set_about(
        self,
        *,
        name: str | None = KEEP,
        tags: Sequence[str] | None = KEEP,
        notes: str | None = KEEP,
        archived: bool | None = KEEP,
        facts: Mapping[str, Any] | None = KEEP,
        if_match: str | None = None,
    ) -> RunAbout:
        """Changes what is given, and leaves the rest; None resets. Gives all of it as it is then.

            run.set_about(name="Eight schools", tags=["paper"], facts={"expected": {"draws": 1000, "warmup": 1000}})

        Parameters
        ----------
        name, notes : text of at most 200 characters, and of 64 KiB.
        tags : 50 at most, of 64 characters at most. They replace those that are there.
        archived : True leaves the run out of lists that do not ask for it.
        facts : values that are known late, or differ between two starts of one script; 1 MiB of JSON at most. Dicts are
            merged into those that are there, at any depth, and a None in them removes. For values of NumPy, times and
            the like see `mcbackend_edge.facts.to_json`.
        if_match : the `etag` of an earlier `about`: nothing is changed if somebody else has changed something since.

        Raises
        ------
        TypeError, ValueError
            For values that JSON does not have, such as NaN; the message names their place. `InvalidError`, which is a
            ValueError, for what is too long.
        AboutChangedError
            If `if_match` is not the present one.
        NotFoundError, OldServerError
        """
        patch = patch_of(name=name, tags=tags, notes=notes, archived=archived, facts=facts)
        return self._document().change(patch, if_match)

    def tell(self, beginning: Beginning) -> None:
        """Gives a run that has none yet a name, tags, notes and facts, at once.

        A server that keeps no such things, or a failure that may pass, costs a warning at most: it is told again with
        the draws.

        Raises
        ------
        InvalidError
            For what is too long.
        """
        self.notices.begin(beginning)
        self.notices.send(self._document(), is_checked=True)

    def _document(self) -> AboutPath:
        return AboutPath(self._transport, self.rid, self.path, self.headers)

    def flush(self, timeout: float = 60.0, *, progress: bool | None = None) -> None:
        """Waits until everything that this process appended is on the server.

        Parameters
        ----------
        timeout : seconds.
        progress : draw a progress bar; if not given, only where somebody is looking.

        Raises
        ------
        UploadPendingError
            If it takes longer; its ``reason`` is the last failure. The draws are kept, and sent later.
        DrawConflictError
            If another process wrote one of these chains.
        """
        if self._writer is None:
            return
        total = self._writer.pending
        with ProgressBar(f"run {self.rid}: sending", total, "draws") as bar:
            report = (lambda pending: bar.update(max(0, total - pending))) if wants_progress(progress) else None
            self._uploader.flush([self._writer], timeout, report)

    def give_up(self) -> None:
        """Lets this process's chains go: what is not sent by now never is."""
        if self._writer is not None:
            for chain in self._writer.chains.values():
                if chain.pending and chain.error is None:
                    chain.error = McbError(f"chain {chain.number} was given up")
            self._uploader.release(self._writer)

    def end(self) -> None:
        """Tells, once its draws are sent, that a run is finished which this process alone writes."""
        if self._writer is not None:
            self._writer.end()

    @property
    def row_layout(self) -> Layout:
        """The rows in which draws are kept until they are sent."""
        return self._writer.layout if self._writer is not None else Layout(self.meta)

    def tolerate_conflicts(self) -> None:
        """Leaves it to the caller to tell of draws that are in conflict, and to store all of them elsewhere."""
        if self._writer is not None:
            self._writer.is_movable = True

    def abandon(self) -> None:
        """Sends nothing more: what this process has appended is stored elsewhere."""
        if self._writer is not None:
            self._writer.abandon()

    @property
    def own_lengths(self) -> dict[int, int]:
        """Length of each chain that this process writes, by number, with the draws that still have to be sent."""
        return {number: len(chain) for number, chain in self._own.items()}

    @property
    def place(self) -> str:
        """Describes the place of draws that are not on the server yet."""
        return self._writer.place if self._writer else "in memory only"

    @property
    def pending(self) -> int:
        """Number of iterations that this process has appended and the server has not acknowledged."""
        return self._writer.pending if self._writer else 0

    def _reader(self, number: int) -> ChainReader:
        path = f"{self.path}/chains/{number}"
        return ChainReader(self._transport, path, self.headers, self.variables, self.sample_stats)


class Chain(ChainReading):
    """A chain of a run. Get one from `Run.init_chain` (to write it), `Run.chain` or `Run.get_chains`.

    Draws that this process has appended read back at once: from memory if the chain has a mirror, else after they were
    sent.
    """

    def __init__(
        self,
        run: Run,
        number: int,
        reader: ChainReader,
        writer: ChainWriter | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        super().__init__(run, number, reader, writer, mirror)
        self.run = run
        # The writer's own method, or one that refuses: a call less for each draw than `append`.
        self.append_to_log: Append = writer.append if writer else self._refuse_writing

    def __repr__(self) -> str:
        return f"Chain({self.number}, {self.run!r})"

    @property
    def pending(self) -> int:
        """Number of iterations that this process has appended to the chain and the server has not acknowledged."""
        return self._writer.pending if self._writer else 0

    @property
    def error(self) -> McbError | None:
        """The reason for which what this process appended cannot be sent; None if it can."""
        return self._writer.error if self._writer else None

    def _repr_html_(self) -> str:
        lengths = {self.number: len(self)} if self.is_own else self.run.glance().lengths
        return chain_html(self.number, None if lengths is None else lengths.get(self.number, 0), self.run)

    @property
    def log(self) -> ChainWriter:
        """The log to which this process appends.

        Raises
        ------
        McbError
            If the chain is not open for writing.
        """
        if self._writer is None:
            raise self._not_writable()
        return self._writer

    def append(self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None) -> None:
        """Adds one iteration: copies it into a buffer, from which a background thread sends it.

        Parameters
        ----------
        draw : the value of every variable.
        stats : values of sampler stats; those that are missing read back as NaN, 0, False or "".

        Raises
        ------
        DrawError
            If the draw does not fit the run; nothing of it is stored.
        DrawConflictError
            If another process wrote this chain; its ``length`` is that of the chain on the server.
        """
        self.append_to_log(draw, stats)

    def extend(self, draws: Mapping[str, Any], stats: Mapping[str, Any] | None = None) -> None:
        """Adds a block of iterations, such as JAX samplers give.

        Parameters
        ----------
        draws : for every variable an array of shape (draws, \\*shape), or a sequence of arrays where the shape varies.
        stats : the same for sampler stats.

        Raises
        ------
        DrawError, DrawConflictError
        """
        if self._writer is None:
            raise self._not_writable()
        self._writer.extend(draws, stats)

    def _refuse_writing(self, *_: object) -> None:
        raise self._not_writable()

    def _not_writable(self) -> McbError:
        return McbError(f"chain {self.number} is open for reading; open it for writing with run.init_chain")
