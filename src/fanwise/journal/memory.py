"""The journal's protocol, beside its simplest implementation: memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from fanwise.records import (
    CallIntent,
    CallRecord,
    CallState,
    Cause,
    Counters,
    Event,
    ItemRecord,
    ItemState,
    Json,
    RunRecord,
    RunStatus,
    SessionRecord,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What a resumed run already knows of one item: its end, if it had one, and its calls."""

    state: ItemState | None
    calls: Sequence[CallRecord] = ()


class Journal(Protocol):
    """The one writer of one run.

    Every method that writes returns after its commit is durable, and raises
    :class:`fanwise.errors.JournalUnavailable` where it cannot be: what was handed in is then not
    to be shown. A cancelled caller gives up waiting, never the write. Writes of one journal are
    committed in the order they were handed in.
    """

    @property
    def run(self) -> RunRecord:
        """The run as it was when it was opened."""
        ...

    @property
    def resumed(self) -> bool:
        """Whether the run held work before this session opened it."""
        ...

    @property
    def counters(self) -> Counters:
        """Totals as of the last durable commit, earlier sessions included."""
        ...

    async def recall(self, item_ids: Sequence[str]) -> Mapping[str, Recalled]:
        """What is known of these items (at most 500 ids); unknown ids are left out.

        Calls left ``sending`` by a dead session come back as ``ambiguous``.
        """
        ...

    async def intend(self, intent: CallIntent) -> None:
        """A call is about to be sent. Of a call that exists, it reopens it as ``sending``; was it
        ``ambiguous``, its ``resends`` grows by one.
        """
        ...

    async def settle(self, record: CallRecord) -> None:
        """A call has ended. Replaces what the intent wrote; a cached call has had none."""
        ...

    async def finish_item(self, record: ItemRecord) -> int:
        """An item has ended; returns the number of its durable event. Replaces an earlier end."""
        ...

    async def control(self, kind: str, data: Mapping[str, Json]) -> int:
        """A control change or notice (``limit.changed``, ``drain``); returns its event's number."""
        ...

    async def item(self, item_id: str) -> ItemRecord | None:
        """An item's end, read back."""
        ...

    async def checkpoint(
        self, *, limited_by: Mapping[Cause, float], in_flight_s: float, limit_s: float
    ) -> None:
        """Keeps the session's account of time, so that a crash loses little of it."""
        ...

    async def close(self, status: RunStatus) -> None:
        """Commits what is queued, writes the status, ends the session, releases the lock."""
        ...


class JournalReader(Protocol):
    """Reads one run while it may be written by another process. Synchronous; streams."""

    @property
    def run(self) -> RunRecord: ...

    def counters(self) -> Counters: ...

    def sessions(self) -> Sequence[SessionRecord]: ...

    def items(
        self,
        *,
        state: ItemState | None = None,
        order: Literal["event", "position"] = "event",
        after: int = 0,
    ) -> Iterator[ItemRecord]:
        """Ended items; ``after`` skips those up to that event number (order ``event``)."""
        ...

    def calls(
        self, *, item_id: str | None = None, state: CallState | None = None
    ) -> Iterator[CallRecord]:
        """Calls in order of their intents, ``attempts`` included."""
        ...

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Durable events with a number above ``after``."""
        ...

    def request(self, content_key: str) -> bytes:
        """The stored request of a content key; empty where none was stored."""
        ...

    def close(self) -> None: ...
