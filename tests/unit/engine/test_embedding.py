"""Embeddings: one journalled call for several texts, answered in their order."""

from __future__ import annotations

from typing import Any

import pytest

from fanwise.engine.embedding import embedding_body, vectors_of
from fanwise.errors import InvalidOutput, UsageError
from fanwise.records import Response


def an_answer(*indexes: int) -> Response:
    data: list[Any] = [{"index": n, "embedding": [n, 0.5]} for n in indexes]
    return Response(text="", body={"data": data})


def test_vectors_come_in_the_order_of_the_texts() -> None:
    assert vectors_of(an_answer(1, 0), model="m", count=2) == [[0.0, 0.5], [1.0, 0.5]]


@pytest.mark.parametrize("indexes", [(), (0,), (0, 0), (0, 1, 2), (0, 2)])
def test_an_answer_that_is_not_one_vector_for_each_text_is_refused(
    indexes: tuple[int, ...],
) -> None:
    with pytest.raises(InvalidOutput, match="of 2 texts"):
        vectors_of(an_answer(*indexes), model="m", count=2)


@pytest.mark.parametrize("texts", ["one", [], ["one", ""]])
def test_texts_that_cannot_be_embedded_cost_nothing(texts: Any) -> None:
    with pytest.raises(UsageError):
        embedding_body("openai/x", texts, {})


def test_the_model_is_named_as_its_provider_names_it() -> None:
    body = embedding_body("openai/text-embedding-3-small", ["a"], {"dimensions": 8})
    assert body == {"model": "text-embedding-3-small", "input": ["a"], "dimensions": 8}
