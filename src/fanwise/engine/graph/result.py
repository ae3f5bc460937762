"""What a graph has come to: values, failures, and what it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fanwise.engine.graph.drawing import Drawing, draw
from fanwise.engine.graph.report import GraphReport, make_report
from fanwise.engine.graph.steps import did_you_mean
from fanwise.engine.graph.text import render_text
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.graph.plan import Plan
    from fanwise.engine.graph.states import Course


class GraphResult:
    """The result of ``await graph.run(…)``: ``result["step"]`` is that step's value.

    Args:
        name: The graph's name.
        plan: What was run.
        courses: How each step went.
        wall_s: Seconds that all of it took.
    """

    __slots__ = ("_courses", "_name", "_plan", "_report", "_wall_s")

    def __init__(
        self, *, name: str, plan: Plan, courses: Mapping[str, Course], wall_s: float
    ) -> None:
        self._name = name
        self._plan = plan
        self._courses = courses
        self._wall_s = wall_s
        self._report: GraphReport | None = None

    def __repr__(self) -> str:
        states = [course.state for course in self._courses.values()]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"<GraphResult of {self._name}: {counts or 'no steps'}, {self._wall_s:.3f} s>"

    def __getitem__(self, step: str) -> Any:
        """The step's value; ``None`` of an optional step that failed.

        Raises:
            KeyError: No step has that name.
            Exception: What the step failed with; ``StepSkipped`` where it was never started.
        """
        course = self._courses.get(step)
        if course is None:
            raise KeyError(f"no step is named {step!r}{did_you_mean(step, self._courses)}")
        outcome = course.outcome
        assert outcome is not None
        if outcome.ok:
            return outcome.value
        if self._plan.steps[step].optional:
            return None
        assert outcome.error is not None
        raise outcome.error

    def __iter__(self) -> Iterator[str]:
        return iter(self._courses)

    def __contains__(self, step: object) -> bool:
        return step in self._courses

    def __len__(self) -> int:
        return len(self._courses)

    @property
    def ok(self) -> bool:
        """Whether every step that is not optional has succeeded."""
        return self.error is None

    @property
    def error(self) -> BaseException | None:
        """What the first step to fail that is not optional failed with."""
        failed = [
            course
            for name, course in self._courses.items()
            if course.state != "ok" and not self._plan.steps[name].optional
        ]
        first = min(failed, key=lambda c: (c.state == "skipped", c.ended_s or 0.0), default=None)
        return None if first is None or first.outcome is None else first.outcome.error

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """How each step ended, in the order in which they were added to the graph.

        ``item`` is what the step was given, ``service_s`` the seconds of its attempts, ``queued_s``
        those before them; a step that was never started has a ``StepSkipped`` for its error.
        """
        return MappingProxyType(
            {
                name: course.outcome
                for name, course in self._courses.items()
                if course.outcome is not None
            }
        )

    @property
    def skipped(self) -> Mapping[str, str]:
        """The steps that were never started, each with the step whose failure was the cause.

        That is ``total_s`` where the graph's time was up.
        """
        return MappingProxyType(
            {name: c.cause for name, c in self._courses.items() if c.state == "skipped"}
        )

    @property
    def report(self) -> GraphReport:
        """What it took, and what running steps at once has bought."""
        if self._report is None:
            self._report = make_report(self._plan, self._courses, wall_s=self._wall_s)
        return self._report

    def text(self) -> str:
        """The run as lines of text: each step below what it had to wait for, with its times."""
        return render_text(self._drawing())

    def svg(self) -> str:
        """The run as an SVG picture: the graph, the critical path, and when each step ran."""
        from fanwise.engine.graph.svg import render_svg

        return render_svg(self._drawing())

    def html(self) -> str:
        """The run as a standalone HTML page: picture, waterfall, figures and a table of steps."""
        from fanwise.engine.graph.page import render_page

        return render_page(self._drawing())

    def _drawing(self) -> Drawing:
        return draw(self._name, self._plan, self._courses, self.report)
