"""Which requests the simulated provider takes: token buckets and slots, as rules on a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from fanwise.simulator.profile import RetryAfter, SimProfile

Dimension = Literal["requests", "tokens", "slots"]


class Bucket:
    """A token bucket: full at first, filled at a steady rate, never above its size.

    Args:
        per_minute: What flows in; ``math.inf`` admits everything.
        size: What it holds.
        now: Seconds on the clock that all later instants come from.
    """

    __slots__ = ("_at", "_level", "_per_s", "per_minute", "size")

    def __init__(self, *, per_minute: float, size: float, now: float) -> None:
        self.per_minute = per_minute
        self.size = size
        self._per_s = per_minute / 60.0
        self._level = size
        self._at = now

    def level(self, now: float) -> float:
        """What it holds at ``now``; below zero after more was taken than it can hold."""
        if self.per_minute == math.inf:
            return math.inf
        return min(self.size, self._level + max(0.0, now - self._at) * self._per_s)

    def wait_s(self, cost: float, now: float) -> float:
        """Seconds until ``cost`` is admitted, 0 if it is at once.

        A cost above the bucket's size is admitted by a full bucket, which it leaves in debt.
        """
        lacking = min(cost, self.size) - self.level(now)
        # A wait below a microsecond is what rounding leaves of none.
        return lacking / self._per_s if lacking > 1e-6 * self._per_s else 0.0

    def take(self, cost: float, now: float) -> None:
        """Takes ``cost``, whether or not it is there."""
        if self.per_minute < math.inf:
            self._level = self.level(now) - cost
            self._at = now

    def change(self, *, per_minute: float, size: float, now: float) -> None:
        """From now on so much flows in, and so much fits; what it holds stays if it fits."""
        self._level = self.level(now)
        self._at = now
        self.per_minute = per_minute
        self._per_s = per_minute / 60.0
        self.size = size

    def full_in_s(self, now: float) -> float:
        """Seconds until it is full again."""
        if self.per_minute == math.inf:
            return 0.0
        return max(0.0, self.size - self.level(now)) / self._per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that was not taken.

    ``wait_s`` is the time until it would be; ``None`` where the server does not know (slots).
    """

    status: int
    dimension: Dimension
    wait_s: float | None
    limit: float
    requested: float


class Admission:
    """The limits of one simulated provider. Every dimension is looked at before any is taken.

    Args:
        profile: The limits.
        now: Seconds on the clock that all later instants come from.
    """

    def __init__(self, profile: SimProfile, *, now: float) -> None:
        self._profile = profile
        token_size = profile.tpm / 10.0 if profile.token_burst is None else profile.token_burst
        self._requests = Bucket(per_minute=profile.rpm, size=profile.burst, now=now)
        self._tokens = Bucket(per_minute=profile.tpm, size=max(1.0, token_size), now=now)

    def admit(self, tokens: int, *, now: float, in_work: int) -> Refusal | None:
        """Takes a request in, or says why not.

        Args:
            tokens: Tokens charged for it.
            now: The instant.
            in_work: Requests that hold a slot now.
        """
        profile = self._profile
        if in_work >= profile.slots:
            return Refusal(
                status=profile.slots_status,
                dimension="slots",
                wait_s=None,
                limit=profile.slots,
                requested=1,
            )
        wait_s, dimension, bucket, cost = max(
            (self._requests.wait_s(1, now), "requests", self._requests, 1),
            (self._tokens.wait_s(tokens, now), "tokens", self._tokens, tokens),
            key=lambda entry: entry[0],
        )
        if wait_s > 0.0:
            return Refusal(
                status=429,
                dimension="requests" if dimension == "requests" else "tokens",
                wait_s=wait_s,
                limit=bucket.per_minute,
                requested=cost,
            )
        self._requests.take(1, now)
        self._tokens.take(tokens, now)
        return None

    def charge(self, tokens: int, *, now: float) -> None:
        """Takes tokens that were not known when the request was admitted."""
        self._tokens.take(tokens, now)

    def headers(self, now: float) -> Mapping[str, str]:
        """``x-ratelimit-*`` as OpenAI states them, for each dimension that has a limit."""
        found: dict[str, str] = {}
        for name, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket.per_minute < math.inf:
                found[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.0f}"
                found[f"x-ratelimit-remaining-{name}"] = str(max(0, int(bucket.level(now))))
                found[f"x-ratelimit-reset-{name}"] = reset_text(bucket.full_in_s(now))
        return found


def retry_headers(wait_s: float, *, form: RetryAfter, wall_s: float) -> Mapping[str, str]:
    """The wait that a refusal asks for, in the form a server would state it; never too short.

    Args:
        wait_s: Seconds to wait.
        form: See ``SimProfile.retry_after``.
        wall_s: Now, in seconds since the Unix epoch.
    """
    if form == "absent":
        return {}
    if form == "integer":
        return {"retry-after": str(math.ceil(wait_s))}
    if form == "date":
        return {"retry-after": formatdate(math.ceil(wall_s + wait_s), usegmt=True)}
    milliseconds = math.ceil(wait_s * 1000)
    return {"retry-after": f"{milliseconds / 1000:.3f}", "retry-after-ms": str(milliseconds)}


def reset_text(seconds: float) -> str:
    """A duration as OpenAI writes it: ``12ms``, ``1.5s``, ``6m0s``, ``1h2m3s``."""
    if seconds < 1.0:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60.0:
        return f"{math.ceil(seconds * 1000) / 1000:g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
