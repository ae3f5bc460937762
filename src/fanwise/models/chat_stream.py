"""A streamed chat completion put together, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from fanwise.models.chat_answer import FILTERED, join_parts, request_id, text_of, usage_of
from fanwise.models.refusals import error_in_answer, excerpt
from fanwise.models.sse import ServerEvent
from fanwise.records import NO_USAGE, Failure, Response

_DONE = b"[DONE]"


class ChatStream:
    """Collects the events of one streamed answer.

    The answer is whole once a ``finish_reason`` or ``[DONE]`` was seen, and only then: a stream
    that merely ends has lost its rest.

    Args:
        headers: The answer's headers.
        who: The server, for people.
    """

    def __init__(self, headers: Mapping[str, str], *, who: str) -> None:
        self._headers = headers
        self._who = who
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._finish_reason: str | None = None
        self._usage = NO_USAGE
        self._model = ""
        self._id: str | None = None
        self.done = False

    @property
    def whole(self) -> bool:
        """Whether the model has said that it stopped."""
        return self.done or self._finish_reason is not None

    def take(self, event: ServerEvent) -> str | Failure:
        """Takes one event in; returns the text it brought, or the failure it reports."""
        if self.done or event.data == _DONE:
            self.done = True
            return ""
        try:
            body = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            return self._broken("a stream event that is not JSON", event.data)
        if type(body) is not dict:
            return self._broken("a stream event that is no JSON object", event.data)
        found = cast("dict[str, Any]", body)
        error = found.get("error")
        if error is None and (event.name == "error" or found.get("object") == "error"):
            error = found
        if error is not None:
            return error_in_answer(error, self._headers, event.data, who=self._who)
        if self._id is None:
            self._id = request_id(self._headers, found)
        if not self._model:
            self._model = text_of(found.get("model"))
        usage = found.get("usage")
        if usage is not None:
            self._usage = usage_of(usage)
        choices = found.get("choices")
        if not isinstance(choices, list) or not choices:
            return ""  # usage at the end, a prompt filter's verdict at the start
        return self._choice(cast("list[Any]", choices)[0], event.data)

    def _choice(self, choice: Any, data: bytes) -> str | Failure:
        if type(choice) is not dict:
            return self._broken("a stream event without a choice", data)
        found = cast("dict[str, Any]", choice)
        if found.get("error") is not None:
            return error_in_answer(found["error"], self._headers, data, who=self._who)
        if found.get("index") not in (0, None):
            return ""
        reason = found.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._finish_reason = reason
        delta = found.get("delta")
        if type(delta) is not dict:
            return ""
        piece = cast("dict[str, Any]", delta)
        text, refusal = join_parts(piece.get("content"))
        refusal = text_of(piece.get("refusal")) or refusal
        if refusal:
            self._refusals.append(refusal)
        if text:
            self._texts.append(text)
        return text

    def result(self, *, status: int, first_token_s: float | None) -> Response | Failure:
        """The whole answer, or the failure of a stream that ended too early."""
        if not self.whole:
            return self._broken("a stream that ends before the answer does", b"")
        text = "".join(self._texts)
        refusal = "".join(self._refusals) or None
        if self._finish_reason == "content_filter" and refusal is None:
            refusal = FILTERED
        return Response(
            text=text,
            value=text,
            usage=self._usage,
            model=self._model,
            finish_reason=self._finish_reason,
            refusal=refusal,
            status=status,
            request_id=self._id,
            headers=self._headers,
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
