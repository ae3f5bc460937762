"""What a provider says is left of its quotas: no more than that is sent, and no less."""

import asyncio

import pytest

from fanwise.clock import LoopClock
from fanwise.limits.limiter import Limiter
from fanwise.limits.permit import Meter
from fanwise.limits.quota import Quota
from fanwise.limits.settings import Limits
from fanwise.records import Cost, StatedLimit, Usage, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")
RATE = Verdict(kind="rate")
THOUSAND_A_SECOND = Quota(dimension="tokens", per_minute=60_000, burst_s=60)


def limiter(**limits):
    return Limiter(Limits(**limits), clock=LoopClock(), name="test")


def tokens_left(remaining):
    return StatedLimit(dimension="tokens", limit=60_000, remaining=remaining)


def test_a_request_waits_until_what_is_left_is_enough_for_it():
    async def main():
        limit = limiter()
        told = [tokens_left(5000)]
        (await limit.acquire(Cost(input_tokens=100))).settle(SERVED, stated=told)
        first = await limit.acquire(Cost(input_tokens=4000))
        assert asyncio.get_running_loop().time() == 0
        await limit.acquire(Cost(input_tokens=3000))
        # 1000 are left (and 100 may not be counted yet); 2000 more take two seconds.
        assert asyncio.get_running_loop().time() == pytest.approx(2.0, abs=0.11)
        first.settle(SERVED)

    run_virtual(main())


def test_a_small_request_does_not_wait_for_what_a_large_one_needs():
    meter = Meter(THOUSAND_A_SECOND)
    meter.credit(50_000, now=0.0)
    meter.credit(1000, now=0.0)
    assert meter.opens_at(500) <= 0.0
    assert meter.opens_at(3000) == pytest.approx(2.0)


def test_a_request_larger_than_the_bucket_waits_for_a_full_one_only():
    meter = Meter(THOUSAND_A_SECOND)
    meter.credit(4000, now=0.0)
    meter.credit(1000, now=0.0)
    assert meter.opens_at(1_000_000) == pytest.approx(3.0)


def test_where_all_that_is_left_is_under_way_the_stated_pace_is_kept():
    async def main():
        limit, clock, sent = limiter(concurrency=1000), LoopClock(), []
        cost, left = Cost(input_tokens=100, output_tokens=900), 1e9

        async def work():
            nonlocal left
            while clock.monotonic() < 60:
                permit = await limit.acquire(cost)
                sent.append(clock.monotonic())
                await asyncio.sleep(10)
                # Ten seconds of quota are under way, and no more than two are left.
                usage = Usage(input_tokens=100, output_tokens=900)
                permit.settle(SERVED, usage=usage, stated=[tokens_left(2000)])

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(work())
        steady = [at for at in sent if 20 <= at < 60]
        assert 36 <= len(steady) <= 44  # one a second for forty seconds

    run_virtual(main())


def test_requests_that_are_under_way_are_taken_off_once_and_not_twice():
    async def main():
        limit = limiter(concurrency=1000)
        stated = StatedLimit(dimension="requests", limit=600, remaining=300)
        (await limit.acquire()).settle(SERVED, stated=[stated])
        permits = [await limit.acquire() for _ in range(101)]
        await asyncio.sleep(1.0)
        permits.pop().settle(SERVED, stated=[stated])
        # The provider has counted the hundred that are under way: 270 of its 300 may follow.
        permits += [await limit.acquire() for _ in range(270)]
        assert asyncio.get_running_loop().time() < 1.1
        for permit in permits:
            permit.settle(SERVED)

    run_virtual(main())


def test_what_was_sent_a_moment_before_is_not_yet_counted_by_an_answer():
    meter = Meter(Quota(dimension="requests", per_minute=600, burst_s=60))
    meter.credit(100, now=0.0)
    for _ in range(80):
        meter.take(Cost(), 1.0)
    meter.credit(100, now=1.05)  # said before the eighty came
    taken = 0
    while meter.opens_at(1) <= 1.05:
        meter.take(Cost(), 1.05)
        taken += 1
    assert 10 <= taken <= 20
    meter.credit(100, now=5.0)
    assert meter.opens_at(90) <= 5.0


def test_a_word_about_what_is_left_opens_the_concurrency_at_once():
    async def main():
        limit = limiter()
        permits = [await limit.acquire() for _ in range(16)]
        stated = StatedLimit(dimension="requests", limit=6000, remaining=5000)
        permits.pop().settle(SERVED, stated=[stated])
        assert limit.concurrency == 128
        for permit in permits:
            permit.settle(SERVED)

    run_virtual(main())


@pytest.mark.parametrize(("remaining", "most"), [(40, 50), (0, 17)])
def test_it_is_opened_no_further_than_what_is_left(remaining, most):
    async def main():
        limit = limiter()
        permits = [await limit.acquire() for _ in range(16)]
        stated = StatedLimit(dimension="requests", limit=6000, remaining=remaining)
        permits.pop().settle(SERVED, stated=[stated])
        assert limit.concurrency <= most
        for permit in permits:
            permit.settle(SERVED)

    run_virtual(main())


def test_after_a_refusal_for_capacity_it_is_not_opened_by_a_word():
    async def main():
        limit = limiter()
        permits = [await limit.acquire() for _ in range(16)]
        permits.pop().settle(Verdict(kind="capacity"))
        await asyncio.sleep(60.0)  # it looks for more by now
        permits.pop().settle(SERVED)
        stated = StatedLimit(dimension="requests", limit=6000, remaining=5000)
        permits.pop().settle(SERVED, stated=[stated])
        assert limit.concurrency <= 16
        for permit in permits:
            permit.settle(SERVED)

    run_virtual(main())
