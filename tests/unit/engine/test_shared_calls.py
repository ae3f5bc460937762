"""Equal calls that share one send, and what a resumed run knows of those that were cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.journal.home import open_home
from fanwise.journal.memory_home import MemoryHome
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, open_scripted


async def same(ctx: fw.Context, item: Any) -> str:
    return str(await ctx.call("test/model", "the same for all"))


@pytest.mark.parametrize("moment_s", [1.0, 5.0, 9.999])
def test_who_is_cancelled_while_others_wait_finds_the_answer_when_it_asks_again(
    moment_s: float,
) -> None:
    async def main() -> None:
        model, home = Scripted(service_s=10.0), MemoryHome(clock=LoopClock())

        async def hasty(ctx: fw.Context, item: Any) -> str:
            if item == 1:
                async with asyncio.timeout(moment_s):
                    return await same(ctx, item)
            return await same(ctx, item)

        async with open_scripted(model, home=home, run_id="r") as run:
            async with run.map(hasty, range(3)) as outcomes:
                ends = [outcome async for outcome in outcomes]
            run.drain()  # it is not finished: failed items go out again
        assert [o.item for o in ends if not o.ok] == [1]
        async with open_scripted(model, home=home, resume="r") as run:
            again = await run.map(same, range(3)).collect()
        assert all(outcome.ok for outcome in again)
        assert len(model.requests) == 1

    run_virtual(main())


def test_an_answer_that_has_landed_is_kept_for_whoever_is_cancelled_in_that_moment() -> None:
    async def main() -> None:
        model, home = Scripted(service_s=10.0), MemoryHome(clock=LoopClock())
        tasks: dict[int, asyncio.Task[Any]] = {}

        async def noted(ctx: fw.Context, item: int) -> str:
            if item == 0:
                value = await same(ctx, item)
                tasks[1].cancel()  # its answer is there, and it has not run since
                return value
            task = tasks[item] = asyncio.create_task(same(ctx, item))
            return await task

        async with open_scripted(model, home=home, run_id="r") as run:
            ends = await run.map(noted, range(2)).collect()
            run.drain()
            assert [o.item for o in ends if o.ok] == [0]
        async with open_scripted(model, home=home, resume="r") as run:
            assert all(outcome.ok for outcome in await run.map(same, range(2)).collect())
        assert len(model.requests) == 1

    run_virtual(main())


async def test_what_is_kept_after_its_item_has_ended_is_kept_on_disk_too(tmp_path: Any) -> None:
    served = asyncio.Event()
    sends = 0

    async def model(request: fw.Request) -> fw.Response:
        nonlocal sends
        sends += 1
        await served.wait()
        return fw.Response(text="yes")

    async def hasty(ctx: fw.Context, item: int) -> str:
        if item == 0:
            return await same(ctx, item)
        try:
            async with asyncio.timeout(0):
                return await same(ctx, item)
        finally:
            served.set()

    home = open_home(tmp_path)
    options: dict[str, Any] = {"journal": home, "models": {"test/model": model}}
    async with fw.open_run("r", run_id="r", **options) as run:
        ends = await run.map(hasty, range(2)).collect()
        assert sorted(outcome.ok for outcome in ends) == [False, True]
        run.drain()
    async with fw.open_run("r", resume="r", **options) as run:
        assert all(outcome.ok for outcome in await run.map(same, range(2)).collect())
    assert sends == 1
