"""Sub-steps stand under the graph's limits and end with their step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import ConfigError, StateError, UsageError
from fanwise.testing.virtual import run_virtual

Step = Callable[[fw.types.StepContext], Coroutine[Any, Any, Any]]


def run(step: Step, **options: Any) -> fw.types.GraphResult:
    """A graph of one step, on virtual time; nothing may be left of it."""

    async def main() -> fw.types.GraphResult:
        graph = fw.Graph()
        graph.add(step, name="step")
        result = await graph.run(**options)
        assert len(asyncio.all_tasks()) == 1
        return result

    return run_virtual(main())


async def second(item: Any) -> Any:
    await asyncio.sleep(1)
    return item


def test_values_come_in_the_order_of_the_items() -> None:
    async def slow_first(item: int) -> int:
        await asyncio.sleep(10 - item)
        return item

    async def step(ctx: fw.types.StepContext) -> list[int]:
        return await ctx.map(slow_first, range(5))

    assert run(step)["step"] == [0, 1, 2, 3, 4]


def test_sub_steps_are_named_under_their_step() -> None:
    names: list[tuple[str, str]] = []

    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.map(second, "ab")
        await ctx.map(second, "ab", name="again")
        await ctx.parallel({"x": lambda: second(1)})

    def note(event: fw.types.StepEvent) -> None:
        if event.kind == "ok":
            names.append((event.step, event.part_of))

    run(step, on_event=note)
    parts = ["step/1", "step/2", "step/again-1", "step/again-2", "step/x"]
    assert names == [*((name, "step") for name in parts), ("step", "")]


def test_parallel_gives_back_the_shape_it_was_given() -> None:
    async def step(ctx: fw.types.StepContext) -> tuple[Any, Any]:
        named = await ctx.parallel({"a": lambda: second(1), "b": lambda: second(2)})
        return named, await ctx.parallel([lambda: second(3), lambda: second(4)])

    result = run(step)
    assert result["step"] == ({"a": 1, "b": 2}, [3, 4])
    assert result.report.wall_s == 2
    assert result.report.sequential_s == 4
    assert result.report.peak == 2


@pytest.mark.parametrize(("concurrency", "wall_s"), [(1, 6), (2, 3), (4, 2), (99, 1)])
def test_sub_steps_share_the_graph_s_limits_and_their_step_takes_no_place(
    concurrency: int, wall_s: float
) -> None:
    async def step(ctx: fw.types.StepContext) -> list[int]:
        return await ctx.map(second, range(6))

    result = run(step, limits=fw.Limits(concurrency=concurrency))
    assert result.report.wall_s == wall_s
    assert result.report.peak <= concurrency


def test_splitting_within_a_split_or_in_a_task_of_one_s_own_cannot_lock_up() -> None:
    async def step(ctx: fw.types.StepContext) -> Any:
        async def inner(item: int, ctx: fw.types.StepContext) -> list[int]:
            return await ctx.map(second, range(item))

        async def closure(item: int) -> list[int]:
            return await ctx.map(second, range(item))  # of the outer step's context

        return await asyncio.gather(
            ctx.map(inner, [1, 2]), ctx.map(closure, [1, 2]), ctx.parallel([lambda: second(7)])
        )

    result = run(step, limits=fw.Limits(concurrency=1))
    assert result["step"] == [[[0], [0, 1]], [[0], [0, 1]], [7]]
    assert result.report.peak == 1


def test_the_first_failure_cancels_the_others_and_is_raised() -> None:
    events: list[tuple[str, str]] = []

    async def bad(item: int) -> None:
        await asyncio.sleep(item)
        if item == 2:
            raise ValueError("two")

    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.map(bad, [1, 2, 3])

    result = run(step, on_event=lambda event: events.append((event.step, event.kind)))
    assert isinstance(result.outcomes["step"].error, ValueError)
    assert "in sub-step 'step/2'" in result.outcomes["step"].error.__notes__
    assert result.report.wall_s == 2
    assert ("step/3", "cancelled") in events


def test_settled_failures_are_outcomes() -> None:
    async def bad(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    async def step(ctx: fw.types.StepContext) -> list[fw.Outcome]:
        return await ctx.map(bad, [1, 2, 3], settle=True)

    outcomes = run(step)["step"]
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert [outcome.item for outcome in outcomes] == [1, 2, 3]


def test_a_step_that_catches_a_failure_goes_on_in_its_place() -> None:
    async def bad(item: int) -> None:
        raise LookupError

    async def step(ctx: fw.types.StepContext) -> list[int]:
        with pytest.raises(LookupError):
            await ctx.map(bad, [1, 2])
        try:
            async with asyncio.timeout(0.5):
                await ctx.map(second, [1])
        except TimeoutError:
            pass
        return await ctx.map(second, [1, 2])

    result = run(step, limits=fw.Limits(concurrency=1))
    assert result["step"] == [1, 2]
    assert result.report.wall_s == 2.5


def test_a_timeout_of_the_step_ends_its_sub_steps() -> None:
    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.map(second, range(10))

    result = run(step, timeout_s=2.5, limits=fw.Limits(concurrency=2))
    assert not result.ok
    assert result.report.wall_s == 2.5


def test_an_endless_source_is_read_no_further_than_sub_steps_can_start() -> None:
    read: list[int] = []

    def numbers() -> Any:
        for n in range(10_000):
            read.append(n)
            yield n

    async def bad(item: int) -> None:
        await asyncio.sleep(1)
        raise ValueError

    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.map(bad, numbers())

    run(step, limits=fw.Limits(concurrency=3))
    assert len(read) <= 4


def test_a_source_that_breaks_fails_the_step() -> None:
    def source() -> Any:
        yield 1
        raise LookupError("no more")

    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.map(second, source())

    assert isinstance(run(step).outcomes["step"].error, LookupError)


def test_started_work_is_refused() -> None:
    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.parallel([second(1)])  # type: ignore[list-item]

    error = run(step).outcomes["step"].error
    assert isinstance(error, UsageError)
    assert "work that was begun by calling its function" in str(error)


def test_a_sub_step_that_cancels_itself_fails_its_step_only() -> None:
    async def bad(item: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    async def step(ctx: fw.types.StepContext) -> None:
        await ctx.map(bad, [1, 2])

    result = run(step)
    assert isinstance(result.outcomes["step"].error, fw.errors.OperationCancelled)


def test_calls_need_a_run_and_deadlines_seconds() -> None:
    async def step(ctx: fw.types.StepContext) -> None:
        with pytest.raises(ConfigError, match="timeout_s is 0"):
            await ctx.map(second, [1], timeout_s=0)
        await ctx.call("sim/instant", "hello")

    result = run(step)
    assert isinstance(result.outcomes["step"].error, StateError)
    assert "not part of a journalled run" in str(result.outcomes["step"].error)
