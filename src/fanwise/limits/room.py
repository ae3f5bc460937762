"""Who is told when a limiter has room again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Room:
    """Callbacks that follow a *no*, soon, once, and never from within.

    ``missed`` is set where somebody had to wait or was told that there is no room.
    """

    __slots__ = ("_callbacks", "_telling", "missed")

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._telling: asyncio.Handle | None = None
        self.missed = False

    def on(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Adds a callback; returns what ends it."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    @property
    def watched(self) -> bool:
        """Whether anybody wants to be told."""
        return bool(self._callbacks)

    def tell(self) -> None:
        """There is room now."""
        self.missed = False
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = None
        for callback in tuple(self._callbacks):
            callback()
