"""What a graph took: figures computed from what was measured, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanwise.engine.graph.plan import Plan
    from fanwise.engine.graph.states import Course
    from fanwise.records import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """One step of the critical path.

    Args:
        name: The step.
        started_s: When it started, in seconds since the graph began.
        took_s: Seconds from there to its end: attempts, waits before retries, sub-steps.
    """

    name: str
    started_s: float
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphReport:
    """What concurrency bought.

    Args:
        wall_s: Seconds from the graph's beginning to its end.
        sequential_s: Seconds of work, summed over steps and sub-steps: one after the other.
        critical_path: The chain of steps, each needing the one before, that took longest in sum.
        critical_path_s: That sum: no schedule of these steps can be shorter.
        queued_s: Seconds that ready steps waited for the graph's limits, summed.
        parallelism: How many worked from each instant on: ``(seconds, steps)``, ending with 0.
    """

    wall_s: float
    sequential_s: float
    critical_path: Sequence[PathStep]
    critical_path_s: float
    queued_s: float
    parallelism: Sequence[tuple[float, int]]

    @property
    def savings_s(self) -> float:
        """Seconds saved against one step after the other."""
        return self.sequential_s - self.wall_s

    @property
    def speedup(self) -> float:
        """Sequential time as a multiple of the wall time; 1 of a graph that took no time."""
        return self.sequential_s / self.wall_s if self.wall_s > 0.0 else 1.0

    @property
    def efficiency(self) -> float:
        """Savings as a share of the sequential time; 0 of a graph that took no time."""
        return self.savings_s / self.sequential_s if self.sequential_s > 0.0 else 0.0

    @property
    def peak(self) -> int:
        """Most that worked at once."""
        return max((count for _, count in self.parallelism), default=0)

    def to_json(self) -> Mapping[str, Json]:
        """The figures as plain JSON, times in seconds."""
        return {
            "total_s": self.wall_s,
            "sequential_s": self.sequential_s,
            "savings_s": self.savings_s,
            "speedup": self.speedup,
            "efficiency": self.efficiency,
            "queued_s": self.queued_s,
            "critical_path_s": self.critical_path_s,
            "critical_path": [
                {"step": step.name, "started_s": step.started_s, "took_s": step.took_s}
                for step in self.critical_path
            ],
            "parallelism": [[at_s, count] for at_s, count in self.parallelism],
        }


def make_report(plan: Plan, courses: Mapping[str, Course], *, wall_s: float) -> GraphReport:
    """The report of a graph that has ended. Takes time linear in steps, but for one sort."""
    everybody = list(_everybody(courses.values()))
    intervals = [interval for course in everybody for interval in course.busy]
    path = critical_path(plan, courses)
    return GraphReport(
        wall_s=wall_s,
        sequential_s=math.fsum(end - begin for begin, end in intervals),
        critical_path=path,
        critical_path_s=math.fsum(step.took_s for step in path),
        queued_s=math.fsum(
            course.started_s - course.ready_s
            for course in everybody
            if course.started_s is not None
        ),
        parallelism=_parallelism(intervals),
    )


def critical_path(plan: Plan, courses: Mapping[str, Course]) -> Sequence[PathStep]:
    """The longest chain of measured durations along the dependencies of steps that ran."""
    best: dict[str, float] = {}
    before: dict[str, str] = {}
    for name in plan.order:
        longest_s = 0.0
        for source in plan.sources[name]:
            if best[source] > longest_s and _was_awaited(courses[source], courses[name]):
                longest_s = best[source]
                before[name] = source
        best[name] = longest_s + _took_s(courses[name])
    if not best:
        return ()
    last = max(best, key=best.__getitem__)
    path: list[PathStep] = []
    at: str | None = last
    while at is not None:
        course = courses[at]
        if course.started_s is not None:
            path.append(PathStep(name=at, started_s=course.started_s, took_s=_took_s(course)))
        at = before.get(at)
    return tuple(reversed(path))


def _was_awaited(source: Course, course: Course) -> bool:
    """A step that was skipped has not waited for those of its sources that ended later."""
    return source.ended_s is not None and source.ended_s <= course.ready_s


def _took_s(course: Course) -> float:
    if course.started_s is None or course.ended_s is None:
        return 0.0
    return course.ended_s - course.started_s


def _everybody(courses: Iterable[Course]) -> Iterator[Course]:
    for course in courses:
        yield course
        yield from _everybody(course.parts)


def _parallelism(intervals: Sequence[tuple[float, float]]) -> Sequence[tuple[float, int]]:
    changes: dict[float, int] = {}
    for begin, end in intervals:
        if end > begin:
            changes[begin] = changes.get(begin, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    curve: list[tuple[float, int]] = []
    count = 0
    for at_s in sorted(changes):
        if changes[at_s]:
            count += changes[at_s]
            curve.append((at_s, count))
    return tuple(curve)
