"""A graph in a run is one item: its calls are journalled, and answer from there when resumed."""

from __future__ import annotations

import asyncio

import pytest

import fanwise as fw
from fanwise.engine.opening import OpenRun
from fanwise.errors import StepSkipped
from fanwise.journal.memory_home import MemoryHome

SENT: list[str] = []


def graph(*, broken: bool = False) -> fw.Graph:
    made = fw.Graph("letters")

    @made.step
    async def job(ctx: fw.types.StepContext, url: str) -> str:
        return await ctx.call("own/model", f"job at {url}")

    @made.step
    async def targets(ctx: fw.types.StepContext, job: str) -> list[str]:
        async def one(number: int, ctx: fw.types.StepContext) -> str:
            return await ctx.call("own/model", f"target {number} of {job}")

        return await ctx.map(one, range(3))

    @made.step
    async def letter(ctx: fw.types.StepContext, job: str, targets: list[str]) -> str:
        if broken:
            raise ValueError("out of paper")

        async def send() -> str:
            SENT.append(f"letter of {ctx.item_id}")
            return "sent"

        return await ctx.once("send", send)

    return made


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    SENT.clear()


async def model(request: fw.Request) -> fw.Response:
    SENT.append(request.messages[0].content)
    text = f"<{request.messages[0].content}>"
    return fw.Response(text=text, value=text)


def open_run(home: MemoryHome, resume: str = "unfinished") -> OpenRun:
    return fw.open_run("letters", journal=home, models={"own/model": model}, resume=resume)


async def test_the_second_time_every_call_answers_from_the_journal() -> None:
    home = MemoryHome()
    async with open_run(home) as run:
        run_id = run.run_id
        failed = await run.graph(graph(broken=True), {"url": "x"}, item_id="x")
        assert len(SENT) == 4
        assert isinstance(failed.outcomes["letter"].error, ValueError)
        assert failed["targets"][2].startswith("<target 2 of")
        assert (await run.report()).counters.failed == 1
    async with open_run(home, resume=run_id) as run:
        done = await run.graph(graph(), {"url": "x"}, item_id="x")
        assert done.ok
        assert SENT[4:] == ["letter of x"]
        again = await run.graph(graph(), {"url": "x"}, item_id="x")
        assert again["letter"] == "sent"
        assert len(SENT) == 5
        report = await run.report()
        assert report.counters.succeeded == 1
        assert report.counters.failed == 0


async def test_a_graph_serves_within_an_item() -> None:
    async def item(ctx: fw.Context, url: str) -> str:
        result = await graph().run({"url": url}, ctx=ctx)
        return result["letter"]

    async with open_run(MemoryHome()) as run:
        outcomes = await run.map(item, ["a", "b"], ordered=True).collect()
    assert [outcome.value for outcome in outcomes] == ["sent", "sent"]
    assert all(outcome.attempts == 4 for outcome in outcomes)


async def test_a_step_that_was_skipped_fails_the_item() -> None:
    async def item(ctx: fw.Context, url: str) -> str:
        made = graph(broken=True)

        @made.step
        async def after(letter: str) -> str:
            return letter

        return (await made.run({"url": url}, ctx=ctx))["after"]

    async with open_run(MemoryHome()) as run:
        outcome = (await run.map(item, ["a"]).collect())[0]
    assert isinstance(outcome.error, StepSkipped)


async def test_draining_the_run_ends_the_graph_and_leaves_it_to_be_resumed() -> None:
    home = MemoryHome()
    async with open_run(home) as run:
        made = graph()

        @made.step(optional=True)
        async def stop(ctx: fw.types.StepContext, job: str) -> None:
            run.drain()
            await asyncio.sleep(0)
            await ctx.call("own/model", "too late")

        with pytest.raises(fw.errors.FanwiseError, match="being drained"):
            await run.graph(made, {"url": "x"}, item_id="x")
    async with open_run(home) as run:
        assert run.resumed
        assert (await run.graph(graph(), {"url": "x"}, item_id="x")).ok
