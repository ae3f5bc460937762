"""The one permit behind which every limit of a quota pool stands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from fanwise.errors import PermitTimeout
from fanwise.limits.alarm import Alarm
from fanwise.limits.gate import Gate, says_exhausted
from fanwise.limits.learning import Learner
from fanwise.limits.meters import Meters, requests_left
from fanwise.limits.permit import Permit
from fanwise.limits.quota import ROUNDING_S, amount_of
from fanwise.limits.room import Room
from fanwise.limits.statistics import LimiterStatistics, occupancy
from fanwise.limits.waiting import CauseAccount, Line, Priority, Waiter
from fanwise.records import Cause, Cost, StatedLimit, Usage, Verdict

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.limits.machine import Load
    from fanwise.limits.settings import Limits

__all__ = ["Limiter", "LimiterStatistics", "Permit"]

_ONE_REQUEST: Final = Cost()
_PROBE: Final = Cost(requests=1, input_tokens=1, output_tokens=1)
_UNSENT: Final = Verdict(kind="cancelled", reason="its owner was gone before it could be used")


class Limiter:
    """Admits requests to one quota pool, first come, first served within a priority.

    A request is admitted when the gate is open, fewer are in flight than the concurrency limit and
    every quota admits it, those that were learned included. All of this is looked at first and then
    taken together, or nothing is. A large request gets its turn however many small ones follow it.
    A permit belongs to its new owner before that owner is woken, who passes it on if cancelled. The
    limiter runs no task: it acts when a permit is asked for or settled, and sets one timer for the
    next moment at which time itself lets somebody through.

    Args:
        limits: The limits; :meth:`update` changes them.
        clock: Time. Its monotonic reading advances as the event loop's does.
        name: What it limits, for messages.
    """

    def __init__(self, limits: Limits, *, clock: Clock, name: str = "") -> None:
        self._clock = clock
        self._name = name
        self._limits = limits
        self._learner = Learner(limits.concurrency_range)
        self._meters = Meters(limits)
        self._gate = Gate()
        self._paused = False
        self._in_flight = 0
        self._sent_in_epoch, self._epoch_began = 0, 0.0
        self._queue = Line()
        self._closed: Exception | None = None
        self._alarm = Alarm(self._ring)
        self._room = Room()
        self._causes = CauseAccount()
        self._granted = 0
        self._refused = 0
        self._queued_s, self._peak = 0.0, 0

    # what is asked of it

    async def acquire(
        self,
        cost: Cost = _ONE_REQUEST,
        *,
        deadline: float | None = None,
        priority: Priority = "background",
    ) -> Permit:
        """A permit for one request, as soon as its turn has come.

        A caller that is cancelled while it waits holds nothing afterwards.

        Args:
            cost: What the request is expected to take; put right when the permit is settled.
            deadline: Instant on the clock's monotonic reading after which waiting is pointless.
            priority: ``interactive`` goes ahead of background requests that came less than 30 s
                before it.

        Raises:
            PermitTimeout: The deadline passed first; nothing was taken.
            Exception: What :meth:`close` was given.
        """
        now = self._clock.monotonic()
        if self._closed is not None:
            raise self._closed
        if deadline is not None and now >= deadline:
            raise self._too_late(0.0)
        if not self._queue.count and self._obstacle(cost, now) is None:
            return self._grant(cost, now, queued_s=0.0, cause="nothing")
        return await self._wait(cost, now, deadline=deadline, priority=priority)

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._limits

    @property
    def concurrency(self) -> float:
        """Requests in flight that are allowed at present; ``math.inf`` for no limit."""
        return self._learner.most

    @property
    def counts_tokens(self) -> bool:
        """Whether any quota of tokens holds, stated by the user or by the provider."""
        return self._meters.counts_tokens or self._learner.pace.scale is not None

    @property
    def in_flight(self) -> int:
        """Permits that are held."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Requests that wait for a permit."""
        return self._queue.count

    @property
    def has_room(self) -> bool:
        """Whether a further request would be admitted; a *no* has :meth:`on_room` call back."""
        now = self._clock.monotonic()
        if self._closed is None and not self._queue.count and self._obstacle(_PROBE, now) is None:
            return True
        self._room.missed = True
        self._look_for_room(now)
        return False

    def on_room(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back, soon and never from within, when nobody waits any longer and there is room.

        That is after somebody had to wait or :attr:`has_room` said no. Returns what ends it.
        """
        return self._room.on(callback)

    def waiting_by_cause(self) -> Mapping[Cause, int]:
        """Waiting requests by what they wait for: what holds the first one back holds all back."""
        cause = self._causes.current
        return {cause: self._queue.count} if self._queue.count and cause is not None else {}

    def statistics(self) -> LimiterStatistics:
        """What it has done so far, and what it is doing."""
        return LimiterStatistics(
            in_flight=self._in_flight,
            waiting=self._queue.count,
            granted=self._granted,
            refused=self._refused,
            queued_s=self._queued_s,
            peak_in_flight=self._peak,
            held_s=self._causes.by_cause(self._clock.monotonic()),
            concurrency=self._learner.most,
            learned_rpm=self._learner.pace.per_minute,
            learned_tpm=self._learner.pace.tokens_per_minute,
            learning=self._learner.learning,
            stated_rpm=self._meters.stated_rpm,
            told=self._meters.told,
            epoch=self._gate.epoch,
            binding=self._causes.current,
        )

    def update(self, limits: Limits) -> None:
        """Puts other limits into force at once; what a quota is owed stays owed."""
        now = self._clock.monotonic()
        if limits.concurrency != self._limits.concurrency:
            self._learner.rebound(limits.concurrency_range, now=now)
        self._limits = limits
        self._meters.state(limits, now=now)
        self._advance(now)

    def pause(self) -> None:
        """Gives no further permit until :meth:`resume`; those that are held go on."""
        self._paused = True
        self._ring()

    def resume(self) -> None:
        """Ends a pause."""
        self._paused = False
        self._ring()

    def bear(self, load: Load) -> None:
        """Takes in how busy this machine is, ten times a second."""
        if self._learner.bear(load, in_flight=self._in_flight):
            self._ring()

    def close(self, error: Exception) -> None:
        """Gives this error to everybody who waits, and to everybody who asks from now on.

        Permits that are held stay valid and are settled as ever.
        """
        self._closed = error
        for waiter in self._queue:
            if waiter.queued and not waiter.future.done():
                self._queue.leave(waiter)
                waiter.future.set_exception(error)
        self._advance(self._clock.monotonic())

    def __repr__(self) -> str:
        return f"<Limiter {self._name or 'unnamed'}: {occupancy(self.statistics())}>"

    # waiting

    async def _wait(
        self, cost: Cost, now: float, *, deadline: float | None, priority: Priority
    ) -> Permit:
        loop = asyncio.get_running_loop()
        held_s, turn = self._causes.snapshot(now), self._causes.turn
        waiter = Waiter(cost, since=now, future=loop.create_future(), held_s=held_s, turn=turn)
        self._queue.join(waiter, priority)
        self._room.missed = True
        if self._queue.head() is waiter:
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
            self._queue.leave(waiter)
        elif future.done() and not future.cancelled() and future.exception() is None:
            self._pass_on(future.result())
            return
        self._advance(self._clock.monotonic())

    def _pass_on(self, permit: Permit) -> None:
        permit.settle(_UNSENT, sent=False)

    def _expire(self, waiter: Waiter) -> None:
        if waiter.queued and not waiter.future.done():
            error = self._too_late(self._clock.monotonic() - waiter.since)
            self._queue.leave(waiter)
            waiter.future.set_exception(error)
            self._advance(self._clock.monotonic())

    # admission

    def _obstacle(self, cost: Cost, now: float) -> tuple[Cause, float] | None:
        """What keeps a request from being sent now, and the instant at which time ends that."""
        if self._paused:
            return "paused", math.inf
        gate = self._gate
        if now < gate.closed_until or gate.strikes > 1:
            opens_at = gate.opens_for(self._sent_in_epoch)
            if now < opens_at:
                return "retry wait", opens_at
        if self._in_flight >= self._learner.most:
            return "cpu" if self._learner.capped else "concurrency", self._learner.grows_at
        obstacle: tuple[Cause, float] | None = None
        latest = now + ROUNDING_S
        for meter in self._meters.all:
            if meter.arrival - meter.quota.burst_s <= latest and not meter.most_left:
                continue
            dimension = meter.quota.dimension
            amount = amount_of(cost, dimension)
            if amount and (opens_at := meter.opens_at(amount)) > latest:
                latest = opens_at
                obstacle = "rate" if dimension == "requests" else "tokens", opens_at
        return obstacle

    def _grant(self, cost: Cost, now: float, *, queued_s: float, cause: Cause) -> Permit:
        self._in_flight = in_flight = self._in_flight + 1
        if in_flight > self._peak:  # noqa: PLR1730 - max() costs four times as much
            self._peak = in_flight
        for meter in self._meters.all:
            meter.take(cost, now)
        self._granted += 1
        if (scale := self._learner.pace.scale) is not None:
            scale.sent(self._granted, cost)
        if not self._sent_in_epoch:
            self._epoch_began = now
            if self._granted == 1:
                self._learner.began(now)
        self._sent_in_epoch += 1
        self._queued_s += queued_s
        meters, epoch, number = self._meters.all, self._gate.epoch, self._granted
        return Permit(self._settle, cost, meters, epoch, number, in_flight, now, queued_s, cause)

    def _advance(self, now: float) -> None:
        """Grants whatever can be granted, and sets the timer for what time alone will allow."""
        while (waiter := self._queue.head()) is not None:
            obstacle = self._obstacle(waiter.cost, now)
            if obstacle is not None:
                self._causes.turn_to(obstacle[0], now)
                self._set_timer(obstacle[1], now)
                return
            self._hand_over(waiter, now)
        self._causes.turn_to(None, now)
        if self._room.missed:
            self._look_for_room(now)

    def _hand_over(self, waiter: Waiter, now: float) -> None:
        self._queue.leave(waiter)
        cause = self._causes.main_cause(waiter, now)
        permit = self._grant(waiter.cost, now, queued_s=now - waiter.since, cause=cause)
        waiter.future.set_result(permit)

    def _settle(  # noqa: PLR0917 - called for every answer, by the permit alone
        self,
        permit: Permit,
        verdict: Verdict,
        usage: Usage,
        headers: Mapping[str, str],
        sent: bool,
        stated: Sequence[StatedLimit],
    ) -> None:
        now = self._clock.monotonic()
        for meter in permit.meters:
            meter.put_right(permit.cost, usage if sent else None, now)
        if stated:
            self._meters.hear(stated, now=now)
        kind, learner = verdict.kind, self._learner
        if learner.pace.scale is not None:
            refused = kind in {"rate", "capacity"}
            learner.pace.came(permit, usage, sent=sent, refused=refused)
        if kind == "served":
            if self._gate.strikes:
                self._gate = self._gate.served(epoch=permit.epoch)
            learner.answered(permit, usage, now=now, in_flight=self._in_flight)
            if stated:
                learner.allowed(requests_left(stated), in_flight=self._in_flight)
        elif kind in {"rate", "capacity"}:
            self._refused += 1
            self._learn(permit, verdict, headers, now)
        self._in_flight -= 1
        if now >= learner.look_at:
            learner.look(now, granted=self._granted)
        if self._queue.count:
            self._advance(now)
        elif self._room.missed:
            self._look_for_room(now)

    def _learn(
        self, permit: Permit, verdict: Verdict, headers: Mapping[str, str], now: float
    ) -> None:
        """Takes in a refusal: the first of its epoch begins the next one."""
        before, learner = self._gate, self._learner
        for_rate = verdict.kind == "rate"
        self._gate = before.refused(
            epoch=permit.epoch,
            now=now,
            retry_after_s=verdict.retry_after_s,
            exhausted=says_exhausted(headers),
            taken=learner.took(permit, verdict, since=self._epoch_began, now=now),
        )
        if self._gate is before:
            learner.refused_late(permit, verdict)
            return
        self._sent_in_epoch = 0
        opens_at = self._gate.closed_until
        if self._gate.outage:
            learner.pace.out(permit, now=now, opens_at=opens_at)
        if self._gate.outage or learner.by_chance(permit, verdict, now=now):
            return
        over = learner.over_rate if for_rate else learner.over_capacity
        meter = over(permit, now=now, opens_at=opens_at)
        if meter is not None:
            self._meters.learn(meter, now=now)

    # time, room and the account of causes

    def _set_timer(self, at: float, now: float) -> None:
        self._alarm.set(at, now)

    def _ring(self) -> None:
        now = self._clock.monotonic()
        if now >= self._learner.grows_at:
            self._learner.look(now, granted=self._granted)
        self._advance(now)

    def _look_for_room(self, now: float) -> None:
        if self._queue.count or self._closed is not None or not self._room.watched:
            return
        obstacle = self._obstacle(_PROBE, now)
        if obstacle is not None:
            self._set_timer(obstacle[1], now)
            return
        self._room.tell()

    def _too_late(self, waited_s: float) -> PermitTimeout:
        return PermitTimeout(
            f"no permit of {self._name or 'the limiter'} was free in {waited_s:.1f} s: "
            f"{occupancy(self.statistics())}",
            hint="allow more time, or more at once where the provider does",
        )
