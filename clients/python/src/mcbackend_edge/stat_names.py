"""Names of sampler stats: ArviZ's for those of PyMC, CmdStan and emcee."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Left: a sampler's own name. Right: ArviZ's, as its converters for that sampler give it.
ARVIZ_NAMES = {
    # PyMC
    "model_logp": "lp",
    "mean_tree_accept": "acceptance_rate",
    "depth": "tree_depth",
    "tree_size": "n_steps",
    # CmdStan
    "lp__": "lp",
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
    # emcee
    "log_prob": "lp",
}
# Stat under which the emcee backend keeps what it needs to go on.
RANDOM_STATE = "random_state"
_OF_SAMPLER = re.compile(r"sampler_(\d+)__(.+)", re.DOTALL)


def arviz_names(names: Iterable[str]) -> dict[str, list[str]]:
    """By ArviZ's name, the stored stats that make it up: one, or one of each sampler of a compound step, in order.

    The states of random generators are left out.
    """
    parts = {name: _parts(name) for name in names if name != RANDOM_STATE}
    grouped: dict[str, list[tuple[int, str]]] = {}
    # A stat that has ArviZ's name already takes it before others that would be renamed to it.
    for name in sorted(parts, key=lambda name: parts[name][1] in ARVIZ_NAMES):
        number, own = parts[name]
        members = grouped.setdefault(ARVIZ_NAMES.get(own, own), [])
        if all(number != other for other, _ in members):
            members.append((number, name))
        else:
            grouped.setdefault(name, []).append((number, name))
    return {target: [name for _, name in sorted(members)] for target, members in grouped.items()}


def own_name(name: str) -> str:
    """The sampler's own name of a stat, without the number that PyMC puts before it."""
    return _parts(name)[1]


def _parts(name: str) -> tuple[int, str]:
    """Number of the sampler, -1 if the name has none, and the sampler's own name of the stat."""
    match = _OF_SAMPLER.fullmatch(name)
    return (int(match[1]), match[2]) if match else (-1, name)
