"""`EmceeBackend`: stores emcee's walkers as chains on a server while they walk, and loads them to go on elsewhere.

sampler = emcee.EnsembleSampler(nwalkers, ndim, log_prob, backend=EmceeBackend(url, rid="my-run"))
sampler.run_mcmc(initial, 1000)

# later, perhaps on another machine
sampler = emcee.EnsembleSampler(nwalkers, ndim, log_prob, backend=EmceeBackend(url, rid="my-run"))
sampler.run_mcmc(None, 1000)
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from emcee.backends import Backend
from numpy.typing import DTypeLike

from .client import DEFAULT_SPOOL, Client, new_rid
from .errors import McbError, NotFoundError
from .facts import environment, now
from .names import check_rid
from .ndarray import Array
from .notices import Beginning
from .run import Chain, Run
from .schema import Variable
from .stat_names import RANDOM_STATE

log = logging.getLogger("mcbackend_edge")

_BLOBS = "blobs"


class EmceeBackend(Backend):  # type: ignore[misc]  # emcee has no types
    """Keeps the ensemble in memory, as emcee's own backend does, and sends every step to the server.

    Each walker is a chain. The variables are those of `names`, or one vector ``theta``; the sampler stats are
    ``log_prob``, ``accepted``, the blobs (``blobs``, or ``blobs_<field>`` for named ones), and in chain 0 the state of
    the random generator.

    Parameters
    ----------
    url, token, spool : see `mcbackend_edge.Client`.
    rid : id of the run. If the server has it, its steps are loaded, and sampling goes on behind them. A new one if
        not given.
    names : the parameters' names.
    dtype : that of parameters and log probabilities.
    name, tags, facts : those of a run that has none yet; see `mcbackend_edge.Run.set_about`. They are told in the
        background, as are the environment, the expected steps, and with `close` or the end of the process (unless an
        error ends it) that the run is finished.

    After ``sampler.reset()`` a run with steps is left as it is and the following steps go to a new one, whose id is
    that of the old one with ``.2``, ``.3``, … behind it.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        rid: str | None = None,
        names: Sequence[str] | None = None,
        dtype: DTypeLike | None = None,
        spool: str | os.PathLike[str] | None = DEFAULT_SPOOL,
        name: str | None = None,
        tags: Sequence[str] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._beginning = Beginning.checked(name, tags, facts)
        self._expected: dict[str, Any] = {}
        self._started_at = now()
        super().__init__(dtype=np.dtype(dtype or np.float64))
        self.client = Client(url, token, spool=spool)
        self.rid = new_rid() if rid is None else check_rid(rid)
        self.run: Run | None = None
        self._names = list(names) if names else None
        self._generation = 1
        self._base_rid = self.rid
        self._chains: list[Chain] = []
        self._last_keys: bytes = b""
        if rid is not None:
            try:
                run = self.client.run(rid)
            except NotFoundError:
                return
            self._load(run)

    def reset(self, nwalkers: int, ndim: int) -> None:
        """Clears the ensemble. Steps that are stored stay on the server; the next ones go to a new run."""
        super().reset(nwalkers, ndim)
        if self._names and len(self._names) != ndim:
            raise ValueError(f"there are {len(self._names)} names for {ndim} parameters")
        if self.run is not None:
            self.run.end()
            self._generation += 1
            ending = f".{self._generation}"
            self.rid = f"{self._base_rid[: 128 - len(ending)]}{ending}"
            log.info("the following steps go to run %s", self.rid)
        self.run, self._chains, self._last_keys = None, [], b""

    def grow(self, ngrow: int, blobs: Array | None) -> None:
        """Makes room for steps that will come."""
        super().grow(ngrow, blobs)
        self._expected = {"expected": {"draws": self.iteration + int(ngrow), "warmup": 0}}
        if self.run is not None and self._chains:
            self.run.notices.note(self._expected)
        else:
            self._started_at = now()

    def save_step(self, state: Any, accepted: Array) -> None:
        """Stores one step of the ensemble."""
        super().save_step(state, accepted)
        if not self._chains:
            self._open(state.blobs)
        blobs = self._blob_columns(state.blobs)
        random_state = self._encode_state(state.random_state)
        for walker, chain in enumerate(self._chains):
            coords = state.coords[walker]
            draw = dict(zip(self._names, coords)) if self._names else {"theta": coords}
            stats: dict[str, Any] = {"log_prob": state.log_prob[walker], "accepted": bool(accepted[walker])}
            for name, values in blobs.items():
                stats[name] = values[walker]
            if walker == 0 and random_state is not None:
                stats[RANDOM_STATE] = random_state
            chain.append(draw, stats)

    def flush(self, timeout: float = 60.0) -> None:
        """Waits until all steps are on the server; see `mcbackend_edge.Run.flush`."""
        if self.run is not None:
            self.run.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left and ends the background thread."""
        self.client.close(timeout)

    # -- to the server -----------------------------------------------------------------------------------------------

    def _open(self, blobs: Array | None) -> None:
        """Registers the run, unless it was loaded, and opens a chain for each walker behind the steps it has."""
        if self.run is None:
            dtype = np.dtype(self.dtype).name
            theta = [Variable(name, dtype) for name in self._names or ()] or [Variable("theta", dtype, (self.ndim,))]
            stats = [Variable("log_prob", dtype), Variable("accepted", "bool"), Variable(RANDOM_STATE, "str")]
            stats += [_blob_variable(name, values) for name, values in self._blob_columns(blobs).items()]
            about = {"sampler": "emcee", "nwalkers": self.nwalkers, "ndim": self.ndim}
            self.run = self.client.create_run(self.rid, variables=theta, sample_stats=stats, attributes=about)
        stored = self.iteration - 1
        self._chains = [self.run.init_chain(walker, start=stored) for walker in range(self.nwalkers)]
        notices = self.run.notices
        notices.is_whole = True
        packages = environment("emcee", "scipy")
        notices.begin(self._beginning.with_facts({"startedAt": self._started_at, "environment": packages}))
        notices.note(self._expected)

    def _blob_columns(self, blobs: Array | None) -> dict[str, Array]:
        """Blobs of all walkers by stat."""
        if blobs is None:
            return {}
        if blobs.dtype.names:
            return {f"{_BLOBS}_{name}": blobs[name] for name in blobs.dtype.names}
        return {_BLOBS: blobs}

    def _encode_state(self, state: Any) -> str | None:
        """The state of NumPy's Mersenne twister; its 624 keys are left out while they have not changed."""
        if state is None:
            return None
        name, keys, position, has_gauss, cached = state
        if name != "MT19937":
            raise McbError(f"the state of a {name} generator cannot be stored")
        raw = np.asarray(keys, dtype="<u4").tobytes()
        about = {"position": int(position), "has_gauss": int(has_gauss), "cached_gaussian": float(cached).hex()}
        if raw != self._last_keys:
            about["keys"] = base64.b64encode(raw).decode("ascii")
            self._last_keys = raw
        return json.dumps(about)

    # -- from the server ---------------------------------------------------------------------------------------------

    def _load(self, run: Run) -> None:
        """Takes over the steps that all walkers have."""
        about = run.attributes
        if about.get("sampler") != "emcee":
            raise McbError(f"run {run.rid} was not written by emcee")
        super().reset(int(about["nwalkers"]), int(about["ndim"]))
        self._names = [name for name in run.variables if name != "theta"] or None
        lengths = run.lengths()
        steps = min((lengths.get(walker, 0) for walker in range(self.nwalkers)), default=0)
        stats = [name for name in run.sample_stats if name != RANDOM_STATE]
        loaded = [
            run.chain(walker).get_many(list(run.variables), stats, slice(0, steps), progress=False)
            for walker in range(self.nwalkers)
        ]
        if self._names:
            walks = [np.stack([draws[name] for name in self._names], axis=-1) for draws, _ in loaded]
        else:
            walks = [draws["theta"] for draws, _ in loaded]
        self.chain = np.stack(walks, axis=1)
        self.dtype = self.chain.dtype
        self.log_prob = np.stack([values["log_prob"] for _, values in loaded], axis=1)
        self.accepted = np.array([values["accepted"].sum() for _, values in loaded], dtype=self.dtype)
        self.blobs = _join_blobs([values for _, values in loaded])
        self.iteration = steps
        self.run = run
        self.random_state = self._load_state(run, steps) if steps else None

    def _load_state(self, run: Run, steps: int) -> Any:
        """The state after the last step. Its keys were written with that step, or with one shortly before."""
        chain, window = run.chain(0), 16
        last: Mapping[str, Any] | None = None
        stop = steps
        while stop > 0:
            start = max(0, stop - window)
            for text in reversed(chain.get_stats(RANDOM_STATE, slice(start, stop), progress=False).tolist()):
                if not text:
                    return None
                about = json.loads(text)
                last = last or about
                if "keys" in about:
                    self._last_keys = base64.b64decode(about["keys"])
                    keys = np.frombuffer(self._last_keys, dtype="<u4").astype(np.uint32)
                    cached = float.fromhex(last["cached_gaussian"])
                    return ("MT19937", keys, last["position"], last["has_gauss"], cached)
            stop, window = start, 4 * window
        return None


def _blob_variable(name: str, values: Array) -> Variable:
    if values.dtype.kind not in "biufU":
        raise McbError(
            f"{name} has dtype {values.dtype}, which cannot be stored: pass a blobs_dtype of numbers or text"
        )
    return Variable.like(name, values[0])


def _join_blobs(walkers: Sequence[Mapping[str, Array]]) -> Array | None:
    """Blobs of shape (steps, nwalkers, ...), with their fields if they have names."""
    names = [name for name in walkers[0] if name.startswith(_BLOBS)] if walkers else []
    if not names:
        return None
    arrays = {name: np.stack([values[name] for values in walkers], axis=1) for name in names}
    if names == [_BLOBS]:
        return arrays[_BLOBS]
    fields = [(name[len(_BLOBS) + 1 :], array.dtype, array.shape[2:]) for name, array in arrays.items()]
    joined = np.empty(next(iter(arrays.values())).shape[:2], dtype=fields)
    for (field, _, _), array in zip(fields, arrays.values()):
        joined[field] = array
    return joined
