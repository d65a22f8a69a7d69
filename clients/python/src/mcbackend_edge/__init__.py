"""McBackend Edge for Python: stores MCMC draws on a server while the sampler runs, and reads them back.

`Client` is the way in; `HTTPBackend` is for ``pm.sample(trace=...)``, `EmceeBackend` for emcee. Those two need the
extras ``mcbackend-edge[pymc]`` and ``mcbackend-edge[emcee]``.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .about import RunAbout, RunSummary
from .client import Client, new_rid
from .errors import (
    AboutChangedError,
    AccessError,
    AnswerTooLargeError,
    ApiError,
    ChainExistsError,
    ConflictError,
    DamagedFileError,
    DrawConflictError,
    DrawError,
    DrawGapError,
    DtypeMismatchError,
    IdentifierError,
    InvalidError,
    McbError,
    MisdirectedError,
    MissingVariableError,
    NotFoundError,
    OldServerError,
    PayloadTooLargeError,
    ProtocolError,
    RunConflictError,
    RunReplacedError,
    ServerUnreachableError,
    ShapeMismatchError,
    SpoolError,
    UnknownVariableError,
    UploadPendingError,
)
from .run import Chain, Run
from .schema import DataVariable, RunMeta, Variable

if TYPE_CHECKING:
    from .emcee_backend import EmceeBackend as EmceeBackend
    from .mcbackend_adapter import HTTPBackend as HTTPBackend

__version__ = version("mcbackend-edge")

__all__ = [
    "AboutChangedError",
    "AccessError",
    "AnswerTooLargeError",
    "ApiError",
    "Chain",
    "ChainExistsError",
    "Client",
    "ConflictError",
    "DamagedFileError",
    "DataVariable",
    "DrawConflictError",
    "DrawError",
    "DrawGapError",
    "DtypeMismatchError",
    "IdentifierError",
    "InvalidError",
    "McbError",
    "MisdirectedError",
    "MissingVariableError",
    "NotFoundError",
    "OldServerError",
    "PayloadTooLargeError",
    "ProtocolError",
    "Run",
    "RunAbout",
    "RunConflictError",
    "RunMeta",
    "RunReplacedError",
    "RunSummary",
    "ServerUnreachableError",
    "ShapeMismatchError",
    "SpoolError",
    "UnknownVariableError",
    "UploadPendingError",
    "Variable",
    "new_rid",
]


def __getattr__(name: str) -> Any:
    """Imports the two names that need optional packages, once they are asked for."""
    if name == "HTTPBackend":
        from .mcbackend_adapter import HTTPBackend

        return HTTPBackend
    if name == "EmceeBackend":
        from .emcee_backend import EmceeBackend

        return EmceeBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
