"""Code of others at its worst: what it raises, swallows and returns neither hangs nor gets lost."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

import fanwise as fw
from fanwise.errors import LoadError, OperationCancelled
from fanwise.testing import ScriptedModel, open_test_run
from fanwise.testing.virtual import run_virtual
from support.scripted import ask

LONG_S = 1e6


@pytest.fixture(autouse=True)
def cleared_up() -> Iterator[None]:
    """What an interrupt leaves behind is complained of here, and not in the midst of other work."""
    logger = logging.getLogger("asyncio")
    yield
    logger.setLevel(logging.CRITICAL)
    gc.collect()
    logger.setLevel(logging.NOTSET)


async def same(item: int) -> int:
    return item


async def keeps_its_cancellation_to_itself() -> None:
    try:
        await asyncio.sleep(LONG_S)
    except asyncio.CancelledError:
        return


def alone() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


# map


def test_several_tasks_share_the_outcomes_of_one_map() -> None:
    async def main() -> None:
        got: list[int] = []

        async def wait(item: int) -> int:
            await asyncio.sleep(item)
            return item

        async with fw.map(wait, range(1, 40)) as outcomes:

            async def read() -> None:
                async for outcome in outcomes:
                    got.append(outcome.value)

            impatient = asyncio.create_task(read())
            async with asyncio.TaskGroup() as readers:
                for _ in range(3):
                    readers.create_task(read())
                await asyncio.sleep(7.5)
                impatient.cancel()
        assert sorted(got) == list(range(1, 40))

    run_virtual(main())


def test_a_full_buffer_does_not_hold_up_the_end_of_work_that_ignored_its_cancellation() -> None:
    async def main() -> None:
        async def work(item: int) -> int:
            if item >= 300:
                await keeps_its_cancellation_to_itself()
            return item

        async with asyncio.timeout(60):
            async with fw.map(work, range(600), limits=fw.Limits(concurrency=400)):
                await asyncio.sleep(10)
        assert alone()

    run_virtual(main())


@pytest.mark.parametrize("given", [0, 3])
def test_a_source_that_ends_as_cancelled_has_failed(given: int) -> None:
    async def source() -> AsyncIterator[int]:
        for item in range(given):
            yield item
            await asyncio.sleep(1)
        raise asyncio.CancelledError

    async def main() -> None:
        got: list[int] = []
        async with asyncio.timeout(60):
            with pytest.raises(OperationCancelled, match="the source of items"):
                async with fw.map(same, source()) as outcomes:
                    async for outcome in outcomes:
                        got.append(outcome.value)
        assert got == list(range(given))
        assert alone()

    run_virtual(main())


def test_what_a_source_raises_when_it_is_closed_is_raised_where_the_block_is_left() -> None:
    async def source() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            raise LookupError("the cursor was gone")

    async def main() -> None:
        with pytest.raises(LookupError, match="the cursor was gone"):
            async with fw.map(same, source()) as outcomes:
                await anext(outcomes)
        with pytest.raises(KeyError, match="of the reader"):  # which is the first to be told
            async with fw.map(same, source()) as outcomes:
                raise KeyError("of the reader")

    run_virtual(main())


def test_a_drained_run_does_not_wait_for_a_source_that_has_nothing_to_give() -> None:
    closed_at: list[float] = []

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
            await asyncio.sleep(LONG_S)
        finally:
            closed_at.append(asyncio.get_running_loop().time())

    async def main() -> None:
        model = ScriptedModel(service_s=3)
        async with asyncio.timeout(60), open_test_run(model) as run:
            asyncio.get_running_loop().call_later(2, run.drain)
            got = await run.map(ask, source()).collect()
        assert [outcome.value for outcome in got] == ["re: q1", "re: q2"]
        assert closed_at == [2]

    run_virtual(main())


# loader


class Unreadable(dict[int, int]):
    """A lazy mapping whose values cannot be had."""

    def __getitem__(self, key: int) -> int:
        raise LookupError(f"value of {key}")


class Beyond(BaseException):
    """No failure as others are."""


async def looked_up(found: object) -> list[object]:
    """What loading 1, 2 and 3 gives where the batch function returns this, or raises it."""

    async def batch(_: object) -> object:
        if isinstance(found, BaseException):
            raise found
        return found

    async with asyncio.timeout(60), fw.Loader(batch) as loader:  # type: ignore[arg-type, var-annotated]
        got = list(await loader.load_many((1, 2, 3), return_errors=True))
        assert loader.statistics().failed == sum(isinstance(one, BaseException) for one in got)
        assert loader.statistics().under_way == 0
        return got


def test_a_value_that_is_a_cancellation_fails_its_key_and_cancels_nobody() -> None:
    async def main() -> None:
        got = await looked_up((1, asyncio.CancelledError(), 3))  # as gather returns it
        assert (got[0], got[2]) == (1, 3)
        assert isinstance(got[1], OperationCancelled)

    run_virtual(main())


def test_a_value_that_cannot_be_raised_fails_its_key_alone() -> None:
    async def main() -> None:
        got = await looked_up((StopIteration(), 2, 3))
        assert got[1:] == [2, 3]
        assert isinstance(got[0], LoadError)

    run_virtual(main())


@pytest.mark.parametrize(
    ("found", "kind"), [(Unreadable({1: 1, 2: 2, 3: 3}), LookupError), (Beyond(), Beyond)]
)
def test_whatever_goes_wrong_with_a_batch_reaches_who_waits_for_it(
    found: object, kind: type[BaseException]
) -> None:
    async def main() -> None:
        got = await looked_up(found)
        assert [type(one) for one in got] == [kind] * 3

    run_virtual(main())


@pytest.mark.parametrize("leaving", ["the block", "a lookup"])
def test_a_loader_that_is_cancelled_twice_leaves_no_task(leaving: str) -> None:
    async def main() -> None:
        async def slow_to_end(_: object) -> object:
            try:
                await asyncio.sleep(LONG_S)
            finally:
                await asyncio.sleep(5)

        async def look_up() -> None:
            async with fw.Loader(slow_to_end) as loader:  # type: ignore[arg-type, var-annotated]
                other = asyncio.create_task(loader.load(1))
                await asyncio.sleep(1)
                if leaving == "a lookup":
                    other.cancel()
                    await asyncio.sleep(1)
                    other.cancel()
                    await asyncio.wait([other])
                    assert len(asyncio.all_tasks()) == 2

        task = asyncio.create_task(look_up())
        if leaving == "the block":
            await asyncio.sleep(3)
            task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert alone()

    run_virtual(main())


# listeners and hooks


@pytest.mark.parametrize("nth", range(1, 5))
@pytest.mark.parametrize("raised", [ValueError, StopIteration, asyncio.CancelledError, Beyond])
def test_a_listener_that_raises_ends_its_graph(raised: type[BaseException], nth: int) -> None:
    async def first() -> None:
        await asyncio.sleep(1)

    async def second(first: None) -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        graph = fw.Graph()
        graph.add(first)
        graph.add(second)
        told: list[object] = []

        def listen(event: object) -> None:
            told.append(event)
            if len(told) == nth:
                raise raised

        async with asyncio.timeout(60):
            with pytest.raises(BaseException) as caught:  # noqa: PT011 - its kind is looked at
                await graph.run(on_event=listen)
        expected = RuntimeError if raised in {StopIteration, asyncio.CancelledError} else raised
        assert type(caught.value) is expected
        assert alone()

    run_virtual(main())


@pytest.mark.parametrize("raised", [ValueError, asyncio.CancelledError, GeneratorExit])
def test_an_error_hook_that_raises_holds_up_no_background_work(
    raised: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError

    def hook(name: str, error: Exception) -> None:
        raise raised

    async def main() -> None:
        async with fw.Background(on_error=hook, max_running=1) as background:
            for _ in range(3):
                background.start(fail)
        assert background.statistics().failed == 3
        assert asyncio.get_running_loop().time() == 3
        assert alone()

    run_virtual(main())
    assert caplog.text.count("on_error failed") == 3


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(
    "way", ["parallel", "race", "map", "loader", "background", "graph", "hook"]
)
def test_an_interrupt_in_the_midst_of_work_gets_out(way: str, raised: type[BaseException]) -> None:
    ended: list[str] = []

    async def interrupt(*_: object) -> None:
        await asyncio.sleep(1)
        raise raised

    async def fail() -> None:
        raise LookupError

    async def long(*_: object) -> None:
        try:
            await asyncio.sleep(LONG_S)
        finally:
            ended.append("long")

    def hook(name: str, error: Exception) -> None:
        raise raised

    async def main() -> None:
        if way == "parallel":
            await fw.parallel([interrupt, long])
        elif way == "race":
            await fw.race([interrupt, long])
        elif way == "map":
            await fw.map(lambda f: f(), [interrupt, long]).collect()
        elif way == "loader":
            async with fw.Loader(interrupt) as loader:  # type: ignore[arg-type, var-annotated]
                await fw.parallel([lambda: loader.load(1), long])
        elif way == "graph":
            graph = fw.Graph()
            graph.add(interrupt, name="a")
            graph.add(long, name="b")
            await graph.run()
        else:
            async with fw.Background(on_error=hook) as background:
                background.start(long)
                background.start(interrupt if way == "background" else fail)
        raise AssertionError("it was kept")

    with pytest.raises(raised):
        run_virtual(main())
    assert ended == ["long"]
