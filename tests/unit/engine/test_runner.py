"""One function under a limiter, with retry and a deadline."""

from __future__ import annotations

import asyncio

import pytest

import fanwise as fw
from fanwise.engine.runner import within
from fanwise.errors import AttemptTimeout, OperationCancelled
from fanwise.testing.virtual import run_virtual


def test_an_item_that_cancels_itself_is_an_outcome_and_not_lost() -> None:
    async def ask(number: int) -> int:
        if number == 3:
            other = asyncio.get_running_loop().create_task(asyncio.sleep(5))
            other.cancel()
            await other
        return number

    async def main() -> None:
        outcomes = await fw.map(ask, range(6), ordered=True).collect()
        assert [outcome.ok for outcome in outcomes] == [True, True, True, False, True, True]
        assert isinstance(outcomes[3].error, OperationCancelled)

    run_virtual(main())


def test_a_timeout_that_the_function_raised_is_not_taken_for_the_deadline() -> None:
    async def slow() -> None:
        raise TimeoutError("of its own")

    async def main() -> None:
        with pytest.raises(TimeoutError, match="of its own"):
            await within(5, slow)

    run_virtual(main())


def test_the_deadline_ends_the_work_and_leaves_no_request_to_cancel() -> None:
    ended: list[float] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            ended.append(asyncio.get_running_loop().time())

    async def main() -> None:
        with pytest.raises(AttemptTimeout, match="5 s"):
            await within(5, slow)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtual(main())
    assert ended == [6]


def test_attempts_waits_and_service_are_told_apart() -> None:
    tries: list[float] = []

    async def flaky(number: int) -> int:
        tries.append(asyncio.get_running_loop().time())
        await asyncio.sleep(2)
        if len(tries) < 3:
            raise ConnectionError("gone")
        return number

    async def main() -> None:
        retry = fw.Retry(max_attempts=5, retry_on=(ConnectionError,))
        (outcome,) = await fw.map(flaky, [7], retry=retry).collect()
        assert outcome.value == 7
        assert outcome.attempts == 3
        assert outcome.service_s == pytest.approx(6)
        assert outcome.queued_s + outcome.service_s == pytest.approx(
            asyncio.get_running_loop().time()
        )

    run_virtual(main())


def test_the_backoff_of_refusals_grows() -> None:
    began: list[float] = []

    async def refused(_: int) -> None:
        began.append(asyncio.get_running_loop().time())
        if len(began) < 9:
            raise fw.errors.Overloaded("full")

    async def main() -> None:
        retry = fw.Retry(base_s=1.0, cap_s=64.0)
        (outcome,) = await fw.map(
            refused, [0], retry=retry, limits=fw.Limits(concurrency=1)
        ).collect()
        assert outcome.ok

    run_virtual(main())
    # Eight waits drawn below 1, 2, 4 … 64 s: without growth they add up to 8 s at most.
    assert began[-1] > 8
