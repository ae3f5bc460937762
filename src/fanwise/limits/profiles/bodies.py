"""Limits that the body of a refusal names: Google's quota failures, OpenAI's sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from fanwise.records import Dimension, StatedLimit

# Google's error details: QuotaFailure, https://github.com/googleapis/googleapis (google/rpc).
_VIOLATION: Final = re.compile(
    r'"quotaId"\s*:\s*"(?P<id>[^"]+)"(?P<rest>[^{}]*(?:\{[^{}]*\}[^{}]*)?)'
)
_VALUE: Final = re.compile(r'"quotaValue"\s*:\s*"(\d{1,15})"')
_QUOTA_PERIODS: Final = (
    ("persecond", 1.0),
    ("perminute", 60.0),
    ("perhour", 3600.0),
    ("perday", 86_400.0),
)
# OpenAI's sentence, and Groq's: which limit, how much it is, how much of it is used.
_SENTENCE: Final = re.compile(
    r"on (?P<what>requests|tokens|input tokens|output tokens) per (?P<period>sec|min|hour|day)\w*"
    r"[^:]{0,20}: Limit:? (?P<limit>\d{1,15})(?:, Used:? (?P<used>\d{1,15}))?",
    re.IGNORECASE,
)
_SENTENCE_PERIODS: Final = {"sec": 1.0, "min": 60.0, "hour": 3600.0, "day": 86_400.0}


def limits_in_body(text: str) -> Sequence[StatedLimit]:
    """The limits that the body of a refusal names; of what it exceeded nothing is left.

    Args:
        text: The body, or its start.
    """
    if "quotaId" in text:
        return [found for match in _VIOLATION.finditer(text) if (found := _violated(match))]
    match = _SENTENCE.search(text)
    return [] if match is None else _told(match)


def _violated(match: re.Match[str]) -> StatedLimit | None:
    name = match["id"].lower()
    period_s = next((seconds for word, seconds in _QUOTA_PERIODS if word in name), None)
    if period_s is None:
        return None
    dimension: Dimension = "requests"
    if "token" in name:
        dimension = "output_tokens" if "output" in name else "input_tokens"
    value = _VALUE.search(match["rest"])
    limit = float(value[1]) if value else 0.0
    return StatedLimit(dimension=dimension, period_s=period_s, limit=limit or None, remaining=0.0)


def _told(match: re.Match[str]) -> Sequence[StatedLimit]:
    limit = float(match["limit"])
    if not limit:
        return []
    kinds: dict[str, Dimension] = {
        "requests": "requests",
        "tokens": "tokens",
        "input tokens": "input_tokens",
        "output tokens": "output_tokens",
    }
    used = match["used"]
    return [
        StatedLimit(
            dimension=kinds[match["what"].lower()],
            period_s=_SENTENCE_PERIODS[match["period"].lower()],
            limit=limit,
            remaining=None if used is None else max(0.0, limit - float(used)),
        )
    ]
