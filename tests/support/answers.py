"""What the test server answers: computed from the question, so that every test knows it too."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "length": {"type": "integer"},
        "model": {"type": "string"},
        "digest": {"type": "string"},
        "reversed": {"type": "string"},
    },
    "required": ["length", "model", "digest", "reversed"],
    "additionalProperties": False,
}


def digest_of(text: str) -> str:
    """A short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def text_of(model: str, prompt: str) -> str:
    """The answer of a model to a prompt, where it is a plain text."""
    return f"{model} on {digest_of(prompt)}: {prompt[::-1]}"


def value_of(model: str, prompt: str) -> dict[str, Any]:
    """The answer of a model to a prompt under :data:`SCHEMA`."""
    return {
        "length": len(prompt),
        "model": model,
        "digest": digest_of(prompt),
        "reversed": prompt[::-1],
    }


def prompt_of(body: dict[str, Any]) -> str:
    """The question of a request's body: its texts up to the user's first, or its ``input``.

    What follows that is a complaint about an earlier answer, and no other question.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return json.dumps(body.get("input"))
    first = next(at for at, message in enumerate(messages) if message["role"] == "user")
    return "\n".join(str(message["content"]) for message in messages[: first + 1])


def chat(body: dict[str, Any], *, number: int) -> dict[str, Any]:
    """A chat completion that answers the body."""
    prompt, model = prompt_of(body), body["model"]
    plain = body.get("response_format", {}).get("type") != "json_schema"
    text = text_of(model, prompt) if plain else json.dumps(value_of(model, prompt))
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {
            "prompt_tokens": len(prompt),
            "completion_tokens": len(text),
            "total_tokens": len(prompt) + len(text),
        },
    }


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """An embedding of the body's input: its digest as numbers."""
    vector = [int(digit, 16) / 16 for digit in digest_of(prompt_of(body))]
    return {
        "object": "list",
        "model": body["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def streamed(answer: dict[str, Any]) -> bytes:
    """A chat completion as server-sent events, a few characters each."""
    text = answer["choices"][0]["message"]["content"]
    common = {"id": answer["id"], "object": "chat.completion.chunk", "model": answer["model"]}
    deltas = [({"content": text[at : at + 5]}, None) for at in range(0, len(text), 5)]
    events = [
        common | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in [({"role": "assistant"}, None), *deltas, ({}, "stop")]
    ]
    events.append(common | {"choices": [], "usage": answer["usage"]})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()
