"""The state of emcee's random generator behind each step, as text, with which a walk goes on as if never stopped."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..run import Chain
from ..stat_names import RANDOM_STATE

log = logging.getLogger("mcbackend_edge")

_KEYS = 624


class RandomStates:
    """Encodes the states of consecutive steps. The 624 keys of a Mersenne twister are left out while they are the same.

    Attributes
    ----------
    last_keys : those of the step before; b"" before the first.
    """

    def __init__(self, last_keys: bytes = b"") -> None:
        self.last_keys = last_keys
        self._has_warned = False

    def encode(self, state: Any) -> str:
        """The state as text; "" for one of another generator, behind which a walk goes on with fresh numbers."""
        try:
            name, keys, position, has_gauss, cached = state
            raw = np.asarray(keys, dtype="<u4").tobytes()
            if name != "MT19937" or len(raw) != 4 * _KEYS:
                raise ValueError(f"a generator {name}")
            number = float(cached).hex()
            text = f'{{"position": {int(position)}, "has_gauss": {int(has_gauss)}, "cached_gaussian": "{number}"'
        except (TypeError, ValueError):
            if state is not None and not self._has_warned:
                self._has_warned = True
                log.warning(
                    "the state of this random generator is not stored, but only NumPy's MT19937: a walk that is gone "
                    "on with elsewhere begins with new random numbers"
                )
            return ""
        if raw == self.last_keys:
            return f"{text}}}"
        self.last_keys = raw
        return f'{text}, "keys": "{base64.b64encode(raw).decode("ascii")}"}}'


def state_behind(chain: Chain, steps: int) -> tuple[Any, bytes]:
    """The state after the last step, and its keys; None and b"" if there is none.

    The keys were written with that step, or with one shortly before.

    Parameters
    ----------
    chain : that of the first walker, with `steps` steps or more.
    """
    window, stop = 16, steps
    last: Mapping[str, Any] | None = None
    while stop > 0:
        start = max(0, stop - window)
        for text in reversed(chain.get_stats(RANDOM_STATE, slice(start, stop), progress=False).tolist()):
            if not text:
                return None, b""
            about = json.loads(text)
            last = last or about
            if "keys" in about:
                raw = base64.b64decode(about["keys"])
                keys = np.frombuffer(raw, dtype="<u4").astype(np.uint32)
                cached = float.fromhex(last["cached_gaussian"])
                return ("MT19937", keys, last["position"], last["has_gauss"], cached), raw
        stop, window = start, 4 * window
    return None, b""
