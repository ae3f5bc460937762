"""What a server's headers say about when to come back. Read leniently, trusted with care."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fanwise.durations import NUMBER, duration_s, from_zero, http_date_s

_LIMIT_HEADER = re.compile(r"(?:^|[-_])rate-?limit[-_]")


def retry_after_s(headers: Mapping[str, str], *, wall_s: float) -> float | None:
    """Seconds the server asks to wait, or ``None`` where it says nothing usable.

    ``retry-after-ms`` counts before ``retry-after``; names that a proxy prefixed
    (``llm_provider-retry-after``) count after the plain ones. A date is taken relative to the
    answer's own ``date`` header, so that a wrong clock does no harm; one that has passed is 0.
    A negative number means *unknown*.

    Args:
        headers: Answer headers, names in lower case.
        wall_s: Seconds since the Unix epoch, for a date in an answer without a ``date`` header.
    """
    for suffix, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        for value in _values(headers, suffix):
            found = _wait_s(value, unit_s=unit_s, now_s=_server_time(headers, wall_s))
            if found is not None:
                return found
    return None


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What ``x-should-retry`` says: yes, no, or nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def states_limits(headers: Mapping[str, str]) -> bool:
    """Whether any header tells of a rate limit, whoever's form it has."""
    return any(_LIMIT_HEADER.search(name) for name in headers)


def used_up(headers: Mapping[str, str]) -> str:
    """Which limit the ``x-ratelimit-*`` headers show as used up, in words; empty for none.

    The reset times are times to a *full* quota, no waits before a retry: they are told, not obeyed.
    """
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}", "").strip() != "0":
            continue
        reset_s = duration_s(headers.get(f"x-ratelimit-reset-{what}", ""))
        limit = headers.get(f"x-ratelimit-limit-{what}", "").strip()
        if not reset_s or not limit.isdigit():
            continue  # some servers send 0 where they mean unknown
        return f"{limit} {what} used up, full again in {reset_s:g} s"
    return ""


def _values(headers: Mapping[str, str], suffix: str) -> list[str]:
    plain = [headers[suffix]] if suffix in headers else []
    return plain + [
        value
        for name, value in headers.items()
        if name.endswith(suffix) and name != suffix and name[-len(suffix) - 1] in "-_"
    ]


def _wait_s(value: str, *, unit_s: float, now_s: float) -> float | None:
    value = value.strip()
    if NUMBER.fullmatch(value):
        return from_zero(float(value) * unit_s)
    given_s = duration_s(value)
    if given_s is not None:
        return given_s
    at_s = http_date_s(value)
    return None if at_s is None else max(0.0, at_s - now_s)


def _server_time(headers: Mapping[str, str], wall_s: float) -> float:
    sent_s = http_date_s(headers.get("date", ""))
    return wall_s if sent_s is None else sent_s
