"""The order of work by a key: the smallest of a window of the source goes first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import ConfigError
from fanwise.testing.virtual import run_virtual
from support.modes import Work, mapped


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
