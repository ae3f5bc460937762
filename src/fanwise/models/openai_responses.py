"""The dialect of OpenAI's ``responses``: chosen by ``endpoint="responses"``.

Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from fanwise.models.chat_answer import (
    FILTERED,
    join_parts,
    object_of,
    read_answer,
    request_id,
    text_of,
    usage_of,
)
from fanwise.models.dialect import (
    PerSchema,
    capped,
    check_parameters,
    image_url,
    join_url,
    own_body,
    parts_of,
)
from fanwise.models.http.transport import HttpReply
from fanwise.models.json_bytes import json_bytes
from fanwise.models.json_schema import is_strict
from fanwise.models.refusals import (
    error_in_answer,
    excerpt,
    refused_by_status,
    unusable_answer,
)
from fanwise.models.sse import ServerEvent
from fanwise.records import Failure, Json, Message, Request, Response, Schema

_OURS = frozenset({"model", "input", "stream"})
_ENDED = {"response.completed", "response.incomplete"}
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


class ResponsesDialect:
    """OpenAI's ``responses``.

    Answers are not stored by the provider unless the parameters say ``store``.

    Args:
        model: The model by the server's own name.
        key_header: The header that carries the key; ``authorization`` sends it as a bearer.
    """

    __slots__ = ("_format", "_key_header", "_model")

    name = "responses"

    def __init__(self, model: str, *, key_header: str = "authorization") -> None:
        self._model = model
        self._key_header = key_header
        self._format = PerSchema(_format_of)

    def headers(self, key: str) -> Mapping[str, str]:
        if not key:
            return {}
        bearer = self._key_header == "authorization"
        return {self._key_header: f"Bearer {key}" if bearer else key}

    def url(self, base_url: str, request: Request, *, stream: bool) -> str:
        return join_url(base_url, request.endpoint)

    def encode(self, request: Request, *, stream: bool) -> bytes:
        if request.body is not None:
            return json_bytes(own_body(request, model=self._model))
        check_parameters(request.parameters, _OURS)
        body: dict[str, Any] = {
            "model": self._model,
            "input": [_input(message) for message in request.messages],
            "store": False,
            **capped(request.parameters, as_="max_output_tokens"),
        }
        if request.schema is not None:
            form = orjson.Fragment(self._format(request.schema))
            body["text"] = {**(object_of(body.get("text")) or {}), "format": form}
        if stream:
            body["stream"] = True
        return json_bytes(body)

    def read(self, reply: HttpReply, *, who: str, request: Request) -> Response | Failure:
        keep_body = request.body is not None
        if not 200 <= reply.status < 300:
            return refused_by_status(reply.status, reply.headers, reply.body, who=who)
        try:
            body = object_of(orjson.loads(reply.body))
        except orjson.JSONDecodeError:
            body = None
        if body is None or "output" not in body:
            found = read_answer(reply, who=who, keep_body=keep_body)  # what else it may be
            if isinstance(found, Failure) or keep_body:
                return found
        if body is None or type(body.get("output")) is not list:
            why = "no output"
            return unusable_answer(reply.status, reply.headers, reply.body, who=who, why=why)
        return read_response(body, reply.headers, who=who, status=reply.status, keep_body=keep_body)

    def collect(self, headers: Mapping[str, str], *, who: str, request: Request) -> ResponsesStream:
        return ResponsesStream(headers, who=who)


def _format_of(schema: Schema) -> bytes:
    return json_bytes(
        {
            "type": "json_schema",
            "name": schema.name,
            "schema": schema.definition,
            "strict": is_strict(schema.definition),
        }
    )


def _input(message: Message) -> Mapping[str, Any]:
    content: Any = message.content
    if not isinstance(content, str):
        kind = "output_text" if message.role == "assistant" else "input_text"
        content = [_part(part, kind) for part in parts_of(content)]
    return {"role": message.role, "content": content}


def _part(part: Json, kind: str) -> Any:
    """A content part of chat completions by the names of this dialect; others as they are."""
    if isinstance(part, str):
        return {"type": kind, "text": part}
    if isinstance(part, Mapping):
        if part.get("type") == "text":
            return {"type": kind, "text": part.get("text")}
        if part.get("type") == "image_url":
            return {"type": "input_image", "image_url": image_url(part)}
    return part


def read_response(
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    who: str,
    status: int,
    keep_body: bool = False,
    first_token_s: float | None = None,
) -> Response | Failure:
    """The answer in a response object: its text, refusal and usage, or its failure.

    Args:
        body: The response object.
        headers: The answer's headers.
        who: The server, for people.
        status: The HTTP status.
        keep_body: For a request that brought its own body: keeps it, a refusal inside.
        first_token_s: Seconds to the first token of a stream.
    """
    state = body.get("status")
    if state == "failed" or (body.get("error") is not None and state != "incomplete"):
        error = body.get("error") or {"message": "the response failed"}
        return error_in_answer(error, headers, orjson.dumps(body), who=who)
    if state in ("queued", "in_progress", "cancelled") and not keep_body:
        why = f"a response that is {state}"
        return unusable_answer(status, headers, orjson.dumps(body), who=who, why=why)
    texts: list[str] = []
    refusals: list[str] = []
    for item in cast("list[Any]", body.get("output") or []):
        text, refusal = join_parts((object_of(item) or {}).get("content"))
        if (object_of(item) or {}).get("type") in ("message", None):
            texts.append(text)
            refusals.append(refusal or "")
    reason = "stop"
    if state == "incomplete":
        details = object_of(body.get("incomplete_details")) or {}
        reason = _REASONS.get(text_of(details.get("reason")), "length")
    refusal = "".join(refusals) or (FILTERED if reason == "content_filter" else None)
    text = "".join(texts)
    return Response(
        text=text,
        value=text,
        usage=usage_of(body.get("usage")),
        model=text_of(body.get("model")),
        finish_reason=reason,
        refusal=None if keep_body else refusal,
        status=status,
        request_id=request_id(headers, body),
        headers=headers,
        body=body if keep_body else None,
        first_token_s=first_token_s,
    )


class ResponsesStream:
    """Collects the events of one streamed response; its last event holds it whole.

    Args:
        headers: The answer's headers.
        who: The server, for people.
    """

    def __init__(self, headers: Mapping[str, str], *, who: str) -> None:
        self._headers = headers
        self._who = who
        self._received = 0
        self._body: Mapping[str, Any] | None = None

    @property
    def done(self) -> bool:
        return self._body is not None

    @property
    def whole(self) -> bool:
        return self._body is not None

    def take(self, event: ServerEvent) -> str | Failure:
        if self._body is not None:
            return ""
        try:
            body = object_of(orjson.loads(event.data))
        except orjson.JSONDecodeError:
            body = None
        if body is None:
            return self._broken("a stream event that is no JSON object", event.data)
        kind = text_of(body.get("type")) or event.name
        if kind == "response.output_text.delta":
            text = text_of(body.get("delta"))
            self._received += len(text)
            return text
        if kind == "error":
            error = body.get("error") or body
            return error_in_answer(error, self._headers, event.data, who=self._who)
        response = object_of(body.get("response"))
        if kind == "response.failed":
            error = (response or {}).get("error") or {"message": "the response failed"}
            return error_in_answer(error, self._headers, event.data, who=self._who)
        if kind in _ENDED and response is not None:
            self._body = response
        return ""

    def result(self, *, status: int, first_token_s: float | None) -> Response | Failure:
        if self._body is None:
            return self._broken("a stream that ends before the answer does", b"")
        return read_response(
            self._body,
            self._headers,
            who=self._who,
            status=status,
            first_token_s=first_token_s,
        )

    def _broken(self, what: str, data: bytes) -> Failure:
        return Failure(
            kind="protocol",
            message=f"{self._who} sent {what} (after {self._received} characters of text)",
            headers=self._headers,
            body=excerpt(data),
        )
