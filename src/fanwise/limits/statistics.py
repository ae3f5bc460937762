"""What a limiter tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fanwise.records import Cause, Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterStatistics:
    """A limiter at one moment.

    Args:
        in_flight: Permits that are held.
        waiting: Requests that wait for one.
        granted: Permits given so far.
        refused: Permits that were settled as refused by the provider.
        queued_s: Waits of all granted permits, summed.
        peak_in_flight: Most permits held at once.
        held_s: Seconds during which somebody waited, by what held the first of them back.
        concurrency: Requests in flight that are allowed now; ``math.inf`` for no limit.
        learned_rpm: The requests a minute that were learned from refusals; ``None`` before any.
            Where tokens are counted: so many of mean size.
        learned_tpm: The tokens a minute that were learned; ``None`` where requests are counted.
        learning: Whether refusals are still being followed to the limit that they come from.
        stated_rpm: The requests a minute that the user or the provider stated, the lower of both;
            ``None`` where neither did.
        told: Units a minute that the provider's answers state, by dimension.
        epoch: Number of the current epoch: how often a refusal has changed anything.
        binding: What holds the first of those who wait back; ``None`` where nobody waits.
    """

    in_flight: int
    waiting: int
    granted: int
    refused: int
    queued_s: float
    peak_in_flight: int
    held_s: Mapping[Cause, float]
    concurrency: float
    learned_rpm: float | None
    learned_tpm: float | None
    learning: bool
    stated_rpm: float | None
    told: Mapping[Dimension, float]
    epoch: int
    binding: Cause | None


def occupancy(seen: LimiterStatistics) -> str:
    """A limiter's state in a line: ``16 of 16 in flight, 3 waiting for concurrency``."""
    cause = f" for {seen.binding}" if seen.waiting and seen.binding is not None else ""
    learned = "" if seen.learned_rpm is None else f", paced at {seen.learned_rpm:.4g} a minute"
    if seen.learned_tpm is not None:
        learned = f", paced at {seen.learned_tpm:,.0f} tokens a minute"
    held = f"{seen.in_flight} of {seen.concurrency:g} in flight"
    return f"{held}, {seen.waiting} waiting{cause}{learned}"
