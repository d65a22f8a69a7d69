"""McBackend Edge for Python: stores MCMC draws on a server while the sampler runs, and reads them back.

`Client` is the way in. Backends of other libraries need those, and each has an extra of this package: `PyMCTrace` is
for ``pm.sample(trace=...)`` (``mcbackend-edge[pymc]``), `EmceeBackend` for emcee (``mcbackend-edge[emcee]``), and
`HTTPBackend` for McBackend (``mcbackend-edge[mcbackend]``).
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

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
    ObjectArrayError,
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
    from .pymc_trace import PyMCTrace as PyMCTrace

try:
    __version__ = version("mcbackend-edge")
except PackageNotFoundError:
    # The sources lie on PYTHONPATH and nothing is installed.
    __version__ = "0+source"

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
    "ObjectArrayError",
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


class _Export(NamedTuple):
    """A name that needs an optional package, and is imported once it is asked for."""

    module: str
    extra: str


# Each name stands among the imports for type checkers, too.
_LAZY = {
    "EmceeBackend": _Export("emcee_backend", extra="emcee"),
    "HTTPBackend": _Export("mcbackend_adapter", extra="mcbackend"),
    "PyMCTrace": _Export("pymc_trace", extra="pymc"),
}


def __getattr__(name: str) -> Any:
    """
    Raises
    ------
    ModuleNotFoundError
        If the package is absent that the name needs; the message tells which extra brings it.
    """
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _LAZY[name]
    try:
        value = getattr(import_module(f".{module}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __name__:
            raise
        raise ModuleNotFoundError(
            f"{name} needs the package {error.name!r}, which comes with the extra {extra!r}: "
            f"pip install 'mcbackend-edge[{extra}]'",
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
