"""A table of answers in, grades out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import fanwise as fw
from fanwise.pipelines import OnEvent
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.grading.job import STDIN, Columns, Entry, GradingJob, difficulty, task_of
from fanwise.pipelines.grading.marking import needs_model
from fanwise.pipelines.grading.records import Grade, grade_of, ungraded
from fanwise.pipelines.grading.result import GradingResult, Marks, Result
from fanwise.pipelines.grading.tables import metadata
from fanwise.pipelines.grading.work import Grader

NAME = "grade"
STORE = "grading"
_IN_MEMORY = ":memory:"


async def grade(
    source: str | Path | Iterable[Mapping[str, Any]],
    *,
    model: str = RULES_MODEL,
    columns: Columns | None = None,
    processing_mode: str = "auto",
    max_concurrent_tasks: int | None = None,
    pack_size: int = 10,
    easiest_first: bool = False,
    reuse: bool = True,
    limit: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> GradingResult:
    """Grades answers: a file of them, or rows.

    Takes the fields of :class:`GradingJob` and the arguments of :func:`execute` by their names;
    returns and raises what the latter does.
    """
    from_file = isinstance(source, str | Path)
    job = GradingJob(
        source=source if from_file else None,
        answers=() if from_file else tuple(source),
        columns=columns or Columns(),
        model=model,
        processing_mode=processing_mode,
        max_concurrent_tasks=max_concurrent_tasks,
        pack_size=pack_size,
        easiest_first=easiest_first,
        reuse=reuse,
        limit=limit,
        parameters=parameters or {},
    )
    return await execute(job, **options)


async def execute(
    job: GradingJob,
    *,
    home: Any = None,
    open_run: Callable[..., Any] | None = None,
    on_event: OnEvent | None = None,
    now: Callable[[], float] = time.time,
    **options: Any,
) -> GradingResult:
    """Carries a job out.

    Everything is read through once before anything is sent. Multiple choice, numbers, empty answers
    and answers equal to the reference are graded by rule; the rest goes to the model, in the
    job's mode. An answer whose grading failed is *ungraded*, which says nothing of the answer.

    Args:
        job: What to grade, and how.
        home: Where grades are remembered; by default ``options["journal"]`` or ``./.fanwise``.
        open_run: Opens the run; ``fw.open_run`` by default.
        on_event: Is told of each grade once it is durable.
        now: The time, in epoch seconds.
        **options: Further options of ``fw.open_run``.

    Returns:
        The grades in the order of the rows, and how it went.

    Raises:
        ConfigError: The job, the source or a model is wrong; nothing was spent.
        BudgetExhausted: The run's budget is reached; what was graded is in the journal.
        JournalUnavailable: Journal or tables cannot be written; what was paid for is kept.

    Cancelling it closes calls in flight and keeps what is durable.
    """
    table = _Table(job)
    total, hard = await table.counted()
    settings: dict[str, Any] = dict(options)
    async with AsyncExitStack() as stack:
        store = await _opened_store(stack, home, settings, open_run)
        if job.max_concurrent_tasks is not None:
            settings["limits"] = _limited(settings.get("limits"), job.max_concurrent_tasks)
        run = await stack.enter_async_context((open_run or fw.open_run)(NAME, **settings))
        if hard:
            run.check_model(job.model)
        grader = Grader(
            model=job.model,
            parameters=job.parameters,
            store=store,
            at_once=job.max_concurrent_tasks,
            reuse=job.reuse,
            now=now,
        )
        marks = Marks(total=total, on_event=on_event)
        work = _Work(job, run, grader, table, marks)
        if total > hard:
            await work.by_rule(total)
        mode = await work.by_model(hard, total) if hard else None
        auto = hard and job.processing_mode == "auto"
        reason = f"auto: {hard} of {total} answers need a model" if auto else ""
        return await marks.result(run, model=job.model, mode=mode, reason=reason, peak=grader.peak)


async def plan(job: GradingJob, **options: Any) -> fw.types.Plan:
    """What a job would ask for: calls, tokens, cost and time. Sends and writes nothing.

    Takes the options of ``fw.open_run`` by their names. Counts one call for each answer that no
    rule can grade, remembered ones included.
    """
    table = _Table(job)
    grader = Grader(
        model=job.model, parameters=job.parameters, store=None, reuse=False, now=lambda: 0.0
    )

    async def one(ctx: fw.Context, entry: Entry) -> Grade:
        return await grader.one(ctx, task_of(entry, job.columns))

    await table.counted()
    return await fw.plan(one, table.rows(by_model=True), **options)


async def _opened_store(
    stack: AsyncExitStack, home: Any, settings: dict[str, Any], open_run: Any
) -> fw.Store | None:
    """The tables; none for a run that nothing outlives. Puts the home into the run's settings."""
    where = home if home is not None else settings.pop("journal", None)
    if where == _IN_MEMORY or type(where).__name__ == "MemoryHome":
        settings["journal"] = where
        return None
    place = fw.open_home(where) if where is None or isinstance(where, str | Path) else where
    if open_run is None:
        settings["journal"] = place
    return await stack.enter_async_context(fw.Store(place, STORE, metadata))


def _limited(limits: fw.Limits | None, at_once: int) -> fw.Limits:
    from dataclasses import replace

    return replace(limits or fw.Limits(), concurrency=at_once)


class _Table:
    """The rows of a job, read as often as they are needed."""

    def __init__(self, job: GradingJob) -> None:
        self._job = job
        self._kept: list[Entry] | None = None

    async def counted(self) -> tuple[int, int]:
        """How many rows there are, and how many of them need a model.

        A file is read in a thread.
        """
        if self._job.source is None:
            return self._count()
        return await asyncio.to_thread(self._count)

    def _count(self) -> tuple[int, int]:
        if self._job.source is None or str(self._job.source) == STDIN:
            self._kept = list(self._job.entries())
        total = hard = 0
        for entry in self._entries():
            total += 1
            hard += self._hard(entry)
        return total, hard

    def rows(self, *, by_model: bool) -> Iterable[Entry]:
        """The rows that need a model, or those that do not."""
        if self._kept is not None:
            return [entry for entry in self._kept if self._hard(entry) == by_model]
        return (entry for entry in self._entries() if self._hard(entry) == by_model)

    def _entries(self) -> Iterable[Entry]:
        return self._kept if self._kept is not None else self._job.entries()

    def _hard(self, entry: Entry) -> bool:
        try:
            task = task_of(entry, self._job.columns)
        except fw.errors.InputError:
            return False
        return needs_model(task.question, task.answer)


class _Work:
    """The two stretches of a job: what rules can grade, then what needs a model."""

    def __init__(
        self, job: GradingJob, run: fw.Run, grader: Grader, table: _Table, marks: Marks
    ) -> None:
        self._job = job
        self._run = run
        self._grader = grader
        self._table = table
        self._marks = marks

    async def by_rule(self, total: int) -> None:
        """Grades everything that needs no model."""
        rows = self._table.rows(by_model=False)
        await self._through(self._run.map(self._one, rows, item_id=_id, describe=_row, total=total))

    async def by_model(self, hard: int, total: int) -> fw.types.ModeReport | None:
        """Grades the rest, in the job's mode."""
        by_ease = partial(difficulty, columns=self._job.columns)
        mapped = self._run.map(
            self._one,
            self._table.rows(by_model=True),
            item_id=_id,
            describe=_row,
            total=total,
            mode=mode_for(self._job.processing_mode, hard),
            pack=fw.types.Pack(self._several, size=self._job.pack_size),
            key=by_ease if self._job.easiest_first else None,
        )
        await self._through(mapped)
        return mapped.mode_report()

    async def _through(self, mapped: fw.types.Map[Grade]) -> None:
        async with mapped as outcomes:
            async for outcome in outcomes:
                await self._take(outcome)

    async def _take(self, outcome: fw.Outcome) -> None:
        entry: Entry = outcome.item
        grade = grade_of(outcome.value) if outcome.ok else ungraded(outcome.error)
        label = question = None
        try:
            task = task_of(entry, self._job.columns)
            label, question = task.label, task.question
        except fw.errors.InputError:
            pass
        await self._marks.take(
            Result(
                id=entry.id,
                index=entry.index,
                kind=question.kind if question is not None else "",
                grade=grade,
                label=label,
                duration_s=outcome.service_s,
            )
        )

    async def _one(self, ctx: fw.Context, entry: Entry) -> Grade:
        return await self._grader.one(ctx, task_of(entry, self._job.columns))

    async def _several(self, ctx: fw.Context, entries: Mapping[str, Entry]) -> Mapping[str, Any]:
        tasks = {name: task_of(entry, self._job.columns) for name, entry in entries.items()}
        return await self._grader.several(ctx, tasks)


def mode_for(asked: str, needed: int) -> Any:
    """The mode for so many answers that need a model: one goes by itself, two go in one request,
    more side by side, unless somebody says otherwise.
    """
    if asked != "auto":
        return asked
    return {1: "sequential", 2: "batch"}.get(needed, "parallel")


def _id(entry: Entry) -> str:
    return entry.id


def _row(entry: Entry) -> Any:
    return {"row": entry.line}
