"""Embeddings computed from the words of a text."""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from fanwise.simulator.chance import digest
from fanwise.simulator.tokens import count_text
from fanwise.simulator.wire import BadRequest, model_of, whole

_LARGEST_VECTOR = 4096
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """An embeddings request as its server reads it."""

    model: str
    texts: Sequence[str]
    size: int
    as_base64: bool

    @property
    def input_tokens(self) -> int:
        """Tokens of all texts."""
        return sum(count_text(text) for text in self.texts)


def read_embedding(body: Mapping[str, Any]) -> Embedding:
    """An embeddings request out of its body.

    Raises:
        BadRequest: A field is missing or not of its kind.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise BadRequest("'input' must be a text or a list of texts", param="input")
    entries = cast("Sequence[Any]", texts)
    if not all(isinstance(entry, str) and entry for entry in entries):
        raise BadRequest("'input' must hold texts that are not empty", param="input")
    form = body.get("encoding_format", "float")
    if form not in {"float", "base64"}:
        raise BadRequest("'encoding_format' must be float or base64", param="encoding_format")
    return Embedding(
        model=model_of(body),
        texts=[str(entry) for entry in entries],
        size=whole(body, "dimensions", low=1, high=_LARGEST_VECTOR) or 64,
        as_base64=form == "base64",
    )


def embed(text: str, *, size: int) -> Sequence[float]:
    """A unit vector in which texts that share words lie close together.

    Feature hashing (Weinberger and others, 2009): each word adds or takes one at a place chosen by
    its hash.
    """
    vector = [0.0] * size
    for word in _WORD.findall(text.lower()) or [text]:
        place = digest(word)
        vector[(place >> 1) % size] += 1.0 if place & 1 else -1.0
    length = math.sqrt(sum(x * x for x in vector))
    if length == 0.0:
        # Words may cancel each other out; the text as a whole then chooses one direction.
        vector[digest(text) % size] = length = 1.0
    return [x / length for x in vector]


def embeddings_body(embedding: Embedding) -> bytes:
    """The vectors of an embeddings request."""
    data: list[dict[str, Any]] = []
    for n, text in enumerate(embedding.texts):
        vector = embed(text, size=embedding.size)
        packed = struct.pack(f"<{len(vector)}f", *vector) if embedding.as_base64 else b""
        shown = base64.b64encode(packed).decode() if embedding.as_base64 else vector
        data.append({"object": "embedding", "index": n, "embedding": shown})
    tokens = embedding.input_tokens
    return orjson.dumps(
        {
            "object": "list",
            "data": data,
            "model": embedding.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )
