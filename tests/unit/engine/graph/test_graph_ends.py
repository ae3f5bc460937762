"""How a graph ends: at its first failure, cancelled from outside, by a listener, or empty."""

from __future__ import annotations

import asyncio

import pytest

import fanwise as fw
from fanwise.errors import OperationCancelled
from fanwise.testing.virtual import run_virtual
from support.graphs import failing, run, timed


def test_fail_fast_raises_the_first_failure_and_leaves_nothing_running() -> None:
    graph = fw.Graph()
    failing(graph, "optional", 1, optional=True)
    failing(graph, "bad", 2)
    failing(graph, "later", 3)
    timed(graph, "long", 100)

    async def main() -> None:
        with pytest.raises(ValueError, match="bad broke"):
            await graph.run(fail_fast=True)
        assert asyncio.get_running_loop().time() == 2
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_cancellation_from_outside_ends_the_steps_first() -> None:
    ended: list[str] = []
    graph = fw.Graph()

    @graph.step
    async def stubborn() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(5)  # a clean-up that takes its time
            ended.append("stubborn")
            raise

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(graph.run())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["stubborn"]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_a_timeout_around_a_graph_is_a_timeout_and_leaves_no_request_to_cancel() -> None:
    graph = fw.Graph()
    timed(graph, "long", 100)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await graph.run()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtual(main())


@pytest.mark.parametrize("itself", [True, False])
def test_a_step_that_ends_as_cancelled_has_failed_and_the_graph_goes_on(itself: bool) -> None:
    graph = fw.Graph()

    @graph.step
    async def bad() -> None:
        if itself:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
        raise asyncio.CancelledError

    timed(graph, "good", 5)
    result = run(graph)
    assert isinstance(result.outcomes["bad"].error, OperationCancelled)
    assert result["good"] == 5


def test_what_a_listener_raises_ends_the_graph() -> None:
    graph = fw.Graph()
    timed(graph, "a", 1)
    timed(graph, "b", 50)

    def listen(event: fw.types.StepEvent) -> None:
        if event.kind == "ok":
            raise LookupError("deaf")

    async def main() -> None:
        with pytest.raises(LookupError, match="deaf"):
            await graph.run(on_event=listen)
        assert asyncio.get_running_loop().time() == 1
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_an_empty_graph_has_an_empty_result() -> None:
    result = run(fw.Graph("empty"))
    assert result.ok
    assert len(result) == 0
    assert result.report.speedup == 1.0
    assert result.report.efficiency == 0.0
    assert repr(result) == "<GraphResult of empty: no steps, 0.000 s>"


def test_one_graph_may_run_many_times_at_once() -> None:
    graph = fw.Graph()

    @graph.step
    async def double(number: int) -> int:
        await asyncio.sleep(number)
        return 2 * number

    async def main() -> list[int]:
        results = await asyncio.gather(*(graph.run({"number": n}) for n in range(20)))
        return [result["double"] for result in results]

    assert run_virtual(main()) == [2 * n for n in range(20)]
