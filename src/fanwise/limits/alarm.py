"""One timer, set to the next moment at which time itself changes something."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

_SHORTEST_S: Final = 0.001  # finer timers cost wake-ups and win nothing: a burst makes up for them


class Alarm:
    """Calls back at an instant; another instant takes its place.

    Args:
        ring: What is called.
    """

    __slots__ = ("_at", "_handle", "_ring")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at = math.inf

    def set(self, at: float, now: float) -> None:
        """Rings at that instant and at no other; never for ``math.inf``."""
        if at == self._at:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._at = at
        if at < math.inf:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(max(_SHORTEST_S, at - now), self._due)

    def _due(self) -> None:
        self._handle = None
        self._at = math.inf
        self._ring()
