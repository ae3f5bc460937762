"""Room for a map that somebody waits for, where background work never leaves any.

One more worker is started while nobody waits for a permit. Under background work that always waits,
a map of interactive calls would therefore keep its first worker and get no second one, although its
calls go ahead of all that wait. So it has room for as many items as there are calls at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fanwise.engine.workers import Item
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.pools import Pools


class Urgent:
    """Says whether one more worker of an interactive map would be of use.

    Args:
        pools: The run's limits.
    """

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._under_way = 0

    def has_room(self) -> bool:
        """Fewer items are under way than calls may be, or nobody waits for a permit."""
        limit = self._pools.limit
        return self._under_way < limit < _MANY or self._pools.has_room()

    def max_workers(self) -> int:
        """Workers beyond which a further one could only queue."""
        return self._pools.max_workers()

    def counting(
        self, handle: Callable[[Item], Awaitable[Outcome | None]]
    ) -> Callable[[Item], Awaitable[Outcome | None]]:
        """The same handler; items are counted while they are under way."""

        async def counted(item: Item) -> Outcome | None:
            self._under_way += 1
            try:
                return await handle(item)
            finally:
                self._under_way -= 1

        return counted


_MANY = 20_000  # at once: from here on, who waits is asked
