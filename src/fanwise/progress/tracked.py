"""Tracked operations in figures: what they took, what they took one after another, what bound them.

Pure rules over spans; :mod:`fanwise.engine.tracking` measures them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal, TextIO

SpanState = Literal["done", "failed", "cancelled", "running"]

# Two instants closer than this are one: sums of floats in virtual time differ by less.
_SAME_S = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One operation, once.

    Args:
        number: Its place in the order of beginning, from 0.
        name: The operation.
        begin_s, end_s: In seconds since the tracker was entered.
        state: How it ended; ``running`` where it had not, and ``end_s`` is then when that was seen.
        parent: Number of the span it began in; ``None`` at the top.
        error: What it raised, in a line.
    """

    number: int
    name: str
    begin_s: float
    end_s: float
    state: SpanState = "done"
    parent: int | None = None
    error: str = ""

    @property
    def took_s(self) -> float:
        """Its duration in seconds."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """A span on the critical path; ``depth`` 1 and more are the path inside the step before."""

    name: str
    begin_s: float
    end_s: float
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationReport:
    """Everything that was tracked under one name.

    Args:
        name: The operation.
        count: How often it began.
        failed, cancelled: How often it ended so.
        total_s: Summed duration of those that were done; ``own_s`` leaves out the time in which
            spans inside them ran.
        mean_s, p50_s, max_s: Of the durations of those that were done; ``None`` of none.
        error: The first error, in a line.
    """

    name: str
    count: int
    failed: int
    cancelled: int
    total_s: float
    own_s: float
    mean_s: float | None
    p50_s: float | None
    max_s: float | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """What tracked operations took, and what running them together bought.

    ``str()`` gives it as text, :meth:`show` as a table on the terminal, :meth:`to_json` as plain
    values and :meth:`html` as a page. ``docs/tracking.md`` defines every figure.

    Args:
        name: What was tracked.
        total_s: From entering the tracker to leaving it, or until now.
        sequential_s: Summed own time of the spans that were done: what they take one after another.
        savings_s: ``sequential_s`` − ``total_s``.
        speedup: ``sequential_s`` ÷ ``total_s``; ``None`` where no time passed.
        efficiency: ``savings_s`` ÷ ``sequential_s``; ``None`` where nothing was done.
        critical_path_s: Length of the critical path.
        critical_path: The longest chain of spans each of which began after the one before had
            ended.
        operations: By name, longest total first.
        parallelism: Steps ``(at_s, running)``: from that instant on, so many spans ran.
        peak: Most spans at once.
        spans: Every span, in order of beginning.
        unrecorded: Operations beyond the tracker's ``max_spans``: run, but in no figure.
    """

    name: str
    total_s: float
    sequential_s: float
    savings_s: float
    speedup: float | None
    efficiency: float | None
    critical_path_s: float
    critical_path: Sequence[PathStep]
    operations: Sequence[OperationReport]
    parallelism: Sequence[tuple[float, int]]
    peak: int
    spans: Sequence[Span]
    unrecorded: int = 0

    @property
    def mean_running(self) -> float | None:
        """Spans that ran at once, on average; ``None`` where no time passed."""
        if self.total_s <= 0.0:
            return None
        ends = [at_s for at_s, _ in self.parallelism[1:]]
        steps = zip(self.parallelism, ends, strict=False)
        return math.fsum(n * (end_s - at_s) for (at_s, n), end_s in steps) / self.total_s

    def __str__(self) -> str:
        from fanwise.progress.tracked_text import as_text

        return as_text(self)

    def show(self, stream: TextIO | None = None, *, width: int | None = None) -> None:
        """Draws the report as a table.

        Args:
            stream: Where to; standard output if omitted.
            width: Columns; the terminal's own, or 100 off a terminal, if omitted.
        """
        from fanwise.progress.tracked_text import print_table

        print_table(self, stream=stream, width=width)

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values, unknown figures as ``None``."""
        return {
            "name": self.name,
            "total_s": self.total_s,
            "sequential_s": self.sequential_s,
            "savings_s": self.savings_s,
            "speedup": self.speedup,
            "efficiency": self.efficiency,
            "critical_path": {
                "length_s": self.critical_path_s,
                "steps": [
                    {"name": s.name, "begin_s": s.begin_s, "end_s": s.end_s, "depth": s.depth}
                    for s in self.critical_path
                ],
            },
            "operations": [_operation_json(operation) for operation in self.operations],
            "parallelism": {
                "peak": self.peak,
                "mean": self.mean_running,
                "steps": [list(step) for step in self.parallelism],
            },
            "unrecorded": self.unrecorded,
        }

    def html(self) -> str:
        """The report as one standalone page: no script, no request to anywhere."""
        from fanwise.progress.tracked_html import render_track

        return render_track(self)


def _operation_json(operation: OperationReport) -> dict[str, Any]:
    return {
        "name": operation.name,
        "count": operation.count,
        "failed": operation.failed,
        "cancelled": operation.cancelled,
        "total_s": operation.total_s,
        "own_s": operation.own_s,
        "mean_s": operation.mean_s,
        "p50_s": operation.p50_s,
        "max_s": operation.max_s,
        "error": operation.error or None,
    }


def build_track_report(
    name: str, spans: Sequence[Span], *, total_s: float, unrecorded: int = 0
) -> TrackReport:
    """The report of some spans. Costs O(n log n).

    Args:
        name: What was tracked.
        spans: In order of beginning, numbered from 0.
        total_s: From entering the tracker to leaving it, in seconds.
        unrecorded: Operations that were not recorded.
    """
    own = list(own_times(spans))
    own_s = [math.fsum(end - begin for begin, end in stretches) for stretches in own]
    sequential_s = math.fsum(
        took for span, took in zip(spans, own_s, strict=True) if span.state == "done"
    )
    path_s, path = critical_path(spans)
    parallelism = running_steps(stretch for stretches in own for stretch in stretches)
    return TrackReport(
        name=name,
        total_s=total_s,
        sequential_s=sequential_s,
        savings_s=sequential_s - total_s,
        speedup=sequential_s / total_s if total_s > 0.0 else None,
        efficiency=(sequential_s - total_s) / sequential_s if sequential_s > 0.0 else None,
        critical_path_s=path_s,
        critical_path=path,
        operations=_operations(spans, own_s),
        parallelism=parallelism,
        peak=max((running for _, running in parallelism), default=0),
        spans=tuple(spans),
        unrecorded=unrecorded,
    )


def own_times(spans: Sequence[Span]) -> Iterator[Sequence[tuple[float, float]]]:
    """For each span, the stretches in which it ran and nothing inside it did.

    Args:
        spans: In order of beginning, numbered from 0.
    """
    inside: list[list[Span]] = [[] for _ in spans]
    # Threads may have numbered two spans in the other order than they began.
    for span in sorted(spans, key=_beginning):
        if span.parent is not None:
            inside[span.parent].append(span)
    for span in spans:
        stretches: list[tuple[float, float]] = []
        at_s = span.begin_s
        for child in inside[span.number]:
            if child.begin_s > at_s:
                stretches.append((at_s, min(child.begin_s, span.end_s)))
            at_s = max(at_s, child.end_s)
            if at_s >= span.end_s:
                break
        if at_s < span.end_s:
            stretches.append((at_s, span.end_s))
        yield stretches


def _beginning(span: Span) -> float:
    return span.begin_s


def running_steps(stretches: Iterator[tuple[float, float]]) -> Sequence[tuple[float, int]]:
    """How many stretches cover each instant, as steps ``(at_s, running)`` that differ."""
    edges: list[tuple[float, int]] = []
    for begin, end in stretches:
        edges.extend(((begin, 1), (end, -1)))
    edges.sort(key=itemgetter(0))
    steps: list[tuple[float, int]] = []
    running = place = 0
    while place < len(edges):
        at_s = edges[place][0]
        while place < len(edges) and edges[place][0] <= at_s + _SAME_S:
            running += edges[place][1]
            place += 1
        if running != (steps[-1][1] if steps else 0):
            steps.append((at_s, running))
    return steps


def critical_path(spans: Sequence[Span]) -> tuple[float, Sequence[PathStep]]:
    """The longest chain of done spans, each begun after the one before had ended.

    What depended on what is not known to a tracker; that one waited for the other is inferred from
    their order. The chain is that of greatest summed duration (weighted interval scheduling, after
    Kleinberg and Tardos, *Algorithm Design*, 6.1). A span and what ran inside it overlap, so they
    never follow each other; the chain inside each span of the path is given after it, deeper.

    Returns:
        The length in seconds, and the steps.
    """
    inside: dict[int, list[Span]] = {}
    for span in spans:
        if span.parent is not None:
            inside.setdefault(span.parent, []).append(span)
    length_s, chain = _longest_chain(spans)
    steps: list[PathStep] = []
    ahead = [(span, 0) for span in reversed(chain)]
    while ahead:
        span, depth = ahead.pop()
        steps.append(PathStep(name=span.name, begin_s=span.begin_s, end_s=span.end_s, depth=depth))
        within = [s for s in inside.get(span.number, ()) if s.end_s <= span.end_s + _SAME_S]
        ahead.extend((child, depth + 1) for child in reversed(_longest_chain(within)[1]))
    return length_s, steps


def _longest_chain(spans: Sequence[Span]) -> tuple[float, Sequence[Span]]:
    """Weighted interval scheduling over the spans that were done and took time."""
    by_begin = [s for s in spans if s.state == "done" and s.took_s > _SAME_S]
    by_begin.sort(key=_beginning)
    by_end = sorted(by_begin, key=lambda s: (s.end_s, s.number))
    lengths: dict[int, float] = {}
    before: dict[int, Span | None] = {}
    best_s, best, place = 0.0, None, 0

    def close(until_s: float) -> None:
        nonlocal best_s, best, place
        while place < len(by_end) and by_end[place].end_s <= until_s:
            ended = by_end[place]
            # Of two that are equally long, the first: a span rather than the chain inside it.
            if lengths[ended.number] > best_s + _SAME_S:
                best_s, best = lengths[ended.number], ended
            place += 1

    for span in by_begin:
        close(span.begin_s + _SAME_S)
        lengths[span.number] = best_s + span.took_s
        before[span.number] = best
    close(math.inf)
    chain: list[Span] = []
    while best is not None:
        chain.append(best)
        best = before[best.number]
    return best_s, chain[::-1]


def _operations(spans: Sequence[Span], own_s: Sequence[float]) -> Sequence[OperationReport]:
    by_name: dict[str, list[Span]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    found = [_operation(name, group, own_s) for name, group in by_name.items()]
    return sorted(found, key=lambda o: -o.total_s)


def _operation(name: str, spans: Sequence[Span], own_s: Sequence[float]) -> OperationReport:
    done = [span for span in spans if span.state == "done"]
    took = [span.took_s for span in done]
    total_s = math.fsum(took)
    return OperationReport(
        name=name,
        count=len(spans),
        failed=sum(1 for span in spans if span.state == "failed"),
        cancelled=sum(1 for span in spans if span.state == "cancelled"),
        total_s=total_s,
        own_s=math.fsum(own_s[span.number] for span in done),
        mean_s=total_s / len(took) if took else None,
        p50_s=statistics.median_low(took) if took else None,
        max_s=max(took, default=None),
        error=next((span.error for span in spans if span.error), ""),
    )
