"""The journal's protocol, beside its simplest implementation: memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from fanwise.clock import Clock, SystemClock
from fanwise.errors import JournalUnavailable, StateError
from fanwise.journal import codec
from fanwise.journal.kept import Kept, MemoryReader
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
    RunSpec,
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

    What a method that writes returns is awaited until its commit is durable, and raises
    :class:`fanwise.errors.JournalUnavailable` where it cannot be: what was handed in is then not
    to be shown. A cancelled caller gives up waiting, never the write. Writes of one journal are
    committed in the order they were handed in.

    Once a commit has failed, every write is refused with the same error until the journal is
    opened anew; what is durable stays readable. Values that have no JSON form are refused with
    :class:`fanwise.errors.JournalError`, which concerns that record alone.
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

    def intend(self, intent: CallIntent) -> Awaitable[None]:
        """A call is about to be sent.

        A call that exists is opened again as ``sending``: what was spent on it (attempts, usage,
        cost) stays, its value and error go; was it ``ambiguous``, its ``resends`` grows by one.
        """
        ...

    def settle(self, record: CallRecord, *, more_follows: bool = False) -> Awaitable[None]:
        """A call has ended. Replaces what the intent wrote; a cached call has had none.

        With ``more_follows``, another write of this item is a moment away: one commit may do both.

        ``record.resends`` is not looked at: the journal counts them itself.
        """
        ...

    def finish_item(self, record: ItemRecord) -> Awaitable[int]:
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
        """Commits what is queued, writes the status, ends the session, releases the lock.

        After a failure it first tries once more to write what could not be written: outcomes that
        were paid for are kept in memory until then. A second call does nothing.

        Raises:
            JournalUnavailable: They could not be written now either. The lock is released.
        """
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

    def controls(self) -> Iterator[Event]:
        """Those of them that are control changes and notices, and no item's end."""
        ...

    def request(self, content_key: str) -> bytes:
        """The stored request of a content key; empty where none was stored."""
        ...

    def close(self) -> None: ...


class MemoryJournal:
    """A journal that lives as long as its process: for tests, simulations and throw-away runs.

    Args:
        spec: What the run is.
        run_id: Its id.
        clock: Time of commits and control events.
        commit_delay_s: Draws how long the next commit takes, in seconds of the event loop; what is
            handed in meanwhile is committed with the next one, as a disk does it. ``None`` commits
            at once.
    """

    def __init__(
        self,
        spec: RunSpec,
        *,
        run_id: str = "memory",
        clock: Clock | None = None,
        commit_delay_s: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        now = self._clock.wall()
        run = RunRecord(
            run_id=run_id, spec=spec, status="running", created_at=now, updated_at=now, live=True
        )
        self._start(Kept(run), commit_delay_s)

    def _start(self, kept: Kept, commit_delay_s: Callable[[], float] | None) -> None:
        self._kept = kept
        self._run = kept.run
        self._resumed = bool(kept.calls or kept.items or kept.events)
        self._delay_s = commit_delay_s
        self._queue: list[tuple[Callable[[], Any], asyncio.Future[Any], bool]] = []
        self._committing = False
        self._error: JournalUnavailable | None = None
        self._closed = False
        for key, call in list(kept.calls.items()):
            if call.state == "sending":
                kept.put_call(replace(kept.calls[key], state="ambiguous"))
        if kept.sessions and not kept.sessions[-1].closed:
            kept.close_session(at=kept.run.updated_at, closed=False)
        now = self._clock.wall()
        kept.run = replace(kept.run, status="running", updated_at=now, live=True)
        number = len(kept.sessions) + 1
        kept.sessions.append(
            SessionRecord(number=number, started_at=now, ended_at=now, closed=False)
        )

    def __repr__(self) -> str:
        return (
            f"<MemoryJournal {self._run.run_id}: {len(self._kept.calls)} calls, "
            f"{len(self._kept.items)} items, {len(self._queue)} writes under way>"
        )

    def crash(self, *, commit_delay_s: Callable[[], float] | None = None) -> MemoryJournal:
        """The journal as a process finds it after this one died: durable records, no others.

        This one goes on unharmed, apart from it.
        """
        after = MemoryJournal.__new__(MemoryJournal)
        after._clock = self._clock  # noqa: SLF001  (its own class)
        after._start(self._kept.copy(), commit_delay_s)  # noqa: SLF001
        return after

    def reopen(self, *, commit_delay_s: Callable[[], float] | None = None) -> MemoryJournal:
        """The run's next session, as :meth:`crash`; for a journal that was closed."""
        return self.crash(commit_delay_s=commit_delay_s)

    def fail(self, cause: str) -> None:
        """From now on nothing can be written, as if the disk were full; :meth:`heal` ends it."""
        self._error = JournalUnavailable(
            f"the journal of run {self._run.run_id} cannot be written: {cause}",
            hint="what was durable stays so; mend the cause and resume the run",
        )

    def heal(self) -> None:
        """Writing would work again: :meth:`close` will succeed."""
        self._error = None

    def reader(self) -> MemoryReader:
        """Reads what is durable."""
        return MemoryReader(self._kept)

    @property
    def run(self) -> RunRecord:
        return self._run

    @property
    def resumed(self) -> bool:
        return self._resumed

    @property
    def counters(self) -> Counters:
        return self._kept.tally.counters()

    async def recall(self, item_ids: Sequence[str]) -> Mapping[str, Recalled]:
        wanted = set(item_ids)
        calls: dict[str, list[CallRecord]] = {}
        for key, call in self._kept.calls.items():
            if key.item_id in wanted:
                calls.setdefault(key.item_id, []).append(call)
        found: dict[str, Recalled] = {}
        for item_id in wanted:
            ended = self._kept.items.get(item_id)
            if ended is not None or item_id in calls:
                state = None if ended is None else ended.state
                found[item_id] = Recalled(state=state, calls=tuple(calls.get(item_id, ())))
        return found

    async def intend(self, intent: CallIntent) -> None:
        codec.dump_intent(intent)
        await self._write(lambda: self._kept.intend(intent), keep=False)

    async def settle(self, record: CallRecord, *, more_follows: bool = False) -> None:
        codec.dump_call(record)
        await self._write(lambda: self._kept.settle(record))

    async def finish_item(self, record: ItemRecord) -> int:
        codec.dump_item(record)
        return await self._write(lambda: self._kept.finish_item(record))

    async def control(self, kind: str, data: Mapping[str, Json]) -> int:
        codec.dump(data)
        event = Event(number=0, kind=kind, at=self._clock.wall(), data=dict(data))
        return await self._write(lambda: self._kept.event(event))

    async def item(self, item_id: str) -> ItemRecord | None:
        return self._kept.items.get(item_id)

    async def checkpoint(
        self, *, limited_by: Mapping[Cause, float], in_flight_s: float, limit_s: float
    ) -> None:
        account = {
            "limited_by": dict(limited_by),
            "in_flight_s": in_flight_s,
            "limit_s": limit_s,
        }

        def write() -> None:
            self._kept.sessions[-1] = replace(self._kept.sessions[-1], **account)

        await self._write(write)

    async def close(self, status: RunStatus) -> None:
        if self._closed:
            return
        self._closed = True

        def write() -> None:
            now = self._clock.wall()
            self._kept.run = replace(self._kept.run, status=status, updated_at=now, live=False)
            self._kept.close_session(at=now, closed=True)

        await self._hand_in(write, keep=True)

    async def _write(self, write: Callable[[], Any], *, keep: bool = True) -> Any:
        if self._closed:
            raise StateError("the journal is closed", hint="open the run again to write to it")
        if self._error is not None and not keep:
            raise self._error
        return await self._hand_in(write, keep=keep)

    async def _hand_in(self, write: Callable[[], Any], *, keep: bool) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.append((write, future, keep))
        if self._delay_s is None:
            self._commit(len(self._queue))
        elif not self._committing:
            self._begin(loop, self._delay_s)
        return await future

    def _begin(self, loop: asyncio.AbstractEventLoop, delay_s: Callable[[], float]) -> None:
        self._committing = True
        count = len(self._queue)

        def end() -> None:
            self._committing = False
            self._commit(count)
            if self._queue and self._error is None:
                self._begin(loop, delay_s)

        loop.call_later(delay_s(), end)

    def _commit(self, count: int) -> None:
        if self._error is not None:
            for _, future, _ in self._queue:
                if not future.done():
                    future.set_exception(self._error)
            self._queue = [entry for entry in self._queue if entry[2]]
            return
        done, self._queue = self._queue[:count], self._queue[count:]
        for write, future, _ in done:
            result = write()
            if not future.done():
                future.set_result(result)
        self._kept.run = replace(self._kept.run, updated_at=self._clock.wall())
