"""One job under way: which templates are written, what is kept of each, and what is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import fanwise as fw
from fanwise.pipelines import OnEvent
from fanwise.pipelines.notes import progress
from fanwise.pipelines.notes.catalogue import template
from fanwise.pipelines.notes.job import NotesJob
from fanwise.pipelines.notes.passages import parts_of, span
from fanwise.pipelines.notes.progress import Telling
from fanwise.pipelines.notes.records import Note, Part, Passage, Source
from fanwise.pipelines.notes.result import NotesResult, TemplateResult, of_row, reason_of
from fanwise.pipelines.notes.tables import begin, change, fail, jobs
from fanwise.pipelines.notes.usage import Usage
from fanwise.pipelines.notes.writing import Desk, condense, condensed, passages_of, write_note

_LAST_WORDS_S = 5.0


class Work:
    """One job under way.

    Args:
        job: What is wanted.
        store: The tables.
        usage: Who counts units; ``None`` for nobody.
        guardrails: Who looks on while templates are written; ``None`` for nobody.
        on_event: Who is told.
        now: The time in epoch seconds.
    """

    def __init__(
        self,
        job: NotesJob,
        *,
        store: fw.Store,
        usage: Usage | None,
        guardrails: fw.Guardrails | None,
        on_event: OnEvent | None,
        now: Callable[[], float],
    ) -> None:
        self._job = job
        self._store = store
        self._usage = usage
        self._guardrails = guardrails
        self._on_event = on_event
        self._now = now
        self._keys: dict[str, str] = {}
        self._results: dict[str, TemplateResult] = {}
        self._held: dict[str, str] = {}
        self._desk: Desk | None = None
        self._mode = ""
        self._start_at_s = 0.0
        self._parts: Sequence[Part] = ()
        self._telling = Telling(None, job.templates)

    async def carry_out(
        self,
        opened: AbstractAsyncContextManager[fw.Run],
        load: Callable[[], Any],
        *,
        source_id: str,
    ) -> NotesResult:
        """Opens the run and writes what is to be written.

        Args:
            opened: The run.
            load: Loads the recording; asynchronous.
            source_id: Its id, known before.
        """
        job = self._job
        self._keys = {name: job.key(source_id, name) for name in job.templates}
        async with opened as run:
            for model in job.models:
                run.check_model(model)
            wanted, fresh = await self._chosen(run.run_id)
            telling = self._telling = Telling(self._on_event, wanted or job.templates)
            await telling.tell("progress", "The job is checked", percent=progress.CHECKED)
            try:
                await self._reserve(wanted, run.run_id)
                rows = [self._row(name, source_id, run.run_id) for name in fresh]
                await self._store.write(lambda c: [begin(c, row) for row in rows])
                source: Source = await load()
                await telling.tell(
                    "progress", _about(source), percent=progress.FETCHED, data=_facts(source)
                )
                if wanted:
                    await self._written(run, source, wanted)
            finally:
                await self._let_go()
            report = await run.report()
            result = self._result(run, source, report)
            ended = run.finished
        kind, percent = ("complete", 100.0) if ended else ("progress", 0.0)
        await telling.tell(kind, _ending(result), percent=percent, data=result.as_json())
        return result

    async def _chosen(self, run_id: str) -> tuple[list[str], list[str]]:
        """The templates to write, and those of them whose rows are to be made anew: all but what
        this very run has completed before.
        """
        job, keys = self._job, self._keys
        rows = await self._store.read(lambda connection: jobs(connection, list(keys.values())))
        wanted: list[str] = []
        fresh: list[str] = []
        for name, key in keys.items():
            row = rows.get(key)
            done = row is not None and row["status"] == "complete"
            own = row is not None and row["run_id"] == run_id
            again = own or not done or job.force
            write = name in job.retry if job.retry else again
            self._results[name] = TemplateResult(template=name, status="pending")
            if write:
                wanted.append(name)
                fresh += [] if own and done else [name]
            elif row is not None:
                self._results[name] = of_row(row)
        return wanted, fresh

    def _row(self, name: str, source_id: str, run_id: str) -> dict[str, Any]:
        job = self._job
        return {
            "key": self._keys[name],
            "user": job.user,
            "video": source_id,
            "template": name,
            "verbosity": job.verbosity,
            "strategy": job.strategy,
            "version": job.version(name, rules=False),
            "run_id": run_id,
        }

    async def _reserve(self, wanted: Sequence[str], run_id: str) -> None:
        if self._usage is None or not wanted:
            return
        # A resumed run finds its units again; another one that writes the same anew takes more.
        names = {name: f"{self._keys[name]}:{run_id}" for name in wanted}
        await self._usage.reserve(list(names.values()), user=self._job.user)
        self._held = names
        await self._telling.tell("progress", "Units are set aside", percent=progress.RESERVED)

    async def _let_go(self) -> None:
        """Gives back the units of what was not written; does not wait for a stuck disk."""
        usage, held = self._usage, self._held
        if usage is None or not held:
            return
        self._held = {}
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                for key in held.values():
                    await usage.release(key)
        except (fw.errors.JournalError, TimeoutError):
            return

    async def _written(self, run: fw.Run, source: Source, wanted: Sequence[str]) -> None:
        passages = passages_of(source, self._job)
        shape = self._job.mode
        parts = parts_of(passages, part_tokens=self._job.part_tokens)
        failed = ""
        total = len(wanted)
        if len(parts) > 1:
            self._parts = parts
            total += len(parts)
            passages, failed = await self._condensed(run, source, passages, total=total)
            shape = "points"
        if failed:
            for name in wanted:
                await self._failed(name, failed)
            return
        await self._telling.tell("progress", "The recording is read", percent=progress.READ)
        self._desk = Desk(
            job=self._job,
            source=source,
            passages=passages,
            shape=shape,
            on_foreign=self._mismatch,
        )
        guarded: dict[str, Any] = {}
        if self._guardrails is not None:
            whose = {"user": self._job.user} if self._job.user else {"request": source.id}
            guarded["guardrails"] = self._guardrails.of(**whose)
        mapped = run.map(self._template, list(wanted), item_id=_item_id, total=total, **guarded)
        async with mapped as outcomes:
            async for outcome in outcomes:
                await self._ended(outcome)
        if self._guardrails is not None:
            report = mapped.mode_report()
            self._mode = "" if report is None else report.processing_mode_used

    async def _condensed(
        self, run: fw.Run, source: Source, passages: Sequence[Passage], *, total: int
    ) -> tuple[Sequence[Passage], str]:
        """The passages as points, or why there are none."""
        parts = self._parts
        points: dict[str, Sequence[str]] = {}
        failed = ""

        async def read(ctx: fw.Context, part: Part) -> dict[str, Any]:
            return await condense(ctx, self._job, part, source=source)

        async with run.map(read, parts, describe=_described, total=total) as outcomes:
            async for outcome in outcomes:
                if outcome.ok:
                    points |= outcome.value
                else:
                    reason = reason_of(outcome.error)
                    failed = f"{_words(outcome.item)} could not be read: {reason}"
                share = len(points) / len(passages)
                await self._telling.tell(
                    "progress",
                    f"{_words(outcome.item)} {'is read' if outcome.ok else 'failed'}",
                    subject=outcome.item.id,
                    percent=progress.FETCHED + share * (progress.READ - progress.FETCHED),
                )
        if len(points) < len(passages):
            return (), failed or "the run ended before all parts were read"
        return condensed(passages, points), ""

    async def _template(self, ctx: fw.Context, name: str) -> dict[str, Any]:
        """One item: a template's note."""
        desk = self._desk
        assert desk is not None
        await self._stagger()
        await self._moved(name, progress.STARTED, status="processing", started_at=self._now())

        async def on_depths(done: int) -> None:
            share = done / len(self._job.depths)
            percent = progress.STARTED + share * (progress.WRITTEN - progress.STARTED)
            await self._moved(name, percent)

        note = await write_note(ctx, desk, template(name), on_depths=on_depths)
        return note.as_json()

    async def _stagger(self) -> None:
        """Waits until the start before is far enough away."""
        clock = asyncio.get_running_loop().time
        wait_s = self._start_at_s - clock()
        self._start_at_s = max(self._start_at_s, clock()) + self._job.stagger_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _moved(self, name: str, percent: float, **values: Any) -> None:
        """Notes and tells how far a template is."""
        key = self._keys[name]
        known = self._results[name]
        percent = max(percent, known.progress)
        self._results[name] = replace(known, progress=percent, **{"status": "processing", **values})
        await self._store.write(lambda c: change(c, key, progress=percent, **values))
        self._telling.template(name, percent)
        state = "is begun" if percent <= progress.STARTED else f"is at {percent:.0f} %"
        await self._telling.tell("progress", f"{template(name).name} {state}", subject=name)

    async def _ended(self, outcome: fw.Outcome) -> None:
        name: str = outcome.item
        if not outcome.ok:
            await self._failed(name, reason_of(outcome.error))
            return
        note = Note.from_json(outcome.value)
        if note.template != name:
            self._mismatch(f"asked for {name}, got {note.template}")
            await self._failed(name, f"the result was one of {note.template}")
            return
        await self._saved(name, note)

    async def _saved(self, name: str, note: Note) -> None:
        key, at = self._keys[name], self._now()
        known = self._results[name]
        found = json.dumps(note.as_json())
        started_at = at if known.started_at is None else known.started_at
        values: dict[str, Any] = {"status": "complete", "progress": 100.0, "completed_at": at}

        def work(connection: Any) -> None:
            row = jobs(connection, [key])[key]
            if row["status"] != "complete" or row["result"] != found:
                change(connection, key, result=found, error=None, **values)

        await self._store.write(work)
        unit = self._held.pop(name, None)
        if self._usage is not None and unit is not None:
            await self._usage.settle(unit)
        self._results[name] = replace(known, note=note, started_at=started_at, **values)
        self._telling.template(name, progress.ENDED)
        await self._telling.tell(
            "result",
            f"{template(name).name} is complete",
            subject=name,
            data=self._results[name].as_json(),
        )

    async def _failed(self, name: str, reason: str) -> None:
        key, at = self._keys[name], self._now()
        known = self._results[name]
        values: dict[str, Any] = {"status": "error", "error": reason, "completed_at": at}
        kept = await self._store.write(lambda c: fail(c, key, error=reason, at=at))
        self._results[name] = replace(known, **values)
        told = "; the note that was there before is kept" if kept else ""
        self._telling.template(name, progress.ENDED)
        await self._telling.tell(
            "error",
            f"{template(name).name} has failed: {reason}{told}",
            subject=name,
            data=self._results[name].as_json(),
        )

    def _mismatch(self, what: str) -> None:
        if self._guardrails is not None:
            self._guardrails.mismatch(what)

    def _result(self, run: fw.Run, source: Source, report: fw.types.Report) -> NotesResult:
        results = [self._results[name] for name in self._job.templates]
        complete = sum(one.status == "complete" for one in results)
        status = "success" if complete == len(results) else "partial" if complete else "error"
        if not complete and not any(one.status == "error" for one in results):
            status = "partial"  # it ended early; nothing has failed
        return NotesResult(
            status=status,
            run_id=run.run_id,
            source=source,
            results=tuple(results),
            passages=len(passages_of(source, self._job)),
            parts=[_described(part) for part in self._parts],
            mode=self._mode,
            report=report,
        )


def _item_id(name: str) -> str:
    return name


def _described(part: Part) -> dict[str, Any]:
    first, last = part.passages[0], part.passages[-1]
    return {
        "part": part.id,
        "first": first.id,
        "last": last.id,
        "start_s": first.start_s,
        "end_s": last.end_s,
    }


def _words(part: Part) -> str:
    first, last = part.passages[0], part.passages[-1]
    times = f" ({span(replace(first, end_s=last.end_s))})" if first.start_s is not None else ""
    return f"Part {part.id.removeprefix('part-')}{times}"


def _about(source: Source) -> str:
    return f"The recording is here{f': {source.title}' if source.title else ''}"


def _facts(source: Source) -> dict[str, Any]:
    names = ("id", "title", "author", "language", "video", "duration_s")
    return {"source": {name: getattr(source, name) for name in names}}


def _ending(result: NotesResult) -> str:
    count = len(result.results)
    complete = sum(one.status == "complete" for one in result.results)
    failed = sum(one.status == "error" for one in result.results)
    words = f"{complete} of {count} complete"
    return f"{words}, {failed} failed" if failed else words
