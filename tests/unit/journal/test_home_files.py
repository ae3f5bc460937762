"""A directory of journals: made, listed, found, pruned, and clear about what it cannot use."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from fanwise.clock import new_run_id
from fanwise.errors import ConfigError, CorruptRecord, JournalUnavailable, SchemaMismatch
from fanwise.journal.home import open_home
from fanwise.records import RunSpec
from support.journals import item


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def home(tmp_path, clock):
    made = open_home(tmp_path / "home", clock=clock)
    yield made
    made.close()


async def finished(home, run_id, *, name="test", status="finished", items=0):
    now = home._clock.wall()
    journal = home.create(RunSpec(name=name, command="run"), run_id=run_id, wall_s=now)
    for number in range(items):
        await journal.finish_item(item(f"{number}"))
    await journal.close(status)


def mode(place: str) -> int:
    return stat.S_IMODE(Path(place).stat().st_mode)


def content(place: str, name: str) -> str:
    return (Path(place) / name).read_text()


def files(home) -> list[str]:
    return sorted(path.name for path in (Path(home.location) / "runs").iterdir())


def test_nothing_is_made_before_the_first_run(home):
    assert home.runs() == []
    assert home.newest_unfinished("test") is None
    assert not Path(home.location).exists()


async def test_the_directory_is_closed_to_others_and_ignored_by_git(home):
    await finished(home, "a")
    assert mode(home.location) == 0o700
    assert content(home.location, ".gitignore") == "*\n"


async def test_a_directory_of_the_users_own_keeps_its_mode_and_is_not_ignored(tmp_path, clock):
    tmp_path.chmod(0o755)
    (tmp_path / "work.txt").write_text("mine")
    home = open_home(tmp_path, clock=clock)
    await finished(home, "a")
    assert mode(home.location) == 0o755
    assert not (tmp_path / ".gitignore").exists()
    assert mode(f"{home.location}/runs") == 0o700
    for name in ("catalog.db", "runs/a.db"):
        assert mode(f"{home.location}/{name}") == 0o600


async def test_a_finished_run_is_a_single_file(home):
    await finished(home, "a", items=3)
    assert files(home) == ["a.db"]
    with sqlite3.connect(Path(home.location) / "runs" / "a.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


async def test_a_finished_run_can_be_opened_again_and_settles_down_again(home):
    await finished(home, "a", items=3)
    journal = home.open("a")
    await journal.finish_item(item("more"))
    assert "a.db-wal" in files(home)
    assert "a.lock" in files(home)
    await journal.close("finished")
    assert files(home) == ["a.db"]
    assert home.reader("a").counters().succeeded == 4


async def test_runs_are_listed_newest_first_with_their_state(home, clock):
    await finished(home, "old")
    clock.now_s += 10
    journal = home.create(RunSpec(name="x"), run_id="live", wall_s=clock.now_s)
    clock.now_s += 10
    await finished(home, "new", status="interrupted")
    found = [(run.run_id, run.status, run.live) for run in home.runs()]
    assert found == [
        ("new", "interrupted", False),
        ("live", "running", True),
        ("old", "finished", False),
    ]
    assert [run.run_id for run in home.runs(limit=1)] == ["new"]
    await journal.close("finished")
    assert [run.live for run in home.runs()] == [False, False, False]


async def test_a_lost_or_damaged_list_is_made_again_from_the_files(home):
    await finished(home, "a")
    await finished(home, "b")
    expected = home.runs()
    catalog = Path(home.location) / "catalog.db"
    catalog.unlink()
    assert home.runs() == expected
    catalog.write_bytes(b"this is no database" * 100)
    assert home.runs() == expected
    assert home.runs() == expected
    assert catalog.read_bytes().startswith(b"SQLite format 3")


async def test_a_list_that_disagrees_with_the_files_is_put_right(home):
    await finished(home, "a")
    await finished(home, "b")
    (Path(home.location) / "runs" / "a.db").unlink()
    with sqlite3.connect(Path(home.location) / "catalog.db") as connection:
        connection.execute("UPDATE runs SET status = 'failed', stamp = stamp - 1")
    connection.close()
    assert [(run.run_id, run.status) for run in home.runs()] == [("b", "finished")]


async def test_a_finished_run_is_listed_without_opening_its_file(home, monkeypatch):
    await finished(home, "a")
    monkeypatch.setattr(home, "reader", None)
    assert [run.run_id for run in home.runs()] == ["a"]


async def test_foreign_and_damaged_files_are_named_and_the_others_listed(home):
    await finished(home, "good", items=50)
    await finished(home, "damaged", items=50)
    runs = Path(home.location) / "runs"
    (runs / "text.db").write_text("hello\n" * 1000)
    (runs / "empty.db").write_bytes(b"")
    with sqlite3.connect(runs / "foreign.db") as connection:
        connection.execute("CREATE TABLE runs (id INTEGER)")
    connection.close()
    content = bytearray((runs / "damaged.db").read_bytes())
    content[100:8192] = b"\xaa" * 8092
    (runs / "damaged.db").write_bytes(content)
    for run_id in ("text", "empty", "foreign", "damaged"):
        with pytest.raises(CorruptRecord) as refused:
            home.open(run_id)
        assert f"{run_id}.db" in str(refused.value)
        assert refused.value.hint
        with pytest.raises(CorruptRecord):
            home.reader(run_id)
    assert [run.run_id for run in home.runs()] == ["good"]
    assert home.unreadable() == ["damaged", "empty", "foreign", "text"]
    assert (runs / "text.db").read_text().startswith("hello")


async def test_a_run_file_under_another_name_is_refused(home):
    await finished(home, "a")
    runs = Path(home.location) / "runs"
    (runs / "a.db").rename(runs / "b.db")
    with pytest.raises(CorruptRecord):
        home.open("b")


async def test_a_journal_of_a_newer_version_is_refused(home):
    await finished(home, "a")
    with sqlite3.connect(Path(home.location) / "runs" / "a.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for use in (home.open, home.reader):
        with pytest.raises(SchemaMismatch) as refused:
            use("a")
        assert "9999" in str(refused.value)
        assert "pip install" in refused.value.hint
    assert not (Path(home.location) / "runs" / "a.lock").exists()


async def test_the_newest_unfinished_run_of_a_name_is_found(home, clock):
    for run_id, name, status in (
        ("a", "scan", "interrupted"),
        ("b", "scan", "failed"),
        ("c", "other", "interrupted"),
        ("d", "scan", "finished"),
        ("e", "scan", "cancelled"),
    ):
        clock.now_s += 1
        await finished(home, run_id, name=name, status=status)
    assert home.newest_unfinished("scan") == "b"
    assert home.newest_unfinished("other") == "c"
    assert home.newest_unfinished("none") is None


async def test_a_run_is_found_by_a_part_of_its_id(home):
    chance = random.Random(1)
    ids = [new_run_id("scan", wall_s=1e9 + n, chance=chance) for n in range(3)]
    for run_id in ids:
        await finished(home, run_id)
    assert home.find(ids[0]) == ids[0]
    assert home.find(ids[1][-6:]) == ids[1]
    with pytest.raises(ConfigError) as refused:
        home.find(ids[0][:4])
    assert all(run_id in str(refused.value) for run_id in ids)
    with pytest.raises(ConfigError):
        home.find("nothing")
    with pytest.raises(ConfigError):
        home.find("")


@pytest.mark.parametrize("run_id", ["../escape", "", ".hidden", "a/b", "a\0b", "x" * 200])
def test_ids_that_are_no_file_names_are_refused(home, run_id):
    with pytest.raises(ConfigError):
        home.create(RunSpec(name="x"), run_id=run_id, wall_s=1.0)
    with pytest.raises(ConfigError):
        home.open(run_id)


def test_an_unknown_run_is_no_file_made(home):
    with pytest.raises(ConfigError):
        home.open("unknown")
    with pytest.raises(ConfigError):
        home.reader("unknown")
    assert not Path(home.location).exists()


async def test_pruning_removes_old_final_runs_and_says_what_it_frees(home, clock):
    await finished(home, "old", items=20)
    await finished(home, "old-but-unfinished", status="interrupted")
    live = home.create(RunSpec(name="x"), run_id="live", wall_s=clock.now_s)
    clock.now_s += 100
    await finished(home, "young")
    size = (Path(home.location) / "runs" / "old.db").stat().st_size
    would = home.prune(older_than_s=50, dry_run=True)
    assert (would.run_ids, would.freed_bytes) == (["old"], size)
    assert "old.db" in files(home)
    assert home.prune(older_than_s=50, keep=4).run_ids == []
    done = home.prune(older_than_s=50)
    assert (done.run_ids, done.freed_bytes) == (["old"], size)
    assert files(home) == [
        "live.db",
        "live.db-shm",
        "live.db-wal",
        "live.lock",
        "old-but-unfinished.db",
        "young.db",
    ]
    assert home.prune(older_than_s=0, statuses=("running",)).run_ids == []
    assert [run.run_id for run in home.runs()] == ["young", "old-but-unfinished", "live"]
    await live.finish_item(item())
    await live.close("finished")


def test_a_place_that_cannot_be_a_directory_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        home = open_home(place)
        with pytest.raises(JournalUnavailable) as refused:
            home.create(RunSpec(name="x"), run_id="a", wall_s=1.0)
        assert "--journal" in refused.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_write_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(JournalUnavailable):
        open_home(tmp_path / "home").create(RunSpec(name="x"), run_id="a", wall_s=1.0)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("location", ["mysql://host/db", "http://example.org"])
def test_other_kinds_of_urls_are_refused(location):
    with pytest.raises(ConfigError):
        open_home(location)


def test_an_unreachable_server_is_refused_without_showing_the_password():
    home = open_home("postgresql://me:s3cret@127.0.0.1:1/db?connect_timeout=2")
    assert "s3cret" not in home.location
    assert "s3cret" not in repr(home)
    with pytest.raises(JournalUnavailable) as refused:
        home.runs()
    assert "s3cret" not in str(refused.value)
    assert "127.0.0.1:1" in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_wrong_parameter_of_the_url_is_refused_without_showing_the_password():
    home = open_home("postgresql://me:s3cret@127.0.0.1:1/db?no_such_thing=1")
    with pytest.raises(ConfigError) as refused:
        home.runs()
    assert "s3cret" not in str(refused.value)
    with pytest.raises(ConfigError):
        open_home("postgresql://me:s3cret@127.0.0.1:port/db")


# readers


def count_and_content(home) -> tuple[int, bytes]:
    reader = home.reader("run")
    count = len(list(reader.items()))
    reader.close()
    return count, (Path(home.location) / "runs" / "run.db").read_bytes()


async def test_a_reader_changes_nothing_whatever_state_the_run_is_in(home, tmp_path):
    journal = home.create(RunSpec(name="x"), run_id="run", wall_s=1.0)
    await journal.finish_item(item())
    live = count_and_content(home)
    assert live[0] == 1
    assert count_and_content(home) == live
    # What a killed process leaves: the file and its log, with or without the shared memory.
    for name in ("run.db-shm", "nothing"):
        dead = open_home(
            shutil.copytree(home.location, tmp_path / name, ignore=shutil.ignore_patterns(name))
        )
        assert count_and_content(dead) == live
        assert count_and_content(dead) == live
        assert "run.db-wal" in files(dead)
        assert not dead.runs()[0].live
        again = dead.open("run")
        assert again.counters.succeeded == 1
        await again.close("finished")
        closed = count_and_content(dead)
        assert closed[0] == 1
        assert count_and_content(dead) == closed
        assert [name for name in files(dead) if name != "run.lock"] == ["run.db"]
    await journal.close("finished")
