"""Run ids and chain numbers that the contract does not allow are refused before they become a path or a URL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcbackend_edge as mcb
from mcbackend_edge import Client
from mcbackend_edge.names import check_chain, check_rid
from mcbackend_edge.run_writer import RunWriter
from mcbackend_edge.schema import build_run_meta
from mcbackend_edge.spool import RunSpool
from mcbackend_edge.sync import sync

from .gate import Gate
from .server import RunningServer

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"
WRONG = [
    *("", ".", "..", "../../x", "a/b", "/etc", "a+b", "a b", "a%2Fb", "ä", "a\n", "\n", "a\0", "a" * 129, "a?b", "a#b"),
    *("a\\b", "a:b", "．．", "a\ud800"),
]
WRONG_CHAINS = [-1, 2**31, 1.0, "0", "../0", None, "0/../1"]


@given(st.text(ALPHABET, min_size=1, max_size=128).filter(lambda rid: rid not in (".", "..")))
def test_what_the_contract_allows_is_allowed(rid: str) -> None:
    assert check_rid(rid) == rid


@given(st.text(max_size=130))
def test_what_it_does_not_allow_is_not(rid: str) -> None:
    is_right = 0 < len(rid) < 129 and set(rid) <= set(ALPHABET) and rid not in (".", "..")
    if not is_right:
        with pytest.raises(mcb.IdentifierError, match="1 to 128 characters"):
            check_rid(rid)


@pytest.mark.parametrize("rid", WRONG, ids=ascii)
def test_everything_that_takes_an_id_refuses_it(server: RunningServer, tmp_path: Path, rid: str) -> None:
    """At once: nothing is sent, and nothing is written."""
    asked: list[str] = []
    spool = tmp_path / "deep" / "in" / "spool"
    with Gate(server.port, lambda method, path: asked.append(path)) as gate:
        client = Client(gate.url, spool=spool, patience=0.2)
        meta = build_run_meta("r", variables={"x": 0.0})
        if not any("\ud800" <= char < "\ue000" for char in rid):
            meta = build_run_meta(rid, variables={"x": 0.0})
            actions: list[Callable[[], Any]] = [
                lambda: client.register(meta),
                lambda: client.register(meta, offline=True),
                lambda: client.open_run(meta, None),
                lambda: RunSpool.create(spool, gate.url, meta, None),
                lambda: RunWriter(meta, None, None),
            ]
        else:
            actions = []
        actions += [
            lambda: client.run(rid),
            lambda: client.delete_run(rid),
            lambda: client.create_run(rid, variables={"x": 0.0}),
            lambda: client.create_run(rid, variables={"x": 0.0}, offline=True),
            lambda: sync(spool, rid=rid),
        ]
        for action in actions:
            with pytest.raises(mcb.IdentifierError) as caught:
                action()
            assert isinstance(caught.value, mcb.McbError)
            assert isinstance(caught.value, ValueError)
            assert str(caught.value).isprintable()
        assert asked == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rid", ["", "..", "../../x", "a+b", "a" * 129])
def test_the_command_line_and_the_adapters_refuse_it(
    server: RunningServer, spool: Path, tmp_path: Path, rid: str
) -> None:
    emcee_backend = pytest.importorskip("mcbackend_edge.emcee_backend")
    file = tmp_path / "draws.csv"
    file.write_text("lp__,x\n1,2\n")
    for command in (["sync", "--rid", rid], ["tail", "--once", "--rid", rid, str(file)]):
        done = subprocess.run(
            [sys.executable, "-m", "mcbackend_edge", *command],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "MCB_URL": server.url},
        )
        assert done.returncode == 1
        assert "cannot be a run id" in done.stderr
        assert "Traceback" not in done.stderr
    with pytest.raises(mcb.IdentifierError):
        emcee_backend.EmceeBackend(server.url, rid=rid)
    if rid:
        mcbackend = pytest.importorskip("mcbackend")
        backend = mcb.HTTPBackend(server.url)
        with pytest.raises(mcb.IdentifierError):
            backend.init_run(mcbackend.meta.RunMeta(rid))
        with pytest.raises(mcb.IdentifierError):
            backend.get_run(rid)
    assert not spool.exists()


def test_an_emcee_run_of_the_longest_id_can_be_reset(server: RunningServer) -> None:
    emcee = pytest.importorskip("emcee", reason="emcee is not installed")
    from mcbackend_edge import EmceeBackend

    backend = EmceeBackend(server.url, rid="r" * 128)
    sampler = emcee.EnsembleSampler(8, 2, lambda x: -0.5 * (x**2).sum(), backend=backend)
    start = np.random.default_rng(1).normal(size=(8, 2))
    sampler.run_mcmc(start, 2)
    assert backend.rid == "r" * 128
    sampler.reset()
    sampler.run_mcmc(start, 2)
    assert backend.rid == "r" * 126 + ".2"
    backend.close()


@pytest.mark.parametrize("number", WRONG_CHAINS, ids=ascii)
def test_chain_numbers_are_checked_as_well(client: Client, number: Any) -> None:
    with pytest.raises(mcb.IdentifierError):
        check_chain(number)
    run = client.create_run(variables={"x": 0.0})
    for action in (run.init_chain, run.chain):
        with pytest.raises(mcb.IdentifierError):
            action(number)


def test_chain_numbers_may_be_numpys(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    run.init_chain(np.int64(2)).append({"x": 1.0})
    run.flush(progress=False)
    assert run.lengths() == {2: 1}
