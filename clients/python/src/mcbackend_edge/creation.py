"""Registers a run and creates its chains on the server, in the background or while somebody waits."""

from __future__ import annotations

import time

from .errors import ApiError, ChainExistsError, ProtocolError, ServerUnreachableError
from .refusals import refuse
from .run_writer import RunWriter
from .transport import Transport
from .waiting import FIRST_DELAY, LAST_DELAY
from .writer import ChainWriter


def register(transport: Transport, run: RunWriter, chains: list[ChainWriter]) -> None:
    """Makes sure that the server has the run and its chains.

    Raises
    ------
    McbError
        For failures that may pass; a refusal for good becomes the chains' error.
    """
    if run.registration is None:
        try:
            run.is_registered_as(transport.request("PUT", run.path, body=run.meta.raw, patience=0.0).registration())
        except ApiError as error:
            if not error.is_verdict:
                raise
            for chain in chains:
                refuse(run, chain, error)
            return
    for chain in chains:
        if not chain.is_created:
            try:
                path = f"{run.path}/chains/{chain.number}"
                transport.request("PUT", path, headers=run.headers(), patience=0.0).length()
                chain.is_created = True
            except ApiError as error:
                if not error.is_verdict:
                    raise
                refuse(run, chain, error)


def create_chain(transport: Transport, run: RunWriter, number: int) -> int:
    """Creates a chain that must not exist; 0, its length.

    Raises
    ------
    ChainExistsError
    """
    headers = {**run.headers(), "If-None-Match": "*"}
    path = f"{run.path}/chains/{number}"
    began = time.monotonic()
    delay = FIRST_DELAY
    while True:
        try:
            return transport.request("PUT", path, headers=headers, patience=0.0, only_once=True).length()
        except (ServerUnreachableError, ProtocolError):
            break
        except ChainExistsError:
            if delay == FIRST_DELAY:
                raise
            break
        except ApiError as error:
            if not error.is_temporary or not transport.waiting.wait(error, began, transport.patience, delay):
                raise
            delay = min(2 * delay, LAST_DELAY)
    # The answer may have been lost after the chain was made: an empty chain is as good as a new one.
    length = chain_length(transport, path, run.headers())
    if length:
        raise ChainExistsError(412, "chain_exists", f"chain {number} has {length} draws already", {})
    return 0


def chain_length(transport: Transport, path: str, headers: dict[str, str]) -> int:
    """Length of a chain, which is created if it does not exist."""
    return transport.request("PUT", path, headers=headers).length()
