"""Keeps count of what is sent and refused, and paces requests by what that says of the rate."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from fanwise.limits.adaptive import rate
from fanwise.limits.adaptive.rate import Evidence, Rate
from fanwise.limits.adaptive.unit import Stretch
from fanwise.limits.permit import Meter
from fanwise.limits.quota import Quota
from fanwise.limits.weighing import Prepaid, Scale

if TYPE_CHECKING:
    from fanwise.limits.permit import Permit
    from fanwise.records import Usage

_LOOK_S: Final = 0.1
_REQUESTS_A_LOOK: Final = 8.0
_RATE_BOUND: Final = 0.8  # share of what a rate would have let through from which it is what binds
_BURST_S: Final = 0.05
_OVERDRAWN: Final = 4.0  # requests
_FORGETS: Final = 0.75
_REMEMBERED: Final = 0.5
_COUNTS: Final = 20  # requests
_RECENT_S: Final = 15.0
_RECENT_REQUESTS: Final = 30.0


class Pace:
    """A rate that is learned: in requests, or in tokens where these are what is counted.

    Tokens are weighed from the first refusal on. Where they turn out to be counted, one means as
    many of them as a typical token's request has.
    """

    __slots__ = (
        "_anchor",
        "_closed_s",
        "_first",
        "_looked",
        "_overdrawn",
        "_recent",
        "_refused_since",
        "_spans",
        "_started_at",
        "_stretches",
        "_surge",
        "meter",
        "rate",
        "scale",
    )

    def __init__(self) -> None:
        self.rate = Rate()
        self.meter: Meter | None = None
        self.scale: Scale | None = None  # from the first refusal for the rate on
        self._started_at = math.inf
        # The last refused send: its number, its instant, the tokens taken until then.
        self._anchor: tuple[int, float, float] | None = None
        self._first = (0.0, 0.0)  # what was taken before the first refusal, and in what time
        self._refused_since = 0
        self._surge: tuple[int, float, float, int] | None = None  # the same, and what was refused
        self._overdrawn = 0.0  # above a half where it was of late
        self._closed_s = 0.0
        self._spans: deque[Evidence] = deque(maxlen=16)  # from refusal to refusal
        self._stretches: deque[Stretch] = deque(maxlen=16)  # the same in both units
        self._looked = (0.0, 0.0)
        self._recent: deque[tuple[float, float]] = deque(maxlen=256)

    @property
    def per_minute(self) -> float | None:
        """The learned requests a minute, of mean size; ``None`` before any refusal for the rate."""
        if self.meter is None:
            return None
        scale = self.scale
        if scale is None or not scale.reference:
            return self.rate.per_s * 60.0
        return self.rate.per_s * 60.0 * scale.reference / max(1.0, scale.mean_used)

    @property
    def tokens_per_minute(self) -> float | None:
        """The learned tokens a minute; ``None`` where they are not what is counted."""
        return self.meter.quota.per_minute if isinstance(self.meter, Prepaid) else None

    def began(self, now: float) -> None:
        """The first request of all is sent."""
        self._started_at = now

    # what was admitted between two refusals

    def seen(self, permit: Permit) -> Evidence:
        """What was seen up to a refused request."""
        stretch = self._stretch(permit)
        scale = self.scale
        admitted, weight = stretch.requests, 1.0
        if scale is not None and scale.reference:
            admitted, weight = stretch.tokens / scale.reference, scale.weight(permit)
        pace = admitted / max(stretch.span_s, 1e-3)
        first, first_s = self._first
        return Evidence(
            admitted=admitted,
            span_s=stretch.span_s,
            closed_s=self._closed_s,
            recent_per_s=self._recent_per_s(permit),
            anchored=self._anchor is not None,
            weight=weight,
            spare=self._spare(pace),
            held=max(0.0, first - pace * first_s),
        )

    def _stretch(self, permit: Permit) -> Stretch:
        number, at, tokens = self._since
        return Stretch(
            requests=max(0, permit.number - number - 1 - self._refused_since),
            tokens=max(0.0, self._tokens - tokens),
            span_s=permit.granted_at - at,
        )

    @property
    def _since(self) -> tuple[int, float, float]:
        return self._anchor or (0, self._started_at, 0.0)

    @property
    def _tokens(self) -> float:
        return 0.0 if self.scale is None else self.scale.total

    def _counted(self, number: int, tokens: float) -> float:
        """So many requests, or so many tokens, in what the provider counts."""
        scale = self.scale
        return tokens / scale.reference if scale is not None and scale.reference else number

    def _spare(self, pace: float) -> float:
        """How far requests once were behind an even pace since the last refusal."""
        number, began, tokens = self._since
        before = self._counted(number, tokens)
        behind = (pace * (at - began) - (counted - before) for at, counted in self._recent)
        return max(behind, default=0.0)

    def _recent_per_s(self, permit: Permit) -> float:
        """What was sent a second shortly before a request."""
        per_s = self.rate.per_s
        most_s = min(_RECENT_S, max(1.5, _RECENT_REQUESTS / per_s)) if per_s < math.inf else 2.0
        sent = self._counted(permit.number, self._tokens)
        for at, counted in self._recent:
            span_s = permit.granted_at - at
            if span_s <= most_s:
                return (sent - counted) / span_s if span_s >= 1.0 else 0.0
        return 0.0

    def _pooled(self, seen: Evidence) -> Evidence:
        """What was seen since the last refusal, and before the one before it, as far as need be.

        The bucket was empty at each of them, so that what lies between any two is a measurement.
        """
        for one in reversed(self._spans):
            seen = Evidence(
                admitted=seen.admitted + one.admitted,
                span_s=seen.span_s + one.span_s,
                closed_s=seen.closed_s + one.closed_s,
                refusals=seen.refusals + 1,
                uneven=seen.uneven or one.rose,
                weight=seen.weight,
            )
            if seen.enough:
                break
        return seen

    # what is heard of refusals

    def refused(self, permit: Permit, seen: Evidence, *, now: float, opens_at: float) -> Meter:
        """The first refusal of an epoch, and it was for the rate.

        Args:
            permit: Of the refused request.
            seen: What :meth:`seen` said of it.
            now: The present instant.
            opens_at: When the gate opens again.

        Returns:
            The meter that paces requests from now on.
        """
        if self.scale is None:
            self.scale = Scale()
            if not seen.anchored:
                self._first = (seen.admitted, seen.span_s)
        elif self.scale.judge(permit, self._stretch(permit)):
            return self._count_anew(permit, seen, now=now, opens_at=opens_at)
        evidence = seen if seen.enough or not seen.anchored else self._pooled(seen)
        before = self.rate
        if before.per_s == math.inf and seen.anchored:
            before = rate.at(seen.admitted / seen.span_s)
        self._set(rate.refused(before, evidence), now=now)
        return self._go_on(permit, seen, now=now, opens_at=opens_at)

    def _count_anew(self, permit: Permit, seen: Evidence, *, now: float, opens_at: float) -> Meter:
        """It is something else that the provider counts: the rate so far, in that unit."""
        stretches = [*self._stretches, self._stretch(permit)]
        taken = sum(self._counted(one.requests, one.tokens) for one in stretches)  # type: ignore[arg-type]
        self.meter = None
        self._looked = (now, self._counted(permit.number, self._tokens))
        self._set(rate.found(taken / sum(one.span_s for one in stretches)), now=now)
        meter = self._go_on(permit, seen, now=now, opens_at=opens_at)
        self._spans.clear()
        return meter

    def _set(self, learned: Rate, *, now: float) -> None:
        self.rate = learned
        scale, per_minute = self.scale, learned.per_s * 60.0
        if scale is not None and scale.reference:
            per_minute *= scale.reference
            quota = Quota(dimension="tokens", per_minute=per_minute, burst_s=_BURST_S)
            meter: Meter = Prepaid(quota, scale)
        else:
            quota = Quota(dimension="requests", per_minute=per_minute, burst_s=_BURST_S)
            meter = Meter(quota)
        if self.meter is None:
            self.meter = meter
        else:
            self.meter.change(quota, now)

    def _go_on(self, permit: Permit, seen: Evidence, *, now: float, opens_at: float) -> Meter:
        meter = self.meter
        assert meter is not None
        enough_at = max(now, opens_at)
        if seen.anchored:
            # What the bucket lacked of one request has flowed in once a whole one has, unless it
            # was overdrawn: then those that follow are refused too.
            self._overdrawn = 1.0 if seen.admitted < 1 else self._overdrawn * _FORGETS
            lacking = _OVERDRAWN if self._overdrawn > _REMEMBERED else min(1.0, seen.weight)
            enough_at = max(enough_at, permit.granted_at + lacking / self.rate.per_s)
        meter.arrival = max(meter.arrival, enough_at + _BURST_S)
        self.turn(permit, seen, now=now, opens_at=opens_at)
        self._recent.clear()
        return meter

    def turn(self, permit: Permit, seen: Evidence, *, now: float, opens_at: float) -> None:
        """From this refusal on, what is admitted is counted anew."""
        if seen.anchored:
            self._spans.append(seen)
            self._stretches.append(self._stretch(permit))
        self._drop_anchor(permit)
        self._closed_s = max(0.0, opens_at - now)

    def _drop_anchor(self, permit: Permit) -> None:
        self._anchor = (permit.number, permit.granted_at, self._tokens)
        self._refused_since = 0

    def refused_late(self, permit: Permit, *, for_rate: bool) -> None:
        """A further refusal of an epoch that is over: of the same mistake."""
        if self._anchor is None or permit.number <= self._anchor[0]:
            return
        if for_rate or (self.scale is not None and self.scale.reference):
            self._drop_anchor(permit)
        else:
            self._refused_since += 1

    def ignored(self, permit: Permit) -> None:
        """A refusal by chance: it was not taken, and the bucket need not have been empty."""
        if permit.number > self._since[0]:
            self._refused_since += 1
            if self._surge is not None and permit.number > self._surge[0]:
                self._surge = (*self._surge[:3], self._surge[3] + 1)

    def surge(self, permit: Permit) -> None:
        """From this request on, more may be refused than comes by chance: the bucket is empty."""
        self._surge = (permit.number, permit.granted_at, self._tokens, 0)

    def found_limit(self, permit: Permit) -> None:
        """More is refused than comes by chance: what was taken is counted since that began."""
        if self._surge is None or self.meter is None:
            return
        number, at, tokens, refused = self._surge
        if permit.number - number - refused > _COUNTS:
            self._anchor, self._refused_since, self._closed_s = (number, at, tokens), refused, 0.0
            self._surge = None

    def go_to(self, learned: Rate, *, now: float) -> None:
        """Another rate from now on, where one is learned at all."""
        if self.meter is not None and learned.per_s < math.inf:
            self._set(learned, now=now)

    def out(self, permit: Permit, *, now: float, opens_at: float) -> None:
        """A refusal in an outage: it says nothing of the rate."""
        if self._anchor is not None:
            self._drop_anchor(permit)
            self._closed_s = max(0.0, opens_at - now)

    def came(self, permit: Permit, usage: Usage, *, sent: bool, refused: bool) -> None:
        """A request was answered, or was refused and took nothing of a quota of tokens."""
        if self.scale is not None:
            self.scale.came(permit, usage, taken=sent and not refused)
        meter = self.meter
        if refused and isinstance(meter, Prepaid) and meter in permit.meters:
            meter.give_back(permit.cost)

    # what time brings

    def look(self, now: float, *, granted: int) -> float:
        """Lets the rate grow if it was what bound since the last look; when to look again."""
        before, counted_before = self._looked
        elapsed_s = now - before
        counted = self._counted(granted, self._tokens)
        self._looked = (now, counted)
        self._recent.append((now, counted))
        per_s = self.rate.per_s
        if per_s == math.inf:
            return now + _LOOK_S
        if counted - counted_before >= _RATE_BOUND * per_s * elapsed_s:
            self._set(rate.grown(self.rate, elapsed_s=elapsed_s), now=now)
        return now + max(_LOOK_S, _REQUESTS_A_LOOK / per_s)
