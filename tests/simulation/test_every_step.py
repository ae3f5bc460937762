"""Everything that runs things together, cancelled at every moment at which it can be."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.limiter import Limiter
from fanwise.testing import ScriptedModel, open_test_run, prompt_of
from support.every_step import MANNERS, Explorer, Part

TWO = fw.Limits(concurrency=2)
AGAIN = fw.Retry(max_attempts=2, base_s=0.5, retry_on=(KeyError,))


async def parallel(part: Part) -> None:
    with contextlib.suppress(KeyError):
        await fw.parallel(
            {"a": part.leaf(1), "b": part.leaf(1, error=KeyError), "c": part.leaf(3)},
            limits=TWO,
            retry=AGAIN,
            timeout_s=2,
            chance=random.Random(1),
        )


async def staggered(part: Part) -> None:
    await fw.parallel([part.leaf(1) for _ in range(4)], stagger_s=0.5)


async def settled(part: Part) -> None:
    await fw.settle([part.leaf(1), part.leaf(9), part.leaf(3)], total_s=3, timeout_s=2)


async def raced(part: Part) -> None:
    await fw.race([part.leaf(1, error=KeyError), part.leaf(2), part.leaf(2)], stagger_s=0.25)


async def chained(part: Part) -> None:
    await fw.fallback([part.leaf(1, error=KeyError), part.leaf(9), part.leaf(1)], timeout_s=2)


async def mapped(part: Part) -> None:
    async with fw.map(part.leaf(1), part.source(4), limits=TWO, ordered=True) as outcomes:
        async for _ in outcomes:
            await asyncio.sleep(0.25)


async def left_early(part: Part) -> None:
    async with fw.map(part.leaf(1), part.source(9), timeout_s=3) as outcomes:
        async for outcome in outcomes:
            if outcome.position == 2:
                break


async def shared(part: Part) -> None:
    async with fw.map(part.leaf(1), range(4), limits=TWO) as outcomes:

        async def read() -> None:
            async for _ in outcomes:
                await asyncio.sleep(0.5)

        await fw.parallel([read, read])


async def in_batches(part: Part) -> None:
    told = part.leaf(0.5)
    async with fw.batched(
        part.leaf(1), part.source(5), size=2, delay_s=1, on_batch_complete=told
    ) as outcomes:
        async for _ in outcomes:
            await asyncio.sleep(0.25)


async def in_packs(part: Part) -> None:
    async def ask(items: Mapping[str, Any]) -> Mapping[str, Any]:
        await part.leaf(1, error=KeyError if len(items) > 2 else None)()
        return dict(list(items.items())[1:])  # the first one is missing

    single = part.leaf(1, error=KeyError)
    pack = fw.types.Pack(ask, size=3)
    await fw.map(single, part.source(4), mode="batch", pack=pack, limits=TWO).collect()


async def in_modes(part: Part) -> None:
    guardrails = fw.Guardrails(failures=0.5, min_samples=2)
    await fw.map(
        part.leaf(1, error=KeyError),
        range(4),
        mode="auto",
        fallback=fw.types.Fallback(min_items=2),
        guardrails=guardrails,
        key=lambda item: -item,
        ordered=True,
    ).collect()


async def background(part: Part) -> None:
    async with fw.Background(max_running=1, max_pending=1, drain_s=3) as queue:
        queue.start(part.leaf(1))
        await queue.put(part.leaf(1, error=KeyError))
        await queue.put(part.leaf(9))


async def loaded(part: Part) -> None:
    fetch = part.leaf(1)
    async with fw.Loader(fetch, max_batch=2, timeout_s=3) as loader:

        async def many() -> None:
            await loader.load_many([2, 3, 4])

        await fw.parallel([many, lambda: loader.load(2), lambda: loader.load(1)])


async def drawn(part: Part) -> None:
    graph = fw.Graph()
    graph.add(part.leaf(1), name="a")
    graph.add(part.leaf(1, error=KeyError), name="b", optional=True, retry=AGAIN)
    graph.add(part.leaf(1), name="c", needs=["a"])
    graph.add(part.leaf(1), name="d", needs=["b", "c"], timeout_s=2)
    await graph.run(limits=TWO, chance=random.Random(1), total_s=20)


async def split(part: Part) -> None:
    graph = fw.Graph()
    leaf = part.leaf(1)

    async def inner(item: int, ctx: fw.types.StepContext) -> None:
        await ctx.parallel([part.leaf(1), part.leaf(0.5)])

    async def outer(ctx: fw.types.StepContext) -> None:
        await ctx.map(leaf, range(3))
        await ctx.map(inner, range(2))

    graph.add(outer)
    await graph.run(limits=TWO)


async def tracked(part: Part) -> None:
    async with fw.track() as t:
        await fw.parallel({"a": part.leaf(1), "b": part.leaf(2)}, tracker=t)
        with t.span("block"):
            await fw.map(part.leaf(1), [1, 2]).collect()


async def nested(part: Part) -> None:
    async def over(item: int) -> None:
        await fw.race([part.leaf(1), part.leaf(2)])
        with contextlib.suppress(fw.errors.AttemptTimeout):
            await fw.parallel([part.leaf(1), part.leaf(9)], total_s=2)

    async def chain() -> None:
        await fw.map(over, range(2)).collect()

    async with asyncio.timeout(60):
        await fw.settle([chain, part.leaf(2)])


WORKS = {
    work.__name__: work
    for work in (
        parallel,
        staggered,
        settled,
        raced,
        chained,
        mapped,
        left_early,
        in_batches,
        in_packs,
        in_modes,
        shared,
        background,
        loaded,
        drawn,
        split,
        tracked,
        nested,
    )
}
INLINE = {"chained"}


@pytest.fixture
def limiters(monkeypatch: pytest.MonkeyPatch) -> list[Limiter]:
    """Every limiter that is made."""
    made: list[Limiter] = []
    begin = Limiter.__init__

    def noted(self: Limiter, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(Limiter, "__init__", noted)
    return made


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Failures of background work are meant; what asyncio logs is not."""
    caplog.set_level("CRITICAL", logger="fanwise.background")
    yield
    gc.collect()
    said = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert not said


def explorer(work: Any, limiters: list[Limiter], **options: Any) -> Explorer:
    made = Explorer(work, inline=work.__name__ in INLINE, **options)

    def no_permit_is_kept() -> None:
        for limiter in limiters:
            assert limiter.in_flight == limiter.waiting == 0, limiter
        limiters.clear()

    made.checks.append(no_permit_is_kept)
    return made


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("name", WORKS)
def test_cancelled_at_any_moment_nothing_is_left(
    name: str, manner: str, limiters: list[Limiter]
) -> None:
    every = 1 if manner == "obeys" else 3
    first = 1 + MANNERS.index(manner) % every
    assert explorer(WORKS[name], limiters, manner=manner).explore(first=first, every=every) >= 5


@pytest.mark.parametrize("again", [1, 2, 9])
@pytest.mark.parametrize("name", WORKS)
def test_cancelled_twice_nothing_is_left(name: str, again: int, limiters: list[Limiter]) -> None:
    for first, manner in enumerate(MANNERS, 1):
        explorer(WORKS[name], limiters, manner=manner, again=again).explore(first=first, every=7)


# in a journalled run: what had been answered is kept


class Kept:
    """A run's home and model, and the prompts that the model has answered so far."""

    def __init__(self) -> None:
        self.home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.25)
        self.answered: Counter[str] = Counter()
        self.model = ScriptedModel(self._answer, service_s=1)

    def _answer(self, request: fw.Request, _: int) -> str:
        prompt = prompt_of(request)
        self.answered[prompt] += 1
        return f"re: {prompt}"

    def run(self, **options: Any) -> Any:
        return open_test_run(self.model, home=self.home, limits=fw.Limits(concurrency=2), **options)


async def _ask(ctx: fw.Context, item: int) -> list[str]:
    first = await ctx.call("test/model", f"a{item}")
    return [first, await ctx.call("test/model", f"b{item}")]


async def _twice(ctx: fw.Context, item: int) -> list[str]:
    """Two calls at once, of which one is asked for by every item."""
    return await fw.parallel(
        [
            lambda: ctx.call("test/model", f"a{item}"),
            lambda: ctx.call("test/model", "for all"),
        ]
    )


async def _drawn(ctx: fw.Context, item: int) -> list[str]:
    graph = fw.Graph()

    async def first(ctx: fw.types.StepContext) -> str:
        return await ctx.call("test/model", f"a{item}")

    async def second(first: str, ctx: fw.types.StepContext) -> list[str]:
        async def part(number: int, ctx: fw.types.StepContext) -> str:
            return await ctx.call("test/model", f"{first}/{number}")

        return await ctx.map(part, range(2))

    graph.add(first)
    graph.add(second)
    result = await graph.run(limits=TWO, ctx=ctx)
    return list(result["second"])


ASKED = {"in a row": _ask, "at once": _twice, "in a graph": _drawn}


@pytest.mark.parametrize("again", [None, 1, 5])
@pytest.mark.parametrize("how", ASKED)
def test_what_was_answered_before_the_cancellation_is_not_asked_again(
    how: str, again: int | None, limiters: list[Limiter]
) -> None:
    async def work(part: Part) -> None:
        part.kept = Kept()
        async with part.kept.run(run_id="r") as run, run.map(ASKED[how], range(3)) as outcomes:
            async for _ in outcomes:
                await asyncio.sleep(0.25)

    async def goes_on(part: Part) -> None:
        kept: Kept = part.kept
        if kept is None or not kept.home.runs():
            return  # cancelled before there was a run
        async with kept.run(resume="r") as run:
            outcomes = await run.map(ASKED[how], range(3)).collect()
        assert all(outcome.ok for outcome in outcomes), outcomes
        # What several items asked for belongs to the one that was sent for it; the others may
        # have to ask once more.
        twice = {prompt for prompt, times in kept.answered.items() if times > 1} - {"for all"}
        assert not twice, f"paid for twice: {twice}"
        assert max(kept.model.sends.values()) <= 2

    first, every = 1 + (again or 0), 9
    made = explorer(work, limiters, manner="obeys", again=again, after=goes_on)
    made.explore(first=first, every=every)
