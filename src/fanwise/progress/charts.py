"""The geometry of a report's pictures: plain numbers, drawn by the HTML template.

Widths are in thousandths of a picture's width, so that a picture may be stretched to any page;
heights are in pixels.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fanwise.progress.report import Report
from fanwise.progress.timeline import Bar, SegmentKind, Tick
from fanwise.progress.words import duration, number, plain

WIDTH = 1000.0
_WATERFALL_HEIGHT = 720.0
_LANE = 13.0
_NARROWEST = 1.2
_CURVE_HEIGHT = 140.0
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A labelled place on an axis, in per cent of it."""

    place: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle."""

    x: str
    y: str
    width: str
    height: str
    kind: SegmentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One call of the waterfall: its rectangles, and what is said of it."""

    title: str
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """One model's part of the waterfall."""

    model: str
    count: int
    height: str
    strips: Sequence[Strip]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Calls in flight over time.

    Args:
        area: An SVG path of the filled area.
        line: An SVG path of its upper edge.
        height: The picture's height.
        marks: Labels of the vertical axis, from the bottom.
        limit: Height of the limit's line, where one was in force; ``limit_label`` names it.
        refusals: Places at which attempts were refused, with their numbers.
    """

    area: str
    line: str
    height: str
    marks: Sequence[Mark]
    limit: str | None
    limit_label: str
    refusals: Sequence[Mark]


def time_marks(length_s: float, *, about: int = 8) -> Sequence[Mark]:
    """Round instants along an axis of ``length_s`` seconds, about so many of them."""
    step = time_step(length_s / about)
    if step <= 0.0:
        return ()
    count = math.floor(length_s / step + 1e-9)
    return [
        Mark(place=min(100.0, 100.0 * n * step / length_s), label=_instant(n * step, step=step))
        for n in range(count + 1)
    ]


def time_step(least_s: float) -> float:
    """The smallest round duration not below ``least_s``, as clocks are divided from 20 s on."""
    if least_s <= 20.0:
        return round_step(least_s)
    clocks = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0)
    for step in clocks:
        if step >= least_s:
            return step
    return 86_400.0 * math.ceil(least_s / 86_400.0)


def round_step(least: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is not below ``least``; 0 of nothing."""
    if not 0.0 < least < math.inf:
        return 0.0
    power = 10.0 ** math.floor(math.log10(least))
    for factor in (1.0, 2.0, 5.0):
        if factor * power >= least * (1.0 - 1e-9):
            return factor * power
    return 10.0 * power


def _instant(seconds: float, *, step: float) -> str:
    if seconds == 0.0:
        return "0"
    if step >= 60.0:
        minutes = round(seconds / 60.0)
        return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
    if step >= 1.0:
        return f"{seconds:.0f} s"
    places = max(0, -math.floor(math.log10(step)))
    return f"{seconds:.{places}f} s" if step >= 0.1 else f"{seconds * 1000:.4g} ms"


def pack(bars: Sequence[Bar]) -> Sequence[int]:
    """The lane of each bar: the first that is free when it begins, so that none overlap.

    Args:
        bars: In order of their beginnings. Costs O(n log n).
    """
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    lanes: list[int] = []
    count = 0
    for bar in bars:
        while busy and busy[0][0] <= bar.begin_s:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, count = count, count + 1
        heapq.heappush(busy, (bar.end_s, lane))
        lanes.append(lane)
    return lanes


def waterfall(report: Report) -> Sequence[Lanes]:
    """The waterfall: lanes by model, those with most calls first."""
    by_model: dict[str, list[Bar]] = {}
    for bar in report.bars:
        by_model.setdefault(bar.model, []).append(bar)
    order = [m.model for m in report.models if m.model in by_model]
    return lanes({model: by_model[model] for model in order}, length_s=report.wall_s)


def lanes(
    groups: Mapping[str, Sequence[Bar]],
    *,
    length_s: float,
    title: Callable[[Bar], str] | None = None,
) -> Sequence[Lanes]:
    """Groups of bars under each other, each packed into as few lanes as hold it.

    Args:
        groups: Bars by group, each group in order of beginning.
        length_s: Length of the time axis in seconds.
        title: What is said of a bar; by default what a call's course is.
    """
    packed = {name: pack(bars) for name, bars in groups.items()}
    counts = {name: max(places) + 1 for name, places in packed.items()}
    lane = min(_LANE, max(1.5, _WATERFALL_HEIGHT / max(1, sum(counts.values()))))
    said = title or _title
    return [
        Lanes(
            model=name,
            count=len(bars),
            height=_px(counts[name] * lane),
            strips=[
                Strip(
                    title=said(bar),
                    boxes=_boxes(bar, top=place * lane, lane=lane, length_s=length_s),
                )
                for bar, place in zip(bars, packed[name], strict=True)
            ],
        )
        for name, bars in groups.items()
    ]


def _boxes(bar: Bar, *, top: float, lane: float, length_s: float) -> Sequence[Box]:
    scale = WIDTH / length_s if length_s > 0.0 else 0.0
    height = max(1.0, lane - (2.0 if lane >= 6.0 else 0.5))
    boxes: list[Box] = []
    for segment in bar.segments:
        waits = segment.kind in {"limit wait", "backoff"}
        # A wait is drawn thinner than work: it is no load on anything.
        thick = max(1.0, height / 2.0) if waits else height
        width = max((segment.end_s - segment.begin_s) * scale, 0.0 if waits else _NARROWEST)
        if width < 0.05:
            continue
        boxes.append(
            Box(
                x=_px(min(segment.begin_s * scale, WIDTH - width)),
                y=_px(top + (height - thick) / 2.0),
                width=_px(width),
                height=_px(thick),
                kind=segment.kind,
            )
        )
    return boxes


def _title(bar: Bar) -> str:
    label = f" · {plain(bar.label, most=80)}" if bar.label else ""
    lines = [f"{plain(bar.item_id, most=120)}{label}", plain(bar.model, most=120)]
    for segment in bar.segments:
        took = duration(segment.end_s - segment.begin_s)
        note = f" ({plain(segment.note, most=120)})" if segment.note else ""
        lines.append(f"{duration(segment.begin_s)}: {segment.kind} {took}{note}")
    return "\n".join(lines)


def curve(report: Report) -> Curve | None:
    """Calls in flight over time; ``None`` of a run that took no time."""
    ticks = report.timeline
    if not ticks:
        return None
    limit = _mean_limit(report)
    most = max(tick.in_flight for tick in ticks)
    top = max(1.0, most * 1.05, limit * 1.05 if limit is not None and limit < most * 3 else 0.0)
    step = max(1.0, round_step(top / 4.0))
    points = _points(ticks, top=top)
    line, area = _paths(points)
    shown = limit is not None and limit <= top
    return Curve(
        area=area,
        line=line,
        height=_px(_CURVE_HEIGHT),
        marks=_height_marks(top, step=step),
        limit=_px(_CURVE_HEIGHT * (1.0 - limit / top)) if limit is not None and shown else None,
        limit_label="" if limit is None else _limit_said(limit, most),
        refusals=[
            Mark(place=100.0 * (n + 0.5) / len(ticks), label=f"{tick.refused} refused")
            for n, tick in enumerate(ticks)
            if tick.refused
        ],
    )


def step_curve(steps: Sequence[tuple[float, float]], *, length_s: float) -> Curve | None:
    """A number that changes in steps ``(at_s, value)``; ``None`` where there is nothing to draw.

    At most a thousand steps are drawn; of more, the largest of each stretch, so that no peak is
    lost.
    """
    if not steps or length_s <= 0.0:
        return None
    top = max(1.0, 1.05 * max(value for _, value in steps))
    bases: list[tuple[float, float]] = [(0.0, 0.0)]
    every = math.ceil(len(steps) / _MOST_STEPS)
    for first in range(0, len(steps), every):
        values = [value for _, value in steps[first : first + every]]
        bases.append((min(WIDTH, steps[first][0] / length_s * WIDTH), max(values)))
    ends = [x for x, _ in bases[1:]] + [WIDTH]
    points: list[tuple[float, float]] = []
    for (x, value), end in zip(bases, ends, strict=True):
        y = _CURVE_HEIGHT * (1.0 - value / top)
        points.extend(((x, y), (end, y)))
    line, area = _paths(points)
    return Curve(
        area=area,
        line=line,
        height=_px(_CURVE_HEIGHT),
        marks=_height_marks(top, step=max(1.0, round_step(top / 4.0))),
        limit=None,
        limit_label="",
        refusals=(),
    )


def _paths(points: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """A line through points, and the area below it."""
    line = "M" + "L".join(f"{_px(x)},{_px(y)}" for x, y in points)
    return line, f"{line}L{_px(points[-1][0])},{_px(_CURVE_HEIGHT)}L0,{_px(_CURVE_HEIGHT)}Z"


def _height_marks(top: float, *, step: float) -> Sequence[Mark]:
    return [
        Mark(place=100.0 * n * step / top, label=number(n * step))
        for n in range(math.floor(top / step) + 1)
    ]


def _points(ticks: Sequence[Tick], *, top: float) -> Sequence[tuple[float, float]]:
    """A step at each tick: what is drawn is the mean over it, not a point in it."""
    width = WIDTH / len(ticks)
    points: list[tuple[float, float]] = []
    for n, tick in enumerate(ticks):
        y = _CURVE_HEIGHT * (1.0 - max(0.0, tick.in_flight) / top)
        points.extend(((n * width, y), ((n + 1) * width, y)))
    return points


def _limit_said(limit: float, most: float) -> str:
    """The limit's name; one that was exceeded has moved, and the line is its mean."""
    moved = most > limit + 0.5
    return f"limit {number(round(limit))}{' on average' if moved else ''}"


def _mean_limit(report: Report) -> float | None:
    """The concurrency limit in force, averaged over the run."""
    limit_s = math.fsum(s.limit_s for s in report.sessions)
    observed_s = math.fsum(math.fsum(s.limited_by.values()) for s in report.sessions)
    return limit_s / observed_s if limit_s > 0.0 and observed_s > 0.0 else None


def comparison(wall_s: float, sequential_s: float) -> Mapping[str, float]:
    """A duration and its sequential counterpart as parts of the longer, in per cent."""
    longest_s = max(wall_s, sequential_s)
    if longest_s <= 0.0:
        return {"wall": 0.0, "sequential": 0.0}
    return {
        "wall": max(0.5, 100.0 * wall_s / longest_s),
        "sequential": max(0.5, 100.0 * sequential_s / longest_s),
    }


def _px(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
