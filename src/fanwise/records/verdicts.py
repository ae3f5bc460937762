"""What limits and retry see of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Dimension: TypeAlias = Literal["requests", "tokens", "input_tokens", "output_tokens"]
VerdictKind = Literal["served", "rate", "capacity", "infrastructure", "terminal", "cancelled"]
Cause = Literal[
    "rate",
    "tokens",
    "concurrency",
    "retry wait",
    "budget",
    "paused",
    "source",
    "cpu",
    "nothing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an attempt's end means (LIMITS: rate, capacity, infrastructure, terminal, served).

    ``retry_after_s`` is the wait the provider asked for; ``reason`` one short phrase for people;
    ``counted`` says that the provider refused because it counts requests (429), named or not.
    """

    kind: VerdictKind
    retry_after_s: float | None = None
    reason: str = ""
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one request takes from the quotas: reserved before it, reconciled after it."""

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLimit:
    """What one answer of a provider says of one of its quotas, in headers or body.

    Args:
        dimension: What is counted.
        period_s: Seconds that the limit is for: 60 for a minute, 86 400 for a day.
        limit: The quota a period; ``None`` where it is not said.
        remaining: What is left of it; ``None`` where it is not said.
        reset_s: Seconds until the quota is whole again; no wait before a retry.
    """

    dimension: Dimension
    period_s: float = 60.0
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None
