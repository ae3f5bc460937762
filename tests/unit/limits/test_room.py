"""When a limiter says that there is room for one more."""

import asyncio

from fanwise.clock import LoopClock
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")


def watched(**limits):
    limit = Limiter(Limits(**limits), clock=LoopClock())
    told = []
    limit.on_room(lambda: told.append((asyncio.get_running_loop().time(), limit.has_room)))
    return limit, told


def test_nobody_is_told_while_nobody_was_turned_away():
    async def main():
        limit, told = watched(concurrency=2)
        for _ in range(5):
            (await limit.acquire()).settle(SERVED)
            await asyncio.sleep(0.1)
        assert told == []

    run_virtual(main())


def test_room_is_told_when_the_last_waiter_has_its_permit_and_one_more_is_free():
    async def main():
        limit, told = watched(concurrency=1)
        first = await limit.acquire()
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(1)
        first.settle(SERVED)
        second = await waiting
        await asyncio.sleep(1)
        assert told == []  # nobody waits, but nothing is free either
        second.settle(SERVED)
        assert told == []  # never from within
        await asyncio.sleep(1)
        assert told == [(2, True)]

    run_virtual(main())


def test_a_no_is_remembered_until_a_slot_is_free():
    async def main():
        limit, told = watched(concurrency=1)
        assert limit.has_room
        permit = await limit.acquire()
        assert not limit.has_room
        await asyncio.sleep(3)
        permit.settle(SERVED)
        await asyncio.sleep(1)
        assert told == [(3, True)]

    run_virtual(main())


def test_a_no_is_remembered_until_the_quota_admits_again():
    async def main():
        limit, told = watched(rpm=6, burst_s=0)
        permit = await limit.acquire()
        assert not limit.has_room
        permit.settle(SERVED)
        await asyncio.sleep(20)
        assert told == [(10, True)]

    run_virtual(main())


def test_a_no_is_remembered_until_the_gate_opens():
    async def main():
        limit, told = watched()
        (await limit.acquire()).settle(Verdict(kind="rate", retry_after_s=5))
        assert not limit.has_room
        await asyncio.sleep(20)
        assert told == [(0.1, True)]

    run_virtual(main())


def test_a_raised_limit_makes_room():
    async def main():
        limit, told = watched(concurrency=1)
        permit = await limit.acquire()
        assert not limit.has_room
        limit.update(Limits(concurrency=2))
        await asyncio.sleep(1)
        assert told == [(0, True)]
        permit.settle(SERVED)

    run_virtual(main())


def test_many_settles_at_once_tell_it_once():
    async def main():
        limit, told = watched(concurrency=3)
        permits = [await limit.acquire() for _ in range(3)]
        assert not limit.has_room
        for permit in permits:
            permit.settle(SERVED)
        await asyncio.sleep(1)
        assert told == [(0, True)]

    run_virtual(main())


def test_callbacks_can_be_ended():
    async def main():
        limit, told = watched(concurrency=1)
        end = limit.on_room(lambda: told.append("second"))
        end()
        permit = await limit.acquire()
        assert not limit.has_room
        permit.settle(SERVED)
        await asyncio.sleep(1)
        assert told == [(0, True)]

    run_virtual(main())
