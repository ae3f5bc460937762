"""How evenly requests leave, and how few of them a provider has to refuse."""

import asyncio
import bisect
import math
import random

import pytest

from fanwise.clock import LoopClock
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Usage, Verdict
from fanwise.retry.policy import Again, Retry, decide
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")


def now():
    return asyncio.get_running_loop().time()


def hold_up(seconds):
    """The loop does something else for so long: nothing runs, and time goes on."""
    asyncio.get_running_loop()._jumping.now_s += seconds


async def sends(limit, *, seconds, hiccups=()):
    """Instants at which permits were given, asked for as fast as they can be."""
    times = []
    loop = asyncio.get_running_loop()
    for at, length in hiccups:
        loop.call_at(at, hold_up, length)
    while now() < seconds:
        permit = await limit.acquire()
        times.append(permit.granted_at)
        permit.settle(SERVED)
    return times


def most_in(times, window_s):
    return max(bisect.bisect_right(times, at + window_s) - i for i, at in enumerate(times))


def limiter(**limits):
    return Limiter(Limits(**limits), clock=LoopClock())


def test_a_rate_is_met_within_one_per_cent_from_the_start():
    times = run_virtual(sends(limiter(rpm=6000, concurrency=math.inf), seconds=10))
    assert len(times) == pytest.approx(1000, rel=0.01)
    assert most_in(times, 0.0) == 1


def test_a_loop_that_wakes_late_catches_up():
    chance = random.Random(1)
    hiccups = [(0.25 * n, chance.uniform(0.01, 0.09)) for n in range(1, 40)]
    times = run_virtual(sends(limiter(rpm=6000), seconds=10, hiccups=hiccups))
    assert len(times) == pytest.approx(1000, rel=0.01)
    assert 2 < most_in(times, 0.0) <= 11


def test_a_long_standstill_is_not_made_up_for():
    times = run_virtual(sends(limiter(rpm=6000), seconds=10, hiccups=[(2.0, 5.0)]))
    assert most_in(times, 0.0) == 11
    assert most_in(times, 1.0) <= 111
    assert len(times) == pytest.approx(510, rel=0.01)


@pytest.mark.parametrize("rpm", [30, 600, 6000, 120_000])
def test_no_window_exceeds_quota_burst_and_one(rpm):
    chance = random.Random(rpm)
    hiccups = [(n * 0.5, chance.choice((0.02, 0.3, 1.5))) for n in range(1, 30)]
    times = run_virtual(sends(limiter(rpm=rpm), seconds=20, hiccups=hiccups))
    for window_s in (0.0, 0.05, 0.5, 1.0, 5.0):
        assert most_in(times, window_s) <= (window_s + 0.1) * rpm / 60 + 1 + 1e-6


def test_tokens_are_paced_by_what_answers_really_use():
    """Reserved 1100 each and used 600 each: the mean is what is used, not what is reserved."""

    async def main():
        limit = limiter(tpm=600_000, concurrency=100)
        served = 0

        async def worker():
            nonlocal served
            while now() < 60:
                permit = await limit.acquire(Cost(input_tokens=100, output_tokens=1000))
                await asyncio.sleep(0.5)
                permit.settle(SERVED, usage=Usage(input_tokens=100, output_tokens=500))
                served += 600

        await asyncio.gather(*(worker() for _ in range(100)))
        return served / now()

    assert run_virtual(main()) == pytest.approx(10_000, rel=0.02)


class Provider:
    """A server with a bucket of requests: it serves, or refuses and says how long to wait."""

    def __init__(self, *, rate, burst, chance, whole_seconds=False, silent=False):
        self.rate, self.burst, self.chance = rate, burst, chance
        self.whole_seconds, self.silent = whole_seconds, silent
        self.level, self.at = float(burst), 0.0
        self.served = self.refused = self.early = 0

    async def send(self):
        await asyncio.sleep(self.chance.uniform(0.0, 0.03))  # the way there
        self.level = min(self.burst, self.level + (now() - self.at) * self.rate)
        self.at = now()
        if self.level >= 1:
            self.level -= 1
            self.served += 1
            await asyncio.sleep(self.chance.uniform(0.05, 0.4))
            return SERVED
        self.refused += 1
        if self.silent:
            return Verdict(kind="capacity")
        wait_s = (1 - self.level) / self.rate
        return Verdict(
            kind="rate", retry_after_s=math.ceil(wait_s) if self.whole_seconds else wait_s
        )


async def drive(provider, limit, *, calls, seed=0):
    """Makes so many calls to their end; returns the seconds it took and the most sends of one."""
    chance = random.Random(seed)
    policy = Retry()
    most = 0
    last_success = 0.0

    async def call():
        nonlocal most, last_success
        refusals = 0
        came_back_at = 0.0
        while True:
            permit = await limit.acquire()
            if now() < came_back_at:
                provider.early += 1
            verdict = await provider.send()
            permit.settle(verdict)
            most = max(most, refusals + 1)
            if verdict.kind == "served":
                last_success = now()
                return
            refusals += 1
            came_back_at = now() + (verdict.retry_after_s or 0.0)
            decision = decide(
                policy,
                verdict=verdict,
                transient_failures=0,
                refusals=refusals,
                waited_s=0.0,
                now=now(),
                deadline=math.inf,
                last_success=last_success,
                chance=chance,
            )
            assert isinstance(decision, Again)
            await asyncio.sleep(decision.wait_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(call())
    return now(), most


def run(*, calls=3000, seed=0, limits, **server):
    async def main():
        provider = Provider(chance=random.Random(seed), **server)
        limit = Limiter(limits, clock=LoopClock())
        wall_s, most = await drive(provider, limit, calls=calls, seed=seed)
        assert provider.served == calls
        assert provider.early == 0
        return wall_s, provider.refused, most

    return run_virtual(main())


@pytest.mark.parametrize("seed", range(3))
def test_a_known_limit_is_used_to_the_full_without_a_refusal(seed):
    wall_s, refused, _ = run(
        seed=seed, rate=100, burst=20, limits=Limits(concurrency=1000, rpm=6000)
    )
    assert refused == 0
    assert wall_s <= 1.03 * 29.8


# Without a stated limit the rate is not learned: what holds is that every call is served in the
# end, that no Retry-After is undercut, and that the refusals stay in proportion.


@pytest.mark.parametrize("concurrency", [50, 500])
def test_an_unknown_limit_costs_time_and_refusals_but_no_call(concurrency):
    wall_s, refused, most = run(rate=100, burst=20, limits=Limits(concurrency=concurrency))
    assert wall_s <= 3 * 29.8
    assert refused <= 3000 * concurrency / 40
    assert most <= 20


def test_coarse_waits_cost_more_time_but_no_call():
    wall_s, refused, most = run(
        rate=100, burst=20, limits=Limits(concurrency=50), whole_seconds=True
    )
    assert wall_s <= 6 * 29.8
    assert refused <= 1.5 * 3000
    assert most <= 20


@pytest.mark.parametrize("concurrency", [50, 500])
def test_a_server_that_never_says_when_to_come_back_is_not_stormed(concurrency):
    wall_s, refused, most = run(
        rate=100, burst=20, limits=Limits(concurrency=concurrency), silent=True
    )
    assert wall_s <= 3 * 29.8
    assert refused <= 3000 * concurrency / 40
    assert most <= 12


def test_an_outage_is_met_with_ever_fewer_sends():
    """Ten minutes in which nothing is served: what is sent falls off, and everything is served."""

    class Out(Provider):
        async def send(self):
            if now() < 600:
                await asyncio.sleep(0.05)
                self.refused += 1
                return Verdict(kind="capacity")
            return await super().send()

    async def main():
        provider = Out(rate=100, burst=20, chance=random.Random(0))
        limit = Limiter(Limits(concurrency=20), clock=LoopClock())
        wall_s, most = await drive(provider, limit, calls=200)
        return wall_s, provider.refused, most

    wall_s, refused, most = run_virtual(main())
    assert wall_s <= 600 + 120
    assert refused <= 600
    assert most <= 25
