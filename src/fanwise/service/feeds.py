"""Events of a run for any number of watchers: its journal is read once for all of them.

A watcher has a place in the stream and asks for what follows; nothing is queued for it. One that
stops reading therefore costs nothing, and one that comes back goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from fanwise.clock import Clock
from fanwise.ending import end_all
from fanwise.errors import ConfigError, JournalError
from fanwise.service.problems import NotFound
from fanwise.service.series import Series
from fanwise.service.views import Views, plain, snapshot_json

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader
    from fanwise.records import Event
    from fanwise.service.supervisor import Supervisor

PERIOD_S = 0.25
"""Between two looks at a run, in seconds: watchers get at most four updates a second."""

_KEPT = 2000
_PIECE = 500
FAR_BEHIND = 10_000
"""A watcher so many events behind gets a snapshot and its number instead of all of them."""

_LINGER_S = 5.0
_SERIES_PIECE = 5000


@dataclass(frozen=True, slots=True)
class Told:
    """One durable event, encoded once."""

    number: int
    kind: str
    data: bytes


class Feed:
    """The events of one run as they become durable, and its figures four times a second.

    Args:
        run_id: The run.
        home: Where it is.
        views: Reads it in threads.
        supervisor: What is under way here.
        clock: Time.
    """

    def __init__(
        self, run_id: str, *, home: Home, views: Views, supervisor: Supervisor, clock: Clock
    ) -> None:
        self.run_id = run_id
        self._home = home
        self._views = views
        self._supervisor = supervisor
        self._clock = clock
        self._ring: deque[Told] = deque(maxlen=_KEPT)
        self._last = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reader: JournalReader | None = None
        self._watcher: Any = None
        self._series: Series | None = None
        self._series_at = 0
        self.caught_up = False
        self._encoded: tuple[int, int, bytes] = (-1, -1, b"")
        self._framed: tuple[int, int, str] = (-1, -1, "")
        self.watchers = 0
        self.idle_since = 0.0
        self.version = 0
        self.snapshot: bytes = b"null"
        self.parts: Sequence[bytes] = ()
        self.ended = False

    def __repr__(self) -> str:
        return f"<Feed {self.run_id}: at {self._last}, {self.watchers} watching>"

    async def series(self) -> Mapping[str, Any] | None:
        """The run's figures over time; ``None`` of a run that has not begun.

        Of a run that ended unwatched, calls in flight are read from its calls.
        """
        series = self._series
        if series is None:
            return None
        if self.ended and self.caught_up and not series.looked_at:
            report = await self._views.report(self.run_id)
            if not report.seams:
                series.in_flight(report.timeline)
        return series.as_json()

    @property
    def last(self) -> int:
        """The number of the newest event that was read."""
        return self._last

    async def start(self) -> None:
        """Begins to read.

        Raises:
            NotFound: There is no such run.
        """
        await self._look()
        self._task = asyncio.create_task(self._looking(), name=f"feed {self.run_id}")

    async def stop(self) -> None:
        """Ends the reading; watchers are told that it has ended."""
        if self._task is not None:
            await end_all([self._task])
        if self._reader is not None:
            await self._views.in_thread(self._reader.close)
            self._reader = None
        self.ended = True
        self._tell()

    async def changed(self, version: int) -> None:
        """Waits until there is more than a version had."""
        while self.version == version and not self.ended:
            await self._changed.wait()

    async def since(self, number: int) -> Sequence[Told]:
        """Events after a number, at most 500 of them; from the journal where it is long ago."""
        if number >= self._last:
            return ()
        if self._ring and self._ring[0].number <= number + 1:
            skipped = number + 1 - self._ring[0].number
            return list(islice(self._ring, skipped, skipped + _PIECE))
        return await self._views.reading(
            self.run_id,
            lambda reader: [told(one) for one in islice(reader.events(after=number), _PIECE)],
        )

    def encoded(self, events: Sequence[Told]) -> bytes:
        """Events as an event stream writes them; made once for all watchers of one place."""
        ends = (events[0].number, events[-1].number)
        if self._encoded[:2] != ends:
            self._encoded = (*ends, b"".join(sse(one.kind, one.data, one.number) for one in events))
        return self._encoded[2]

    def framed(self, events: Sequence[Told]) -> str:
        """Events as one message of a WebSocket; made once for all watchers of one place."""
        ends = (events[0].number, events[-1].number)
        if self._framed[:2] != ends:
            joined = b",".join(one.data for one in events)
            self._framed = (*ends, f'{{"type":"events","events":[{joined.decode()}]}}')
        return self._framed[2]

    def _tell(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _looking(self) -> None:
        while not self.ended:
            await asyncio.sleep(PERIOD_S)
            try:
                with contextlib.suppress(JournalError):
                    await self._look()
            except NotFound:  # it has failed, or was withdrawn, before it began
                self.ended = True
                self._tell()

    async def _look(self) -> None:
        active = self._supervisor.active(self.run_id)
        run = None if active is None else active.run
        fresh, seen, live, more = await self._views.in_thread(
            lambda: self._read(own=run is not None)
        )
        self._ring.extend(fresh)
        if fresh:
            self._last = fresh[-1].number
        shown = run.snapshot() if run is not None else seen
        if shown is not None and self._series is not None and (live or active is not None):
            self._series.seen(shown, at=self._clock.wall())
        snapshot: bytes = b"null" if shown is None else orjson.dumps(snapshot_json(shown))
        ended = active is None and not (live or more)
        moved = bool(fresh) or snapshot != self.snapshot or ended != self.ended
        if active is not None and len(active.events) and active.events_seen:
            parts = [
                orjson.dumps(
                    {
                        "number": active.events_seen - len(active.events) + place + 1,
                        "kind": event.kind,
                        "message": event.message,
                        "subject": event.subject,
                        "percent": event.percent,
                        "data": plain(event.data),
                    }
                )
                for place, event in enumerate(active.events)
            ]
            moved = moved or len(parts) != len(self.parts) or parts[-1:] != list(self.parts[-1:])
            self.parts = parts
        self.snapshot, self.ended = snapshot, ended
        if moved:
            self._tell()

    def _read(self, *, own: bool) -> tuple[list[Told], Any, bool, bool]:
        """In a thread: what is new in the journal, the run's figures unless it is our own, whether
        a process works on it, and whether there is more to read at once.
        """
        if self._reader is None:
            self._reader = self._open()
        reader = self._reader
        if reader is None:
            return [], None, True, False
        from fanwise.engine.watching import Watcher

        if self._watcher is None:
            self._watcher = Watcher(self._home, reader, run_id=self.run_id, clock=self._clock)
            if not self._last:
                self._last = self._begin(reader)
        snapshot, live = (None, True) if own else self._watcher.look()
        # After the look: whatever a run commits before it ends is read before it counts as ended.
        fresh = [told(one) for one in islice(reader.events(after=self._last), _KEPT)]
        self._follow(reader)
        return fresh, snapshot, live, len(fresh) == _KEPT

    def _follow(self, reader: JournalReader) -> None:
        """Takes the items that have ended since into the series, so many at a time."""
        if self._series is None:
            self._series = Series(begin_s=reader.run.created_at)
        taken = 0
        for item in islice(reader.items(after=self._series_at), _SERIES_PIECE):
            self._series.ended(item)
            self._series_at = item.event
            taken += 1
        self.caught_up = taken < _SERIES_PIECE

    def _open(self) -> JournalReader | None:
        try:
            return self._home.reader(self.run_id)
        except ConfigError as error:
            if self._supervisor.active(self.run_id) is not None:
                return None  # accepted, and not begun
            raise NotFound(f"there is no run {self.run_id}") from error

    def _begin(self, reader: JournalReader) -> int:
        """Where to begin: not so far back that the ring could not hold what follows."""
        counters = reader.counters()
        return max(0, counters.finished - _KEPT)


class Feeds:
    """The feeds of the runs that somebody watches.

    Args:
        home, views, supervisor, clock: As for :class:`Feed`.
    """

    def __init__(self, *, home: Home, views: Views, supervisor: Supervisor, clock: Clock) -> None:
        self._home = home
        self._views = views
        self._supervisor = supervisor
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self._opening = asyncio.Lock()
        self._sweep: asyncio.Task[None] | None = None
        self._followed: dict[str, asyncio.Task[None]] = {}

    @property
    def watchers(self) -> int:
        """Everybody who watches a run."""
        return sum(feed.watchers for feed in self._feeds.values())

    def follow(self, run_id: str) -> None:
        """Looks at a run that has begun here until it ends, so that its course is known to whoever
        looks on later.
        """
        self._followed[run_id] = asyncio.create_task(self._following(run_id), name="follow")

    async def _following(self, run_id: str) -> None:
        try:
            async with self.watching(run_id) as feed:
                while not feed.ended:
                    await feed.changed(feed.version)
        except (JournalError, NotFound):
            return  # whoever asks for it is told
        finally:
            self._followed.pop(run_id, None)

    @asynccontextmanager
    async def watching(self, run_id: str) -> AsyncGenerator[Feed]:
        """A run's feed, shared with everybody who watches it.

        Raises:
            NotFound: There is no such run.
        """
        feed = await self._feed(run_id)
        feed.watchers += 1
        try:
            yield feed
        finally:
            feed.watchers -= 1
            feed.idle_since = self._clock.monotonic()

    async def _feed(self, run_id: str) -> Feed:
        async with self._opening:
            feed = self._feeds.get(run_id)
            if feed is None or feed.ended:
                feed = Feed(
                    run_id,
                    home=self._home,
                    views=self._views,
                    supervisor=self._supervisor,
                    clock=self._clock,
                )
                await feed.start()
                self._feeds[run_id] = feed
                if self._sweep is None or self._sweep.done():
                    self._sweep = asyncio.create_task(self._sweeping(), name="feeds")
            return feed

    async def _sweeping(self) -> None:
        """Ends feeds that nobody has watched for a while."""
        while self._feeds:
            await asyncio.sleep(_LINGER_S)
            now = self._clock.monotonic()
            for run_id, feed in list(self._feeds.items()):
                if not feed.watchers and (feed.ended or now - feed.idle_since > _LINGER_S):
                    del self._feeds[run_id]
                    await feed.stop()

    async def stop(self) -> None:
        """Ends all of them, and with them every stream."""
        await end_all([*self._followed.values(), *([self._sweep] if self._sweep else ())])
        for feed in self._feeds.values():
            await feed.stop()
        self._feeds.clear()


def told(event: Event) -> Told:
    """A durable event as clients get it."""
    data = {
        "number": event.number,
        "kind": event.kind,
        "at": event.at,
        "item_id": event.item_id or None,
        "data": plain(event.data),
    }
    return Told(event.number, event.kind, orjson.dumps(data))


def sse(kind: str, data: bytes, number: int | None = None) -> bytes:
    """One message of an event stream; those without a number leave the reader's place alone."""
    name = f"id: {number}\n" if number is not None else ""
    return f"{name}event: {kind}\ndata: ".encode() + data + b"\n\n"
