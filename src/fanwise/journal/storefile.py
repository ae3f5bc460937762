"""``store.db``: the pipelines' tables of a directory, shared by any number of processes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from fanwise.errors import JournalError
from fanwise.journal import sqlite


def engine(path: Path) -> Engine:
    """An engine on the file, with SQLite's rollback journal and full syncing.

    Writers take the write lock at the beginning of their transaction: two of them then wait for
    each other instead of failing in the middle.
    """
    sqlite.make_private(path)
    made = create_engine(f"sqlite:///{path}", connect_args={"timeout": sqlite.OPENING_S})
    event.listen(made, "connect", _connected)
    event.listen(made, "begin", _begin)
    return made


def judge(error: DBAPIError, path: Path) -> JournalError | None:
    """What an error means for the whole file; ``None`` where one statement is the reason."""
    if not isinstance(error.orig, sqlite3.Error):
        return None
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_ERROR:  # a wrong statement, a missing table
        return None
    meaning = sqlite.judge(error.orig, path)
    return meaning if isinstance(meaning, JournalError) else None


def _connected(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("fanwise_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
