"""Keeps count of what a provider takes and refuses, and asks the rules what follows from it."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from fanwise.limits.adaptive import concurrency, rate
from fanwise.limits.adaptive.concurrency import BINDING, Window
from fanwise.limits.adaptive.plateau import Round, comparable, stalled
from fanwise.limits.adaptive.rate import Evidence, Rate
from fanwise.limits.machine import at_once
from fanwise.limits.permit import Meter
from fanwise.limits.quota import Quota

if TYPE_CHECKING:
    from fanwise.limits.machine import Load
    from fanwise.limits.permit import Permit
    from fanwise.limits.settings import Range
    from fanwise.records import Usage

_LOOK_S: Final = 0.1
_REQUESTS_A_LOOK: Final = 8.0
_RATE_BOUND: Final = 0.8  # share of what a rate would have let through from which it is what binds
_BURST_S: Final = 0.05
_RECENT_S: Final = 15.0
_RECENT_REQUESTS: Final = 30.0
_SMOOTHING: Final = 0.05
_STALLS: Final = 2  # rounds in a row in which more at once brought nothing
_PLAIN: Final = 2.0  # so many times as much in flight: then one round says it
_GRACE_S: Final = 0.5
_TAKEN_AGAIN: Final = 20  # requests taken with as many in flight: then it is not their number
_SMALL: Final = 24.0  # above it, how many are in flight cannot be told so exactly
_LATENCIES: Final = 1.5
_NEARLY: Final = 0.9


class Learner:
    """What a limiter has learned: a concurrency, and a rate once one was refused.

    It has no clock and no timer: the limiter tells it what happens and when.

    Args:
        bounds: Between what the concurrency is learned.
    """

    __slots__ = (
        "_anchor",
        "_answered",
        "_answered_at",
        "_base",
        "_cap",
        "_closed_s",
        "_full",
        "_growing",
        "_latency_s",
        "_looked",
        "_recent",
        "_refused_since",
        "_round",
        "_round_from",
        "_spans",
        "_stalls",
        "_started_at",
        "look_at",
        "meter",
        "most",
        "rate",
        "window",
    )

    def __init__(self, bounds: Range) -> None:
        self.rate = Rate()
        self._cap = math.inf
        self.meter: Meter | None = None
        self._answered = 0
        self._full = 0
        self._round = Round()
        self._round_from = 0
        self._base: Round | None = None
        self._stalls = 0
        self._latency_s = 0.0
        self._answered_at = -math.inf
        self._started_at = math.inf
        self._anchor: tuple[int, float] | None = None  # the last refused send: number, instant
        self._refused_since = 0
        self._closed_s = 0.0
        self._looked = (0.0, 0)
        self._spans: deque[Evidence] = deque(maxlen=16)  # from refusal to refusal
        self._recent: deque[tuple[float, int]] = deque(maxlen=256)
        self.look_at = -math.inf
        self._set_window(Window(limit=bounds.start, bounds=bounds))

    def rebound(self, bounds: Range, *, now: float) -> None:
        """Learns the concurrency anew, between other bounds."""
        self._set_window(concurrency.begun(Window(limit=bounds.start, bounds=bounds), now=now))

    @property
    def grows_at(self) -> float:
        """The instant at which time alone may raise the concurrency."""
        return self.window.until

    @property
    def rpm(self) -> float | None:
        """The learned requests a minute; ``None`` before any refusal for the rate."""
        return None if self.meter is None else self.meter.quota.per_minute

    def began(self, now: float) -> None:
        """The first request of all is sent."""
        self._started_at = now
        self._set_window(concurrency.begun(self.window, now=now))

    # what is heard of requests

    def answered(self, permit: Permit, usage: Usage, *, now: float, in_flight: int) -> None:
        """A request was served; ``in_flight`` counts it still."""
        self._answered += 1
        self._answered_at = now
        if permit.in_flight >= self.most:
            self._full += 1
        latency_s = now - permit.granted_at
        if self._latency_s:
            self._latency_s += _SMOOTHING * (latency_s - self._latency_s)
        else:
            self._latency_s = latency_s
        if self._growing and in_flight >= BINDING * self.most:
            self._set_window(concurrency.answered(self.window))
            if permit.number > self._round_from:
                self._add(permit, usage.output_tokens or 1, latency_s, now=now)

    def allowed(self, left: float, *, in_flight: int) -> None:
        """The provider says how many requests it still takes; ``in_flight`` of them are there."""
        if self._growing and in_flight >= BINDING * self.most:
            self._set_window(concurrency.allowed(self.window, left=left + in_flight))

    def _add(self, permit: Permit, work: int, latency_s: float, *, now: float) -> None:
        """An answer while the concurrency grows: does more at once still bring more?"""
        seen = self._round
        seen = self._round = Round(
            answers=seen.answers + 1,
            work=seen.work + work,
            busy_s=seen.busy_s + latency_s,
            in_flight=seen.in_flight + permit.in_flight,
        )
        if not seen.enough:
            return
        base = self._base
        if base is None or not comparable(base, seen):
            self._base = base or seen
        elif not stalled(base, seen):
            self._base, self._stalls = seen, 0
        else:
            self._stalls += 1
            if self._stalls >= _STALLS or seen.width >= _PLAIN * base.width:
                self._stalls = 0
                self._set_window(concurrency.stepped_back(self.window, base.width, now=now))
        self._round = Round()
        self._round_from = permit.number + permit.in_flight

    def took(self, permit: Permit, *, for_rate: bool, since: float, now: float) -> bool:
        """Whether the provider takes requests, though it refused this one.

        Args:
            permit: Of the refused request.
            for_rate: Whether it says that it was the rate.
            since: When the first request of this epoch was sent.
            now: The present instant.
        """
        if not for_rate and not self._paced(permit):
            # It is full: what it has in work it answers in the time that answers take.
            return now - self._answered_at <= _GRACE_S + _LATENCIES * self._latency_s
        # Whoever was sent longer before it than its refusal took, and not refused, was taken.
        return permit.granted_at - since > now - permit.granted_at

    def _paced(self, permit: Permit) -> bool:
        """Whether a rate was what held requests back, not their number."""
        return self.meter is not None and permit.in_flight < BINDING * self.most

    def over_capacity(self, permit: Permit, *, now: float, opens_at: float) -> Meter | None:
        """The first refusal of an epoch, and it was for want of capacity, or gave no reason.

        A provider that counts what it has in work refuses whatever is sent above that. Where
        requests were taken again and again with as many in flight, or where the rate is what held
        them back, it is the rate that was refused.

        Returns:
            The meter that paces requests from now on; ``None`` where it was no rate.
        """
        seen = self._seen(permit)
        window = self.window
        again = self._full >= _TAKEN_AGAIN and window.limit <= _SMALL and seen.enough
        if again or self._paced(permit):
            return self._refused_rate(permit, seen, now=now, opens_at=opens_at)
        self._turn(permit, seen, now=now, opens_at=opens_at)
        self._set_window(
            concurrency.refused(
                window,
                others=permit.in_flight - 1,
                answered=self._answered,
                latency_s=self._latency_s,
                now=now,
            )
        )
        self._answered = self._full = 0
        return None

    def over_rate(self, permit: Permit, *, now: float, opens_at: float) -> Meter:
        """The first refusal of an epoch, and it was for the rate.

        Args:
            permit: Of the refused request.
            now: The present instant.
            opens_at: When the gate opens again.

        Returns:
            The meter that paces requests from now on.
        """
        return self._refused_rate(permit, self._seen(permit), now=now, opens_at=opens_at)

    def _seen(self, permit: Permit) -> Evidence:
        since = self._anchor or (0, self._started_at)
        return Evidence(
            admitted=max(0, permit.number - since[0] - 1 - self._refused_since),
            span_s=permit.granted_at - since[1],
            closed_s=self._closed_s,
            recent_per_s=self._recent_per_s(permit),
            anchored=self._anchor is not None,
        )

    def _refused_rate(
        self, permit: Permit, seen: Evidence, *, now: float, opens_at: float
    ) -> Meter:
        evidence = seen if seen.enough or not seen.anchored else self._pooled(seen)
        before = self.rate
        if before.per_s == math.inf and seen.anchored:
            before = rate.at(seen.admitted / seen.span_s)
        meter = self._set_rate(rate.refused(before, evidence), now=now)
        meter.arrival = max(meter.arrival, max(now, opens_at) + _BURST_S)
        self._turn(permit, seen, now=now, opens_at=opens_at)
        self._recent.clear()
        self._full = 0
        return meter

    def _turn(self, permit: Permit, seen: Evidence, *, now: float, opens_at: float) -> None:
        """From this refusal on, what is admitted is counted anew."""
        if seen.anchored:
            self._spans.append(seen)
        self._anchor = (permit.number, permit.granted_at)
        self._refused_since = 0
        self._closed_s = max(0.0, opens_at - now)

    def refused_late(self, permit: Permit, *, for_rate: bool) -> None:
        """A further refusal of an epoch that is over: of the same mistake."""
        anchor = self._anchor
        if anchor is None or permit.number <= anchor[0]:
            return
        if for_rate:
            self._anchor = (permit.number, permit.granted_at)
            self._refused_since = 0
        else:
            self._refused_since += 1

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
            )
            if seen.enough:
                break
        return seen

    def out(self, permit: Permit, *, now: float, opens_at: float) -> None:
        """A refusal in an outage. About the limits it proves nothing, and they stay as they are."""
        if self._anchor is not None:
            self._anchor = (permit.number, permit.granted_at)
            self._refused_since = 0
            self._closed_s = max(0.0, opens_at - now)

    # what time brings

    def look(self, now: float, *, granted: int) -> None:
        """Lets grow what was what bound since the last look."""
        window = concurrency.waited(self.window, now=now, any_answer=self._answered > 0)
        if window is not self.window:
            self._set_window(window)
        before, granted_before = self._looked
        elapsed_s = now - before
        self._looked = (now, granted)
        self._recent.append((now, granted))
        per_s = self.rate.per_s
        if per_s == math.inf:
            self.look_at = now + _LOOK_S
            return
        self.look_at = now + max(_LOOK_S, _REQUESTS_A_LOOK / per_s)
        if granted - granted_before >= _RATE_BOUND * per_s * elapsed_s:
            self._set_rate(rate.grown(self.rate, elapsed_s=elapsed_s), now=now)

    def _recent_per_s(self, permit: Permit) -> float:
        """Requests a second sent shortly before this one."""
        if not self._recent:
            return 0.0
        per_s = self.rate.per_s
        most_s = min(_RECENT_S, max(1.5, _RECENT_REQUESTS / per_s)) if per_s < math.inf else 2.0
        for at, granted in self._recent:
            span_s = permit.granted_at - at
            if span_s <= most_s:
                return (permit.number - granted) / span_s if span_s >= 1.0 else 0.0
        return 0.0

    def _set_window(self, window: Window) -> None:
        self.window = window
        self._growing = window.growing
        self._set_most()

    def bear(self, load: Load, *, in_flight: int) -> bool:
        """Takes in how busy this machine is; whether that changes what may be in flight."""
        before = self.most
        self._cap = at_once(load, cap=self._cap, in_flight=in_flight)
        self._set_most()
        return self.most != before

    @property
    def capped(self) -> bool:
        """Whether it is this machine that bounds the requests in flight.

        A bound just below the limit comes from when it was looked at: the limit is what binds.
        """
        return self._cap < _NEARLY * self.window.limit

    def _set_most(self) -> None:
        most = min(self.window.limit, self._cap)
        self.most = most if most == math.inf else float(int(most))

    def _set_rate(self, learned: Rate, *, now: float) -> Meter:
        self.rate = learned
        quota = Quota(dimension="requests", per_minute=learned.per_s * 60.0, burst_s=_BURST_S)
        if self.meter is None:
            self.meter = Meter(quota)
        else:
            self.meter.change(quota, now)
        return self.meter
