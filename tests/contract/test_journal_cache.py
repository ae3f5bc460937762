"""The cross-run cache, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from fanwise.errors import StateError
from fanwise.journal.home import open_home
from support.journals import call, drop_schema, key, own_schema


class SetClock:
    """A clock that stands where it is put."""

    now_s = 1_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def home(request, tmp_path, clock):
    if request.param == "sqlite":
        yield open_home(tmp_path / "home", clock=clock)
        return
    location = own_schema(request.getfixturevalue("postgres_url"))
    made = open_home(location, clock=clock)
    yield made
    made.close()
    drop_schema(location)


def at(content="x", scope="me", sample=0):
    return (scope, key(content=content).content_key, sample)


async def test_what_was_put_is_found_by_scope_content_and_sample(home):
    cache = home.cache()
    record = call(key())
    await cache.put(at(), record)
    found = await cache.get(at())
    assert found == dataclasses.replace(record, key=dataclasses.replace(record.key, item_id=""))
    for other in (at("y"), at(scope="you"), at(sample=1)):
        assert await cache.get(other) is None
    many = await cache.get_many([at(), at("y"), at()])
    assert many.keys() == {at()}
    await cache.close()


async def test_it_outlives_the_process_that_filled_it(home):
    first = home.cache()
    await first.put(at(), call(key()))
    await first.close()
    second = home.cache()
    assert await second.get(at()) is not None
    await second.close()


async def test_look_ups_under_way_together_are_one(home):
    cache = home.cache()
    await asyncio.gather(*[cache.put(at(f"{n}"), call(key())) for n in range(50)])
    found = await asyncio.gather(*[cache.get(at(f"{n}")) for n in range(100)])
    assert [record is not None for record in found] == [True] * 50 + [False] * 50
    assert cache._writer.groups <= 8
    counted = await cache.statistics()
    assert (counted.entries, counted.hits, counted.misses) == (50, 50, 50)
    await cache.close()


async def test_a_later_answer_replaces_an_earlier_one(home, clock):
    cache = home.cache()
    await cache.put(at(), call(key(), value=1))
    clock.now_s += 5
    await cache.put(at(), call(key(), value=2))
    found = await cache.get(at())
    assert found is not None
    assert found.value == 2
    counted = await cache.statistics()
    assert (counted.entries, counted.oldest_at) == (1, clock.now_s)
    await cache.close()


async def test_old_entries_count_as_absent_and_go(home, clock):
    cache = home.cache()
    await cache.put(at("old"), call(key()))
    clock.now_s += 31 * 86400
    await cache.put(at("new"), call(key()))
    assert await cache.get(at("old")) is None
    assert await cache.get(at("new")) is not None
    assert await cache.prune() == 1
    assert (await cache.statistics()).entries == 1
    await cache.close()


async def test_the_oldest_go_first_where_it_is_too_large(home, clock):
    cache = home.cache()
    for number in range(10):
        clock.now_s += 1
        await cache.put(at(f"{number}"), call(key(), value="x" * 1000))
    size = (await cache.statistics()).bytes
    assert await cache.prune(max_bytes=size // 2) == 5
    found = await cache.get_many([at(f"{number}") for number in range(10)])
    assert found.keys() == {at(f"{number}") for number in range(5, 10)}
    await cache.close()


async def test_it_is_cleared_by_scope_or_whole(home):
    cache = home.cache()
    for scope in ("a", "b"):
        for number in range(3):
            await cache.put(at(f"{number}", scope=scope), call(key()))
    assert await cache.clear(scope="a") == 3
    assert await cache.get(at("1", scope="b")) is not None
    assert await cache.clear() == 3
    assert (await cache.statistics()).entries == 0
    await cache.close()


async def test_a_closed_cache_finds_nothing_and_keeps_nothing(home):
    cache = home.cache()
    await cache.close()
    await cache.close()
    await cache.put(at(), call(key()))
    assert await cache.get(at()) is None
    with pytest.raises(StateError):
        await cache.statistics()


@pytest.mark.parametrize("home", ["sqlite"], indirect=True)
async def test_a_damaged_cache_is_an_empty_one(home):
    first = home.cache()
    await first.put(at(), call(key()))
    await first.close()
    path = Path(home.location) / "cache.db"
    path.write_bytes(b"no database at all" * 100)
    second = home.cache()
    assert await second.get(at()) is None
    await second.put(at(), call(key()))
    assert await second.get(at()) is not None
    await second.close()


@pytest.mark.parametrize("home", ["sqlite"], indirect=True)
async def test_a_cache_that_cannot_be_used_only_misses(home, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache.db").mkdir()
    cache = home.cache()
    await cache.put(at(), call(key()))
    assert await cache.get(at()) is None
    assert cache._failures >= 1
    assert "unable to open" in cache._last_failure
    await cache.close()
