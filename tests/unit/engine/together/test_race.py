"""One result out of several ways to it: races and chains."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import (
    AllFailed,
    AttemptTimeout,
    ConfigError,
    OperationCancelled,
    RateLimited,
    UsageError,
)
from fanwise.testing.virtual import run_virtual


def now() -> float:
    return asyncio.get_running_loop().time()


def alone() -> bool:
    task = asyncio.current_task()
    return asyncio.all_tasks() == {task} and task is not None and task.cancelling() == 0


def giving(value: object, *, after_s: float) -> Callable[[], Awaitable[Any]]:
    async def give() -> object:
        await asyncio.sleep(after_s)
        return value

    return give


def failing(error: Exception, *, after_s: float) -> Callable[[], Awaitable[Any]]:
    async def fail() -> None:
        await asyncio.sleep(after_s)
        raise error

    return fail


async def cancels_itself() -> None:
    raise asyncio.CancelledError


def test_the_first_success_wins_and_the_losers_have_ended() -> None:
    ended: list[float] = []

    async def loser() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)
            ended.append(now())

    async def main() -> None:
        ways = [loser, giving("b", after_s=3), failing(ValueError("no"), after_s=1), cancels_itself]
        assert await fw.race(ways) == "b"
        assert ended == [5]
        assert now() == 5
        assert alone()

    run_virtual(main())


def test_a_race_that_nobody_wins_gives_every_reason() -> None:
    async def main() -> None:
        with pytest.raises(AllFailed, match=r"all 3 .*\n.*b: OSError: down") as caught:
            await fw.race(
                {
                    "a": failing(ValueError("bad\nanswer"), after_s=2),
                    "b": failing(OSError("down"), after_s=1),
                    "slow": giving(1, after_s=50),
                },
                timeout_s=5,
            )
        assert list(caught.value.errors) == ["b", "a", "slow"]
        assert isinstance(caught.value.errors["slow"], AttemptTimeout)
        assert "a: ValueError: bad answer" in str(caught.value)
        assert now() == 5
        assert alone()

    run_virtual(main())


def test_hedged_starts_wait_their_turn_and_a_failure_brings_the_next_at_once() -> None:
    begun: dict[str, float] = {}

    def way(name: str, *, after_s: float, error: Exception | None = None) -> Any:
        async def go() -> str:
            begun[name] = now()
            await asyncio.sleep(after_s)
            if error:
                raise error
            return name

        return go

    async def main() -> None:
        ways = [
            way("a", after_s=9),
            way("b", after_s=0.5, error=OSError("down")),
            way("c", after_s=1.25),
            way("d", after_s=9),
            way("e", after_s=9),
        ]
        assert await fw.race(ways, stagger_s=1) == "c"
        assert begun == {"a": 0, "b": 1, "c": 1.5, "d": 2.5}
        assert now() == 2.75
        assert alone()

    run_virtual(main())


def test_a_race_or_a_chain_without_anybody_in_it_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="no winner"):
            await fw.race([])
        with pytest.raises(UsageError, match="no candidates"):
            await fw.fallback([])
        with pytest.raises(ConfigError):
            await fw.race([giving(1, after_s=1)], timeout_s=0)
        with pytest.raises(ConfigError):
            await fw.fallback([giving(1, after_s=1)], timeout_s=0)

    run_virtual(main())


def test_a_cancelled_race_ends_its_runners() -> None:
    async def main() -> None:
        task = asyncio.create_task(fw.race([giving(1, after_s=9), giving(2, after_s=8)]))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == 1
        assert alone()

    run_virtual(main())


# chains


def test_the_next_candidate_is_begun_only_when_the_one_before_failed() -> None:
    told: list[tuple[str, str, float]] = []
    begun: list[float] = []

    async def third() -> str:
        begun.append(now())
        return "third"

    async def fourth() -> str:
        raise AssertionError("never begun")

    async def main() -> None:
        got = await fw.fallback(
            {
                "first": failing(ValueError("no"), after_s=2),
                "slow": giving(1, after_s=100),
                "third": third,
                "fourth": fourth,
            },
            timeout_s=10,
            on_failure=lambda name, error: told.append((name, type(error).__name__, now())),
        )
        assert got == "third"
        assert told == [("first", "ValueError", 2), ("slow", "AttemptTimeout", 12)]
        assert begun == [12]
        assert alone()

    run_virtual(main())


def test_values_are_candidates_for_one_function() -> None:
    async def ask(model: str) -> str:
        if model.endswith("mini"):
            raise RateLimited("too many")
        return f"said {model}"

    async def main() -> None:
        assert await fw.fallback(["my/mini", "my/large"], ask) == "said my/large"
        with pytest.raises(AllFailed) as caught:
            await fw.fallback(["my/mini", "my/mini"], ask)
        assert list(caught.value.errors) == ["my/mini", "my/mini (2)"]
        with pytest.raises(UsageError, match="candidates is a str"):
            await fw.fallback("my/mini", ask)  # type: ignore[call-overload]
        coroutine = ask("my/large")
        with pytest.raises(UsageError, match="operation 1"):
            await fw.fallback([ask, coroutine])  # type: ignore[call-overload]

    run_virtual(main())


def test_misuse_is_not_fallen_back_from_unless_it_is_named() -> None:
    async def no_key() -> None:
        raise ConfigError("OPENAI_API_KEY is not set")

    async def main() -> None:
        good = giving("good", after_s=1)
        with pytest.raises(ConfigError) as caught:
            await fw.fallback([no_key, good])
        assert caught.value.__notes__ == ["in candidate no_key"]
        with pytest.raises(UsageError, match="not asynchronous"):
            await fw.fallback([lambda: 7, good])  # type: ignore[list-item, return-value]
        assert await fw.fallback([no_key, good], when=Exception) == "good"
        bad = failing(ValueError("no"), after_s=1)
        assert await fw.fallback([bad, good], when=(OSError, ValueError)) == "good"
        assert await fw.fallback([bad, good], when=lambda error: "no" in str(error)) == "good"
        with pytest.raises(ValueError, match="no"):
            await fw.fallback([bad, good], when=OSError)

    run_virtual(main())


def test_a_chain_of_failures_tells_each_reason() -> None:
    async def main() -> None:
        with pytest.raises(AllFailed) as caught:
            await fw.fallback([failing(ValueError("one"), after_s=1), cancels_itself])
        reasons = caught.value.errors
        assert [str(type(error).__name__) for error in reasons.values()] == [
            "ValueError",
            "OperationCancelled",
        ]
        assert isinstance(caught.value.__cause__, OperationCancelled)

    run_virtual(main())


def test_cancellation_is_never_fallen_back_from() -> None:
    async def never() -> None:
        raise AssertionError("begun in spite of the cancellation")

    async def main() -> None:
        task = asyncio.create_task(fw.fallback([giving(1, after_s=50), never], timeout_s=1.0))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # In the very turn in which the deadline passes, the caller's own cancellation counts.
        task = asyncio.create_task(fw.fallback([giving(1, after_s=50), never], timeout_s=1.0))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(now() + 1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await fw.fallback([giving(1, after_s=50), never])
        assert alone()

    run_virtual(main())


def test_a_chain_runs_in_the_clean_up_of_a_cancelled_task_too() -> None:
    async def clean_up() -> Any:
        try:
            await asyncio.sleep(50)
        finally:
            assert await fw.fallback([cancels_itself, giving("kept", after_s=1)]) == "kept"

    async def main() -> None:
        task = asyncio.create_task(clean_up())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == 2

    run_virtual(main())
