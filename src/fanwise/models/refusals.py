"""Answers that are none: error statuses, error objects, pages and halves, as failures."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import orjson

from fanwise.records import Failure

BODY_CHARS = 4096
_DETAIL_CHARS = 400
# A character is at most four bytes of UTF-8.
_BODY_BYTES = 4 * BODY_CHARS

# What the types of OpenAI's and Anthropic's error objects mean where no status comes with them (in
# a stream, or under a 200). https://platform.openai.com/docs/guides/error-codes and
# https://docs.anthropic.com/en/api/errors
_STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
    "server_error": 500,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_MOVED = frozenset({301, 302, 303, 307, 308})


def refused_by_status(status: int, headers: Mapping[str, str], body: bytes, *, who: str) -> Failure:
    """The failure that an HTTP answer other than a success stands for.

    Args:
        status: Its status.
        headers: Its headers, names in lower case.
        body: Its body, or the start of it.
        who: The server, for people.
    """
    detail = _detail(body, headers)
    hint = ""
    if status in _MOVED:
        target = headers.get("location", "")
        detail = f"moved to {target}" if target else "moved"
        hint = "redirects are not followed, since keys would travel along: set the final base URL"
    elif status == 404 and not _json_object(body):
        hint = "is the base URL right? it usually ends in /v1"
    return Failure(
        kind="status",
        message=f"{who} answered {status}: {detail or _phrase(status)}",
        status=status,
        headers=headers,
        body=excerpt(body),
        hint=hint,
    )


def unusable_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, who: str, why: str = ""
) -> Failure:
    """The failure of a success status over something that is no answer."""
    hint = ""
    if not why:
        if _is_html(body, headers):
            why = "a web page instead of JSON"
            hint = "is the base URL right? it usually ends in /v1"
        elif not body.strip():
            why = "an empty body"
        elif body.lstrip()[:1] in (b"{", b"["):
            why = f"JSON that breaks off or is malformed ({len(body)} bytes)"
        else:
            why = "something that is not JSON"
    return Failure(
        kind="protocol",
        message=f"{who} answered {status} with {why}",
        headers=headers,
        body=excerpt(body),
        hint=hint,
    )


def error_in_answer(error: Any, headers: Mapping[str, str], body: bytes, *, who: str) -> Failure:
    """The failure of an error object that came under a success status or inside a stream.

    OpenRouter and gateways report a failure of the model's own provider this way, with its status
    as ``code``. Without one, the error's type decides; without either it counts as a broken answer.
    """
    status = _status_of(error)
    detail = _message_of(error) or "an error without a message"
    return Failure(
        kind="protocol" if status is None else "status",
        message=f"{who} answered with an error: {detail}",
        status=status,
        headers=headers,
        body=excerpt(body),
    )


def excerpt(body: bytes) -> str:
    """The start of a body as text, at most :data:`BODY_CHARS` characters."""
    return body[:_BODY_BYTES].decode("utf-8", "replace")[:BODY_CHARS]


def _status_of(error: Any) -> int | None:
    if not isinstance(error, Mapping):
        return None
    found = cast("Mapping[str, Any]", error)
    for name in ("code", "status", "status_code"):
        value = found.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    for name in ("type", "code"):
        value = found.get(name)
        if isinstance(value, str) and value in _STATUS_OF_TYPE:
            return _STATUS_OF_TYPE[value]
    return None


def _detail(body: bytes, headers: Mapping[str, str]) -> str:
    if not body.strip():
        return ""
    if _is_html(body, headers):
        return "a web page"
    found = _json_object(body)
    if found is None:
        return _one_line(excerpt(body))
    return _message_of(found.get("error")) or _message_of(found)


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(found, list) and found:
        found = cast("list[Any]", found)[0]  # Gemini wraps its error in a list
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _message_of(error: Any) -> str:
    if isinstance(error, str):
        return _one_line(error)
    if isinstance(error, Mapping):
        found = cast("Mapping[str, Any]", error)
        for name in ("message", "detail", "msg", "title"):
            value = found.get(name)
            if isinstance(value, str) and value:
                return _one_line(value)
            if value:
                return _one_line(orjson.dumps(value, default=str).decode())
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_DETAIL_CHARS]


def _is_html(body: bytes, headers: Mapping[str, str]) -> bool:
    start = body[:200].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html")) or (
        "text/html" in headers.get("content-type", "") and start.startswith(b"<")
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no explanation"
