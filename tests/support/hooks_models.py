"""Models for tests of the hooks pipeline: they answer by its rules, and fail where told to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import fanwise as fw
from fanwise.pipelines import Event
from fanwise.pipelines.hooks import PIPELINE, HooksJob, HooksResult, execute
from fanwise.testing import ScriptedModel, open_test_run, run_virtual

IDEA = "New hires feel lost in their second week because nobody plans it for them."
Change = Callable[[fw.Request, Any], Any]


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test in virtual time."""

    @functools.wraps(test)
    def run(*given: Any, **named: Any) -> None:
        run_virtual(test(*given, **named))

    return run


def by_rules(change: Change | None = None, **how: Any) -> ScriptedModel:
    """A model that answers by the rules; ``change`` may answer otherwise, or give an error."""

    def script(request: fw.Request, before: int) -> Any:
        assert request.schema is not None
        answer = PIPELINE.answers[request.schema.name](request)
        return answer if change is None else change(request, answer)

    return ScriptedModel(script, **how)


def asks(request: fw.Request) -> str:
    """What a request is for, by its schema."""
    assert request.schema is not None
    return {
        "hooks_written": "write",
        "hook_judgement": "judge",
        "hook_judgement_check": "check",
        "hook_comparison": "compare",
    }[request.schema.name]


def job_of(*models: str, **fields: Any) -> HooksJob:
    """A job of writers ``a/…`` and so on, judged by ``judge/one``."""
    return HooksJob(**{"post_idea": IDEA, "models": models, "judge": "judge/one", **fields})


async def carried_out(
    job: HooksJob,
    models: Mapping[str, ScriptedModel],
    events: list[Event] | None = None,
    **options: Any,
) -> HooksResult:
    """Carries a job out in memory, once, without retries unless ``options`` say otherwise."""
    options.setdefault("retry", fw.Retry(max_attempts=1))

    def open_run(name: str, **more: Any) -> Any:
        return open_test_run(models, name=name, **{**options, **more})

    on_event = None if events is None else events.append
    return await execute(job, open_run=open_run, on_event=on_event)
