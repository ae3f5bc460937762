"""What an error's body says: code, type, message, and the waits some providers put there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from fanwise.durations import duration_s

_RETRY_DELAY = re.compile(r'"retryDelay"\s*:\s*"([\d.]+m?s)"')
_TRY_AGAIN = re.compile(r"(?:try again|retry) in ([\dhms.]*\d(?:ms|s|m|h))(?![a-z])", re.IGNORECASE)
_SECONDS = re.compile(r"(?:retry after|wait) (\d+(?:\.\d+)?) ?s(?:econds?)?\b", re.IGNORECASE)
_QUOTA_ID = re.compile(r'"(?:quotaId|quota_limit)"\s*:\s*"([^"]+)"')
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(r'"(code|type|status|message)"\s*:\s*("(?:[^"\\]|\\.)*"|\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """An error's body, as far as it could be read.

    Args:
        names: Codes, types and statuses in it, in lower case (``insufficient_quota``, …).
        message: The sentence for people; empty where there is none.
        retry_after_s: The wait it asks for, where it asks for one.
        quota_ids: Names of the quotas that were exceeded, where it names them.
    """

    names: frozenset[str] = frozenset()
    message: str = ""
    retry_after_s: float | None = None
    quota_ids: tuple[str, ...] = ()


def read_body(text: str) -> ErrorBody:
    """Reads an error's body, cut off or not JSON at all though it may be."""
    if not text:
        return ErrorBody()
    names, message = _fields(text)
    found = _RETRY_DELAY.search(text) or _TRY_AGAIN.search(text) or _SECONDS.search(text)
    return ErrorBody(
        names=names,
        message=message or _plain(text),
        retry_after_s=duration_s(found.group(1)) if found else None,
        quota_ids=tuple(_QUOTA_ID.findall(text)),
    )


def _fields(text: str) -> tuple[frozenset[str], str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        pairs = [(key, _unquoted(raw)) for key, raw in _FIELD.findall(text)]
    else:
        pairs = list(_pairs(value))
    names = frozenset(str(raw).lower() for key, raw in pairs if key != "message" and raw)
    messages = (str(raw) for key, raw in pairs if key == "message" and raw)
    return names, next(messages, "")


def _pairs(value: Any, *, deeper: int = 3) -> list[tuple[str, Any]]:
    """The telling fields of ``{"error": {…}}``, ``{"error": "…"}``, ``{…}`` or a list of them."""
    if isinstance(value, list) and value and deeper:
        return _pairs(cast("list[Any]", value)[0], deeper=deeper - 1)
    if not isinstance(value, Mapping):
        return []
    fields = cast("Mapping[str, Any]", value)
    inner = fields.get("error")
    if isinstance(inner, Mapping) and deeper:
        outer = [("type", fields.get("type"))] if fields.get("type") != "error" else []
        return _pairs(inner, deeper=deeper - 1) + outer
    if isinstance(inner, str):
        return [("message", fields.get("message") or inner), ("code", inner)]
    told = [(key, fields.get(key)) for key in ("code", "type", "status", "message")]
    told.append(("message", fields.get("detail")))
    return [(key, raw) for key, raw in told if isinstance(raw, str | int)]


def _unquoted(raw: str) -> str:
    try:
        return str(json.loads(raw))
    except ValueError:
        return raw


def _plain(text: str) -> str:
    title = _TITLE.search(text)
    if title:
        return " ".join(title.group(1).split())
    return "" if text.lstrip()[:1] in "<{[" else " ".join(text.split())
