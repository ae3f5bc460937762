"""Calls that somebody waits for go first, and a pause holds every model."""

import asyncio

import pytest

from fanwise.errors import ConfigError
from fanwise.limits.settings import Limits
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, open_scripted


@pytest.mark.parametrize("way", ["call", "respond"])
def test_an_interactive_call_gets_its_permit_ahead_of_background_ones(way):
    async def main():
        order = []

        def script(prompt, before):
            order.append(prompt)
            return answered("hi")

        async def urgent(ctx, name):
            await getattr(ctx, way)("test/model", name, priority="interactive")
            return name

        async def patient(ctx, name):
            await ctx.call("test/model", name)
            return name

        async with open_scripted(Scripted(script), limits=Limits(concurrency=1)) as run:
            background = asyncio.create_task(run.map(patient, ["a", "b", "c"]).collect())
            await asyncio.sleep(0.5)  # one is in flight, and others wait for a permit by then
            outcomes = await run.map(urgent, ["urgent"]).collect()
            assert outcomes[0].ok, outcomes[0].error
            await background
        assert order == ["a", "urgent", "b", "c"]

    run_virtual(main())


def test_a_priority_is_no_part_of_what_a_call_is():
    async def main():
        model = Scripted(lambda prompt, before: answered("hi"))

        async def item(ctx, _):
            await ctx.call("test/model", "the same")
            await ctx.call("test/model", "the same", priority="interactive")

        async with open_scripted(model) as run:
            (outcome,) = await run.map(item, ["only"]).collect()
        assert outcome.ok
        assert len(model.requests) == 1

    run_virtual(main())


def test_an_unknown_priority_is_refused_before_anything_is_sent():
    async def main():
        model = Scripted(lambda prompt, before: answered("hi"))

        async def item(ctx, _):
            with pytest.raises(ConfigError, match="'high' is unknown"):
                await ctx.call("test/model", "hello", priority="high")

        async with open_scripted(model) as run:
            (outcome,) = await run.map(item, ["only"]).collect()
            with pytest.raises(ConfigError, match="'high' is unknown"):
                await run.map(item, ["another"], priority="high").collect()
        assert outcome.ok
        assert not model.requests

    run_virtual(main())


def test_a_pause_holds_models_that_are_first_used_during_it():
    async def main():
        model = Scripted(lambda prompt, before: answered("hi"))
        async with open_scripted(model) as run:
            run.pause()
            mapping = asyncio.create_task(run.map(ask, range(3)).collect())
            await asyncio.sleep(5)
            assert not model.requests
            run.resume()
            outcomes = await mapping
        assert all(outcome.ok for outcome in outcomes)
        assert len(model.requests) == 3

    run_virtual(main())


def test_after_a_pause_models_that_are_first_used_are_held_no_longer():
    async def main():
        model = Scripted(lambda prompt, before: answered("hi"))
        async with open_scripted(model) as run:
            run.pause()
            run.resume()
            outcomes = await run.map(ask, range(3)).collect()
        assert all(outcome.ok for outcome in outcomes)

    run_virtual(main())


def test_a_map_that_begins_while_others_wait_for_permits_gets_its_turn():
    async def main():
        model = Scripted(lambda prompt, before: answered("hi"))
        async with open_scripted(model, limits=Limits(concurrency=1)) as run:
            earlier = asyncio.create_task(run.map(ask, range(5)).collect())
            await asyncio.sleep(0.5)
            later = await run.map(ask, ["later"]).collect()
            assert [outcome.ok for outcome in later] == [True]
            assert len(await earlier) == 5

    run_virtual(main())


def test_a_calls_own_priority_counts_more_than_that_of_its_map():
    async def main():
        order = []

        def script(prompt, before):
            order.append(prompt)
            return answered("hi")

        async def patient(ctx, name):
            await ctx.call("test/model", name, priority="background")

        async def plain(ctx, name):
            await ctx.call("test/model", name)

        async with open_scripted(Scripted(script), limits=Limits(concurrency=1)) as run:
            maps = [asyncio.create_task(run.map(plain, ["a"]).collect())]
            for function, name in ((patient, "b"), (plain, "c")):
                await asyncio.sleep(0.1)
                urgent = run.map(function, [name], priority="interactive")
                maps.append(asyncio.create_task(urgent.collect()))
            await asyncio.gather(*maps)
        assert order == ["a", "c", "b"]

    run_virtual(main())


@pytest.mark.parametrize("options", [{}, {"mode": "auto"}])
def test_an_interactive_map_gets_all_the_places_while_background_work_always_waits(options):
    async def main():
        model = Scripted(lambda prompt, before: answered("hi"), service_s=1.0)
        async with open_scripted(model, limits=Limits(concurrency=10)) as run:
            earlier = asyncio.create_task(run.map(ask, range(300)).collect())
            await asyncio.sleep(5.5)
            began = asyncio.get_running_loop().time()
            urgent = run.map(ask, range(1000, 1040), priority="interactive", **options)
            outcomes = await urgent.collect()
            took_s = asyncio.get_running_loop().time() - began
            assert all(outcome.ok for outcome in outcomes)
            assert took_s < 8  # 40 calls at 10 a second; one after another they would take 40 s
            assert len(await earlier) == 300

    run_virtual(main())
