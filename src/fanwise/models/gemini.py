"""The dialect of Google's Gemini: ``generateContent`` and its stream.

Source: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import orjson

from fanwise.errors import PlanError
from fanwise.models.chat_answer import count, object_of, text_of
from fanwise.models.dialect import PerSchema, own_body
from fanwise.models.gemini_body import encode_contents, encode_schema
from fanwise.models.http.transport import HttpReply
from fanwise.models.json_bytes import json_bytes
from fanwise.models.names import endpoint_path
from fanwise.models.refusals import error_in_answer, excerpt, refused_by_status, unusable_answer
from fanwise.models.sse import ServerEvent
from fanwise.records import NO_USAGE, Failure, Request, Response, Usage

_MODEL = re.compile(r"(?:tunedModels/)?[A-Za-z0-9._-]+")
_OWN_PATH = re.compile(r"models/([A-Za-z0-9._-]+):(generateContent|embedContent|countTokens)")
_BLOCKED = frozenset(
    {
        "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
        "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
    }
)  # fmt: skip
_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
_KEY_HEADER = "x-goog-api-key"


class GeminiDialect:
    """Gemini's own.

    Args:
        model: The model by the server's own name.
    """

    __slots__ = ("_model", "_schema")

    name = "gemini"

    def __init__(self, model: str) -> None:
        self._model = model
        self._schema = PerSchema(encode_schema)

    def headers(self, key: str) -> Mapping[str, str]:
        return {_KEY_HEADER: key} if key else {}

    def url(self, base_url: str, request: Request, *, stream: bool) -> str:
        path = self._path(stream=stream) if request.body is None else _own_path(request)
        parts = urlsplit(base_url)
        below = parts.path.rstrip("/") or "/v1beta"
        query = "&".join(part for part in (parts.query, "alt=sse" if stream else "") if part)
        return urlunsplit((parts.scheme, parts.netloc, f"{below}/{path}", query, ""))

    def encode(self, request: Request, *, stream: bool) -> bytes:
        if request.body is not None:
            return json_bytes(own_body(request, model=None))
        schema = request.schema
        return encode_contents(request, schema=None if schema is None else self._schema(schema))

    def read(self, reply: HttpReply, *, who: str, request: Request) -> Response | Failure:
        if not 200 <= reply.status < 300:
            return refused_by_status(reply.status, reply.headers, reply.body, who=who)
        try:
            found = orjson.loads(reply.body)
            body = object_of(found)
            why = "" if body is not None else "JSON that is not an object"
        except orjson.JSONDecodeError:
            body, why = None, ""
        if body is None:
            return unusable_answer(reply.status, reply.headers, reply.body, who=who, why=why)
        stream = GeminiStream(reply.headers, who=who)
        failure = stream.add(body, reply.body)
        if isinstance(failure, Failure):
            return failure
        keep_body = request.body is not None
        if not stream.whole and not keep_body:
            why = "no candidate that has ended"
            return unusable_answer(reply.status, reply.headers, reply.body, who=who, why=why)
        return stream.response(status=reply.status, kept=body if keep_body else None)

    def collect(self, headers: Mapping[str, str], *, who: str, request: Request) -> GeminiStream:
        return GeminiStream(headers, who=who)

    def _path(self, *, stream: bool) -> str:
        if not _MODEL.fullmatch(self._model):
            raise PlanError(
                f"{self._model!r} is no name of a Gemini model",
                hint="write one such as gemini/gemini-2.5-flash",
            )
        below = self._model if "/" in self._model else f"models/{self._model}"
        return f"{below}:{'streamGenerateContent' if stream else 'generateContent'}"


def _own_path(request: Request) -> str:
    path = endpoint_path(request.endpoint).removeprefix("v1beta/")
    if not _OWN_PATH.fullmatch(path):
        raise PlanError(
            f"{request.model} takes bodies for models/MODEL:generateContent, not for "
            f"{request.endpoint!r}",
            hint="bodies in OpenAI's form go to -m openai/MODEL with --base-url "
            "https://generativelanguage.googleapis.com/v1beta/openai",
        )
    return path


def usage_of_gemini(usage: Any) -> Usage:
    """Token counts of an answer. Thoughts are counted apart there and are output tokens here."""
    found = object_of(usage)
    if found is None:
        return NO_USAGE
    read = count(found.get("promptTokenCount"))
    tools = count(found.get("toolUsePromptTokenCount"))
    written = count(found.get("candidatesTokenCount"))
    thought = count(found.get("thoughtsTokenCount"))
    if written is None and (thought is not None or "totalTokenCount" in found):
        written = 0  # left out where nothing was written
    return Usage(
        input_tokens=None if read is None else read + (tools or 0),
        output_tokens=None if written is None else written + (thought or 0),
        cached_input_tokens=count(found.get("cachedContentTokenCount")),
    )


class GeminiStream:
    """Collects the chunks of one answer; each has the shape of a whole one.

    Args:
        headers: The answer's headers.
        who: The server, for people.
    """

    done = False  # nothing marks the end but the end

    def __init__(self, headers: Mapping[str, str], *, who: str) -> None:
        self._headers = headers
        self._who = who
        self._texts: list[str] = []
        self._reason: str | None = None
        self._refusal: str | None = None
        self._usage = NO_USAGE
        self._model = ""
        self._id: str | None = None

    @property
    def whole(self) -> bool:
        return self._reason is not None or self._refusal is not None

    def take(self, event: ServerEvent) -> str | Failure:
        try:
            body = object_of(orjson.loads(event.data))
        except orjson.JSONDecodeError:
            body = None
        if body is None:
            return self._broken("a stream event that is no JSON object", event.data)
        return self.add(body, event.data)

    def add(self, body: Mapping[str, Any], data: bytes) -> str | Failure:
        """Takes one chunk in; returns the text it brought, or the failure it reports."""
        if body.get("error") is not None:
            return error_in_answer(body["error"], self._headers, data, who=self._who)
        self._model = self._model or text_of(body.get("modelVersion"))
        self._id = self._id or text_of(body.get("responseId")) or None
        if body.get("usageMetadata") is not None:
            self._usage = usage_of_gemini(body["usageMetadata"])
        feedback = object_of(body.get("promptFeedback")) or {}
        blocked = text_of(feedback.get("blockReason"))
        if blocked:
            self._refusal = f"the provider blocked the prompt ({blocked})"
        candidates = body.get("candidates")
        if type(candidates) is not list or not candidates:
            return ""
        return self._candidate(object_of(cast("list[Any]", candidates)[0]) or {})

    def _candidate(self, candidate: Mapping[str, Any]) -> str:
        reason = text_of(candidate.get("finishReason"))
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            self._reason = reason
            if reason in _BLOCKED:
                said = text_of(candidate.get("finishMessage")) or "the answer was blocked"
                self._refusal = f"{said} ({reason})"
        parts = (object_of(candidate.get("content")) or {}).get("parts")
        if type(parts) is not list:
            return ""
        found = (object_of(part) or {} for part in cast("list[Any]", parts))
        text = "".join(text_of(part.get("text")) for part in found if not part.get("thought"))
        if text:
            self._texts.append(text)
        return text

    def result(self, *, status: int, first_token_s: float | None) -> Response | Failure:
        if not self.whole:
            return self._broken("a stream that ends before the answer does", b"")
        return self.response(status=status, first_token_s=first_token_s)

    def response(
        self,
        *,
        status: int,
        kept: Mapping[str, Any] | None = None,
        first_token_s: float | None = None,
    ) -> Response:
        """The answer."""
        text = "".join(self._texts)
        reason = self._reason or ""
        if self._refusal is not None:
            finish_reason = "content_filter"
        else:
            finish_reason = _REASONS.get(reason, reason.lower() or None)
        return Response(
            text=text,
            value=text,
            usage=self._usage,
            model=self._model,
            finish_reason=finish_reason,
            refusal=None if kept is not None else self._refusal,
            status=status,
            request_id=self._headers.get("x-request-id") or self._id,
            headers=self._headers,
            body=kept,
            first_token_s=first_token_s,
        )

    def _broken(self, what: str, data: bytes) -> Failure:
        received = sum(map(len, self._texts))
        return Failure(
            kind="protocol",
            message=f"{self._who} sent {what} (after {received} characters of text)",
            headers=self._headers,
            body=excerpt(data),
        )
