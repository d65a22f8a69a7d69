"""Connections whose time includes the look-up of the host's name: the system's resolver may take minutes."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError
from urllib3.util.connection import allowed_gai_family


class NamedInTime(HTTPConnection):
    """A connection that is made, name and all, within the time to connect."""

    def _new_conn(self) -> socket.socket:
        name, seconds = self._dns_host, self.timeout
        if not isinstance(seconds, (int, float)) or _is_address(name):
            return super()._new_conn()
        began = time.monotonic()
        try:
            addresses = _look_up(name, self.port, seconds)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        if addresses is None:
            raise ConnectTimeoutError(self, f"the name of its host is not looked up within {seconds:.0f} s")
        last: HTTPError = ConnectTimeoutError(self, f"{self.host} has no address")
        try:
            for address in addresses:
                self._dns_host, self.timeout = address, max(0.1, began + seconds - time.monotonic())
                try:
                    return super()._new_conn()
                except HTTPError as error:
                    last = error
            raise last
        finally:
            # The name is what the server is asked for, and what its certificate must hold.
            self._dns_host, self.timeout = name, seconds


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.strip("[]"))
        except OSError:
            continue
        return True
    return False


def _look_up(host: str, port: int | None, seconds: float) -> list[str] | None:
    """The addresses of a host; None if the resolver does not tell in time, and is left to itself."""
    outcome: list[Any] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
            outcome.append([str(place[0]) for *_, place in found])
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=ask, name="mcbackend-edge-name", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # No thread begins while the interpreter ends.
        ask()
    else:
        thread.join(seconds)
    if not outcome:
        return None
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    addresses: list[str] = outcome[0]
    return list(dict.fromkeys(addresses))
