"""A pipeline's own tables, beside the journal: in ``store.db`` or in the same PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from fanwise.errors import ConfigError, JournalError, JournalUnavailable, StateError
from fanwise.journal.storetables import ensure
from fanwise.journal.writer import Entry, GroupWriter

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
Work = Callable[[Connection], Any]

_GROUP_SIZE = 200
_TRIES = 3


class StoreHome(Protocol):
    """What a store asks of a home."""

    def store_engine(self) -> Engine:
        """An engine on the database of the pipelines' tables, to be disposed of by the caller.

        Its transactions exclude other writers from their beginning where the connection has the
        execution option ``fanwise_write`` (the store's name), and are plain ones elsewhere.
        """
        ...

    def judge_store(self, error: DBAPIError) -> JournalError | None:
        """What an error means for the whole database; ``None`` where one statement is the
        reason.
        """
        ...


class Store:
    """Tables of a pipeline's own, written by one thread and read by any.

    The functions given to it are synchronous, get a :class:`sqlalchemy.Connection` inside a
    transaction, and leave its end to the store. Functions that write must be idempotent: after a
    crash the same work may be done again.

    ::

        async with Store(home, "scan", metadata, migrations=MIGRATIONS) as store:
            await store.write(lambda c: c.execute(store.upsert(shipments), rows))
            found = await store.read(lambda c: c.execute(select(shipments)).all())

    Args:
        home: The home whose database it shares.
        name: The pipeline's name: letters, digits and underscores.
        metadata: Its tables. Names should begin with the pipeline's.
        migrations: Directory of its Alembic version files (no ``env.py`` is needed). Tables are
            made from ``metadata`` where there are none, upgraded where they are older.
    """

    def __init__(
        self,
        home: StoreHome,
        name: str,
        metadata: MetaData,
        *,
        migrations: Path | None = None,
    ) -> None:
        if not name.isidentifier() or not name.isascii():
            raise ConfigError(
                f"{name!r} cannot name a store", hint="use letters, digits and underscores"
            )
        self._home = home
        self._name = name
        self._metadata = metadata
        self._migrations = migrations
        self._engine: Engine | None = None
        self._connecting = threading.Lock()
        self._writer = GroupWriter(self._commit, name=f"store {name}", group_size=_GROUP_SIZE)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix=f"store reader {name}")
        self._closed = False

    def __repr__(self) -> str:
        return f"<Store {self._name}: {self._writer!r}>"

    async def __aenter__(self) -> Self:
        await self.read(_nothing)  # an unusable place is found before work begins
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def writer(self) -> GroupWriter[Work]:
        """The writer's statistics: groups, entries, backlog."""
        return self._writer

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs a function in the writer's thread and returns its result once that is durable.

        Functions that wait together share one transaction; each has a savepoint of its own, so
        that one that raises undoes its own writes and no other's. No other process writes to the
        tables meanwhile. A cancelled caller stops waiting; the write is carried out.

        Raises:
            JournalUnavailable: The database cannot be written; nothing of the function is kept.
            SchemaMismatch: The tables are of a newer version.
            Whatever the function raises; its writes are undone.
        """
        self._check_open()
        if self._writer.full:
            await self._writer.room()
        return await self._writer.submit(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs a function that only reads in another thread, beside the writer.

        Raises:
            JournalUnavailable: The database cannot be read.
            Whatever the function raises.
        """
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, lambda: self.read_now(work)
        )

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """As :meth:`read`, in the caller's own thread: for commands without an event loop."""
        self._check_open()
        try:
            with self._connected().connect() as connection:
                return work(connection)
        except DBAPIError as error:
            raise self._meaning(error) or error from error

    def upsert(
        self, table: Table, *, key: Sequence[str] = (), update: Sequence[str] | None = None
    ) -> Any:
        """An INSERT that replaces what is there, for either database.

        Args:
            table: One of the store's tables.
            key: Columns of the unique key that may be taken; by default the primary key.
            update: Columns to set where it is; by default all others. Empty: leave what is there.

        Returns:
            A statement, to be executed with one row or a list of rows (mappings by column).
        """
        kind = self._connected().dialect.name
        insert = sqlite.insert(table) if kind == "sqlite" else postgresql.insert(table)
        keys = list(key) or [column.name for column in table.primary_key]
        chosen = [c.name for c in table.columns if c.name not in keys] if update is None else update
        if not chosen:
            return insert.on_conflict_do_nothing(index_elements=keys)
        return insert.on_conflict_do_update(
            index_elements=keys, set_={name: insert.excluded[name] for name in chosen}
        )

    @property
    def connections(self) -> int:
        """Connections to the database in use now."""
        counted = getattr(self._engine.pool, "checkedout", None) if self._engine else None
        return int(counted()) if counted is not None else 0

    async def close(self) -> None:
        """Writes what is queued and closes the connections. A second call does nothing."""
        self._closed = True
        loop = asyncio.get_running_loop()
        self._writer.flush()
        await loop.run_in_executor(None, self._close)

    def close_now(self) -> None:
        """As :meth:`close`, for a store of which only :meth:`read_now` was used."""
        self._closed = True
        self._close()

    def _close(self) -> None:
        self._writer.stop()
        self._readers.shutdown()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise StateError(f"the store {self._name} is closed", hint="open it anew")

    def _connected(self) -> Engine:
        with self._connecting:
            if self._engine is None:
                self._engine = self._connect()
            return self._engine

    def _connect(self) -> Engine:
        engine = self._home.store_engine()
        try:
            ensure(engine, name=self._name, metadata=self._metadata, migrations=self._migrations)
        except BaseException as error:
            engine.dispose()
            if isinstance(error, DBAPIError):
                raise self._meaning(error) or error from error
            raise
        return engine

    # in the thread

    def _commit(self, group: Sequence[Entry[Work]]) -> None:
        try:
            self._transact(group)
        except DBAPIError as error:
            meaning = self._meaning(error) or JournalUnavailable(
                f"the store {self._name} failed: {error.orig}", hint="nothing was kept; try again"
            )
            meaning.__cause__ = error
            for entry in group:
                entry.error = meaning

    def _transact(self, group: Sequence[Entry[Work]]) -> None:
        engine = self._connected().execution_options(fanwise_write=self._name)
        with engine.connect() as connection:
            transaction = _patiently(connection.begin)
            for entry in group:
                try:
                    with connection.begin_nested():
                        entry.result = entry.work(connection)
                except Exception as error:
                    if isinstance(error, DBAPIError) and self._meaning(error) is not None:
                        raise
                    entry.error = error
                if not transaction.is_active:
                    raise StateError(
                        f"a function given to the store {self._name} ended its transaction",
                        hint="leave commit and rollback to the store",
                    )
            _patiently(transaction.commit)

    def _meaning(self, error: DBAPIError) -> JournalError | None:
        return self._home.judge_store(error)


def _patiently(step: Callable[[], T]) -> T:
    """A step that another process may hold up; each try waits as long as the driver does."""
    for _ in range(_TRIES - 1):
        try:
            return step()
        except DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != 5:
                raise
    return step()


def _nothing(connection: Connection) -> None:
    """Reads nothing; the connection alone is the test."""
