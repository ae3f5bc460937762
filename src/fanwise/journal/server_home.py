"""A PostgreSQL database of journals: all runs in one set of tables."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar, cast

import orjson
import psycopg
from sqlalchemy import Connection as CoreConnection
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import DBAPIError

from fanwise.clock import Clock
from fanwise.errors import ConfigError, Conflict, JournalError
from fanwise.journal import choice, schema
from fanwise.journal.cache import Cache
from fanwise.journal.committer import Committer
from fanwise.journal.home import FINAL, Pruned
from fanwise.journal.layout import creation, must_upgrade
from fanwise.journal.link import Link
from fanwise.journal.lock import conflict_of, holder_of
from fanwise.journal.postgres import LOCK_CLASS, Address, Connection, PostgresLink
from fanwise.journal.reader import SqlReader
from fanwise.journal.schema import SPAN, VERSION
from fanwise.journal.session import RUN_COLUMNS, Session, begin_session, insert_run, run_of
from fanwise.journal.sql import SqlJournal
from fanwise.records import RunRecord, RunSpec, RunStatus

T = TypeVar("T")

_POOL_SIZE = 20
_RECYCLE_S = 30
_DIALECT = PGDialect()
_HAS_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = ?"
_HAS_TABLES = (
    "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ? AND c.relname = 'alembic_version'"
)
_LIVE = (
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = ?"
    " AND objsubid = 2 AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class ServerHome:
    """A home on a server; see :func:`fanwise.journal.home.open_home`.

    Args:
        url: Where; its password is never shown.
        clock: Time.
    """

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._address = Address(url)
        self._clock = clock
        self._ready = False
        self._pool = create_engine(
            "postgresql+psycopg://",
            creator=lambda: self._address.connect(purpose="reader"),
            pool_size=int(os.environ.get("DATABASE_POOL_SIZE", _POOL_SIZE)),
            max_overflow=0,
            pool_recycle=_RECYCLE_S,
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
        )

    def __repr__(self) -> str:
        return f"<ServerHome {self.location}>"

    @property
    def location(self) -> str:
        return self._address.shown

    # one run

    def create(self, spec: RunSpec, *, run_id: str, wall_s: float) -> SqlJournal:
        self._prepare()
        connection = self._address.connect(purpose=run_id)
        link = PostgresLink(connection, self._address)
        try:
            return self._opened(
                connection, self._judged(lambda: self._make(link, spec, run_id, wall_s))
            )
        except BaseException:
            connection.close()
            raise

    def open(self, run_id: str) -> SqlJournal:
        self._prepare()
        connection = self._address.connect(purpose=run_id)
        link = PostgresLink(connection, self._address)
        try:
            return self._opened(connection, self._judged(lambda: self._resume(link, run_id)))
        except BaseException:
            connection.close()
            raise

    def _make(self, link: Link, spec: RunSpec, run_id: str, wall_s: float) -> Session:
        link.begin()
        link.execute("SELECT pg_advisory_xact_lock(?, 0)", LOCK_CLASS)
        if link.execute("SELECT 1 FROM runs WHERE run_id = ?", run_id):
            raise Conflict(
                f"run {run_id} exists already in {self.location}",
                hint="resume it, or give the new run another id",
            )
        number = link.execute("SELECT coalesce(max(id), 0) + 1 FROM runs")[0][0]
        insert_run(link, number=number, run_id=run_id, spec=spec, wall_s=wall_s)
        _lock(link, number, run_id)
        session = begin_session(link, run_id=run_id, wall_s=wall_s, holder=_holder(wall_s))
        link.commit()
        return session

    def _resume(self, link: Link, run_id: str) -> Session:
        _lock(link, self._number(link, run_id), run_id)
        now = self._clock.wall()
        link.begin()
        session = begin_session(link, run_id=run_id, wall_s=now, holder=_holder(now))
        link.commit()
        return session

    def _opened(self, connection: Connection, session: Session) -> SqlJournal:
        run_id = session.run.run_id

        def reconnect() -> Connection:
            again = self._address.connect(purpose=run_id)
            try:
                _lock(PostgresLink(again, self._address), session.number, run_id)
            except BaseException:
                again.close()
                raise
            return again

        link = PostgresLink(connection, self._address, reconnect=reconnect)
        committer = Committer(link, session, clock=self._clock, let_go=lambda _: _let_go(link))
        return SqlJournal(
            session,
            committer=committer,
            open_reader=lambda: self._reader(
                PostgresLink(self._address.connect(purpose=run_id), self._address), run_id
            ),
            clock=self._clock,
        )

    def reader(self, run_id: str) -> SqlReader:
        self._prepare()
        return self._reader(self._link(), run_id)

    def _reader(self, link: PostgresLink, run_id: str) -> SqlReader:
        try:
            number = self._judged(lambda: self._number(link, run_id))
            return SqlReader(
                link, run_id=run_id, live=lambda: self._judged(lambda: number in _live(link))
            )
        except BaseException:
            link.close()
            raise

    def _number(self, link: Link, run_id: str) -> int:
        rows = link.execute("SELECT id FROM runs WHERE run_id = ?", run_id)
        if not rows:
            raise ConfigError(
                f"no run {run_id!r} in {self.location}",
                hint="`fanwise list` shows the runs there are",
            )
        return rows[0][0]

    # all runs

    def runs(self, *, limit: int | None = None) -> Sequence[RunRecord]:
        self._prepare()

        def read(link: Link) -> Sequence[RunRecord]:
            live = _live(link)
            rows = link.execute(
                f"SELECT {RUN_COLUMNS} FROM runs ORDER BY created_at DESC, run_id DESC LIMIT ?",  # noqa: S608
                limit,
            )
            return [run_of(row, live=row[0] in live) for row in rows]

        return self._with_link(read)

    def unreadable(self) -> Sequence[str]:
        return ()

    def newest_unfinished(self, name: str) -> str | None:
        return choice.newest_unfinished(self.runs(), name, final=FINAL)

    def find(self, prefix: str) -> str:
        self._prepare()
        rows = self._with_link(lambda link: link.execute("SELECT run_id FROM runs"))
        return choice.find(sorted(row[0] for row in rows), prefix, where=self.location)

    def prune(
        self,
        *,
        older_than_s: float,
        keep: int = 0,
        statuses: Collection[RunStatus] = FINAL,
        dry_run: bool = False,
    ) -> Pruned:
        chosen = choice.prunable(
            self.runs(),
            now_s=self._clock.wall(),
            older_than_s=older_than_s,
            keep=keep,
            statuses=statuses,
        )
        run_ids = [run.run_id for run in chosen]
        if not dry_run:
            run_ids = [
                run_id
                for run_id in run_ids
                if self._with_link(lambda link, run_id=run_id: _prune(link, run_id))
            ]
        return Pruned(run_ids=run_ids, freed_bytes=None)

    def remove(self, run_id: str) -> bool:
        return self._with_link(lambda link: _prune(link, run_id))

    # beside the runs

    def cache(self) -> Cache:
        return Cache(self._cache_link, clock=self._clock)

    def _cache_link(self) -> Link:
        self._prepare()
        return PostgresLink(self._address.connect(purpose="cache"), self._address)

    def store_engine(self) -> Engine:
        self._prepare()
        made = create_engine(
            "postgresql+psycopg://",
            creator=lambda: _plain(self._address.connect(purpose="store", tuning="")),
            pool_size=5,
            pool_recycle=_RECYCLE_S,
        )
        event.listen(made, "begin", _begin_store)
        return made

    def judge_store(self, error: DBAPIError) -> JournalError | None:
        if not isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError):
            return None
        meaning = self._address.judge(error.orig)
        return meaning if isinstance(meaning, JournalError) else None

    def close(self) -> None:
        self._pool.dispose()

    # connections

    def _link(self) -> PostgresLink:
        borrowed = self._pool.raw_connection()
        connection = cast("Connection", borrowed.driver_connection)
        return PostgresLink(connection, self._address, give_back=borrowed.close)

    def _with_link(self, work: Callable[[Link], T]) -> T:
        link = self._link()
        try:
            return self._judged(lambda: work(link))
        finally:
            link.close()

    def _prepare(self) -> None:
        """Makes the tables where they are missing; the first of two processes does it."""
        if self._ready:
            return
        connection = self._address.connect(purpose="tables")
        try:
            self._judged(lambda: self._make_tables(connection))
        finally:
            connection.close()
        self._ready = True

    def _make_tables(self, connection: Connection) -> None:
        link = PostgresLink(connection, self._address)
        if self._is_current(link):
            return
        link.begin()
        link.execute("SELECT pg_advisory_xact_lock(?, 0)", LOCK_CLASS)
        if self._version(link) is None:
            # IF NOT EXISTS would ask for the right to make one even where there is one.
            if not link.execute(_HAS_SCHEMA, self._address.schema):
                link.execute(f"CREATE SCHEMA {self._address.schema}")
            statements = creation(schema.metadata, _DIALECT, version=VERSION)
            statements += creation(schema.cache_metadata, _DIALECT, version=None)
            for statement in statements:
                link.execute(statement)
        link.commit()
        if not self._is_current(link):
            from fanwise.journal.upgrade import upgrade_server

            upgrade_server(connection, lock=f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, 0)")

    def _is_current(self, link: Link) -> bool:
        version = self._version(link)
        return version is not None and not must_upgrade(version, where=self.location)

    def _version(self, link: Link) -> str | None:
        # Not to_regclass(): it does not see what another process made while we waited for a lock.
        if not link.execute(_HAS_TABLES, self._address.schema):
            return None
        return link.execute("SELECT version_num FROM alembic_version")[0][0]

    def _judged(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except psycopg.Error as error:
            raise self._address.raise_judged(error) from error


def _lock(link: Link, number: int, run_id: str) -> None:
    """Takes the run's lock for as long as the connection lives.

    The server needs a moment to see that a process has died.
    """
    for wait_s in (0.02, 0.05, 0.1, 0.3, 0.0):
        if link.execute("SELECT pg_try_advisory_lock(?, ?)", LOCK_CLASS, number)[0][0]:
            return
        time.sleep(wait_s)
    holder = link.execute("SELECT holder FROM runs WHERE id = ?", number)
    raise conflict_of(f"run {run_id}", holder[0][0].encode() if holder else b"")


def _let_go(link: Link) -> None:
    try:
        # The server would do it too, but only once it has noticed that the connection is closed.
        link.execute("SELECT pg_advisory_unlock_all()")
    except psycopg.Error:
        pass  # the connection is lost, and with it the lock
    finally:
        link.close()


def _live(link: Link) -> set[int]:
    return {row[0] for row in link.execute(_LIVE, LOCK_CLASS)}


def _prune(link: Link, run_id: str) -> bool:
    link.begin()
    try:
        rows = link.execute("SELECT id FROM runs WHERE run_id = ?", run_id)
        free = rows and link.execute(
            "SELECT pg_try_advisory_xact_lock(?, ?)", LOCK_CLASS, rows[0][0]
        )
        if not free or not free[0][0]:
            link.rollback()
            return False  # gone, or opened by somebody since it was listed
        number = rows[0][0]
        span = (number * SPAN, (number + 1) * SPAN)
        for index, table, name in (
            ("item_names", "items", "item_id"),
            ("request_keys", "requests", "content_key"),
        ):
            link.update(
                f"DELETE FROM {index} x USING {table} t WHERE t.id > ? AND t.id < ?"  # noqa: S608
                f" AND x.{name} = t.{name} AND x.run = t.run",
                *span,
            )
        for table in ("sessions", "items", "calls", "outcomes", "requests", "events"):
            link.update(
                f"DELETE FROM {table} WHERE id > ? AND id < ?",  # noqa: S608  (our names)
                *span,
            )
        link.update("DELETE FROM runs WHERE id = ?", number)
        link.commit()
    except BaseException:
        link.rollback()
        raise
    return True


def _holder(wall_s: float) -> str:
    return orjson.dumps(holder_of(wall_s)).decode()


def _plain(connection: Connection) -> Connection:
    """Out of autocommit mode: here SQLAlchemy begins and ends the transactions."""
    connection.autocommit = False
    return connection


def _begin_store(connection: CoreConnection) -> None:
    name = connection.get_execution_options().get("fanwise_write")
    if name:
        connection.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"fanwise {name}",)
        )
