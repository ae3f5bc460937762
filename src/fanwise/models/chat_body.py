"""The body of a chat completion: written from a request, and read back into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from fanwise.models.dialect import check_parameters, own_body
from fanwise.models.json_bytes import json_bytes
from fanwise.models.json_schema import is_strict
from fanwise.records import Message, Request, Schema

_OURS = frozenset({"model", "messages", "stream", "stream_options"})


def encode_chat(
    request: Request,
    *,
    model: str,
    response_format: bytes | None = None,
    stream: bool = False,
    stream_usage: bool = True,
) -> bytes:
    """The body of a chat completion request.

    A request's own ``body`` is written as it stands, with the model added where it names none.

    Args:
        request: What to ask.
        model: The model by the provider's own name.
        response_format: Encoded ``response_format`` (see :func:`encode_schema`).
        stream: Asks for server-sent events.
        stream_usage: Asks for the token usage at a stream's end.

    Raises:
        PlanError: Parameters that are not for the caller to set.
        TypeError: A part has no JSON form.
    """
    if request.body is not None:
        return json_bytes(own_body(request, model=model))
    parameters = request.parameters
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": message.role, "content": message.content} for message in request.messages
        ],
    }
    if parameters:
        check_parameters(parameters, _OURS)
        body.update(parameters)
    if response_format is not None:
        body["response_format"] = orjson.Fragment(response_format)
    if stream:
        body["stream"] = True
        if stream_usage:
            body["stream_options"] = {"include_usage": True}
    return json_bytes(body)


def encode_schema(schema: Schema) -> bytes:
    """``response_format`` for a schema; ``strict`` where the schema keeps to the strict subset."""
    return json_bytes(
        {
            "type": "json_schema",
            "json_schema": {
                "name": schema.name,
                "schema": schema.definition,
                "strict": is_strict(schema.definition),
            },
        }
    )


def request_from_chat_body(body: Mapping[str, Any]) -> Request:
    """The request that a chat completion body stands for, the model as the body names it.

    Never raises on a body that is a JSON object: parts of a shape nobody knows are left out.
    """
    messages: list[Message] = []
    for entry in _list(body.get("messages")):
        if isinstance(entry, Mapping):
            message = cast("Mapping[str, Any]", entry)
            role = message.get("role")
            if role in ("system", "developer", "user", "assistant", "tool"):
                messages.append(Message(role=role, content=message.get("content")))
    taken = _OURS | {"response_format"}
    return Request(
        model=str(body.get("model") or ""),
        messages=messages,
        parameters={name: value for name, value in body.items() if name not in taken},
        schema=_schema(body.get("response_format")),
    )


def _schema(response_format: Any) -> Schema | None:
    if not isinstance(response_format, Mapping):
        return None
    nested = cast("Mapping[str, Any]", response_format).get("json_schema")
    if not isinstance(nested, Mapping):
        return None
    found = cast("Mapping[str, Any]", nested)
    definition = found.get("schema")
    if not isinstance(definition, Mapping):
        return None
    return Schema(
        name=str(found.get("name") or "answer"),
        definition=cast("Mapping[str, Any]", definition),
    )


def _list(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()
