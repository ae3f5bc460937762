"""The loader: what is asked for at one moment goes out together, once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

import fanwise as fw
from fanwise.engine.lookups import answers_of
from fanwise.errors import (
    AttemptTimeout,
    ConfigError,
    LoadError,
    MissingKey,
    OperationCancelled,
    StateError,
    UsageError,
)
from fanwise.testing.virtual import run_virtual


class Table:
    """A batch function that notes what it was asked for."""

    def __init__(self, *, took_s: float = 1.0) -> None:
        self.asked: list[tuple[int, ...]] = []
        self.ended: list[str] = []
        self._took_s = took_s

    async def __call__(self, keys: Sequence[int]) -> dict[int, str | BaseException]:
        self.asked.append(tuple(keys))
        try:
            await asyncio.sleep(self._took_s)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("done")
        return {key: f"v{key}" for key in keys}


def alone() -> bool:
    return len(asyncio.all_tasks()) == 1


def test_what_is_asked_for_in_one_turn_goes_out_together() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table) as loader:

            async def nested(key: int) -> Sequence[str]:
                return await asyncio.gather(loader.load(key), loader.load(key + 1))

            got = await asyncio.gather(loader.load(1), nested(2), nested(4), loader.load(1))
            assert got == ["v1", ["v2", "v3"], ["v4", "v5"], "v1"]
            assert sorted(table.asked[0]) == [1, 2, 3, 4, 5]
            assert len(table.asked) == 1
            assert loader.statistics().shared == 1
        assert alone()

    run_virtual(main())


def test_a_batch_is_never_larger_than_allowed_and_holds_no_key_twice() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table, max_batch=10) as loader:
            got = await loader.load_many([n % 25 for n in range(100)])
        assert got == [f"v{n % 25}" for n in range(100)]
        assert [len(keys) for keys in table.asked] == [10, 10, 5]
        assert len({key for keys in table.asked for key in keys}) == 25

    run_virtual(main())


def test_answers_are_remembered_and_the_longest_unused_one_makes_room() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table, max_cached=2) as loader:
            await loader.load(1)
            await loader.load(2)
            await loader.load(1)
            await loader.load(3)
            await loader.load(1)
            await loader.load(2)
            assert loader.statistics().cached == 2
        assert table.asked == [(1,), (2,), (3,), (2,)]

    run_virtual(main())


def test_without_a_cache_equal_keys_under_way_still_share_one_lookup() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table, cache=False) as loader:
            first = asyncio.create_task(loader.load(1))
            await asyncio.sleep(0.5)
            assert await loader.load(1) == await first == "v1"
            await loader.load(1)
        assert table.asked == [(1,), (1,)]

    run_virtual(main())


def test_a_wait_collects_keys_from_its_first_on() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table, wait_s=0.5) as loader:

            async def later(key: int, after_s: float) -> str:
                await asyncio.sleep(after_s)
                return await loader.load(key)

            await asyncio.gather(later(1, 0), later(2, 0.4), later(3, 0.6))
        assert table.asked == [(1, 2), (3,)]

    run_virtual(main())


def test_primed_and_cleared_keys() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table) as loader:
            loader.prime(1, "known")
            loader.prime(1, "ignored")
            assert await loader.load(1) == "known"
            loader.clear(1)
            assert await loader.load(1) == "v1"
            under_way = asyncio.create_task(loader.load(2))
            await asyncio.sleep(0.5)
            loader.clear(2)
            loader.prime(2, "fresh")
            assert await under_way == "v2"
            assert await loader.load(2) == "fresh"
            loader.clear_all()
            await loader.load_many([1, 2])
        assert table.asked == [(1,), (2,), (1, 2)]

    run_virtual(main())


def test_a_missing_key_and_an_exception_as_value_fail_their_own_key_alone() -> None:
    async def fetch(keys: Sequence[int]) -> dict[int, Any]:
        return {1: "one", 2: ValueError("two is broken")}

    async def main() -> None:
        async with fw.Loader(fetch) as loader:
            one, two, three = await loader.load_many([1, 2, 3], return_errors=True)
            assert one == "one"
            assert isinstance(two, ValueError)
            assert isinstance(three, MissingKey)
            assert isinstance(three, KeyError)
            assert str(three).startswith("the batch function returned nothing for the key 3 (")
            with pytest.raises(ValueError, match="two is broken"):
                await loader.load_many([1, 2, 3])
            assert loader.statistics().held == 1

    run_virtual(main())


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (asyncio.CancelledError(), OperationCancelled, "cancelled"),
        (StopIteration(), LoadError, "gave StopIteration for a key"),
    ],
)
def test_what_nobody_who_waits_could_raise_fails_its_key_as_something_else(
    given: BaseException, kind: type[BaseException], said: str
) -> None:
    async def fetch(keys: Sequence[int]) -> dict[int, Any]:
        return {1: "one", 2: given}

    async def main() -> None:
        async with fw.Loader(fetch) as loader:
            one, two = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
            assert one == "one"
            assert isinstance(two, kind)
            assert said in str(two)
            assert two.__cause__ is given

    run_virtual(main())


def test_answers_that_cannot_be_matched_are_refused_with_a_hint() -> None:
    assert list(answers_of((1, 2), ["a", "b"])) == ["a", "b"]
    (wrong, _) = answers_of((1, 2), ["a"])
    assert isinstance(wrong, LoadError)
    assert "1 values for 2 keys" in str(wrong)
    assert "returned str" in str(answers_of((1,), "a")[0])
    assert "returned NoneType" in str(answers_of((1,), None)[0])
    assert "it returned '1', a str" in str(answers_of((1,), {"1": "a"})[0])


def test_a_failing_batch_fails_its_keys_and_is_tried_afresh() -> None:
    calls = 0

    async def fetch(keys: Sequence[int]) -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("database gone")
        return [f"v{key}" for key in keys]

    async def main() -> None:
        async with fw.Loader(fetch) as loader:
            found = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
            assert [str(error) for error in found] == ["database gone"] * 2
            assert await loader.load_many([1, 2]) == ["v1", "v2"]
            assert loader.statistics().failed == 2

    run_virtual(main())


def test_limits_retry_and_deadline_hold_for_batches() -> None:
    async def main() -> None:
        table = Table()
        limits = fw.Limits(concurrency=2)
        async with fw.Loader(table, max_batch=1, limits=limits) as loader:
            await loader.load_many(range(6))
        assert asyncio.get_running_loop().time() == 3
        async with fw.Loader(Table(took_s=60), timeout_s=5) as loader:
            with pytest.raises(AttemptTimeout):
                await loader.load(1)

    run_virtual(main())


def test_a_waiter_that_leaves_stops_nobody_and_the_last_one_stops_the_batch() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table) as loader:
            one, also_one, two = (asyncio.create_task(loader.load(key)) for key in (1, 1, 2))
            await asyncio.sleep(0.5)
            one.cancel()
            two.cancel()
            assert await also_one == "v1"
            assert table.ended == ["done"]
            lonely = asyncio.create_task(loader.load(3))
            many = asyncio.create_task(loader.load_many([3, 4]))
            await asyncio.sleep(0.5)
            lonely.cancel()
            many.cancel()
            await asyncio.wait((lonely, many))
            assert table.ended == ["done", "cancelled"]
            assert alone()
            assert await loader.load(3) == "v3"

    run_virtual(main())


def test_what_nobody_waits_for_any_more_is_not_sent() -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table, wait_s=1) as loader:
            gone, stays = (asyncio.create_task(loader.load(key)) for key in (1, 2))
            await asyncio.sleep(0.5)
            gone.cancel()
            await stays
            gone = asyncio.create_task(loader.load(3))
            await asyncio.sleep(0.5)
            gone.cancel()
            await asyncio.sleep(5)
            assert loader.statistics().under_way == 0
        assert table.asked == [(2,)]

    run_virtual(main())


@pytest.mark.parametrize("after_turns", [1, 2, 3, 4, 50])
def test_leaving_the_block_ends_all_work_and_tells_who_waits(after_turns: int) -> None:
    async def main() -> None:
        table = Table()
        async with fw.Loader(table, max_batch=2) as loader:
            waiting = [asyncio.create_task(loader.load(key)) for key in range(3)]
            for _ in range(after_turns):
                await asyncio.sleep(0)
        await asyncio.wait(waiting, timeout=1)
        assert all(isinstance(task.exception(), StateError) for task in waiting)
        assert alone()
        with pytest.raises(StateError, match="block was left"):
            await loader.load(1)

    run_virtual(main())


def test_misuse_is_refused() -> None:
    async def main() -> None:
        loader = fw.Loader(Table())
        with pytest.raises(StateError, match="not entered"):
            await loader.load(1)
        async with loader:
            with pytest.raises(UsageError, match="list is not hashable"):
                await loader.load([1])  # type: ignore[arg-type]
            assert "0 under way" in repr(loader)
            with pytest.raises(StateError, match="entered once"):
                await loader.__aenter__()

    run_virtual(main())
    options: list[dict[str, Any]] = [{"max_batch": 0}, {"max_cached": 1.5}, {"wait_s": -1}]
    for option in [*options, {"wait_s": float("nan")}, {"timeout_s": 0}]:
        with pytest.raises(ConfigError, match=next(iter(option))):
            fw.Loader(Table(), **option)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_and_goes_every_waiter_is_answered_and_no_task_is_left(seed: int) -> None:
    async def main() -> list[Any]:
        chance = random.Random(seed)
        trace: list[Any] = []

        async def fetch(keys: Sequence[int]) -> dict[int, Any]:
            trace.append(keys)
            await asyncio.sleep(chance.choice([0, 0.5, 2]))
            if chance.random() < 0.2:
                raise ConnectionError("down")
            return {key: key if chance.random() < 0.9 else ValueError(key) for key in keys}

        async with fw.Loader(
            fetch,
            max_batch=chance.choice([1, 3, 100]),
            wait_s=chance.choice([0, 0.3]),
            cache=chance.random() < 0.5,
            limits=fw.Limits(concurrency=chance.choice([1, 20])),
        ) as loader:

            async def user(number: int) -> None:
                await asyncio.sleep(chance.random() * 5)
                keys = [chance.randrange(8) for _ in range(chance.choice([1, 1, 4]))]
                try:
                    async with asyncio.timeout(chance.choice([0.0, 0.4, 1.5, 50, 50])):
                        found = await loader.load_many(keys, return_errors=True)
                except TimeoutError:
                    trace.append((number, "left"))
                    return
                for key, value in zip(keys, found, strict=True):
                    assert value == key or isinstance(value, ValueError | ConnectionError)
                trace.append((number, "answered"))

            users = [asyncio.create_task(user(number)) for number in range(60)]
            _, waiting = await asyncio.wait(users, timeout=200)
            assert not waiting
            for task in users:
                task.result()
            assert loader.statistics().under_way == 0
        assert alone()
        return trace

    assert run_virtual(main()) == run_virtual(main())
