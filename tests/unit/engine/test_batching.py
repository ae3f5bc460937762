"""Batches one after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import ConfigError
from fanwise.testing.virtual import run_virtual


class Starts:
    """Notes when each item began; fails for those it is told to."""

    def __init__(self, fails: tuple[int, ...] = ()) -> None:
        self.fails = fails
        self.began: dict[int, float] = {}

    async def __call__(self, item: int) -> int:
        self.began[item] = asyncio.get_running_loop().time()
        await asyncio.sleep(1 + item % 2)
        if item in self.fails:
            raise ValueError(item)
        return item


def test_a_batch_goes_together_and_the_next_after_it_and_the_delay() -> None:
    async def main() -> None:
        work, reports = Starts(), list[fw.types.BatchReport]()
        outcomes = await fw.batched(
            work, range(10), size=4, delay_s=3.0, on_batch_complete=reports.append, ordered=True
        ).collect()
        assert [outcome.value for outcome in outcomes] == list(range(10))
        assert list(work.began.values()) == [0.0] * 4 + [5.0] * 4 + [10.0] * 2
        assert [(r.number, r.size, r.succeeded, r.wall_s) for r in reports] == [
            (1, 4, 4, 2.0),
            (2, 4, 4, 2.0),
            (3, 2, 2, 2.0),
        ]
        assert asyncio.get_running_loop().time() == 12.0, "no delay after the last"

    run_virtual(main())


def test_a_large_batch_is_one_wave_unless_limits_say_otherwise() -> None:
    async def main() -> None:
        work = Starts()
        await fw.batched(work, range(500), size=500).collect()
        assert set(work.began.values()) == {0.0}
        narrow = Starts()
        await fw.batched(narrow, range(8), size=8, limits=fw.Limits(concurrency=2)).collect()
        assert len(set(narrow.began.values())) > 2

    run_virtual(main())


@pytest.mark.parametrize(("on_error", "ended"), [("continue", 9), ("stop", 6)])
def test_a_failure_stops_further_batches_only_where_asked(on_error: Any, ended: int) -> None:
    async def main() -> None:
        reports = list[fw.types.BatchReport]()
        outcomes = await fw.batched(
            Starts(fails=(4,)),
            range(9),
            size=3,
            on_error=on_error,
            on_batch_complete=reports.append,
        ).collect()
        assert len(outcomes) == ended
        assert [outcome.item_id for outcome in outcomes if not outcome.ok] == ["4"]
        assert [report.failed for report in reports][:2] == [0, 1]

    run_virtual(main())


def test_the_callback_may_be_asynchronous_and_is_waited_for() -> None:
    async def main() -> None:
        work = Starts()

        async def told(report: fw.types.BatchReport) -> None:
            await asyncio.sleep(10)

        await fw.batched(work, range(4), size=2, on_batch_complete=told).collect()
        assert work.began[2] == 12.0

    run_virtual(main())


def test_what_the_callback_raises_ends_the_map() -> None:
    async def main() -> None:
        def told(report: fw.types.BatchReport) -> None:
            raise LookupError("the database is gone")

        work = Starts()
        with pytest.raises(LookupError):
            await fw.batched(work, range(9), size=3, on_batch_complete=told).collect()
        assert len(work.began) == 3
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_an_endless_source_is_read_one_batch_ahead_at_most() -> None:
    read = 0

    async def endless() -> AsyncIterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    async def main() -> None:
        seen = 0
        async with fw.batched(Starts(), endless(), size=5) as outcomes:
            async for _ in outcomes:
                seen += 1
                if seen == 20:
                    break
        assert read <= 30
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_attempts_are_made_within_the_batch() -> None:
    async def main() -> None:
        left = [2]

        async def flaky(item: int) -> int:
            if item == 0 and left[0]:
                left[0] -= 1
                raise fw.errors.ServerError("not now")
            return item

        got = await fw.batched(flaky, range(4), size=2, retry=fw.Retry(), ordered=True).collect()
        assert [outcome.attempts for outcome in got] == [3, 1, 1, 1]

    run_virtual(main())


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"delay_s": -1}, {"delay_s": float("inf")}, {"on_error": "x"}, {"timeout_s": 0}],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        fw.batched(Starts(), [], **options)
