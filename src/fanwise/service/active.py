"""Work of the service that is under way, and who looks on."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import fanwise as fw
from fanwise.pipelines import Event
from fanwise.service.accepted import Accepted

_EVENTS_KEPT = 500


@dataclass(slots=True, kw_only=True, eq=False)
class Active:
    """Work under way, or waiting for its turn."""

    accepted: Accepted
    task: asyncio.Task[None] | None = None
    run: fw.Run | None = None
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=_EVENTS_KEPT))
    events_seen: int = 0
    cancelled: bool = False
    drained: bool = False
    gone: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Wakes whoever looks on: there is an event more, or it has gone."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()
