"""One run's SQLite file: made, opened to be written, opened to be read, removed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fanwise.errors import Conflict, CorruptRecord, JournalUnavailable, SchemaMismatch
from fanwise.journal import sqlite
from fanwise.journal.layout import creation, must_upgrade
from fanwise.journal.schema import APPLICATION_ID, VERSION, metadata
from fanwise.journal.session import Session, begin_session, insert_run
from fanwise.journal.sqlite import SqliteLink
from fanwise.records import RunSpec

T = TypeVar("T")

_BESIDE = ("-wal", "-shm", "-journal")


def make(
    path: Path, *, run_id: str, spec: RunSpec, wall_s: float
) -> tuple[sqlite3.Connection, Session]:
    """A new file with its tables, its run and its first session; the caller holds the lock.

    Raises:
        Conflict: There is such a file; it is left as it is.
        JournalUnavailable: It cannot be made; nothing is left of it.
    """
    if path.exists():
        raise Conflict(
            f"run {run_id} exists already in {path.parent}",
            hint="resume it, or give the new run another id",
        )
    begun = Path(f"{path}.new")
    remove(begun)
    try:
        session = _judged(path, lambda: _fill(begun, run_id, spec, wall_s))
        _sync(begun)
        begun.rename(path)
        _sync(path.parent)  # a new file's name is durable only with its directory
        connection = _judged(path, lambda: sqlite.connect(path))
    except OSError as error:
        remove(begun)
        raise JournalUnavailable(
            f"{path} cannot be made: {error.strerror}", hint="check the disk and its free space"
        ) from error
    except BaseException:
        remove(begun)
        raise
    try:
        _judged(path, lambda: sqlite.prepare_to_write(connection))
    except BaseException:
        connection.close()
        raise
    return connection, session


def _fill(path: Path, run_id: str, spec: RunSpec, wall_s: float) -> Session:
    """A whole file under a name of its own: it needs no syncing until it has the right one."""
    connection = sqlite.connect(path)
    try:
        connection.execute(f"PRAGMA page_size = {sqlite.PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("BEGIN IMMEDIATE")
        for statement in creation(metadata, sqlite.DIALECT, version=VERSION):
            connection.execute(statement)
        link = SqliteLink(connection, path)
        insert_run(link, number=0, run_id=run_id, spec=spec, wall_s=wall_s)
        session = begin_session(link, run_id=run_id, wall_s=wall_s, holder="")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    return session


def resume(path: Path, *, run_id: str, wall_s: float) -> tuple[sqlite3.Connection, Session]:
    """An existing file with a new session; the caller holds the lock.

    Raises:
        CorruptRecord: It is damaged or foreign; it is left as it is.
        SchemaMismatch: A newer version wrote it.
        JournalUnavailable: It cannot be written.
    """
    connection = _judged(path, lambda: sqlite.connect(path))
    try:
        session = _judged(path, lambda: _go_on(connection, path, run_id, wall_s))
    except BaseException:
        connection.close()
        raise
    return connection, session


def _go_on(connection: sqlite3.Connection, path: Path, run_id: str, wall_s: float) -> Session:
    if _is_older(connection, path):
        from fanwise.journal.upgrade import upgrade_file

        upgrade_file(connection)
    sqlite.prepare_to_write(connection)
    connection.execute("BEGIN IMMEDIATE")
    session = begin_session(SqliteLink(connection, path), run_id=run_id, wall_s=wall_s, holder="")
    connection.execute("COMMIT")
    return session


def read(path: Path, *, run_id: str) -> SqliteLink:
    """A connection that only reads, beside a live writer or not.

    Raises:
        CorruptRecord: It is damaged or foreign.
        SchemaMismatch: Another version wrote it.
        JournalUnavailable: It cannot be read.
    """
    connection = _judged(path, lambda: sqlite.connect(path, read_only=True))
    try:
        older = _judged(path, lambda: _is_older(connection, path))
    except BaseException:
        connection.close()
        raise
    if older:
        connection.close()
        raise SchemaMismatch(
            f"run {run_id} was written by an older version",
            hint=f"`fanwise resume {run_id}` brings it up to date",
        )
    return SqliteLink(connection, path)


def size_of(path: Path) -> int:
    """What the file and its log take on disk, in bytes."""
    return sum(part.stat().st_size for part in _parts(path) if part.exists())


def remove(path: Path) -> None:
    """Removes the file and its log."""
    for part in _parts(path):
        part.unlink(missing_ok=True)


def _parts(path: Path) -> list[Path]:
    return [path, *(Path(f"{path}{suffix}") for suffix in _BESIDE)]


def _is_older(connection: sqlite3.Connection, path: Path) -> bool:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise CorruptRecord(f"{path} is no journal of Fanwise", hint="move it out of the directory")
    (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return must_upgrade(version, where=str(path))


def _judged(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.Error as error:
        raise sqlite.raise_judged(error, path) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
