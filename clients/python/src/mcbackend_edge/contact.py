"""The reasons for which a server cannot be reached, as sentences with a way out."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

import urllib3

from .errors import McbError, ServerUnreachableError, shown

_AWAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def unreachable(url: str, error: Exception) -> ServerUnreachableError:
    """The error of a request that got no answer; `error` is the HTTP library's."""
    causes = list(_causes(error))
    if any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in causes):
        told = f"the proxy on the way to {url} cannot be used: {reason_of(causes[-1])}. Is HTTPS_PROXY right?"
        return ServerUnreachableError(told, causes[-1], is_lasting=True)
    for cause in causes:
        told = _told(url, cause)
        if told:
            return ServerUnreachableError(told, cause, is_lasting=True)
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
            told = (
                f"{url} cannot be reached: {shown(cause.args[-1], 300)}. Is the address right, and this machine online?"
            )
            return ServerUnreachableError(told, cause)
    return ServerUnreachableError(f"{url} cannot be reached: {reason_of(error)}", error)


def _told(url: str, cause: BaseException) -> str:
    """A sentence about a cause that is likely to last; "" for others."""
    if isinstance(cause, ConnectionRefusedError):
        return f"{url} cannot be reached: connection refused. Is the server running there, and is the address right?"
    if isinstance(cause, socket.gaierror):
        return f"{url} cannot be reached: its host is unknown here. Is the address right, and this machine online?"
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = shown(cause.verify_message or "it cannot be verified", 200)
        return (
            f"{url} cannot be trusted: {why}. Is the address right? "
            "The certificate of an authority of your own is named by SSL_CERT_FILE"
        )
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return f"{url} cannot be reached: TLS fails ({shown(cause.reason or str(cause), 100)}). Is it http:// instead?"
    if isinstance(cause, OSError) and cause.errno in _AWAY:
        return f"{url} cannot be reached: {shown(cause.strerror or str(cause), 100)}. Is this machine in its network?"
    if isinstance(cause, http.client.BadStatusLine) and not isinstance(cause, http.client.RemoteDisconnected):
        return f"{url} does not speak HTTP. Is the port right, or is it https:// instead?"
    return ""


def is_unconnected(error: McbError) -> bool:
    """True if the time was over before there was a connection, the look-up of the host's name included."""
    return isinstance(error, ServerUnreachableError) and isinstance(
        error.reason, urllib3.exceptions.ConnectTimeoutError
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and those from which it was made, as the HTTP library nests them."""
    waiting, seen = [error], 0
    while waiting and seen < 20:
        cause = waiting.pop(0)
        seen += 1
        yield cause
        inner = (cause.__cause__, getattr(cause, "reason", None), getattr(cause, "original_error", None), *cause.args)
        waiting += [candidate for candidate in inner if isinstance(candidate, BaseException)]


def reason_of(error: BaseException) -> str:
    """The innermost reason, without the pool's repr."""
    reason = str(getattr(error, "reason", None) or error.__cause__ or error)
    return shown(reason.split(": ", 1)[-1] if "object at" in reason else reason, 300)
