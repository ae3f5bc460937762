"""Calls that wait for something other than a permit: in a line, or for a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

W = TypeVar("W")
G = TypeVar("G")


class Waiting(Generic[W, G]):
    """First come, first served; whoever waits is given what he waits for, or told why not."""

    def __init__(self) -> None:
        self._line: deque[tuple[W, asyncio.Future[G]]] = deque()

    def __len__(self) -> int:
        return sum(not turn.done() for _, turn in self._line)

    @property
    def head(self) -> W | None:
        """What the first in the line asks for; ``None`` where nobody waits."""
        while self._line and self._line[0][1].done():
            self._line.popleft()
        return self._line[0][0] if self._line else None

    def give(self, grant: G) -> None:
        """Gives the first what it waits for. It is its own from now on."""
        self._line.popleft()[1].set_result(grant)

    def refuse(self, error: Exception) -> None:
        """Gives the first this error."""
        self._line.popleft()[1].set_exception(error)

    async def wait(
        self, what: W, *, advance: Callable[[], None], give_back: Callable[[G], None]
    ) -> G:
        """Waits for its turn.

        Args:
            what: What is asked for.
            advance: Looks who can be served; called once it stands in line, and when it leaves.
            give_back: Takes a grant back from who left at the moment at which he was given it.

        Raises:
            Exception: What it was refused with.
        """
        turn: asyncio.Future[G] = asyncio.get_running_loop().create_future()
        self._line.append((what, turn))
        advance()
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                give_back(turn.result())
            advance()
            raise


class Pauses:
    """Waits for a time, all of which one error can end."""

    def __init__(self) -> None:
        self._pauses: set[asyncio.Future[None]] = set()
        self._refusal: Exception | None = None

    def __len__(self) -> int:
        return len(self._pauses)

    def refuse_all(self, error: Exception) -> None:
        """Gives everybody who waits, now or later, this error."""
        self._refusal = error
        for pause in self._pauses:
            if not pause.done():
                pause.set_exception(error)

    async def wait(self, wait_s: float) -> None:
        """Waits so many seconds. Raises what :meth:`refuse_all` was given."""
        if self._refusal is not None:
            raise self._refusal
        loop = asyncio.get_running_loop()
        pause: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(wait_s, _wake, pause)
        self._pauses.add(pause)
        try:
            await pause
        finally:
            timer.cancel()
            self._pauses.discard(pause)


def _wake(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
