"""Single-flight: equal calls under way at one time share one send.

The run owns a flight, not the caller who started it: whoever waits may leave, and only when the
last one has left is the flight cancelled. Flights are flown by tasks that are used again, since a
task for every call would cost a tenth of the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeAlias, TypeVar

from fanwise.ending import end_all
from fanwise.records import Response

T = TypeVar("T")
Keep: TypeAlias = Callable[[Response], Awaitable[None]]


class _Flight:
    """A call under way and those who wait for it."""

    __slots__ = ("call", "ended", "key", "left", "pilot", "start", "waiters", "waiting")

    def __init__(
        self, key: Hashable, start: Callable[[Any], Coroutine[Any, Any, Response]], call: Any
    ) -> None:
        self.key = key
        self.start = start
        self.call = call
        self.pilot: asyncio.Task[None] | None = None
        self.waiters: list[asyncio.Future[Response]] = []
        self.waiting = 0
        self.left: list[Keep] = []  # of those who joined and were cancelled while others waited
        self.ended = False


class Flights:
    """The calls under way that others may join. Belongs to the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: dict[Hashable, _Flight] = {}
        self._idle: list[asyncio.Future[_Flight]] = []
        self._pilots: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __repr__(self) -> str:
        return f"<Flights: {len(self._open)} under way, {len(self._idle)} pilots idle>"

    async def join(
        self,
        key: Hashable,
        start: Callable[[T], Coroutine[Any, Any, Response]],
        call: T,
        *,
        keep: Keep | None = None,
    ) -> tuple[Response, bool]:
        """Waits for the flight of this key, and starts it where there is none.

        Args:
            key: What makes two calls equal: scope, content key and sample.
            start: Makes the coroutine of the flight; called only where none is open.
            call: What it is given.
            keep: Keeps the answer for a caller that joined the flight of another one and was
                cancelled: it is paid for, and that caller shall find it when it asks again. It
                raises nothing.

        Returns:
            The answer, and whether this caller started the flight.

        Raises:
            Whatever the flight raises. A cancelled caller leaves; if it was the last one, the
            flight is cancelled and awaited first.
        """
        flight = self._open.get(key)
        led = flight is None
        if flight is None:
            flight = self._open[key] = _Flight(key, start, call)
            self._launch(flight)
        waiter: asyncio.Future[Response] = self._loop.create_future()
        flight.waiters.append(waiter)
        flight.waiting += 1
        try:
            return await waiter, led
        except asyncio.CancelledError:
            flight.waiting -= 1
            if not flight.ended and not flight.waiting:
                await self._abandon(flight)
            elif keep is not None and not led:
                if not flight.ended:
                    flight.left.append(keep)
                elif not waiter.cancelled() and waiter.exception() is None:
                    await keep(waiter.result())
            raise

    async def aclose(self) -> None:
        """Cancels what is still under way and ends every task."""
        await end_all(self._pilots)

    def _launch(self, flight: _Flight) -> None:
        while self._idle:
            parked = self._idle.pop()
            if not parked.done():
                parked.set_result(flight)
                return
        pilot = self._loop.create_task(self._pilot(flight), name="fanwise-flight")
        self._pilots.add(pilot)
        pilot.add_done_callback(self._pilots.discard)

    async def _abandon(self, flight: _Flight) -> None:
        if flight.pilot is None:
            # Its pilot has not taken it up yet, and will find nobody on board.
            return
        await end_all((flight.pilot,))

    async def _pilot(self, flight: _Flight) -> None:
        this = asyncio.current_task()
        while True:
            flight.pilot = this
            if flight.waiting:
                try:
                    response = await flight.start(flight.call)
                except BaseException as error:  # noqa: BLE001 - who waits raises it
                    self._crash(flight, error)
                else:
                    self._end(flight)
                    for waiter in flight.waiters:
                        if not waiter.done():
                            waiter.set_result(response)
                    for keep in flight.left:
                        await keep(response)
            else:
                self._end(flight)
            parked: asyncio.Future[_Flight] = self._loop.create_future()
            self._idle.append(parked)
            flight = await parked

    def _crash(self, flight: _Flight, error: BaseException) -> None:
        """What ended the flight is raised by everybody who waits; a cancellation by the pilot."""
        self._end(flight)
        if isinstance(error, asyncio.CancelledError):
            for waiter in flight.waiters:
                waiter.cancel()
            raise error
        for waiter in flight.waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def _end(self, flight: _Flight) -> None:
        flight.ended = True
        del self._open[flight.key]
