"""What limits and retry see of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerdictKind = Literal["served", "rate", "capacity", "infrastructure", "terminal", "cancelled"]
Cause = Literal["rate", "tokens", "concurrency", "retry wait", "source", "cpu", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an attempt's end means (LIMITS: rate, capacity, infrastructure, terminal, served).

    ``retry_after_s`` is the wait the provider asked for; ``reason`` one short phrase for people.
    """

    kind: VerdictKind
    retry_after_s: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one request takes from the quotas: reserved before it, reconciled after it."""

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
