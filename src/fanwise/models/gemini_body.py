"""The body of a ``generateContent`` request.

Sources: https://ai.google.dev/api/generate-content and
https://ai.google.dev/gemini-api/docs/structured-output
"""

from __future__ import annotations

from typing import Any

import orjson

from fanwise.errors import PlanError
from fanwise.models.dialect import capped, check_parameters, data_url, image_url, parts_of
from fanwise.models.json_bytes import json_bytes
from fanwise.models.json_schema import node_of, only
from fanwise.records import Json, Message, Request, Schema

_OURS = frozenset({"model", "contents", "systemInstruction", "stream"})
_AT_THE_TOP = frozenset(
    {"tools", "toolConfig", "safetySettings", "cachedContent", "labels", "serviceTier"}
)
_NAMES = {
    "top_p": "topP",
    "top_k": "topK",
    "stop": "stopSequences",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_KEYWORDS = frozenset(
    {
        "$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum",
        "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf",
        "properties", "additionalProperties", "required", "propertyOrdering",
    }
)  # fmt: skip


def encode_schema(schema: Schema) -> bytes:
    """The schema in the keywords that the provider knows, ``const`` as an ``enum`` of one.

    What is left out is checked in the answer nevertheless.
    """
    return json_bytes(only(schema.definition, _KEYWORDS, const_as_enum=True))


def encode_contents(request: Request, *, schema: bytes | None) -> bytes:
    """The body of a request that brings messages.

    Messages of the roles system and developer become the ``systemInstruction``, wherever they
    stand. Parameters go into ``generationConfig``, by their own names or by OpenAI's; those that
    the provider has beside it (``tools``, ``safetySettings``, …) stay there.

    Args:
        request: What to ask.
        schema: The answer's schema, encoded (see :func:`encode_schema`).

    Raises:
        PlanError: A parameter is not for the caller to set, or a message has the role ``tool``.
        TypeError: A part has no JSON form.
    """
    check_parameters(request.parameters, _OURS)
    body: dict[str, Any] = {
        "contents": [
            {"role": _role(message), "parts": _parts(message.content)}
            for message in request.messages
            if message.role not in ("system", "developer")
        ]
    }
    system = [
        part
        for message in request.messages
        if message.role in ("system", "developer")
        for part in _parts(message.content)
    ]
    if system:
        body["systemInstruction"] = {"parts": system}
    config: dict[str, Any] = {}
    for name, value in capped(request.parameters, as_="maxOutputTokens").items():
        if name in _AT_THE_TOP:
            body[name] = value
        elif name == "generationConfig":
            config.update(node_of(value) or {})
        else:
            listed = name == "stop" and isinstance(value, str)
            config[_NAMES.get(name, name)] = [value] if listed else value
    if schema is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = orjson.Fragment(schema)
    if config:
        body["generationConfig"] = config
    return json_bytes(body)


def _role(message: Message) -> str:
    if message.role == "tool":
        raise PlanError(
            "a message has the role tool, which Gemini does not have",
            hint="give a tool's result as a content part of a user's message (functionResponse)",
        )
    return "model" if message.role == "assistant" else "user"


def _parts(content: Json) -> list[Any]:
    return [_part(part) for part in parts_of(content)]


def _part(part: Any) -> Any:
    """A content part of chat completions by the names of this dialect; others as they are."""
    if isinstance(part, str):
        return {"text": part}
    found = node_of(part) or {}
    if found.get("type") == "text":
        return {"text": found.get("text")}
    if found.get("type") == "image_url":
        url = image_url(found)
        data = data_url(url)
        if data is not None:
            return {"inlineData": {"mimeType": data[0], "data": data[1]}}
        return {"fileData": {"fileUri": url}}
    return part
