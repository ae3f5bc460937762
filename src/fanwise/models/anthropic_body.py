"""The body of an Anthropic message request.

Sources: https://docs.anthropic.com/en/api/messages and
https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from fanwise.errors import PlanError
from fanwise.models.dialect import capped, check_parameters, data_url, image_url, parts_of
from fanwise.models.json_bytes import json_bytes
from fanwise.models.json_schema import Node, closed, is_object, node_of, only, subschemas
from fanwise.records import Json, Message, Request, Schema

_OURS = frozenset({"model", "messages", "system", "stream"})
_OUTPUT_TOKENS = 8192
_OUTPUT_TOKENS_OF_OLD = 4096
_OLD = re.compile(r"claude-(?:instant|2|3-(?:opus|sonnet|haiku))")
_WITHOUT_FORMATS = re.compile(
    r"claude-(?:instant|[23](?!\d))|claude-(?:opus|sonnet)-4(?:-0|@?-?20\d{6})?$"
)
_KEYWORDS = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "anyOf", "allOf", "enum",
        "const", "$ref", "$defs", "definitions", "title", "description", "format", "default",
    }
)  # fmt: skip
_UNKNOWN = frozenset({"oneOf", "not", "if", "prefixItems", "patternProperties", "contains"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


class AnswerForm:
    """How an answer under a schema is asked for.

    Args:
        tool: The name of the tool that the model has to call; empty where the answer's own format
            is set.
        fields: Fields of the body, encoded.
    """

    __slots__ = ("fields", "tool")

    def __init__(self, *, tool: str = "", fields: Mapping[str, bytes]) -> None:
        self.tool = tool
        self.fields = fields


def answer_form(schema: Schema, *, model: str) -> AnswerForm:
    """The answer's format where the model knows formats and the schema fits; a forced tool else.

    A format takes a subset of JSON Schema: closed objects, no recursion, no bounds. Bounds are left
    out of what is sent; the answer is checked against the whole schema in any case.
    """
    definition = closed(schema.definition)
    if _WITHOUT_FORMATS.search(model) is None and _fits(definition):
        format_ = {"type": "json_schema", "schema": only(definition, _KEYWORDS, formats=_FORMATS)}
        return AnswerForm(fields={"format": json_bytes(format_)})
    tool = {
        "name": schema.name,
        "description": "Takes the answer.",
        "input_schema": schema.definition,
    }
    choice = {"type": "tool", "name": schema.name, "disable_parallel_tool_use": True}
    return AnswerForm(
        tool=schema.name,
        fields={"tools": json_bytes([tool]), "tool_choice": json_bytes(choice)},
    )


def encode_message_request(
    request: Request, *, model: str, form: AnswerForm | None, stream: bool
) -> bytes:
    """The body of a request that brings messages.

    Messages of the roles system and developer become the ``system`` text, in their order, wherever
    they stand. ``max_tokens``, which the provider demands, is 8192 where it is not given (4096 for
    models before 3.5).

    Raises:
        PlanError: A parameter is not for the caller to set, or a message has the role ``tool``.
        TypeError: A part has no JSON form.
    """
    check_parameters(request.parameters, _OURS)
    default = _OUTPUT_TOKENS_OF_OLD if _OLD.search(model) else _OUTPUT_TOKENS
    system = [message for message in request.messages if message.role in ("system", "developer")]
    body: dict[str, Any] = {"model": model}
    if system:
        body["system"] = _system(system)
    body["messages"] = [
        {"role": _role(message), "content": _content(message.content)}
        for message in request.messages
        if message.role not in ("system", "developer")
    ]
    body.update(capped(request.parameters, as_="max_tokens", default=default))
    if form is not None:
        for name, encoded in form.fields.items():
            fragment = orjson.Fragment(encoded)
            if name == "format":
                own = node_of(body.get("output_config")) or {}
                body["output_config"] = {**own, "format": fragment}
            else:
                body[name] = fragment
    if stream:
        body["stream"] = True
    return json_bytes(body)


def _fits(definition: Node) -> bool:
    """Whether every object is closed and no schema refers to one it stands in."""
    if not is_object(definition) or "$ref" in definition:
        return False
    return _closed_below(definition) and not _recursive(definition)


def _closed_below(node: Node) -> bool:
    if (is_object(node) or "properties" in node) and node.get("additionalProperties") is not False:
        return False
    if not _UNKNOWN.isdisjoint(node):
        return False
    return all(_closed_below(below) for below in subschemas(node))


def _recursive(root: Node) -> bool:
    definitions: dict[str, Any] = {}
    for place in ("$defs", "definitions"):
        found = node_of(root.get(place)) or {}
        definitions.update({f"#/{place}/{name}": node for name, node in found.items()})

    def referred(node: Node, seen: frozenset[str]) -> bool:
        reference = node.get("$ref")
        if isinstance(reference, str):
            target = node_of(definitions.get(reference))
            if reference in seen or target is None:
                return True  # a circle, or a place that nobody knows
            return referred(target, seen | {reference})
        return any(referred(below, seen) for below in subschemas(node))

    return referred(root, frozenset())


def _role(message: Message) -> str:
    if message.role == "tool":
        raise PlanError(
            "a message has the role tool, which Anthropic does not have",
            hint="give a tool's result as a content part of a user's message (type tool_result)",
        )
    return message.role


def _system(messages: Sequence[Message]) -> Any:
    if all(isinstance(message.content, str) for message in messages):
        return "\n\n".join(str(message.content) for message in messages)
    return [_part(part) for message in messages for part in parts_of(message.content)]


def _content(content: Json) -> Any:
    if isinstance(content, str):
        return content
    return [_part(part) for part in parts_of(content)]


def _part(part: Any) -> Any:
    """A content part of chat completions by the names of this dialect; others as they are."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    found = node_of(part)
    if found is not None and found.get("type") == "image_url":
        url = image_url(found)
        data = data_url(url)
        if data is not None:
            source = {"type": "base64", "media_type": data[0], "data": data[1]}
            return {"type": "image", "source": source}
        return {"type": "image", "source": {"type": "url", "url": url}}
    return part
