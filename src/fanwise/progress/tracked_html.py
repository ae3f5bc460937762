"""Tracked operations as one standalone HTML page, with a waterfall."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fanwise.progress import charts
from fanwise.progress.html import template
from fanwise.progress.timeline import BARS, Bar, Segment, SegmentKind
from fanwise.progress.tracked_text import path_words
from fanwise.progress.words import duration, plain

if TYPE_CHECKING:
    from fanwise.progress.tracked import Span, SpanState, TrackReport

_KINDS: Mapping[SpanState, SegmentKind] = {
    "done": "served",
    "failed": "failed",
    "cancelled": "cancelled",
    "running": "limit wait",
}


def render_track(report: TrackReport) -> str:
    """The page of :meth:`TrackReport.html`: the 2000 longest spans, and every operation."""
    spans = report.spans
    if len(spans) > BARS:
        longest = heapq.nlargest(BARS, spans, key=lambda span: span.took_s)
        spans = sorted(longest, key=lambda span: (span.begin_s, span.number))
    return template("track.html").render(
        report=report,
        comparison=charts.comparison(report.total_s, report.sequential_s),
        marks=charts.time_marks(report.total_s),
        curve=charts.step_curve(report.parallelism, length_s=report.total_s),
        lanes=charts.lanes(_groups(spans), length_s=report.total_s, title=_title),
        depths=_depths(report.spans),
        path=path_words(report.critical_path),
        shown=len(spans),
        width=charts.WIDTH,
    )


def _groups(spans: Sequence[Span]) -> Mapping[str, Sequence[Bar]]:
    """Bars by operation, in order of first beginning."""
    groups: dict[str, list[Bar]] = {}
    for span in spans:
        segment = Segment(
            kind=_KINDS[span.state], begin_s=span.begin_s, end_s=span.end_s, note=span.error
        )
        bar = Bar(
            item_id=span.name,
            model=span.state,
            label=span.error,
            begin_s=span.begin_s,
            end_s=span.end_s,
            segments=(segment,),
        )
        groups.setdefault(span.name, []).append(bar)
    return groups


def _depths(spans: Sequence[Span]) -> Mapping[str, int]:
    """How deep each operation was nested when it first began."""
    by_number: list[int] = []
    by_name: dict[str, int] = {}
    for span in spans:
        depth = 0 if span.parent is None else by_number[span.parent] + 1
        by_number.append(depth)
        by_name.setdefault(span.name, depth)
    return by_name


def _title(bar: Bar) -> str:
    took = duration(bar.end_s - bar.begin_s)
    lines = [plain(bar.item_id, most=120), f"from {duration(bar.begin_s)}: {bar.model}, {took}"]
    if bar.label:
        lines.append(plain(bar.label))
    return "\n".join(lines)
