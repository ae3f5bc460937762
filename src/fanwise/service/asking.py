"""What a form asks for: the fields of a pipeline's jobs, and how the run is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fanwise.pipelines import Field

if TYPE_CHECKING:
    from fanwise.pipelines import Pipeline

OPTIONS = (
    Field(
        name="options.max_concurrency",
        label="Calls at once",
        help="adaptive, 50 or 1-20-500; learned where it is empty.",
    ),
    Field(name="options.budget_usd", label="Budget, $", kind="number", help="It ends there."),
    Field(name="options.rpm", label="Requests a minute", kind="number"),
    Field(name="options.tpm", label="Tokens a minute", kind="number"),
    Field(
        name="options.budget_tokens",
        label="Budget, tokens",
        kind="number",
        extra=True,
        help="For models without a known price.",
    ),
    Field(name="options.budget_calls", label="Budget, calls", kind="number", extra=True),
    Field(
        name="options.max_attempts", label="Sends of a call", kind="number", default=3, extra=True
    ),
    Field(name="options.attempt_timeout_s", label="Seconds of a send", kind="number", extra=True),
    Field(name="options.timeout_s", label="Seconds of a call", kind="number", extra=True),
    Field(
        name="options.cache",
        label="Answers of earlier runs count",
        kind="bool",
        default=False,
        extra=True,
    ),
)
"""How a run is carried out; see :class:`fanwise.service.options.RunOptions`."""

_WHOLE = Field(
    name="job", label="Job", kind="json", required=True, help="Its fields as a JSON object."
)


_BY_OTHERS = frozenset({"review"})  # within a session, through its own route


def offered(pipelines: Mapping[str, Pipeline]) -> Sequence[Pipeline]:
    """The pipelines that people choose from, by name."""
    chosen = (one for one in pipelines.values() if one.name not in _BY_OTHERS)
    return sorted(chosen, key=lambda one: one.name)


def fields_of(pipeline: Pipeline) -> Sequence[Field]:
    """What is asked for a pipeline; JSON for one that does not say what its jobs are made of."""
    return pipeline.fields or (_WHOLE,)
