"""Units of the notes, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest

import fanwise as fw
from fanwise.pipelines.notes import StoreUsage, UsageExceeded
from fanwise.pipelines.notes.tables import metadata
from support.journals import drop_schema, own_schema

DAY_S = 86_400.0
AT = 1_767_268_800.0  # 2026-01-01 12:00 UTC


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request, tmp_path):
    if request.param == "sqlite":
        yield str(tmp_path / "home")
        return
    made = own_schema(request.getfixturevalue("postgres_url"))
    yield made
    drop_schema(made)


def store_at(location: str) -> fw.Store:
    return fw.Store(fw.open_home(location), "notes", metadata)


async def test_of_two_stores_that_race_for_the_last_unit_one_gets_it(location) -> None:
    async with store_at(location) as one, store_at(location) as two:
        counters = [StoreUsage(store, monthly_units=4, now=lambda: AT) for store in (one, two)]
        await counters[0].reserve(["a", "b", "c"], user="ada")
        raced = await asyncio.gather(
            *(counters[n % 2].reserve([f"last-{n}"], user="ada") for n in range(6)),
            return_exceptions=True,
        )
        assert sum(error is None for error in raced) == 1
        refused = [error for error in raced if error is not None]
        assert all(isinstance(error, UsageExceeded) and error.left == 0 for error in refused)
        assert await counters[1].used("ada") == 4


async def test_a_unit_is_reserved_once_released_or_settled_once(location) -> None:
    async with store_at(location) as store:
        usage = StoreUsage(store, monthly_units=2, now=lambda: AT)
        for _ in range(2):
            await usage.reserve(["a", "b"], user="ada")
        with pytest.raises(UsageExceeded, match="1 more notes are wanted, and 0 of 2"):
            await usage.reserve(["a", "c"], user="ada")
        await usage.reserve(["c"], user="ben")
        await usage.release("b")
        for _ in range(2):
            await usage.settle("a")
        await usage.release("a")
        assert await usage.used("ada") == 1
        await usage.reserve(["c2"], user="ada")


async def test_a_month_begins_anew_and_what_a_dead_process_held_is_free_after_a_day(
    location,
) -> None:
    async with store_at(location) as store:
        now = [AT]
        usage = StoreUsage(store, monthly_units=2, now=lambda: now[0])
        await usage.reserve(["a", "b"], user="ada")
        await usage.settle("a")
        now[0] += 2 * DAY_S
        assert await usage.used("ada") == 1
        now[0] += 40 * DAY_S
        assert await usage.used("ada") == 0


async def test_a_number_of_units_below_none_is_refused(tmp_path) -> None:
    async with store_at(str(tmp_path)) as store:
        with pytest.raises(fw.errors.ConfigError, match="monthly_units=-1"):
            StoreUsage(store, monthly_units=-1)
