"""Another order of work than the source's, and how far work may run ahead of what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from heapq import heappop, heappush
from typing import Any, Final

from fanwise.engine.identity import own_id
from fanwise.engine.workers import Item
from fanwise.errors import ConfigError

WINDOW: Final = 1000


class Ahead:
    """How far work may run ahead of the oldest outcome that has not been shown.

    A map in the order of its source holds what has ended until everything before it has. So an item
    begins only if it is less than so many places behind the oldest one that is still to be shown:
    one slow item then costs memory for that many, however long the source is.

    Args:
        most: The places; asked whenever it matters, since limits change.
    """

    def __init__(self, most: Callable[[], float]) -> None:
        self._most = most
        self._oldest = 0
        self._waiter: asyncio.Future[None] | None = None
        self.on_closed: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        """Whether no further item begins before another outcome is shown."""
        return self._waiter is not None

    def may_begin(self, position: int) -> bool:
        """Whether the item at a place of the source may begin now."""
        return position < self._oldest + self._most()

    def shown(self, position: int) -> None:
        """Every outcome before a place of the source has been shown."""
        self._oldest = position
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Until another outcome is shown. What has begun hears of it first: nothing comes now."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            if self.on_closed is not None:
                self.on_closed()
            await self._waiter
        finally:
            self._waiter = None


async def within(source: AsyncIterator[list[Item]], ahead: Ahead) -> AsyncIterator[list[Item]]:
    """The items as they come, as far ahead as they may begin.

    Args:
        source: Items, in chunks.
        ahead: How far that is.
    """
    try:
        async for chunk in source:
            begun = 0
            for place, item in enumerate(chunk):
                while not ahead.may_begin(item.position):
                    if begun < place:
                        yield chunk[begun:place]
                        begun = place
                    else:
                        await ahead.wait()
            yield chunk[begun:] if begun else chunk
    finally:
        await _closed(source)


async def in_order(
    source: AsyncIterator[list[Item]],
    *,
    key: Callable[[Any], Any],
    window: int = WINDOW,
    ahead: Ahead | None = None,
) -> AsyncIterator[list[Item]]:
    """The items with the smallest key first, as far as a window of the source shows.

    Each item that leaves the window makes place for the next one of the source, so that a source
    without an end is ordered too, and an item with a large key waits for long but never holds
    more than the window in memory. Equal keys keep the order of the source. A heap: O(log window)
    an item.

    Args:
        source: Items, in chunks.
        key: From an item to its sort key; keys of one map must be comparable.
        window: Items to choose from, at least 1. The first item waits until that many have come,
            or the source has ended.
        ahead: How far work may run ahead of what is shown. Where the next item of the source may
            not begin, those of the window do, the smallest key first: the oldest is among them, or
            has begun.
    """
    heap: list[tuple[Any, int, Item]] = []
    try:
        async for chunk in source:
            ready: list[Item] = []
            for item in chunk:
                while ahead is not None and not ahead.may_begin(item.position):
                    if ready:
                        yield ready
                        ready = []
                    elif heap:
                        yield [heappop(heap)[2]]
                    else:
                        await ahead.wait()
                heappush(heap, (key(item.value), item.position, item))
                if len(heap) > window:
                    ready.append(heappop(heap)[2])
            if ready:
                yield ready
        while heap:
            yield [heappop(heap)[2] for _ in range(min(64, len(heap)))]
    finally:
        await _closed(source)


async def _closed(source: AsyncIterator[list[Item]]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()


def arranged(
    items: Callable[[], AsyncIterator[list[Item]]],
    *,
    key: Callable[[Any], Any] | None,
    window: int,
    ahead: Ahead | None = None,
) -> Callable[[], AsyncIterator[list[Item]]]:
    """The same items, by their key where there is one, and no further ahead than they may begin.

    Raises:
        ConfigError: The window is below 1.
    """
    if window < 1:
        raise ConfigError(f"a window of {window} is impossible", hint="give 1 item or more")
    if key is not None:
        return lambda: in_order(items(), key=key, window=window, ahead=ahead)
    return items if ahead is None else lambda: within(items(), ahead)


def easiest_first(
    rates: Mapping[str, float],
    *,
    item_id: Callable[[Any], str | None] = own_id,
    unknown: float = 0.5,
) -> Callable[[Any], float]:
    """A key that puts items first which have mostly succeeded before.

    Args:
        rates: Share of past successes by item id, 0 to 1.
        item_id: From an item to its id; by default its ``id`` key or attribute.
        unknown: The rate of an item that has no history, 0 to 1.

    Returns:
        A function for ``key=`` of a map.
    """

    def key(item: Any) -> float:
        found = item_id(item)
        return -(unknown if found is None else rates.get(found, unknown))

    return key
