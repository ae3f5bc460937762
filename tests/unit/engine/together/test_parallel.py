"""Several operations at once: shapes, failures, deadlines."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import AttemptTimeout, ConfigError, OperationCancelled, UsageError
from fanwise.testing.virtual import run_virtual
from support.operations import alone, failing, giving, now, stubborn


def test_results_come_in_the_shape_and_order_given() -> None:
    async def main() -> None:
        named = await fw.parallel({"b": giving(1, after_s=3), "a": giving(2)})
        assert list(named.items()) == [("b", 1), ("a", 2)]
        assert await fw.parallel([giving(1, after_s=2), giving(2)]) == [1, 2]
        assert await fw.parallel((giving(1, after_s=2), giving("x"))) == (1, "x")
        assert now() == 7
        assert await fw.parallel({}) == {}
        assert await fw.parallel([]) == []
        assert await fw.settle({}) == {}
        assert alone()

    run_virtual(main())


def test_the_first_failure_ends_the_others_and_is_raised_as_itself() -> None:
    ended: list[float] = []

    async def main() -> None:
        error = ValueError("no such user")
        with pytest.raises(ValueError, match="no such user") as caught:
            await fw.parallel(
                {"user": failing(error), "job": stubborn(2, ended), "late": giving(1, after_s=9)}
            )
        assert caught.value is error
        assert error.__notes__ == ["in operation 'user'"]
        assert ended == [3]
        assert now() == 3
        assert alone()

    run_virtual(main())


def test_what_others_fail_with_meanwhile_is_noted_on_the_first_failure() -> None:
    async def broken_cleanup() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise OSError("cannot close")

    async def main() -> None:
        with pytest.raises(ValueError, match="first") as caught:
            await fw.parallel([failing(ValueError("first")), broken_cleanup])
        assert caught.value.__notes__ == [
            "in operation 0 (fail)",
            "operation 1 (broken_cleanup) failed too: OSError: cannot close",
        ]

    run_virtual(main())


@pytest.mark.parametrize("run", [fw.parallel, fw.settle, fw.race])
def test_work_that_was_begun_is_refused_by_name_and_closed(run: Any) -> None:
    async def work() -> int:
        return 1

    async def main() -> None:
        with pytest.raises(UsageError, match=r"'job'.*coroutine.*function itself"):
            await run({"user": work, "job": work()})
        with pytest.raises(UsageError, match=r"operation 1 .*coroutine"):
            await run([work, work(), work()])
        task = asyncio.create_task(work())
        with pytest.raises(UsageError, match="Task"):
            await run([task])
        assert await task == 1
        with pytest.raises(UsageError, match="operation 'x' is a int"):
            await run({"x": 7})
        with pytest.raises(UsageError, match="operations is a coroutine"):
            await run(work())
        with pytest.raises(UsageError, match="operations is a generator"):
            await run(work for _ in range(2))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_virtual(main())
        gc.collect()


def test_functions_that_are_not_asynchronous_or_want_arguments_say_so() -> None:
    async def greet(name: str) -> str:
        return f"hello {name}"

    async def main() -> None:
        with pytest.raises(UsageError, match=r"not asynchronous: it returned a int.*async def"):
            await fw.parallel([lambda: 7])  # type: ignore[list-item, return-value]
        with pytest.raises(UsageError, match=r"cannot be called like this.*'name'"):
            await fw.parallel({"greeting": greet})  # type: ignore[dict-item]
        assert await fw.parallel([partial(greet, "you"), lambda: greet("me")]) == [
            "hello you",
            "hello me",
        ]
        (outcome,) = await fw.settle([lambda: 7])  # type: ignore[list-item, return-value]
        assert isinstance(outcome.error, UsageError)

    run_virtual(main())


def test_a_type_error_of_the_operation_itself_stays_one() -> None:
    async def main() -> None:
        def wrong() -> Any:
            return 1 + "x"  # type: ignore[operator]

        with pytest.raises(TypeError, match="unsupported operand"):
            await fw.parallel([wrong])

    run_virtual(main())


def test_an_operation_that_misses_its_deadline_is_really_cancelled() -> None:
    seen: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> None:
        with pytest.raises(AttemptTimeout, match=r"no result within 5 s"):
            await fw.parallel({"slow": slow, "quick": giving(1)}, timeout_s=5)
        assert seen == ["cancelled"]
        assert now() == 5
        assert alone()

    run_virtual(main())


def test_the_deadline_of_the_whole_names_what_is_missing() -> None:
    async def main() -> None:
        with pytest.raises(AttemptTimeout, match=r"1 of 2 operations had no result.*'slow'"):
            await fw.parallel({"slow": giving(1, after_s=100), "quick": giving(2)}, total_s=3)
        assert now() == 3
        assert alone()
        slow, quick = await fw.settle([giving(1, after_s=100), giving(2)], total_s=3)
        assert (quick.ok, quick.value) == (True, 2)
        assert isinstance(slow.error, AttemptTimeout)
        assert (slow.attempts, slow.service_s, slow.queued_s) == (1, 3, 0)
        assert alone()

    run_virtual(main())


def test_starts_are_staggered_in_the_order_given() -> None:
    begun: list[tuple[int, float]] = []

    def begin(number: int) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            begun.append((number, round(now(), 6)))
            await asyncio.sleep(1)

        return work

    async def main() -> None:
        await fw.parallel([begin(n) for n in range(4)], stagger_s=0.15)
        assert begun == [(0, 0), (1, 0.15), (2, 0.3), (3, 0.45)]
        with pytest.raises(ValueError, match="early"):
            await fw.parallel([failing(ValueError("early"), after_s=0.1), begin(9)], stagger_s=0.15)
        assert len(begun) == 4

    run_virtual(main())


def test_limits_and_retry_are_those_of_a_map() -> None:
    running = peak = tries = 0

    async def count() -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(1)
        running -= 1

    async def flaky() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError("gone")
        return "there"

    async def main() -> None:
        outcomes = await fw.settle([count] * 9, limits=fw.Limits(concurrency=3))
        assert peak == 3
        assert now() == pytest.approx(3)
        assert [o.queued_s for o in outcomes] == pytest.approx([0, 0, 0, 1, 1, 1, 2, 2, 2])
        assert [o.service_s for o in outcomes] == pytest.approx([1] * 9)
        retry = fw.Retry(max_attempts=3, retry_on=(ConnectionError,))
        assert await fw.parallel({"flaky": flaky}, retry=retry) == {"flaky": "there"}
        assert tries == 3

    run_virtual(main())


def test_settle_gives_every_end_and_raises_none() -> None:
    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        outcomes = await fw.settle(
            {
                "good": giving(1),
                "bad": failing(ValueError("no")),
                "slow": giving(2, after_s=50),
                "odd": cancels_itself,
            },
            timeout_s=5,
        )
        assert list(outcomes) == ["good", "bad", "slow", "odd"]
        assert [outcome.item_id for outcome in outcomes.values()] == list(outcomes)
        assert [outcome.ok for outcome in outcomes.values()] == [True, False, False, False]
        assert isinstance(outcomes["bad"].error, ValueError)
        assert isinstance(outcomes["slow"].error, AttemptTimeout)
        assert isinstance(outcomes["odd"].error, OperationCancelled)
        assert alone()

    run_virtual(main())


def test_a_tracker_is_told_of_each_operation_by_name() -> None:
    noted: dict[str, float] = {}

    async def tracker(name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        began = now()
        try:
            return await function()
        finally:
            noted[name] = now() - began

    async def main() -> None:
        got = await fw.parallel({"a": giving(1, after_s=2), "b": giving(2)}, tracker=tracker)
        assert got == {"a": 1, "b": 2}
        assert noted == {"a": 2, "b": 1}

    run_virtual(main())


@pytest.mark.parametrize(
    "options", [{"timeout_s": 0}, {"total_s": -1}, {"stagger_s": -0.1}, {"stagger_s": float("inf")}]
)
def test_impossible_options_are_refused_before_anything_begins(options: Any) -> None:
    begun: list[int] = []

    async def begin() -> None:
        begun.append(1)

    async def main() -> None:
        with pytest.raises(ConfigError):
            await fw.parallel([begin], **options)
        assert not begun

    run_virtual(main())
