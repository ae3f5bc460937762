"""The quotas of a pool that hold at present: the user's, the provider's, and the learned rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fanwise.limits.permit import Meter
from fanwise.limits.quota import Quota
from fanwise.records import Dimension, StatedLimit

if TYPE_CHECKING:
    from fanwise.limits.settings import Limits

_LONGEST_PERIOD_S = 3600.0
_LONGEST_BURST_S = 60.0


class Meters:
    """One meter for each quota: the lower of what the user and the provider state, and the learned.

    A provider's limits of more than an hour (of a day, say) are no pace to go by and are left to
    its refusals.

    Args:
        limits: What the user states.
    """

    __slots__ = ("_counted", "_learned", "_limits", "_told", "all", "counts_tokens")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._told: dict[Dimension, float] = {}
        self._counted: set[Dimension] = set()  # the provider says what is left of them
        self._learned: Meter | None = None
        self.all: tuple[Meter, ...] = tuple(Meter(quota) for quota in limits.quotas())
        self.counts_tokens = limits.counts_tokens

    @property
    def stated_rpm(self) -> float | None:
        """The stated requests a minute; ``None`` where nobody stated any."""
        for meter in self.all:
            if meter.quota.dimension == "requests" and meter is not self._learned:
                return meter.quota.per_minute
        return None

    @property
    def told(self) -> Mapping[Dimension, float]:
        """Units a minute that the provider states, by dimension."""
        return dict(self._told)

    def state(self, limits: Limits, *, now: float) -> None:
        """Goes on under other limits of the user; what is owed stays owed."""
        self._limits = limits
        self._arrange(now)

    def learn(self, meter: Meter, *, now: float) -> None:
        """Keeps the meter of a learned rate too."""
        if meter is not self._learned:
            self._learned = meter
            self._arrange(now)

    def hear(self, stated: Sequence[StatedLimit], *, now: float) -> bool:
        """Takes in what an answer states; whether anything has changed by it."""
        changed = False
        for one in stated:
            limit = one.limit
            if limit is None or not 0 < limit < math.inf:
                continue
            if not 0 < one.period_s <= _LONGEST_PERIOD_S:
                continue
            per_minute = limit * 60.0 / one.period_s
            counted = one.remaining is not None
            if per_minute != self._told.get(one.dimension) or (
                counted and one.dimension not in self._counted
            ):
                self._told[one.dimension] = per_minute
                if counted:
                    self._counted.add(one.dimension)
                changed = True
        if changed:
            self._arrange(now)
        self._credit(stated, now)
        return changed

    def _credit(self, stated: Sequence[StatedLimit], now: float) -> None:
        for one in stated:
            if one.remaining is None or one.period_s > _LONGEST_PERIOD_S:
                continue
            for meter in self.all:
                if meter.quota.dimension == one.dimension and meter.quota.burst_s > self._burst_s:
                    meter.credit(one.remaining, now=now)

    def _arrange(self, now: float) -> None:
        learned = self._learned
        known = {meter.quota.dimension: meter for meter in self.all if meter is not learned}
        meters: list[Meter] = []
        for quota in self._quotas():
            meter = known.get(quota.dimension)
            if meter is None:
                meter = Meter(quota)
            elif meter.quota != quota:
                meter.change(quota, now)
            meters.append(meter)
        self.counts_tokens = any(meter.quota.dimension != "requests" for meter in meters)
        self.all = tuple(meters) if learned is None else (*meters, learned)

    def _quotas(self) -> Iterator[Quota]:
        told = dict(self._told)
        for quota in self._limits.quotas():
            per_minute = told.pop(quota.dimension, math.inf)
            yield (
                quota
                if quota.per_minute <= per_minute
                else self._quota(quota.dimension, per_minute)
            )
        for dimension, per_minute in told.items():
            yield self._quota(dimension, per_minute)

    def _quota(self, dimension: Dimension, per_minute: float) -> Quota:
        """A quota of the provider's. Where it says what is left, no guess is made of its burst."""
        burst_s = _LONGEST_BURST_S if dimension in self._counted else self._burst_s
        return Quota(dimension=dimension, per_minute=per_minute, burst_s=burst_s)

    @property
    def _burst_s(self) -> float:
        return self._limits.burst_s


def requests_left(stated: Sequence[StatedLimit]) -> float:
    """How many requests an answer says the provider still takes; 0 where it does not say."""
    return min(
        (
            one.remaining
            for one in stated
            if one.dimension == "requests" and one.remaining is not None
        ),
        default=0.0,
    )
