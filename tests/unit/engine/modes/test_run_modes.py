"""Modes of a run's map: each end journalled once, packs resumed, guardrails' events durable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.errors import ConfigError, Overloaded, Rejected
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.records import Response
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, failing, open_scripted


async def ask_pack(ctx: Any, items: Mapping[str, Any]) -> Mapping[str, Any]:
    text = await ctx.call("test/model", "pack " + " ".join(map(str, items.values())))
    return dict.fromkeys(items, text)


PACK = fw.types.Pack(ask_pack, size=4)


def single_fails(prompt: str, _: int) -> Response:
    if prompt.startswith("pack"):
        return answered("packed")
    return failing(Rejected("not alone", status=400))


def test_a_failed_item_is_run_again_and_its_end_journalled_once() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        async with open_scripted(Scripted(single_fails), home=home, run_id="r") as run:
            the_map = run.map(ask, range(8), mode="parallel", pack=PACK)
            outcomes = await the_map.collect()
            assert all(outcome.ok for outcome in outcomes)
            assert the_map.processing_mode_used == "batch_fallback"
            assert the_map.fallback_reason
            assert run.finished
        events = [event for event in home.reader("r").events() if event.item_id]
        assert len(events) == 8
        assert {item.state for item in home.reader("r").items()} == {"succeeded"}

    run_virtual(main())


def test_a_resumed_run_answers_packed_items_from_their_end() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        model = Scripted(lambda prompt, _: answered(prompt))
        async with (
            open_scripted(model, home=home, run_id="r", limits=Limits(concurrency=20)) as run,
            run.map(ask, range(20), mode="batch", pack=PACK) as outcomes,
        ):
            async for _ in outcomes:
                break
            run.drain()
        assert model.sends.total() == 5
        async with open_scripted(model, home=home) as run:
            assert run.resumed
            got = await run.map(ask, range(20), mode="batch", pack=PACK, ordered=True).collect()
            assert len(got) == 20
            assert all(str(outcome.item) in outcome.value.split() for outcome in got)
            sent = model.sends.total()
        async with open_scripted(model, home=home, resume="r") as run:
            again = await run.map(ask, range(20), mode="batch", pack=PACK).collect()
            assert all(outcome.ok for outcome in again)
        assert model.sends.total() == sent, "a finished run sends nothing"
        assert sent == 5, "packs that had been finished in part are answered from the journal"

    run_virtual(main())


def test_a_resumed_sequential_run_waits_for_no_item_that_cannot_come() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        model = Scripted()
        async with open_scripted(model, home=home, run_id="r") as run:
            await run.map(ask, range(50, 100)).collect()
        async with open_scripted(model, home=home, resume="r") as run:
            got = await run.map(ask, range(100), mode="sequential", ordered=True).collect()
            assert [outcome.value for outcome in got] == [f"re: q{n}" for n in range(100)]
        assert model.sends.total() == 100

    run_virtual(main())


@pytest.mark.parametrize("mode", ["parallel", "batch", "sequential"])
def test_a_drained_run_ends_whatever_its_mode_and_can_be_resumed(mode: Any) -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        model = Scripted()
        seen = 0
        async with (
            open_scripted(model, home=home, run_id="r", limits=Limits(concurrency=2)) as run,
            run.map(ask, range(60), mode=mode, pack=PACK) as outcomes,
        ):
            async for _ in outcomes:
                seen += 1
                if seen == 3:
                    run.drain()
        assert 3 <= seen < 60
        assert not run.finished
        async with open_scripted(model, home=home) as run:
            got = await run.map(ask, range(60), mode=mode, pack=PACK).collect()
            assert len(got) == 60
            assert all(outcome.ok for outcome in got)

    run_virtual(main())


def test_failures_that_are_held_back_when_a_run_is_drained_are_failures() -> None:
    async def main() -> None:
        def script(prompt: str, _: int) -> Response:
            number = int(prompt[1:])
            return failing(Rejected("no", status=400)) if number == 0 else answered("fine")

        async with open_scripted(Scripted(script)) as run:
            outcomes = []
            async with run.map(ask, range(200), mode="parallel") as shown:
                async for outcome in shown:
                    outcomes.append(outcome)
                    if len(outcomes) == 50:
                        run.drain()
        assert [outcome.item_id for outcome in outcomes if not outcome.ok]

    run_virtual(main())


def test_a_model_that_cannot_be_called_ends_the_map_without_another_mode() -> None:
    async def main() -> None:
        async def wrong(ctx: fw.Context, item: int) -> Any:
            return await ctx.call("nobody/nothing", "hello")

        async with open_scripted(Scripted()) as run:
            with pytest.raises(ConfigError):
                await run.map(wrong, range(10), mode="parallel", pack=PACK).collect()
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_what_guardrails_do_is_in_the_journal() -> None:
    async def main() -> None:
        def script(prompt: str, _: int) -> Response:
            bad = 20 <= int(prompt[1:]) < 60
            return failing(Rejected("no", status=400)) if bad else answered("fine")

        home = MemoryHome(clock=LoopClock())
        guard = fw.Guardrails(min_samples=20, window_s=10, env={})
        limits = Limits(concurrency=20)
        model = Scripted(script)
        async with open_scripted(model, home=home, run_id="r", limits=limits) as run:
            the_map = run.map(ask, range(300), guardrails=guard)
            outcomes = await the_map.collect()
            assert len(outcomes) == 300
        kinds = [e.kind for e in home.reader("r").events() if e.kind.startswith("guardrails")]
        assert kinds == ["guardrails.tripped", "guardrails.recovered"]
        report = the_map.mode_report()
        assert report is not None
        assert set(report.answers) == {"parallel", "sequential_fallback"}

    run_virtual(main())


def test_under_limits_that_adapt_guardrails_halve_what_is_under_way() -> None:
    async def main() -> None:
        peaks: list[int] = []

        def script(prompt: str, _: int) -> Response:
            peaks.append(model.in_flight)
            return failing(Rejected("no")) if int(prompt[1:]) < 60 else answered("fine")

        model = Scripted(script)
        guard = fw.Guardrails(min_samples=20, window_s=1000, env={})
        limits = Limits(concurrency=(1, 40, 40))
        async with open_scripted(model, limits=limits) as run:
            the_map = run.map(ask, range(400), guardrails=guard)
            await the_map.collect()
        report = the_map.mode_report()
        assert report is not None
        assert set(report.answers) == {"parallel"}
        assert report.degraded
        assert max(peaks[:30]) >= 30
        assert 2 <= max(peaks[100:]) <= 20

    run_virtual(main())


def test_what_is_refused_while_a_limit_is_found_trips_nothing() -> None:
    async def main() -> None:
        allowed = 10
        guard = fw.Guardrails(min_samples=20, env={})

        def script(prompt: str, _: int) -> Response:
            return failing(Overloaded("full")) if model.in_flight > allowed else answered(prompt)

        model = Scripted(script)
        async with open_scripted(model, limits=Limits(concurrency=(1, 40, 40))) as run:
            the_map = run.map(ask, range(300), guardrails=guard)
            outcomes = await the_map.collect()
            assert run.snapshot().refusals >= 5
        assert all(outcome.ok for outcome in outcomes)
        report = the_map.mode_report()
        assert report is not None
        assert not report.degraded

    run_virtual(main())


def test_auto_uses_what_the_run_has_measured() -> None:
    async def main() -> None:
        async with open_scripted(Scripted(), limits=Limits(concurrency=1)) as run:
            await run.map(ask, ["a", "b", "c"], mode="auto", pack=PACK).collect()
            await run.map(ask, ["d", "e"], mode="auto", pack=PACK).collect()
            the_map = run.map(ask, range(40), mode="auto", pack=PACK)
            await the_map.collect()
            report = the_map.mode_report()
            assert report is not None
            assert report.processing_mode_used == "batch"
            assert "predicted" in report.reason

    run_virtual(main())


def test_a_key_orders_a_run_too() -> None:
    async def main() -> None:
        model = Scripted()
        async with open_scripted(model, limits=Limits(concurrency=1)) as run:
            await run.map(ask, [3, 1, 2], key=lambda n: n).collect()
        assert [str(r.messages[0].content) for r in model.requests] == ["q1", "q2", "q3"]

    run_virtual(main())


def test_interactive_maps_go_ahead_of_what_waits_in_the_background() -> None:
    async def overtaken(priority: Any) -> int:
        model = Scripted()
        async with open_scripted(model, limits=Limits(concurrency=2)) as run:
            background = asyncio.ensure_future(run.map(ask, range(40)).collect())
            await asyncio.sleep(3.5)
            await run.map(ask, ["now"], priority=priority).collect()
            prompts = [str(request.messages[0].content) for request in model.requests]
            await background
        return prompts.index("qnow")

    early = run_virtual(overtaken("interactive"))
    assert early <= 10
    assert run_virtual(overtaken("background")) > early
