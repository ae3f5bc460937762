"""Who goes first where some cannot wait, and that nobody waits for ever."""

import asyncio

from fanwise.clock import LoopClock
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")


def limiter(**limits):
    return Limiter(Limits(**limits), clock=LoopClock(), name="test")


async def ask(limit, order, name, priority="background", *, cost=Cost(), holds_s=1.0):  # noqa: B008
    permit = await limit.acquire(cost, priority=priority)
    order.append(name)
    await asyncio.sleep(holds_s)
    permit.settle(SERVED)


def test_interactive_requests_go_ahead_and_each_class_is_first_come_first_served():
    async def main():
        limit, order = limiter(concurrency=1), []
        async with asyncio.TaskGroup() as group:
            for name in ("a", "b", "c"):
                group.create_task(ask(limit, order, name))
            await asyncio.sleep(0.5)
            for name in ("x", "y"):
                group.create_task(ask(limit, order, name, "interactive"))
        assert order == ["a", "x", "y", "b", "c"]

    run_virtual(main())


def test_a_background_request_is_overtaken_for_thirty_seconds_at_most():
    async def main():
        limit, order = limiter(concurrency=1), []
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(limit, order, "holder"))
            await asyncio.sleep(0.5)
            group.create_task(ask(limit, order, "patient"))
            for number in range(100):  # one a second, each of which takes a second
                group.create_task(ask(limit, order, number, "interactive"))
                await asyncio.sleep(1)
        assert 29 <= order.index("patient") <= 33

    run_virtual(main())


def test_a_large_request_waits_no_longer_than_in_a_plain_queue():
    async def main():
        limit, order = limiter(tpm=60_000, concurrency=1000, burst_s=0), []
        waits = {}

        async def timed(name, tokens):
            asked = asyncio.get_running_loop().time()
            cost = Cost(input_tokens=tokens)
            await ask(limit, order, name, cost=cost, holds_s=0.0)
            waits[name] = asyncio.get_running_loop().time() - asked

        async with asyncio.TaskGroup() as group:
            for number in range(1000):
                group.create_task(timed(number, 10))
            group.create_task(timed("large", 10_000))
            for number in range(1000, 3000):
                group.create_task(timed(number, 10))
        assert waits["large"] <= 1.5 * 10.0  # a thousand times 10 tokens at 1000 a second

    run_virtual(main())


def test_an_interactive_request_overtakes_a_large_one_that_waits_for_tokens():
    async def main():
        limit, order = limiter(tpm=600, burst_s=0), []
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(limit, order, "first", cost=Cost(input_tokens=100)))
            await asyncio.sleep(0.1)
            group.create_task(ask(limit, order, "large", cost=Cost(input_tokens=500)))
            await asyncio.sleep(0.1)
            group.create_task(ask(limit, order, "free", "interactive"))
        assert order == ["first", "free", "large"]

    run_virtual(main())


def test_nothing_is_granted_in_a_pause_and_the_cause_is_told():
    async def main():
        limit, order = limiter(concurrency=5), []
        limit.pause()
        task = asyncio.create_task(ask(limit, order, "a", holds_s=0))
        await asyncio.sleep(100)
        assert limit.waiting_by_cause() == {"paused": 1}
        assert not order
        limit.resume()
        await task
        assert order == ["a"]
        assert limit.statistics().held_s["paused"] == 100

    run_virtual(main())
