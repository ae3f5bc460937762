"""A limiter that was told nothing, and one whose provider states its limits."""

import asyncio

import pytest

from fanwise.clock import LoopClock
from fanwise.limits import pace
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, StatedLimit, Usage, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")
RATE = Verdict(kind="rate", retry_after_s=0.01)
FULL = Verdict(kind="capacity")


def limiter(**limits):
    return Limiter(Limits(**limits), clock=LoopClock(), name="test")


async def bucket(limit, *, per_s, seconds, workers=50, burst=5.0, load_s=0.0):
    """Requests against a bucket; returns how many were served and refused."""
    loop = asyncio.get_running_loop()
    level, at = burst, loop.time()
    until, counts = loop.time() + seconds, {"served": 0, "refused": 0}

    async def work():
        nonlocal level, at
        while loop.time() < until:
            permit = await limit.acquire()
            level = min(burst, level + (loop.time() - at) * per_s)
            at = loop.time()
            taken = level >= 1
            level -= taken
            await asyncio.sleep(0.1 if taken else 0.01)
            counts["served" if taken else "refused"] += 1
            permit.settle(SERVED if taken else RATE)
            await asyncio.sleep(load_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return counts["served"], counts["refused"]


def test_a_rate_is_found_and_kept_with_few_refusals():
    async def main():
        limit = limiter()
        served, refused = await bucket(limit, per_s=20, seconds=120)
        assert served > 0.95 * 20 * 120
        assert refused < 0.02 * served
        assert limit.statistics().learned_rpm == pytest.approx(1200, rel=0.1)
        assert "paced at" in repr(limit)

    run_virtual(main())


def test_a_stated_rate_is_never_exceeded_and_a_lower_one_is_learned():
    async def main():
        limit = limiter(rpm=1200, concurrency=50)
        served, _ = await bucket(limit, per_s=100, seconds=60)
        assert served <= 20 * 60 + 2 + 50  # whoever waited at the end is served after it
        served, refused = await bucket(limit, per_s=10, seconds=120)
        assert served > 0.9 * 10 * 120
        assert refused < 0.05 * served

    run_virtual(main())


def test_a_rate_that_does_not_bind_does_not_grow(monkeypatch):
    async def grown():
        limit = limiter()
        await bucket(limit, per_s=20, seconds=30)
        before = limit.statistics().learned_rpm
        await bucket(limit, per_s=20, seconds=60, workers=2, load_s=0.4)  # 4 a second
        return limit.statistics().learned_rpm / before

    assert run_virtual(grown()) < 1.2
    monkeypatch.setattr(pace, "_RATE_BOUND", 0.0)
    assert run_virtual(grown()) > 5


class CountsEveryRefusal(Limiter):
    def _learn(self, permit, verdict, headers, now):
        permit.epoch = self._gate.epoch
        super()._learn(permit, verdict, headers, now)


@pytest.mark.parametrize("kind", [Limiter, CountsEveryRefusal])
def test_refusals_of_one_mistake_count_once(kind):
    async def main():
        limit = kind(Limits(concurrency=(1, 100, 100)), clock=LoopClock())
        (await limit.acquire()).settle(SERVED)
        permits = [await limit.acquire() for _ in range(100)]
        for permit in permits[60:]:
            permit.settle(RATE)
        epoch = limit.statistics().epoch
        assert (epoch == 1) == (kind is Limiter)
        for permit in permits[:60]:
            permit.settle(SERVED)

    run_virtual(main())


def test_an_outage_changes_no_limit():
    async def main():
        limit = limiter(concurrency=(1, 50, 50))
        for _ in range(12):
            (await limit.acquire()).settle(FULL)
        assert limit.statistics().refused == 12
        assert limit.concurrency >= 1
        permits = [await limit.acquire() for _ in range(1)]
        assert asyncio.get_running_loop().time() > 20
        permits[0].settle(SERVED)

    run_virtual(main())


def test_what_the_provider_states_holds_from_then_on():
    async def main():
        limit = limiter(concurrency=100)
        permit = await limit.acquire()
        permit.settle(SERVED, stated=[StatedLimit(dimension="requests", limit=600)])
        assert limit.statistics().stated_rpm == 600
        begun = asyncio.get_running_loop().time()
        for _ in range(21):
            (await limit.acquire()).settle(SERVED)
        assert asyncio.get_running_loop().time() - begun == pytest.approx(2.0, abs=0.15)

    run_virtual(main())


def test_the_lower_of_what_user_and_provider_state_holds():
    async def main():
        limit = limiter(rpm=60)
        (await limit.acquire()).settle(
            SERVED, stated=[StatedLimit(dimension="requests", limit=600)]
        )
        assert limit.statistics().stated_rpm == 60
        (await limit.acquire()).settle(SERVED, stated=[StatedLimit(dimension="requests", limit=30)])
        assert limit.statistics().stated_rpm == 30

    run_virtual(main())


def test_what_is_left_by_the_providers_count_may_be_sent_at_once():
    async def main():
        limit = limiter(concurrency=1000)
        stated = [StatedLimit(dimension="requests", limit=600, remaining=100)]
        (await limit.acquire()).settle(SERVED, stated=stated)
        permits = [await limit.acquire() for _ in range(91)]
        assert asyncio.get_running_loop().time() <= 0.2
        assert not limit.has_room
        for permit in permits:
            permit.settle(SERVED)

    run_virtual(main())


def test_a_concurrency_that_does_not_bind_does_not_grow():
    async def main():
        limit = limiter()
        for _ in range(200):
            permits = [await limit.acquire() for _ in range(4)]
            await asyncio.sleep(0.01)
            for permit in permits:
                permit.settle(SERVED)
        assert limit.concurrency == 16

    run_virtual(main())


@pytest.mark.parametrize(
    "stated",
    [
        StatedLimit(dimension="requests", limit=10, period_s=86_400),
        StatedLimit(dimension="requests", limit=0),
        StatedLimit(dimension="requests", limit=None, remaining=0),
        StatedLimit(dimension="requests", limit=-1, remaining=-1),
    ],
)
def test_limits_of_a_day_and_limits_that_are_none_pace_nothing(stated):
    async def main():
        limit = limiter(concurrency=100)
        for _ in range(50):
            (await limit.acquire()).settle(SERVED, stated=[stated])
        assert asyncio.get_running_loop().time() == 0

    run_virtual(main())


def test_stated_token_limits_ask_for_estimates():
    async def main():
        limit = limiter(concurrency=100)
        assert not limit.counts_tokens
        stated = [StatedLimit(dimension="tokens", limit=6000)]
        (await limit.acquire()).settle(SERVED, usage=Usage(input_tokens=10), stated=stated)
        assert limit.counts_tokens
        (await limit.acquire(Cost(input_tokens=1000))).settle(SERVED)
        begun = asyncio.get_running_loop().time()
        (await limit.acquire(Cost(input_tokens=1))).settle(SERVED)
        assert asyncio.get_running_loop().time() - begun > 9

    run_virtual(main())
