"""Turns groups of writes into transactions, in the writer's thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from fanwise.clock import Clock
from fanwise.errors import Conflict, JournalError, JournalUnavailable
from fanwise.journal import codec, schema
from fanwise.journal.ledger import Close, FoundCall, FoundEnd, Intend, Rows, Write
from fanwise.journal.link import Link
from fanwise.journal.session import Session, load_ledger
from fanwise.journal.writer import Entry
from fanwise.records import Counters

_INDEX_AT_ONCE = 8192


class Committer:
    """Turns groups of writes into transactions; lives in the writer's thread.

    A group is durable as a whole or not at all. Where the values of one record are refused, the
    others are written without it. Where the database fails, the group is not acknowledged, nothing
    is written any more, and what was paid for (all but intents) is kept for :class:`Close`, which
    tries once more.

    Args:
        link: The writing connection; taken over.
        session: What was opened.
        clock: Time of commits.
        let_go: Closes the connection and gives the lock back; called once, with the status that
            was written, ``None`` where none could be.
    """

    def __init__(
        self,
        link: Link,
        session: Session,
        *,
        clock: Clock,
        let_go: Callable[[str | None], None],
    ) -> None:
        self._link = link
        self._session = session
        self._clock = clock
        self._let_go: Callable[[str | None], None] | None = let_go
        self._lookup = _Lookup(link, session.number)
        self._ledger = load_ledger(link, number=session.number)
        self._tally = self._ledger.tally.copy()
        self._broken: JournalError | None = None
        self._unwritten: list[Write] = []
        self._status: str | None = None

    def counters(self) -> Counters:
        """Totals as of the last durable commit. From any thread."""
        return self._tally.counters()

    def raise_if_broken(self) -> None:
        """Raises the error that stopped the journal, if one did. From any thread."""
        if self._broken is not None:
            raise self._broken

    def give_back(self) -> None:
        """Closes the connection and releases the lock; a second call does nothing."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go(self._status)

    def commit(self, group: Sequence[Entry[Write]]) -> None:
        """Writes a group in one transaction; see :class:`GroupWriter`."""
        if isinstance(group[-1].work, Close) and self._broken is not None:
            self._try_again(group)
        elif self._broken is not None:
            self._refuse(group)
        else:
            self._commit(group)
        if isinstance(group[-1].work, Close):
            self.give_back()

    def _commit(self, group: Sequence[Entry[Write]]) -> None:
        try:
            results = self._transact([entry.work for entry in group])
        except Exception as error:  # noqa: BLE001  (whatever the driver raises, judged below)
            meaning = self._give_up(error)
            if meaning is not None:
                self._broken = _as_journal_error(meaning, error)
                self._refuse(group)
            elif len(group) > 1:
                for entry in group:
                    self._commit([entry]) if self._broken is None else self._refuse([entry])
            else:
                group[0].error = JournalError(
                    f"the database refuses a record: {error}",
                    hint="look at its id and values; the other records are not affected",
                )
        else:
            for entry, result in zip(group, results, strict=True):
                entry.result = result

    def _give_up(self, error: Exception) -> Exception | None:
        """Undoes the transaction. ``None`` where the values of one record were the reason."""
        meaning = self._link.judge(error)
        try:
            self._link.rollback()
            self._ledger = load_ledger(self._link, number=self._session.number)
        except Exception as second:  # noqa: BLE001  (the connection itself is gone)
            meaning = meaning or self._link.judge(second) or second
        return meaning

    def _refuse(self, group: Sequence[Entry[Write]]) -> None:
        for entry in group:
            entry.error = self._broken
            if not isinstance(entry.work, Intend | Close):
                self._unwritten.append(entry.work)

    def _try_again(self, group: Sequence[Entry[Write]]) -> None:
        self._refuse(group[:-1])
        broken, self._broken = self._broken, None
        late = [Entry(write, group[-1].future) for write in self._unwritten]
        self._unwritten = []
        self._commit([*late, group[-1]])
        if self._broken is not None:
            self._broken = broken

    def _transact(self, writes: Sequence[Write]) -> Sequence[Any]:
        link, session = self._link, self._session
        link.begin()
        rows, results = self._ledger.apply(writes, self._lookup)
        _insert(link, rows)
        now = self._clock.wall()
        if rows.account is not None:
            link.update("UPDATE sessions SET account = ? WHERE id = ?", rows.account, session.row)
        self._index(least=1 if rows.status is not None else _INDEX_AT_ONCE)
        ledger = self._ledger
        changed = link.update(
            "UPDATE runs SET counters = ?, open_from = ?, indexed_items = ?, indexed_requests = ?,"
            " updated_at = ? WHERE id = ? AND token = ?",
            codec.dump(ledger.tally.document()),
            ledger.open.lowest(ledger.next_call),
            ledger.indexed_items,
            ledger.indexed_requests,
            now,
            session.number,
            session.token,
        )
        if changed != 1:
            raise _Overtaken(session.run.run_id)
        if rows.status is not None:
            self._end(rows.status, now)
        link.commit()
        self._tally = ledger.tally.copy()
        self._status = rows.status
        return results

    def _index(self, *, least: int) -> None:
        items = self._ledger.index_items(least=least)
        if items is not None:
            self._link.update(
                "INSERT INTO item_names (item_id, run, item) SELECT item_id, run, id FROM items"
                " WHERE id > ? AND id <= ? ORDER BY item_id",
                *items,
            )
        requests = self._ledger.index_requests(least=least)
        if requests is not None:
            self._link.update(
                "INSERT INTO request_keys (content_key, run, request)"
                " SELECT content_key, run, id FROM requests WHERE id > ? AND id <= ?"
                " ORDER BY content_key",
                *requests,
            )

    def _end(self, status: str, now: float) -> None:
        session = self._session
        self._link.update("UPDATE runs SET status = ? WHERE id = ?", status, session.number)
        self._link.update(
            "UPDATE sessions SET closed = 1, ended_at = ? WHERE id = ?", now, session.row
        )


class _Overtaken(Exception):
    """The fencing token is not ours any more."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} was taken over by another process")


def _as_journal_error(meaning: Exception, cause: Exception) -> JournalError:
    if isinstance(meaning, _Overtaken):
        error: JournalError = Conflict(
            str(meaning), hint="this process must not go on with it; watch the run instead"
        )
    elif isinstance(meaning, JournalError):
        error = meaning
    else:
        error = JournalUnavailable(
            f"the journal failed: {type(meaning).__name__}: {meaning}",
            hint="what was durable stays so; resume the run",
        )
    error.__cause__ = cause
    return error


def _insert(link: Link, rows: Rows) -> None:
    if rows.items:
        link.insert(schema.items, rows.items)
    if rows.calls:
        link.insert(schema.calls, list(rows.calls.values()))
    if rows.requests:
        link.insert(schema.requests, rows.requests)
    if rows.outcomes:
        link.insert(schema.outcomes, list(rows.outcomes.values()))
    if rows.events:
        link.insert(schema.events, rows.events)
    if rows.superseded:
        link.listed("UPDATE events SET current = 0 WHERE id IN :list", rows.superseded)


class _Lookup:
    """Answers a ledger's questions from the rows, inside the transaction."""

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self._number = number

    def items(self, names: Collection[str]) -> Sequence[tuple[str, int]]:
        rows = self._link.listed(
            "SELECT item_id, item FROM item_names WHERE run = ? AND item_id IN :list",
            names,
            self._number,
        )
        return [(row[0], row[1]) for row in rows]

    def calls(self, items: Collection[int]) -> Sequence[FoundCall]:
        rows = self._link.listed(
            "SELECT c.item, c.content_key, c.sample, c.id, c.resends, o.state, o.record"
            " FROM calls c LEFT JOIN outcomes o ON o.id = c.id WHERE c.item IN :list",
            items,
        )
        return [
            FoundCall(
                row[0],
                codec.unpack_key(bytes(row[1])),
                row[2],
                row[3],
                row[4],
                row[5] or "sending",
                row[6] or "",
            )
            for row in rows
        ]

    def requests(self, content_keys: Collection[str]) -> Collection[str]:
        rows = self._link.listed(
            "SELECT content_key FROM request_keys WHERE run = ? AND content_key IN :list",
            [codec.pack_key(content_key) for content_key in content_keys],
            self._number,
        )
        return [codec.unpack_key(bytes(row[0])) for row in rows]

    def ends(self, items: Collection[int]) -> Sequence[FoundEnd]:
        rows = self._link.listed(
            "SELECT item, id, kind, record FROM events WHERE item IN :list AND current = 1", items
        )
        return [
            FoundEnd(
                row[0],
                row[1],
                row[2].removeprefix("item."),
                codec.load(row[3]).get("cached", False),
            )
            for row in rows
        ]
