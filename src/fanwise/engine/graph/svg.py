"""A graph as SVG: boxes and arrows, and after a run the bars of when each step ran.

Nothing is asked of any server, all text is escaped, and the colours follow the reader's scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fanwise.engine.graph.drawing import Box, Drawing, parts_busy, parts_in_words, took_s
from fanwise.engine.graph.layout import Layout, lay_out
from fanwise.progress.charts import time_marks
from fanwise.progress.words import duration, plain

_LETTER = 7.7  # width of a letter in pixels, of the widest of the fonts that may be found
_SMALL = 6.6
_LONGEST = 26
_GAP = 46.0
_MARGIN = 12.0
_HEAD = 30.0
_ROW = 22.0
_TRACK = 640.0

STYLE = """\
.fw-graph { --fw-text: #1b1e23; --fw-quiet: #626973; --fw-card: #ffffff; --fw-line: #b9bdb9;
  --fw-faint: #eeeeea; --fw-ok: #0b7268; --fw-okfill: #e3f2ef; --fw-bad: #c23636;
  --fw-badfill: #fbe6e4; --fw-input: #f1eee4; --fw-bar: #8cc9c0; --fw-wait: #d6d1c2;
  --fw-critical: #d9770a;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
@media (prefers-color-scheme: dark) { .fw-graph { --fw-text: #e7e9ec; --fw-quiet: #98a0ab;
  --fw-card: #181b1f; --fw-line: #565d66; --fw-faint: #22262b; --fw-ok: #43cdb9;
  --fw-okfill: #16302d; --fw-bad: #ee7d7d; --fw-badfill: #3a1e1f; --fw-input: #2a2820;
  --fw-bar: #2a8277; --fw-wait: #454a52; --fw-critical: #f0a13c; } }
.fw-graph text { fill: var(--fw-text); font-size: 12.5px; }
.fw-graph .head { font-size: 14px; font-weight: 650; }
.fw-graph .quiet, .fw-graph .note { fill: var(--fw-quiet); font-size: 11px; }
.fw-graph .mid { text-anchor: middle; }
.fw-graph .end { text-anchor: end; }
.fw-graph .page { fill: var(--fw-card); }
.fw-graph .box { fill: var(--fw-card); stroke: var(--fw-line); stroke-width: 1.2; }
.fw-graph .input .box { fill: var(--fw-input); stroke: none; }
.fw-graph .ok .box { fill: var(--fw-okfill); stroke: var(--fw-ok); }
.fw-graph .failed .box { fill: var(--fw-badfill); stroke: var(--fw-bad); }
.fw-graph .skipped .box { fill: var(--fw-faint); }
.fw-graph .skipped text, .fw-graph .input text { fill: var(--fw-quiet); }
.fw-graph .optional .box { stroke-dasharray: 5 3; }
.fw-graph .critical .box { stroke: var(--fw-critical); stroke-width: 2.6; }
.fw-graph .arrow { fill: none; stroke: var(--fw-line); stroke-width: 1.3; }
.fw-graph .loose { stroke-dasharray: 4 3; }
.fw-graph .arrow.critical { stroke: var(--fw-critical); stroke-width: 2.6; }
.fw-graph .tip { fill: var(--fw-line); }
.fw-graph .tip.critical { fill: var(--fw-critical); }
.fw-graph .grid { stroke: var(--fw-faint); }
.fw-graph .bar { fill: var(--fw-bar); }
.fw-graph .wait { fill: var(--fw-wait); }
.fw-graph .part { opacity: .6; }
.fw-graph .failed .bar { fill: var(--fw-bad); }
.fw-graph .critical .bar { fill: var(--fw-critical); }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a picture: its elements, and the room that they take in pixels."""

    body: str
    width: float
    height: float


def render_svg(drawing: Drawing) -> str:
    """The drawing as one SVG document: the graph, and after a run the waterfall below it."""
    parts = [boxes_and_arrows(drawing)]
    if drawing.report is not None:
        parts.append(waterfall(drawing))
    width = max(part.width for part in parts) + 2 * _MARGIN
    width = max(width, _SMALL * len(drawing.headline) + 2 * _MARGIN)
    pieces = [
        f'<text class="head" x="{_MARGIN:g}" y="22">{_text(drawing.name)}</text>',
        f'<text class="quiet" x="{_MARGIN:g}" y="40">{_text(drawing.headline)}</text>',
    ]
    top = 52.0
    for part in parts:
        pieces.append(f'<g transform="translate({_MARGIN:g},{top:g})">{part.body}</g>')
        top += part.height + _MARGIN
    return document(drawing, "".join(pieces), width=width, height=top)


def document(drawing: Drawing, body: str, *, width: float, height: float) -> str:
    """An SVG document around some elements, with a title and a description for screen readers."""
    path = ""
    if drawing.report is not None:
        names = ", ".join(step.name for step in drawing.report.critical_path)
        path = f" Critical path: {names}."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fw-graph" role="img" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
        f"<title>{_text(drawing.name)}</title>"
        f"<desc>{_text(f'{drawing.headline}.{path}', most=2000)}</desc>"
        f"<style>{STYLE}</style>"
        f'<rect class="page" width="100%" height="100%"/>{body}</svg>'
    )


def boxes_and_arrows(drawing: Drawing) -> Part:
    """The graph from left to right."""
    layout = lay_out(drawing.sources)
    place = _Places(drawing, layout)
    arrows: list[str] = []
    for critical in (False, True):  # what matters lies on top
        for (source, name), route in layout.routes.items():
            if ((source, name) in drawing.critical) == critical:
                arrows.append(_arrow(drawing, place, (source, name), route))
    boxes = [_box(box, place) for box in drawing.boxes.values()]
    # A frame is drawn half outside of its box.
    body = f'<g transform="translate(2,0)">{"".join([*arrows, *boxes])}</g>'
    return Part(body=body, width=place.width + 4.0, height=place.height)


class _Places:
    """From layers and rows to pixels: each layer is as wide as its widest box."""

    def __init__(self, drawing: Drawing, layout: Layout) -> None:
        self.layout = layout
        self.row = 52.0 if drawing.report is not None else 42.0
        self.box_height = self.row - 12.0
        self.widths = [40.0] * layout.layers
        for name, (layer, _) in layout.places.items():
            self.widths[layer] = max(self.widths[layer], _width(drawing.boxes[name]))
        self.lefts = [0.0]
        for width in self.widths:
            self.lefts.append(self.lefts[-1] + width + _GAP)
        self.width = max(0.0, self.lefts[-1] - _GAP)
        self.height = layout.rows * self.row

    def y(self, row: float) -> float:
        return (row + 0.5) * self.row


def _width(box: Box) -> float:
    name = min(len(box.name), _LONGEST) * _LETTER
    return max(name, len(box.note) * _SMALL) + 20.0


def _box(box: Box, place: _Places) -> str:
    layer, row = place.layout.places[box.name]
    width, height = place.widths[layer], place.box_height
    left, top = place.lefts[layer], place.y(row) - place.box_height / 2.0
    if box.kind == "input":
        height = 26.0
        top = place.y(row) - 13.0
    middle = left + width / 2.0
    base = top + height / 2.0 + (-2.5 if box.note else 4.5)
    note = ""
    if box.note:
        note = (
            f'<text class="note mid" x="{middle:.1f}" y="{base + 15:.1f}">{_text(box.note)}</text>'
        )
    return (
        f'<g class="{_classes(box)}"><title>{escape(box.title)}</title>'
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{13 if box.kind == "input" else 7}"/>'
        f'<text class="mid" x="{middle:.1f}" y="{base:.1f}">{_text(box.name, most=_LONGEST)}</text>'
        f"{note}</g>"
    )


def _classes(box: Box) -> str:
    flags = (("optional", box.optional), ("critical", box.critical))
    return " ".join([box.kind, *(name for name, holds in flags if holds)])


def _arrow(
    drawing: Drawing,
    place: _Places,
    ends: tuple[str, str],
    route: Sequence[tuple[int, float]],
) -> str:
    source, name = ends
    layer, row = place.layout.places[source]
    x, y = place.lefts[layer] + place.widths[layer], place.y(row)
    last, end_row = place.layout.places[name]
    path = [f"M{x:.1f},{y:.1f}"]
    stops = [
        (place.lefts[at], place.lefts[at] + place.widths[at], place.y(height))
        for at, height in route
    ]
    stops.append((place.lefts[last] - 6.0, place.lefts[last] - 6.0, place.y(end_row)))
    for left, right, height in stops:
        bend = (left - x) / 2.0
        path.append(
            f"C{x + bend:.1f},{y:.1f} {left - bend:.1f},{height:.1f} {left:.1f},{height:.1f}"
        )
        if right > left:
            path.append(f"H{right:.1f}")
        x, y = right, height
    critical = " critical" if ends in drawing.critical else ""
    loose = " loose" if ends in drawing.loose else ""
    tip = f"M{x + 6:.1f},{y:.1f}l-7.5,-3.8v7.6z"
    return (
        f'<path class="arrow{loose}{critical}" d="{"".join(path)}"/>'
        f'<path class="tip{critical}" d="{tip}"/>'
    )


def waterfall(drawing: Drawing) -> Part:
    """When each step ran, in the order of their beginnings; light where it waited."""
    report = drawing.report
    assert report is not None
    started = [name for name, course in drawing.courses.items() if course.started_s is not None]
    started.sort(key=lambda name: drawing.courses[name].started_s or 0.0)
    longest = max((min(len(name), _LONGEST) for name in started), default=0)
    left = longest * _LETTER + 14.0
    height = 20.0 + len(started) * _ROW
    pieces: list[str] = []
    for mark in time_marks(report.wall_s):
        x = left + _TRACK * mark.place / 100.0
        pieces.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="{height:.1f}"/>'
            f'<text class="quiet mid" x="{x:.1f}" y="10">{_text(mark.label)}</text>'
        )
    for place, name in enumerate(started):
        pieces.append(_lane(drawing, name, left=left, top=20.0 + place * _ROW))
    return Part(body="".join(pieces), width=left + _TRACK + 90.0, height=height)


def _lane(drawing: Drawing, name: str, *, left: float, top: float) -> str:
    report, course, box = drawing.report, drawing.courses[name], drawing.boxes[name]
    assert report is not None
    assert course.started_s is not None
    scale = _TRACK / report.wall_s if report.wall_s > 0.0 else 0.0
    end_s = report.wall_s if course.ended_s is None else course.ended_s

    def bar(kind: str, begin_s: float, until_s: float, thick: float) -> str:
        width = max(1.0, (until_s - begin_s) * scale)
        return (
            f'<rect class="{kind}" x="{left + begin_s * scale:.1f}" '
            f'y="{top + (_ROW - thick) / 2.0:.1f}" width="{width:.1f}" height="{thick:g}" rx="2"/>'
        )

    label = _text(name, most=_LONGEST)
    pieces = [
        f'<g class="{_classes(box)}"><title>{escape(box.title)}</title>',
        f'<text class="end" x="{left - 8:.1f}" y="{top + 15.5:.1f}">{label}</text>',
    ]
    if end_s > course.ready_s:
        pieces.append(bar("wait", course.ready_s, end_s, 4.0))
    pieces.extend(bar("bar part", begin_s, until_s, 8.0) for begin_s, until_s in parts_busy(course))
    pieces.extend(bar("bar", begin, until, 13.0) for begin, until in course.busy if until > begin)
    words = [duration(took_s(course)), parts_in_words(course)]
    note = " · ".join(word for word in words if word)
    x = left + end_s * scale + 6.0
    pieces.append(f'<text class="note" x="{x:.1f}" y="{top + 15:.1f}">{_text(note)}</text></g>')
    return "".join(pieces)


def _text(words: str, *, most: int = 300) -> str:
    return escape(plain(words, most=most))
