"""How grading went: the grades in order, how they agree with labels, and the measured times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import fanwise as fw
from fanwise.pipelines import Event, OnEvent
from fanwise.pipelines.grading.records import BY_RULE, Grade

MOST_RESULTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One answer's grade.

    Args:
        id: The row's id.
        index: Its place, from 0.
        kind: The question's kind.
        grade: The grade.
        label: What somebody else has said: ``correct`` or ``incorrect``.
        duration_s: Seconds of service that it took, as measured.
    """

    id: str
    index: int
    kind: str
    grade: Grade
    label: str | None = None
    duration_s: float = 0.0

    @property
    def agrees(self) -> bool | None:
        """Whether grade and label say the same; ``None`` where one of them is missing."""
        if self.label is None or self.grade.is_correct is None:
            return None
        return self.grade.is_correct == (self.label == "correct")

    def as_json(self) -> dict[str, Any]:
        """The result as one line of JSON."""
        line: dict[str, Any] = {"id": self.id, "index": self.index, "kind": self.kind}
        line |= self.grade.as_json()
        if self.label is not None:
            line |= {"label": self.label, "agrees": self.agrees}
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What was measured; times in milliseconds.

    Args:
        total_processing_time_ms: Wall time.
        parallel_tasks_spawned: Most calls that were under way at one time, a pack being one.
        processing_mode_used: The mode that most answers came from.
        average_task_duration_ms: Mean of the calls' measured times, without the waits for limits;
            a pack is one call. ``None`` where no model was asked.
        fallback_reason: Why another mode took over; empty where none did.
        mode_reason: Why it began in its mode.
        answers_by_mode: Grades by the mode they came from.
        summed_task_time_ms: What one task after another would have taken.
        improvement: That over the wall time.
        graded_by_rule, graded_by_model, remembered, ungraded: Answers.
    """

    total_processing_time_ms: float = 0.0
    parallel_tasks_spawned: int = 0
    processing_mode_used: str = "sequential"
    average_task_duration_ms: float | None = None
    fallback_reason: str = ""
    mode_reason: str = "no answer needs a model"
    answers_by_mode: Mapping[str, int] = field(default_factory=dict[str, int])
    summed_task_time_ms: float = 0.0
    improvement: float | None = None
    graded_by_rule: int = 0
    graded_by_model: int = 0
    remembered: int = 0
    ungraded: int = 0

    def as_json(self) -> dict[str, Any]:
        """The metrics as JSON."""
        return {**asdict(self), "answers_by_mode": dict(self.answers_by_mode)}


def metrics_of(
    mode: fw.types.ModeReport | None,
    grades: Sequence[tuple[Grade, float]],
    *,
    wall_s: float,
    summed_s: float,
    calls: int,
    peak: int = 0,
    reason: str = "",
) -> Metrics:
    """The metrics of some grades.

    Args:
        mode: How the answers went that needed a model; ``None`` where none did.
        grades: Every grade, with the seconds of service measured for it.
        wall_s: Seconds from beginning to end.
        summed_s: Seconds of service, summed over the calls as they were measured.
        calls: How many calls that were.
        peak: Most calls that were under way at one time.
        reason: Why it began in its mode, where the mode itself does not know.
    """
    counts: dict[str, Any] = {
        "graded_by_rule": sum(one.graded and one.graded_by == BY_RULE for one, _ in grades),
        "graded_by_model": sum(
            one.graded and one.graded_by != BY_RULE and not one.remembered for one, _ in grades
        ),
        "remembered": sum(one.remembered for one, _ in grades),
        "ungraded": sum(not one.graded for one, _ in grades),
    }
    if mode is None:
        return Metrics(total_processing_time_ms=_ms(wall_s), **counts)
    answers = {str(name): count for name, count in mode.answers.items()}
    return Metrics(
        total_processing_time_ms=_ms(wall_s),
        parallel_tasks_spawned=peak,
        processing_mode_used=mode.processing_mode_used,
        average_task_duration_ms=_ms(summed_s / calls) if calls else None,
        fallback_reason=mode.fallback_reason,
        mode_reason=reason or mode.reason,
        answers_by_mode=answers,
        summed_task_time_ms=_ms(summed_s),
        improvement=round(summed_s / wall_s, 2) if wall_s > 0 else None,
        **counts,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingResult:
    """What a job has come to.

    Args:
        run_id: The run.
        model: Who was asked where no rule could tell.
        complete: Whether all rows were seen to; where not, the run can be resumed.
        total: Rows.
        results: The grades, in the order of the rows (the first 100 000).
        metrics: What was measured.
        labelled: Graded rows with a label.
        agreeing: Of these, those where grade and label say the same.
        by_kind: For each kind of question, graded rows with a label and those that agree.
        report: The run's performance report.
    """

    run_id: str
    model: str
    complete: bool
    total: int
    results: Sequence[Result]
    metrics: Metrics
    labelled: int = 0
    agreeing: int = 0
    by_kind: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    correct: int = 0
    incorrect: int = 0
    report: fw.types.Report | None = None

    @property
    def agreement(self) -> float | None:
        """The share of labelled rows where grade and label say the same."""
        return self.agreeing / self.labelled if self.labelled else None

    def summary_json(self) -> dict[str, Any]:
        """The result without the single grades."""
        return {
            "run_id": self.run_id,
            "model": self.model,
            "complete": self.complete,
            "total": self.total,
            "correct": self.correct,
            "incorrect": self.incorrect,
            "ungraded": self.metrics.ungraded,
            "labelled": self.labelled,
            "agreeing": self.agreeing,
            "agreement": self.agreement,
            "agreement_by_kind": {
                kind: {"labelled": labelled, "agreeing": agreeing}
                for kind, (labelled, agreeing) in self.by_kind.items()
            },
            "metrics": self.metrics.as_json(),
        }

    def as_json(self) -> dict[str, Any]:
        """All of it, labelled with the model that answered."""
        return {**self.summary_json(), "data": [result.as_json() for result in self.results]}


class Marks:
    """Takes grades as they land, tells of them, and makes the result of them.

    Args:
        total: Rows.
        on_event: Who looks on.
    """

    def __init__(self, *, total: int, on_event: OnEvent | None) -> None:
        self._total = total
        self._on_event = on_event
        self._done = 0
        self._results: list[Result] = []
        self._timed: list[tuple[Grade, float]] = []
        self._verdicts: Counter[bool] = Counter()
        self._labelled: Counter[str] = Counter()
        self._agreeing: Counter[str] = Counter()

    async def take(self, result: Result) -> None:
        """One grade has landed."""
        self._done += 1
        grade = result.grade
        self._timed.append((grade, result.duration_s))
        if grade.is_correct is not None:
            self._verdicts[grade.is_correct] += 1
        if result.agrees is not None:
            self._labelled[result.kind] += 1
            self._agreeing[result.kind] += result.agrees
        if len(self._results) < MOST_RESULTS:
            self._results.append(result)
        await self._tell(
            Event(
                kind="result" if grade.graded else "error",
                message=grade.feedback,
                subject=result.id,
                percent=min(99.0, round(100 * self._done / max(self._total, 1), 2)),
                data=result.as_json(),
            )
        )

    async def result(
        self, run: fw.Run, *, model: str, mode: fw.types.ModeReport | None, reason: str, peak: int
    ) -> GradingResult:
        """What it has all come to."""
        report = await run.report()
        complete = self._done >= self._total
        result = GradingResult(
            run_id=run.run_id,
            model=model,
            complete=complete,
            total=self._total,
            results=sorted(self._results, key=lambda one: one.index),
            metrics=metrics_of(
                mode,
                self._timed,
                wall_s=report.wall_s,
                summed_s=report.sequential_s,
                calls=report.counters.calls,
                reason=reason,
                peak=peak,
            ),
            labelled=self._labelled.total(),
            agreeing=self._agreeing.total(),
            by_kind={kind: (count, self._agreeing[kind]) for kind, count in self._labelled.items()},
            correct=self._verdicts[True],
            incorrect=self._verdicts[False],
            report=report,
        )
        if complete:
            told = f"{result.correct} correct, {result.incorrect} incorrect"
            await self._tell(
                Event(kind="complete", message=told, percent=100.0, data=result.summary_json())
            )
        return result

    async def _tell(self, event: Event) -> None:
        if self._on_event is None:
            return
        told = self._on_event(event)
        if told is not None:
            await told
