"""A run over a scripted model: what is sent, what is kept, what comes back."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel

from fanwise.clock import LoopClock
from fanwise.errors import (
    ConfigError,
    InvalidOutput,
    RateLimited,
    Refused,
    Rejected,
    ServerError,
    StateError,
)
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.records import Response
from fanwise.retry.policy import Retry
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, failing, open_scripted


def test_every_item_is_answered_as_many_at_once_as_the_limit_allows() -> None:
    async def main() -> None:
        model = Scripted()
        async with open_scripted(model, limits=Limits(concurrency=10)) as run:
            got = await run.map(ask, range(100)).collect()
        assert sorted(o.value for o in got) == sorted(f"re: q{n}" for n in range(100))
        assert all(o.ok and o.attempts == 1 and not o.cached for o in got)
        assert model.peak == 10
        assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.5)
        assert run.finished

    run_virtual(main())


def test_the_outcome_is_durable_before_it_is_shown() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.25)
        async with (
            open_scripted(Scripted(), home=home, run_id="r") as run,
            run.map(ask, range(20)) as outcomes,
        ):
            async for outcome in outcomes:
                kept = {item.item_id for item in home.reader("r").items()}
                assert outcome.item_id in kept

    run_virtual(main())


def test_a_resumed_run_sends_nothing_that_was_served() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        model = Scripted(
            lambda p, n: failing(Rejected("no")) if p == "q3" and n == 0 else answered(p)
        )
        async with open_scripted(model, home=home, run_id="r") as run:
            first = await run.map(ask, range(10)).collect()
        assert [o.item for o in first if not o.ok] == [3]
        async with open_scripted(model, home=home, resume="r") as run:
            assert run.resumed
            second = await run.map(ask, reversed(range(10)), total=10).collect()
        assert all(o.ok for o in second)
        assert model.sends == {f"q{n}": 2 if n == 3 else 1 for n in range(10)}
        counters = home.reader("r").counters()
        assert (counters.succeeded, counters.failed) == (10, 0)

    run_virtual(main())


def test_answers_stay_with_their_items_whatever_the_order() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        rows = [{"id": f"row-{n}", "n": n} for n in range(50)]

        async def item(ctx: Any, row: dict[str, Any]) -> str:
            return await ctx.call("test/model", f"q{row['n']}")

        model = Scripted()
        async with open_scripted(model, home=home, run_id="r") as run, run.map(item, rows) as got:
            async for outcome in got:
                if outcome.item["n"] == 20:
                    break
        assert not run.finished
        shuffled = [*rows[::-1], {"id": "row-new", "n": 777}]
        async with open_scripted(model, home=home) as run:
            assert run.run_id == "r"
            got = await run.map(item, shuffled).collect()
        assert {o.item_id: o.value for o in got} == {r["id"]: f"re: q{r['n']}" for r in shuffled}

    run_virtual(main())


def test_a_run_that_no_longer_looks_like_itself_stops_before_it_pays() -> None:
    async def main() -> None:
        home, model = MemoryHome(clock=LoopClock()), Scripted()
        async with open_scripted(model, home=home, run_id="r") as run:
            await run.map(ask, range(30)).collect()

        async def dated(ctx: Any, item: int) -> str:
            return await ctx.call("test/model", f"today q{item}")

        with pytest.raises(StateError, match="not the work that was begun"):
            async with open_scripted(model, home=home, resume="r") as run:
                await run.map(dated, range(30)).collect()
        assert sum(model.sends.values()) == 30
        async with open_scripted(model, home=home, resume="r", accept_changes=True) as run:
            got = await run.map(dated, range(30)).collect()
        assert all(o.ok for o in got)
        assert sum(model.sends.values()) == 60

    run_virtual(main())


def test_equal_calls_of_different_items_share_one_send() -> None:
    async def main() -> None:
        model = Scripted()

        async def same(ctx: Any, item: int) -> str:
            return await ctx.call("test/model", "the same for all")

        async with open_scripted(model) as run:
            got = await run.map(same, range(15)).collect()
        assert model.sends["the same for all"] == 1
        assert sum(o.cached for o in got) == 14
        assert sum(o.cost_usd == 0 for o in got) >= 14

    run_virtual(main())


def test_samples_of_one_call_are_calls_of_their_own() -> None:
    async def main() -> None:
        model = Scripted(lambda p, n: answered(f"sample {n}"))

        async def judge(ctx: Any, item: int) -> list[str]:
            return [await ctx.call("test/model", "judge", sample=s) for s in (0, 1, 1, 2)]

        async with open_scripted(model) as run:
            (got,) = await run.map(judge, [1]).collect()
        assert got.value == ["sample 0", "sample 1", "sample 1", "sample 2"]

    run_virtual(main())


class Score(BaseModel):
    points: int


def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason() -> None:
    async def main() -> None:
        model = Scripted(lambda p, n: answered('{"points": "many"}' if n == 0 else '{"points": 3}'))

        async def score(ctx: Any, item: int) -> Score:
            return await ctx.call("test/model", "score", schema=Score)

        home = MemoryHome(clock=LoopClock())
        async with open_scripted(model, home=home, run_id="r") as run:
            (got,) = await run.map(score, [1]).collect()
        assert got.value == Score(points=3)
        assert got.attempts == 2
        assert got.usage.input_tokens == 20, "both answers were billed"
        assert "points" in str(model.requests[1].messages[-1].content)
        assert model.requests[0].idempotency_key != model.requests[1].idempotency_key
        async with open_scripted(model, home=home, resume="r") as run:
            (again,) = await run.map(score, [1]).collect()
        assert again.value == Score(points=3)
        assert model.sends["score"] == 2

    run_virtual(main())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (lambda p, n: answered("not json"), InvalidOutput),
        (lambda p, n: answered("", refusal="I would rather not"), Refused),
    ],
)
def test_what_was_served_and_is_of_no_use_is_a_failure_that_was_billed(
    reply: Any, kind: type[Exception]
) -> None:
    async def main() -> None:
        async def score(ctx: Any, item: int) -> Score:
            return await ctx.call("test/model", "score", schema=Score)

        async with open_scripted(Scripted(reply)) as run:
            (got,) = await run.map(score, [1]).collect()
        assert not got.ok
        assert isinstance(got.error, kind)
        assert got.usage.output_tokens
        assert got.error.usage == got.usage  # type: ignore[attr-defined]

    run_virtual(main())


def test_a_refused_request_waits_as_long_as_it_was_told_and_costs_no_attempt() -> None:
    async def main() -> None:
        times: list[float] = []

        def script(prompt: str, before: int) -> Response:
            times.append(asyncio.get_running_loop().time())
            if before < 5:
                raise RateLimited("slow down", status=429, retry_after_s=7.0)
            return answered("at last")

        async with open_scripted(Scripted(script), retry=Retry(max_attempts=2)) as run:
            (got,) = await run.map(ask, [1]).collect()
        assert got.ok
        assert got.attempts == 6
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(gap >= 7.0 + 1.0 for gap in gaps), gaps  # Retry-After, and a second of service
        assert run.snapshot().refusals == 5

    run_virtual(main())


def test_transient_failures_are_retried_and_then_given_up_with_the_reason() -> None:
    async def main() -> None:
        def script(prompt: str, before: int) -> Response:
            if prompt == "q1" or before < 2:
                raise ServerError("broken", status=500)
            return answered("fine")

        model = Scripted(script)
        async with open_scripted(model, retry=Retry(max_attempts=3)) as run:
            got = {o.item: o for o in await run.map(ask, [0, 1]).collect()}
        assert got[0].ok
        assert isinstance(got[1].error, ServerError)
        assert "3 attempts" in str(got[1].error)
        assert model.sends == {"q0": 3, "q1": 3}

    run_virtual(main())


def test_one_bad_item_fails_alone() -> None:
    async def main() -> None:
        async def item(ctx: Any, n: int) -> Any:
            if n == 2:
                raise KeyError("no such column")
            if n == 3:
                return object()
            return await ask(ctx, n)

        async with open_scripted(Scripted()) as run:
            got = {o.item: o for o in await run.map(item, range(5)).collect()}
        assert [n for n, o in got.items() if not o.ok] == [2, 3] or {
            n for n, o in got.items() if not o.ok
        } == {2, 3}
        assert "journal cannot keep" in str(got[3].error)
        assert run.finished

    run_virtual(main())


def test_an_unknown_model_ends_the_map_before_anything_is_sent() -> None:
    async def main() -> None:
        async def item(ctx: Any, n: int) -> Any:
            return await ctx.call("opnai/gpt-4o-mini", "hello")

        with pytest.raises(ConfigError, match="openai"):
            async with open_scripted(Scripted()) as run:
                await run.map(item, range(1000)).collect()

    run_virtual(main())


def test_a_refused_key_ends_the_map_after_few_sends() -> None:
    async def main() -> None:
        model = Scripted(lambda p, n: failing(Rejected("wrong key", status=401)))
        with pytest.raises(Rejected, match="wrong key"):
            async with open_scripted(model, limits=Limits(concurrency=5)) as run:
                await run.map(ask, range(1000)).collect()
        assert sum(model.sends.values()) <= 10

    run_virtual(main())


def test_a_side_effect_happens_once_over_resumes() -> None:
    async def main() -> None:
        home, model, mails = MemoryHome(clock=LoopClock()), Scripted(), []

        async def item(ctx: Any, n: int) -> str:
            async def send() -> str:
                mails.append(n)
                return f"mail {n}"

            receipt = await ctx.once("send-mail", send)
            if len(mails) == 3:
                raise OSError("the next step broke")
            return receipt

        async with open_scripted(model, home=home, run_id="r") as run:
            first = await run.map(item, [1, 2, 3], ordered=True).collect()
        assert not all(o.ok for o in first)
        mails.append(0)
        async with open_scripted(model, home=home, resume="r") as run:
            second = await run.map(item, [1, 2, 3]).collect()
        assert all(o.ok for o in second)
        assert sorted(mails) == [0, 1, 2, 3]

    run_virtual(main())


def test_a_total_deadline_ends_a_call_and_its_waits() -> None:
    async def main() -> None:
        model = Scripted(service_s=100)
        async with open_scripted(model, total_s=10, limits=Limits(concurrency=2)) as run:
            got = await run.map(ask, range(4)).collect()
        assert all(not o.ok for o in got)
        assert asyncio.get_running_loop().time() == pytest.approx(20, abs=0.5)

    run_virtual(main())
