"""The page on reading runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .server import PACKAGE, RunningServer

pytest.importorskip("xarray", reason="xarray is not installed: pip install mcbackend-edge[datatree]")


def test_the_page_runs(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    page = (PACKAGE / "docs" / "reading.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    monkeypatch.setenv("MCB_URL", server.url)
    # It saves a file.
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "reading.md", "exec"), {})
    first = next(record.getMessage() for record in caplog.records if "left out" in record.getMessage())
    assert "'path'" in first
    assert "chain 1 (2 draws behind warmup)" in first
