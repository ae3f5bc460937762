"""Asking the models of a job one after another until one answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import fanwise as fw
from fanwise.pipelines.tailoring.prompt import PROMPT_VERSION
from fanwise.pipelines.tailoring.rules import RULES_VERSION

_BY_RULES = ("builtin", "sim")


@cache
def schema_named(name: str) -> Mapping[str, Any]:
    """The JSON Schema that answers have; its title is what answers are computed by."""
    from fanwise.pipelines.tailoring.schema import ANALYSIS_NAME, Analysis, Changes

    return (Analysis if name == ANALYSIS_NAME else Changes).model_json_schema()


def version_for(model: str) -> str:
    """What a call's answer depends on besides its content: the prompt, or the rules as well."""
    provider = model.replace(":", "/", 1).partition("/")[0]
    return f"{PROMPT_VERSION} {RULES_VERSION}" if provider in _BY_RULES else PROMPT_VERSION


async def asked(
    ctx: Any,
    messages: Sequence[fw.types.Message],
    *,
    models: Sequence[str],
    schema: str,
    rules: Callable[[fw.Request], Any],
    parameters: Mapping[str, Any],
    label: str,
) -> tuple[Mapping[str, Any], str, list[str]]:
    """The answer of the first model that gives one, its name, and a word on each that did not.

    Raises:
        CallError: The last model's failure, where none has answered.
    """
    failures: list[str] = []
    for number, model in enumerate(models):
        try:
            answer = await ctx.call(
                model,
                messages,
                schema=schema_named(schema),
                parameters=parameters,
                rules=rules,
                version=version_for(model),
                label=label,
            )
        except fw.errors.CallError as error:
            if number == len(models) - 1:
                raise
            failures.append(f"{model} failed to {label}: {error.message}"[:300])
        else:
            return answer, model, failures
    raise AssertionError("no model was named")
