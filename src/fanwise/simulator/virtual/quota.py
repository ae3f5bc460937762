"""The quotas of a provider in virtual time: buckets whose flow follows events and acceleration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fanwise.records import Dimension, StatedLimit
from fanwise.simulator.admission import Bucket, reset_text
from fanwise.simulator.virtual.course import limit_course

if TYPE_CHECKING:
    from fanwise.simulator.virtual.provider import Work
    from fanwise.simulator.virtual.spec import Acceleration, Allowance, ProviderSpec

_MOST_GROWTH = 1e9


class Meter:
    """One allowance, its bucket, and how both move."""

    __slots__ = ("_acceleration", "_base", "_course", "_next", "_share", "_ticked", "_used", "spec")

    def __init__(self, spec: Allowance, provider: ProviderSpec, *, now: float) -> None:
        self.spec = spec
        self._course = limit_course(provider.events, spec.dimension)
        self._next = 0
        self._acceleration: Acceleration | None = provider.acceleration
        self._share = 1.0 if self._acceleration is None else self._acceleration.start
        self._ticked = now
        self._used = 0.0
        size = spec.size * self._share
        self._base = Bucket(per_minute=spec.per_minute * self._share, size=max(1.0, size), now=now)

    @property
    def bucket(self) -> Bucket:
        """The bucket as it was last brought up to date by :meth:`follow`."""
        return self._base

    @property
    def per_minute(self) -> float:
        """The flow that holds now."""
        return self._base.per_minute

    def follow(self, now: float) -> None:
        """Brings the flow up to date: every event and second of growth that is due."""
        instants = self._course.instants
        while self._next < len(instants) and instants[self._next] <= now:
            at = instants[self._next]
            self._next += 1
            self._grow(at)
            self._set(at)
        self._grow(now)

    def _grow(self, now: float) -> None:
        rule = self._acceleration
        if rule is None or self._share >= _MOST_GROWTH:
            return
        while self._ticked + 1.0 <= now:
            self._ticked += 1.0
            possible = self._base.per_minute / 60.0
            share = min(1.0, self._used / possible) if possible else 0.0
            self._used = 0.0
            self._share = min(1.0, self._share * 2.0 ** (share / rule.doubling_s))
            self._set(self._ticked)

    def _set(self, at: float) -> None:
        factor = self._course.factors[self._next] * self._share
        self._base.change(
            per_minute=self.spec.per_minute * factor, size=max(1.0, self.spec.size * factor), now=at
        )

    def take(self, amount: float, now: float) -> None:
        """Takes an amount, whether or not it is there."""
        self._base.take(amount, now)
        self._used += amount


class Quotas:
    """All allowances of a provider; every one is looked at before any is taken.

    Args:
        spec: The provider.
        now: The instant at which the buckets are full.
    """

    def __init__(self, spec: ProviderSpec, *, now: float) -> None:
        self.meters = tuple(Meter(allowance, spec, now=now) for allowance in spec.allowances)

    def wait_s(self, work: Work, now: float) -> float:
        """Seconds until this request is admitted by all; 0 if it is at once."""
        longest_s = 0.0
        for meter in self.meters:
            meter.follow(now)
            longest_s = max(longest_s, meter.bucket.wait_s(admission_cost(meter.spec, work), now))
        return longest_s

    def take(self, work: Work, now: float) -> None:
        """Admits a request."""
        for meter in self.meters:
            meter.take(admission_cost(meter.spec, work), now)

    def charge(self, work: Work, now: float) -> None:
        """Takes what was not known when it was admitted: the output it really has."""
        for meter in self.meters:
            spec = meter.spec
            if spec.charge == "used" and spec.dimension in {"tokens", "output_tokens"}:
                meter.follow(now)
                meter.take(work.output_tokens, now)

    def headers(self, now: float) -> Mapping[str, str]:
        """``x-ratelimit-*`` as OpenAI states them, for requests and tokens."""
        found: dict[str, str] = {}
        for meter in self.meters:
            name = meter.spec.dimension
            if name not in {"requests", "tokens"}:
                continue
            meter.follow(now)
            bucket = meter.bucket
            found[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.0f}"
            found[f"x-ratelimit-remaining-{name}"] = str(max(0, int(bucket.level(now))))
            found[f"x-ratelimit-reset-{name}"] = reset_text(bucket.full_in_s(now))
        return found

    def stated(self, now: float) -> Sequence[StatedLimit]:
        """The same as records, for every dimension."""
        found: list[StatedLimit] = []
        for meter in self.meters:
            meter.follow(now)
            bucket = meter.bucket
            found.append(
                StatedLimit(
                    dimension=meter.spec.dimension,
                    limit=bucket.per_minute,
                    remaining=max(0, math.floor(bucket.level(now))),
                    reset_s=bucket.full_in_s(now),
                )
            )
        return found


def admission_cost(spec: Allowance, work: Work) -> float:
    """What a request takes from an allowance when it is admitted."""
    dimension: Dimension = spec.dimension
    if dimension == "requests":
        return 1.0
    reserved = work.reserved_tokens if spec.charge == "reserved" else 0
    if dimension == "input_tokens":
        return work.input_tokens
    return reserved if dimension == "output_tokens" else work.input_tokens + reserved


def whole_cost(spec: Allowance, work: Work) -> float:
    """What a served request takes from an allowance in the end."""
    late = spec.charge == "used" and spec.dimension in {"tokens", "output_tokens"}
    return admission_cost(spec, work) + (work.output_tokens if late else 0.0)
