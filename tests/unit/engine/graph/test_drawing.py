"""Drawings say what is so, escape what they are given, and ask nothing of any server."""

from __future__ import annotations

import asyncio
import random
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

import fanwise as fw
from fanwise.engine.graph.layout import lay_out, spread
from fanwise.errors import PlanError
from fanwise.testing.virtual import run_virtual


def tailoring() -> fw.Graph:
    graph = fw.Graph("tailoring")

    def add(name: str, seconds: float, *after: str, fails: bool = False, fan: int = 0) -> None:
        async def part(number: int) -> None:
            await asyncio.sleep(number)

        async def step(ctx: fw.types.StepContext, text: str) -> None:
            await asyncio.sleep(seconds)
            await ctx.map(part, range(fan))
            if fails:
                raise ValueError("<b>out of paper</b>")

        graph.add(step, name=name, needs=after, optional=name == "log")

    add("validate", 2)
    add("score", 15, "validate")
    add("analyse", 12, "validate", fan=3)
    add("tailor", 30, "score", "analyse")
    add("save", 2, "tailor", fails=True)
    add("send", 1, "save")
    add("log", 1, "save")
    return graph


def run() -> fw.types.GraphResult:
    return run_virtual(tailoring().run({"text": "x"}))


def test_the_text_shows_each_step_once_below_what_it_waits_for() -> None:
    assert tailoring().text().splitlines() == [
        "tailoring: 7 steps; given text",
        "  validate                    ← text",
        "  ├─ score                    ← text",
        "  └─ analyse                  ← text",
        "     └─ tailor                ← text, score",
        "        └─ save               ← text",
        "           ├─ send            ← text",
        "           └─ log (optional)  ← text",
    ]


def test_after_a_run_the_text_has_times_states_and_the_critical_path() -> None:
    text = run().text()
    lines = {line.split()[1 if "*" in line else 0]: line for line in text.splitlines()[1:]}
    assert "7 steps (1 failed, 2 skipped) in 49.0 s" in text
    assert "* critical path, 49.0 s: validate → score → tailor → save" in text
    assert re.search(r"analyse +✓ +14\.0 s .* 3 parts", text)
    assert re.search(r"save +✗ +2\.0 s .*ValueError: <b>out of paper</b>", text)
    assert re.search(r"send +– .* skipped: save failed", text)
    assert lines["validate"].startswith("*")


@pytest.mark.parametrize("name", ["graph", "result"])
def test_the_picture_is_well_formed_described_and_fetches_nothing(name: str) -> None:
    drawn = tailoring() if name == "graph" else run()
    svg = drawn.svg()
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == "tailoring"
    assert "7 steps" in (root.findtext(f"{space}desc") or "")
    assert root.get("role") == "img"
    assert "prefers-color-scheme: dark" in svg
    for text in (svg, drawn.html()):
        assert not re.search(r"(href|src)=|url\(|@import|<script", text)
        assert "<b>out" not in text
    boxes = [found for found in root.iter(f"{space}rect") if found.get("class") == "box"]
    assert len(boxes) == 8


def test_the_picture_marks_states_and_the_critical_path() -> None:
    svg = run().svg()
    for classes in ("ok critical", "failed critical", "skipped optional", "input"):
        assert f'<g class="{classes}">' in svg
    assert len(re.findall(r'class="arrow[^"]* critical"', svg)) == 3
    assert "14.0 s · 3 parts" in svg


def test_the_page_has_the_figures_and_a_row_for_each_step() -> None:
    page = run().html()
    assert page.count("<tr>") == 8
    assert "<dt>critical path</dt><dd>49.0 s</dd>" in page
    assert "ValueError: &lt;b&gt;out of paper&lt;/b&gt;" in page
    assert "<dt>" not in tailoring().html()


def test_a_circle_cannot_be_drawn() -> None:
    graph = fw.Graph()

    async def step() -> None: ...

    graph.add(step, name="a", needs="b")
    graph.add(step, name="b", needs="a")
    with pytest.raises(PlanError, match="a → b → a"):
        graph.text()


def test_an_empty_graph_can_be_drawn() -> None:
    assert fw.Graph("empty").text() == "empty: 0 steps"
    ET.fromstring(fw.Graph("empty").svg())
    ET.fromstring(run_virtual(fw.Graph("empty").run()).svg())


def test_boxes_of_a_layer_keep_their_distance_and_arrows_lead_to_the_right() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        sources: dict[str, list[str]] = {}
        for number in range(60):
            earlier = list(sources)[-15:]
            found = chance.sample(earlier, min(len(earlier), chance.randrange(4)))
            sources[f"s{number}"] = found
        layout = lay_out(sources)
        rows: dict[int, list[float]] = {}
        for layer, row in layout.places.values():
            rows.setdefault(layer, []).append(row)
        for found in rows.values():
            found.sort()
            assert all(b - a >= 1 - 1e-9 for a, b in pairwise(found))
        for (source, name), route in layout.routes.items():
            first, last = layout.places[source][0], layout.places[name][0]
            assert [layer for layer, _ in route] == list(range(first + 1, last))
            assert first < last


def test_a_graph_that_is_a_tree_is_drawn_without_crossings() -> None:
    chance = random.Random(5)
    sources: dict[str, list[str]] = {"s0": []}
    for number in range(1, 40):
        sources[f"s{number}"] = [chance.choice(list(sources))]
    layout = lay_out(sources)
    arrows = [
        (layout.places[source][0], layout.places[source][1], layout.places[name][1])
        for name, found in sources.items()
        for source in found
    ]
    crossings = [
        (one, other)
        for one in arrows
        for other in arrows
        if one[0] == other[0] and one[1] < other[1] - 1e-9 and one[2] > other[2] + 1e-9
    ]
    assert not crossings


def test_places_are_spread_by_least_squares() -> None:
    assert spread([0.0, 0.0, 0.0], [1.0, 1.0]) == [-1.0, 0.0, 1.0]
    assert spread([0.0, 5.0], [1.0]) == [0.0, 5.0]
    assert spread([], []) == []
