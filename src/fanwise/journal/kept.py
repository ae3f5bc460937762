"""A run's durable records in memory: the reference for what a database must hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from fanwise.journal.tally import Tally
from fanwise.records import (
    CallIntent,
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


class Kept:
    """What a run has made durable, and what each write does to it."""

    def __init__(self, run: RunRecord) -> None:
        self.run = run
        self.tally = Tally()
        self.calls: dict[CallKey, CallRecord] = {}
        self.items: dict[str, ItemRecord] = {}
        self.events: list[Event] = []
        self.requests: dict[str, bytes] = {}
        self.sessions: list[SessionRecord] = []

    def copy(self) -> Kept:
        twin = Kept(self.run)
        twin.tally = self.tally.copy()
        twin.calls, twin.items = dict(self.calls), dict(self.items)
        twin.events, twin.sessions = list(self.events), list(self.sessions)
        twin.requests = dict(self.requests)
        return twin

    def put_call(self, record: CallRecord) -> None:
        old = self.calls.get(record.key)
        if old is None:
            self.tally.calls += 1
        else:
            self.tally.end(old, old.state, sign=-1)
        self.tally.ambiguous += record.resends - (old.resends if old else 0)
        self.tally.end(record, record.state)
        self.calls[record.key] = record

    def intend(self, intent: CallIntent) -> None:
        old = self.calls.get(intent.key)
        fresh = CallRecord(
            key=intent.key,
            state="sending",
            model=intent.model,
            label=intent.label,
            started_at=intent.started_at,
        )
        if old is not None:
            fresh = replace(
                fresh,
                attempts=old.attempts,
                usage=old.usage,
                cost_usd=old.cost_usd,
                resends=old.resends + (old.state == "ambiguous"),
            )
        self.put_call(fresh)
        if intent.request:
            self.requests.setdefault(intent.key.content_key, intent.request)

    def settle(self, record: CallRecord) -> None:
        old = self.calls.get(record.key)
        self.put_call(replace(record, resends=old.resends if old else 0))

    def event(self, event: Event) -> int:
        self.events.append(replace(event, number=len(self.events) + 1))
        return len(self.events)

    def finish_item(self, record: ItemRecord) -> int:
        old = self.items.pop(record.item_id, None)
        if old is not None:
            self.tally.item(old.state, cached=old.cached, sign=-1)
        self.tally.item(record.state, cached=record.cached)
        number = self.event(
            Event(
                number=0,
                kind=f"item.{record.state}",
                at=record.ended_at,
                item_id=record.item_id,
            )
        )
        self.items[record.item_id] = replace(record, event=number)
        return number

    def close_session(self, *, at: float, closed: bool) -> None:
        self.sessions[-1] = replace(self.sessions[-1], ended_at=at, closed=closed)


class MemoryReader:
    """Reads a :class:`MemoryJournal` as it stands at each call."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    @property
    def run(self) -> RunRecord:
        return self._kept.run

    def counters(self) -> Counters:
        return self._kept.tally.counters()

    def sessions(self) -> Sequence[SessionRecord]:
        found = list(self._kept.sessions)
        if found and not found[-1].closed:
            found[-1] = replace(found[-1], ended_at=self._kept.run.updated_at)
        return found

    def items(
        self,
        *,
        state: ItemState | None = None,
        order: Literal["event", "position"] = "event",
        after: int = 0,
    ) -> Iterator[ItemRecord]:
        found = [item for item in self._kept.items.values() if state in (None, item.state)]
        if order == "position":
            return iter(sorted(found, key=lambda item: (item.position, item.event)))
        return iter([item for item in found if item.event > after])

    def calls(
        self, *, item_id: str | None = None, state: CallState | None = None
    ) -> Iterator[CallRecord]:
        return iter(
            [
                call
                for call in self._kept.calls.values()
                if item_id in (None, call.key.item_id) and state in (None, call.state)
            ]
        )

    def events(self, *, after: int = 0) -> Iterator[Event]:
        return iter(self._kept.events[after:])

    def controls(self) -> Iterator[Event]:
        return (event for event in self._kept.events if not event.item_id)

    def request(self, content_key: str) -> bytes:
        return self._kept.requests.get(content_key, b"")

    def close(self) -> None:
        """Nothing to close."""
