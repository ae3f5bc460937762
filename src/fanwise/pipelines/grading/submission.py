"""Answers to a card's questions, submitted within a session."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import fanwise as fw
from fanwise.pipelines import Event, OnEvent
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.grading.job import wrong_modes
from fanwise.pipelines.grading.marking import mark
from fanwise.pipelines.grading.records import Grade, Task, grade_of, ungraded
from fanwise.pipelines.grading.result import Metrics, metrics_of
from fanwise.pipelines.grading.sessions import Desk, key_of, look_up, record
from fanwise.pipelines.grading.work import Grader, version_for

_PACK = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A submitted answer and what has become of it.

    Args:
        task: Question and answer.
        grade: Its grade.
        duration_s: Seconds of service, as measured.
        repeated: Whether this session had graded the same answer to the question before.
    """

    task: Task
    grade: Grade
    duration_s: float = 0.0
    repeated: bool = False

    def as_json(self) -> dict[str, Any]:
        """The answer's entry among the results."""
        return {
            "question_index": self.task.index,
            **self.grade.as_json(),
            "repeated": self.repeated,
            "duration_ms": round(self.duration_s * 1000, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a submission has come to.

    Args:
        answers: In the order of the questions.
        metrics: What was measured.
        schedule: ``rating`` and ``due`` where it has moved the card's schedule.
        run_id: The run that asked the model; empty where none was asked.
    """

    answers: Sequence[Answered]
    metrics: Metrics
    schedule: Mapping[str, Any] | None = None
    run_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """``{"success": true, "data": […], "metrics": {…}, "schedule": …}``."""
        return {
            "success": True,
            "data": [one.as_json() for one in self.answers],
            "metrics": self.metrics.as_json(),
            "schedule": None if self.schedule is None else dict(self.schedule),
        }


async def submit(
    store: fw.Store,
    *,
    session_id: str,
    card_id: str,
    answers: object,
    processing_mode: str = "auto",
    max_concurrent_tasks: int = 5,
    model: str = RULES_MODEL,
    parameters: Mapping[str, Any] | None = None,
    easiest_first: bool = False,
    deadline_s: float = math.inf,
    run: fw.Run | None = None,
    open_run: Callable[..., Any] | None = None,
    on_event: OnEvent | None = None,
    now: Callable[[], float] = time.time,
    **options: Any,
) -> Submission:
    """Grades answers to questions of a card, and moves its schedule once all of it is graded.

    The same answer to the same question in the same session (case, space and idle punctuation
    apart) gets the grade it had, and nothing else happens. An answer that could not be graded is
    *ungraded*: it leaves the schedule alone and may be submitted again. A submission that was
    interrupted goes on where it was when it is made again.

    Args:
        store: As ``open_store`` gives it.
        session_id: The session.
        card_id: A card of it.
        answers: ``[{"question_index": 0, "answer": "…"}, …]``, each question once.
        processing_mode: ``auto``, ``parallel``, ``batch`` or ``sequential``; counts what needs a
            model.
        max_concurrent_tasks: Most calls at once, 1 to 10.
        model: Whom to ask, as ``provider/model``.
        parameters: Sampling parameters by the provider's own names.
        easiest_first: Take the questions first that were answered best before.
        deadline_s: Seconds after which a slower mode is left for a quicker one, where there is one.
        run: A run to grade within, ahead of its background work; by default one of its own.
        open_run: Opens that one; ``fw.open_run`` by default.
        on_event: Is told of each grade.
        now: The time, in epoch seconds.
        **options: Further options of ``fw.open_run``.

    Raises:
        NotFound: No such session, or no such card in it.
        InvalidFields: No answers, a wrong index, or another impossible value; a reason for each.
        Conflict: The very same submission is being graded at the moment.
        ConfigError: The model is unknown or its key missing. Nothing was spent by any of these.
    """
    desk = await store.read(lambda connection: look_up(connection, session_id, card_id))
    given = checked(
        answers, desk, processing_mode=processing_mode, max_concurrent_tasks=max_concurrent_tasks
    )
    begun = asyncio.get_running_loop().time()
    tasks = _tasks(given, desk, session_id, card_id)
    done, hard = _by_rule(tasks, desk)
    teller = _Teller(len(tasks), on_event)
    for one in done.values():
        await teller.tell(one)
    grader = Grader(
        model=model, parameters=parameters or {}, store=store, at_once=max_concurrent_tasks, now=now
    )
    marking = _Marking(grader, teller, processing_mode, easiest_first, deadline_s)
    if hard and run is not None:
        done |= await marking.within(run, hard)
    elif hard:
        options["limits"] = replace(
            options.get("limits") or fw.Limits(), concurrency=max_concurrent_tasks
        )
        name = _run_name(session_id, card_id, hard, grader.model)
        async with (open_run or fw.open_run)(name, **options) as own:
            done |= await marking.within(own, hard)
    ordered = [done[place] for place in sorted(done)]
    written = [(one.task, one.grade, one.duration_s) for one in ordered if not one.repeated]
    at = now()
    moved = await store.write(
        lambda connection: record(connection, session_id, card_id, written, now=at)
    )
    wall_s = asyncio.get_running_loop().time() - begun
    submission = Submission(
        answers=ordered,
        metrics=marking.metrics(ordered, wall_s=wall_s),
        schedule=moved,
        run_id=marking.run_id,
    )
    await teller.end(submission)
    return submission


def checked(
    answers: object, desk: Desk, *, processing_mode: str, max_concurrent_tasks: int
) -> list[tuple[int, str]]:
    """Places and texts of answers that can be graded.

    Raises:
        InvalidFields: No answers, a wrong index, or another impossible value; a reason for each.
    """
    wrong = wrong_modes(processing_mode, max_concurrent_tasks)
    given = _given(answers, wrong)
    _check_places(given, desk, wrong)
    if wrong:
        raise fw.errors.InvalidFields("answers", wrong, hint="nothing was graded")
    return given


def _by_rule(tasks: Sequence[Task], desk: Desk) -> tuple[dict[int, Answered], list[Task]]:
    """What this session has graded before, or a rule can grade, by place; and the rest."""
    done: dict[int, Answered] = {}
    hard: list[Task] = []
    for task in tasks:
        known = desk.known.get((task.index, key_of(task.answer)))
        marked = known or mark(task.question, task.answer)
        if marked is None:
            hard.append(task)
        else:
            done[task.index] = Answered(task=task, grade=marked, repeated=known is not None)
    return done, hard


class _Marking:
    """Grades what needs a model, in its mode."""

    def __init__(
        self, grader: Grader, teller: _Teller, mode: str, easiest_first: bool, deadline_s: float
    ) -> None:
        self._grader = grader
        self._teller = teller
        self._mode = mode
        self._easiest_first = easiest_first
        self._deadline_s = deadline_s
        self._report: fw.types.ModeReport | None = None
        self._hard = 0
        self.run_id = ""

    async def within(self, run: fw.Run, hard: Sequence[Task]) -> dict[int, Answered]:
        """The answers by place."""
        run.check_model(self._grader.model)
        self.run_id, self._hard = run.run_id, len(hard)
        rates = {task.id: task.history for task in hard if task.history is not None}
        mode: Any = self._mode
        mapped = run.map(
            self._grader.one,
            hard,
            item_id=_id,
            describe=_description,
            mode=mode,
            pack=fw.types.Pack(self._grader.several, size=_PACK),
            fallback=fw.types.Fallback(deadline_s=self._deadline_s),
            key=fw.types.easiest_first(rates) if self._easiest_first else None,
            priority="interactive",
        )
        done: dict[int, Answered] = {}
        async with mapped as outcomes:
            async for outcome in outcomes:
                task: Task = outcome.item
                grade = grade_of(outcome.value) if outcome.ok else ungraded(outcome.error)
                one = Answered(task=task, grade=grade, duration_s=outcome.service_s)
                done[task.index] = one
                await self._teller.tell(one)
        self._report = mapped.mode_report()
        stopped = fw.errors.StateError("the run was stopped", hint="submit it again")
        for task in hard:
            done.setdefault(task.index, Answered(task=task, grade=ungraded(stopped)))
        return done

    def metrics(self, answers: Sequence[Answered], *, wall_s: float) -> Metrics:
        """What was measured."""
        auto = self._mode == "auto" and self._hard
        call_s = self._grader.call_s
        return metrics_of(
            self._report,
            [(one.grade, one.duration_s) for one in answers],
            wall_s=wall_s,
            summed_s=sum(call_s),
            calls=len(call_s),
            peak=self._grader.peak,
            reason=f"auto: {self._hard} of {len(answers)} answers need a model" if auto else "",
        )


class _Teller:
    """Tells of grades as they come, with progress that never goes back."""

    def __init__(self, total: int, on_event: OnEvent | None) -> None:
        self._total = total
        self._done = 0
        self._on_event = on_event

    async def tell(self, one: Answered) -> None:
        self._done += 1
        await self._say(
            Event(
                kind="result" if one.grade.graded else "error",
                message=one.grade.feedback,
                subject=str(one.task.index),
                percent=min(99.0, round(100 * self._done / self._total, 2)),
                data=one.as_json(),
            )
        )

    async def end(self, submission: Submission) -> None:
        await self._say(Event(kind="complete", percent=100.0, data=submission.as_json()))

    async def _say(self, event: Event) -> None:
        if self._on_event is None:
            return
        told = self._on_event(event)
        if told is not None:
            await told


def _given(answers: object, wrong: dict[str, str]) -> list[tuple[int, str]]:
    """Places and texts of the answers, as far as they are right in themselves."""
    if not isinstance(answers, list | tuple) or not answers:
        wrong["answers"] = "is empty; give a list of one answer or more"
        return []
    given: list[tuple[int, str]] = []
    for number, one in enumerate(cast("Sequence[object]", answers)):
        if not isinstance(one, Mapping):
            wrong[f"answers.{number}"] = "is no object with question_index and answer"
            continue
        entry = cast("Mapping[str, Any]", one)
        place, text = entry.get("question_index"), entry.get("answer")
        if not isinstance(place, int) or isinstance(place, bool):
            wrong[f"answers.{number}.question_index"] = f"is {place!r}; it is a whole number"
        if not isinstance(text, str):
            wrong[f"answers.{number}.answer"] = f"is {text!r}; it is a text"
        if isinstance(place, int) and isinstance(text, str):
            given.append((place, text))
    return given


def _check_places(given: Sequence[tuple[int, str]], desk: Desk, wrong: dict[str, str]) -> None:
    count = len(desk.questions)
    if count == 0:
        wrong["card_id"] = "names a card without questions"
        return
    seen: set[int] = set()
    for number, (place, _) in enumerate(given):
        field = f"answers.{number}.question_index"
        if not 0 <= place < count:
            wrong[field] = f"is {place}; the card has {count} questions, counted from 0"
        elif place in seen:
            wrong[field] = f"is {place} a second time; a submission answers a question once"
        seen.add(place)


def _tasks(
    given: Sequence[tuple[int, str]], desk: Desk, session_id: str, card_id: str
) -> list[Task]:
    return [
        Task(
            id=f"{session_id}:{card_id}:{place}:{key_of(text)[:16]}",
            question=desk.questions[place],
            answer=text,
            index=place,
            history=desk.history.get(place),
        )
        for place, text in sorted(given)
    ]


def _run_name(session_id: str, card_id: str, hard: Sequence[Task], model: str) -> str:
    """The same for the same submission, so that an interrupted one goes on."""
    parts = [session_id, card_id, model, version_for(model), *(task.id for task in hard)]
    return f"review-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}"


def _id(task: Task) -> str:
    return task.id


def _description(task: Task) -> Any:
    return {"question_index": task.index}
