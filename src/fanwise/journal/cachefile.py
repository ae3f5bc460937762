"""``cache.db``: the cross-run cache of a directory."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fanwise.journal import sqlite
from fanwise.journal.layout import creation
from fanwise.journal.schema import cache_metadata
from fanwise.journal.sqlite import SqliteLink

_MISSING = "SELECT 1 FROM sqlite_master WHERE name = 'cache_1'"


def cache_link(path: Path) -> SqliteLink:
    """A connection to the cache, made where it is missing; a damaged one is replaced.

    It keeps SQLite's rollback journal, so that any number of processes may write in turn.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
    path.unlink(missing_ok=True)
    Path(f"{path}-journal").unlink(missing_ok=True)
    return _open(path)


def _open(path: Path) -> SqliteLink:
    connection = sqlite.connect(path)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute(_MISSING).fetchone() is None:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute(_MISSING).fetchone() is None:
                for statement in creation(cache_metadata, sqlite.DIALECT, version=None):
                    connection.execute(statement)
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return SqliteLink(connection, path)
