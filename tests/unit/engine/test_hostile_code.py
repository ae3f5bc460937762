"""Code of others at its worst: what it raises, swallows and returns neither hangs nor gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import fanwise as fw
from fanwise.errors import OperationCancelled
from fanwise.testing.virtual import run_virtual

LONG_S = 1e6


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
