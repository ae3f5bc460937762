"""The least that coroutines need of an event loop, with a clock that jumps to the next timer.

``fanwise.testing.virtual`` runs whole programs on asyncio's own loop and therefore looks at the
selector once a turn. A rehearsal has no descriptors at all: one heap of timers and one queue of
callbacks run the same coroutines, futures and timers several times as fast.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio.events import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]
    _set_running_loop,  # pyright: ignore[reportPrivateUsage]
)
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fanwise.errors import StateError

T = TypeVar("T")


class Timer:
    """A callback at an instant; ``cancel`` takes it back."""

    __slots__ = ("arguments", "callback")

    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.arguments = arguments

    def cancel(self) -> None:
        """Keeps the callback from being called; harmless once it was."""
        self.callback = None
        self.arguments = ()

    def cancelled(self) -> bool:
        """Whether nothing will be called any more."""
        return self.callback is None


class EventLoop(asyncio.AbstractEventLoop):
    """Virtual time from 0 s. Timers fire by deadline, equal ones in the order they were set.

    Knows time, callbacks, timers, futures and tasks; sockets, threads, signals and contexts of
    callbacks are not there. An exception that nobody handles ends :meth:`run`.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._ready: deque[Timer] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._error: BaseException | None = None

    def time(self) -> float:
        return self._now_s

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = Timer(callback, args)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_at(self._now_s + delay, callback, *args)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = Timer(callback, args)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name or "rehearsal")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._error = self._error or error or RuntimeError(str(context.get("message")))

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end and returns its result.

        Raises:
            StateError: Another loop runs in this thread.
            RuntimeError: Everything waits for what virtual time cannot bring.
            BaseException: Whatever ``main`` or a callback raised.
        """
        if _get_running_loop() is not None:
            main.close()
            raise StateError(
                "a rehearsal was started inside a running event loop",
                hint="give it a thread of its own: await asyncio.to_thread(…)",
            )
        _set_running_loop(self)
        try:
            task = self.create_task(main)
            self._run_ready()
            while not task.done():
                self._next_timer()
                self._run_ready()
            return task.result()
        finally:
            _set_running_loop(None)

    def _run_ready(self) -> None:
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if handle.callback is not None:
                handle.callback(*handle.arguments)
        if self._error is not None:
            raise self._error

    def _next_timer(self) -> None:
        """Moves the clock to the next timer that still stands, and calls it."""
        timers = self._timers
        while timers:
            when, _, handle = heapq.heappop(timers)
            callback, arguments = handle.callback, handle.arguments
            if callback is not None:
                self._now_s = max(self._now_s, when)
                handle.cancel()
                callback(*arguments)
                return
        raise RuntimeError("virtual time stands still: everybody waits and nothing is scheduled")
