"""Keeps count of what a provider takes and refuses, and asks the rules what follows from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from fanwise.limits.adaptive import concurrency, noise, rate
from fanwise.limits.adaptive.concurrency import BINDING, Window
from fanwise.limits.adaptive.noise import Noise
from fanwise.limits.adaptive.plateau import Round, comparable, stalled
from fanwise.limits.machine import at_once
from fanwise.limits.pace import Pace

if TYPE_CHECKING:
    from fanwise.limits.adaptive.rate import Evidence, Rate
    from fanwise.limits.machine import Load
    from fanwise.limits.permit import Meter, Permit
    from fanwise.limits.settings import Range
    from fanwise.records import Usage, Verdict

_SMOOTHING: Final = 0.05
_STALLS: Final = 2  # rounds in a row in which more at once brought nothing
_PLAIN: Final = 2.0  # so many times as much in flight: then one round says it
_GRACE_S: Final = 0.5
_TAKEN_AGAIN: Final = 20  # requests taken with as many in flight: then it is not their number
_SMALL: Final = 24.0  # above it, how many are in flight cannot be told so exactly
_FEW: Final = 8.0  # up to here it can, whoever else is there
_OTHERS: Final = 0.1  # a margin that says that others take what was there before
_LATENCIES: Final = 1.5
_NEARLY: Final = 0.9
_LEAP: Final = 1.5
_LEFT_BEHIND: Final = 2.0
_LOWER: Final = 0.96


class Learner:
    """What a limiter has learned: a concurrency, and a rate once one was refused.

    It has no clock and no timer: the limiter tells it what happens and when.

    Args:
        bounds: Between what the concurrency is learned.
    """

    __slots__ = (
        "_answered",
        "_answered_at",
        "_base",
        "_before",
        "_cap",
        "_full",
        "_growing",
        "_latency_s",
        "_noise",
        "_rate_named",
        "_round",
        "_round_from",
        "_stage",
        "_stalls",
        "look_at",
        "most",
        "pace",
        "window",
    )

    def __init__(self, bounds: Range) -> None:
        self.pace = Pace()
        self._cap = math.inf
        # Refusals by chance: for capacity, for rate.
        self._noise = [Noise(proof=noise.CAPACITY), Noise(proof=noise.RATE)]
        self._rate_named = False  # whether it was one for rate that the rate comes from
        self._stage = (0, 0.0)  # of a trial: the number of its first request, its beginning
        self._before: tuple[Rate, Window] | None = None  # a trial
        self._answered = 0
        self._full = 0
        self._round = Round()
        self._round_from = 0
        self._base: Round | None = None
        self._stalls = 0
        self._latency_s = 0.0
        self._answered_at = -math.inf
        self.look_at = -math.inf
        self._set_window(Window(limit=bounds.start, bounds=bounds))

    def rebound(self, bounds: Range, *, now: float) -> None:
        """Learns the concurrency anew, between other bounds."""
        self._set_window(concurrency.begun(Window(limit=bounds.start, bounds=bounds), now=now))

    @property
    def learning(self) -> bool:
        """Whether refusals are still being followed to the limit that they come from."""
        unsure = self.pace.rate.per_s < math.inf and not self.pace.rate.sure
        return unsure or self.window.phase in {"hold", "regain"}

    @property
    def grows_at(self) -> float:
        """The instant at which time alone may raise the concurrency."""
        return self.window.until

    def began(self, now: float) -> None:
        """The first request of all is sent."""
        self.pace.began(now)
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

    def took(self, permit: Permit, verdict: Verdict, *, since: float, now: float) -> bool:
        """Whether the provider takes requests, though it refused this one.

        Args:
            permit: Of the refused request.
            verdict: What it was refused for.
            since: When the first request of this epoch was sent.
            now: The present instant.
        """
        by_chance = self._noise[_counted(verdict)].share > 0.0
        if by_chance or (verdict.kind != "rate" and not self._paced(permit)):
            # It is full: what it has in work it answers in the time that answers take.
            return now - self._answered_at <= _GRACE_S + _LATENCIES * self._latency_s
        # Whoever was sent longer before it than its refusal took, and not refused, was taken.
        return permit.granted_at - since > now - permit.granted_at

    def _paced(self, permit: Permit) -> bool:
        """Whether a rate was what held requests back, not their number."""
        return self.pace.meter is not None and permit.in_flight < BINDING * self.most

    def by_chance(self, permit: Permit, verdict: Verdict, *, now: float) -> bool:
        """The first refusal of an epoch: whether it says nothing of the limits."""
        counted = _counted(verdict)
        trial = self._noise[counted]
        said = self._counted_refusal(permit, counted=counted, first=True)
        if said == "try":
            self._try(trial, permit, counted=counted, now=now)
        elif said == "go on":
            self._go_on(trial, self._noise[counted], now=now)
        elif said == "back" and self._before is not None:
            before, window = self._before
            number, began = self._stage
            taken = noise.taken(trial, sent=permit.number - number) / max(0.1, now - began)
            better = taken > noise.BETTER * before.per_s
            self.pace.go_to(rate.found(taken) if better else before, now=now)
            self._set_window(concurrency.back(window, now=now))
            self._noise[counted] = noise.failed(self._noise[counted], better=better)
        if said == "heed":
            if trial.confirmed:
                self.pace.found_limit(permit)
            return False
        self.pace.ignored(permit)
        return True

    def _try(self, trial: Noise, permit: Permit, *, counted: bool, now: float) -> None:
        """Goes back to the limits before a row of refusals that is taken for chance."""
        self._before = self.pace.rate, self.window
        self._stage = permit.number, now
        before = max((cut.rate for cut in trial.cuts), key=lambda one: one.per_s)
        if before.per_s == math.inf:
            before = self.pace.rate
        named = self._rate_named and not counted
        self.pace.go_to(before if named else rate.found(before.per_s), now=now)
        width = max(cut.width for cut in trial.cuts)
        self._set_window(concurrency.given_back(self.window, width))

    def _go_on(self, trial: Noise, known: Noise, *, now: float) -> None:
        """A stage is over in which no more was refused than by chance."""
        if not trial.confirmed:
            self._set_window(concurrency.free(self.window))
        learned = self.pace.rate
        if not learned.sure and learned.per_s < _LEFT_BEHIND * known.per_s:
            self.pace.go_to(rate.found(_LEAP * learned.per_s), now=now)

    def refused_late(self, permit: Permit, verdict: Verdict) -> None:
        """A further refusal of an epoch that is over."""
        for_rate = verdict.kind == "rate"
        if self._counted_refusal(permit, counted=_counted(verdict), first=False) == "ignore":
            self.pace.ignored(permit)
        else:
            self.pace.refused_late(permit, for_rate=for_rate)

    def _counted_refusal(self, permit: Permit, *, counted: bool, first: bool) -> noise.Said:
        learned, window = self.pace.rate, self.window
        paced = self._paced(permit)
        below = (
            learned.per_s < learned.peak_per_s
            if paced
            else permit.in_flight <= _LOWER * window.level
        )
        known, said = noise.refused(
            self._noise[counted],
            noise.Refusal(
                number=permit.number,
                at=permit.granted_at,
                first=first,
                low=below,
                rate=learned,
                width=window.limit,
                held=self._rate_named and not counted,
            ),
        )
        self._noise[counted] = known
        if known.share and known.surge == permit.number:
            self.pace.surge(permit)
        return said

    def over_capacity(self, permit: Permit, *, now: float, opens_at: float) -> Meter | None:
        """The first refusal of an epoch, and it was for want of capacity, or gave no reason.

        A provider that counts what it has in work refuses whatever is sent above that. Where
        requests were taken again and again with as many in flight, or where the rate is what held
        them back, it is the rate that was refused.

        Returns:
            The meter that paces requests from now on; ``None`` where it was no rate.
        """
        seen = self.pace.seen(permit)
        window = self.window
        alone = window.margin < _OTHERS or window.limit <= _FEW
        again = self._full >= _TAKEN_AGAIN and alone and window.limit <= _SMALL and seen.enough
        if again or self._paced(permit):
            return self._refused_rate(permit, seen, now=now, opens_at=opens_at, named=False)
        self.pace.turn(permit, seen, now=now, opens_at=opens_at)
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
        seen = self.pace.seen(permit)
        return self._refused_rate(permit, seen, now=now, opens_at=opens_at, named=True)

    def _refused_rate(
        self, permit: Permit, seen: Evidence, *, now: float, opens_at: float, named: bool
    ) -> Meter:
        self._full = 0
        self._rate_named = self._rate_named or named
        return self.pace.refused(permit, seen, now=now, opens_at=opens_at)

    # what time brings

    def look(self, now: float, *, granted: int) -> None:
        """Lets grow what was what bound since the last look."""
        window = concurrency.waited(self.window, now=now, any_answer=self._answered > 0)
        if window is not self.window:
            self._set_window(window)
        self.look_at = self.pace.look(now, granted=granted)

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


def _counted(verdict: Verdict) -> bool:
    """Whether a refusal is of those that a provider gives because it counts requests.

    It says so by its status, whether or not it names a wait: such are seldom there by chance.
    """
    return verdict.counted or verdict.kind == "rate"
