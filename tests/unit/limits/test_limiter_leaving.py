"""Those who leave before they have a permit, or before they can use it."""

import asyncio
import contextlib

import pytest

from fanwise.clock import LoopClock
from fanwise.errors import PermitTimeout, RunAborted
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Verdict
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


def test_a_grant_whose_owner_was_cancelled_meanwhile_is_passed_on():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        victim, heir = (asyncio.create_task(timed(limit)) for _ in range(2))
        await asyncio.sleep(1)
        holder.settle(SERVED)
        victim.cancel()
        at, permit = await heir
        assert at == 1
        permit.settle(SERVED)
        assert limit.in_flight == 0

    run_virtual(main())


def test_a_passed_on_grant_gives_its_quota_back():
    async def main():
        limit = limiter(tpm=60_000, concurrency=1, burst_s=0)
        holder = await limit.acquire(tokens(1))
        victim = asyncio.create_task(limit.acquire(tokens(60_000)))
        await asyncio.sleep(10)
        holder.settle(SERVED)
        victim.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await victim
        at, permit = await timed(limit, tokens(1))
        assert at == 10
        permit.settle(SERVED)

    run_virtual(main())


def test_a_cancelled_head_lets_the_next_one_through_at_once():
    async def main():
        limit = limiter(tpm=60, concurrency=9, burst_s=0)
        (await limit.acquire(tokens(1000))).settle(SERVED)
        large = asyncio.create_task(timed(limit, tokens(10)))
        free = asyncio.create_task(timed(limit))
        await asyncio.sleep(3)
        assert not free.done()
        large.cancel()
        at, permit = await free
        assert at == 3
        permit.settle(SERVED)

    run_virtual(main())


def test_cancelled_waiters_leave_nothing_behind():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        tasks = [asyncio.create_task(limit.acquire()) for _ in range(500)]
        await asyncio.sleep(1)
        for task in tasks[:499]:
            task.cancel()
        await asyncio.sleep(1)
        assert limit.waiting == 1
        assert len(limit._queue) < 100
        holder.settle(SERVED)
        (await tasks[499]).settle(SERVED)
        assert limit.in_flight == 0

    run_virtual(main())


def test_a_timeout_around_the_wait_holds_nothing():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await limit.acquire()
        assert limit.waiting == 0
        holder.settle(SERVED)
        assert limit.has_room

    run_virtual(main())


def test_a_deadline_ends_the_wait_and_says_what_held_it():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        with pytest.raises(PermitTimeout, match=r"in 5\.0 s: 1 of 1 in flight.*concurrency"):
            await limit.acquire(deadline=5)
        assert now() == 5
        assert limit.waiting == 0
        holder.settle(SERVED)

    run_virtual(main())


def test_a_deadline_that_has_passed_takes_no_permit_even_where_one_is_free():
    async def main():
        limit = limiter()
        await asyncio.sleep(1)
        with pytest.raises(PermitTimeout):
            await limit.acquire(deadline=1)
        assert limit.statistics().granted == 0

    run_virtual(main())


def test_a_waiter_that_gives_up_does_not_hold_up_those_behind_it():
    async def main():
        limit = limiter(tpm=60, concurrency=9, burst_s=0)
        (await limit.acquire(tokens(1000))).settle(SERVED)
        large = asyncio.create_task(limit.acquire(tokens(10), deadline=4))
        free = asyncio.create_task(timed(limit))
        with pytest.raises(PermitTimeout):
            await large
        at, permit = await free
        assert at == 4
        permit.settle(SERVED)

    run_virtual(main())


def test_closing_gives_its_error_to_those_who_wait_and_those_who_come():
    async def main():
        limit = limiter(concurrency=1)
        (holder,) = await held(limit, 1)
        tasks = [asyncio.create_task(limit.acquire()) for _ in range(3)]
        await asyncio.sleep(1)
        tasks[1].cancel()
        limit.close(RunAborted("stop"))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [RunAborted, asyncio.CancelledError, RunAborted]
        with pytest.raises(RunAborted):
            await limit.acquire()
        assert limit.waiting == 0
        assert not limit.has_room
        holder.settle(SERVED)
        assert limit.in_flight == 0

    run_virtual(main())
