"""OpenAI's wire format, seen from the server: requests read, answers and errors written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from fanwise.records import Json, Message, Request, Schema
from fanwise.simulator.admission import Refusal

_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
_TAKEN_APART = frozenset(("model", "messages", "response_format", "stream", "stream_options", "n"))
_MOST_CHOICES = 128


class BadRequest(Exception):
    """A body that OpenAI would answer with 400; ``param`` names the field at fault."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat request as its server reads it."""

    request: Request
    model: str
    stream: bool
    with_usage: bool
    choices: int
    max_tokens: int | None
    json_object: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer before it is put on the wire."""

    id: str
    model: str
    created: int
    text: str
    finish_reason: str
    choices: int
    input_tokens: int
    output_tokens: int

    def usage(self) -> dict[str, Any]:
        """The token counts as OpenAI writes them."""
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        }


def read_json(body: bytes) -> Mapping[str, Any]:
    """A request's body as an object.

    Raises:
        BadRequest: It is no JSON object.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(
            f"We could not parse the JSON body of your request: {error}. It must be a JSON payload."
        ) from None
    if not isinstance(found, dict):
        raise BadRequest("The body of your request must be a JSON object.")
    return cast("Mapping[str, Any]", found)


def read_chat(body: Mapping[str, Any], *, idempotency_key: str) -> Chat:
    """A chat request out of its body.

    Raises:
        BadRequest: A field is missing or not of its kind.
    """
    name = model_of(body)
    messages = [_message(entry, n) for n, entry in enumerate(_list(body, "messages"))]
    form = body.get("response_format")
    choices = whole(body, "n", low=1, high=_MOST_CHOICES) or 1
    return Chat(
        request=Request(
            model=name,
            messages=messages,
            parameters={key: value for key, value in body.items() if key not in _TAKEN_APART},
            schema=_schema(form),
            idempotency_key=idempotency_key,
        ),
        model=name,
        stream=body.get("stream") is True,
        with_usage=as_object(body.get("stream_options")).get("include_usage") is True,
        choices=choices,
        max_tokens=whole(body, "max_completion_tokens", low=1) or whole(body, "max_tokens", low=1),
        json_object=as_object(form).get("type") == "json_object",
    )


def model_of(body: Mapping[str, Any]) -> str:
    """The model a body names.

    Raises:
        BadRequest: It names none.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise BadRequest("you must provide a model parameter", param="model")
    return name


def as_object(value: Any) -> Mapping[str, Any]:
    """The value itself if it is a JSON object, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(body: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = body.get(name)
    if not isinstance(found, list) or not found:
        raise BadRequest(f"'{name}' must be a list that is not empty", param=name)
    return cast("Sequence[Any]", found)


def whole(body: Mapping[str, Any], name: str, *, low: int, high: float = math.inf) -> int | None:
    """A whole number of a body, or none.

    Raises:
        BadRequest: It is no whole number, or lies outside its bounds.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(f"'{name}' must be a whole number, {low} or more", param=name)
    return value


def _message(entry: Any, place: int) -> Message:
    where = f"messages[{place}]"
    if not isinstance(entry, dict):
        raise BadRequest(f"'{where}' must be an object", param=where)
    fields = cast("Mapping[str, Any]", entry)
    role = fields.get("role")
    if role not in _ROLES:
        raise BadRequest(f"Invalid value: {role!r} for '{where}.role'", param=f"{where}.role")
    content = fields.get("content")
    if not isinstance(content, str | list | None):
        raise BadRequest(
            f"'{where}.content' must be a text or a list of parts", param=f"{where}.content"
        )
    return Message(role="tool" if role == "function" else role, content=cast("Json", content))


def _schema(form: Any) -> Schema | None:
    if form is None:
        return None
    kind = as_object(form).get("type")
    if kind not in {"text", "json_object", "json_schema"}:
        raise BadRequest(
            "'response_format.type' must be text, json_object or json_schema",
            param="response_format.type",
        )
    if kind != "json_schema":
        return None
    stated = as_object(as_object(form).get("json_schema"))
    definition, name = stated.get("schema"), stated.get("name")
    if not isinstance(definition, dict) or not isinstance(name, str):
        raise BadRequest(
            "'response_format.json_schema' must have a name and a schema",
            param="response_format.json_schema",
        )
    return Schema(name=name, definition=cast("Mapping[str, Json]", definition))


# Answers


def completion_body(completion: Completion) -> bytes:
    """A whole chat completion."""
    choice = {
        "message": {"role": "assistant", "content": completion.text, "refusal": None},
        "logprobs": None,
        "finish_reason": completion.finish_reason,
    }
    return orjson.dumps(
        {
            "id": completion.id,
            "object": "chat.completion",
            "created": completion.created,
            "model": completion.model,
            "choices": [{"index": n, **choice} for n in range(completion.choices)],
            "usage": completion.usage(),
            "system_fingerprint": "fp_fanwise_sim",
        }
    )


def delta_event(
    completion: Completion, index: int, *, delta: Json, finish: str | None = None
) -> bytes:
    """One event of a streamed completion."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _event(completion, [choice], usage=None)


def usage_event(completion: Completion) -> bytes:
    """The event with the token counts, sent last where the client asked for it."""
    return _event(completion, [], usage=completion.usage())


def _event(completion: Completion, choices: Sequence[Any], *, usage: Any) -> bytes:
    body = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "choices": choices,
        "system_fingerprint": "fp_fanwise_sim",
    }
    if usage is not None:
        body["usage"] = usage
    return b"data: " + orjson.dumps(body) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def models_body(names: Sequence[str], *, created: int) -> bytes:
    """The list of models."""
    data = [
        {"id": name, "object": "model", "created": created, "owned_by": "fanwise-simulator"}
        for name in names
    ]
    return orjson.dumps({"object": "list", "data": data})


# Errors


def error_body(
    message: str, *, kind: str, param: str | None = None, code: str | None = None
) -> bytes:
    """An error in OpenAI's envelope."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def refusal_body(refusal: Refusal, model: str) -> bytes:
    """The error of a request that a limit turned away."""
    if refusal.dimension == "slots":
        return error_body(
            "The server is currently overloaded with other requests. Please retry.",
            kind="server_error",
            code="overloaded" if refusal.status == 503 else None,
        )
    short = "RPM" if refusal.dimension == "requests" else "TPM"
    wait_ms = math.ceil((refusal.wait_s or 0.0) * 1000)
    return error_body(
        f"Rate limit reached for {model} on {refusal.dimension} per min ({short}): "
        f"Limit {refusal.limit:.0f}, Requested {refusal.requested:.0f}. "
        f"Please try again in {wait_ms}ms.",
        kind=refusal.dimension,
        code="rate_limit_exceeded",
    )


def key_error_body(given: str) -> bytes:
    """The error of a request with no key, or with a wrong one."""
    if not given:
        return error_body(
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            kind="invalid_request_error",
        )
    shown = f"{given[:3]}***{given[-4:]}" if len(given) > 12 else "***"
    return error_body(
        f"Incorrect API key provided: {shown}.",
        kind="invalid_request_error",
        code="invalid_api_key",
    )
