"""A run as ArviZ's InferenceData (0.x) or DataTree (1.x): what the library that sampled it would have given.

`selection` picks variables, `extents` chains and draws; `download` brings them, `groups` sorts them, `dimensions` and
`labels` name their axes, `attributes` says where they are from, and `convert` puts all of it together.
"""

from .convert import ReadOptions, to_datatree, to_inferencedata
from .extents import ChainChoice
from .mcbackend_form import to_mcbackend_form
from .one import read_variable
from .selection import FilterVars
from .stored import StoredChain

__all__ = [
    "ChainChoice",
    "FilterVars",
    "ReadOptions",
    "StoredChain",
    "read_variable",
    "to_datatree",
    "to_inferencedata",
    "to_mcbackend_form",
]
