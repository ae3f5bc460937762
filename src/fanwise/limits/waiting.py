"""Those who wait for a permit, and the account of what they wait for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.limits.permit import Permit
    from fanwise.records import Cause, Cost

Priority: TypeAlias = Literal["interactive", "background"]

AGEING_S: Final = 30.0
"""Seconds after which a background request is no longer overtaken by interactive ones."""

_CAUSES: Final[tuple[Cause, ...]] = (
    "retry wait",
    "concurrency",
    "rate",
    "tokens",
    "cpu",
    "paused",
)


def check_priority(priority: object) -> None:
    """Refuses what is no priority.

    Raises:
        ConfigError: It is neither ``"interactive"`` nor ``"background"``.
    """
    if priority not in {"interactive", "background"}:
        raise ConfigError(
            f"a priority of {priority!r} is unknown",
            hint='give "interactive" for a call that somebody waits for, else "background"',
        )


class Waiter:
    """One request in the queue. ``queued`` is false as soon as it was granted or has left."""

    __slots__ = ("cost", "future", "held_s", "queued", "since", "turn")

    def __init__(
        self,
        cost: Cost,
        *,
        since: float,
        future: asyncio.Future[Permit],
        held_s: tuple[float, ...],
        turn: int,
    ) -> None:
        self.cost = cost
        self.since = since
        self.future = future
        self.held_s = held_s
        self.turn = turn
        self.queued = True


class Line:
    """Two queues, each first come, first served.

    Interactive requests go ahead of background ones that came at most 30 s before them. So each
    request has a bound on who can overtake it, and nobody waits for ever. (Where several runs share
    one pool, taking turns between them belongs here: one line for each.)
    """

    __slots__ = ("_background", "_interactive", "count")

    def __init__(self) -> None:
        self._interactive: deque[Waiter] = deque()
        self._background: deque[Waiter] = deque()
        self.count = 0

    def __iter__(self) -> Iterator[Waiter]:
        """Everybody who waits, by class; some have left already (``queued`` is false)."""
        yield from self._interactive
        yield from self._background

    def __len__(self) -> int:
        """Places taken, those of requests that have left included."""
        return len(self._interactive) + len(self._background)

    def join(self, waiter: Waiter, priority: Priority) -> None:
        """Goes to the end of its class."""
        (self._interactive if priority == "interactive" else self._background).append(waiter)
        self.count += 1

    def head(self) -> Waiter | None:
        """Whose turn it is; ``None`` where nobody waits."""
        background = self._first(self._background)
        if not self._interactive:
            return background
        interactive = self._first(self._interactive)
        if interactive is None or background is None:
            return interactive or background
        return background if background.since + AGEING_S < interactive.since else interactive

    def leave(self, waiter: Waiter) -> None:
        """Ends a wait wherever it stands; its place is cleared away later, all at once."""
        waiter.queued = False
        self.count -= 1
        if len(self) > 2 * self.count + 64:
            self._interactive = deque(other for other in self._interactive if other.queued)
            self._background = deque(other for other in self._background if other.queued)

    def _first(self, queue: deque[Waiter]) -> Waiter | None:
        while queue:
            waiter = queue[0]
            if waiter.queued:
                if not waiter.future.done():
                    return waiter
                waiter.queued = False  # cancelled, and not yet awake to say so
                self.count -= 1
            queue.popleft()
        return None


class CauseAccount:
    """Every moment in which somebody waits belongs to one cause: what holds the first one back."""

    __slots__ = ("_held_s", "_since", "current", "turn")

    def __init__(self) -> None:
        self._held_s: list[float] = [0.0] * len(_CAUSES)
        self._since = 0.0
        self.current: Cause | None = None
        self.turn = 0  # how often the cause has changed

    def turn_to(self, cause: Cause | None, now: float) -> None:
        """From now on it is this cause; ``None`` while nobody waits."""
        if cause == self.current:
            return
        if self.current is not None:
            self._held_s[_CAUSES.index(self.current)] += now - self._since
        self._since = now
        self.current = cause
        self.turn += 1

    def snapshot(self, now: float) -> tuple[float, ...]:
        """Seconds by cause up to now, to be compared with later."""
        held_s = self._held_s.copy()
        if self.current is not None:
            held_s[_CAUSES.index(self.current)] += now - self._since
        return tuple(held_s)

    def main_cause(self, waiter: Waiter, now: float) -> Cause:
        """What most of a wait that ends now was for."""
        if waiter.turn == self.turn and self.current is not None:
            return self.current if now > waiter.since else "nothing"
        spent_s = [
            held - before for held, before in zip(self.snapshot(now), waiter.held_s, strict=True)
        ]
        longest_s = max(spent_s)
        return _CAUSES[spent_s.index(longest_s)] if longest_s > 0 else "nothing"

    def by_cause(self, now: float) -> Mapping[Cause, float]:
        """Seconds by cause up to now."""
        return dict(zip(_CAUSES, self.snapshot(now), strict=True))
