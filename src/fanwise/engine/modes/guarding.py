"""What a map has to do with guardrails: it feeds them and does as they say."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from fanwise.engine.guardrails.guard import GuardrailEvent, Guardrails, GuardrailsOf
from fanwise.engine.modes.entries import Way
from fanwise.records import Json

Requests = Callable[[], tuple[int, int]]
Note = Callable[[str, Mapping[str, Json]], Awaitable[object]]

_KEPT = 100  # reasons kept for a report


class Guarding:
    """Guardrails as one map sees them.

    Args:
        given: The guardrails, bare or for one user or request.
        requests: How many requests were let through by now, and how many of them were refused.
        note: Makes an event durable, where the map has a journal.
        adaptive: Whether the limits adapt: then half as much goes on at once as did, instead of
            one after another.
        learning: Whether a limit is still being learned: what is refused meanwhile is how.

    Attributes:
        most: Work that may be under way at once.

    Raises:
        ConfigError: A rollout that cannot tell whose work this is, or a flag that is no flag.
    """

    def __init__(
        self,
        given: Guardrails | GuardrailsOf,
        *,
        requests: Requests | None = None,
        note: Note | None = None,
        adaptive: Callable[[], bool] | None = None,
        learning: Callable[[], bool] | None = None,
    ) -> None:
        bare = isinstance(given, Guardrails)
        self._shared = given if bare else given.shared
        self.forbidden = self._shared.forbids_parallel(None if bare else given.key)
        self._requests = requests
        self._note = note
        self._adaptive = adaptive
        self.most = math.inf
        self._learning = learning
        self._seen = (0, 0)
        self._running = 0
        self._unsent: deque[GuardrailEvent] = deque()
        self._changed: Callable[[], None] | None = None
        self.reasons: deque[str] = deque(maxlen=_KEPT)
        self.way: Way | None = None
        if self.forbidden:
            self.reasons.append(self.forbidden)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """The map is entered; ``changed`` is called when it should look anew."""
        self._changed = changed
        if self._requests is not None:
            self._seen = self._requests()
        if self._shared.degraded:
            self._degrade(self._shared.degraded)
        unsubscribe = self._shared.subscribe(self._told)

        def ended() -> None:
            unsubscribe()
            self._changed = None

        return ended

    def check(self) -> None:
        """An item is about to begin."""
        self._shared.check(learning=self._learns())

    def ended(self, *, ok: bool, running: int) -> None:
        """An item has ended, in whatever mode, while so many others are under way."""
        self._running = running
        granted = refused = 0
        if self._requests is not None:
            before, self._seen = self._seen, self._requests()
            if not self._learns():
                granted, refused = self._seen[0] - before[0], self._seen[1] - before[1]
        self._shared.observe(requests=granted, rate_limited=refused, ended=1, failed=int(not ok))
        self.check()

    def free(self, running: int) -> bool:
        """Whether more may begin beside what is under way."""
        return running < self.most

    def _learns(self) -> bool:
        return self._learning is not None and self._learning()

    async def note(self) -> None:
        """Makes durable what has happened since the last time."""
        while self._unsent:
            event = self._unsent.popleft()
            if self._note is not None:
                await self._note(f"guardrails.{event.kind}", {"reason": event.reason})

    def _told(self, event: GuardrailEvent) -> None:
        self._unsent.append(event)
        if event.kind == "tripped":
            self._degrade(event.reason)
        else:
            self.way = None
            self.most = math.inf
        if self._changed is not None:
            self._changed()

    def _degrade(self, reason: str) -> None:
        self.reasons.append(reason)
        if self._adaptive is not None and self._adaptive():
            self.most = max(1, self._running // 2)
        else:
            self.way = Way("sequential", fallback=True)
