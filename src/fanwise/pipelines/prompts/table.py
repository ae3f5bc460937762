"""The general case as a pipeline like the others: a job made of JSON, carried out into a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import fanwise as fw
from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines import Event, OnEvent
from fanwise.pipelines import fields as check
from fanwise.pipelines.prompts.execute import PromptsResult
from fanwise.pipelines.prompts.execute import execute as carry_out
from fanwise.pipelines.prompts.execute import plan as plan_of
from fanwise.pipelines.prompts.job import PromptsJob
from fanwise.pipelines.prompts.template import Prompt

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.records import Json, Outcome

_schema = partial(check.mapping, such_as="{'type': 'object'}")
_KNOWN = ("file", "prompts", "models", "schema", "parameters", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableJob:
    """A table × prompts × models, or a file of Batch lines.

    Args:
        file: The table: JSONL, CSV or Parquet.
        prompts: What to ask of each row, as templates; empty for Batch lines.
        models: Whom to ask, as ``provider/model``.
        schema: JSON Schema of the answers; ``None`` for text.
        parameters: Sampling parameters by the providers' own names.
        limit: Most rows to take.
    """

    file: str
    prompts: Sequence[str] = ()
    models: Sequence[str] = ()
    schema: Mapping[str, Json] | None = None
    parameters: Mapping[str, Json] | None = None
    limit: int | None = None

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Self:
        """The job that JSON describes.

        Raises:
            InvalidFields: One reason for each field that is wrong.
        """
        reasons = {
            "prompts": check.texts(fields.get("prompts", ())),
            "models": check.texts(fields.get("models", ()), of="provider/model"),
            "schema": check.optional(fields.get("schema"), _schema),
            "parameters": check.optional(fields.get("parameters"), check.mapping),
            "limit": check.optional(fields.get("limit"), check.count),
            "file": ""
            if isinstance(fields.get("file"), str) and fields["file"]
            else "names no file",
        }
        check.refuse("prompts", reasons | check.unknown(fields, _KNOWN))
        given = {name: value for name, value in fields.items() if value is not None}
        job = cls(**cast("dict[str, Any]", given))
        try:
            job.as_prompts_job()
        except ConfigError as error:
            at = "prompts" if "prompt" in error.message else "models"
            raise InvalidFields("prompts", {at: error.message}, hint=error.hint) from error
        return job

    def as_json(self) -> dict[str, Json]:
        """What ``from_json`` makes this job of again."""
        found: dict[str, Json] = {name: getattr(self, name) for name in _KNOWN}
        return {name: value for name, value in found.items() if value is not None}

    def as_prompts_job(self) -> PromptsJob:
        """The same for :func:`fanwise.pipelines.prompts.execute.execute`.

        Raises:
            ConfigError: A template, a model or their combination is wrong.
        """
        return PromptsJob(
            source=self.file,
            prompts=[
                Prompt(text, name=f"prompt-{number}" if len(self.prompts) > 1 else "")
                for number, text in enumerate(self.prompts, 1)
            ],
            models=self.models,
            schema=self.schema,
            parameters=self.parameters or {},
            limit=self.limit,
        )


async def execute(
    job: TableJob,
    *,
    home: Home | None = None,
    open_run: Callable[..., AbstractAsyncContextManager[fw.Run]] | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> PromptsResult:
    """Carries a job out; its answers are the run's items.

    Args:
        job: What to do.
        home: Where the run is; ``options["journal"]`` or ``./.fanwise`` by default.
        open_run: Opens the run; ``fw.open_run`` by default.
        on_event: Is told of the end of it.
        **options: Further options of ``fw.open_run``.

    Raises:
        ConfigError: The table, a prompt or a model is wrong; nothing was spent on it.
        BudgetExhausted: The run's budget is reached; answers so far are kept.
        JournalUnavailable: The journal cannot be written; what was paid for is kept.

    Cancelling it keeps what is durable.
    """

    def opened(name: str) -> AbstractAsyncContextManager[fw.Run]:
        if open_run is not None:
            return open_run(name)
        settings = dict(options)
        if home is not None:
            settings["journal"] = home
        return fw.open_run(name, **settings)

    done = 0

    def landed(_: Outcome) -> None:
        nonlocal done
        done += 1

    result = await carry_out(job.as_prompts_job(), open_run=opened, home=home, on_outcome=landed)
    if on_event is not None:
        told = on_event(Event(kind="complete", message=f"{done} items have ended", percent=100.0))
        if told is not None:
            await told
    return result


async def plan(job: TableJob, **options: Any) -> fw.types.Plan:
    """What a job would ask for, cost and take; sends nothing.

    Takes the options of ``fw.open_run`` by their names; raises what :func:`fanwise.plan` does.
    """
    return await plan_of(job.as_prompts_job(), **options)
