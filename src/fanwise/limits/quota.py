"""A provider's quota as arithmetic: how long to wait, what to reserve, what to give back.

The generic cell rate algorithm (GCRA, ITU-T I.371) keeps one number a quota, the *theoretical
arrival time*: the instant at which everything taken so far would have been earned. Nothing here
reads a clock or holds state: the number goes in, the new one comes out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from fanwise.errors import ConfigError
from fanwise.records import Cost, Dimension, Usage

UNUSED = -math.inf
"""The arrival time of a quota from which nothing was taken yet."""

ROUNDING_S = 1e-6  # far above the rounding of a clock that has run for years, far below any wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """So many units a minute, and how far ahead of the even pace they may be taken.

    A request is let through as soon as what was taken before it is at most ``burst_s`` ahead of
    the even pace. So a late caller catches up within ``burst_s`` and never beyond, at least one
    request always passes, and a request larger than any burst passes too: those behind it wait
    until it is earned. Over any stretch of w seconds at most
    ``(w + burst_s) · per_minute / 60`` units plus one request are taken.

    Args:
        dimension: What is counted.
        per_minute: Units a minute; more than 0.
        burst_s: Seconds of quota that may be taken at once after idle time, 0 to 60.

    Raises:
        ConfigError: A bound is not met.
    """

    dimension: Dimension
    per_minute: float
    burst_s: float = 0.1
    unit_s: float = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < self.per_minute < math.inf:
            raise ConfigError(
                f"a quota of {self.per_minute!r} {self.dimension} a minute cannot be kept",
                hint="give a number above 0, or none where the quota is unknown",
            )
        check_burst(self.burst_s)
        object.__setattr__(self, "unit_s", 60.0 / self.per_minute)

    def opens_at(self, arrival: float) -> float:
        """The instant from which the next request, of whatever size, may be sent."""
        return arrival - self.burst_s

    def wait_s(self, arrival: float, *, now: float) -> float:
        """Seconds until the next request may be sent; 0 where it may be sent now."""
        wait_s = arrival - self.burst_s - now
        return wait_s if wait_s > ROUNDING_S else 0.0

    def admit(self, arrival: float, *, now: float) -> bool:
        """Whether the next request may be sent now."""
        return self.wait_s(arrival, now=now) == 0.0

    def reserve(self, arrival: float, amount: float, *, now: float) -> float:
        """The arrival time after ``amount`` units were taken.

        A quota never used starts without a burst in hand: what a run did before it began cannot
        be known, and its first ten seconds are paced like all others.
        """
        if arrival == UNUSED:
            arrival = now + self.burst_s
        elif arrival < now:
            arrival = now
        return arrival + amount * self.unit_s

    def reconcile(self, arrival: float, *, reserved: float, actual: float, now: float) -> float:
        """The arrival time once it is known what a request really took.

        What was reserved too much is given back; what was reserved too little is taken now.
        """
        difference = actual - reserved
        if difference > 0:
            return max(arrival, now) + difference * self.unit_s
        return arrival + difference * self.unit_s

    def rescale(self, arrival: float, *, to: Quota, now: float) -> float:
        """The arrival time under another quota: what is owed stays owed, in units."""
        if arrival <= now:
            return arrival
        return now + (arrival - now) / self.unit_s * to.unit_s


def check_burst(burst_s: object) -> None:
    """Refuses a burst that is no number of seconds between 0 and 60."""
    if not isinstance(burst_s, int | float) or not 0 <= burst_s <= 60:
        raise ConfigError(
            f"a burst of {burst_s!r} s is out of bounds",
            hint="burst_s is seconds of quota, from 0 to 60; 0.1 suits servers that allow any",
        )


def amount_of(cost: Cost, dimension: Dimension) -> int:
    """How much a request is expected to take from a quota of this dimension."""
    if dimension == "requests":
        return cost.requests
    if dimension == "tokens":
        return cost.input_tokens + cost.output_tokens
    return cost.input_tokens if dimension == "input_tokens" else cost.output_tokens


def used_of(cost: Cost, usage: Usage, dimension: Dimension) -> int:
    """What a request really took from a quota; where nothing was reported, what was reserved."""
    if dimension == "requests":
        return cost.requests
    given = cost.input_tokens if usage.input_tokens is None else usage.input_tokens
    made = cost.output_tokens if usage.output_tokens is None else usage.output_tokens
    if dimension == "tokens":
        return given + made
    return given if dimension == "input_tokens" else made
