"""Durations and instants as servers write them. Read leniently; what cannot be read is ``None``."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ms|[smhd])", re.ASCII)
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)


def duration_s(text: str) -> float | None:
    """Seconds of a duration such as ``6m0s``, ``1.5s``, ``120ms``, or of a plain number.

    ``None`` for anything else, negative numbers and infinities among it.
    """
    text = text.strip().lower()
    if NUMBER.fullmatch(text):
        return from_zero(float(text))
    parts = _DURATION.findall(text)
    if not parts or "".join(parts) != text:
        return None
    return from_zero(sum(_part_s(part) for part in parts))


def http_date_s(text: str) -> float | None:
    """Epoch seconds of an HTTP date (RFC 9110, section 5.6.7)."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def iso_date_s(text: str) -> float | None:
    """Epoch seconds of an RFC 3339 instant; one without an offset is taken as UTC."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def from_zero(value: float) -> float | None:
    """The value where it is a number from 0 up."""
    return value if math.isfinite(value) and value >= 0 else None


def _part_s(part: str) -> float:
    unit = "ms" if part.endswith("ms") else part[-1]
    return float(part[: -len(unit)]) * _UNITS_S[unit]
