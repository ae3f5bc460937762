"""What tracked spans add up to."""

from __future__ import annotations

import itertools
import json
import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.progress.tracked import Span, build_track_report, critical_path, own_times
from fanwise.progress.tracked_html import render_track


def spans_of(*rows, **more):
    """Spans from (name, begin, end) or (name, begin, end, parent) or with a state after that."""
    found = []
    for number, (name, begin_s, end_s, *rest) in enumerate(rows):
        parent = rest[0] if rest else None
        state = rest[1] if len(rest) > 1 else "done"
        found.append(
            Span(number=number, name=name, begin_s=begin_s, end_s=end_s, parent=parent, state=state)
        )
    return found


# The fifth of the waves overlaps; 76 s of work in 58 s.
TAILORING = spans_of(
    ("validate", 0, 2),
    ("ats", 2, 17),
    ("job", 2, 17),
    ("targets", 17, 18),
    ("tailor", 18, 48),
    ("score", 48, 58),
    ("write", 48, 50),
    ("log", 50, 51),
)


def test_the_figures_are_those_that_the_definitions_give():
    report = build_track_report("tailoring", TAILORING, total_s=58)
    assert report.sequential_s == 76
    assert report.savings_s == 18
    assert report.speedup == pytest.approx(76 / 58)
    assert report.efficiency == pytest.approx(18 / 76)
    assert report.critical_path_s == 58
    assert [s.name for s in report.critical_path] == [
        "validate",
        "ats",
        "targets",
        "tailor",
        "score",
    ]
    assert report.peak == 2
    assert report.parallelism == [(0, 1), (2, 2), (17, 1), (48, 2), (51, 1), (58, 0)]
    assert report.mean_running == pytest.approx(76 / 58)


def test_what_ran_inside_another_counts_once():
    spans = spans_of(("outer", 0, 10), ("a", 1, 5, 0), ("b", 1, 6, 0), ("deep", 2, 3, 1))
    report = build_track_report("nested", spans, total_s=10)
    own = {operation.name: operation.own_s for operation in report.operations}
    assert own == {"outer": 5, "a": 3, "b": 5, "deep": 1}
    assert report.sequential_s == 14
    assert report.peak == 2
    assert [(s.name, s.depth) for s in report.critical_path] == [("outer", 0), ("b", 1)]


def test_a_child_that_outlives_its_parent_takes_nothing_twice():
    spans = spans_of(("outer", 0, 4), ("child", 2, 9, 0), ("later", 9, 10))
    report = build_track_report("x", spans, total_s=10)
    assert report.sequential_s == 2 + 7 + 1
    assert report.critical_path_s == 8
    assert [s.name for s in report.critical_path] == ["child", "later"]


def test_failures_and_cancellations_are_shown_and_are_no_service():
    spans = spans_of(("a", 0, 4, None, "failed"), ("a", 4, 6), ("b", 0, 3, None, "cancelled"))
    report = build_track_report("x", spans, total_s=6)
    assert report.sequential_s == 2
    assert report.critical_path_s == 2
    found = {o.name: (o.count, o.failed, o.cancelled, o.mean_s) for o in report.operations}
    assert found == {"a": (2, 1, 0, 2), "b": (1, 0, 1, None)}


def test_figures_without_a_divisor_are_unknown():
    report = build_track_report("nothing", [], total_s=0)
    assert report.speedup is None
    assert report.efficiency is None
    assert report.mean_running is None
    assert "nothing was done" in str(report)
    assert "nothing was done" in report.html()


def test_the_json_has_the_agreed_names_and_plain_values():
    found = build_track_report("tailoring", TAILORING, total_s=58).to_json()
    assert {
        "total_s",
        "sequential_s",
        "savings_s",
        "speedup",
        "efficiency",
        "critical_path",
        "operations",
        "parallelism",
    } <= set(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["critical_path"]["length_s"] == 58


@st.composite
def chains(draw):
    begins = sorted(draw(st.lists(st.integers(0, 20), min_size=1, max_size=9)))
    return spans_of(*((f"s{n}", b, b + draw(st.integers(0, 8))) for n, b in enumerate(begins)))


@given(chains())
def test_the_critical_path_is_the_longest_of_all_chains(spans):
    def is_chain(group):
        return all(a.end_s <= b.begin_s for a, b in itertools.pairwise(group))

    longest = max(
        sum(s.took_s for s in group)
        for size in range(len(spans) + 1)
        for group in itertools.combinations(spans, size)
        if is_chain(group)
    )
    length_s, steps = critical_path(spans)
    assert length_s == longest
    assert sum(s.end_s - s.begin_s for s in steps) == longest
    assert is_chain(steps)


@st.composite
def trees(draw):
    rows = [("root", 0, draw(st.integers(0, 12)))]
    begin = 0
    for number in range(1, draw(st.integers(1, 8))):
        begin = draw(st.integers(begin, 12))
        open_then = [n for n, row in enumerate(rows) if row[1] <= begin <= row[2]]
        parent = draw(st.sampled_from([None, *open_then]))
        rows.append((f"s{number}", begin, begin + draw(st.integers(0, 8)), parent))
    return spans_of(*rows)


@given(trees())
def test_own_time_is_what_no_child_covers_second_by_second(spans):
    for span, stretches in zip(spans, own_times(spans), strict=True):
        children = [s for s in spans if s.parent == span.number]
        expected = sum(
            not any(c.begin_s <= second < c.end_s for c in children)
            for second in range(int(span.begin_s), int(span.end_s))
        )
        assert sum(end - begin for begin, end in stretches) == expected


@given(trees())
def test_the_steps_of_parallelism_hold_all_own_time(spans):
    report = build_track_report("x", spans, total_s=30)
    own_s = sum(end - begin for stretches in own_times(spans) for begin, end in stretches)
    ends = [at_s for at_s, _ in report.parallelism[1:]]
    assert sum(
        n * (end - at) for (at, n), end in zip(report.parallelism, ends, strict=False)
    ) == pytest.approx(own_s)
    assert not report.parallelism or report.parallelism[-1][1] == 0


def test_texts_from_outside_steer_neither_the_terminal_nor_the_page():
    hostile = "\x1b[31m</title><script>alert(1)</script>\u202e"
    spans = [Span(number=0, name=hostile, begin_s=0, end_s=1, state="failed", error=hostile)]
    report = build_track_report(hostile, spans, total_s=1)
    drawn = StringIO()
    report.show(drawn)
    assert "\x1b" not in str(report) + drawn.getvalue()
    page = report.html()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_has_a_bar_for_each_span_and_loads_nothing():
    page = build_track_report("tailoring", TAILORING, total_s=58).html()
    assert page.count("<g>") == len(TAILORING)
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=", page)


def test_a_page_of_very_many_spans_stays_small_and_says_so():
    spans = spans_of(*((f"op{n % 7}", n, n + 1 + n % 3) for n in range(5000)))
    page = render_track(build_track_report("many", spans, total_s=5003))
    assert page.count("<g>") == 2000
    assert "The 2,000 longest of 5,000 operations" in page
    assert len(page) < 1_500_000
