"""Random schedules of asking, cancelling and settling, checked against what a limiter promises.

Each safeguard is also taken out once: a fuzz that does not notice proves nothing.
"""

import asyncio
import contextlib
import random

import pytest

from fanwise.clock import LoopClock
from fanwise.errors import PermitTimeout
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Usage, Verdict
from fanwise.testing.virtual import run_virtual

SEEDS = range(100)
SPEED = 50.0  # tokens a second
BURST_S = 0.1
AT_ONCE = 4
LIMITS = Limits(
    concurrency=(AT_ONCE, AT_ONCE, AT_ONCE), rpm=60 * 20, tpm=60 * SPEED, burst_s=BURST_S
)


class Broken(AssertionError):
    """A promise that did not hold."""


class Schedule:
    """One seeded schedule: tasks that come, wait, hold a permit, settle it, and are cancelled."""

    def __init__(self, kind, seed):
        self.chance = random.Random(seed)
        self.limiter = kind(LIMITS, clock=LoopClock(), name=f"seed {seed}")
        self.numbers = {}
        self.asked = 0
        self.last_granted = {"interactive": -1, "background": -1}
        self.out = 0
        self.tasks = {}  # in the order in which they came
        self.broken = []  # noted inside the limiter, told outside of it
        self.held = []
        self.ledger = []  # (instant, tokens, whether a quota had to admit them)
        grant, finish = self.limiter._grant, self.limiter._settle

        def watched_grant(cost, now, **details):
            permit = grant(cost, now, **details)
            self.check_grant(cost, now)
            permit._finish = watched_finish
            return permit

        def watched_finish(permit, verdict, *details):
            usage, _, sent, _ = details
            used = permit.cost.input_tokens if usage.input_tokens is None else usage.input_tokens
            kept = used if sent else 0
            now = asyncio.get_running_loop().time()
            self.out -= 1
            self.ledger.append((now, kept - permit.cost.input_tokens, False))
            finish(permit, verdict, *details)

        self.limiter._grant = watched_grant

    def check_grant(self, cost, now):
        number, priority, _ = self.numbers[id(cost)]
        last = self.last_granted[priority]
        if number <= last:
            self.broken.append(f"request {number} was overtaken by {last}")
        self.last_granted[priority] = number
        self.out += 1
        if self.out > AT_ONCE:
            self.broken.append(f"{self.out} in flight")
        self.ledger.append((now, cost.input_tokens, cost.input_tokens > 0))

    def check_now(self):
        """Nothing went wrong so far, and nobody waits for what is there."""
        if self.broken:
            raise Broken(self.broken[0])
        limiter = self.limiter
        if any(waiter.queued and waiter.future.done() for waiter in limiter._queue):
            return  # somebody was cancelled and will see to it when awake
        head = limiter._queue.head()
        just_now = asyncio.get_running_loop().time() - 0.002  # no timer is finer than 1 ms
        if head is not None and limiter._obstacle(head.cost, just_now) is None:
            raise Broken(f"a request waits although nothing is in its way: {limiter!r}")

    def check_quota(self):
        """Before every grant of tokens: never more than quota and burst, whatever the stretch."""
        for index, (since, _, _) in enumerate(self.ledger):
            net = 0
            for at, tokens, admitted in self.ledger[index:]:
                if admitted and net > (at - since + BURST_S) * SPEED + 1e-3:
                    raise Broken(f"{net} tokens in {at - since:.3f} s")
                net += tokens

    async def customer(self):
        cost = Cost(input_tokens=self.chance.choice((0, 0, 1, 3, 10, 60)))
        priority = self.chance.choice(("interactive", "background", "background"))
        self.numbers[id(cost)] = self.asked, priority, cost  # kept alive: its id stays its own
        self.asked += 1
        patience_s = self.chance.choice((None, None, 0.05, 2.0))
        deadline = None if patience_s is None else asyncio.get_running_loop().time() + patience_s
        with contextlib.suppress(PermitTimeout):
            permit = await self.limiter.acquire(cost, deadline=deadline, priority=priority)
            self.held.append(permit)
            try:
                await asyncio.sleep(self.chance.choice((0, 0, 0.01, 0.3, 2)))
            finally:
                if permit in self.held:
                    self.settle(permit)

    def settle(self, permit):
        self.held.remove(permit)
        kind = self.chance.choices(
            ("served", "cancelled", "rate", "capacity", "infrastructure"), (80, 8, 4, 2, 6)
        )[0]
        used = self.chance.randint(0, permit.cost.input_tokens)
        permit.settle(
            Verdict(kind=kind, retry_after_s=self.chance.choice((None, 0.2, 3))),
            usage=Usage(input_tokens=self.chance.choice((None, used))),
            sent=kind != "cancelled",
        )

    def disturb(self):
        """A settle and a cancellation in the same breath, while the new owner is not yet awake."""
        if self.held and self.chance.random() < 0.5:
            self.settle(self.chance.choice(self.held))
        if self.tasks and self.chance.random() < 0.5:
            self.chance.choice(list(self.tasks)[:6]).cancel()

    async def play(self):
        for _ in range(150):
            for _ in range(self.chance.choice((0, 0, 1, 2, 5))):
                task = asyncio.create_task(self.customer())
                self.tasks[task] = None
                task.add_done_callback(self.tasks.pop)
            self.disturb()
            await asyncio.sleep(self.chance.choice((0, 0, 0, 0.01, 0.2)))
            self.check_now()
        late = asyncio.get_running_loop().time() + 36_000
        while self.tasks and asyncio.get_running_loop().time() < late:
            await asyncio.wait(self.tasks, timeout=60)
            self.check_now()
        if self.limiter.in_flight or self.limiter.waiting or self.tasks:
            raise Broken(f"{self.limiter!r}, {len(self.tasks)} unfinished at the end")
        self.check_quota()
        return self.limiter.statistics()


def play(kind, seed):
    async def main():
        return await Schedule(kind, seed).play()

    return run_virtual(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_holds_in_a_random_schedule(seed):
    seen = play(Limiter, seed)
    assert seen.granted > 40
    assert 1 < seen.peak_in_flight <= AT_ONCE


def test_the_same_seed_gives_the_same_schedule():
    assert play(Limiter, 7) == play(Limiter, 7)


# the safeguards, each taken out once


class KeepsGrantsOfTheCancelled(Limiter):
    def _pass_on(self, permit):
        pass


class WakesBeforeOwning(Limiter):
    def _hand_over(self, waiter, now):
        super()._hand_over(waiter, now)
        self._in_flight -= 1
        asyncio.get_running_loop().call_soon(self._own)

    def _own(self):
        self._in_flight += 1


class GrantsOneForOne(Limiter):
    """A settle frees one place, so one is granted: by the delta, not by what there is."""

    def _settle(self, permit, verdict, *details):
        super()._settle(permit, verdict, *details)
        waiter = self._queue.head()
        if waiter is not None:
            self._hand_over(waiter, self._clock.monotonic())


class LetsNewcomersIn(Limiter):
    async def acquire(self, cost=Cost(), *, deadline=None, priority="background"):  # noqa: B008
        now = self._clock.monotonic()
        if self._obstacle(cost, now) is None:
            return self._grant(cost, now, queued_s=0.0, cause="nothing")
        return await super().acquire(cost, deadline=deadline, priority=priority)


class ForgetsThoseBehindACancelledHead(Limiter):
    def _withdraw(self, waiter):
        if waiter.queued:
            self._queue.leave(waiter)
        elif not waiter.future.cancelled():
            super()._withdraw(waiter)


class ForgetsTheTimer(Limiter):
    def _set_timer(self, at, now):
        pass


class ForgetsTheQuota(Limiter):
    def _grant(self, cost, now, *, queued_s, cause):
        for meter in self._meters.all:
            meter.arrival = min(meter.arrival, now)
        return super()._grant(cost, now, queued_s=queued_s, cause=cause)


class LooksAtOneQuotaOnly(Limiter):
    """Takes from every quota, but looks at the first alone."""

    def _obstacle(self, cost, now):
        meters, self._meters.all = self._meters.all, self._meters.all[:1]
        try:
            return super()._obstacle(cost, now)
        finally:
            self._meters.all = meters


class RefundsTwice(Limiter):
    def _settle(self, permit, verdict, *details):
        usage, _, sent, _ = details
        for meter in permit.meters:
            meter.put_right(permit.cost, usage if sent else None, self._clock.monotonic())
        super()._settle(permit, verdict, *details)


@pytest.mark.parametrize(
    "sabotaged",
    [
        KeepsGrantsOfTheCancelled,
        WakesBeforeOwning,
        GrantsOneForOne,
        LetsNewcomersIn,
        ForgetsThoseBehindACancelledHead,
        ForgetsTheTimer,
        ForgetsTheQuota,
        LooksAtOneQuotaOnly,
        RefundsTwice,
    ],
)
def test_the_fuzz_notices_a_missing_safeguard(sabotaged):
    def noticed(seed):
        try:
            play(sabotaged, seed)
        except Broken:
            return True
        return False

    assert any(noticed(seed) for seed in SEEDS)
