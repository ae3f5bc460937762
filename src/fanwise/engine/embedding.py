"""The body of a call for embeddings, and the vectors of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from fanwise.errors import InvalidOutput, UsageError
from fanwise.models.names import split_model

if TYPE_CHECKING:
    from fanwise.records import Json, Response


def embedding_body(
    model: str, texts: Sequence[str], parameters: Mapping[str, Json]
) -> Mapping[str, Json]:
    """What is asked.

    Raises:
        UsageError: There is no text, one is empty, or ``texts`` is a single one.
    """
    given: object = texts
    if isinstance(given, str):
        raise UsageError("texts is one text", hint="give a list: ctx.embed(model, [text])")
    if not texts or not all(isinstance(text, str) and text for text in cast("Any", texts)):
        raise UsageError("a text is missing or empty", hint="give one text or more, none empty")
    return {**parameters, "model": split_model(model)[1], "input": list(texts)}


def vectors_of(answer: Response, *, model: str, count: int) -> Sequence[Sequence[float]]:
    """The vectors of an answer, in the order of the texts.

    Raises:
        InvalidOutput: It does not hold one vector for each text.
    """
    body: Any = answer.body or {}
    try:
        entries = sorted(body["data"], key=lambda entry: entry["index"])
        vectors = [[float(number) for number in entry["embedding"]] for entry in entries]
        numbers = [entry["index"] for entry in entries]
    except (KeyError, TypeError, ValueError):
        vectors, numbers = [], []
    if numbers != list(range(count)):
        raise InvalidOutput(
            f"{model} answered with {len(vectors)} embeddings of {count} texts",
            hint="is it a model for embeddings?",
            usage=answer.usage,
        )
    return vectors
