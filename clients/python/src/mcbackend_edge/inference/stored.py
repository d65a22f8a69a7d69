"""The parts of a run and its chains that this folder needs; `mcbackend_edge.Run` and `Chain` have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..about import RunAbout
from ..ndarray import Array
from ..schema import RunMeta, Variable


class StoredChain(Protocol):
    """A chain that can be read."""

    def __len__(self) -> int: ...

    @property
    def number(self) -> int: ...

    @property
    def is_own(self) -> bool: ...

    def get_many(
        self, var_names: Sequence[str], stat_names: Sequence[str], slc: slice, *, progress: bool | None
    ) -> tuple[dict[str, Array], dict[str, Array]]: ...


class StoredRun(Protocol):
    """A run that can be read."""

    @property
    def rid(self) -> str: ...

    @property
    def meta(self) -> RunMeta: ...

    @property
    def variables(self) -> Mapping[str, Variable]: ...

    @property
    def sample_stats(self) -> Mapping[str, Variable]: ...

    @property
    def attributes(self) -> Mapping[str, Any]: ...

    def get_chains(self) -> Sequence[StoredChain]: ...

    def lengths(self) -> Mapping[int, int]: ...

    def about(self) -> RunAbout: ...
