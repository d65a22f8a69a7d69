"""The call of `pm.sample` that is going on, as far as it can be seen.

PyMC hands a trace the number of draws, the chain's number and the stats, and no more. It keeps the rest in local
variables of the functions that call the trace: the model, which variables are wanted, how long it tunes, the seeds.
They are looked at, not touched; where another version names them differently, or somebody else drives the trace, they
are simply unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

# Frames that are looked at between a trace and `pm.sample`, at most.
_MOST_FRAMES = 12
# Names of variables that are told of one step method, at most.
_MOST_NAMES = 100
# Attributes of step methods that are settings, by the name under which they are told.
_SETTINGS = {
    "target_accept": "targetAccept",
    "max_treedepth": "maxTreedepth",
    "path_length": "pathLength",
    "adapt_step_size": "adaptStepSize",
    "tune_interval": "tuneInterval",
    "scaling": "scaling",
    "w": "width",
}


@dataclass(frozen=True)
class SampleCall:
    """
    Attributes
    ----------
    chain : number of the chain for which the trace is made.
    model : the `pymc.Model` that is sampled.
    trace_vars : the values that `var_names` asks for; None for all.
    initial_point : a starting point, by the names of the value variables.
    tune, draws : number of draws of warmup, and behind it.
    discard_tuned_samples : True if warmup is left out of the result.
    settings : settings of the sampler, in the types of JSON.
    seeds : for each chain the state from which its random numbers begin, as text.
    """

    chain: int | None = None
    model: Any = None
    trace_vars: Sequence[Any] | None = None
    initial_point: Mapping[str, Any] | None = None
    tune: int | None = None
    draws: int | None = None
    discard_tuned_samples: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[str, ...] = ()


def current_call() -> SampleCall:
    """The call that is making a trace right now; an empty one if there is none that can be seen."""
    init = _locals_of("pymc.backends", ("_init_trace", "init_traces"))
    call = _locals_of("pymc.sampling.mcmc", ("sample",))
    point = init.get("initial_point")
    trace_vars = init.get("trace_vars")
    return SampleCall(
        chain=_count(init.get("chain_number")),
        model=init.get("model", call.get("model")),
        trace_vars=list(trace_vars) if isinstance(trace_vars, (list, tuple)) else None,
        initial_point=point if isinstance(point, Mapping) else None,
        tune=_count(call.get("tune")),
        draws=_count(call.get("draws")),
        discard_tuned_samples=_flag(call.get("discard_tuned_samples")),
        settings=_settings(call),
        seeds=_seeds(call.get("rngs")),
    )


def sampling_time() -> float | None:
    """Seconds that PyMC has measured, while it makes its result out of the traces; None before that."""
    seconds = _locals_of("pymc.sampling.mcmc", ("_sample_return",)).get("t_sampling")
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _locals_of(module: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    """Local variables of the nearest caller that is one of these functions; none if there is no such caller."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_MOST_FRAMES):
        if frame is None:
            break
        if frame.f_code.co_name in names and frame.f_globals.get("__name__") == module:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0 else None


def _flag(value: object) -> bool | None:
    return bool(value) if isinstance(value, (bool, np.bool_)) else None


def _settings(call: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in ("chains", "cores"):
        if (count := _count(call.get(name))) is not None:
            settings[name] = count
    if isinstance(init := call.get("init"), str):
        settings["init"] = init
    seed = call.get("random_seed")
    if isinstance(seed, (int, np.integer)):
        settings["randomSeed"] = int(seed) if abs(int(seed)) < 2**53 else str(seed)
    if (step := call.get("step")) is not None:
        settings["steps"] = [_step(method) for method in getattr(step, "methods", None) or [step]][:_MOST_NAMES]
    return settings


def _step(method: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"method": type(method).__name__}
    names = [var.name for var in getattr(method, "vars", ()) if isinstance(getattr(var, "name", None), str)]
    told["variables"] = names[:_MOST_NAMES]
    for name, told_as in _SETTINGS.items():
        value = getattr(method, name, None)
        if isinstance(value, (bool, int, float, np.number)) and np.isfinite(value):
            told[told_as] = value if isinstance(value, bool) else value + 0
    return told


def _seeds(rngs: object) -> tuple[str, ...]:
    """One line for each generator, which makes the same seed again in Python."""
    seeds = []
    for rng in rngs if isinstance(rngs, (list, tuple)) else ():
        sequence = getattr(getattr(rng, "bit_generator", None), "seed_seq", None)
        entropy, key = getattr(sequence, "entropy", None), getattr(sequence, "spawn_key", None)
        if not isinstance(entropy, (int, np.integer)) or not isinstance(key, tuple):
            return ()
        seeds.append(f"SeedSequence({int(entropy)}, spawn_key={tuple(map(int, key))})")
    return tuple(seeds)
