"""The dialect of Anthropic's messages.

Sources: https://docs.anthropic.com/en/api/messages and
https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from fanwise.errors import PlanError
from fanwise.models.anthropic_body import AnswerForm, answer_form, encode_message_request
from fanwise.models.chat_answer import count, object_of, request_id, text_of
from fanwise.models.dialect import PerSchema, join_url, own_body
from fanwise.models.http.transport import HttpReply
from fanwise.models.json_bytes import json_bytes
from fanwise.models.names import endpoint_path
from fanwise.models.refusals import error_in_answer, excerpt, refused_by_status, unusable_answer
from fanwise.models.sse import ServerEvent
from fanwise.records import NO_USAGE, Failure, Request, Response, Usage

VERSION = "2023-06-01"
DECLINED = "the model declined to answer"
_PATH = "messages"
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class MessagesDialect:
    """Anthropic's messages.

    Args:
        model: The model by the server's own name.
    """

    __slots__ = ("_form", "_model")

    name = "messages"

    def __init__(self, model: str) -> None:
        self._model = model
        self._form: PerSchema[AnswerForm] = PerSchema(
            lambda schema: answer_form(schema, model=model)
        )

    def headers(self, key: str) -> Mapping[str, str]:
        version = {"anthropic-version": VERSION}
        return {**version, "x-api-key": key} if key else version

    def url(self, base_url: str, request: Request, *, stream: bool) -> str:
        path = endpoint_path(request.endpoint)
        if request.body is None and path == "chat/completions":
            path = _PATH
        if path != _PATH and not path.startswith(f"{_PATH}/"):
            raise PlanError(
                f"{request.model} takes bodies for /v1/messages, not for {request.endpoint!r}",
                hint="bodies in OpenAI's form go to -m openai/MODEL with --base-url "
                "https://api.anthropic.com/v1",
            )
        return join_url(base_url, path)

    def encode(self, request: Request, *, stream: bool) -> bytes:
        if request.body is not None:
            return json_bytes(own_body(request, model=self._model))
        schema = request.schema
        form = None if schema is None else self._form(schema)
        return encode_message_request(request, model=self._model, form=form, stream=stream)

    def read(self, reply: HttpReply, *, who: str, request: Request) -> Response | Failure:
        if not 200 <= reply.status < 300:
            return refused_by_status(reply.status, reply.headers, reply.body, who=who)
        try:
            body = object_of(orjson.loads(reply.body))
            why = "" if body is not None else "JSON that is not an object"
        except orjson.JSONDecodeError:
            body, why = None, ""
        if body is None:
            return unusable_answer(reply.status, reply.headers, reply.body, who=who, why=why)
        error = body.get("error")
        if error is not None or body.get("type") == "error":
            return error_in_answer(error or body, reply.headers, reply.body, who=who)
        keep_body = request.body is not None
        blocks = body.get("content")
        if type(blocks) is not list and not keep_body:
            why = "no content"
            return unusable_answer(reply.status, reply.headers, reply.body, who=who, why=why)
        answer = _Answer(tool=self._tool(request))
        for block in cast("list[Any]", blocks or []):
            answer.add(object_of(block) or {})
        answer.stopped(body)
        return answer.response(
            body,
            reply.headers,
            status=reply.status,
            usage=usage_of_message(body.get("usage")),
            kept=body if keep_body else None,
        )

    def collect(self, headers: Mapping[str, str], *, who: str, request: Request) -> MessageStream:
        return MessageStream(headers, who=who, tool=self._tool(request))

    def _tool(self, request: Request) -> str:
        if request.schema is None or request.body is not None:
            return ""
        return self._form(request.schema).tool


def usage_of_message(usage: Any) -> Usage:
    """Token counts of a message. What was read from the cache or written to it is counted apart
    there and is a part of the input tokens here.
    """
    found = object_of(usage)
    if found is None:
        return NO_USAGE
    read = count(found.get("input_tokens"))
    cached = count(found.get("cache_read_input_tokens"))
    written = count(found.get("cache_creation_input_tokens"))
    if read is not None:
        read += (cached or 0) + (written or 0)
    return Usage(
        input_tokens=read,
        output_tokens=count(found.get("output_tokens")),
        cached_input_tokens=cached,
    )


class _Answer:
    """Text, tool input and end of one message, whole or in pieces."""

    def __init__(self, *, tool: str) -> None:
        self.reason: str | None = None
        self.received = 0
        self._tool = tool
        self._texts: list[str] = []
        self._inputs: list[str] = []

    def add(self, block: Mapping[str, Any]) -> None:
        """Takes a whole content block."""
        kind = block.get("type")
        if kind == "text":
            self.text(text_of(block.get("text")))
        elif kind == "tool_use" and self._tool and block.get("name") == self._tool:
            self.input(orjson.dumps(block.get("input")).decode())

    def text(self, text: str) -> str:
        """Takes text; returns what of it is the answer's: none where a tool takes the answer."""
        self.received += len(text)
        self._texts.append(text)
        return "" if self._tool else text

    def input(self, text: str) -> str:
        """Takes a piece of the tool's input."""
        self.received += len(text)
        self._inputs.append(text)
        return text

    def stopped(self, found: Mapping[str, Any]) -> None:
        """Takes the reason for which the model stopped, where one is told."""
        reason = found.get("stop_reason")
        if isinstance(reason, str) and reason:
            self.reason = reason

    def response(
        self,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        status: int,
        usage: Usage,
        kept: Mapping[str, Any] | None = None,
        first_token_s: float | None = None,
    ) -> Response:
        """The answer."""
        text = "".join(self._inputs or self._texts)
        reason = _REASONS.get(self.reason or "", self.reason)
        if self._inputs and reason == "tool_calls":
            reason = "stop"
        refusal = None
        if reason == "content_filter" and kept is None:
            refusal = text or DECLINED
        return Response(
            text=text,
            value=text,
            usage=usage,
            model=text_of(body.get("model")),
            finish_reason=reason,
            refusal=refusal,
            status=status,
            request_id=request_id(headers, body),
            headers=headers,
            body=kept,
            first_token_s=first_token_s,
        )


class MessageStream:
    """Collects the events of one streamed message.

    Args:
        headers: The answer's headers.
        who: The server, for people.
        tool: The tool that takes the answer; empty where text is the answer.
    """

    def __init__(self, headers: Mapping[str, str], *, who: str, tool: str = "") -> None:
        self.done = False
        self._headers = headers
        self._who = who
        self._tool = tool
        self._answer = _Answer(tool=tool)
        self._usage: dict[str, Any] = {}
        self._message: Mapping[str, Any] = {}
        self._ours: set[Any] = set()

    @property
    def whole(self) -> bool:
        return self.done or self._answer.reason is not None

    def take(self, event: ServerEvent) -> str | Failure:
        if self.done:
            return ""
        try:
            body = object_of(orjson.loads(event.data))
        except orjson.JSONDecodeError:
            body = None
        if body is None:
            return self._broken("a stream event that is no JSON object", event.data)
        kind = text_of(body.get("type")) or event.name
        if kind == "content_block_delta":
            return self._delta(body)
        if kind == "error":
            error = body.get("error") or body
            return error_in_answer(error, self._headers, event.data, who=self._who)
        if kind == "content_block_start":
            block = object_of(body.get("content_block")) or {}
            if block.get("type") == "tool_use" and self._tool and block.get("name") == self._tool:
                self._ours.add(body.get("index"))
        elif kind == "message_start":
            self._message = object_of(body.get("message")) or {}
            self._count(self._message.get("usage"))
        elif kind == "message_delta":
            self._count(body.get("usage"))
            self._answer.stopped(object_of(body.get("delta")) or {})
        elif kind == "message_stop":
            self.done = True
        return ""

    def result(self, *, status: int, first_token_s: float | None) -> Response | Failure:
        if not self.whole:
            return self._broken("a stream that ends before the answer does", b"")
        return self._answer.response(
            self._message,
            self._headers,
            status=status,
            usage=usage_of_message(self._usage or None),
            first_token_s=first_token_s,
        )

    def _delta(self, body: Mapping[str, Any]) -> str:
        delta = object_of(body.get("delta")) or {}
        kind = delta.get("type")
        if kind == "text_delta":
            return self._answer.text(text_of(delta.get("text")))
        if kind == "input_json_delta" and body.get("index") in self._ours:
            return self._answer.input(text_of(delta.get("partial_json")))
        return ""

    def _count(self, usage: Any) -> None:
        """Later counts replace earlier ones: those of ``message_delta`` are totals."""
        for name, value in (object_of(usage) or {}).items():
            if value is not None:
                self._usage[name] = value

    def _broken(self, what: str, data: bytes) -> Failure:
        return Failure(
            kind="protocol",
            message=f"{self._who} sent {what} (after {self._answer.received} characters of text)",
            headers=self._headers,
            body=excerpt(data),
        )
