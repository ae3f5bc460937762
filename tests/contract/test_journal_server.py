"""What only a PostgreSQL home does: tables made once, upgraded, pruned; runs side by side."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from sqlalchemy import create_engine

from fanwise.errors import ConfigError, SchemaMismatch
from fanwise.journal.home import open_home
from fanwise.journal.postgres import Address
from fanwise.journal.upgrade import upgrade_server
from fanwise.records import RunSpec
from support.journals import call, drop_schema, intent, item, key, own_schema
from support.tables import described

pytestmark = pytest.mark.postgres


@pytest.fixture
def location(postgres_url):
    made = own_schema(postgres_url)
    yield made
    drop_schema(made)


@pytest.fixture
def home(location):
    made = open_home(location)
    yield made
    made.close()


def schema_of(location: str) -> str:
    return location.partition("?schema=")[2]


async def finished(home, run_id, status="finished", items=1):
    journal = home.create(RunSpec(name="x"), run_id=run_id, wall_s=1.0)
    for number in range(items):
        await journal.intend(intent(key(f"{number}"), request=b"{}"))
        await journal.settle(call(key(f"{number}")))
        await journal.finish_item(item(f"{number}"))
    await journal.close(status)


def test_two_processes_may_make_the_tables_at_once(location):
    homes = [open_home(location) for _ in range(4)]
    errors = []

    def use(home):
        try:
            assert home.runs() == []
        except Exception as error:  # noqa: BLE001  (shown by the assertion below)
            errors.append(error)

    threads = [threading.Thread(target=use, args=(home,)) for home in homes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for home in homes:
        home.close()


def test_the_migrations_make_the_same_tables_as_a_new_schema_has(location, postgres_url, home):
    home.runs()
    upgraded = own_schema(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema_of(upgraded)}")
    connection = Address(upgraded).connect(purpose="test")
    upgrade_server(connection, lock="SELECT pg_advisory_xact_lock(1, 2)")
    connection.close()
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    first = described(engine, schema=schema_of(location))
    second = described(engine, schema=schema_of(upgraded))
    assert first.pop("cache_1")
    assert first == second
    engine.dispose()
    drop_schema(upgraded)


def test_tables_of_a_newer_version_are_refused(location, home, postgres_url):
    home.runs()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"UPDATE {schema_of(location)}.alembic_version SET version_num = '9999'")
    later = open_home(location)
    with pytest.raises(SchemaMismatch):
        later.runs()
    later.close()


async def test_runs_side_by_side_do_not_see_each_other(home):
    journals = [home.create(RunSpec(name="x"), run_id=f"r{n}", wall_s=float(n)) for n in range(3)]

    async def work(journal, number):
        for name in range(number + 1):
            await journal.intend(intent(key(f"{name}"), request=b"%d" % number))
            await journal.settle(call(key(f"{name}")))
            assert await journal.finish_item(item(f"{name}")) == name + 1

    await asyncio.gather(*[work(journal, n) for n, journal in enumerate(journals)])
    for number, journal in enumerate(journals):
        reader = home.reader(f"r{number}")
        assert len(list(reader.calls())) == number + 1
        assert len(list(reader.items(order="position"))) == number + 1
        assert [event.number for event in reader.events()] == list(range(1, number + 2))
        assert reader.request(key().content_key) == b"%d" % number
        assert len(reader.sessions()) == 1
        reader.close()
        assert (await journal.recall(["0", "2"])).keys() == {"0"} | ({"2"} & {f"{number}"})
    assert [run.live for run in home.runs()] == [True, True, True]
    for journal in journals:
        await journal.close("finished")
    assert [run.live for run in home.runs()] == [False, False, False]


async def test_pruning_takes_the_whole_run_and_no_other(home, location, postgres_url):
    await finished(home, "old", items=3)
    await finished(home, "kept", status="interrupted", items=2)
    live = home.create(RunSpec(name="x"), run_id="live", wall_s=1.0)
    assert home.prune(older_than_s=0, dry_run=True).run_ids == ["old"]
    assert home.prune(older_than_s=0).run_ids == ["old"]
    assert {run.run_id for run in home.runs()} == {"kept", "live"}
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"SET search_path = {schema_of(location)}")
        for table, rows in {"items": 2, "calls": 2, "outcomes": 2, "events": 2}.items():
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert found == (rows,), table
    with pytest.raises(ConfigError):
        home.reader("old")
    assert home.find("ke") == "kept"
    assert home.newest_unfinished("x") in {"kept", "live"}
    await live.close("finished")
