"""The order of work by a key: the smallest of a window of the source goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import fanwise as fw
from fanwise.engine import run as run_module
from fanwise.errors import ConfigError
from fanwise.records import Response
from fanwise.testing.virtual import run_virtual
from support.modes import Work, mapped
from support.scripted import Scripted, answered, ask, open_scripted


def test_the_smallest_key_of_the_window_goes_first() -> None:
    work = Work()
    mapped(work, [5, 3, 9, 1, 7], mode="sequential", key=lambda n: n)
    assert work.singles == [1, 3, 5, 7, 9]
    narrow = Work()
    mapped(narrow, [5, 3, 9, 1, 7], mode="sequential", key=lambda n: n, window=2)
    assert narrow.singles == [3, 1, 5, 7, 9]


def test_a_key_changes_the_order_of_work_and_not_that_of_outcomes() -> None:
    work = Work()

    async def main() -> None:
        the_map = fw.map(
            work.one,
            ["ccc", "a", "bb"],
            key=len,
            ordered=True,
            limits=fw.Limits(concurrency=1),
        )
        assert [outcome.value for outcome in await the_map.collect()] == ["ccc", "a", "bb"]

    run_virtual(main())
    assert work.singles == ["a", "bb", "ccc"]


def test_a_source_without_an_end_is_ordered_within_its_window() -> None:
    async def endless() -> AsyncIterator[int]:
        n = 0
        while True:
            yield -n
            n += 1

    work = Work()

    async def main() -> None:
        options: dict[str, Any] = {"mode": "sequential", "key": lambda n: n, "window": 10}
        async with fw.map(work.one, endless(), **options) as outcomes:
            async for _ in outcomes:
                if len(work.singles) > 5:
                    break

    run_virtual(main())
    assert work.singles[:3] == [-10, -11, -12]


def test_easiest_first_goes_by_past_success() -> None:
    key = fw.types.easiest_first({"hard": 0.1, "easy": 0.9})
    items = [{"id": "hard"}, {"id": "new"}, {"id": "easy"}, "no id"]
    assert [key(item) for item in items] == [-0.1, -0.5, -0.9, -0.5]


def test_a_window_of_nothing_is_refused() -> None:
    work: Callable[[Any], Awaitable[Any]] = Work().one
    with pytest.raises(ConfigError, match="window of 0"):
        fw.map(work, [], window=0)


async def endless() -> AsyncIterator[int]:
    n = 0
    while True:
        yield n
        n += 1


def test_one_slow_item_of_an_endless_source_lets_only_so_many_begin_ahead_of_it() -> None:
    begun = 0

    async def work(n: int) -> int:
        nonlocal begun
        begun += 1
        await asyncio.sleep(1000 if n == 0 else 0.1)
        return n

    async def main() -> None:
        the_map = fw.map(work, endless(), ordered=True, limits=fw.Limits(concurrency=20))
        async with the_map as outcomes:
            first = asyncio.create_task(anext(outcomes))
            await asyncio.sleep(60)
            early = begun
            await asyncio.sleep(900)
            assert begun == early  # it has come to rest, 19 others at once or not
            assert 1000 < begun < 1200
            assert (await first).value == 0
            shown = [(await anext(outcomes)).value for _ in range(5000)]
            assert shown == list(range(1, 5001))
            assert begun < 5001 + 1200

    run_virtual(main())


@pytest.mark.parametrize("mode", [None, "parallel", "batch", "sequential"])
@pytest.mark.parametrize("key", [None, lambda n: -n, lambda n: n, lambda n: n % 7])
@pytest.mark.parametrize("bad", [False, True])
def test_whatever_goes_first_an_ordered_map_comes_to_its_end(mode: Any, key: Any, bad: Any) -> None:
    work = Work(alone=lambda n: not bad or n % 5, packed=not bad, one_s=0.5)
    options: dict[str, Any] = {"key": key, "window": 50, "ordered": True}
    if mode is not None:
        options |= {"mode": mode, "pack": fw.types.Pack(work.many, size=30)}

    async def main() -> None:
        outcomes = await fw.map(work.one, range(3000), **options).collect()
        assert [outcome.position for outcome in outcomes] == list(range(3000))
        assert [o.item for o in outcomes if not o.ok] == [
            n for n in range(3000) if bad and not n % 5
        ]

    run_virtual(main())


def test_failures_are_judged_when_work_may_not_run_further_ahead() -> None:
    work = Work(alone=lambda n: n > 0, one_s=0.5)

    async def hesitating() -> AsyncIterator[int]:
        for n in range(2000):
            if n == 1104:  # as far as it may run ahead, and all of it has ended by then
                await asyncio.sleep(1000)
            yield n

    async def main() -> None:
        options: dict[str, Any] = {"mode": "parallel", "ordered": True}
        policy = fw.types.Fallback(window=10_000)
        outcomes = await fw.map(work.one, hesitating(), fallback=policy, **options).collect()
        assert [o.position for o in outcomes] == list(range(2000))
        assert [o.item for o in outcomes if not o.ok] == [0]

    run_virtual(main())


def test_a_run_in_order_begins_no_more_than_it_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_AHEAD", 2000)

    async def script(prompt: str, before: int) -> Response:
        await asyncio.sleep(500 if prompt == "q0" else 0.1)
        return answered(prompt)

    async def main() -> None:
        model = Scripted(script, service_s=0)
        async with (
            open_scripted(model, limits=fw.Limits(concurrency=20)) as run,
            run.map(ask, endless(), ordered=True) as outcomes,
        ):
            first = asyncio.create_task(anext(outcomes))
            await asyncio.sleep(400)
            assert 2000 <= len(model.requests) < 2200
            assert (await first).value == "q0"
            shown = [(await anext(outcomes)).value for _ in range(3000)]
            assert shown == [f"q{n}" for n in range(1, 3001)]

    run_virtual(main())
