"""A run that ends early: drained, cancelled, crashed, or without its journal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fanwise.clock import LoopClock
from fanwise.errors import (
    JournalUnavailable,
)
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, ask, open_scripted


def test_draining_keeps_what_is_in_flight_and_leaves_the_rest_for_a_resume() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted(service_s=5)

        async def two_calls(ctx: Any, n: int) -> str:
            await ctx.call("test/model", f"first {n}")
            return await ctx.call("test/model", f"second {n}")

        async with open_scripted(model, home=home, run_id="r", limits=Limits(concurrency=4)) as run:
            loop = asyncio.get_running_loop()
            loop.call_later(7, run.drain)
            got = await run.map(two_calls, range(10)).collect()
            assert loop.time() == pytest.approx(10, abs=0.5), "in flight until then, nothing after"
        assert got == [] or all(o.ok for o in got)
        assert home.reader("r").run.status == "interrupted"
        served = [c for c in home.reader("r").calls() if c.state == "served"]
        assert len(served) == 8
        async with open_scripted(model, home=home) as run:
            got = await run.map(two_calls, range(10)).collect()
        assert len(got) == 10
        assert all(count == 1 for count in model.sends.values()), "nothing was paid twice"

    run_virtual(main())


def test_cancelled_calls_in_flight_are_listed_as_ambiguous_and_finished_ones_are_kept() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted(service_s=5)

        async def work() -> None:
            limits = Limits(concurrency=4)
            async with open_scripted(model, home=home, run_id="r", limits=limits) as run:
                await run.map(ask, range(100)).collect()

        task = asyncio.create_task(work())
        await asyncio.sleep(12)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        states = [call.state for call in home.reader("r").calls()]
        assert states.count("served") == 8
        assert states.count("ambiguous") == 4
        async with open_scripted(model, home=home) as run:
            got = await run.map(ask, range(100)).collect()
        assert all(o.ok for o in got)
        assert sum(model.sends.values()) == 104
        resent = [c for c in home.reader("r").calls() if c.resends]
        assert len(resent) == 4

    run_virtual(main())


def test_a_crash_repeats_no_more_than_what_was_in_flight() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.03)
        model = Scripted(service_s=1)

        async def work() -> None:
            limits = Limits(concurrency=8)
            async with open_scripted(model, home=home, run_id="r", limits=limits) as run:
                await run.map(ask, range(60)).collect()

        task = asyncio.create_task(work())
        await asyncio.sleep(3.52)
        in_flight = model.in_flight
        home.crash("r")
        task.cancel()
        await asyncio.wait([task])
        async with open_scripted(model, home=home) as run:
            got = await run.map(ask, range(60)).collect()
            report = await run.report()
        assert {o.item: o.value for o in got} == {n: f"re: q{n}" for n in range(60)}
        repeats = sum(model.sends.values()) - 60
        assert 0 < repeats <= in_flight
        assert len(report.ambiguous) == repeats

    run_virtual(main())


def test_a_journal_that_fails_ends_the_map_and_shows_nothing_unkept() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        model = Scripted()
        shown = []
        with pytest.raises(JournalUnavailable, match="disk full"):
            async with (
                open_scripted(model, home=home, run_id="r", limits=Limits(concurrency=3)) as run,
                run.map(ask, range(100)) as outcomes,
            ):
                async for outcome in outcomes:
                    shown.append(outcome.item_id)
                    if len(shown) == 6:
                        home.journal("r").fail("disk full")
        home.journal("r").heal()
        kept = {item.item_id for item in home.reader("r").items()}
        assert set(shown) <= kept
        assert sum(model.sends.values()) <= 6 + 3 + 3

    run_virtual(main())
