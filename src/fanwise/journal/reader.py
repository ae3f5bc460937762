"""Reads a run's rows, while it is written or after; in pieces, so that no reader holds up the
writer's log or fills memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from fanwise.errors import CorruptRecord
from fanwise.journal import codec
from fanwise.journal.link import Link
from fanwise.journal.memory import Recalled
from fanwise.journal.schema import SPAN
from fanwise.journal.session import RUN_COLUMNS, counters_of, run_of
from fanwise.records import (
    CallKey,
    CallRecord,
    CallState,
    Counters,
    Event,
    ItemRecord,
    ItemState,
    RunRecord,
    SessionRecord,
)

T = TypeVar("T")

_PIECE = 500
_CALL_COLUMNS = "c.id, i.item_id, c.content_key, c.sample, c.resends, c.intent, o.state, o.record"
_CALL_TABLES = "FROM calls c JOIN items i ON i.id = c.item LEFT JOIN outcomes o ON o.id = c.id"
_ITEM_COLUMNS = "e.id, i.item_id, e.kind, e.position, e.record"
_ITEM_TABLES = "FROM events e JOIN items i ON i.id = e.item"
_RECENT_ITEMS = (
    "FROM items WHERE id > (SELECT indexed_items FROM runs WHERE id = ?) AND id < ?"
    " AND item_id IN :list"
)
_RECENT_REQUEST = (
    "SELECT body FROM requests WHERE id > (SELECT indexed_requests FROM runs WHERE id = ?)"
    " AND id < ? AND content_key = ?"
)
_INDEXED_REQUEST = (
    "SELECT r.body FROM request_keys k JOIN requests r ON r.id = k.request"
    " WHERE k.content_key = ? AND k.run = ?"
)


class SqlReader:
    """A run's rows as records: :class:`fanwise.journal.memory.JournalReader`.

    Args:
        link: A connection of its own.
        run_id: The run.
        live: Says whether some process holds the run's lock now.
    """

    def __init__(self, link: Link, *, run_id: str, live: Callable[[], bool]) -> None:
        self._link = link
        self._run_id = run_id
        self._live = live
        self._number = 0
        self._number = self._row()[0]
        self._base = self._number * SPAN

    def __repr__(self) -> str:
        return f"<SqlReader {self._run_id}>"

    @property
    def run(self) -> RunRecord:
        return run_of(self._row(), live=self._live())

    def counters(self) -> Counters:
        return self._read(lambda: counters_of(self._link, self._number))

    def sessions(self) -> Sequence[SessionRecord]:
        updated_at = self._row()[7]
        rows = self._rows(
            "SELECT id, started_at, ended_at, closed, account FROM sessions"
            " WHERE id > ? AND id < ? ORDER BY id",
            self._base,
            self._base + SPAN,
        )
        found: list[SessionRecord] = []
        for row in rows:
            account: dict[str, Any] = codec.load(row[4]) if row[4] else {}
            session = SessionRecord(
                number=row[0] - self._base,
                started_at=row[1],
                ended_at=updated_at if row is rows[-1] and not row[3] else row[2],
                closed=bool(row[3]),
                limited_by=account.get("limited_by", {}),
                in_flight_s=account.get("in_flight_s", 0.0),
                limit_s=account.get("limit_s", 0.0),
            )
            found.append(session)
        return found

    def items(
        self,
        *,
        state: ItemState | None = None,
        order: Literal["event", "position"] = "event",
        after: int = 0,
    ) -> Iterator[ItemRecord]:
        where = "e.item IS NOT NULL AND e.current = 1"
        kinds: tuple[str, ...] = ()
        if state is not None:
            where, kinds = f"{where} AND e.kind = ?", (f"item.{state}",)
        if order == "position":
            return self._by_position(where, kinds)
        rows = self._pieces(
            f"SELECT {_ITEM_COLUMNS} {_ITEM_TABLES} WHERE {where} AND e.id > ? AND e.id < ?"
            " ORDER BY e.id LIMIT ?",
            kinds,
            after=self._base + after,
        )
        return (self._item(row) for row in rows)

    def _by_position(self, where: str, kinds: Sequence[str]) -> Iterator[ItemRecord]:
        # Keys only, eight bytes each; the records come piece by piece.
        rows = self._link.stream(
            f"SELECT e.id FROM events e WHERE {where} AND e.id > ? AND e.id < ?"  # noqa: S608
            " ORDER BY e.position, e.id",
            *kinds,
            self._base,
            self._base + SPAN,
        )
        keys = self._read(lambda: array("q", (row[0] for row in rows)))
        for start in range(0, len(keys), _PIECE):
            piece = keys[start : start + _PIECE]
            found = {row[0]: row for row in self._listed(_BY_EVENT, piece)}
            for key in piece:
                if key in found:
                    yield self._item(found[key])

    def calls(
        self, *, item_id: str | None = None, state: CallState | None = None
    ) -> Iterator[CallRecord]:
        where = "1 = 1"
        values: list[Any] = []
        if item_id is not None:
            where, values = "c.item = ?", [self._find(item_id)]
        if state == "sending":
            where += " AND (o.id IS NULL OR o.state = 'sending')"
        elif state is not None:
            where += " AND o.state = ?"
            values.append(state)
        rows = self._pieces(
            f"SELECT {_CALL_COLUMNS} {_CALL_TABLES} WHERE {where} AND c.id > ? AND c.id < ?"
            " ORDER BY c.id LIMIT ?",
            values,
            after=self._base,
        )
        return (_call(row) for row in rows)

    def events(self, *, after: int = 0) -> Iterator[Event]:
        rows = self._pieces(
            "SELECT e.id, e.kind, e.at, i.item_id,"
            " CASE WHEN e.item IS NULL THEN e.record ELSE '' END"
            " FROM events e LEFT JOIN items i ON i.id = e.item"
            " WHERE e.id > ? AND e.id < ? ORDER BY e.id LIMIT ?",
            (),
            after=self._base + after,
        )
        return (
            Event(
                number=row[0] - self._base,
                kind=row[1],
                at=row[2],
                item_id=row[3] or "",
                data=codec.load(row[4]) if row[4] else {},
            )
            for row in rows
        )

    def controls(self) -> Iterator[Event]:
        rows = self._pieces(
            "SELECT e.id, e.kind, e.at, e.record FROM events e"
            " WHERE e.id > ? AND e.id < ? AND e.item IS NULL ORDER BY e.id LIMIT ?",
            (),
            after=self._base,
        )
        return (
            Event(number=row[0] - self._base, kind=row[1], at=row[2], data=codec.load(row[3]))
            for row in rows
        )

    def request(self, content_key: str) -> bytes:
        packed = codec.pack_key(content_key)
        rows = self._rows(_RECENT_REQUEST, self._number, self._base + SPAN, packed)
        rows = rows or self._rows(_INDEXED_REQUEST, packed, self._number)
        return bytes(rows[0][0]) if rows else b""

    def close(self) -> None:
        self._link.close()

    def item(self, item_id: str) -> ItemRecord | None:
        """One item's end."""
        rows = self._rows(
            f"SELECT {_ITEM_COLUMNS} {_ITEM_TABLES} WHERE e.item = ? AND e.current = 1",
            self._find(item_id),
        )
        return self._item(rows[0]) if rows else None

    def recall(self, item_ids: Sequence[str]) -> Mapping[str, Recalled]:
        """What is known of these items; see :meth:`fanwise.journal.memory.Journal.recall`."""
        return self._read(lambda: recall(self._link, self._number, item_ids))

    def _find(self, item_id: str) -> int:
        """An item's row; -1, which no row has, where it is unknown."""
        found = self._read(lambda: _numbers(self._link, self._number, [item_id]))
        return next(iter(found), -1)

    def _item(self, row: Sequence[Any]) -> ItemRecord:
        event, item_id, kind, position, record = row
        return codec.load_item(
            item_id,
            state=kind.removeprefix("item."),
            position=position,
            event=event - self._base,
            record=record,
        )

    def _row(self) -> Sequence[Any]:
        rows = self._rows(f"SELECT {RUN_COLUMNS} FROM runs WHERE run_id = ?", self._run_id)  # noqa: S608
        if not rows:
            raise CorruptRecord(
                f"the journal of run {self._run_id} holds no such run",
                hint="the file was renamed or belongs to another program: move it away",
            )
        return rows[0]

    def _pieces(
        self, statement: str, values: Sequence[Any], *, after: int
    ) -> Iterator[Sequence[Any]]:
        while True:
            rows = self._rows(statement, *values, after, self._base + SPAN, _PIECE)
            yield from rows
            if len(rows) < _PIECE:
                return
            after = rows[-1][0]

    def _rows(self, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
        return self._read(lambda: self._link.execute(statement, *values))

    def _listed(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return self._read(lambda: self._link.listed(statement, values))

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except Exception as error:  # whatever the driver raises
            meaning = self._link.judge(error)
            if meaning is None or meaning is error:
                raise
            raise meaning from error


_BY_EVENT = f"SELECT {_ITEM_COLUMNS} {_ITEM_TABLES} WHERE e.id IN :list"


def recall(link: Link, number: int, item_ids: Sequence[str]) -> Mapping[str, Recalled]:
    """What is known of these items, from three statements whatever their number."""
    names = _numbers(link, number, item_ids)
    if not names:
        return {}
    ends = link.gathered(("item", "kind"), "FROM events WHERE item IN :list AND current = 1", names)
    states: dict[int, ItemState] = {item: kind.removeprefix("item.") for item, kind in ends}
    rows = link.gathered(
        (
            "c.item",
            "c.id",
            link.hex("c.content_key"),
            "c.sample",
            "c.resends",
            "c.intent",
            "o.state",
            "o.record",
        ),
        "FROM calls c LEFT JOIN outcomes o ON o.id = c.id WHERE c.item IN :list",
        names,
    )
    calls: dict[int, list[CallRecord]] = {}
    for row in sorted(rows, key=_second):
        found = (row[1], names[row[0]], codec.unpack_hex(row[2]), *row[3:])
        calls.setdefault(row[0], []).append(_record(found))
    return {
        name: Recalled(state=states.get(item), calls=tuple(calls.get(item, ())))
        for item, name in names.items()
    }


def _numbers(link: Link, number: int, item_ids: Sequence[str]) -> dict[int, str]:
    """Rows and names of those of the items that are known."""
    wanted = dict.fromkeys(item_ids)
    if not wanted:
        return {}
    # First those that are not in the index yet: what is entered meanwhile is found there.
    found = [
        *link.gathered(("id", "item_id"), _RECENT_ITEMS, wanted, number, (number + 1) * SPAN),
        *link.gathered(
            ("item", "item_id"),
            "FROM item_names WHERE run = ? AND item_id IN :list",
            wanted,
            number,
        ),
    ]
    return {row[0]: row[1] for row in found}


def _second(row: Sequence[Any]) -> int:
    return row[1]


def _call(row: Sequence[Any]) -> CallRecord:
    return _record((*row[:2], codec.unpack_key(bytes(row[2])), *row[3:]))


def _record(row: Sequence[Any]) -> CallRecord:
    _, item_id, content_key, sample, resends, intent, state, record = row
    return codec.load_call(
        CallKey(item_id, content_key, sample),
        state=state or "sending",
        resends=resends,
        intent=intent,
        record=record or "",
    )
