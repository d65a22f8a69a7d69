"""Opens a chain for appending: creates it, or finds its end; and goes on without an answer where draws have a spool."""

from __future__ import annotations

from .creation import chain_length, create_chain
from .errors import ChainExistsError, McbError, may_pass
from .explaining import explained_chain
from .run_writer import RunWriter
from .transport import Transport
from .uploader import Uploader


def open_chain(
    transport: Transport, uploader: Uploader, run: RunWriter, number: int, *, resume: bool
) -> tuple[int, bool]:
    """Index of the first iteration that is appended, and True if the server has the chain.

    Parameters
    ----------
    resume : go on where the chain ends, if it exists; else it must not have draws.

    Raises
    ------
    ChainExistsError
    """
    if resume:
        return _stored_length(transport, run, number), True
    is_asked = run.registration is not None and not (run.spool is not None and uploader.has_outage)
    return 0, is_asked and _is_created(transport, uploader, run, number)


def _stored_length(transport: Transport, run: RunWriter, number: int) -> int:
    if run.registration is None:
        raise McbError(
            f"only the server knows where chain {number} of run {run.meta.rid} ends, and it could not be reached: "
            "try again, or say with start= where to go on"
        )
    return chain_length(transport, f"{run.path}/chains/{number}", run.headers())


def _is_created(transport: Transport, uploader: Uploader, run: RunWriter, number: int) -> bool:
    try:
        create_chain(transport, run, number)
        return True
    except ChainExistsError as error:
        raise explained_chain(error, run.meta.rid, number) from None
    except McbError as error:
        if run.spool is None or not may_pass(error):
            raise
        uploader.is_away(error, f"{run.place} and sent when it answers")
        return False
