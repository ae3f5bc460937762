"""The forms in which a refusal says when to come back, or does not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

HEADERS = ("seconds", "fraction", "ms", "date", "absent", "zero", "negative")
BODIES = ("sentence", "delay")  # said in the body alone
FORMS = (*HEADERS, *BODIES)  # and "huge": a wait that nobody grants


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a refusal says.

    Args:
        message: Its sentence, inside the body.
        headers: Its headers.
        details: What its body says beside the sentence.
        not_before_wall: The earliest epoch second it names; ``None`` where it names none that
            could be kept.
    """

    message: str = "come back later"
    headers: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    not_before_wall: float | None = None


def hint_of(form: str, wait_s: float, *, now: float) -> Hint:
    """A refusal of this form that asks to wait so long, or as long as the form can say."""
    if form in {"absent", "negative", "huge"}:
        named = {"negative": {"Retry-After": "-1"}, "huge": {"Retry-After": "1000000000"}}
        return Hint(headers=named.get(form, {}))
    whole_s, ms = math.ceil(wait_s), math.ceil(wait_s * 1000)
    if form == "date":
        at = float(math.ceil(now + wait_s))
        return Hint(headers={"Retry-After": formatdate(at, usegmt=True)}, not_before_wall=at)
    if form == "sentence":
        message = f"Rate limit reached. Please try again in {ms}ms."
        return Hint(message=message, not_before_wall=now + ms / 1000)
    if form == "delay":
        delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{ms / 1000}s"}
        return Hint(details={"details": [delay]}, not_before_wall=now + ms / 1000)
    named_s = {"seconds": whole_s, "zero": 0, "ms": ms / 1000}.get(form, round(wait_s, 3))
    if form == "ms":
        return Hint(headers={"Retry-After-Ms": str(ms)}, not_before_wall=now + named_s)
    return Hint(headers={"Retry-After": f"{named_s:g}"}, not_before_wall=now + named_s)
