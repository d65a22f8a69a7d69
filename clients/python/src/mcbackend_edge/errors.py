"""Every error of the package; those of the server carry the contract's code and fields.

try:
    chain.append(draw)
    run.flush()
except DrawConflictError as error:
    print(f"another process wrote this chain; it has {error.length} iterations")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard


def shown(text: str, limit: int = 2000) -> str:
    """Text that others wrote, for a message: cut to `limit` characters, and with control characters escaped."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


class McbError(Exception):
    """Base of all errors of this package."""


class ServerUnreachableError(McbError, ConnectionError):
    """No answer: the address is wrong, the network is down, or the server is not running.

    Attributes
    ----------
    reason : its cause, such as a `ConnectionRefusedError`, if there is one.
    is_lasting : True if nothing lets hope for more at the next attempt: the connection is refused, the host unknown, or
        TLS fails.
    """

    def __init__(self, message: str, reason: BaseException | None = None, *, is_lasting: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_lasting = is_lasting


class ProfileError(McbError, ValueError):
    """The profile that ``mcb login`` wrote cannot be used: damaged, or readable by others."""


class ProtocolError(McbError):
    """An answer that the contract does not allow, such as a truncated body."""


class ObjectArrayError(ProtocolError):
    """An array of Python objects: its writer has stored their addresses in its memory, and so no values."""


class OldServerError(McbError):
    """The server is of an earlier release, and lacks what was asked for."""


class AnswerTooLargeError(ProtocolError):
    """An answer is larger than this package takes into memory."""


class ApiError(McbError):
    """The server refused a request.

    Attributes
    ----------
    status : HTTP status.
    code : the contract's stable code, such as ``run_not_found``; "" if the answer was not the server's own.
    detail : the reason, in a sentence.
    fields : everything else that came with the problem (``length``, ``limit``, ``variable``, ``expected``, ``actual``).
    retry_after : seconds after which a retry makes sense, if the server said so.
    attempt : number of the attempt that was refused. Beyond 1, an earlier one may have been carried out, and its answer
        lost.
    advice : a sentence with the way out, at the end of the message; "" if there is none.
    server : the server's address, where the message begins with it: for what concerns the server, and no run.
    """

    attempt: int = 1
    advice: str = ""
    server: str = ""

    def __init__(
        self, status: int, code: str, detail: str, fields: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        super().__init__(f"{detail} ({status}{' ' + code if code else ''})")
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = dict(fields)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.plain}. {self.advice}" if self.advice else self.plain

    @property
    def plain(self) -> str:
        """The message without the advice."""
        return f"{self.server}: {super().__str__()}" if self.server else super().__str__()

    @property
    def is_busy(self) -> bool:
        """True if the server has too much to do at present (429, 503)."""
        return self.status in (429, 503)

    @property
    def is_temporary(self) -> bool:
        """True if the same request may succeed later without a change."""
        return self.status in (408, 429) or self.status >= 500

    @property
    def is_verdict(self) -> bool:
        """True if the server itself has refused the request for good; a proxy between may only be set up wrong."""
        return bool(self.code) and not self.is_temporary and not isinstance(self, AccessError)


def may_pass(error: McbError) -> bool:
    """True for the failure of a request that may succeed later without a change."""
    return isinstance(error, ServerUnreachableError) or (isinstance(error, ApiError) and error.is_temporary)


class NotFoundError(ApiError, LookupError):
    """The run, the chain or the variable does not exist (or belongs to another tenant)."""


class AccessError(ApiError, PermissionError):
    """The key is missing, unknown, without the scope, over its quota, or its tenant is suspended."""


class InvalidError(ApiError, ValueError):
    """The request itself is wrong: metadata, a batch, a slice or a parameter."""

    @property
    def variable(self) -> str | None:
        """Name of the variable or stat that the server complains about."""
        name = self.fields.get("variable")
        return name if isinstance(name, str) else None


class IdentifierError(InvalidError):
    """A run id or chain number that the contract does not allow: refused here, as the server would."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, "invalid_parameter", detail, {})


class PayloadTooLargeError(ApiError):
    """A body or an answer exceeds the limit ``fields["limit"]``, in bytes."""


class MisdirectedError(ApiError):
    """The server does not answer under the name by which it was addressed."""


class ConflictError(ApiError):
    """The server has stored something else than was sent."""


class RunConflictError(ConflictError):
    """A different run is registered under this id."""


class ChainExistsError(ConflictError):
    """The chain exists already, and was to be a new one."""


class RunReplacedError(ConflictError):
    """The run was deleted and registered again: this handle belongs to the old one."""


class AboutChangedError(ConflictError):
    """Name, tags, notes and facts of the run have changed since they were read: read them again."""


class LengthConflictError(ConflictError):
    """A batch does not continue the chain."""

    @property
    def length(self) -> int:
        """Length of the chain on the server."""
        return int(self.fields["length"])


class DrawConflictError(LengthConflictError):
    """Other draws are stored at these iterations: two processes write one chain."""


class DrawGapError(LengthConflictError):
    """The batch starts behind the end of the chain: the server has lost draws that it had acknowledged."""


BY_CODE: dict[str, type[ApiError]] = {
    "run_conflict": RunConflictError,
    "about_changed": AboutChangedError,
    "chain_exists": ChainExistsError,
    "run_replaced": RunReplacedError,
    "draw_conflict": DrawConflictError,
    "draw_gap": DrawGapError,
    "misdirected_request": MisdirectedError,
}
BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    413: PayloadTooLargeError,
    421: MisdirectedError,
    422: InvalidError,
}


def api_error(status: int, problem: Mapping[str, Any], reason: str, retry_after: float | None) -> ApiError:
    """The error for an answer.

    Parameters
    ----------
    problem : the members of the ``application/problem+json`` body, empty if there was none.
    reason : the detail of a problem that has none.
    """
    code = problem.get("code", "")
    code = shown(code, 100) if isinstance(code, str) else ""
    told = (problem.get("detail"), problem.get("title"), reason)
    detail = shown(next((text for text in told if isinstance(text, str) and text), "no reason is given"))
    known = {"type", "title", "status", "detail", "code"}
    fields = {name: value for name, value in problem.items() if name not in known}
    kind = BY_CODE.get(code) or BY_STATUS.get(status) or ApiError
    if issubclass(kind, LengthConflictError) and not is_length(fields.get("length")):
        # Not a verdict on the draws: it comes from another server, or from one that is broken.
        kind, code, detail = ConflictError, "", f"{detail} (without the chain's length, which the contract demands)"
    if kind is MisdirectedError and code:
        detail += ". Use the address that the server knows as its own, or name this one there in MCB_HOSTS"
    return kind(status, code, detail, fields, retry_after)


def is_length(value: object) -> TypeGuard[int]:
    """True for values of an answer's JSON that can be the length of a chain."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


class DrawError(McbError, ValueError):
    """A draw does not fit what the run has registered; nothing of it was stored."""


class MissingVariableError(DrawError, KeyError):
    """A draw lacks a variable. (Sampler stats may be missing.)"""

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownVariableError(DrawError, KeyError):
    """A variable or stat that the run does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


class DtypeMismatchError(DrawError, TypeError):
    """A value cannot be stored in the registered dtype without loss."""


class ShapeMismatchError(DrawError):
    """A value has another shape than the registered one."""


class UploadPendingError(McbError):
    """Draws are not on the server yet; they are kept, and sent later.

    Attributes
    ----------
    pending : number of iterations, over all chains.
    spool : folder of the spool, or None when they are in memory only.
    reason : the failure of the last attempt to send them; None if there was none, but too little time.
    """

    def __init__(self, message: str, pending: int, spool: str | None, reason: McbError | None = None) -> None:
        super().__init__(message)
        self.pending = pending
        self.spool = spool
        self.reason = reason


class SpoolError(McbError):
    """A spool folder cannot be used: damaged, of another version, in use, or with a hole in it."""


class SpoolInUseError(SpoolError):
    """A spool folder belongs to a process that still runs."""


class SpoolGoneError(SpoolError):
    """A spool folder has been removed, since there was nothing left in it to send."""


class DamagedFileError(McbError, ValueError):
    """A file cannot be read: names the file, the line and what is wrong with it."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}, line {line}: {problem}" if line else f"{path}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem
