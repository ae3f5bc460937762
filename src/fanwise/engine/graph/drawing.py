"""What a drawing of a graph shows, before and after a run; how it looks is said elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from fanwise.engine.graph.report import GraphReport
from fanwise.progress.words import duration, plain

if TYPE_CHECKING:
    from fanwise.engine.graph.plan import Plan
    from fanwise.engine.graph.states import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One step or input.

    Args:
        name: Its name.
        kind: ``input``, or how the step stands: ``planned``, ``ok``, ``failed``, ``skipped``.
        optional: Whether the graph does without it.
        critical: Whether it is on the critical path.
        note: A short second line.
        title: What is said of it at length.
    """

    name: str
    kind: str
    optional: bool = False
    critical: bool = False
    note: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A graph as it is drawn.

    Args:
        name: The graph's name.
        headline: One sentence about it.
        boxes: Inputs and steps, each after those that arrows come from.
        sources: Where arrows come from, by box.
        loose: The arrows to steps that do without what they bring.
        critical: The arrows of the critical path.
        courses: How each step went; nothing before a run.
        report: What it took; ``None`` before a run.
    """

    name: str
    headline: str
    boxes: Mapping[str, Box]
    sources: Mapping[str, Sequence[str]]
    loose: frozenset[tuple[str, str]]
    critical: frozenset[tuple[str, str]]
    courses: Mapping[str, Course]
    report: GraphReport | None


def draw(
    name: str,
    plan: Plan,
    courses: Mapping[str, Course] | None = None,
    report: GraphReport | None = None,
) -> Drawing:
    """The drawing of a graph; with ``courses`` and ``report`` that of one run of it."""
    path = [] if report is None else [step.name for step in report.critical_path]
    boxes = {given: Box(name=given, kind="input", title=f"input {given}") for given in plan.inputs}
    for step in plan.order:
        course = courses.get(step) if courses else None
        boxes[step] = Box(
            name=step,
            kind="planned" if course is None else course.state,
            optional=plan.steps[step].optional,
            critical=step in path,
            note=_note(course),
            title=_title(step, plan, course),
        )
    sources: dict[str, Sequence[str]] = dict.fromkeys(plan.inputs, ())
    for step in plan.order:
        sources[step] = tuple(dict.fromkeys(link.source for link in plan.links[step]))
    return Drawing(
        name=name,
        headline=_headline(plan, courses, report),
        boxes=boxes,
        sources=sources,
        loose=frozenset(
            (link.source, step)
            for step in plan.order
            for link in plan.links[step]
            if link.has_default or (link.source in plan.steps and plan.steps[link.source].optional)
        ),
        critical=frozenset(pairwise(path)),
        courses=courses or {},
        report=report,
    )


def took_s(course: Course) -> float | None:
    """Seconds from a step's start to its end; ``None`` where it was never started."""
    if course.started_s is None or course.ended_s is None:
        return None
    return course.ended_s - course.started_s


def count_parts(course: Course) -> tuple[int, int]:
    """How many sub-steps a step had, those of sub-steps included, and how many did not succeed."""
    states: Counter[str] = Counter()
    left = list(course.parts)
    while left:
        part = left.pop()
        states[part.state] += 1
        left.extend(part.parts)
    return states.total(), states.total() - states["ok"]


def parts_busy(course: Course) -> Sequence[tuple[float, float]]:
    """When at least one of a step's parts worked."""
    spans: list[tuple[float, float]] = []
    left = list(course.parts)
    while left:
        part = left.pop()
        spans.extend(part.busy)
        left.extend(part.parts)
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def parts_in_words(course: Course) -> str:
    """``6 parts``, ``4 of 6 parts``; empty where the step was not split."""
    count, lost = count_parts(course)
    if not count:
        return ""
    noun = "part" if count == 1 else "parts"
    return f"{count - lost} of {count} {noun}" if lost else f"{count} {noun}"


def _note(course: Course | None) -> str:
    if course is None:
        return ""
    took = took_s(course)
    words = [duration(took) if took is not None else "", parts_in_words(course)]
    if course.state != "ok":
        words.insert(0, course.state)
    return " · ".join(word for word in words if word)


def _title(step: str, plan: Plan, course: Course | None) -> str:
    lines = [f"step {plain(step, most=120)}" + (", optional" if plan.steps[step].optional else "")]
    needs = ", ".join(plain(link.source, most=60) for link in plan.links[step])
    lines.append(f"needs {needs}" if needs else "needs nothing")
    if course is None:
        return "\n".join(lines)
    if course.started_s is not None:
        lines.append(
            f"ready at {duration(course.ready_s)}, started at {duration(course.started_s)}, "
            f"took {duration(took_s(course))}"
        )
    if course.attempts > 1:
        lines.append(f"{course.attempts} attempts")
    if parts := parts_in_words(course):
        lines.append(parts)
    outcome = course.outcome
    if outcome is not None and outcome.error is not None:
        error = outcome.error
        lines.append(f"{course.state}: {type(error).__name__}: {plain(str(error), most=200)}")
    return "\n".join(lines)


def _headline(plan: Plan, courses: Mapping[str, Course] | None, report: GraphReport | None) -> str:
    steps = "1 step" if len(plan.steps) == 1 else f"{len(plan.steps)} steps"
    if courses is None or report is None:
        given = ", ".join(plan.inputs)
        return f"{steps}; given {given}" if given else steps
    states = Counter(course.state for course in courses.values())
    others = ", ".join(f"{states[s]} {s}" for s in ("failed", "skipped") if states[s])
    return (
        f"{steps}{f' ({others})' if others else ''} in {duration(report.wall_s)}; one after "
        f"another {duration(report.sequential_s)}, {report.speedup:.2f} × as long"
    )
