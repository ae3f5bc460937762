"""The journal of one run in a database, as the event loop sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fanwise.clock import Clock
from fanwise.ending import to_its_end
from fanwise.errors import FanwiseError, JournalError, StateError
from fanwise.journal import codec
from fanwise.journal.committer import Committer
from fanwise.journal.ledger import (
    Account,
    Close,
    Finish,
    Intend,
    Note,
    Settle,
    Write,
)
from fanwise.journal.memory import Recalled
from fanwise.journal.reader import SqlReader
from fanwise.journal.session import Session
from fanwise.journal.writer import GroupWriter
from fanwise.records import (
    CallIntent,
    CallKey,
    CallRecord,
    Cause,
    Counters,
    ItemRecord,
    Json,
    RunRecord,
    RunStatus,
)

T = TypeVar("T")


class SqlJournal:
    """The one writer of one run: :class:`fanwise.journal.memory.Journal` on a database.

    Made by a home. Used from one event loop.

    Args:
        session: What was opened.
        committer: Writes the groups; owns the writing connection.
        open_reader: Opens a second connection, which only reads.
        clock: Time of commits and control events.
    """

    def __init__(
        self,
        session: Session,
        *,
        committer: Committer,
        open_reader: Callable[[], SqlReader],
        clock: Clock,
    ) -> None:
        self._session = session
        self._committer = committer
        self._open_reader = open_reader
        self._clock = clock
        run_id = session.run.run_id
        self._writer = GroupWriter(committer.commit, name=f"journal {run_id}")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix=f"journal reader {run_id}")
        self._reader: SqlReader | None = None
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<SqlJournal {self._session.run.run_id}: {self._writer!r}>"

    @property
    def run(self) -> RunRecord:
        return self._session.run

    @property
    def resumed(self) -> bool:
        return self._session.resumed

    @property
    def counters(self) -> Counters:
        return self._committer.counters()

    @property
    def writer(self) -> GroupWriter[Write]:
        """The thread's statistics: groups, entries, backlog."""
        return self._writer

    async def recall(self, item_ids: Sequence[str]) -> Mapping[str, Recalled]:
        return await self._read(lambda reader: reader.recall(item_ids))

    async def item(self, item_id: str) -> ItemRecord | None:
        return await self._read(lambda reader: reader.item(item_id))

    # The three that every call comes through hand over at once and return the writer's future.

    def intend(self, intent: CallIntent) -> Awaitable[None]:
        key = intent.key
        try:
            item_id = key.item_id
            if not item_id.isalnum() or not item_id.isascii() or key.sample:
                _check(key)
            write = Intend(item_id, key, codec.dump_intent(intent), intent.request)
            self._committer.raise_if_broken()
            if self._writer.full:
                return self._when_room(write)
            if self._closing is not None:
                raise _closed()
            return self._writer.submit(write)
        except FanwiseError as error:
            return _refused(error)

    async def _when_room(self, write: Write) -> None:
        await self._writer.room()
        await self._submit(write)

    def settle(self, record: CallRecord, *, more_follows: bool = False) -> Awaitable[None]:
        key = record.key
        try:
            item_id = key.item_id
            if not item_id.isalnum() or not item_id.isascii() or key.sample:
                _check(key)
            write = Settle(item_id, record, codec.dump_call(record))
            if self._closing is not None:
                raise _closed()
            return self._writer.submit(write, more_follows=more_follows)
        except FanwiseError as error:
            return _refused(error)

    def finish_item(self, record: ItemRecord) -> Awaitable[int]:
        try:
            item_id = record.item_id
            if not item_id.isalnum() or not item_id.isascii():
                _check_text(item_id)
            write = Finish(item_id, record, codec.dump_item(record))
            if self._closing is not None:
                raise _closed()
            return self._writer.submit(write)
        except FanwiseError as error:
            return _refused(error)

    async def control(self, kind: str, data: Mapping[str, Json]) -> int:
        _check_text(kind)
        return await self._submit(Note(kind, self._clock.wall(), codec.dump(dict(data))))

    async def checkpoint(
        self, *, limited_by: Mapping[Cause, float], in_flight_s: float, limit_s: float
    ) -> None:
        account = {
            "limited_by": dict(limited_by),
            "in_flight_s": in_flight_s,
            "limit_s": limit_s,
        }
        await self._submit(Account(codec.dump(account)))

    async def close(self, status: RunStatus) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(status))
        await to_its_end(self._closing)

    async def _close(self, status: RunStatus) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._reading, self._close_reader)
            await self._writer.submit(Close(status))
        finally:
            self._writer.stop()
            self._reading.shutdown()
            self._committer.give_back()  # where cancellation came before the hand-over

    def _submit(self, write: Write) -> asyncio.Future[Any]:
        if self._closing is not None:
            raise _closed()
        return self._writer.submit(write)

    async def _read(self, read: Callable[[SqlReader], T]) -> T:
        if self._closing is not None:
            raise StateError("the journal is closed", hint="read it with the home's reader")

        def work() -> T:
            if self._reader is None:
                self._reader = self._open_reader()
            return read(self._reader)

        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _closed() -> StateError:
    return StateError("the journal is closed", hint="open the run again to write to it")


async def _refused(error: FanwiseError) -> Any:
    raise error


def _check(key: CallKey) -> None:
    _check_text(key.item_id)
    if not 0 <= key.sample < 1 << 31:
        raise JournalError(f"sample {key.sample} cannot be kept", hint="use 0 to 2147483647")


def _check_text(text: str) -> None:
    # What no database can hold is refused here, where it concerns one caller and not a group.
    if "\0" in text or not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise JournalError(
                f"the id {text!r} cannot be kept: {error}", hint="give the item a readable id"
            ) from None
        if "\0" in text:
            raise JournalError(
                f"the id {text!r} cannot be kept: it holds a NUL character",
                hint="give the item a readable id",
            )
