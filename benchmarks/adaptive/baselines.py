"""Rules to compare with: short implementations of our own, after their descriptions.

Each is a limiter of one method, ``acquire``; its permits are settled like the product's. They share
one queue, first come, first served, and differ in when they let the next one go.
"""

from __future__ import annotations

import asyncio
import math
import random
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
        if wait_s < math.inf and self._timer is None:
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
        return 0.0 if self.in_flight < int(self.limit) else math.inf


class Fixed(Concurrency):
    """A fixed number in flight, whatever comes back."""

    def __init__(self, clock: Clock, *, limit: int) -> None:
        super().__init__(clock)
        self.limit = limit


def refused(verdict: Verdict) -> bool:
    """Whether an answer was a refusal for rate or capacity."""
    return verdict.kind in {"rate", "capacity"}


class NetflixAimd(Concurrency):
    """Netflix concurrency-limits, ``AIMDLimit``: one more an answer, a tenth less a refusal.

    Its rule that an answer slower than five seconds counts as refused is left out: here answers
    take as long as that when all is well.
    """

    def on_answer(self, verdict: Verdict, *, rtt_s: float, now: float) -> None:
        """Moves the limit."""
        if refused(verdict):
            self.limit = max(1, min(self.limit - 1, int(self.limit * 0.9)))
        elif verdict.kind == "served" and 2 * (self.in_flight + 1) >= self.limit:
            self.limit += 1


class NetflixVegas(Concurrency):
    """Netflix concurrency-limits, ``VegasLimit``: keeps the queue that latency betrays between two
    bounds (after TCP Vegas, Brakmo and Peterson 1995).
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._least_s = math.inf
        self._chance = random.Random(0)
        self._look_again()

    def _look_again(self) -> None:
        self._seen = 0
        self._until = self._chance.uniform(0.5, 1.0) * 30

    def on_answer(self, verdict: Verdict, *, rtt_s: float, now: float) -> None:
        """Moves the limit."""
        if verdict.kind == "infrastructure":
            return
        self._seen += 1
        unit = max(1, int(math.log10(self.limit)))
        if refused(verdict):
            self.limit = max(1, self.limit - unit)
            return
        due = self._seen >= self._until * self.limit
        if due:
            self._look_again()
        if due or rtt_s <= self._least_s:
            self._least_s = rtt_s
            return
        queue = math.ceil(self.limit * (1.0 - self._least_s / rtt_s))
        if 2 * (self.in_flight + 1) < self.limit:
            change = 0
        elif queue <= unit:
            change = 6 * unit
        elif queue < 3 * unit:
            change = unit
        else:
            change = -unit if queue > 6 * unit else 0
        self.limit = min(1000, max(1, self.limit + change))


class NetflixGradient2(Concurrency):
    """Netflix concurrency-limits, ``Gradient2Limit``: latency of late against that of long.

    Refusals are no signal to it. Averages are of windows of a second with ten answers at least.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._estimate = 20.0
        self._long_s = 0.0
        self._windows = 0
        self._latencies: list[float] = []
        self._most = 0
        self._until = 0.0

    def on_answer(self, verdict: Verdict, *, rtt_s: float, now: float) -> None:
        """Collects, and once a second moves the limit."""
        if verdict.kind == "served":
            self._latencies.append(rtt_s)
            self._most = max(self._most, self.in_flight + 1)
        if now < self._until or len(self._latencies) < 10:
            return
        short_s = sum(self._latencies) / len(self._latencies)
        most, self._most, self._latencies, self._until = self._most, 0, [], now + 1.0
        self._windows += 1
        weight = 1.0 / self._windows if self._windows <= 10 else 2.0 / 601.0
        self._long_s += weight * (short_s - self._long_s)
        if self._long_s > 2.0 * short_s:
            self._long_s *= 0.9
        if most < self._estimate / 2:
            return
        gradient = max(0.5, min(1.0, self._long_s / short_s))
        aim = self._estimate * gradient + 4.0
        self._estimate = min(200.0, max(20.0, 0.8 * self._estimate + 0.2 * aim))
        self.limit = int(self._estimate)


class InspectAdaptive(Concurrency):
    """inspect_ai's adaptive connections: doubling a round until the first refusal, then a twentieth
    more each clean round, and a fifth less on a refusal, at most once in 15 s.

    A round is as many answers as the limit, at least four; a refusal begins it anew, and nothing
    counts in the 15 s after a cut. Limits above ten are multiples of five, from 1 to 200. A refused
    request keeps its place there while it waits to be tried again: here for its Retry-After, and
    for 3 s at least. That an answer after a retry counts for nothing is left out.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._clean = 0
        self._was_refused = False
        self._quiet_until = 0.0

    def on_answer(self, verdict: Verdict, *, rtt_s: float, now: float) -> None:
        """Moves the limit."""
        limit = int(self.limit)
        if verdict.kind != "served":
            self._clean = 0
            self._was_refused = True
            self.in_flight += 1
            wait_s = max(3.0, verdict.retry_after_s or 0.0)
            asyncio.get_running_loop().call_later(wait_s, self._let_go)
            if now >= self._quiet_until:
                self._quiet_until = now + 15.0
                cut = int(limit * 0.8)
                self.limit = max(1, cut if cut < 10 else cut // 5 * 5)
            return
        if now < self._quiet_until:
            return
        self._clean += 1
        if self._clean < max(limit, 4):
            return
        self._clean = 0
        if not self._was_refused:
            self.limit = min(200, 2 * limit)
        else:
            more = limit + max(1, round(limit * 0.05))
            self.limit = min(200, more if more < 10 else -(-more // 5) * 5)

    def _let_go(self) -> None:
        self.in_flight -= 1
        self._advance()


class BotocoreAdaptive(Queueing):
    """botocore's retry mode ``adaptive``: a token bucket whose rate follows a cubic curve
    (after CUBIC, RFC 9438), from the first refusal on.

    The rate before a refusal is smoothed over half seconds; a refusal takes 30 % off it, and no
    rate is above twice the measured one. It sets no bound of its own on what is in flight: 100
    stands for the threads of a program that uses it.
    """

    _BETA, _SCALE, _MOST = 0.7, 0.4, 100

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._enabled = False
        self._peak = 0.0
        self._failed_at = 0.0
        self._rate = 1.0
        self._tokens = 0.0
        self._filled_at = 0.0
        self._measured = 0.0
        self._counted = 0
        self._counted_from = 0.0

    @property
    def limit(self) -> float:
        """The rate in force, a second."""
        return self._rate

    def delay_s(self, now: float) -> float:
        """Until a token is there."""
        if self.in_flight >= self._MOST:
            return math.inf
        if not self._enabled:
            return 0.0
        self._fill(now)
        return max(0.0, (1.0 - self._tokens - 1e-9) / self._rate)

    def on_send(self, now: float) -> None:
        """Takes a token."""
        if self._enabled:
            self._fill(now)
            self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        room = max(1.0, self._rate)
        self._tokens = min(room, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def on_answer(self, verdict: Verdict, *, rtt_s: float, now: float) -> None:
        """Moves the rate."""
        self._count(now)
        if refused(verdict):
            before = min(self._measured, self._rate) if self._enabled else self._measured
            self._peak, self._failed_at, self._enabled = before, now, True
            rate = before * self._BETA
        else:
            turn_s = (self._peak * (1.0 - self._BETA) / self._SCALE) ** (1.0 / 3.0)
            rate = self._SCALE * (now - self._failed_at - turn_s) ** 3 + self._peak
        self._fill(now)
        self._rate = max(0.5, min(rate, 2.0 * self._measured))

    def _count(self, now: float) -> None:
        self._counted += 1
        half = math.floor(now * 2.0) / 2.0
        if half > self._counted_from:
            rate = self._counted / (half - self._counted_from)
            self._measured = 0.8 * rate + 0.2 * self._measured
            self._counted, self._counted_from = 0, half
