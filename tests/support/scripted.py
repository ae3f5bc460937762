"""Scripts for the scripted model of engine tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fanwise.engine.opening import OpenRun
from fanwise.errors import CallError
from fanwise.records import Request, Response, Usage
from fanwise.testing import ScriptedModel, open_test_run, prompt_of

Script = Callable[[str, int], Awaitable[Response] | Response]
USAGE = Usage(input_tokens=10, output_tokens=5)


def answered(text: str, **fields: Any) -> Response:
    return Response(text=text, usage=USAGE, **fields)


def failing(error: CallError) -> Response:
    raise error


def Scripted(script: Script | None = None, *, service_s: float = 1.0) -> ScriptedModel:  # noqa: N802
    """A model that answers by a script, given the prompt and how often it was sent before."""

    def by_prompt(request: Request, before: int) -> Awaitable[Response] | Response:
        assert script is not None
        return script(prompt_of(request), before)

    return ScriptedModel(None if script is None else by_prompt, service_s=service_s)


def open_scripted(model: ScriptedModel, **options: Any) -> OpenRun:
    """A run on the scripted model ``test/model``, in memory and in virtual time."""
    return open_test_run(model, **options)


async def ask(ctx: Any, item: Any) -> Any:
    """The simplest item: one call."""
    return await ctx.call("test/model", f"q{item}")
