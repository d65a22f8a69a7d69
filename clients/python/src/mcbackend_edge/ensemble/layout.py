"""An ensemble's place in a run: parameters are variables; log probabilities, acceptance and blobs are stats.

The attribute ``mcb.emcee`` tells it, so that no name of a parameter or a blob can be mistaken for something else. Runs
of the version before have no such attribute: in them one variable ``theta`` of shape (ndim,) is the unnamed vector, and
all else are names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import McbError, shown
from ..ndarray import Array
from ..run import Run
from ..schema import Variable
from ..stat_names import RANDOM_STATE

LAYOUT = "mcb.emcee"
THETA, LOG_PROB, ACCEPTED, BLOBS = "theta", "log_prob", "accepted", "blobs"
# Characters of a variable's name, at most.
_LONGEST_NAME = 256


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of an ensemble's parameters, in the order of its vector.

    Raises
    ------
    TypeError, ValueError
        For what cannot be the names of variables.
    """
    if isinstance(names, (str, bytes, Mapping)):
        raise TypeError(f"names are a list with one text for each parameter, not {shown(repr(names), 100)}")
    given = tuple(names)
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"the name of a parameter is a text, not {shown(repr(name), 100)}")
        if not 0 < len(name) <= _LONGEST_NAME:
            raise ValueError(
                f"{shown(repr(name), 100)} cannot name a parameter: it takes 1 to {_LONGEST_NAME} characters"
            )
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{shown(repr(name), 100)} cannot name a parameter: {error.reason}") from error
    repeated = [name for index, name in enumerate(given) if name in given[:index]]
    if repeated:
        raise ValueError(f"two parameters are named {shown(repr(repeated[0]), 100)}")
    return tuple(str(name) for name in given)


@dataclass(frozen=True)
class Blob:
    """One blob of each walker.

    Attributes
    ----------
    stat : name of its stat.
    field : its name in structured blobs; None if blobs have no fields.
    dtype : that of its elements in memory; None if a run does not tell it.
    shape : that of one walker's blob.
    """

    stat: str
    field: str | None
    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]

    @property
    def variable(self) -> Variable:
        dtype = self.dtype
        if dtype is None or dtype.kind in "OUS":
            return Variable(self.stat, "str", self.shape)
        return Variable(self.stat, "float32" if dtype == np.float16 else dtype.name, self.shape)

    def check(self, values: Array) -> None:
        """
        Raises
        ------
        McbError
            If such blobs cannot be stored.
        """
        dtype = values.dtype
        is_text = dtype.kind in "US" or (dtype.kind == "O" and all(_is_text(value) for value in values.flat))
        if not is_text and (dtype.kind not in "biuf" or dtype.itemsize > 8):
            raise McbError(
                f"{self.stat} has dtype {dtype}, which cannot be stored: pass a blobs_dtype of numbers or text to the "
                'sampler, such as [("radius", float), ("label", "U8")], or store=False'
            )

    def encode(self, values: Array) -> Array:
        """Blobs of shape (..., \\*shape) as the stat holds them. An object that is no text becomes an empty one."""
        if values.dtype.kind == "O":
            texts = [value if _is_text(value) and value is not None else "" for value in values.flat]
            return np.array(texts, dtype=str).reshape(values.shape)
        if values.dtype.kind == "S":
            return np.char.decode(values, "latin-1")
        if values.dtype.kind == "U" and not _is_unicode(values):
            return self.encode(values.astype(object))
        return values.astype(np.float32) if values.dtype == np.float16 else values

    def decode(self, values: Array) -> Array:
        """The contents of the stat as emcee has them."""
        if self.dtype is None:
            return values
        if self.dtype.kind == "S":
            return np.char.encode(values, "latin-1").astype(self.dtype)
        return values.astype(self.dtype)


def _is_unicode(values: Array) -> bool:
    try:
        np.char.encode(values, "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_text(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class EnsembleLayout:
    """An ensemble and the columns of its run.

    Attributes
    ----------
    dtype : that of parameters and log probabilities.
    names : those of the parameters, in the order of the vector; None if they are one vector ``theta``.
    blobs : empty if there are none.
    """

    nwalkers: int
    ndim: int
    dtype: np.dtype[Any]
    names: tuple[str, ...] | None
    blobs: tuple[Blob, ...]

    @classmethod
    def of(
        cls, nwalkers: int, ndim: int, dtype: np.dtype[Any], names: tuple[str, ...] | None, blobs: Array | None
    ) -> EnsembleLayout:
        """
        Parameters
        ----------
        blobs : an array of shape (nwalkers, \\*shape), or None; only shape and dtype matter.
        """
        return cls(nwalkers, ndim, dtype, names, () if blobs is None else _blobs_like(blobs))

    @classmethod
    def of_run(cls, run: Run) -> EnsembleLayout:
        """
        Raises
        ------
        McbError
            If no ensemble was stored in this run.
        """
        about = run.attributes
        told = about.get(LAYOUT)
        try:
            if isinstance(told, Mapping):
                return _told(run, told)
            if about.get("sampler") == "emcee":
                return _guessed(run, int(about["nwalkers"]), int(about["ndim"]))
        except (KeyError, TypeError, ValueError) as error:
            raise McbError(f"run {run.rid} was not written by emcee, or by a later version: {error}") from error
        raise McbError(f"run {run.rid} was not written by emcee")

    @property
    def variables(self) -> list[Variable]:
        dtype = self.dtype.name
        if self.names is None:
            return [Variable(THETA, dtype, (self.ndim,))]
        return [Variable(name, dtype) for name in self.names]

    @property
    def sample_stats(self) -> list[Variable]:
        own = [Variable(LOG_PROB, self.dtype.name), Variable(ACCEPTED, "bool"), Variable(RANDOM_STATE, "str")]
        return [*own, *(blob.variable for blob in self.blobs)]

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the run by which it is read again, and found."""
        told = {
            "nwalkers": self.nwalkers,
            "ndim": self.ndim,
            "parameters": "vector" if self.names is None else "named",
            "blobs": {blob.stat: blob.dtype.str for blob in self.blobs if blob.dtype is not None},
        }
        # `sampler` and the two numbers are what the version before looks at.
        library = {"inference_library": "emcee", "sampler": "emcee"}
        return {**library, "nwalkers": self.nwalkers, "ndim": self.ndim, LAYOUT: told}

    def is_that_of(self, run: Run) -> bool:
        """True if the run has these columns, so that steps of this ensemble can be appended to it."""
        present = [_column(var) for var in (*run.variables.values(), *run.sample_stats.values())]
        return present == [_column(var) for var in (*self.variables, *self.sample_stats)]

    def draws(self, coords: Array) -> dict[str, Array]:
        """Variables of parameters of shape (n, ndim), each of shape (n,) or (n, ndim)."""
        if self.names is None:
            return {THETA: coords}
        return {name: coords[:, index] for index, name in enumerate(self.names)}

    def stats(self, log_prob: Array, accepted: Array, blobs: Array | None) -> dict[str, Array]:
        """Stats, but for the random generator's state, of arrays of shape (n, ...)."""
        stats = {LOG_PROB: log_prob, ACCEPTED: accepted}
        if blobs is not None:
            for blob in self.blobs:
                stats[blob.stat] = blob.encode(blobs if blob.field is None else blobs[blob.field])
        return stats

    def coords(self, draws: Mapping[str, Array]) -> Array:
        """Parameters of shape (n, ndim) from their variables."""
        if self.names is None:
            return draws[THETA]
        return np.stack([draws[name] for name in self.names], axis=-1)

    def joined_blobs(self, walkers: Sequence[Mapping[str, Array]]) -> Array | None:
        """Blobs of shape (n, nwalkers, \\*shape) from the stats of each walker, with fields if they had such."""
        if not self.blobs:
            return None
        arrays = [blob.decode(np.stack([stats[blob.stat] for stats in walkers], axis=1)) for blob in self.blobs]
        if self.blobs[0].field is None:
            return arrays[0]
        fields: list[Any] = [
            (blob.field, array.dtype, blob.shape) for blob, array in zip(self.blobs, arrays, strict=True)
        ]
        joined = np.empty(arrays[0].shape[:2], dtype=fields)
        for blob, array in zip(self.blobs, arrays, strict=True):
            joined[str(blob.field)] = array
        return joined


def _blobs_like(blobs: Array) -> tuple[Blob, ...]:
    names = blobs.dtype.names
    if names is None:
        return (Blob(BLOBS, None, blobs.dtype, blobs.shape[1:]),)
    fields = [(name, blobs.dtype[name]) for name in names]
    return tuple(Blob(f"{BLOBS}_{name}", name, dtype.base, blobs.shape[1:] + dtype.shape) for name, dtype in fields)


def check_blobs(blobs: Array) -> None:
    """
    Parameters
    ----------
    blobs : an array of shape (nwalkers, \\*shape).

    Raises
    ------
    McbError
        If such blobs cannot be stored.
    """
    for blob in _blobs_like(blobs):
        blob.check(blobs if blob.field is None else blobs[blob.field])


def _column(var: Variable) -> tuple[str, str, tuple[int, ...]]:
    return var.name, var.dtype, var.shape


def _told(run: Run, told: Mapping[str, Any]) -> EnsembleLayout:
    if told["parameters"] not in ("vector", "named"):
        raise ValueError(f"its parameters are {told['parameters']!r}")
    is_vector = told["parameters"] == "vector"
    dtypes = {stat: np.dtype(text) for stat, text in told["blobs"].items()}
    return _read(run, int(told["nwalkers"]), int(told["ndim"]), is_vector, dtypes)


def _guessed(run: Run, nwalkers: int, ndim: int) -> EnsembleLayout:
    variables = list(run.variables.values())
    is_vector = len(variables) == 1 and (variables[0].name, variables[0].shape) == (THETA, (ndim,))
    return _read(run, nwalkers, ndim, is_vector, {})


def _read(run: Run, nwalkers: int, ndim: int, is_vector: bool, dtypes: Mapping[str, np.dtype[Any]]) -> EnsembleLayout:
    blobs = []
    for name, var in run.sample_stats.items():
        if name not in (LOG_PROB, ACCEPTED, RANDOM_STATE):
            known = dtypes.get(name, None if var.dtype == "str" else var.numpy_dtype)
            field = None if name == BLOBS else name.removeprefix(f"{BLOBS}_")
            blobs.append(Blob(name, field, known, var.shape))
    names = None if is_vector else tuple(run.variables)
    if nwalkers < 1 or (len(names) if names is not None else run.variables[THETA].shape[0]) != ndim:
        raise ValueError(f"it does not have {ndim} parameters")
    dtype = next(iter(run.variables.values())).numpy_dtype
    return EnsembleLayout(nwalkers, ndim, dtype, names, tuple(blobs))
