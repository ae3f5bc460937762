"""What makes two calls the same call, and how the journal writes one down."""

from __future__ import annotations

import hashlib
from typing import Any

from fanwise.errors import PlanError
from fanwise.models.json_bytes import json_bytes
from fanwise.models.names import canonical_model, endpoint_path
from fanwise.records import Request

_FORM = "fanwise-call-1"  # changes only when old keys are meant to be forgotten


def content_key(request: Request, *, origin: str, rules_version: str = "") -> str:
    """The identity of a call's content: 32 hexadecimal digits.

    A BLAKE2b hash over canonical JSON of origin, endpoint, model, messages, parameters, schema
    (name and definition), body and version. Equal requests have equal keys in every process and
    every version of Fanwise; the idempotency key has no part in it. 2 to 6 µs for a 1 KB prompt.

    Args:
        request: The call.
        origin: Where it is served: ``Endpoint.origin``.
        rules_version: The version of the rules, for ``builtin/rules``.

    Raises:
        PlanError: A part of the request has no JSON form. Nothing was spent.
    """
    schema = request.schema
    parts = [
        _FORM,
        origin,
        endpoint_path(request.endpoint),
        canonical_model(request.model),
        [(message.role, message.content) for message in request.messages],
        request.parameters or None,
        (schema.name, schema.definition) if schema is not None else None,
        request.body,
        request.version,
        rules_version,
    ]
    try:
        data = json_bytes(parts, sort_keys=True)
    except TypeError as error:
        raise not_json(request, error) from error
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def request_json(request: Request) -> bytes:
    """The request as the journal stores it: what would be sent, without its idempotency key.

    Raises:
        PlanError: A part of the request has no JSON form. Nothing was spent.
    """
    parts: dict[str, Any] = {"model": request.model, "endpoint": request.endpoint}
    if request.body is not None:
        parts["body"] = request.body
    else:
        parts["messages"] = [
            {"role": message.role, "content": message.content} for message in request.messages
        ]
    if request.parameters:
        parts["parameters"] = request.parameters
    if request.schema is not None:
        parts["schema"] = {"name": request.schema.name, "definition": request.schema.definition}
    if request.version:
        parts["version"] = request.version
    try:
        return json_bytes(parts)
    except TypeError as error:
        raise not_json(request, error) from error


def not_json(request: Request, error: TypeError) -> PlanError:
    """The error for a request that cannot be written as JSON, naming the part that cannot."""
    parts: dict[str, Any] = {"body": request.body, "parameters": request.parameters}
    for index, message in enumerate(request.messages):
        parts[f"messages[{index}]"] = message.content
    if request.schema is not None:
        parts["schema"] = request.schema.definition
    for place, part in parts.items():
        try:
            json_bytes(part)
        except TypeError as reason:
            return PlanError(
                f"the request to {request.model} cannot be written as JSON: {place}: {reason}",
                hint="messages, parameters and bodies hold text, numbers, lists and mappings only",
            )
    return PlanError(f"the request to {request.model} cannot be written as JSON: {error}")
