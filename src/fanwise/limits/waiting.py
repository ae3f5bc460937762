"""Those who wait for a permit, and the account of what they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fanwise.limits.permit import Permit
    from fanwise.records import Cause, Cost

_CAUSES: Final[tuple[Cause, ...]] = ("retry wait", "concurrency", "rate", "tokens")


class Waiter:
    """One request in the queue. ``queued`` is false as soon as it was granted or has left."""

    __slots__ = ("cost", "future", "held_s", "queued", "since")

    def __init__(
        self, cost: Cost, *, since: float, future: asyncio.Future[Permit], held_s: tuple[float, ...]
    ) -> None:
        self.cost = cost
        self.since = since
        self.future = future
        self.held_s = held_s
        self.queued = True


class CauseAccount:
    """Every moment in which somebody waits belongs to one cause: what holds the first one back."""

    __slots__ = ("_held_s", "_since", "current")

    def __init__(self) -> None:
        self._held_s: list[float] = [0.0] * len(_CAUSES)
        self._since = 0.0
        self.current: Cause | None = None

    def turn_to(self, cause: Cause | None, now: float) -> None:
        """From now on it is this cause; ``None`` while nobody waits."""
        if self.current is not None:
            self._held_s[_CAUSES.index(self.current)] += now - self._since
        self._since = now
        self.current = cause

    def snapshot(self, now: float) -> tuple[float, ...]:
        """Seconds by cause up to now, to be compared with later."""
        self.turn_to(self.current, now)
        return tuple(self._held_s)

    def main_cause(self, waiter: Waiter, now: float) -> Cause:
        """What most of a wait that ends now was for."""
        spent_s = [
            held - before for held, before in zip(self.snapshot(now), waiter.held_s, strict=True)
        ]
        longest_s = max(spent_s)
        return _CAUSES[spent_s.index(longest_s)] if longest_s > 0 else "nothing"

    def by_cause(self, now: float) -> Mapping[Cause, float]:
        """Seconds by cause up to now."""
        return dict(zip(_CAUSES, self.snapshot(now), strict=True))
