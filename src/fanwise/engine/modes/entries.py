"""An item under way in some mode, and who carries it out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fanwise.engine.modes.settings import Mode
from fanwise.records import Outcome


@dataclass(slots=True, eq=False)
class Entry:
    """An item from its arrival to its final outcome.

    ``context`` is a run's context of it; ``turn`` its place in the order of arrival. A silent one
    has its outcome already, and only completes a pack that is asked as it was asked before.
    """

    id: str
    position: int
    value: Any
    context: Any = None
    turn: int = 0
    attempts: int = 0
    queued_s: float = 0.0
    service_s: float = 0.0
    waker: asyncio.Future[Start | None] | None = None
    silent: bool = False

    def spend(self, outcome: Outcome) -> None:
        """Books a try that was not the last."""
        self.attempts += outcome.attempts
        self.queued_s += outcome.queued_s
        self.service_s += outcome.service_s

    def summed(self, outcome: Outcome) -> Outcome:
        """The last try's outcome with what all of them took."""
        if not (self.attempts or self.service_s or self.queued_s):
            return outcome
        return replace(
            outcome,
            attempts=outcome.attempts + self.attempts,
            queued_s=outcome.queued_s + self.queued_s,
            service_s=outcome.service_s + self.service_s,
        )

    def waits(self) -> bool:
        """Whether its task waits for a word."""
        return self.waker is not None and not self.waker.done()

    def tell(self, start: Start | None) -> bool:
        """Says that it may begin or, by ``None``, that its end is final; whether anybody waited."""
        if self.waker is None or self.waker.done():
            return False
        self.waker.set_result(start)
        return True

    def __lt__(self, other: Entry) -> bool:
        return self.turn < other.turn


@dataclass(slots=True, eq=False)
class Group:
    """The entries of one pack. One of them asks for all; the others wait for its answer."""

    entries: Sequence[Entry]
    asker: Entry
    answers: Mapping[int, asyncio.Future[Outcome]]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A mode in force, and whether it is so because another one was left."""

    mode: Mode
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """An entry may begin, in this way; in a pack with others where there is a group."""

    way: Way
    group: Group | None = None


class Work(Protocol):
    """Carries out entries. A failure is an outcome; what is raised ends the whole map."""

    peak: int
    """Most functions that were under way at one time."""

    async def alone(self, entry: Entry) -> Outcome:
        """One entry by itself."""
        ...

    async def together(self, entries: Sequence[Entry], items: Mapping[str, Any]) -> Outcome:
        """One request for several entries; its value is the mapping that came back."""
        ...
