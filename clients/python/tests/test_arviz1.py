"""ArviZ 1.x works with the tree of `to_datatree`."""

from __future__ import annotations

import pytest

from mcbackend_edge import Client

from .test_inference import make_run

arviz = pytest.importorskip("arviz", reason="ArviZ is not installed: pip install mcbackend-edge[arviz]")
if arviz.__version__.startswith("0."):
    pytest.skip("this is ArviZ 0.x: run_tests.py --python 3.13 has a later one", allow_module_level=True)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_arviz_1_takes_the_tree(client: Client) -> None:
    run = make_run(client, [60, 60], [10, 10])
    tree = run.to_datatree(progress=False)
    assert list(arviz.summary(tree, var_names=["theta"]).index) == ["theta[a]", "theta[b]"]
    assert arviz.extract(tree).sizes["sample"] == 100
    assert arviz.ess(tree)["theta"].shape == (2,)
