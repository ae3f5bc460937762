"""One pump over the source, elastic workers, bounded buffers.

The pump reads the source only as far as somebody can take its items. A worker handles one item
after another; one more is started while nobody waits for a permit, so that no fixed number of
workers hides a limit above it. Finished work waits in a bounded buffer for whoever reads it, and a
slow reader thereby slows the source down.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fanwise.errors import OperationCancelled
from fanwise.records import Outcome

_BACKLOG = 64  # items read ahead of the workers


@dataclass(slots=True)
class Item:
    """An item on its way: what it is, what it is called, and what is already known of it."""

    id: str
    position: int
    value: Any
    known: Any = None


class Room(Protocol):
    """What the pump asks of the limits."""

    def has_room(self) -> bool:
        """Whether one more worker could have its request served: nobody waits for a permit."""
        ...

    def max_workers(self) -> int:
        """Most workers that can be of any use."""
        ...


class Crew:
    """The tasks of one map: a pump and its workers. Owned by the map that is entered.

    Args:
        items: The items, in chunks.
        handle: Runs one item to its end; what it raises ends the whole map.
        room: What the limits say of starting one more worker.
        buffer: Most outcomes kept for a slow reader.
    """

    def __init__(
        self,
        items: AsyncIterator[list[Item]],
        handle: Callable[[Item], Awaitable[Outcome | None]],
        *,
        room: Room,
        buffer: int = 256,
    ) -> None:
        self._items = items
        self._handle = handle
        self._room = room
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[Item] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._woken = 0
        self._growing = False
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order of their start
        self._workers = 0
        self._done: deque[Outcome] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._full: deque[asyncio.Future[None]] = deque()
        self._pump_waits: asyncio.Future[None] | None = None
        self._stopping = self._ending = False
        self._source_ended = False
        self.source_waiting = False
        self._pumping: asyncio.Task[None] | None = None
        self.error: BaseException | None = None
        self.error_shown = False
        self.on_stop: Callable[[], None] | None = None
        self.verdict: Exception | None = None  # what its map raises at its end
        self.taken = 0
        self._handled = 0

    @property
    def exhausted(self) -> bool:
        """Whether the source has ended and every item of it was handled."""
        return self._source_ended and not self._backlog and self._handled == self.taken

    def start(self) -> None:
        """Starts the pump; the workers follow as items come."""
        self._pumping = self._spawn(self._pump(), name="fanwise-pump")

    def stop(self) -> None:
        """Takes no further item; what has been started goes on."""
        self._stopping = True
        if self._backlog:
            self._source_ended = False  # what is dropped here was never handled
        self._backlog.clear()
        if self.on_stop is not None:
            self.on_stop()
        self._wake_pump()
        self._release_idle()
        if self.source_waiting and self._pumping is not None:
            self._pumping.cancel()  # who knows when the source has something to give again

    def kick(self) -> None:
        """There may be room for one more worker."""
        if self._backlog:
            self._dispatch()

    async def next_outcome(self) -> Outcome | None:
        """The next finished item; ``None`` at the end. Raises what ended the map early."""
        while not self._done:
            if self.error is not None:
                self.error_shown = True
                raise self.error
            if not self._tasks:
                return None
            reader: asyncio.Future[None] = self._loop.create_future()
            self._readers.append(reader)
            try:
                await reader
            except asyncio.CancelledError:
                if reader in self._readers:
                    self._readers.remove(reader)
                raise
        outcome = self._done.popleft()
        if self._full:
            _wake_first(self._full)
        return outcome

    async def end(self) -> None:
        """Cancels what still runs and waits until all of it has ended.

        Cancellation that arrives meanwhile is handed on to whatever still runs, and raised once
        that has ended too.
        """
        self._ending = True
        self.stop()
        asked_again: asyncio.CancelledError | None = None
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            try:
                await asyncio.wait(tuple(self._tasks))
            except asyncio.CancelledError as error:
                asked_again = error
        if asked_again is not None:
            raise asked_again

    async def _pump(self) -> None:
        try:
            while not self._stopping:
                self.source_waiting = True
                try:
                    chunk = await anext(self._items)
                except StopAsyncIteration:
                    break
                except asyncio.CancelledError as error:
                    if self._stopping:
                        raise
                    raise _source_cancelled() from error
                finally:
                    self.source_waiting = False
                for item in chunk:
                    if self._stopping:
                        break
                    self._backlog.append(item)
                    self._dispatch()
                    while len(self._backlog) >= _BACKLOG and not self._stopping:
                        await self._demand()
        finally:
            close = getattr(self._items, "aclose", None)
            if close is not None:
                await close()
        self._source_ended = not self._stopping
        self._release_idle()

    def _dispatch(self) -> None:
        """Brings the backlog to idle workers, and to one new one where the limits have room."""
        while self._backlog and self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
                self._woken += 1
        if (
            len(self._backlog) > self._woken
            and not self._growing
            and self._workers < self._room.max_workers()
            # The first one waits in line like everybody: others may never leave room for it.
            and (not self._workers or self._room.has_room())
        ):
            self._workers += 1
            self._spawn(self._work(), name="fanwise-worker")
            # The new worker reaches its permit before the next one is considered.
            self._growing = True
            self._loop.call_soon(self._grown)

    def _grown(self) -> None:
        self._growing = False
        if self._backlog:
            self._dispatch()

    async def _demand(self) -> None:
        """Waits until the backlog has come down."""
        self._pump_waits = self._loop.create_future()
        try:
            await self._pump_waits
        finally:
            self._pump_waits = None

    def _wake_pump(self) -> None:
        waiter = self._pump_waits
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _release_idle(self) -> None:
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)

    async def _work(self) -> None:
        try:
            while True:
                while not self._backlog:
                    if self._stopping or self._source_ended:
                        return
                    await self._park()
                item = self._backlog.popleft()
                self.taken += 1
                if len(self._backlog) == _BACKLOG // 2:
                    self._wake_pump()
                outcome = await self._handle(item)
                if outcome is not None:
                    self._handled += 1
                    # Nobody reads any more at the end, and a worker whose function has kept its
                    # cancellation to itself would wait for ever.
                    while len(self._done) >= self._buffer and not self._ending:
                        await self._space()
                    self._done.append(outcome)
                    self._tell_readers()
        finally:
            self._workers -= 1

    async def _park(self) -> None:
        parked: asyncio.Future[None] = self._loop.create_future()
        self._idle.append(parked)
        self._wake_pump()
        await parked
        self._woken = max(0, self._woken - 1)

    async def _space(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._full.append(waiter)
        await waiter

    def _tell_readers(self) -> None:
        while self._readers:
            _wake_first(self._readers)

    def _spawn(self, coroutine: Any, *, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(coroutine, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            error = task.exception()
            if error is not None and self.error is None:
                self.error = error
                self.stop()
        self._tell_readers()


def _source_cancelled() -> OperationCancelled:
    return OperationCancelled(
        "the source of items ended as cancelled although nobody cancelled it",
        hint="something that it awaited was cancelled elsewhere",
    )


def _wake_first(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return
