"""Attributes of stored results: they come back as they were, whatever facts, which keep them, make of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcbackend_edge import Client
from mcbackend_edge.results.told import ATTRS, kept_attrs

xarray = pytest.importorskip("xarray", reason="xarray is not installed")


def test_attributes_without_a_value_come_back(client: Client) -> None:
    """Facts lose a None when they are merged."""
    attrs = {"none": None, "empty": {}, "nested": {"a": None, "b": [None, {}]}, "list": [], "flags": [True, False]}
    attrs |= {"plain": {"a": [1, None]}, "like ours": {"json": "no JSON"}}
    found = xarray.Dataset({"x": (("chain", "draw"), np.zeros((1, 3)))}, attrs=attrs)
    for _ in range(2):
        # The second time, the facts of the first are merged with the same.
        run = client.store(found, rid="store-empty")
        assert run.to_datatree()["posterior"].attrs == {**attrs, "rid": "store-empty"}


@pytest.mark.parametrize("told", ['{"json": "["}', '{"json": 1}', '{"json": "1", "more": 2}', '{"a": 1}'])
def test_attributes_of_others_are_taken_as_they_are(told: str) -> None:
    assert kept_attrs({ATTRS: {"/": {"k": json.loads(told)}}}) == {"/": {"k": json.loads(told)}}
