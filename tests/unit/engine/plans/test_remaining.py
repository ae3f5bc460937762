"""Plans of what an unfinished run has still to do, and of what a budget would last for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.engine.plans.machine import Machine
from fanwise.journal.memory_home import MemoryHome
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, open_scripted


def planned(function: Any, source: Any, **options: Any) -> fw.types.Plan:
    options.setdefault("journal", ":memory:")
    return asyncio.run(fw.plan(function, source, machine=Machine(), **options))


async def twice(ctx: fw.Context, item: str) -> Any:
    draft = await ctx.call("test/model", f"draft {item}")
    return await ctx.call("test/model", f"shorten {item}: {draft}")


def begun() -> tuple[MemoryHome, Scripted]:
    """A run of ten items that was left: four are finished, one has its first answer."""
    home = MemoryHome(clock=LoopClock())

    def script(prompt: str, before: int) -> Any:
        if prompt.startswith("shorten 4"):
            raise fw.errors.Rejected("no", status=400)
        return answered(f"answer to {prompt}")

    model = Scripted(script)

    async def main() -> None:
        async with open_scripted(model, home=home, run_id="r") as run:
            await run.map(twice, [f"{n}" for n in range(5)]).collect()
            run.drain()

    run_virtual(main())
    return home, model


def test_what_a_run_has_finished_and_what_it_has_answers_to_is_left_out() -> None:
    home, model = begun()
    assert len(model.requests) == 10
    source = [f"{n}" for n in range(10)]
    whole = planned(twice, source, journal=home)
    assert (whole.items, whole.finished, whole.calls) == (10, 0, 10)
    left = planned(twice, source, journal=home, resume="r", models={"test/model": model})
    # Of item 4 the draft is known, so that its second call is counted; of the rest the first ones.
    assert (left.items, left.finished, left.calls) == (10, 4, 6)
    assert left.outlook is not None
    assert len(model.requests) == 10


def test_nothing_is_left_of_a_run_that_is_done() -> None:
    home, model = begun()
    left = planned(twice, ["0", "1"], journal=home, resume="r", models={"test/model": model})
    assert (left.finished, left.calls, left.outlook) == (2, 0, None)


def test_a_run_that_is_not_there_is_refused() -> None:
    with pytest.raises(fw.errors.FanwiseError, match="nowhere"):
        planned(twice, ["0"], journal=MemoryHome(clock=LoopClock()), resume="nowhere")


def test_a_budget_is_held_against_what_is_likely() -> None:
    async def ask(ctx: fw.Context, item: str) -> Any:
        return await ctx.call("sim/gpt-4o-mini", f"say {item}")

    source = [f"{n}" for n in range(100)]
    without = planned(ask, source)
    assert without.cost_usd is not None
    assert without.outlook is not None
    assert without.of_budget == {}
    budget = fw.Budget(usd=2 * without.cost_usd[1], calls=50, wall_s=without.outlook.likely_s)
    plan = planned(ask, source, budget=budget)
    assert plan.of_budget == pytest.approx({"usd": 0.5, "calls": 2.0, "wall_s": 1.0}, rel=0.01)


def test_a_budget_is_of_all_sessions_of_a_run() -> None:
    home, model = begun()
    budget = fw.Budget(calls=20, tokens=10**9)
    options: dict[str, Any] = {"journal": home, "models": {"test/model": model}, "budget": budget}
    left = planned(twice, [f"{n}" for n in range(10)], resume="r", **options)
    assert left.of_budget["calls"] == pytest.approx((10 + 6) / 20)
    assert left.of_budget["tokens"] > 0
