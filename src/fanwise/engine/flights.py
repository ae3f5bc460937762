"""Single-flight: equal calls under way at one time share one send.

The run owns a flight, not the caller who started it: whoever waits may leave, and only when the
last one has left is the flight cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from fanwise.records import Response


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Response]
    waiting: int = 0


class Flights:
    """The calls under way that others may join."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Flight] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def join(
        self, key: Hashable, start: Callable[[], Coroutine[Any, Any, Response]]
    ) -> tuple[Response, bool]:
        """Waits for the flight of this key, and starts it where there is none.

        Args:
            key: What makes two calls equal: scope, content key and sample.
            start: Makes the coroutine of the flight; called only where none is open.

        Returns:
            The answer, and whether this caller started the flight.

        Raises:
            Whatever the flight raises. A cancelled caller leaves; if it was the last one, the
            flight is cancelled and awaited first.
        """
        flight = self._open.get(key)
        led = flight is None
        if flight is None:
            task = asyncio.get_running_loop().create_task(start(), name="fanwise-flight")
            flight = self._open[key] = _Flight(task)
            task.add_done_callback(lambda done: self._landed(key, done))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), led
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                await asyncio.wait((flight.task,))

    def _landed(self, key: Hashable, task: asyncio.Task[Response]) -> None:
        del self._open[key]
        if not task.cancelled():
            task.exception()  # read, so that a flight nobody waits for any more ends in silence
