"""What journals in a database promise beyond the protocol: durability, one writer, failure."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest

from fanwise.errors import Conflict, JournalError, JournalUnavailable, SchemaMismatch
from fanwise.journal import layout, upgrade
from fanwise.journal.tally import recount
from support.journals import call, file_place, intent, item, key, server_place


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request, tmp_path):
    if request.param == "sqlite":
        made = file_place(tmp_path)
    else:
        made = server_place(request.getfixturevalue("postgres_url"))
    yield made
    made.close()


class Gate:
    """A link whose commits wait at a gate, or fail."""

    def __init__(self, link) -> None:
        self._link = link
        self.arrived = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.failures: list[Exception] = []

    def __getattr__(self, name):
        return getattr(self._link, name)

    def commit(self) -> None:
        self.arrived.set()
        self.open.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        self._link.commit()


def gated(journal) -> Gate:
    gate = Gate(journal._committer._link)
    journal._committer._link = gate
    return gate


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nothing_is_acknowledged_or_visible_before_its_commit(place):
    journal = place.create()
    gate = gated(journal)
    gate.open.clear()
    writing = [
        asyncio.ensure_future(journal.intend(intent(key("a")))),
        asyncio.ensure_future(journal.finish_item(item("b"))),
    ]
    while not gate.arrived.is_set():
        await turns(1)
    await turns()
    assert not any(task.done() for task in writing)
    reader = place.reader()
    assert (list(reader.calls()), list(reader.items())) == ([], [])
    assert journal.counters.finished == 0
    gate.open.set()
    await asyncio.gather(*writing)
    assert len(list(reader.calls())) == 1
    assert len(list(reader.items())) == 1
    reader.close()
    await journal.close("finished")


async def test_what_waits_during_a_commit_shares_the_next(place):
    journal = place.create()
    gate = gated(journal)
    await journal.control("first", {})
    groups = journal.writer.groups
    gate.arrived.clear()
    gate.open.clear()
    writing = [asyncio.ensure_future(journal.control("n", {"n": 0}))]
    while not gate.arrived.is_set():
        await turns(1)
    writing += [asyncio.ensure_future(journal.control("n", {"n": n})) for n in range(1, 400)]
    await turns()
    gate.open.set()
    assert await asyncio.gather(*writing) == list(range(2, 402))
    assert journal.writer.groups - groups == 2
    await journal.close("finished")


async def test_a_failed_commit_acknowledges_nothing_and_stops_admission(place):
    journal = place.create()
    await journal.finish_item(item("before"))
    gate = gated(journal)
    gate.failures = [sqlite3.OperationalError("database or disk is full")] * 5
    results = await asyncio.gather(
        journal.intend(intent(key("a"))),
        journal.settle(call(key("b"))),
        journal.finish_item(item("c")),
        return_exceptions=True,
    )
    assert all(isinstance(result, JournalUnavailable) for result in results)
    with pytest.raises(JournalUnavailable) as refused:
        await journal.intend(intent(key("d")))
    assert refused.value.hint
    with pytest.raises(JournalUnavailable):
        await journal.settle(call(key("e")))
    assert [found.item_id for found in place.reader().items()] == ["before"]
    with pytest.raises(JournalUnavailable):
        await journal.close("failed")
    again = place.open()
    assert (await again.recall(["a", "b", "c", "d", "e"])) == {}
    assert again.counters.succeeded == 1
    await again.close("finished")


async def test_closing_tries_once_more_to_keep_what_was_paid_for(place):
    journal = place.create()
    await journal.intend(intent(key("b")))
    gate = gated(journal)
    gate.failures = [sqlite3.OperationalError("database or disk is full")]
    results = await asyncio.gather(
        journal.settle(call(key("b"))), journal.intend(intent(key("a"))), return_exceptions=True
    )
    assert all(isinstance(result, JournalUnavailable) for result in results)
    with pytest.raises(JournalUnavailable):
        await journal.finish_item(item("b"))
    await journal.close("interrupted")
    reader = place.reader()
    assert [(found.key.item_id, found.state) for found in reader.calls()] == [("b", "served")]
    assert [found.item_id for found in reader.items()] == ["b"]
    assert [event.number for event in reader.events()] == [1]
    assert reader.counters() == recount(reader.calls(), reader.items())
    assert reader.run.status == "interrupted"
    reader.close()


async def test_a_record_that_the_database_refuses_harms_no_other(place):
    journal = place.create()
    results = await asyncio.gather(
        journal.finish_item(item("a")),
        journal.finish_item(item("too far", position=2**70)),
        journal.finish_item(item("b")),
        journal.finish_item(item("bad\0id")),
        journal.finish_item(item("half\ud800")),
        journal.settle(call(key("sample", sample=2**40))),
        journal.finish_item(item("c")),
        return_exceptions=True,
    )
    numbers = [result for result in results if isinstance(result, int)]
    assert numbers == [1, 2, 3]
    refused = [result for result in results if isinstance(result, JournalError)]
    assert len(refused) == 4
    assert not any(isinstance(error, JournalUnavailable) for error in refused)
    reader = place.reader()
    assert [found.item_id for found in reader.items()] == ["a", "b", "c"]
    assert reader.counters() == recount(reader.calls(), reader.items())
    reader.close()
    await journal.close("finished")


# one writer


async def test_a_second_opener_is_refused_and_told_who_writes(place):
    journal = place.create()
    with pytest.raises(Conflict) as refused:
        place.open()
    assert f"process {os.getpid()}" in str(refused.value)
    await journal.finish_item(item())
    await journal.close("interrupted")
    again = place.open()
    await again.close("finished")


async def test_a_run_of_that_id_cannot_be_made_twice(place):
    journal = place.create()
    await journal.close("finished")
    with pytest.raises(Conflict):
        place.create()
    assert place.reader().run.status == "finished"


async def test_another_process_is_refused_while_the_run_is_written(place, request, tmp_path):
    journal = place.create()
    location = str(tmp_path / "journal")
    if "postgres" in request.node.name:
        location = f"{request.getfixturevalue('postgres_url')}?schema={_schema(place)}"
    script = (
        "import sys\n"
        "from fanwise.errors import Conflict\n"
        "from fanwise.journal.home import open_home\n"
        "try:\n    open_home(sys.argv[1]).open('run')\n"
        "except Conflict as error:\n    print(error)\n    sys.exit(7)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, location],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert "is being written by process" in done.stdout
    await journal.finish_item(item())
    await journal.close("finished")


def _schema(place) -> str:
    return place.home._address.schema


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
@pytest.mark.postgres
async def test_a_writer_that_lost_its_session_cannot_commit_after_another_took_over(place):
    journal = place.create()
    await journal.finish_item(item("mine"))
    pid = journal._committer._link.execute("SELECT pg_backend_pid()")[0][0]
    killer = place.home._link()
    killer.execute("SELECT pg_terminate_backend(?)", pid)
    killer.close()
    heir = place.open()
    with pytest.raises(JournalUnavailable):
        await journal.finish_item(item("late"))
    await heir.finish_item(item("heir's"))
    with pytest.raises(Conflict):
        await journal.close("finished")
    assert [found.item_id for found in place.reader().items()] == ["mine", "heir's"]
    await heir.close("finished")
    assert place.reader().run.status == "finished"


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
@pytest.mark.postgres
async def test_an_older_token_cannot_commit_even_when_the_lock_is_free(place):
    journal = place.create()
    pid = journal._committer._link.execute("SELECT pg_backend_pid()")[0][0]
    killer = place.home._link()
    killer.execute("SELECT pg_terminate_backend(?)", pid)
    killer.close()
    heir = place.open()
    await heir.close("interrupted")
    with pytest.raises(JournalUnavailable):
        await journal.finish_item(item("late"))
    with pytest.raises(Conflict):
        await journal.close("finished")
    assert list(place.reader().items()) == []
    assert place.reader().run.status == "interrupted"


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
@pytest.mark.postgres
async def test_a_lost_connection_is_made_again_for_the_last_try(place):
    journal = place.create()
    pid = journal._committer._link.execute("SELECT pg_backend_pid()")[0][0]
    killer = place.home._link()
    killer.execute("SELECT pg_terminate_backend(?)", pid)
    killer.close()
    with pytest.raises(JournalUnavailable):
        await journal.finish_item(item("paid for"))
    await journal.close("interrupted")
    assert [found.item_id for found in place.reader().items()] == ["paid for"]
    assert place.reader().run.status == "interrupted"


# versions

NEXT = """
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.add_column("runs", sa.Column("colour", sa.Text, nullable=False, server_default="red"))
"""


@pytest.fixture
def next_version(monkeypatch, tmp_path):
    """Makes this the program of a version later, with a migration to it."""

    def enter() -> None:
        versions = tmp_path / "versions"
        shutil.copytree(upgrade.JOURNAL, versions)
        (versions / "v0002_next.py").write_text(NEXT)
        monkeypatch.setattr(upgrade, "JOURNAL", versions)
        monkeypatch.setattr(layout, "VERSIONS", ("0001", "0002"))
        monkeypatch.setattr(layout, "VERSION", "0002")

    return enter


async def test_an_older_journal_is_brought_up_to_date_with_what_it_holds(place, next_version):
    journal = place.create()
    await journal.finish_item(item("kept"))
    await journal.close("interrupted")
    next_version()
    place.home._ready = False
    if not hasattr(place.home, "_address"):
        with pytest.raises(SchemaMismatch) as refused:
            place.reader()
        assert "fanwise resume run" in refused.value.hint
    again = place.open()
    assert again.counters.succeeded == 1
    link = again._committer._link
    assert link.execute("SELECT colour FROM runs") == [("red",)]
    assert link.execute("SELECT version_num FROM alembic_version") == [("0002",)]
    await again.finish_item(item("more"))
    await again.close("finished")
    assert [found.item_id for found in place.reader().items()] == ["kept", "more"]


async def test_an_upgrade_that_fails_leaves_everything_as_it_was(place, next_version):
    journal = place.create()
    await journal.finish_item(item("kept"))
    await journal.close("interrupted")
    next_version()
    place.home._ready = False
    broken = upgrade.JOURNAL / "v0002_next.py"
    broken.write_text(NEXT + '    op.execute("SELECT nonsense FROM nowhere")\n')
    with pytest.raises(SchemaMismatch, match="nowhere"):
        place.open()
    broken.write_text(NEXT)
    again = place.open()
    assert again.counters.succeeded == 1
    await again.close("finished")
