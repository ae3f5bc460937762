"""Modes of ``fw.map``: items and packs go through runners under one limiter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeAlias

from fanwise.engine.modes.driver import Driver
from fanwise.engine.modes.entries import Entry
from fanwise.engine.runner import Runner
from fanwise.engine.workers import Item
from fanwise.records import Outcome

Function: TypeAlias = Callable[[Any], Awaitable[Any]]


class PlainWork:
    """Carries out entries of a map without a journal.

    Args:
        runner_of: Makes a runner for a function; all share one limiter.
        function: ``async (item) -> value``.
        ask: ``async (items) -> values`` of a pack, where there is one.
    """

    def __init__(
        self,
        runner_of: Callable[[Callable[[Any], Awaitable[Any]]], Runner],
        function: Callable[[Any], Awaitable[Any]],
        ask: Callable[..., Awaitable[Mapping[Any, Any]]] | None,
    ) -> None:
        self.peak = 0
        self._at_once = 0
        self._alone = runner_of(self._counted(function))
        self._together = runner_of(self._counted(ask or _no_pack))

    @property
    def runner(self) -> Runner:
        """The one of single items."""
        return self._alone

    def begin(self) -> None:
        """Work begins: patience is counted from here."""
        self._alone.begin()
        self._together.begin()

    async def alone(self, entry: Entry) -> Outcome:
        return await self._alone.handle(Item(entry.id, entry.position, entry.value))

    async def together(self, entries: Sequence[Entry], items: Mapping[str, Any]) -> Outcome:
        first = entries[0]
        return await self._together.handle(Item(first.id, first.position, items))

    def _counted(self, function: Function) -> Function:
        @wraps(function)
        async def counted(value: Any) -> Any:
            self._at_once += 1
            self.peak = max(self.peak, self._at_once)
            try:
                return await function(value)
            finally:
                self._at_once -= 1

        return counted


def handler(driver: Driver) -> Callable[[Item], Awaitable[Outcome]]:
    """What a map's workers do with an item."""

    async def handle(item: Item) -> Outcome:
        return await driver.run(Entry(item.id, item.position, item.value))

    return handle


async def _no_pack(items: Mapping[str, Any]) -> Mapping[str, Any]:
    raise NotImplementedError
