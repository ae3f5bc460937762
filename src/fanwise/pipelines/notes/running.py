"""The pipeline: a recording in, notes out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import fanwise as fw
from fanwise.pipelines import OnEvent
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.notes.catalogue import template
from fanwise.pipelines.notes.job import Mode, NotesJob, Strategy, Verbosity
from fanwise.pipelines.notes.passages import parts_of
from fanwise.pipelines.notes.records import Part, Source
from fanwise.pipelines.notes.result import NotesResult
from fanwise.pipelines.notes.sources import Videos, read_file
from fanwise.pipelines.notes.tables import metadata
from fanwise.pipelines.notes.usage import Usage
from fanwise.pipelines.notes.work import Work
from fanwise.pipelines.notes.writing import Desk, condense, passages_of, write_note

NAME = "notes"
FLAG = "FANWISE_PARALLEL"


async def notes(
    source: str | Path,
    *,
    templates: Sequence[str] = ("basic-summary",),
    verbosity: Verbosity = "standard",
    strategy: Strategy = "per_depth",
    mode: Mode = "transcript",
    language: str = "",
    model: str | Sequence[str] = RULES_MODEL,
    user: str = "",
    video: str = "",
    stagger_s: float = 0.15,
    part_tokens: int = 6000,
    force: bool = False,
    retry_templates: Sequence[str] = (),
    rollout_percent: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> NotesResult:
    """Writes notes of a recording.

    Takes the fields of :class:`NotesJob` and the arguments of :func:`execute` by their names
    (``model`` is one or a chain, ``retry_templates`` the job's ``retry``); returns and raises what
    the latter does.
    """
    job = NotesJob(
        source=str(source),
        templates=tuple(templates),
        verbosity=verbosity,
        strategy=strategy,
        mode=mode,
        language=language,
        models=(model,) if isinstance(model, str) else tuple(model),
        user=user,
        video=video,
        stagger_s=stagger_s,
        part_tokens=part_tokens,
        force=force,
        retry=tuple(retry_templates),
        rollout_percent=rollout_percent,
        parameters=dict(parameters or {}),
    )
    return await execute(job, **options)


async def execute(
    job: NotesJob,
    *,
    home: Any = None,
    open_run: Callable[..., Any] | None = None,
    on_event: OnEvent | None = None,
    usage: Usage | Callable[[fw.Store], Usage] | None = None,
    videos: Videos | None = None,
    guardrails: fw.Guardrails | None = None,
    **options: Any,
) -> NotesResult:
    """Carries a job out.

    The recording is fetched once for all templates; a long one is condensed in parts at the same
    time. Templates are then written at the same time, each checked against what it has to hold and
    against the recording, asked again for what is missing, and saved as it ends. One that fails
    fails alone. Templates that an equal job has written before are not written again.

    Args:
        job: What is wanted.
        home: Where runs and tables are; by default ``options["journal"]`` or ``./.fanwise``.
        open_run: Opens the run, called with its name; ``fw.open_run`` by default.
        on_event: Is told how it goes; see :class:`fanwise.pipelines.Event`.
        usage: Who counts a user's units, or what makes that of the pipeline's tables:
            ``lambda store: StoreUsage(store, monthly_units=100)``.
        videos: Where videos come from; one for several jobs lets them share what is fetched.
        guardrails: Looks on while templates are written. By default there are some where the job
            says ``rollout_percent`` or the environment ``FANWISE_PARALLEL``.
        **options: Further options of ``fw.open_run``, such as ``limits`` or ``resume``.

    Returns:
        The result, with one entry for each template in the order of the job.

    Raises:
        InputError: The recording cannot be had.
        UsageExceeded: The user's units are used up; nothing was asked.
        ConfigError: A wrong model, key or option; nothing was spent.
        JournalUnavailable: Journal or tables cannot be written; what was durable stays so.

    Cancelling it closes calls in flight and keeps what is durable; units of what was not written
    are given back.
    """
    where = home if home is not None else fw.open_home(options.pop("journal", None))
    opened = fw.open_run if open_run is None else open_run
    settings: dict[str, Any] = dict(options)
    if open_run is None:
        settings["journal"] = where
    known = await _file(job)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(fw.Store(where, NAME, metadata))
        if videos is None:
            videos = await stack.enter_async_context(Videos(store))
        library = videos

        async def load() -> Source:
            if known is not None:
                return known
            return await library.load(job.video_id, language=job.language, mode=job.mode)

        work = Work(
            job,
            store=store,
            usage=usage(store) if callable(usage) else usage,
            guardrails=_guardrails(job, guardrails, options.get("env")),
            on_event=on_event,
            now=time.time,
        )
        source_id = job.video_id if known is None else known.id
        return await work.carry_out(opened(NAME, **settings), load, source_id=source_id)


async def plan(job: NotesJob, *, videos: Videos | None = None, **options: Any) -> fw.types.Plan:
    """What a job would ask for if nothing of it were known.

    A video's transcript is fetched for it; no model is asked and nothing is written.

    Args:
        job: What is wanted.
        videos: Where videos come from.
        **options: Those of ``fw.open_run``.

    Raises:
        InputError: The recording cannot be had.
    """
    async with AsyncExitStack() as stack:
        source = await _file(job)
        if source is None:
            library = videos or await stack.enter_async_context(Videos())
            source = await library.load(job.video_id, language=job.language, mode=job.mode)
    passages = passages_of(source, job)
    parts = parts_of(passages, part_tokens=job.part_tokens)
    several = len(parts) > 1
    shape = "points" if several else job.mode
    desk = Desk(job=job, source=source, passages=passages, shape=shape, on_foreign=_nothing)

    async def ask(ctx: fw.Context, item: Part | str) -> None:
        if isinstance(item, Part):
            await condense(ctx, job, item, source=source)
        else:
            await write_note(ctx, desk, template(item), on_depths=_nobody)

    wanted = job.retry or job.templates
    items: list[Part | str] = [*(parts if several else ()), *wanted]
    return await fw.plan(ask, items, **options)


async def _file(job: NotesJob) -> Source | None:
    """The recording of a job that names a file; ``None`` of one that names a video."""
    if job.video_id:
        return None
    return await asyncio.to_thread(read_file, job.source, video=job.video)


def _guardrails(
    job: NotesJob, given: fw.Guardrails | None, env: Mapping[str, str] | None
) -> fw.Guardrails | None:
    if given is not None:
        return given
    found = os.environ if env is None else env
    if job.rollout_percent is None and FLAG not in found:
        return None
    percent = 100.0 if job.rollout_percent is None else job.rollout_percent
    return fw.Guardrails(rollout_percent=percent, env=found)


def _nothing(_: str) -> None:
    """Nobody is told."""


async def _nobody(_: int) -> None:
    """Nobody is told."""
