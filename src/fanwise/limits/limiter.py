"""The one permit behind which every limit of a quota pool stands."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fanwise.errors import PermitTimeout
from fanwise.limits.gate import Gate, says_exhausted
from fanwise.limits.permit import Meter, Permit
from fanwise.limits.quota import ROUNDING_S, amount_of
from fanwise.limits.waiting import CauseAccount, Waiter
from fanwise.records import Cause, Cost, Usage, Verdict

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.limits.settings import Limits

__all__ = ["Limiter", "LimiterStatistics", "Permit"]

_ONE_REQUEST: Final = Cost()
_PROBE: Final = Cost(requests=1, input_tokens=1, output_tokens=1)
_UNSENT: Final = Verdict(kind="cancelled", reason="its owner was gone before it could be used")
_SHORTEST_TIMER_S = 0.001  # finer timers cost wake-ups and win nothing: a burst makes up for them


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
    """

    in_flight: int
    waiting: int
    granted: int
    refused: int
    queued_s: float
    peak_in_flight: int
    held_s: Mapping[Cause, float]


class Limiter:
    """Admits requests to one quota pool, first come, first served.

    A request is admitted when the gate is open, fewer than ``concurrency`` are in flight and every
    quota admits it. All of this is looked at first and then taken together, or nothing is. Whoever
    waits is never overtaken, so a large request gets its turn however many small ones follow it.
    A permit belongs to its new owner before that owner is woken; an owner that was cancelled
    meanwhile passes it on. The limiter runs no task: it acts when a permit is asked for or settled,
    and sets one timer for the next moment at which time itself lets somebody through.

    Args:
        limits: The limits; :meth:`update` changes them.
        clock: Time. Its monotonic reading advances as the event loop's does.
        name: What it limits, for messages.
    """

    def __init__(self, limits: Limits, *, clock: Clock, name: str = "") -> None:
        self._clock = clock
        self._name = name
        self._limits = limits
        self._meters = tuple(Meter(quota) for quota in limits.quotas())
        self._gate = Gate()
        self._in_flight = 0
        self._queue: deque[Waiter] = deque()
        self._waiting = 0
        self._closed: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._room_callbacks: list[Callable[[], None]] = []
        self._room_missed = False
        self._room_told: asyncio.Handle | None = None
        self._causes = CauseAccount()
        self._granted = 0
        self._refused = 0
        self._queued_s = 0.0
        self._peak = 0

    # what is asked of it

    async def acquire(self, cost: Cost = _ONE_REQUEST, *, deadline: float | None = None) -> Permit:
        """A permit for one request, as soon as its turn has come.

        A caller that is cancelled while it waits holds nothing afterwards.

        Args:
            cost: What the request is expected to take; put right when the permit is settled.
            deadline: Instant on the clock's monotonic reading after which waiting is pointless.

        Raises:
            PermitTimeout: The deadline passed first; nothing was taken.
            Exception: What :meth:`close` was given.
        """
        now = self._clock.monotonic()
        if self._closed is not None:
            raise self._closed
        if deadline is not None and now >= deadline:
            raise self._too_late(0.0)
        if not self._waiting and self._obstacle(cost, now) is None:
            return self._grant(cost, now, queued_s=0.0, cause="nothing")
        return await self._wait(cost, now, deadline=deadline)

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._limits

    @property
    def in_flight(self) -> int:
        """Permits that are held."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Requests that wait for a permit."""
        return self._waiting

    @property
    def has_room(self) -> bool:
        """Whether a further request would get its permit at once.

        A *no* is remembered: the callbacks of :meth:`on_room` follow when it has become a *yes*.
        """
        now = self._clock.monotonic()
        if self._closed is None and not self._waiting and self._obstacle(_PROBE, now) is None:
            return True
        self._room_missed = True
        self._look_for_room(now)
        return False

    def on_room(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back, soon and never from within, when there is room again.

        There is room when nobody waits any longer and a further request would be admitted, after
        somebody had to wait or :attr:`has_room` said no. Returns what ends the callbacks.
        """
        self._room_callbacks.append(callback)
        return lambda: self._room_callbacks.remove(callback)

    def waiting_by_cause(self) -> Mapping[Cause, int]:
        """Waiting requests by what they wait for: what holds the first one back holds all back."""
        cause = self._causes.current
        return {cause: self._waiting} if self._waiting and cause is not None else {}

    def statistics(self) -> LimiterStatistics:
        """What it has done so far, and what it is doing."""
        return LimiterStatistics(
            in_flight=self._in_flight,
            waiting=self._waiting,
            granted=self._granted,
            refused=self._refused,
            queued_s=self._queued_s,
            peak_in_flight=self._peak,
            held_s=self._causes.by_cause(self._clock.monotonic()),
        )

    def update(self, limits: Limits) -> None:
        """Puts other limits into force at once.

        Requests in flight stay so, even above a lower concurrency; what a quota is owed stays owed.
        """
        now = self._clock.monotonic()
        known = {meter.quota.dimension: meter for meter in self._meters}
        meters: list[Meter] = []
        for quota in limits.quotas():
            meter = known.get(quota.dimension)
            if meter is None:
                meter = Meter(quota)
            else:
                meter.change(quota, now)
            meters.append(meter)
        self._limits = limits
        self._meters = tuple(meters)
        self._advance(now)

    def close(self, error: Exception) -> None:
        """Gives this error to everybody who waits, and to everybody who asks from now on.

        Permits that are held stay valid and are settled as ever.
        """
        self._closed = error
        for waiter in self._queue:
            if waiter.queued and not waiter.future.done():
                self._take_out(waiter)
                waiter.future.set_exception(error)
        self._advance(self._clock.monotonic())

    def __repr__(self) -> str:
        most = self._limits.concurrency
        return (
            f"<Limiter {self._name or 'unnamed'}: {self._in_flight} of {most} in flight, "
            f"{self._waiting} waiting{self._for_what()}>"
        )

    # waiting

    async def _wait(self, cost: Cost, now: float, *, deadline: float | None) -> Permit:
        loop = asyncio.get_running_loop()
        waiter = Waiter(
            cost, since=now, future=loop.create_future(), held_s=self._causes.snapshot(now)
        )
        self._queue.append(waiter)
        self._waiting += 1
        self._room_missed = True
        if self._waiting == 1:
            self._advance(now)
        timer = None
        if deadline is not None and deadline < math.inf:
            timer = loop.call_later(deadline - now, self._expire, waiter)
        try:
            return await waiter.future
        except BaseException:
            # Whatever ended the wait, cancellation above all: nothing may be held afterwards.
            self._withdraw(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _withdraw(self, waiter: Waiter) -> None:
        future = waiter.future
        if waiter.queued:
            self._take_out(waiter)
            self._advance(self._clock.monotonic())
        elif not future.cancelled() and future.exception() is None:
            self._pass_on(future.result())

    def _pass_on(self, permit: Permit) -> None:
        permit.settle(_UNSENT, sent=False)

    def _expire(self, waiter: Waiter) -> None:
        if waiter.queued and not waiter.future.done():
            error = self._too_late(self._clock.monotonic() - waiter.since)
            self._take_out(waiter)
            waiter.future.set_exception(error)
            self._advance(self._clock.monotonic())

    def _take_out(self, waiter: Waiter) -> None:
        """Ends a wait in the middle of the queue; its place is cleared away later, all at once."""
        waiter.queued = False
        self._waiting -= 1
        if len(self._queue) > 2 * self._waiting + 64:
            self._queue = deque(other for other in self._queue if other.queued)

    # admission

    def _obstacle(self, cost: Cost, now: float) -> tuple[Cause, float] | None:
        """What keeps a request from being sent now, and the instant at which time ends that."""
        if now < self._gate.closed_until:
            return "retry wait", self._gate.closed_until
        if self._in_flight >= self._limits.concurrency:
            return "concurrency", math.inf
        obstacle: tuple[Cause, float] | None = None
        latest = now + ROUNDING_S
        for meter in self._meters:
            quota = meter.quota
            opens_at = quota.opens_at(meter.arrival)
            if opens_at > latest and amount_of(cost, quota.dimension):
                latest = opens_at
                obstacle = "rate" if quota.dimension == "requests" else "tokens", opens_at
        return obstacle

    def _grant(self, cost: Cost, now: float, *, queued_s: float, cause: Cause) -> Permit:
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        for meter in self._meters:
            meter.take(cost, now)
        self._granted += 1
        self._queued_s += queued_s
        return Permit(
            self._settle,
            cost=cost,
            meters=self._meters,
            epoch=self._gate.epoch,
            granted_at=now,
            queued_s=queued_s,
            cause=cause,
        )

    def _advance(self, now: float) -> None:
        """Grants whatever can be granted, and sets the timer for what time alone will allow."""
        queue = self._queue
        while queue:
            waiter = queue[0]
            if waiter.queued and waiter.future.done():
                self._take_out(waiter)  # cancelled, and not yet awake to say so
                queue = self._queue
                continue
            if waiter.queued:
                obstacle = self._obstacle(waiter.cost, now)
                if obstacle is not None:
                    self._causes.turn_to(obstacle[0], now)
                    self._set_timer(obstacle[1], now)
                    return
                self._hand_over(waiter, now)
            queue.popleft()
        self._causes.turn_to(None, now)
        if self._room_missed:
            self._look_for_room(now)

    def _hand_over(self, waiter: Waiter, now: float) -> None:
        waiter.queued = False
        self._waiting -= 1
        cause = self._causes.main_cause(waiter, now)
        permit = self._grant(waiter.cost, now, queued_s=now - waiter.since, cause=cause)
        waiter.future.set_result(permit)

    def _settle(
        self, permit: Permit, verdict: Verdict, usage: Usage, headers: Mapping[str, str], sent: bool
    ) -> None:
        now = self._clock.monotonic()
        self._in_flight -= 1
        for meter in permit.meters:
            meter.put_right(permit.cost, usage if sent else None, now)
        kind = verdict.kind
        if kind == "served":
            if self._gate.strikes:
                self._gate = self._gate.served(epoch=permit.epoch)
        elif kind in {"rate", "capacity"}:
            self._refused += 1
            self._gate = self._gate.refused(
                epoch=permit.epoch,
                sent_at=permit.granted_at,
                now=now,
                retry_after_s=verdict.retry_after_s,
                exhausted=says_exhausted(headers),
            )
        if self._waiting:
            self._advance(now)
        elif self._room_missed:
            self._look_for_room(now)

    # time, room and the account of causes

    def _set_timer(self, at: float, now: float) -> None:
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(_SHORTEST_TIMER_S, at - now), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        self._advance(self._clock.monotonic())

    def _look_for_room(self, now: float) -> None:
        if self._waiting or self._closed is not None or not self._room_callbacks:
            return
        obstacle = self._obstacle(_PROBE, now)
        if obstacle is not None:
            self._set_timer(obstacle[1], now)
            return
        self._room_missed = False
        if self._room_told is None:
            self._room_told = asyncio.get_running_loop().call_soon(self._tell_room)

    def _tell_room(self) -> None:
        self._room_told = None
        for callback in tuple(self._room_callbacks):
            callback()

    def _too_late(self, waited_s: float) -> PermitTimeout:
        return PermitTimeout(
            f"no permit of {self._name or 'the limiter'} was free in {waited_s:.1f} s: "
            f"{self._in_flight} of {self._limits.concurrency} in flight, {self._waiting} waiting"
            f"{self._for_what()}",
            hint="allow more time, or more at once where the provider does",
        )

    def _for_what(self) -> str:
        cause = self._causes.current
        return f" for {cause}" if self._waiting and cause is not None else ""
