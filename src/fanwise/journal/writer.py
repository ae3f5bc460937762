"""One thread that commits whatever is queued whenever it is free.

There is no timer: while a commit is under way the next group gathers, so that the last commit's
duration is the batching window. One caller alone waits for one commit, a thousand share it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Generic, TypeVar

W = TypeVar("W")

GROUP_SIZE = 500
_A_MOMENT_S = 0.005


class Entry(Generic[W]):
    """One piece of work on its way through the writer, and what came of it."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: W, future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


Commit = Callable[[Sequence[Entry[W]]], None]


class GroupWriter(Generic[W]):
    """Hands work from an event loop to one thread, in groups, and brings the results back.

    Used from one event loop at a time. A caller that is cancelled stops waiting; its work is
    done all the same.

    Args:
        commit: Runs in the thread: does the work of a whole group and leaves a result or an error
            in each entry. What it raises becomes the error of every entry.
        name: The thread's name.
        group_size: Most entries of one group.
        queue_size: From this many entries on, :meth:`room` waits.
    """

    def __init__(
        self,
        commit: Commit[W],
        *,
        name: str,
        group_size: int = GROUP_SIZE,
        queue_size: int = 20_000,
    ) -> None:
        self._commit = commit
        self._name = name
        self._group_size = group_size
        self._queue_size = queue_size
        self._fresh: list[Entry[W]] = []  # handed in during this turn of the loop
        self._queue: SimpleQueue[list[Entry[W]] | None] = SimpleQueue()
        self._handed_over = self._taken_up = 0
        self._alone = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.groups = 0
        self.entries = 0
        self.commit_s = 0.0  # in all of them

    def __repr__(self) -> str:
        return (
            f"<GroupWriter {self._name}: {self.backlog} queued, "
            f"{self.entries} done in {self.groups} groups>"
        )

    @property
    def backlog(self) -> int:
        """Entries handed in that no group has taken up yet."""
        return len(self._fresh) + self._handed_over - self._taken_up

    @property
    def full(self) -> bool:
        """Whether :meth:`room` would wait."""
        return self.backlog >= self._queue_size

    async def room(self) -> None:
        """Waits while the queue is full. Cancelled, nothing was handed in."""
        while self.full:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def submit(self, work: W, *, more_follows: bool = False) -> asyncio.Future[Any]:
        """Hands in work; the future brings its result once the group is committed.

        The hand-over happens at the end of this turn of the loop: callers that the last group woke
        together are together again in the next one. A caller who was alone in it is handed over
        at once, unless more of his follows in a moment: then with that, or soon without it.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self.flush()
            self._loop = loop
        future: asyncio.Future[Any] = loop.create_future()
        fresh = self._fresh
        fresh.append(Entry(work, future))
        if not self._alone:
            if len(fresh) == 1:
                loop.call_soon(self.flush)
        elif not more_follows:
            self._alone = False
            self.flush()
        elif len(fresh) == 1:
            loop.call_later(_A_MOMENT_S, self.flush)
        return future

    def flush(self) -> None:
        """Hands over to the thread what was handed in during this turn of the loop."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        self._handed_over += len(fresh)
        self._queue.put(fresh)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread after what is queued, and waits for it. For a closed or idle writer."""
        self.flush()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        ready: deque[Entry[W]] = deque()
        open_ended = True
        while ready or open_ended:
            open_ended = self._gather(ready) and open_ended
            size = min(len(ready), self._group_size)
            group = [ready.popleft() for _ in range(size)]
            if not group:
                continue
            self._taken_up += size
            begun = perf_counter()
            try:
                self._commit(group)
            except BaseException as error:  # noqa: BLE001  (whatever it is, its callers must know)
                for entry in group:
                    entry.error = error
            self.commit_s += perf_counter() - begun
            self.groups += 1
            self.entries += size
            self._bring_back(group)

    def _gather(self, ready: deque[Entry[W]]) -> bool:
        """Adds what is queued, waiting only where nothing is ready. False at the very end."""
        try:
            while len(ready) < self._group_size:
                batch = self._queue.get(block=not ready)
                if batch is None:
                    return False
                ready += batch
        except Empty:
            pass
        return True

    def _bring_back(self, group: list[Entry[W]]) -> None:
        while group:
            loop = group[0].future.get_loop()
            own = [entry for entry in group if entry.future.get_loop() is loop]
            group = [entry for entry in group if entry.future.get_loop() is not loop]
            try:
                loop.call_soon_threadsafe(self._resolve, own)
            except RuntimeError:  # the loop is closed: nobody waits any more, the work is done
                continue

    def _resolve(self, group: Sequence[Entry[W]]) -> None:
        self._alone = len(group) == 1
        for entry in group:
            future = entry.future
            if future.done():
                continue
            if entry.error is None:
                future.set_result(entry.result)
            else:
                future.set_exception(entry.error)
        while self._waiting and not self.full:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
