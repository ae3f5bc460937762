"""Another order of work than the source's: smallest key first, within a window of the source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from heapq import heappop, heappush
from typing import Any, Final

from fanwise.engine.identity import own_id
from fanwise.engine.workers import Item
from fanwise.errors import ConfigError

WINDOW: Final = 1000


async def in_order(
    source: AsyncIterator[list[Item]], *, key: Callable[[Any], Any], window: int = WINDOW
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
    """
    heap: list[tuple[Any, int, Item]] = []
    try:
        async for chunk in source:
            ready: list[Item] = []
            for item in chunk:
                heappush(heap, (key(item.value), item.position, item))
                if len(heap) > window:
                    ready.append(heappop(heap)[2])
            if ready:
                yield ready
        while heap:
            yield [heappop(heap)[2] for _ in range(min(64, len(heap)))]
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def arranged(
    items: Callable[[], AsyncIterator[list[Item]]],
    *,
    key: Callable[[Any], Any] | None,
    window: int,
) -> Callable[[], AsyncIterator[list[Item]]]:
    """The same items, by their key where there is one.

    Raises:
        ConfigError: The window is below 1.
    """
    if window < 1:
        raise ConfigError(f"a window of {window} is impossible", hint="give 1 item or more")
    return items if key is None else lambda: in_order(items(), key=key, window=window)


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
