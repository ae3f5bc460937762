"""Connections to PostgreSQL: one that writes a run, any number that read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, LiteralString, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from sqlalchemy import Float, Integer, LargeBinary, Table

from fanwise.errors import ConfigError, JournalError, JournalUnavailable
from fanwise.journal.link import ON_CONFLICT

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_S = 15
DEFAULT_SCHEMA = "fanwise"
# The first half of every advisory lock's key ("FANW"); the second is the run's number, 0 for the
# making of runs and tables.
LOCK_CLASS = 0x46414E57
# Everything is looked up by a key. A plan made while a table was empty would read all of it for
# ever (measured: 35 ms a group of 500 after 20 000 items, against 2).
BY_KEY = "SET enable_seqscan = off; SET jit = off"
_ROW_ERRORS = (psycopg.DataError, psycopg.IntegrityError, UnicodeError, OverflowError)


class Address:
    """A server's address, taken from a URL and safe to show.

    Args:
        url: ``postgresql://user:password@host:port/database``; a ``schema`` among its parameters
            names where the tables are (by default ``fanwise``), the others are libpq's.

    Raises:
        ConfigError: It cannot be understood.
    """

    __slots__ = ("_password", "_settings", "schema", "shown")

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(
                f"the journal's PostgreSQL URL cannot be read: {error}",
                hint="write postgresql://user:password@host:5432/database",
            ) from None
        settings = dict(parse_qsl(parts.query))
        self.schema = settings.pop("schema", DEFAULT_SCHEMA)
        if not self.schema.isidentifier():
            raise ConfigError(
                f"{self.schema!r} is no name of a schema", hint="use letters, digits, underscores"
            )
        given = {
            "host": unquote(parts.hostname or ""),
            "port": str(port or ""),
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "dbname": unquote(parts.path.lstrip("/")),
        }
        self._settings = {name: value for name, value in given.items() if value} | settings
        self._password = self._settings.get("password", "")
        user = f"{given['user']}@" if given["user"] else ""
        place = given["host"] + (f":{port}" if port else "")
        self.shown = f"postgresql://{user}{place}/{given['dbname']}"

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"

    def connect(self, *, purpose: str, tuning: str = BY_KEY) -> Connection:
        """A connection in autocommit mode whose commits are durable when they return.

        Args:
            purpose: Shown by the server beside the connection.
            tuning: Statements that set the planner.

        Raises:
            JournalUnavailable: The server cannot be reached or lets nobody in.
            ConfigError: A parameter of the URL is unknown to libpq.
        """
        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_S,
            "application_name": f"fanwise {purpose}"[:63],
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            **self._settings,
        }
        try:
            connection: Connection = psycopg.connect(autocommit=True, **settings)
        except psycopg.OperationalError as error:
            raise JournalUnavailable(
                f"the journal's database {self.shown} cannot be used: {self.cleaned(error)}",
                hint="is the server running, and are host, user and password right?",
            ) from None
        except psycopg.Error as error:
            raise ConfigError(
                f"the journal's PostgreSQL URL is not right: {self.cleaned(error)}",
                hint="write postgresql://user:password@host:5432/database",
            ) from None
        settings_sql = f"SET search_path = {self.schema}; SET synchronous_commit = on; {tuning}"
        connection.execute(cast("LiteralString", settings_sql))
        return connection

    def cleaned(self, error: Exception) -> str:
        """An error's text without the password."""
        text = " ".join(str(error).split())
        return text.replace(self._password, "***") if self._password else text

    def judge(self, error: Exception) -> Exception | None:
        """What a driver's error means for the journal; ``None`` where one row's values are it."""
        if isinstance(error, _ROW_ERRORS):
            return None
        if not isinstance(error, psycopg.Error):
            return error
        if isinstance(error, psycopg.errors.DiskFull):
            remedy = "free some space on the server and resume the run"
        elif isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            remedy = "bring the server back and resume the run; what was durable stays so"
        else:
            remedy = "see the cause; what was durable stays so"
        return JournalUnavailable(f"journal {self.shown}: {self.cleaned(error)}", hint=remedy)

    def raise_judged(self, error: Exception) -> JournalError:
        """The error to raise for a failed read or open; a driver's own error never leaves here."""
        meaning = self.judge(error)
        if isinstance(meaning, JournalError):
            return meaning
        return JournalError(f"journal {self.shown}: {self.cleaned(error)}")


class PostgresLink:
    """A connection as :class:`fanwise.journal.link.Link`.

    Rows travel as one array a column, in binary: the statement never changes, so that the server
    plans it once.

    Args:
        connection: In autocommit mode.
        address: For messages.
        reconnect: Brings a lost connection back, its lock included, for a last try at writing.
        give_back: What :meth:`close` does; by default closes the connection.
    """

    __slots__ = ("_address", "_connection", "_give_back", "_reconnect", "_sql")

    def __init__(
        self,
        connection: Connection,
        address: Address,
        *,
        reconnect: Callable[[], Connection] | None = None,
        give_back: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._address = address
        self._reconnect = reconnect
        self._give_back = give_back
        self._sql: dict[Any, str] = {}

    def begin(self) -> None:
        if self._connection.closed and self._reconnect is not None:
            self._connection = self._reconnect()
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if not self._connection.closed:
            self._connection.execute("ROLLBACK")

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        sql = self._sql.get(table)
        if sql is None:
            sql = self._sql[table] = _insert_sql(table)
        if rows:
            self._run(sql, [list(column) for column in zip(*rows, strict=True)])

    def listed(
        self, statement: str, values: Collection[Any], *before: Any
    ) -> Sequence[Sequence[Any]]:
        return self._run(self._translated(statement), (*before, list(values)))

    def gathered(
        self, columns: Sequence[str], rest: str, values: Collection[Any], *before: Any
    ) -> Sequence[Sequence[Any]]:
        return self.listed(f"SELECT {', '.join(columns)} {rest}", values, *before)

    def hex(self, column: str) -> str:
        return f"encode({column}, 'hex')"

    def execute(self, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
        return self._run(self._translated(statement), values)

    def stream(self, statement: str, *values: Any) -> Iterator[Sequence[Any]]:
        sql = cast("LiteralString", self._translated(statement))
        with self._connection.cursor() as cursor:
            yield from cursor.stream(sql, values)

    def update(self, statement: str, *values: Any) -> int:
        sql = cast("LiteralString", self._translated(statement))
        return self._connection.execute(sql, values).rowcount

    def judge(self, error: Exception) -> Exception | None:
        return self._address.judge(error)

    def close(self) -> None:
        if self._give_back is not None:
            self._give_back()
        else:
            self._connection.close()

    def _translated(self, statement: str) -> str:
        sql = self._sql.get(statement)
        if sql is None:
            sql = statement.replace("?", "%s").replace("IN :list", "= ANY(%s)")
            self._sql[statement] = sql
        return sql

    def _run(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        cursor = self._connection.execute(cast("LiteralString", sql), values)
        return cursor.fetchall() if cursor.description else ()


def _insert_sql(table: Table) -> str:
    arrays = ", ".join(f"%b::{_array_of(column.type)}" for column in table.columns)
    return (
        f"INSERT INTO {table.name} ({', '.join(table.columns.keys())})"  # noqa: S608  (our names)
        f" SELECT * FROM unnest({arrays}) {ON_CONFLICT[table]}"
    )


def _array_of(kind: Any) -> str:
    if isinstance(kind, Integer):
        return "bigint[]"
    if isinstance(kind, Float):
        return "float8[]"
    return "bytea[]" if isinstance(kind, LargeBinary) else "text[]"
