"""What nobody can beat: the most requests that a provider's true limits let through over time.

A caller who knew every limit at every instant would take whatever all buckets hold, at once, and go
on as fast as the scarcest of them fills. Quotas hold what their burst allows; slots are a quota of
``slots / mean service time`` requests a second, with as many at the start as there are slots.
Requests count as of their admission.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanwise.simulator.virtual.course import Course, latency_course, limit_course, outages

if TYPE_CHECKING:
    from fanwise.simulator.virtual.spec import Acceleration, Outage, ProviderSpec

_GRAIN_S = 0.1
_STEADY = Course(())


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanCost:
    """What one served request takes on average.

    Args:
        units: By dimension, in the order of the provider's allowances: the units it is charged.
        service_s: Seconds it is worked on when nothing is in its way, before any drift.
        service_cv2: Variance of these over the square of their mean.
    """

    units: tuple[float, ...]
    service_s: float
    service_cv2: float = 0.25


@dataclass(slots=True)
class _Source:
    """Something that admits so many requests a second and can save up so many."""

    rate: float  # requests a second at a factor of 1
    size: float  # requests it can save up at a factor of 1
    course: Course
    level: float
    slowness: Course = _STEADY
    acceleration: Acceleration | None = None

    def flow_in(self, now: float, length_s: float) -> float:
        """Adds what comes in during a stretch around an instant; what can be admitted then."""
        factor = self.course.at(now)
        if self.acceleration is not None:
            rule = self.acceleration
            factor *= min(1.0, rule.start * 2.0 ** (now / rule.doubling_s))
        inflow = self.rate * factor / self.slowness.at(now) * length_s
        # What flows in during a stretch can be used in it, however small the bucket is.
        self.level = min(self.level, self.size * factor) + inflow
        return self.level


class Oracle:
    """Requests that could have been admitted by any instant.

    Args:
        spec: The provider.
        cost: What one request takes.
        horizon_s: Up to when it is computed.
    """

    def __init__(
        self,
        spec: ProviderSpec,
        cost: MeanCost,
        *,
        horizon_s: float,
    ) -> None:
        self.spec = spec
        self._grain_s = min(_GRAIN_S, horizon_s / 100.0)
        self._served = [0.0]
        self._fill(_sources(spec, cost), horizon_s)

    def _fill(self, sources: list[_Source], horizon_s: float) -> None:
        grain_s, spec = self._grain_s, self.spec
        out = list(outages(spec.events))
        total = 0.0
        for n in range(math.ceil(horizon_s / grain_s)):
            now = (n + 0.5) * grain_s
            possible = math.inf
            for source in sources:
                possible = min(possible, source.flow_in(now, grain_s))
            if _is_out(out, now):
                possible = 0.0
            if possible < math.inf:
                total += possible
                for source in sources:
                    source.level -= possible
            self._served.append(total)

    def served(self, until_s: float) -> float:
        """Requests admitted from 0 s until an instant of the horizon."""
        place = max(0.0, until_s / self._grain_s)
        whole = min(len(self._served) - 1, int(place))
        after = min(len(self._served) - 1, whole + 1)
        return self._served[whole] + (place - whole) * (self._served[after] - self._served[whole])

    def between(self, from_s: float, until_s: float) -> float:
        """Requests admitted between two instants."""
        return self.served(until_s) - self.served(from_s)

    def time_for(self, count: float) -> float:
        """The first instant by which so many could have been admitted; infinity if none is."""
        place = bisect_left(self._served, count - 1e-9)
        return place * self._grain_s if place < len(self._served) else math.inf


def _sources(spec: ProviderSpec, cost: MeanCost) -> list[_Source]:
    found: list[_Source] = []
    start = 1.0 if spec.acceleration is None else spec.acceleration.start
    for allowance, units in zip(spec.allowances, cost.units, strict=True):
        if units > 0.0:
            size = allowance.size / units
            rate = allowance.per_minute / 60.0 / units
            course = limit_course(spec.events, allowance.dimension)
            source = _Source(rate, size, course, size * start, acceleration=spec.acceleration)
            found.append(source)
    course, slowness = limit_course(spec.events, "slots"), latency_course(spec.events)
    if spec.slots is not None and cost.service_s > 0.0:
        # The requests that are begun by t, with n slots all filled at 0 (renewal theory).
        count, begun = spec.slots.count, spec.slots.count * (1.0 + cost.service_cv2) / 2.0
        found.append(_Source(count / cost.service_s, begun, course, begun, slowness))
    if spec.sharing < math.inf and cost.service_s > 0.0:
        # Work is conserved: what ends by t is at most capacity × t / service.
        flow = spec.sharing / cost.service_s
        found.append(_Source(flow, spec.sharing, course, spec.sharing, slowness))
    return found


def _is_out(out: list[Outage], now: float) -> bool:
    return any(outage.from_s <= now < outage.until_s for outage in out)
