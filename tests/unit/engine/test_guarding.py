"""No storm: a provider that fails is asked little, and asked again with care when it is back."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from fanwise.clock import LoopClock
from fanwise.engine.guarding import RetryPurse
from fanwise.errors import CallError, ConfigError, Overloaded, Parked, RateLimited, ServerError
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.records import Response
from fanwise.retry.policy import Retry
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, failing, open_scripted

FIFTY = Limits(concurrency=50)


class Provider:
    """A model that fails in every way until it is back, and remembers when it was asked."""

    def __init__(self, error: type[CallError], *, down_s: tuple[float, float]) -> None:
        self.error = error
        self.down_s = down_s
        self.sent: list[float] = []
        self.model = Scripted(self._answer, service_s=0.5)

    def _answer(self, prompt: str, _: int) -> Response:
        now = asyncio.get_running_loop().time()
        self.sent.append(now)
        if self.down_s[0] <= now < self.down_s[1]:
            return failing(self.error("down"))
        return answered(prompt)

    def during(self, start: float, end: float) -> int:
        return sum(start <= sent < end for sent in self.sent)


@pytest.mark.parametrize("error", [Overloaded, ServerError])
@pytest.mark.parametrize("limits", [FIFTY, Limits()], ids=["fixed", "learned"])
def test_an_outage_of_ten_minutes_costs_few_sends_and_no_item(error, limits) -> None:
    async def main() -> None:
        provider = Provider(error, down_s=(20, 620))
        async with open_scripted(provider.model, limits=limits) as run:
            outcomes = await run.map(ask, range(6000)).collect()
        assert sum(outcome.ok for outcome in outcomes) == 6000
        # What was in flight when it began, what the retry budget holds, and a probe now and then.
        assert provider.during(21, 620) <= 100 + 100
        assert provider.during(120, 620) <= 60
        back = [sent for sent in provider.sent if sent >= 620]
        # Back with care: no more than a handful in the first second of answers.
        assert sum(sent < back[0] + 0.6 for sent in back) <= 8

    run_virtual(main())


def test_who_waits_for_a_permit_when_it_opens_stays_and_a_probe_is_nobodys_failure() -> None:
    async def main() -> None:
        provider = Provider(ServerError, down_s=(20, 320))
        retry = Retry(max_attempts=1)
        async with open_scripted(provider.model, limits=FIFTY, retry=retry) as run:
            outcomes = await run.map(ask, range(3000)).collect()
        probes = provider.during(21, 320)
        assert probes >= 10
        assert sum(not outcome.ok for outcome in outcomes) == provider.during(20, 21)
        assert provider.during(20.4, 30) <= 60

    run_virtual(main())


def test_after_a_quarter_of_an_hour_items_are_parked_with_their_reason() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        provider = Provider(ServerError, down_s=(0, 2000))
        async with open_scripted(provider.model, home=home, run_id="r", limits=FIFTY) as run:
            outcomes = await run.map(ask, range(300)).collect()
        parked = [o.error for o in outcomes if isinstance(o.error, Parked)]
        assert len(parked) >= 280
        assert "nothing was answered for 900 s" in str(parked[0])
        assert "fanwise retry" in parked[0].hint
        assert asyncio.get_running_loop().time() == pytest.approx(900, abs=5)
        assert len(provider.sent) < 200
        kinds = {item.error.kind for item in home.reader("r").items() if item.error}
        assert "parked" in kinds
        await asyncio.sleep(2000)
        async with open_scripted(provider.model, home=home, resume="r", limits=FIFTY) as run:
            outcomes = await run.map(ask, range(300)).collect()
        assert all(outcome.ok for outcome in outcomes)

    run_virtual(main())


def test_retries_that_fail_again_run_out_of_budget() -> None:
    async def main() -> None:
        chance = random.Random(3)

        def script(prompt: str, before: int) -> Response:
            # Half of the prompts never succeed; the others show that the provider is there.
            hopeless = int(prompt[1:]) % 2
            return failing(ServerError("bad")) if hopeless else answered(prompt)

        sends: dict[float, int] = {}
        for budget in (140.0, math.inf):
            model = Scripted(script, service_s=chance.random())
            retry = Retry(max_attempts=5, budget=budget)
            async with open_scripted(model, limits=FIFTY, retry=retry) as run:
                outcomes = await run.map(ask, range(2000)).collect()
            assert sum(outcome.ok for outcome in outcomes) == 1000
            sends[budget] = sum(model.sends.values())
            if budget == 140.0:
                parked = [o.error for o in outcomes if isinstance(o.error, Parked)]
                assert "the retry budget is used up" in str(parked[0])
        assert sends[math.inf] == 1000 + 5000
        # One retry for each 14 that were served at once, and what the bucket held.
        assert sends[140.0] <= 2000 + 1000 / 14 + 10

    run_virtual(main())


def test_a_burst_of_refusals_fails_nobody() -> None:
    async def main() -> None:
        model = Scripted(
            lambda p, n: failing(RateLimited("wait", retry_after_s=2)) if n == 0 else answered(p)
        )
        limits = Limits(concurrency=1000)
        async with open_scripted(model, limits=limits) as run:
            outcomes = await run.map(ask, range(1000)).collect()
        assert all(outcome.ok for outcome in outcomes)

    run_virtual(main())


def test_a_call_that_no_retry_can_help_costs_others_nothing() -> None:
    async def main() -> None:
        purse = RetryPurse(20)
        await purse.take(14, held=0)
        waiting = asyncio.create_task(purse.take(14, held=0))
        await asyncio.sleep(1)
        assert purse.waiting == 1
        purse.ended(14, served=True)
        await waiting
        second = asyncio.create_task(purse.take(14, held=0))
        await asyncio.sleep(1)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert purse.waiting == 0
        purse.ended(14, served=False)
        with pytest.raises(Parked):
            await purse.take(14, held=0)

    run_virtual(main())


def test_waiting_for_a_breaker_ends_with_the_calls_deadline_and_with_a_drain() -> None:
    async def main() -> None:
        provider = Provider(ServerError, down_s=(0, math.inf))
        async with open_scripted(provider.model, limits=FIFTY, total_s=60) as run:
            outcomes = await run.map(ask, range(100)).collect()
        errors = [type(outcome.error).__name__ for outcome in outcomes]
        # Those that were sent have their minute; those that never were wait for patience to end.
        assert errors.count("PermitTimeout") + errors.count("ServerError") >= 40
        assert errors.count("PermitTimeout") > 10
        async with (
            open_scripted(Provider(ServerError, down_s=(0, math.inf)).model, limits=FIFTY) as run,
            run.map(ask, range(100)) as got,
        ):
            await asyncio.sleep(60)
            assert run.snapshot().waiting > 10
            run.drain()
            assert len([outcome async for outcome in got]) < 100
        assert not run.finished

    run_virtual(main())


def test_idle_hours_are_not_taken_for_an_outage() -> None:
    async def main() -> None:
        async def late(ctx: Any, item: int) -> Any:
            if item:
                await asyncio.sleep(5000)
            return await ask(ctx, item)

        model = Scripted(
            lambda p, n: failing(RateLimited("wait")) if (p, n) == ("q1", 0) else answered(p)
        )
        async with open_scripted(model) as run:
            outcomes = await run.map(late, range(2)).collect()
        assert all(outcome.ok for outcome in outcomes)

    run_virtual(main())


@pytest.mark.parametrize("budget", [0, 13, -1, math.nan])
def test_a_retry_budget_that_allows_no_retry_is_refused(budget) -> None:
    with pytest.raises(ConfigError, match="budget="):
        Retry(budget=budget)
