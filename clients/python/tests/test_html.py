"""Runs, chains and clients in a notebook: tables without anybody's markup, and without waiting for a server."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import numpy as np
import pytest

from mcbackend_edge import Client, Variable

from .server import RunningServer

EVIL = '<script>alert("x")</script>&amp;\u202e'


class Outline(HTMLParser):
    """The tags and the texts of a page; it ends with no tag open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.cells: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


KNOWN = {"div", "strong", "a", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}


def test_a_run_is_a_table_of_chains_and_one_of_variables(client: Client, server: RunningServer) -> None:
    run = client.create_run(
        variables=[Variable("theta", "float64", (8,), ("school",)), Variable("path", "float32", (-1,)), Variable(EVIL)],
        sample_stats={"lp": 0.0},
    )
    for number in range(2):
        run.init_chain(number).extend(
            {"theta": np.zeros((3, 8)), "path": [np.zeros(1, dtype=np.float32)] * 3, EVIL: np.zeros(3)}
        )
    run.flush(progress=False)
    run.set_about(name=EVIL, tags=["paper"], notes=EVIL, facts={"samplingTime": 2.5, EVIL: EVIL})
    pages = [run._repr_html_(), run.chain(1)._repr_html_(), run.about()._repr_html_(), client._repr_html_()]
    for page in pages:
        assert Outline(page).tags <= KNOWN
        assert "<script" not in page
    outline = Outline(pages[0])
    assert outline.links == [f"{server.url}/v1/runs/{run.rid}"]
    assert "2 chains" in outline.cells
    assert any("#paper" in cell and "6 draws" in cell and "live" in cell for cell in outline.cells)
    at = outline.cells.index("theta")
    assert outline.cells[at : at + 4] == ["theta", "float64", "8", "school"]
    assert any('<script>alert("x")</script>&amp;' in cell for cell in outline.cells)
    assert "\u202e" not in pages[0]
    assert "3 draws" in Outline(pages[1]).cells
    assert "samplingTime" in pages[2]
    assert server.url in pages[3]


def test_much_is_cut(client: Client) -> None:
    run = client.create_run(variables=[Variable(f"v{index}" + "x" * 240) for index in range(3000)])
    page = run._repr_html_()
    assert len(page) < 50_000
    assert "and 2,980 more" in page
    assert "3,000 variables" in page


@pytest.mark.timeout(60)
def test_a_server_that_does_not_answer_is_not_waited_for(own_server: RunningServer) -> None:
    with Client(own_server.url, exit_timeout=0.1) as client:
        run = client.create_run(variables={"x": 0.0})
        run.init_chain(0)
        other = client.run(run.rid).chain(0)
        own_server.pause()
        began = time.monotonic()
        assert "the server does not answer" in run._repr_html_()
        assert "the server does not answer" in other._repr_html_()
        assert "Client" in client._repr_html_()
        assert time.monotonic() - began < 12
        own_server.resume()
        assert "the server does not answer" not in run._repr_html_()


def test_a_run_that_is_gone_is_shown_all_the_same(client: Client) -> None:
    run = client.create_run(variables={"x": 0.0})
    client.delete_run(run.rid)
    assert run.rid in run._repr_html_()
