"""The pipelines' own tables, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from fanwise.errors import ConfigError, JournalUnavailable, SchemaMismatch, StateError
from fanwise.journal.home import open_home
from fanwise.journal.store import Store
from support.journals import drop_schema, own_schema

METADATA = MetaData()
PARCELS = Table(
    "demo_parcels",
    METADATA,
    Column("number", String(40), primary_key=True),
    Column("carrier", Text, nullable=False),
    Column("seen", Integer, nullable=False),
)

FIRST = """
import sqlalchemy as sa
from alembic import op
revision = "a1"
down_revision = None
def upgrade():
    op.create_table("demo_parcels",
        sa.Column("number", sa.String(40), primary_key=True),
        sa.Column("carrier", sa.Text, nullable=False))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision: str = "a2"
down_revision: str = "a1"
def upgrade():
    op.add_column("demo_parcels",
        sa.Column("seen", sa.Integer, nullable=False, server_default="0"))
"""
OLD = MetaData()
Table(
    "demo_parcels",
    OLD,
    Column("number", String(40), primary_key=True),
    Column("carrier", Text, nullable=False),
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request, tmp_path):
    if request.param == "sqlite":
        yield str(tmp_path / "home")
        return
    made = own_schema(request.getfixturevalue("postgres_url"))
    yield made
    drop_schema(made)


@pytest.fixture
def home(location):
    made = open_home(location)
    yield made
    made.close()


@pytest.fixture
def migrations(tmp_path):
    directory = tmp_path / "migrations"
    directory.mkdir()
    (directory / "v1.py").write_text(FIRST)
    return directory


def parcel(number="1Z", seen=1):
    return {"number": number, "carrier": "UPS", "seen": seen}


def add(row):
    def work(connection):
        connection.execute(insert(PARCELS), row)
        return row["number"]

    return work


def count(connection):
    return connection.execute(select(func.count()).select_from(PARCELS)).scalar_one()


async def test_what_is_written_is_there_for_every_reader(home):
    async with Store(home, "demo", METADATA) as store:
        assert await store.write(add(parcel())) == "1Z"
        assert await store.read(count) == 1
        other = Store(home, "demo", METADATA)
        assert other.read_now(count) == 1
        other.close_now()


async def test_a_write_is_acknowledged_only_after_its_commit(home):
    async with Store(home, "demo", METADATA) as store:
        inside, go_on = threading.Event(), threading.Event()

        def slow(connection):
            connection.execute(insert(PARCELS), parcel())
            inside.set()
            go_on.wait(10)

        writing = asyncio.ensure_future(store.write(slow))
        await asyncio.to_thread(inside.wait, 10)
        assert await store.read(count) == 0
        assert not writing.done()
        go_on.set()
        await writing
        assert await store.read(count) == 1


async def test_a_failing_function_undoes_its_own_writes_and_no_others(home):
    def failing(connection):
        connection.execute(insert(PARCELS), parcel("half"))
        raise ValueError("no")

    async with Store(home, "demo", METADATA) as store:
        await store.write(add(parcel("first")))
        results = await asyncio.gather(
            store.write(add(parcel("a"))),
            store.write(failing),
            store.write(add(parcel("first"))),
            store.write(lambda connection: connection.execute(text("SELECT nonsense"))),
            store.write(add(parcel("b"))),
            return_exceptions=True,
        )
        assert (results[0], results[4]) == ("a", "b")
        assert isinstance(results[1], ValueError)
        assert isinstance(results[2], IntegrityError)
        assert isinstance(results[3], Exception)
        numbers = await store.read(
            lambda c: c.execute(select(PARCELS.c.number).order_by(PARCELS.c.number)).scalars().all()
        )
        assert numbers == ["a", "b", "first"]


async def test_writes_that_wait_together_share_a_transaction(home):
    async with Store(home, "demo", METADATA) as store:
        await asyncio.gather(*[store.write(add(parcel(f"{n}"))) for n in range(200)])
        assert store.writer.groups <= 8
        assert await store.read(count) == 200


async def test_a_cancelled_caller_gives_up_waiting_never_the_write(home):
    async with Store(home, "demo", METADATA) as store:
        await store.write(add(parcel("0")))
        writing = asyncio.ensure_future(store.write(add(parcel("1"))))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await store.write(add(parcel("2")))
        assert await store.read(count) == 3


async def test_a_function_that_ends_the_transaction_is_refused(home):
    async with Store(home, "demo", METADATA) as store:
        with pytest.raises(Exception, match="transaction"):
            await store.write(lambda connection: connection.commit())
        assert await store.write(add(parcel())) == "1Z"


async def test_upsert_replaces_keeps_or_adds(home):
    async with Store(home, "demo", METADATA) as store:
        rows = [parcel("a", 1), parcel("b", 1)]
        await store.write(lambda c: c.execute(store.upsert(PARCELS), rows))
        await store.write(lambda c: c.execute(store.upsert(PARCELS), [parcel("a", 2)]))
        await store.write(lambda c: c.execute(store.upsert(PARCELS, update=()), [parcel("b", 9)]))
        changed = {"number": "b", "carrier": "DHL", "seen": 3}
        await store.write(
            lambda c: c.execute(store.upsert(PARCELS, key=["number"], update=["seen"]), [changed])
        )
        found = await store.read(
            lambda c: c.execute(select(PARCELS).order_by(PARCELS.c.number)).all()
        )
        assert [tuple(row) for row in found] == [("a", "UPS", 2), ("b", "UPS", 3)]


async def test_a_closed_store_says_so(home):
    store = Store(home, "demo", METADATA)
    async with store:
        writing = [asyncio.ensure_future(store.write(add(parcel(f"{n}")))) for n in range(5)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*writing) == [f"{n}" for n in range(5)]
    await store.close()
    with pytest.raises(StateError):
        await store.write(count)
    with pytest.raises(StateError):
        await store.read(count)


def test_a_name_that_is_no_identifier_is_refused(home):
    with pytest.raises(ConfigError):
        Store(home, "drop table", METADATA)


# versions


async def test_tables_are_brought_up_to_date(home, migrations):
    async with Store(home, "demo", OLD, migrations=migrations) as store:
        await store.write(lambda c: c.execute(text("INSERT INTO demo_parcels VALUES ('1', 'UPS')")))
    (migrations / "v2.py").write_text(SECOND)
    async with Store(home, "demo", METADATA, migrations=migrations) as store:
        assert await store.read(lambda c: c.execute(select(PARCELS)).all()) == [("1", "UPS", 0)]
        version = await store.read(
            lambda c: c.execute(text("SELECT version_num FROM alembic_version_demo")).scalar()
        )
        assert version == "a2"


async def test_tables_made_before_there_were_migrations_count_as_the_first_version(
    home, migrations
):
    async with Store(home, "demo", OLD) as store:
        await store.write(lambda c: c.execute(text("INSERT INTO demo_parcels VALUES ('1', 'UPS')")))
    (migrations / "v2.py").write_text(SECOND)
    async with Store(home, "demo", METADATA, migrations=migrations) as store:
        assert await store.read(count) == 1


async def test_new_tables_are_made_at_their_newest_version_without_alembic(home, migrations):
    (migrations / "v2.py").write_text(SECOND)
    async with Store(home, "demo", METADATA, migrations=migrations) as store:
        await store.write(add(parcel()))
        version = await store.read(
            lambda c: c.execute(text("SELECT version_num FROM alembic_version_demo")).scalar()
        )
        assert version == "a2"


async def test_tables_of_an_unknown_version_are_refused(home, migrations):
    async with Store(home, "demo", OLD, migrations=migrations) as store:
        await store.write(
            lambda c: c.execute(text("UPDATE alembic_version_demo SET version_num = 'zz'"))
        )
    with pytest.raises(SchemaMismatch):
        async with Store(home, "demo", OLD, migrations=migrations):
            pass


async def test_two_pipelines_have_versions_of_their_own(home, migrations):
    demo = Store(home, "demo", OLD, migrations=migrations)
    async with demo, Store(home, "other", MetaData()) as other:
        for store, version in ((demo, "a1"), (other, "unversioned")):
            table = f"alembic_version_{store._name}"
            found = await store.read(
                lambda c, table=table: c.execute(text(f"SELECT version_num FROM {table}")).scalar()
            )
            assert found == version


def test_two_processes_may_make_and_write_the_tables_at_once(location, tmp_path):
    script = (
        "import asyncio, sys\n"
        "from sqlalchemy import insert\n"
        "from test_journal_store import METADATA, PARCELS, parcel, add\n"
        "from fanwise.journal.home import open_home\n"
        "from fanwise.journal.store import Store\n"
        "async def main(location, name):\n"
        "    async with Store(open_home(location), 'demo', METADATA) as store:\n"
        "        for n in range(20):\n"
        "            await store.write(add(parcel(f'{name}-{n}')))\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    from pathlib import Path

    here = Path(__file__).parent
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, location, name],
            cwd=here,
            env={"PYTHONPATH": f"{here}:{here.parent}"},
            stderr=subprocess.PIPE,
        )
        for name in "abc"
    ]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said.decode()
    home = open_home(location)
    store = Store(home, "demo", METADATA)
    assert store.read_now(count) == 60
    store.close_now()
    home.close()


async def test_a_place_that_cannot_be_used_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(open_home(tmp_path / "file"), "demo", METADATA)
    with pytest.raises(JournalUnavailable) as refused:
        async with store:
            pass
    assert refused.value.hint
    await store.close()
