"""A map: one function over many items, entered as a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Self, TypeVar

from fanwise.engine.workers import Crew, Item, Room
from fanwise.errors import StateError, UsageError
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.modes.report import ModeReport
    from fanwise.engine.modes.settings import ModeUsed
    from fanwise.engine.ordering import Ahead

R = TypeVar("R")
_HOW_TO_ENTER = (
    "write: async with fw.map(…) as outcomes: async for outcome in outcomes: …, "
    "or: outcomes = await fw.map(…).collect()"
)
HELD: Final = 1000  # finished outcomes that wait for an earlier one with their values in memory


class Map(Generic[R]):
    """The outcomes of a map, to be entered: ``async with run.map(f, items) as outcomes``.

    Iterating it gives every item's :class:`~fanwise.records.Outcome`, as they complete or in the
    order of the source. Leaving the block, by its end, by ``break``, by an error or by
    cancellation, ends all of its work: no task outlives it, and answers that had arrived are kept.

    Iterating raises what ended the map early: ``JournalUnavailable`` where outcomes could not be
    made durable, ``BudgetExhausted`` (after every outcome) where the run's budget did not suffice,
    ``ConfigError`` for a model that cannot be called at all, or what the source itself raised.
    Items that failed are outcomes and raise nothing. Leaving the block raises the same where nobody
    has iterated so far. Several tasks may iterate one map: each outcome goes to one of them.
    """

    def __init__(
        self,
        items: Callable[[], AsyncIterator[list[Item]]],
        handle: Callable[[Item], Awaitable[Outcome[R] | None]],
        *,
        room: Room,
        opened: Callable[[Crew], Callable[[], None]],
        read_back: Callable[[str], Awaitable[Any]] | None = None,
        ordered: bool = False,
        ahead: Ahead | None = None,
        modes: Callable[[], ModeReport] | None = None,
    ) -> None:
        self._items = items
        self._handle = handle
        self._room = room
        self._opened = opened
        self._read_back = read_back
        self._ordered = ordered
        self._ahead = ahead
        self._modes = modes
        self._crew: Crew | None = None
        self._closed: Callable[[], None] | None = None
        self._next = 0
        self._early: dict[int, Outcome[R]] = {}
        self._ended = False

    def __repr__(self) -> str:
        state = "ended" if self._ended else "open" if self._crew else "not entered"
        return f"<Map {state}, {self._crew.taken if self._crew else 0} items taken>"

    def mode_report(self) -> ModeReport | None:
        """How it went about its items: true at any time, complete after the block.

        Returns:
            The report; ``None`` where neither a mode, a pack nor guardrails were given: every item
            then goes side by side with the others.
        """
        return None if self._modes is None else self._modes()

    @property
    def processing_mode_used(self) -> ModeUsed:
        """The mode that most answers came from until now."""
        report = self.mode_report()
        return "parallel" if report is None else report.processing_mode_used

    @property
    def fallback_reason(self) -> str:
        """Why it turned to another mode; empty where it did not."""
        report = self.mode_report()
        return "" if report is None else report.fallback_reason

    async def __aenter__(self) -> Self:
        if self._crew is not None:
            raise StateError("a map is entered once", hint="make a new one for a second pass")
        self._crew = Crew(self._items(), self._handle, room=self._room)
        self._closed = self._opened(self._crew)
        self._crew.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._crew is not None
        assert self._closed is not None
        try:
            await self._crew.end()
        finally:
            self._ended = True
            self._early.clear()
            self._closed()
        failure = self._crew.error
        if error is None and failure is not None and not self._crew.error_shown:
            raise failure

    if not TYPE_CHECKING:  # a type checker is to say for itself that these are wrong

        def __enter__(self) -> NoReturn:
            raise UsageError(
                "a map is entered with `async with`, not with `with`", hint=_HOW_TO_ENTER
            )

        def __exit__(self, *_: object) -> None:
            """Never reached; without it, Python would not even ask to enter."""

        def __await__(self) -> NoReturn:
            raise UsageError("a map is entered or collected, not awaited", hint=_HOW_TO_ENTER)

        def __iter__(self) -> NoReturn:
            raise UsageError(
                "a map is iterated with `async for`, not with `for`", hint=_HOW_TO_ENTER
            )

    def __aiter__(self) -> AsyncIterator[Outcome[R]]:
        if self._crew is None:
            raise UsageError("this map is not entered", hint=_HOW_TO_ENTER)
        return self

    async def __anext__(self) -> Outcome[R]:
        crew = self._crew
        if crew is None:
            raise UsageError("this map is not entered", hint=_HOW_TO_ENTER)
        if self._ended:
            raise StopAsyncIteration
        while True:
            if self._ordered and self._next in self._early:
                return await self._due()
            outcome = await crew.next_outcome()
            if outcome is None:
                return await self._late()
            if not self._ordered:
                return outcome
            if outcome.position == self._next:
                self._show()
                return outcome
            self._early[outcome.position] = (
                outcome if len(self._early) < HELD or not self._read_back else _light(outcome)
            )

    async def collect(self) -> Sequence[Outcome[R]]:
        """Enters the map, takes every outcome, leaves it.

        Returns:
            One outcome an item; in the order of the source where the map is ordered.
        """
        async with self as outcomes:
            return [outcome async for outcome in outcomes]

    async def _due(self) -> Outcome[R]:
        outcome = self._early.pop(self._next)
        self._show()
        if outcome.ok and outcome.value is _ELSEWHERE and self._read_back:
            return _with_value(outcome, await self._read_back(outcome.item_id))
        return outcome

    def _show(self) -> None:
        self._next += 1
        if self._ahead is not None:
            self._ahead.shown(self._next)

    async def _late(self) -> Outcome[R]:
        """After the end: what waited for an earlier item that never ended (a drained run)."""
        if not self._early:
            assert self._crew is not None
            if self._crew.verdict is not None and not self._crew.exhausted:
                raise self._crew.verdict
            raise StopAsyncIteration
        self._next = min(self._early)
        return await self._due()


_ELSEWHERE = object()


def _light(outcome: Outcome) -> Outcome:
    return _with_value(outcome, _ELSEWHERE) if outcome.ok else outcome


def _with_value(outcome: Outcome, value: Any) -> Outcome:
    return replace(outcome, value=value)
