"""The small parts: lock, filesystem, codec, writer, open calls, tables."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from fanwise.errors import Conflict, CorruptRecord, JournalError
from fanwise.journal import codec, schema
from fanwise.journal.filesystem import kind_of
from fanwise.journal.layout import creation
from fanwise.journal.ledger import OpenCalls
from fanwise.journal.lock import FileLock, is_locked
from fanwise.journal.sqlite import DIALECT, SqliteLink
from fanwise.journal.writer import GroupWriter
from support.tables import described

MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
server:/export /home nfs4 rw 0 0
/dev/sdb1 /home/me/local xfs rw 0 0
//nas/share /mnt/with\040space cifs rw 0 0
tmpfs /tmp tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/home/me/.fanwise", "nfs4"),
        ("/home/me/local/x", None),
        ("/homestead", None),
        ("/mnt/with space/x", "cifs"),
        ("/tmp/x", None),
        ("/", None),
    ],
)
def test_the_longest_mount_point_decides(directory, kind):
    from pathlib import Path

    assert kind_of(Path(directory), MOUNTS) == kind


# lock


def test_a_lock_is_held_by_one_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.lock"
    lock = FileLock(path, what="run a", wall_s=0.0)
    assert is_locked(path)
    with pytest.raises(Conflict) as refused:
        FileLock(path, what="run a", wall_s=1.0)
    assert "since 1970-01-01 00:00:00 UTC" in str(refused.value)
    lock.release()
    lock.release()
    assert not path.exists()
    assert not is_locked(path)
    FileLock(path, what="run a", wall_s=2.0).release()


def test_a_lock_file_that_a_dead_process_left_is_taken_over(tmp_path):
    path = tmp_path / "a.lock"
    path.write_text('{"pid": 1, "host": "gone", "since": 0}' + " " * 500)
    assert not is_locked(path)
    lock = FileLock(path, what="run a", wall_s=5.0)
    with pytest.raises(Conflict) as refused:
        FileLock(path, what="run a", wall_s=6.0)
    assert "gone" not in str(refused.value)
    lock.release()


def test_who_unlinks_a_held_lock_file_does_not_get_the_lock_twice(tmp_path):
    path = tmp_path / "a.lock"
    first = FileLock(path, what="run a", wall_s=0.0)
    first.release()
    second = FileLock(path, what="run a", wall_s=0.0)
    assert is_locked(path)
    second.release()


# codec


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_every_content_key_survives_packing(name):
    packed = codec.pack_key(name)
    assert codec.unpack_key(packed) == name
    assert codec.unpack_hex(packed.hex().upper()) == name


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32))
def test_a_hash_takes_sixteen_bytes(name):
    assert len(codec.pack_key(name)) == 16


def test_two_content_keys_never_share_a_packing():
    names = ["a" * 32, "A" * 32, "a" * 15, "a" * 14, "\xff" + "a" * 13, "", "\0"]
    assert len({codec.pack_key(name) for name in names}) == len(names)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_every_json_value_survives(value):
    assert codec.load(codec.dump({"value": value}))["value"] == value


def test_what_is_no_json_is_refused_both_ways():
    with pytest.raises(JournalError):
        codec.dump({"value": object()})
    with pytest.raises(JournalError):
        codec.dump({"value": [object(), "\ud800"]})
    deep: list = []
    deep.append(deep)
    with pytest.raises(JournalError):
        codec.dump(deep)
    with pytest.raises(CorruptRecord):
        codec.load("{half")


def test_money_keeps_every_digit():
    assert codec.load(codec.dump({"cost": Decimal("1e-30")})) == {"cost": "1E-30"}


# writer


async def test_a_group_holds_what_was_handed_in_together_and_no_more_than_its_size():
    sizes = []

    def commit(group):
        sizes.append(len(group))
        for entry in group:
            entry.result = entry.work * 2

    writer = GroupWriter(commit, name="test", group_size=10)
    assert await writer.submit(1) == 2
    writer._alone = False
    results = await asyncio.gather(*[writer.submit(number) for number in range(25)])
    assert results == [number * 2 for number in range(25)]
    assert sizes == [1, 10, 10, 5]
    writer.stop()


async def test_what_a_group_raises_is_the_error_of_each_and_the_writer_goes_on():
    def commit(group):
        if any(entry.work == "bad" for entry in group):
            raise ValueError("no")

    writer = GroupWriter(commit, name="test")
    with pytest.raises(ValueError, match="no"):
        await writer.submit("bad")
    assert await writer.submit("good") is None
    writer.stop()


async def test_a_full_queue_makes_callers_wait_for_room():
    gate = threading.Event()

    def commit(group):
        gate.wait(10)

    writer = GroupWriter(commit, name="test", group_size=2, queue_size=4)
    writing = [writer.submit(number) for number in range(8)]
    await asyncio.sleep(0)
    assert writer.full
    waiting = asyncio.ensure_future(writer.room())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    await asyncio.gather(waiting, *writing)
    assert not writer.full
    writer.stop()


def test_one_writer_serves_one_loop_after_another():
    def commit(group):
        for entry in group:
            entry.result = threading.current_thread().name

    writer = GroupWriter(commit, name="the writer")

    async def use():
        return await writer.submit("work")

    assert asyncio.run(use()) == asyncio.run(use()) == "the writer"
    writer.stop()


def test_work_is_done_though_its_loop_is_gone():
    gate, done = threading.Event(), []

    def commit(group):
        gate.wait(10)
        done.extend(entry.work for entry in group)

    writer = GroupWriter(commit, name="test")

    async def use():
        writer.submit("work")

    asyncio.run(use())
    gate.set()
    writer.stop()
    assert done == ["work"]


# ledger


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=60))
def test_the_lowest_open_call_is_always_known(steps):
    calls, model = OpenCalls(), set()
    for opens, number in steps:
        if opens:
            calls.add(number)
            model.add(number)
        else:
            calls.discard(number)
            model.discard(number)
        assert calls.lowest(99) == min(model, default=99)
        assert len(calls) == len(model)


# tables


def test_the_migrations_make_the_same_tables_as_a_new_file_has(tmp_path):
    from fanwise.journal.upgrade import upgrade_file

    new = sqlite3.connect(tmp_path / "new.db")
    for statement in creation(schema.metadata, DIALECT, version=schema.VERSION):
        new.execute(statement)
    new.commit()
    new.close()
    upgraded = sqlite3.connect(tmp_path / "upgraded.db", isolation_level=None)
    upgrade_file(upgraded)
    upgraded.close()
    engines = [create_engine(f"sqlite:///{tmp_path}/{name}.db") for name in ("new", "upgraded")]
    first, second = (described(engine) for engine in engines)
    assert first == second
    assert set(first) == {table.name for table in schema.metadata.tables.values()} | {
        "alembic_version"
    }
    for engine in engines:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            assert version.scalar_one() == schema.VERSION
        engine.dispose()


def test_every_version_has_its_migration():
    from fanwise.journal.storetables import revisions
    from fanwise.journal.upgrade import JOURNAL

    history = revisions(JOURNAL)
    assert tuple(history) == schema.VERSIONS
    assert list(history.values()) == [None, *schema.VERSIONS[:-1]]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 11, 511, 512, 513, 1100])
def test_any_number_of_rows_goes_in_whole_and_once(tmp_path, count):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in creation(schema.metadata, DIALECT, version=None):
        connection.execute(statement)
    link = SqliteLink(connection, tmp_path / "x.db")
    rows = [(number, 0, f"item {number}") for number in range(count)]
    link.insert(schema.items, rows)
    assert connection.execute("SELECT * FROM items ORDER BY id").fetchall() == rows
    connection.close()
