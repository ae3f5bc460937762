from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fanwise.progress import charts
from fanwise.progress.html import render_html
from fanwise.progress.report import build_report
from fanwise.progress.timeline import Bar
from fanwise.records import Counters, RunRecord, RunSpec, SessionRecord
from support.sample_report import sample_report

HOSTILE = (
    """"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</title></style>\x1b[1m"""
)
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Outline(HTMLParser):
    """Which elements and attributes a document has, and whether they are closed in order."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def outline(html):
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def empty_report(**counters):
    run = RunRecord(
        run_id="r", spec=RunSpec(name="n"), status="finished", created_at=0.0, updated_at=0.0
    )
    return build_report(run, Counters(**counters), sessions=[], calls=[], items=[])


def bar(begin_s, end_s, *, model="m"):
    return Bar(item_id="i", model=model, label="", begin_s=begin_s, end_s=end_s, segments=())


def test_the_document_is_whole_and_holds_the_figures():
    report = sample_report()
    html = render_html(report)
    assert html.startswith("<!DOCTYPE html>")
    found = outline(html)
    text = " ".join(" ".join(found.text).split())
    assert found.tags.count("main") == 1
    assert f"{report.speedup:.1f}" in text
    for section in ("What limited it", "Calls in flight", "Waterfall", "Models", "Errors"):
        assert section in text
    for call in report.ambiguous:
        assert call.item_id in text
    assert found.tags.count("g") == len(report.bars) == 400
    segments = sum(len(strip.boxes) for lane in charts.waterfall(report) for strip in lane.strips)
    assert found.tags.count("rect") == segments + 5


def test_the_document_names_nothing_outside_itself():
    found = outline(render_html(sample_report()))
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    assert not forbidden & set(found.tags)
    names = {name for name, _ in found.attributes}
    assert not {"src", "href", "srcset", "action", "xlink:href", "background"} & names
    assert not [name for name in names if name.startswith("on")]
    policy = dict(found.attributes)["content"] if "content" in names else ""
    assert policy
    html = render_html(sample_report())
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert not re.search(r"https?:|//\w|url\(|@import", html)


def test_hostile_text_stays_text_wherever_it_comes_from():
    plain = outline(render_html(sample_report()))
    attacked = outline(render_html(sample_report(hostile=HOSTILE)))
    assert attacked.tags == plain.tags
    assert {name for name, _ in attacked.attributes} == {name for name, _ in plain.attributes}
    text = " ".join(attacked.text)
    assert "<script>alert(1)</script>" in text
    assert "{{7*7}}" in text
    assert "\x1b" not in text


def test_a_large_run_makes_a_document_of_bounded_size():
    html = render_html(sample_report(6000, at_once=500))
    assert "2,000 of 6,000 calls, chosen evenly" in " ".join(html.split())
    assert len(html) < 2_000_000
    heights = [float(lane.height) for lane in charts.waterfall(sample_report(6000, at_once=500))]
    assert sum(heights) < 1300


@pytest.mark.parametrize("killed", [False, True])
def test_a_resumed_run_shows_its_seams(killed):
    html = render_html(sample_report(killed=killed))
    assert ('class="seam"' in html) == killed
    assert ("<h2>Sessions</h2>" in html) == killed


def test_a_run_that_sent_nothing_still_has_a_report():
    text = " ".join(outline(render_html(empty_report(succeeded=3, cached=3))).text)
    assert "nothing had to be sent" in text
    assert "Waterfall" not in text


def test_an_unknown_price_is_shown_as_unknown():
    report = sample_report()
    report = replace(report, counters=replace(report.counters, unpriced_calls=7))
    html = render_html(report)
    assert re.search(r"<dt>Cost</dt><dd>\?<small>\$0\.02\d+ \+ 7 calls without a price", html)


def test_bars_in_one_lane_never_overlap():
    report = sample_report(600, at_once=40)
    lanes = charts.pack(report.bars)
    last: dict[int, float] = {}
    for entry, lane in zip(report.bars, lanes, strict=True):
        assert entry.begin_s >= last.get(lane, 0.0)
        last[lane] = entry.end_s
    # As few lanes as bars that overlap at one moment: the packing is tight.
    events = sorted([(b.begin_s, 1) for b in report.bars] + [(b.end_s, -1) for b in report.bars])
    deepest = depth = 0
    for _, step in events:
        depth += step
        deepest = max(deepest, depth)
    assert max(lanes) + 1 == deepest


def test_a_bar_takes_the_first_lane_that_is_free():
    bars = [bar(0.0, 4.0), bar(1.0, 2.0), bar(2.0, 3.0), bar(2.5, 5.0), bar(4.0, 5.0)]
    assert charts.pack(bars) == [0, 1, 1, 2, 0]


@pytest.mark.parametrize(
    ("length_s", "labels"),
    [
        (0.0, []),
        (0.004, ["0", "0.5 ms", "1 ms", "1.5 ms", "2 ms", "2.5 ms", "3 ms", "3.5 ms", "4 ms"]),
        (0.9, ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s"]),
        (13.0, ["0", "2 s", "4 s", "6 s", "8 s", "10 s", "12 s"]),
        (200.0, ["0", "30 s", "60 s", "90 s", "120 s", "150 s", "180 s"]),
        (480.0, ["0", "1 min", "2 min", "3 min", "4 min", "5 min", "6 min", "7 min", "8 min"]),
        (20_000.0, ["0", "60 min", "2 h", "3 h", "4 h", "5 h"]),
    ],
)
def test_time_is_marked_at_round_instants(length_s, labels):
    marks = charts.time_marks(length_s)
    assert [mark.label for mark in marks] == labels
    assert all(0.0 <= mark.place <= 100.0 for mark in marks)


def test_days_are_marked_in_hours():
    assert [mark.label for mark in charts.time_marks(900_000.0)][1] == "48 h"


@pytest.mark.parametrize(
    ("least", "step"), [(0.0, 0.0), (0.13, 0.2), (1.0, 1.0), (2.1, 5.0), (51.0, 100.0)]
)
def test_counts_are_marked_at_round_numbers(least, step):
    assert charts.round_step(least) == pytest.approx(step)


def test_the_limit_is_drawn_where_it_was_in_force():
    report = sample_report()
    curve = charts.curve(report)
    assert curve.limit is not None
    assert curve.limit_label == "limit 20"
    crowded = [replace(tick, in_flight=30.0) for tick in report.timeline]
    assert charts.curve(replace(report, timeline=crowded)).limit_label == "limit 20 on average"
    unlimited = SessionRecord(number=1, started_at=0.0, ended_at=5.0, closed=True)
    assert charts.curve(replace(report, sessions=[unlimited])).limit is None


def test_the_shorter_of_the_two_times_is_a_part_of_the_longer():
    report = sample_report()
    bars = charts.comparison(report.wall_s, report.sequential_s)
    assert bars["sequential"] == 100.0
    assert bars["wall"] == pytest.approx(100.0 / report.speedup)
    assert charts.comparison(0.0, 0.0) == {"wall": 0.0, "sequential": 0.0}
