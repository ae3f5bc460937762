"""Tasks that end before their owner goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Ended: TypeAlias = Callable[["asyncio.Task[Any]"], None]


class Scope:
    """The tasks of one owner. Whoever starts any calls :meth:`end` before it returns or raises.

    A group of :class:`asyncio.TaskGroup` would do the same, but ends with an exception group, and
    decides by itself which failure ends the others.
    """

    __slots__ = ("_last", "_loop", "_tasks", "ending")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[Any], Ended] = {}  # in the order of their start
        self._last: asyncio.Future[None] | None = None
        self.ending = False

    def __len__(self) -> int:
        return len(self._tasks)

    def __repr__(self) -> str:
        return f"<Scope: {len(self._tasks)} tasks{', ending' if self.ending else ''}>"

    def start(self, work: Coroutine[Any, Any, Any], *, name: str, ended: Ended) -> None:
        """Starts a task; ``ended`` is called once it is done, whatever ended it."""
        task = self._loop.create_task(work, name=name)
        self._tasks[task] = ended
        task.add_done_callback(self._ended)

    async def end(self) -> None:
        """Cancels what still runs and waits until all of it has ended.

        Cancellation that arrives meanwhile is handed on to whatever still runs, and raised once
        that has ended too.
        """
        self.ending = True
        asked_again: asyncio.CancelledError | None = None
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            self._last = self._loop.create_future()
            try:
                await self._last
            except asyncio.CancelledError as error:
                asked_again = error
        if asked_again is not None:
            raise asked_again

    def _ended(self, task: asyncio.Task[Any]) -> None:
        ended = self._tasks.pop(task)
        if not task.cancelled():
            task.exception()  # looked at here, so that asyncio does not complain about it later
        try:
            ended(task)
        finally:  # whoever waits for the last one does so whatever comes out of the hook
            if not self._tasks and self._last is not None and not self._last.done():
                self._last.set_result(None)
