"""A run under a budget: calls under way cannot overspend it together, and nothing is lost at it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from decimal import Decimal
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.errors import BudgetExhausted, ConfigError, RateLimited, StateError
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.records import Response, Usage
from fanwise.testing import open_test_run
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, failing, open_scripted

MODEL = "openai/gpt-4o-mini"
ANSWER = Usage(input_tokens=20, output_tokens=1000)
WIDE = Limits(concurrency=50)


def paid(model: Any, **options: Any) -> Any:
    """A run on a scripted model that has a real one's price."""
    return open_test_run({MODEL: model}, limits=WIDE, **options)


async def dear(ctx: Any, item: Any) -> Any:
    return await ctx.call(MODEL, f"q{item}", parameters={"max_tokens": 1000})


def served(_: str, __: int) -> Response:
    return Response(text="yes", usage=ANSWER)


def price_usd() -> Decimal:
    from fanwise.models.prices import Prices

    cost = Prices().cost_usd(MODEL, ANSWER)
    assert cost is not None
    return cost


async def until_reached(run: Any, items: Any, function: Any = ask) -> tuple[list[Any], Any]:
    got: list[Any] = []
    with pytest.raises(BudgetExhausted) as reached:
        async with run.map(function, items) as outcomes:
            async for outcome in outcomes:
                got.append(outcome)
    return got, reached.value


def test_calls_that_race_for_the_last_unit_do_not_exceed_it() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted(served)
        budget = fw.Budget(usd=10 * price_usd() + price_usd() / 2)
        with pytest.raises(BudgetExhausted, match=r"the next call may cost \$0\.0006"):
            async with paid(model, home=home, budget=budget, run_id="r") as run:
                await run.map(dear, range(100)).collect()
        reader = home.reader("r")
        assert reader.counters().cost_usd <= (budget.most_usd or 0)
        assert sum(model.sends.values()) == reader.counters().succeeded == 10
        assert reader.run.status == "interrupted"

    run_virtual(main())


def test_what_is_under_way_at_the_end_is_kept_and_shown() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted()
        async with open_scripted(model, home=home, budget=fw.Budget(calls=7), limits=WIDE) as run:
            got, reached = await until_reached(run, range(20))
            assert not run.finished
            with pytest.raises(BudgetExhausted):
                await run.map(ask, range(20, 22)).collect()
        assert sorted(outcome.item for outcome in got) == list(range(7))
        assert all(outcome.ok for outcome in got)
        assert "7 calls" in reached.message
        assert "larger budget" in reached.hint
        counters = home.reader(run.run_id).counters()
        assert (counters.succeeded, counters.failed, counters.ambiguous) == (7, 0, 0)

    run_virtual(main())


def test_a_larger_budget_goes_on_and_what_was_spent_before_counts() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted()
        for calls, done in ((5, 5), (8, 8)):
            budget = fw.Budget(calls=calls)
            async with open_scripted(model, home=home, budget=budget) as run:
                await until_reached(run, range(20))
            assert sum(model.sends.values()) == done
        async with open_scripted(model, home=home, budget=fw.Budget(calls=20)) as run:
            outcomes = await run.map(ask, range(20)).collect()
        assert len(outcomes) == 20
        assert run.finished
        assert set(model.sends.values()) == {1}

    run_virtual(main())


def test_cheaper_answers_than_feared_let_waiting_calls_through() -> None:
    async def main() -> None:
        model = Scripted(
            lambda *_: Response(text="y", usage=Usage(input_tokens=9, output_tokens=9))
        )
        # Two of the largest answers fit side by side, and a hundred of the real ones.
        budget = fw.Budget(usd=2 * price_usd() + price_usd() / 2)
        async with paid(model, budget=budget) as run:
            outcomes = await run.map(dear, range(40)).collect()
        assert len(outcomes) == 40
        assert model.peak == 2

    run_virtual(main())


def test_tokens_and_failed_calls() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        model = Scripted(lambda p, n: failing(RateLimited("slow down")) if n == 0 else served(p, n))
        async with paid(model, home=home, budget=fw.Budget(tokens=3500), run_id="r") as run:
            await until_reached(run, range(20), dear)
        # A refusal costs nothing; three answers of 1020 tokens fit.
        assert home.reader("r").counters().input_tokens == 60
        assert home.reader("r").counters().output_tokens == 3000

    run_virtual(main())


def test_work_ends_when_its_time_is_up_and_earlier_sessions_count() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted(service_s=10)
        limits = Limits(concurrency=1)
        for ended in (3, 3):
            begun = asyncio.get_running_loop().time()
            budget = fw.Budget(wall_s=25)
            async with open_scripted(model, home=home, budget=budget, limits=limits) as run:
                await until_reached(run, range(9))
            assert sum(model.sends.values()) == ended
            took_s = asyncio.get_running_loop().time() - begun
            assert took_s == pytest.approx(30 if not run.resumed else 0, abs=0.5)

    run_virtual(main())


def test_a_budget_of_money_needs_a_price() -> None:
    async def main() -> None:
        model = Scripted()
        with pytest.raises(ConfigError, match="the price of test/model is unknown") as refused:
            async with open_scripted(model, budget=fw.Budget(usd=5)) as run:
                await run.map(ask, range(5)).collect()
        assert "--budget-tokens" in refused.value.hint
        assert not model.sends
        async with open_scripted(model, budget=fw.Budget(usd=5)) as run:
            with pytest.raises(ConfigError):
                run.check_model("test/model")

    run_virtual(main())


def test_rules_cost_nothing() -> None:
    async def main() -> None:
        async def rule(ctx: Any, item: int) -> Any:
            return await ctx.call(
                "builtin/rules", f"q{item}", schema={"type": "integer"}, rules=lambda _: 7
            )

        async with open_scripted(Scripted(), budget=fw.Budget(calls=1, usd=0.001)) as run:
            outcomes = await run.map(rule, range(5)).collect()
        assert [outcome.value for outcome in outcomes] == [7] * 5

    run_virtual(main())


def test_the_budget_can_be_changed_while_calls_wait() -> None:
    async def main() -> None:
        model = Scripted(served)
        async with paid(model, budget=fw.Budget(usd=price_usd() * 3 / 2)) as run:
            async with run.map(dear, range(4)) as outcomes:
                await asyncio.sleep(0.5)
                assert run.snapshot().waiting >= 1
                assert run.snapshot().budgets[0].kind == "usd"
                await run.set_budget(fw.Budget(usd=1))
                got = [outcome async for outcome in outcomes]
            assert len(got) == 4
            assert model.peak == 4
            await run.set_budget(fw.Budget(calls=4))
            await until_reached(run, range(4, 6), dear)
            with pytest.raises(StateError, match="used up"):
                await run.set_budget(fw.Budget(calls=10))

    run_virtual(main())


def test_a_wait_for_others_is_named_as_such() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted(served, service_s=10)
        budget = fw.Budget(usd=price_usd() * 3 / 2)
        async with paid(model, home=home, budget=budget, run_id="r") as run:
            await until_reached(run, range(4), dear)
            report = await run.report()
        assert report.limited_by["budget"] > 0.5

    run_virtual(main())


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_cancelled_when_the_purse_is_right_afterwards(seed: int) -> None:
    async def main() -> None:
        chance = random.Random(seed)
        model = Scripted(served, service_s=1)
        async with paid(model, budget=fw.Budget(usd=price_usd() * 5 / 2, calls=60)) as run:

            async def call(ctx: Any, item: int) -> Any:
                try:
                    async with asyncio.timeout(chance.uniform(0, 3)):
                        return await dear(ctx, item)
                except TimeoutError:
                    return None

            with contextlib.suppress(BudgetExhausted):
                await run.map(call, range(40)).collect()
            assert all(use.reserved == 0 for use in run.snapshot().budgets)
            assert all(use.spent <= use.limit for use in run.snapshot().budgets)
        assert model.peak <= 2

    run_virtual(main())


def test_a_refused_call_that_waits_to_be_sent_again_is_left_for_a_resume() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())

        def script(prompt: str, before: int) -> Response:
            if prompt == "q0" and before == 0:
                return failing(RateLimited("slow down", retry_after_s=5))
            return answered(prompt)

        model = Scripted(script)
        async with open_scripted(
            model, home=home, budget=fw.Budget(calls=3), run_id="r", limits=Limits(concurrency=4)
        ) as run:
            got, _ = await until_reached(run, range(5))
        assert len(got) == 2
        states = {call.key.item_id: call.state for call in home.reader("r").calls()}
        assert sorted(states.values()) == ["cancelled", "served", "served"]
        async with open_scripted(model, home=home, budget=fw.Budget(calls=9)) as run:
            outcomes = await run.map(ask, range(5)).collect()
        assert sum(outcome.ok for outcome in outcomes) == 5

    run_virtual(main())


def test_a_first_budget_counts_what_was_spent_before_it() -> None:
    async def main() -> None:
        async with open_scripted(Scripted()) as run:
            await run.map(ask, range(3)).collect()
            await run.set_budget(fw.Budget(calls=5))
            (use,) = run.snapshot().budgets
            assert (use.spent, use.limit) == (3, 5)

    run_virtual(main())


def test_calls_that_share_a_send_are_not_spent_in_the_report() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted()

        async def alike(ctx: Any, item: Any) -> Any:
            return await ctx.call("test/model", f"q{item % 9}")

        budget = fw.Budget(calls=9)
        async with open_scripted(model, home=home, budget=budget, limits=WIDE) as run:
            await run.map(alike, range(12)).collect()
            (used,) = (await run.report()).budgets
            run_id = run.run_id
        assert sum(model.sends.values()) == 9
        assert (used.spent, used.limit) == (9, 9)
        assert home.reader(run_id).counters().calls == 12

    run_virtual(main())


def test_what_shared_a_send_before_a_resume_leaves_room_after_it() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted()

        async def alike(ctx: Any, item: Any) -> Any:
            return await ctx.call("test/model", f"q{item // 2}")

        for calls in (3, 6):
            budget = fw.Budget(calls=calls)
            async with open_scripted(model, home=home, budget=budget, limits=WIDE) as run:
                await until_reached(run, range(20), alike)
            assert sum(model.sends.values()) == calls

    run_virtual(main())
