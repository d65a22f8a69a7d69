"""A plugin of pytest with which emcee's own tests run on `EmceeBackend`, where they take emcee's file backend.

pytest -p tests.emcee_suite --pyargs emcee.tests.unit
"""

from __future__ import annotations

import os
from typing import Any

import emcee.backends
import pytest

from mcbackend_edge import EmceeBackend

# Those that end otherwise, as the manual says, and those of files alone.
DIFFERENT = {
    "test_longdouble_preserved[Temporary]": "long doubles are refused",
    "test_blob_shape[blob_spec4-Temporary]": "blobs of numbers and arrays are refused without a dtype",
    "test_blob_shape[blob_spec6-Temporary]": "blobs that are Python objects are refused",
    "test_blob_shape[blob_spec8-Temporary]": "blobs of arrays and text are refused without a dtype",
    "test_uninit": "it looks for a file",
    "test_multi_hdf5": "it looks into a file",
    "test_hdf5_compression": "it is about files",
}
URL = os.environ.get("MCB_SUITE_URL", "")
_open: list[EmceeBackend] = []


class Temporary:
    """Makes a backend for a ``with`` block, as emcee's tests know it from their file backend."""

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype

    def __enter__(self) -> EmceeBackend:
        backend = EmceeBackend(URL, dtype=self.dtype)
        # By these, the tests open the file again.
        backend.filename, backend.name = backend.rid, "mcmc"
        _open.append(backend)
        return backend

    def __exit__(self, *_: object) -> None:
        _open.pop().close()


def _reopened(filename: str, name: str, read_only: bool = False) -> EmceeBackend:
    for backend in _open:
        backend.flush()
    return EmceeBackend(URL, rid=filename, read_only=read_only)


def pytest_configure() -> None:
    emcee.backends.get_test_backends = lambda: [emcee.backends.Backend, Temporary]
    emcee.backends.HDFBackend = _reopened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.name in DIFFERENT:
            item.add_marker(pytest.mark.skip(reason=DIFFERENT[item.name]))
