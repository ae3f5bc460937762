"""What a simulated model answers: always computed from the request it was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from fanwise.errors import ConfigError
from fanwise.records import Json, Request
from fanwise.simulator.extract import extract, key_terms
from fanwise.simulator.schema_value import schema_value
from fanwise.simulator.tokens import text_of

Answer: TypeAlias = Callable[[Request], Json]
"""Computes a model's answer: text, or under a schema the JSON value. May raise; the server then
answers 500 and its ledger keeps the reason."""


def computed_answer(request: Request) -> Json:
    """The answer where no rule knows better.

    Under a schema: a value that satisfies it, chosen by hash of the prompt. Free text: the prompt's
    most telling sentences and its key terms.

    Raises:
        PlanError: The schema allows no value that can be built.
    """
    prompt = prompt_of(request)
    if request.schema is not None:
        return schema_value(request.schema.definition, prompt)
    summary = extract(_asked(request))
    terms = ", ".join(key_terms(_asked(request), most=5))
    return f"{summary}\n\nKey terms: {terms}." if terms else summary


def answers_by_schema(
    answers: Mapping[str, Answer], *, otherwise: Answer = computed_answer
) -> Answer:
    """One answer for several tasks, chosen by the name of the request's schema.

    Args:
        answers: Answer by schema name.
        otherwise: For requests without a schema, or with one of another name.

    Raises:
        ConfigError: A value is no function.
    """
    known = dict(answers)
    for name, answer in known.items():
        if not callable(answer):
            raise ConfigError(
                f"the simulator's answer for the schema {name!r} is no function",
                hint="give a function that takes a Request and returns JSON",
            )

    def answer_by_schema(request: Request) -> Json:
        name = "" if request.schema is None else request.schema.name
        return known.get(name, otherwise)(request)

    return answer_by_schema


def prompt_of(request: Request) -> str:
    """All that a request says, in order, as one text."""
    return "\n".join(text_of(message.content) for message in request.messages)


def _asked(request: Request) -> str:
    """The user's last words: what free text answers."""
    for message in reversed(request.messages):
        if message.role == "user" and text_of(message.content).strip():
            return text_of(message.content)
    return prompt_of(request)
