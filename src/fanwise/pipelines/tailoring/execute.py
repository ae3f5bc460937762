"""Carrying a job out: a run whose items are resumes, and what comes of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import fanwise as fw
from fanwise.pipelines import Event, OnEvent
from fanwise.pipelines.tailoring import tables
from fanwise.pipelines.tailoring.analysis import JobAnalysis
from fanwise.pipelines.tailoring.drafts import NAME
from fanwise.pipelines.tailoring.job import ResumeInput, TailorJob, resume_input
from fanwise.pipelines.tailoring.result import Failure, Tailored, TailorResult
from fanwise.pipelines.tailoring.work import Work

OpenRun = Callable[..., AbstractAsyncContextManager[fw.Run]]

_SHARES = {
    "validate": 5,
    "ats_score": 10,
    "job_analysis": 10,
    "targets": 30,
    "tailor": 35,
    "rescore": 85,
    "save_draft": 90,
    "embedding": 5,
}
_SAID = {
    "validate": "reading the resume",
    "ats_score": "scoring it",
    "job_analysis": "analysing the job",
    "targets": "setting targets",
    "tailor": "tailoring",
    "rescore": "scoring the result",
    "save_draft": "keeping the draft",
    "embedding": "making its embedding",
}


async def tailor(
    resumes: str | Path | ResumeInput | Sequence[str | Path | ResumeInput],
    job_description: str | Path,
    *,
    home: Any = None,
    open_run: OpenRun | None = None,
    on_event: OnEvent | None = None,
    now: Callable[[], float] = time.time,
    options: Mapping[str, Any] | None = None,
    **fields: Any,
) -> TailorResult:
    """Tailors resumes to a job.

    Args:
        resumes: One or several: paths of PDF, DOCX, TXT, MD or JSON Resume files, or
            :class:`ResumeInput` with their content.
        job_description: The posting's text, or the path (a ``Path``) of a document with it.
        home: As for :func:`execute`.
        open_run: As there.
        on_event: As there.
        now: As there.
        options: Options of ``fw.open_run``, such as ``limits`` or ``resume``.
        **fields: The other fields of :class:`TailorJob`: ``mode``, ``tone``, ``length``,
            ``models`` (or ``model``), ``score_only`` …

    Returns and raises what :func:`execute` does, and ``InvalidFields`` where a field is wrong.
    """
    if isinstance(job_description, Path):
        job_description = (await fw.documents.read_document(job_description)).text
    several = [resumes] if isinstance(resumes, str | Path | ResumeInput) else list(resumes)
    if "model" in fields:
        fields["models"] = (fields.pop("model"),)
    job = TailorJob(
        resumes=tuple(resume_input(one) for one in several),
        job_description=job_description,
        **fields,
    )
    return await execute(
        job, home=home, open_run=open_run, on_event=on_event, now=now, **(options or {})
    )


async def execute(
    job: TailorJob,
    *,
    home: Any = None,
    open_run: OpenRun | None = None,
    on_event: OnEvent | None = None,
    now: Callable[[], float] = time.time,
    **options: Any,
) -> TailorResult:
    """Carries a job out.

    Args:
        job: Which resumes, and how.
        home: Where runs, drafts and analyses are kept; by default ``options["journal"]`` or
            ``./.fanwise``.
        open_run: Opens the run, called with its name; ``fw.open_run`` by default.
        on_event: Is told of steps that begin (``progress``), of resumes that are done (``result``)
            or have failed (``error``), and of the end (``complete``); may be asynchronous.
        now: Time in epoch seconds.
        **options: Further options of ``fw.open_run``.

    Returns:
        What each resume came to. One that fails (its document cannot be read, or no model
        answered) is a failure by its id and ends nothing else.

    Raises:
        ConfigError: A wrong model, key or option; nothing was spent.
        BudgetExhausted: The run's budget is reached; what was answered is kept.
        JournalUnavailable: Journal or drafts cannot be written; what was durable stays so.

    Cancelling it closes calls in flight and keeps what is durable; log entries under way have a
    second to end.
    """
    keeps = job.save or not job.score_only
    where = home
    if where is None:
        where = options.pop("journal", None)
    if where is None or (isinstance(where, str) and where != ":memory:"):
        where = fw.open_home(where)
    kept: Any = where
    settings: dict[str, Any] = dict(options)
    if open_run is None:
        settings["journal"] = where
    opened = fw.open_run if open_run is None else open_run
    async with AsyncExitStack() as stack:
        store: fw.Store | None = None
        if keeps and hasattr(kept, "store_engine"):
            store = await stack.enter_async_context(fw.Store(kept, NAME, tables.metadata))
        course = _Course(job, store=store, now=now, on_event=on_event)
        return await course.carry_out(lambda: opened(NAME, **settings))


async def warm(job: TailorJob, *, home: Any = None, **options: Any) -> JobAnalysis:
    """Analyses a job that is about to be posted, so that its first resumes need not wait.

    Args:
        job: The job; its resumes are not read.
        home: Where the analysis is kept; by default ``options["journal"]`` or ``./.fanwise``.
        **options: Further options of ``fw.open_run``.

    Returns:
        The analysis: a kept one, where it is younger than ``analysis_max_age_s``.

    Raises:
        ConfigError: A wrong model, key or option; nothing was spent.
        JournalUnavailable: It cannot be kept.
    """
    where: Any = home if home is not None else options.pop("journal", None)
    if where is None or isinstance(where, str):
        where = fw.open_home(where)
    async with (
        fw.open_run(f"{NAME}-analysis", journal=where, **options) as run,
        fw.Store(where, NAME, tables.metadata) as store,
    ):
        for model in job.models:
            run.check_model(model)
        work = Work(job, store=store, now=time.time, tell=_nobody)
        found: list[JobAnalysis] = []

        async def analyse(ctx: fw.Context, _: str) -> str:
            analysis, _warnings = await work.analysis(ctx)
            found.append(analysis)
            return analysis.title

        await run.map(analyse, [job.job_description]).collect()
    if not found:
        raise fw.errors.StateError("the run was stopped before the analysis was there")
    return found[0]


async def plan(job: TailorJob, **options: Any) -> fw.types.Plan:
    """What a job would ask for: calls, tokens, cost and time. Sends and writes nothing.

    Reads the resumes; takes the options of ``fw.open_run`` by their names.
    """
    work = Work(job, store=None, now=time.time, tell=_nobody)
    return await fw.plan(work.count, job.resumes, **options)


async def _nobody(_: str, __: str) -> None:
    pass


class _Course:
    """One job under way: what is counted, kept and told."""

    def __init__(
        self,
        job: TailorJob,
        *,
        store: fw.Store | None,
        now: Callable[[], float],
        on_event: OnEvent | None,
    ) -> None:
        self._job = job
        self._store = store
        self._now = now
        self._on_event = on_event
        self._work = Work(job, store=store, now=now, tell=self._begins)
        self._reached: dict[str, float] = {}
        self._percent = 0.0
        self._done: dict[str, Tailored] = {}
        self._failed: dict[str, Failure] = {}

    async def carry_out(
        self, open_run: Callable[[], AbstractAsyncContextManager[fw.Run]]
    ) -> TailorResult:
        """Opens the run and takes every resume through it."""
        begun = time.monotonic()
        job = self._job
        async with open_run() as run, fw.Background(drain_s=10.0) as background:
            self._work.run_id = run.run_id
            for model in job.models if not job.score_only else ():
                run.check_model(model)
            mapped = run.map(self._work.item, job.resumes, item_id=_id_of, describe=_description)
            async with mapped as outcomes:
                async for outcome in outcomes:
                    await self._take(outcome, background)
            complete = run.finished
        failed = len(background.failures) + len(background.abandoned)
        result = self._result(run.run_id, complete=complete, background_failed=failed)
        result = _timed(result, time.monotonic() - begun)
        self._percent = 100.0 if complete else self._percent
        await self._tell(
            Event(
                kind="complete",
                message=f"{len(self._done)} of {result.total} resumes done",
                percent=self._percent,
                data=result.summary(),
            )
        )
        return result

    def _result(self, run_id: str, *, complete: bool, background_failed: int) -> TailorResult:
        order = [one.id for one in self._job.resumes]
        status = "success"
        if self._failed:
            status = "partial" if self._done else "error"
        return TailorResult(
            run_id=run_id,
            status=status,
            complete=complete,
            resumes=tuple(self._done[name] for name in order if name in self._done),
            failures=tuple(self._failed[name] for name in order if name in self._failed),
            total=len(order),
            background_failed=background_failed,
        )

    async def _take(self, outcome: fw.Outcome, background: fw.Background) -> None:
        name = outcome.item_id
        self._reached[name] = 100.0
        self._percent = max(self._percent, self._overall())
        if not outcome.ok:
            self._failed[name] = failure = _failure(name, outcome.error)
            data = {"code": failure.code, "message": failure.message}
            await self._tell(
                Event(
                    kind="error",
                    message=failure.message,
                    subject=name,
                    percent=self._percent,
                    data=data,
                )
            )
            return
        self._done[name] = tailored = Tailored.from_json(outcome.value)
        if self._store is not None:
            background.start(self._log, tailored, name=f"request log of {name}")
            background.start(self._measure, tailored, name=f"metrics of {name}")
        await self._tell(
            Event(
                kind="result",
                message=in_one_line(tailored),
                subject=name,
                percent=self._percent,
                data=outcome.value,
            )
        )

    async def _log(self, tailored: Tailored) -> None:
        assert self._store is not None
        row = {
            "request": self._request(tailored),
            "run_id": self._work.run_id,
            "resume": tailored.id,
            "model": tailored.model,
            "settings": self._job.settings,
            "at": self._now(),
        }
        await self._store.write(lambda c: tables.keep(c, tables.requests, row))

    async def _measure(self, tailored: Tailored) -> None:
        assert self._store is not None
        row = {
            "request": self._request(tailored),
            "performance": dict(tailored.performance or {}),
            "score_before": tailored.before["total"],
            "score_after": tailored.after["total"] if tailored.after else None,
            "changes": len(tailored.changes),
        }
        await self._store.write(lambda c: tables.keep(c, tables.metrics, row))

    def _request(self, tailored: Tailored) -> str:
        return f"{self._work.run_id[:120]}:{self._work.draft_id(_named(tailored.id))}"

    async def _begins(self, name: str, step: str) -> None:
        self._reached[name] = max(self._reached.get(name, 0.0), _SHARES[step])
        self._percent = max(self._percent, self._overall())
        await self._tell(
            Event(
                kind="progress",
                message=_SAID[step],
                subject=name,
                percent=self._percent,
                data={"step": step},
            )
        )

    def _overall(self) -> float:
        return round(min(99.0, sum(self._reached.values()) / len(self._job.resumes)), 1)

    async def _tell(self, event: Event) -> None:
        if self._on_event is None:
            return
        told: Awaitable[None] | None = self._on_event(event)
        if told is not None:
            await told


def in_one_line(tailored: Tailored) -> str:
    """What a resume came to, for people."""
    before = tailored.before["total"]
    if tailored.after is None or tailored.targets is None:
        return f"{before:.1f} of 100"
    kept = sum(change.decision == "accepted" for change in tailored.changes)
    waiting = sum(change.decision == "open" for change in tailored.changes)
    refused = sum(change.verdict == "refused" for change in tailored.changes)
    parts = [f"{kept} changes made"]
    parts += [f"{waiting} to be looked at"] if waiting else []
    parts += [f"{refused} refused"] if refused else []
    return (
        f"{before:.1f} → {tailored.after['total']:.1f} of 100 "
        f"(target {tailored.targets['target']:.1f}), {', '.join(parts)}"
    )


def _failure(name: str, error: BaseException | None) -> Failure:
    if isinstance(error, fw.errors.FanwiseError):
        hint = f" ({error.hint})" if error.hint else ""
        return Failure(id=name, code=error.code, message=f"{error.message}{hint}"[:500])
    return Failure(id=name, code="error", message=f"{type(error).__name__}: {error}"[:500])


def _timed(result: TailorResult, duration_s: float) -> TailorResult:
    from dataclasses import replace

    return replace(result, duration_s=duration_s)


def _named(name: str) -> ResumeInput:
    return ResumeInput(name=name)


def _id_of(given: ResumeInput) -> str:
    return given.id


def _description(given: ResumeInput) -> dict[str, Any]:
    return {"resume": given.id}
