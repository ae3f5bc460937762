"""A provider's answer read: text, refusal, usage, or the failure that it really is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from fanwise.models.http.transport import HttpReply
from fanwise.models.refusals import error_in_answer, refused_by_status, unusable_answer
from fanwise.records import NO_USAGE, Failure, Response, Usage
from fanwise.records.quick import maker

_make_response = maker(Response)
_make_usage = maker(Usage)

FILTERED = "the provider's content filter stopped the answer"


def read_answer(reply: HttpReply, *, who: str, keep_body: bool = False) -> Response | Failure:
    """The answer of a request that was not streamed.

    Args:
        reply: What came back.
        who: The server, for people.
        keep_body: Keeps the decoded body, for a request that brought its own. Any JSON object
            without an error is then an answer (embeddings have no text), and a model's refusal
            stays in the body: who wrote the request reads the answer as it stands.

    Returns:
        A response, or the failure that the reply is: an error status, an error object under a
        success, a page, half of a JSON object, an answer without choices.
    """
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
    if error is not None or body.get("object") == "error":
        return error_in_answer(error or body, reply.headers, reply.body, who=who)
    choices = body.get("choices")
    if keep_body and choices is None:
        return _whole(body, reply)
    choice = object_of(choices[0]) if type(choices) is list and choices else None
    return _chat(body, choice or {}, reply, who=who, keep_body=keep_body)


def _chat(
    body: dict[str, Any],
    choice: dict[str, Any],
    reply: HttpReply,
    *,
    who: str,
    keep_body: bool,
) -> Response | Failure:
    if choice.get("error") is not None:
        return error_in_answer(choice["error"], reply.headers, reply.body, who=who)
    message = object_of(choice.get("message"))
    if message is None and keep_body and isinstance(choice.get("text"), str):
        message = {"content": choice["text"]}  # a completion of the older endpoint
    if message is None:
        why = "no choice with a message in it"
        return unusable_answer(reply.status, reply.headers, reply.body, who=who, why=why)
    content = message.get("content")
    refusal = message.get("refusal") or None
    if type(content) is not str:
        content, refused = join_parts(content)
        refusal = refusal or refused
    finish_reason = text_of(choice.get("finish_reason")) or None
    if finish_reason == "content_filter" and refusal is None:
        refusal = FILTERED
    return _make_response(
        text=content,
        value=content,
        usage=usage_of(body.get("usage")),
        model=text_of(body.get("model")),
        finish_reason=finish_reason,
        refusal=None if keep_body else refusal,
        status=reply.status,
        request_id=request_id(reply.headers, body),
        headers=reply.headers,
        body=body if keep_body else None,
    )


def _whole(body: dict[str, Any], reply: HttpReply) -> Response:
    """The answer of another endpoint than chat: embeddings, or OpenAI's ``responses``."""
    output = body.get("output")
    items = cast("list[Any]", output) if type(output) is list else []
    text = "".join(join_parts((object_of(item) or {}).get("content"))[0] for item in items)
    return Response(
        text=text,
        value=text,
        usage=usage_of(body.get("usage")),
        model=text_of(body.get("model")),
        status=reply.status,
        request_id=request_id(reply.headers, body),
        headers=reply.headers,
        body=body,
    )


def join_parts(content: Any) -> tuple[str, str | None]:
    """Text and refusal of a content that is a list of parts; reasoning parts are left out."""
    if isinstance(content, str):
        return content, None
    if not isinstance(content, list):
        return "", None
    texts: list[str] = []
    refusals: list[str] = []
    for entry in cast("list[Any]", content):
        if isinstance(entry, str):
            texts.append(entry)
        elif isinstance(entry, dict):
            part = cast("dict[str, Any]", entry)
            if part.get("type") in ("text", "output_text", None):
                texts.append(text_of(part.get("text")))
            elif part.get("type") == "refusal":
                refusals.append(text_of(part.get("refusal")))
    return "".join(texts), "".join(refusals) or None


def usage_of(usage: Any) -> Usage:
    """Token counts by the names of chat completions, embeddings or ``responses``.

    Cached tokens are a part of the input tokens, reasoning tokens a part of the output tokens. A
    count that is no whole number from 0 up is unknown.
    """
    if type(usage) is not dict:
        return NO_USAGE
    found = cast("dict[str, Any]", usage)
    details = found.get("prompt_tokens_details")
    if details is None:
        details = found.get("input_tokens_details")
    cached: Any = None
    if type(details) is dict:
        cached = cast("dict[str, Any]", details).get("cached_tokens")
    elif "prompt_cache_hit_tokens" in found:  # DeepSeek
        cached = found["prompt_cache_hit_tokens"]
    read = found.get("prompt_tokens")
    if read is None:
        read = found.get("input_tokens")
    written = found.get("completion_tokens")
    if written is None:
        written = found.get("output_tokens")
    if written is None and "completion_tokens" not in found and "output_tokens" not in found:
        # Embeddings write nothing: their total is their input.
        written = 0 if read is not None and found.get("total_tokens") == read else None
    return _make_usage(
        input_tokens=count(read), output_tokens=count(written), cached_input_tokens=count(cached)
    )


def count(value: Any) -> int | None:
    """The value where it is a whole number from 0 up."""
    return value if type(value) is int and value >= 0 else None


def object_of(value: Any) -> dict[str, Any] | None:
    """The value where it is a JSON object."""
    return cast("dict[str, Any]", value) if type(value) is dict else None


def text_of(value: Any) -> str:
    """The value where it is text, else an empty one."""
    return value if isinstance(value, str) else ""


def request_id(headers: Mapping[str, str], body: Mapping[str, Any]) -> str | None:
    """The provider's id of the request: its header, else the answer's own id."""
    found = headers.get("x-request-id") or headers.get("request-id")
    if found is None:
        found = body.get("id")
    return found if isinstance(found, str) and found else None
