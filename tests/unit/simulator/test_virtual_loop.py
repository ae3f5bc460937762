"""The lean event loop: time jumps, order is kept, nothing is swallowed."""

import asyncio

import pytest

from fanwise.errors import StateError
from fanwise.simulator.virtual.loop import EventLoop


def test_time_jumps_from_timer_to_timer_in_order():
    loop = EventLoop()
    seen = []

    async def main():
        done = loop.create_future()
        loop.call_later(3600.0, done.set_result, "late")
        for name in ("b", "c"):
            loop.call_at(2.0, lambda name=name: seen.append((loop.time(), name)))
        loop.call_at(1.0, lambda: seen.append((loop.time(), "a")))
        loop.call_at(1.5, seen.append, "never").cancel()
        return await done, loop.time()

    assert loop.run(main()) == ("late", 3600.0)
    assert seen == [(1.0, "a"), (2.0, "b"), (2.0, "c")]


def test_tasks_await_each_other_and_can_be_cancelled():
    loop = EventLoop()

    async def sleeper():
        await loop.create_future()

    async def main():
        task = loop.create_task(sleeper())
        loop.call_later(5.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        return loop.time()

    assert loop.run(main()) == 5.0


def test_a_standstill_is_an_error():
    loop = EventLoop()

    async def main():
        await loop.create_future()

    with pytest.raises(RuntimeError, match="stands still"):
        loop.run(main())


async def test_no_rehearsal_begins_inside_a_running_loop():
    async def main():
        return 1

    with pytest.raises(StateError, match="inside a running event loop"):
        EventLoop().run(main())
    assert asyncio.get_running_loop() is not None
    assert await asyncio.to_thread(lambda: EventLoop().run(main())) == 1


def test_what_a_callback_raises_ends_the_run():
    loop = EventLoop()

    async def main():
        loop.call_later(1.0, lambda: 1 // 0)
        await loop.create_future()

    with pytest.raises(ZeroDivisionError):
        loop.run(main())
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
