"""Hedging: a call that stalls is sent a second time, and nothing is lost, leaked or forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from fanwise.clock import LoopClock
from fanwise.errors import ConfigError, RateLimited, ServerError
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.budget import Budget
from fanwise.limits.settings import Limits
from fanwise.records import Request, Response
from fanwise.retry.hedge import Hedge
from fanwise.retry.policy import Retry
from fanwise.testing import ScriptedModel, open_test_run, prompt_of
from fanwise.testing.virtual import run_virtual
from support.scripted import USAGE, answered, ask, open_scripted

FIVE = Hedge(after_s=5.0, max_share=1.0)


class Provider:
    """A model that takes, for each send of a prompt, the seconds it is told; remembers all."""

    def __init__(self, *seconds: float, errors: dict[int, Exception] | None = None) -> None:
        self.seconds = seconds
        self.errors = errors or {}
        self.sent: list[tuple[str, float]] = []
        self.keys: list[str] = []
        self.closed = 0
        self.model = ScriptedModel(self._answer, service_s=0)

    def _answer(self, request: Request, before: int) -> Awaitable[Response]:
        self.sent.append((prompt_of(request), asyncio.get_running_loop().time()))
        self.keys.append(request.idempotency_key)
        return self._later(request, before)

    async def _later(self, request: Request, before: int) -> Response:
        try:
            await asyncio.sleep(self.seconds[min(before, len(self.seconds) - 1)])
        except asyncio.CancelledError:
            self.closed += 1
            raise
        if before in self.errors:
            raise self.errors[before]
        return answered(f"{prompt_of(request)} {before}")


async def one(provider: Provider, **options: Any) -> tuple[Any, Any, float]:
    """Runs one item: its outcome, its call as journalled, and how long it took."""
    home = MemoryHome(clock=LoopClock())
    options = {"hedge": FIVE, **options}
    async with open_scripted(provider.model, home=home, run_id="r", **options) as run:
        (outcome,) = await run.map(ask, [0]).collect()
        took_s = asyncio.get_running_loop().time()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    (call,) = home.reader("r").calls()
    return outcome, call, took_s


def verdicts(call: Any) -> list[str]:
    return [attempt.verdict for attempt in call.attempts]


def test_a_call_that_stalls_is_sent_again_with_the_same_key_and_the_first_answer_counts() -> None:
    async def main() -> None:
        provider = Provider(60, 1)
        outcome, call, took_s = await one(provider)
        assert outcome.value == "q0 1"
        assert took_s == pytest.approx(6)
        assert [at for _, at in provider.sent] == pytest.approx([0, 5])
        assert len(set(provider.keys)) == 1
        assert provider.closed == 1
        assert verdicts(call) == ["cancelled", "served"]
        assert [a.number for a in call.attempts] == [1, 2]
        assert call.attempts[1].reason == "hedge"
        assert "hedge was answered first" in call.attempts[0].reason
        assert call.state == "served"
        assert call.usage == USAGE

    run_virtual(main())


def test_where_the_first_send_is_answered_after_all_the_hedge_is_cancelled() -> None:
    async def main() -> None:
        provider = Provider(7, 60)
        outcome, call, took_s = await one(provider)
        assert outcome.value == "q0 0"
        assert took_s == pytest.approx(7)
        assert provider.closed == 1
        assert verdicts(call) == ["served", "cancelled"]
        assert call.attempts[1].reason.startswith("hedge: another send")

    run_virtual(main())


def test_what_is_answered_in_time_is_sent_once() -> None:
    async def main() -> None:
        provider = Provider(4.9)
        _, call, _ = await one(provider)
        assert verdicts(call) == ["served"]
        assert call.attempts[0].reason == ""

    run_virtual(main())


def test_without_a_hedge_a_stall_is_waited_for() -> None:
    async def main() -> None:
        provider = Provider(60, 1)
        _, call, took_s = await one(provider, hedge=None)
        assert took_s == pytest.approx(60)
        assert len(call.attempts) == 1

    run_virtual(main())


def test_a_failure_waits_for_the_other_send() -> None:
    async def main() -> None:
        provider = Provider(6, 10, errors={0: ServerError("bad")})
        outcome, call, took_s = await one(provider)
        assert outcome.value == "q0 1"
        assert took_s == pytest.approx(15)
        assert verdicts(call) == ["infrastructure", "served"]

    run_virtual(main())


def test_where_both_fail_it_counts_as_one_failure_and_the_longest_wait_is_kept() -> None:
    async def main() -> None:
        refused = RateLimited("slow down", retry_after_s=30.0)
        provider = Provider(6, 3, 1, errors={0: refused, 1: ServerError("bad")})
        retry = Retry(max_attempts=2, base_s=0.001, cap_s=0.001)
        outcome, call, _ = await one(provider, retry=retry)
        assert outcome.ok
        assert verdicts(call) == ["infrastructure", "rate", "served"]
        # Refused at 6 s for 30 s: the failure of the other send at 8 s does not bring it forward.
        assert [at for _, at in provider.sent] == pytest.approx([0, 5, 36], abs=3)
        assert provider.sent[2][1] >= 36

    run_virtual(main())


def test_a_hedge_that_finds_no_permit_is_never_sent_and_holds_nothing() -> None:
    async def main() -> None:
        provider = Provider(60, 1)
        _, call, took_s = await one(provider, limits=Limits(concurrency=1))
        assert took_s == pytest.approx(60)
        assert verdicts(call) == ["served"]

    run_virtual(main())


def test_no_hedge_goes_out_before_the_time_that_its_call_was_told_to_wait() -> None:
    async def main() -> None:
        # The hedge waits for the only permit; the first send gives it back with a Retry-After.
        refused = RateLimited("slow down", retry_after_s=30.0)
        provider = Provider(6, 1, errors={0: refused})
        outcome, call, _ = await one(provider, limits=Limits(concurrency=1))
        assert outcome.ok
        assert verdicts(call) == ["rate", "served"]
        assert provider.sent[1][1] >= 36

    run_virtual(main())


def test_hedges_are_a_small_share_of_all_sends() -> None:
    async def main() -> None:
        provider = Provider(20)
        hedge = Hedge(after_s=5.0, max_share=0.05)
        async with open_scripted(
            provider.model, hedge=hedge, limits=Limits(concurrency=400)
        ) as run:
            outcomes = await run.map(ask, range(200)).collect()
        assert all(outcome.ok for outcome in outcomes)
        assert 200 < len(provider.sent) <= 210

    run_virtual(main())


def test_a_hedge_that_may_not_go_out_yet_goes_out_when_it_may() -> None:
    async def main() -> None:
        # Two stall at once, and one hedge in twenty sends is allowed.
        def service_s(request: Request) -> float:
            stalls = prompt_of(request) in {"q0", "q1"}
            return 300.0 if stalls and model.sends[prompt_of(request)] == 1 else 1.0

        model = ScriptedModel(service_s=service_s)
        hedge = Hedge(after_s=5.0)
        async with open_scripted(model, hedge=hedge, limits=Limits(concurrency=4)) as run:
            await run.map(ask, range(100)).collect()
        assert model.cancelled == 2
        assert asyncio.get_running_loop().time() < 60

    run_virtual(main())


async def duration_s(hedge: Hedge | None) -> tuple[float, int]:
    """How long 1000 calls take of which every fiftieth stalls for a minute; and their sends."""
    stalls = set(range(0, 1000, 50))

    def service_s(request: Request) -> float:
        number = int(prompt_of(request)[1:])
        return 60.0 if number in stalls and model.sends[prompt_of(request)] == 1 else 1.0

    model = ScriptedModel(service_s=service_s)
    began = asyncio.get_running_loop().time()
    async with open_scripted(model, hedge=hedge, limits=Limits(concurrency=20)) as run:
        await run.map(ask, range(1000)).collect()
        report = await run.report()
    took_s = asyncio.get_running_loop().time() - began
    if hedge is not None:
        assert report.hedges is not None
        assert report.hedges.sent == report.hedges.won == report.hedges.lost == 20
        assert report.retries == 0
    return took_s, sum(model.sends.values())


def test_a_run_with_stalls_is_much_sooner_done_for_two_per_cent_more_sends() -> None:
    async def main() -> None:
        without_s, sends = await duration_s(None)
        with_s, hedged = await duration_s(Hedge(after_s=3.0))
        assert (sends, hedged) == (1000, 1020)
        assert with_s <= 0.4 * without_s

    run_virtual(main())


def test_a_quantile_is_learned_before_anything_is_hedged() -> None:
    async def main() -> None:
        provider = Provider(1)
        hedge = Hedge(quantile=0.9, max_share=1.0)
        async with open_scripted(provider.model, hedge=hedge, limits=Limits(concurrency=1)) as run:
            await run.map(ask, range(30)).collect()
            assert len(provider.sent) == 30
            provider.seconds = (50, 1)
            await run.map(ask, range(100, 101)).collect()
        assert asyncio.get_running_loop().time() == pytest.approx(80)
        async with open_scripted(provider.model, hedge=hedge, limits=Limits(concurrency=2)) as run:
            provider.seconds = (1,)
            await run.map(ask, range(200, 240)).collect()
            before, began = len(provider.sent), asyncio.get_running_loop().time()
            provider.seconds = (50, 1)
            await run.map(ask, range(300, 301)).collect()
        assert len(provider.sent) == before + 2
        assert asyncio.get_running_loop().time() - began == pytest.approx(2, abs=0.1)

    run_virtual(main())


PRICED = "openai/gpt-4o-mini"


async def priced(provider: Provider, *, items: int = 1, **options: Any) -> tuple[Any, Any, Any]:
    """Runs calls of a model that has a price: outcomes, calls, and the run's use of its budget."""
    home = MemoryHome(clock=LoopClock())

    async def ask_priced(ctx: Any, item: int) -> Any:
        return await ctx.call(PRICED, f"q{item}", parameters={"max_tokens": 100})

    options = {"hedge": FIVE, "models": {PRICED: provider.model}, **options}
    async with open_test_run(home=home, run_id="r", **options) as run:
        outcomes = await run.map(ask_priced, range(items)).collect()
        use = run.snapshot().budgets
    return outcomes, list(home.reader("r").calls()), use


def test_the_send_that_was_cancelled_is_counted_as_paid_in_cost_and_budget() -> None:
    async def main() -> None:
        _, (alone,), _ = await priced(Provider(1))
        _, (hedged,), (use,) = await priced(Provider(60, 1), budget=Budget(usd=1))
        assert hedged.cost_usd == 2 * alone.cost_usd > 0
        assert hedged.usage == alone.usage
        assert use.spent >= 2 * float(alone.cost_usd)

    run_virtual(main())


def test_no_hedge_uses_a_budget_up() -> None:
    async def main() -> None:
        _, (call,), _ = await priced(Provider(60, 1), budget=Budget(usd=0.0001))
        assert verdicts(call) == ["served"]

    run_virtual(main())


def test_hedges_have_a_budget_of_their_own() -> None:
    async def main() -> None:
        provider = Provider(60, 1)
        hedge = Hedge(after_s=5, max_share=1.0, max_usd=0.00015)
        _, calls, _ = await priced(provider, items=10, hedge=hedge, limits=Limits(concurrency=50))
        hedged = [call for call in calls if len(call.attempts) > 1]
        assert 1 <= len(hedged) <= 3

    run_virtual(main())


def test_hedges_in_money_are_refused_for_a_model_of_unknown_price() -> None:
    async def main() -> None:
        provider = Provider(1)
        async with open_scripted(provider.model, hedge=Hedge(after_s=5, max_usd=1)) as run:
            with pytest.raises(ConfigError, match="price of test/model is unknown"):
                await run.map(ask, [0]).collect()
        assert provider.sent == []

    run_virtual(main())


def test_a_caller_that_leaves_ends_both_sends_and_the_call_is_listed_as_ambiguous() -> None:
    async def main() -> None:
        provider = Provider(60)
        home = MemoryHome(clock=LoopClock())
        with pytest.raises(TimeoutError):
            async with (
                open_scripted(provider.model, home=home, run_id="r", hedge=FIVE) as run,
                asyncio.timeout(10),
            ):
                await run.map(ask, [0]).collect()
        assert provider.closed == 2
        (call,) = home.reader("r").calls()
        assert call.state == "ambiguous"
        assert verdicts(call) == ["cancelled", "cancelled"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())


@pytest.mark.parametrize("steps", range(0, 60, 3))
def test_cancelled_at_any_step_nothing_is_held_and_no_task_is_left(steps: int) -> None:
    async def main() -> None:
        provider = Provider(6, 1, 0.5, errors={0: ServerError("bad")})
        home = MemoryHome(clock=LoopClock())
        async with open_scripted(provider.model, home=home, run_id="r", hedge=FIVE) as run:
            work = asyncio.ensure_future(run.map(ask, [0]).collect())
            await asyncio.sleep(4.999)
            for _ in range(steps):
                await asyncio.sleep(0 if steps < 30 else 0.04)
            work.cancel()
            await asyncio.wait([work])
            assert run.snapshot().waiting == 0
            assert all(one.in_flight == 0 for one in run._core.parts.pools.limiters)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        (call,) = home.reader("r").calls()
        assert call.state in {"ambiguous", "cancelled", "served"}
        assert len(call.attempts) == len(provider.sent)

    run_virtual(main())


def test_a_drained_run_sends_no_hedge() -> None:
    async def main() -> None:
        provider = Provider(60, 1)
        async with open_scripted(provider.model, hedge=FIVE) as run:
            work = asyncio.ensure_future(run.map(ask, [0]).collect())
            await asyncio.sleep(3)
            run.drain()
            await asyncio.wait([work])
        assert len(provider.sent) == 1

    run_virtual(main())
