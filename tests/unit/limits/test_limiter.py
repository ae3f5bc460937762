"""Who gets a permit, and when. In virtual time."""

import asyncio
import itertools
import math

import pytest

from fanwise.clock import LoopClock
from fanwise.errors import PermitTimeout
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Usage, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")


def limiter(**limits):
    return Limiter(Limits(**limits), clock=LoopClock(), name="test")


def tokens(amount):
    return Cost(input_tokens=amount)


def now():
    return asyncio.get_running_loop().time()


async def held(limit, count):
    return [await limit.acquire() for _ in range(count)]


async def timed(limit, cost=Cost()):  # noqa: B008 - frozen
    permit = await limit.acquire(cost)
    return now(), permit


async def settle_all(limit, tasks):
    for task in tasks:
        (await task)[1].settle(SERVED)
    assert limit.in_flight == limit.waiting == 0


def test_a_free_permit_is_had_without_giving_way_to_anybody():
    async def main():
        limit = limiter(concurrency=1)
        others = []
        asyncio.get_running_loop().call_soon(others.append, "ran")
        permit = await limit.acquire()
        assert not others
        assert (permit.queued_s, permit.cause) == (0.0, "nothing")

    run_virtual(main())


def test_no_more_than_the_concurrency_are_in_flight():
    async def main():
        limit = limiter(concurrency=3)

        async def one():
            permit = await limit.acquire()
            assert limit.in_flight <= 3
            await asyncio.sleep(1)
            permit.settle(SERVED)

        await asyncio.gather(*(one() for _ in range(10)))
        assert now() == 4
        assert limit.statistics().peak_in_flight == 3

    run_virtual(main())


def test_requests_are_paced_evenly():
    async def main():
        limit = limiter(rpm=600, concurrency=math.inf)
        times = [(await timed(limit))[0] for _ in range(50)]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps == pytest.approx([0.1] * 49)

    run_virtual(main())


def test_the_tightest_quota_sets_the_pace():
    async def main():
        limit = limiter(rpm=6000, tpm=60_000, input_tpm=30_000, burst_s=0)
        first = await limit.acquire(Cost(input_tokens=1000, output_tokens=500))
        at, second = await timed(limit, Cost(input_tokens=1000, output_tokens=500))
        assert at == pytest.approx(2.0)
        assert second.cause == "tokens"
        assert second.queued_s == pytest.approx(2.0)
        first.settle(SERVED)
        second.settle(SERVED)

    run_virtual(main())


def test_a_refused_dimension_takes_nothing_from_the_others():
    async def main():
        limit = limiter(rpm=60, tpm=60, concurrency=9)
        first = await limit.acquire(Cost(input_tokens=100))
        for _ in range(20):  # waits for tokens for 100 s; gives up and comes back again and again
            with pytest.raises(PermitTimeout):
                await limit.acquire(Cost(input_tokens=1), deadline=now() + 0.05)
        await asyncio.sleep(1)
        at = now()
        requests_only = await limit.acquire()
        assert now() == at
        first.settle(SERVED)
        requests_only.settle(SERVED)

    run_virtual(main())


def test_a_large_request_is_not_overtaken_for_ever():
    async def main():
        limit = limiter(tpm=60_000, concurrency=99, burst_s=0)
        done = []

        async def ask(name, amount):
            permit = await limit.acquire(tokens(amount))
            done.append(name)
            permit.settle(SERVED)

        async with asyncio.TaskGroup() as group:
            group.create_task(ask("first", 500))
            group.create_task(ask("large", 30_000))
            for index in range(50):
                group.create_task(ask(index, 1))
        assert done == ["first", "large", *range(50)]

    run_virtual(main())


def test_a_request_larger_than_a_minute_of_quota_still_gets_its_turn():
    async def main():
        limit = limiter(tpm=600)
        (await limit.acquire(tokens(5000))).settle(SERVED)
        at, permit = await timed(limit, tokens(1))
        assert at == pytest.approx(500)
        permit.settle(SERVED)

    run_virtual(main())


def test_a_newcomer_does_not_overtake_those_who_wait():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        first = asyncio.create_task(timed(limit))
        await asyncio.sleep(1)
        holder.settle(SERVED)
        second = asyncio.create_task(timed(limit))
        await asyncio.sleep(1)
        assert first.done()
        assert not second.done()
        await settle_all(limit, [first, second])

    run_virtual(main())


def test_a_permit_belongs_to_its_owner_before_that_owner_wakes():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(1)
        holder.settle(SERVED)
        assert limit.in_flight == 1  # nobody has run since, and nobody could slip in
        assert not limit.has_room
        (await waiting).settle(SERVED)
        assert limit.in_flight == 0

    run_virtual(main())


def test_higher_limits_come_into_force_at_once():
    async def main():
        limit = limiter(concurrency=1, rpm=1)
        (holder,) = await held(limit, 1)
        tasks = [asyncio.create_task(timed(limit)) for _ in range(5)]
        await asyncio.sleep(1)
        limit.update(Limits(concurrency=10))
        assert [(await task)[0] for task in tasks] == [1] * 5
        assert limit.limits.concurrency == 10
        holder.settle(SERVED)
        await settle_all(limit, tasks)

    run_virtual(main())


def test_a_lower_concurrency_lets_the_surplus_finish_and_admits_nobody_till_then():
    async def main():
        limit = limiter(concurrency=3)
        permits = await held(limit, 3)
        limit.update(Limits(concurrency=1))
        waiting = asyncio.create_task(timed(limit))
        for permit in permits:
            await asyncio.sleep(1)
            assert not waiting.done()
            permit.settle(SERVED)
        assert (await waiting)[0] == 3
        await settle_all(limit, [waiting])

    run_virtual(main())


def test_a_changed_quota_keeps_its_debt_and_its_permits():
    async def main():
        limit = limiter(tpm=60, burst_s=0)
        permit = await limit.acquire(tokens(100))
        limit.update(Limits(tpm=600, rpm=6000, burst_s=0))
        permit.settle(SERVED, usage=Usage(input_tokens=50, output_tokens=0))
        at, second = await timed(limit, tokens(1))
        assert at == pytest.approx(5)
        second.settle(SERVED)

    run_virtual(main())
