"""Rules to compare with: short implementations of our own, after their descriptions.

Each is a limiter of one method, ``acquire``; its permits are settled like the product's. They share
one queue, first come, first served, and differ in when they let the next one go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from fanwise.clock import Clock
from fanwise.records import Cost, Verdict


class Held:
    """A permit: when it was given, and to whom it returns."""

    __slots__ = ("given_at", "limiter")

    def __init__(self, limiter: Queueing, given_at: float) -> None:
        self.limiter = limiter
        self.given_at = given_at

    def settle(self, verdict: Verdict, **_: Any) -> None:
        """Gives it back."""
        self.limiter.give_back(self, verdict)


class Queueing:
    """A queue in front of a rule: ``delay_s`` says when the next one may go.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.in_flight = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._timer: Any = None

    async def acquire(self, cost: Cost) -> Held:
        """Waits for its turn."""
        if self._queue or self.delay_s(self.clock.monotonic()) > 0.0:
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            self._advance()
            await turn
        else:
            self._take()
        return Held(self, self.clock.monotonic())

    def _take(self) -> None:
        self.in_flight += 1
        self.on_send(self.clock.monotonic())

    def give_back(self, permit: Held, verdict: Verdict) -> None:
        """Learns from an answer, and lets the next ones go."""
        self.in_flight -= 1
        now = self.clock.monotonic()
        if verdict.kind != "cancelled":
            self.on_answer(verdict, rtt_s=now - permit.given_at, now=now)
        self._advance()

    def _advance(self) -> None:
        while self._queue:
            if self._queue[0].done():
                self._queue.popleft()
                continue
            wait_s = self.delay_s(self.clock.monotonic())
            if wait_s > 0.0:
                self._wake_in(wait_s)
                return
            turn = self._queue.popleft()
            self._take()
            turn.set_result(None)

    def _wake_in(self, wait_s: float) -> None:
        if wait_s < float("inf") and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(wait_s, 0.001), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._advance()

    # what a rule says

    def delay_s(self, now: float) -> float:
        """Seconds until the next one may go; infinite where only an answer changes that."""
        raise NotImplementedError

    def on_send(self, now: float) -> None:
        """One goes."""

    def on_answer(self, verdict: Verdict, *, rtt_s: float, now: float) -> None:
        """One came back."""


class Concurrency(Queueing):
    """Rules that hold a number in flight."""

    limit: float = 20

    def delay_s(self, now: float) -> float:
        """Whether there is room."""
        return 0.0 if self.in_flight < int(self.limit) else float("inf")


class Fixed(Concurrency):
    """A fixed number in flight, whatever comes back."""

    def __init__(self, clock: Clock, *, limit: int) -> None:
        super().__init__(clock)
        self.limit = limit


def refused(verdict: Verdict) -> bool:
    """Whether an answer was a refusal for rate or capacity."""
    return verdict.kind in {"rate", "capacity"}
