"""Several operations at once, cancelled: it gets through, and nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

import fanwise as fw
from fanwise.testing.virtual import run_virtual
from support.operations import alone, failing, giving, now, stubborn


def test_cancellation_from_outside_ends_the_operations_first() -> None:
    ended: list[float] = []

    async def main() -> None:
        task = asyncio.create_task(fw.parallel([stubborn(2, ended), stubborn(4, ended)]))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [3, 5]
        assert alone()

    run_virtual(main())


def test_a_second_cancellation_is_handed_on_to_what_still_runs() -> None:
    asked: list[float] = []

    async def hears_twice() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            asked.append(now())
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                asked.append(now())
                raise

    async def main() -> None:
        task = asyncio.create_task(fw.parallel([hears_twice, failing(ValueError("first"))]))
        await asyncio.sleep(5)
        assert asked == [1]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asked == [1, 5]
        assert alone()

    run_virtual(main())


@pytest.mark.parametrize("turns", range(4))
def test_cancellation_about_the_turn_of_the_end_gets_through(turns: int) -> None:
    async def main() -> None:
        gate = asyncio.get_running_loop().create_future()

        async def wait() -> int:
            return await gate

        task = asyncio.create_task(fw.parallel([wait]))
        await asyncio.sleep(0.1)
        gate.set_result(1)
        # The operation ends in the next turn, its owner is told in the one after that.
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        assert task.done()
        assert alone()

    run_virtual(main())


def test_a_timeout_around_it_is_a_timeout_and_leaves_no_request_behind() -> None:
    ended: list[float] = []

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await fw.parallel([stubborn(3, ended)])
        assert ended == [5]
        assert alone()
        async with asyncio.timeout(2):
            await fw.parallel([giving(1)])

    run_virtual(main())


def test_a_cancelled_operation_that_fails_instead_is_not_tried_again() -> None:
    tries: list[float] = []

    async def converts() -> None:
        tries.append(now())
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            raise ConnectionError("broken off") from None

    async def main() -> None:
        retry = fw.Retry(max_attempts=9, retry_on=(ConnectionError,))
        outcomes = await fw.settle([converts], retry=retry, total_s=3)
        assert isinstance(outcomes[0].error, ConnectionError)
        assert tries == [0]

    run_virtual(main())


def test_it_nests_in_maps_and_in_itself() -> None:
    async def pair(number: int) -> list[int]:
        return await fw.parallel([giving(number), giving(number + 1)])

    async def many() -> int:
        outcomes = await fw.map(pair, range(10)).collect()
        return sum(sum(outcome.value) for outcome in outcomes)

    async def main() -> None:
        assert await fw.parallel({"x": many, "y": many}) == {"x": 100, "y": 100}
        with pytest.raises(ValueError, match="deep") as caught:
            await fw.parallel(
                {"outer": lambda: fw.parallel({"inner": failing(ValueError("deep"))})}
            )
        assert caught.value.__notes__ == ["in operation 'inner'", "in operation 'outer'"]
        assert alone()

    run_virtual(main())


def test_what_is_no_exception_ends_everything_and_gets_out() -> None:
    ended: list[float] = []

    class Stop(BaseException):
        pass

    async def stop() -> None:
        raise Stop

    async def main() -> None:
        with pytest.raises(Stop):
            await fw.settle([stop, stubborn(1, ended)])
        assert ended == [1]
        assert alone()

    run_virtual(main())
