"""How a group of writes becomes rows: what is new, what replaces what, and what it all adds up to.

No SQL and no waiting here. What the rows of earlier groups say is asked of a :class:`Lookup`.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from fanwise.journal import codec
from fanwise.journal.tally import Tally
from fanwise.records import CallKey, CallRecord, CallState, ItemRecord, ItemState

Reference: TypeAlias = tuple[str, int]  # content key and sample: a call within its item

_MOST_KNOWN = 4096


# what is handed in


class Intend(NamedTuple):
    """A call is about to be sent."""

    item_id: str
    key: CallKey
    intent: str
    request: bytes


class Settle(NamedTuple):
    """A call has ended."""

    item_id: str
    call: CallRecord
    record: str


class Finish(NamedTuple):
    """An item has ended."""

    item_id: str
    item: ItemRecord
    record: str


class Note(NamedTuple):
    """A control event."""

    item_id = None
    kind: str
    at: float
    record: str


class Account(NamedTuple):
    """The session's account of time."""

    item_id = None
    document: str


class Close(NamedTuple):
    """The session ends; nothing comes after it."""

    item_id = None
    status: str


Write: TypeAlias = Intend | Settle | Finish | Note | Account | Close


# what is looked up


class FoundCall(NamedTuple):
    """A call as its rows have it; no outcome means ``sending`` and an empty record."""

    item: int
    content_key: str
    sample: int
    call: int
    resends: int
    state: CallState
    record: str


class FoundEnd(NamedTuple):
    """An item's end in force."""

    item: int
    event: int
    state: ItemState
    cached: bool


class Lookup(Protocol):
    """Asks the rows that earlier groups wrote."""

    def items(self, names: Collection[str]) -> Sequence[tuple[str, int]]:
        """Names and row ids of those that are known and indexed."""
        ...

    def calls(self, items: Collection[int]) -> Sequence[FoundCall]:
        """All calls of these items."""
        ...

    def ends(self, items: Collection[int]) -> Sequence[FoundEnd]:
        """The ends in force of these items."""
        ...

    def requests(self, content_keys: Collection[str]) -> Collection[str]:
        """Those of the content keys whose request is stored and indexed."""
        ...


# what is written


@dataclass(slots=True)
class Rows:
    """The rows of one group, in the order of the tables' columns."""

    items: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    calls: dict[int, tuple[Any, ...]] = field(default_factory=dict[int, tuple[Any, ...]])
    outcomes: dict[int, tuple[Any, ...]] = field(default_factory=dict[int, tuple[Any, ...]])
    requests: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    events: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    superseded: list[int] = field(default_factory=list[int])
    account: str | None = None
    status: str | None = None


class _Call:
    __slots__ = ("id", "record", "resends", "state")

    def __init__(self, number: int, resends: int, state: CallState, record: str) -> None:
        self.id = number
        self.resends = resends
        self.state: CallState = state
        self.record = record


class _Item:
    __slots__ = ("calls", "end", "ended", "id")

    def __init__(self, number: int) -> None:
        self.id = number
        self.calls: dict[Reference, _Call] = {}
        self.end: FoundEnd | None = None
        self.ended = False


class OpenCalls:
    """Which calls have an intent and no outcome, and the lowest of them."""

    __slots__ = ("_heap", "_ids")

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._heap: list[int] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, call: int) -> None:
        """The call is open; may be told twice."""
        if call not in self._ids:
            self._ids.add(call)
            heapq.heappush(self._heap, call)

    def discard(self, call: int) -> None:
        """The call is not open any more; may be told twice."""
        self._ids.discard(call)

    def lowest(self, otherwise: int) -> int:
        """The lowest open call; ``otherwise`` where none is open."""
        while self._heap and self._heap[0] not in self._ids:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else otherwise


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What the one writer of a run knows of its rows without asking.

    Args:
        run: The run's number: 0 in a file of its own.
        base: Keys of this run are above it.
        tally: The run's totals.
        next_item, next_call, next_request, next_event: The keys to be given next.
        indexed_items, indexed_requests: The last keys whose names are in the index.
        recent_items, recent_requests: The names behind those.
    """

    run: int
    base: int
    tally: Tally
    next_item: int
    next_call: int
    next_request: int
    next_event: int
    indexed_items: int
    indexed_requests: int
    recent_items: dict[str, int] = field(default_factory=dict[str, int])
    recent_requests: set[str] = field(default_factory=set[str])
    open: OpenCalls = field(default_factory=OpenCalls)
    _known: dict[str, _Item] = field(default_factory=dict[str, _Item])
    _stored: frozenset[str] = frozenset()

    def apply(self, writes: Sequence[Write], lookup: Lookup) -> tuple[Rows, list[Any]]:
        """The rows that a group of writes makes, and each write's result.

        The ledger is then ahead of the database until the rows are committed; where they are not,
        it must be thrown away.
        """
        rows = Rows()
        names = dict.fromkeys([write.item_id for write in writes if write.item_id is not None])
        self._meet(names, rows, lookup)
        self._meet_requests(writes, lookup)
        results: list[Any] = []
        for write in writes:
            result = None
            kind = type(write)
            if kind is Intend:
                self._intend(cast("Intend", write), rows)
            elif kind is Settle:
                self._settle(cast("Settle", write), rows)
            elif kind is Finish:
                result = self._finish(cast("Finish", write), rows)
            else:
                result = self._other(write, rows)
            results.append(result)
        self._forget(names)
        return rows, results

    def _other(self, write: Write, rows: Rows) -> int | None:
        if isinstance(write, Note):
            row = (self.next_event, write.kind, write.at, None, None, 1, write.record)
            return self._event(row, rows)
        if isinstance(write, Account):
            rows.account = write.document
        elif isinstance(write, Close):
            rows.status = write.status
        return None

    def index_items(self, *, least: int) -> tuple[int, int] | None:
        """The keys whose names are to be entered into the index now: after the first, up to and
        with the second. ``None`` where there are fewer than ``least``.
        """
        first, last = self.indexed_items, self.next_item - 1
        if last - first < least:
            return None
        self.indexed_items = last
        self.recent_items.clear()
        return first, last

    def index_requests(self, *, least: int) -> tuple[int, int] | None:
        """As :meth:`index_items`, for the keys of requests."""
        first, last = self.indexed_requests, self.next_request - 1
        if last - first < least:
            return None
        self.indexed_requests = last
        self.recent_requests.clear()
        return first, last

    def _meet(self, names: Collection[str], rows: Rows, lookup: Lookup) -> None:
        strange = [name for name in names if name not in self._known]
        if not strange:
            return
        recent = self.recent_items
        found = {name: recent[name] for name in strange if name in recent}
        older = [name for name in strange if name not in found] if found else strange
        if older and self.indexed_items > self.base:
            found.update(lookup.items(older))
        for name in strange:
            number = found.get(name)
            if number is None:
                number = recent[name] = self.next_item
                self.next_item += 1
                rows.items.append((number, self.run, name))
            self._known[name] = _Item(number)
        if found:
            by_number = {number: self._known[name] for name, number in found.items()}
            for call in lookup.calls(by_number):
                by_number[call.item].calls[call.content_key, call.sample] = _Call(
                    call.call, call.resends, call.state, call.record
                )
            for end in lookup.ends(by_number):
                by_number[end.item].end = end

    def _meet_requests(self, writes: Sequence[Write], lookup: Lookup) -> None:
        if self.indexed_requests == self.base:
            self._stored = frozenset()
            return
        recent = self.recent_requests
        strange = {
            write.key.content_key for write in writes if isinstance(write, Intend) and write.request
        }.difference(recent)
        self._stored = frozenset(lookup.requests(strange)) if strange else frozenset()

    def _intend(self, write: Intend, rows: Rows) -> None:
        item_id, key, intent, request = write
        item = self._known[item_id]
        item.ended = False
        name = key.content_key
        call = item.calls.get((name, key.sample))
        if call is None:
            call = self._new_call(item, key)
        else:
            self._reopen(key, call, rows)
        number = call.id
        self.open.add(number)
        packed = codec.pack_key(name)
        rows.calls[number] = (number, item.id, packed, key.sample, call.resends, intent)
        if request and name not in self.recent_requests and name not in self._stored:
            rows.requests.append((self.next_request, self.run, packed, request))
            self.next_request += 1
            self.recent_requests.add(name)

    def _reopen(self, key: CallKey, call: _Call, rows: Rows) -> None:
        if call.state == "ambiguous":
            call.resends += 1
            self.tally.ambiguous += 1
        if call.record or call.state != "sending":
            old = _load(key, call)
            self.tally.end(old, call.state, sign=-1)
            call.state, call.record = "sending", codec.dump_spent(old)
            self.tally.end(_load(key, call), call.state)
            rows.outcomes[call.id] = (call.id, call.state, call.record)

    def _settle(self, write: Settle, rows: Rows) -> None:
        record = write.call
        key = record.key
        item = self._known[key.item_id]
        item.ended = False
        call = item.calls.get((key.content_key, key.sample))
        if call is None:
            call = self._new_call(item, key)
            packed = codec.pack_key(key.content_key)
            rows.calls[call.id] = (call.id, item.id, packed, key.sample, 0, "")
        elif call.record or call.state != "sending":
            self.tally.end(_load(key, call), call.state, sign=-1)
        call.state, call.record = record.state, write.record
        self.tally.end(record, record.state)
        if record.state == "sending":
            self.open.add(call.id)
        else:
            self.open.discard(call.id)
        rows.outcomes[call.id] = (call.id, record.state, write.record)

    def _new_call(self, item: _Item, key: CallKey) -> _Call:
        call = item.calls[key.content_key, key.sample] = _Call(self.next_call, 0, "sending", "")
        self.next_call += 1
        self.tally.calls += 1
        return call

    def _finish(self, write: Finish, rows: Rows) -> int:
        record = write.item
        item = self._known[record.item_id]
        if item.end is not None:
            self.tally.item(item.end.state, cached=item.end.cached, sign=-1)
            rows.superseded.append(item.end.event)
        self.tally.item(record.state, cached=record.cached)
        item.end = FoundEnd(item.id, self.next_event, record.state, record.cached)
        item.ended = True
        kind = f"item.{record.state}"
        place = record.position
        row = (self.next_event, kind, record.ended_at, item.id, place, 1, write.record)
        return self._event(row, rows)

    def _event(self, row: tuple[Any, ...], rows: Rows) -> int:
        rows.events.append(row)
        self.next_event += 1
        return self.next_event - 1 - self.base

    def _forget(self, names: Collection[str]) -> None:
        """Drops those of the items that have ended, and the oldest where too many never do."""
        for name in names:
            item = self._known.get(name)
            if item is not None and item.ended:
                del self._known[name]
        while len(self._known) > _MOST_KNOWN:
            self._known.pop(next(iter(self._known)))


def _load(key: CallKey, call: _Call) -> CallRecord:
    return codec.load_call(
        key, state=call.state, resends=call.resends, intent="", record=call.record
    )
