"""A run's SQLite file: opened, written in groups, read beside its writer."""

from __future__ import annotations

import os
import sqlite3
import sys
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from fanwise.errors import CorruptRecord, JournalError, JournalUnavailable
from fanwise.journal.link import ON_CONFLICT

OPENING_S = 5.0  # how long opening and reading wait for a program that holds the file
DIALECT = SQLiteDialect()
PAGE_BYTES = 8192
_MOST_VALUES = 512
# Rows of one INSERT: every number up to eight, then four to each doubling.
_SIZES = (*range(1, 9), *(step << power for power in range(1, 7) for step in (5, 6, 7, 8)))
_ROW_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    UnicodeError,
    OverflowError,
)
# By primary result code (sqlite.org/rescode.html): what it is, and how to mend it.
_CAUSES = {
    5: ("locked by another program", "close the program that has the file open"),
    6: ("locked by another program", "close the program that has the file open"),
    8: ("read-only", "make the file and its directory writable"),
    10: ("input/output error", "check the disk and the connection to it; a local disk is needed"),
    13: ("disk full", "free some space (`fanwise prune`) and resume the run"),
    14: ("cannot be opened", "check that the directory exists and can be written to"),
}
_DAMAGED = frozenset({11, 26})


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from one thread at a time.

    Args:
        path: The database file.
        read_only: Never writes to the file and never checkpoints (SQLite before 3.51.3 can damage
            a WAL file that two connections checkpoint). Else the file is created where missing.
    """
    if not read_only:
        make_private(path)
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=OPENING_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA cache_size = -8000")
    return connection


def make_private(path: Path) -> None:
    """Makes a file that others cannot read, where it is missing; SQLite gives its log the same
    mode. What is wrong with the path is left for SQLite to say.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return


def prepare_to_write(connection: sqlite3.Connection) -> None:
    """Write-ahead log, each commit synced to the disk before it returns."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    connection.execute("PRAGMA busy_timeout = 0")  # the run's lock is ours: nobody else writes
    if sys.platform == "darwin":
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")


def judge(error: Exception, path: Path) -> Exception | None:
    """What an error of SQLite means for the whole file; ``None`` where one row's values are it."""
    if isinstance(error, _ROW_ERRORS):
        return None
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return CorruptRecord(
            f"{path} is damaged or no SQLite file: {error}",
            hint="move it away, or take it from a backup; other runs are not affected",
        )
    what, remedy = _CAUSES.get(code, ("failed", "see the cause; what was durable stays so"))
    return JournalUnavailable(f"journal {path}: {what} ({error})", hint=remedy)


def raise_judged(error: Exception, path: Path) -> JournalError:
    """The error to raise for a failed read or open; a driver's own error never leaves here."""
    meaning = judge(error, path)
    if isinstance(meaning, JournalError):
        return meaning
    return JournalError(f"journal {path}: {error}")


class SqliteLink:
    """A connection of one run's file, as :class:`fanwise.journal.link.Link`.

    Rows go in by ``INSERT … VALUES`` of a few sizes, so that few statements exist and all stay
    compiled; two of them make nearly every number. (``executemany`` gives up the interpreter lock
    for every row, and under a busy event loop waits for it each time. One statement filled up with
    empty rows, and these left out again, costs twice the time in SQLite.)
    """

    __slots__ = ("_connection", "_path", "_sql")

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._sql: dict[tuple[Any, int], str] = {}

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        start, left = 0, len(rows)
        while left:
            size = _SIZES[bisect_right(_SIZES, left) - 1]
            sql = self._sql.get((table, size))
            if sql is None:
                sql = self._sql[table, size] = _insert_sql(table, size)
            part = rows if size == left and not start else rows[start : start + size]
            self._connection.execute(sql, list(chain.from_iterable(part)))
            start, left = start + size, left - size

    def listed(
        self, statement: str, values: Collection[Any], *before: Any
    ) -> Sequence[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        everything = list(values)
        for start in range(0, len(everything), _MOST_VALUES):
            part = everything[start : start + _MOST_VALUES]
            size = _rounded(len(part))
            sql = self._sql.get((statement, size))
            if sql is None:
                marks = ",".join("?" * size)
                sql = statement.replace(":list", f"({marks})")
                self._sql[statement, size] = sql
            part += [None] * (size - len(part))
            found += self._connection.execute(sql, (*before, *part)).fetchall()
        return found

    def gathered(
        self, columns: Sequence[str], rest: str, values: Collection[Any], *before: Any
    ) -> Sequence[Sequence[Any]]:
        # Fetching a row gives up the interpreter lock and waits to have it back: once, not 500
        # times under a busy event loop.
        statement = f"SELECT json_group_array(json_array({', '.join(columns)})) {rest}"
        found: list[Sequence[Any]] = []
        for (text,) in self.listed(statement, values, *before):
            found += orjson.loads(text)
        return found

    def hex(self, column: str) -> str:
        return f"hex({column})"

    def execute(self, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement, values).fetchall()

    def stream(self, statement: str, *values: Any) -> Iterator[Sequence[Any]]:
        yield from self._connection.execute(statement, values)

    def update(self, statement: str, *values: Any) -> int:
        return self._connection.execute(statement, values).rowcount

    def judge(self, error: Exception) -> Exception | None:
        return judge(error, self._path)

    def close(self) -> None:
        self._connection.close()


def settle_down(connection: sqlite3.Connection) -> None:
    """Turns a finished run into one ordinary file, without log beside it.

    While somebody reads the run it stays as it is, with its log; the next opening tidies up.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (5, 6):
            raise


def _rounded(size: int) -> int:
    return 1 << (size - 1).bit_length()


def _insert_sql(table: Table, size: int) -> str:
    row = "(" + ",".join("?" * len(table.columns)) + ")"
    values = ",".join([row] * size)
    return f"INSERT INTO {table.name} VALUES {values} {ON_CONFLICT[table]}"  # noqa: S608  (our names)
