"""`to_datatree` with ArviZ 1.x, in an environment of its own: it does not go beside the 0.x that McBackend needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcbackend_edge import Client

from .server import PACKAGE, RunningServer
from .test_inference import make_run

SCRIPT = """
import sys, arviz as az, mcbackend_edge as mcb
assert az.__version__.split(".")[0] != "0", az.__version__
tree = mcb.Client(sys.argv[1]).run(sys.argv[2]).to_datatree(progress=False)
summary = az.summary(tree, var_names=["theta"])
assert list(summary.index) == ["theta[a]", "theta[b]"], summary
print(az.extract(tree).sizes["sample"])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_arviz_1_takes_the_tree(server: RunningServer, client: Client, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--no-compile", "arviz>=1,<2", str(PACKAGE)]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        pytest.skip(f"ArviZ 1.x cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
    run = make_run(client, [60, 60], [10, 10])
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SCRIPT, server.url, run.rid], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "100"
