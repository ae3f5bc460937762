"""Kept connections to one server: the last one used is the first to be used again."""

from __future__ import annotations

import asyncio

from fanwise.models.http.fast_protocol import Connection

# What a server says it keeps a connection for is cut by this much, for the way of the request.
_MARGIN_S = 1.0


class Pool:
    """Idle connections to one server; taking and putting one cost the same however many there are.

    Args:
        loop: The loop the connections live on.
        idle_s: Longest that one is kept, in seconds.
        max_idle: Most that are kept; one more is closed.
    """

    __slots__ = ("_idle", "_idle_s", "_loop", "_max_idle", "_sweep")

    def __init__(self, *, loop: asyncio.AbstractEventLoop, idle_s: float, max_idle: int) -> None:
        self._loop = loop
        self._idle_s = idle_s
        self._max_idle = max_idle
        # A dict for its order: the end is the newest, and any may leave at any time.
        self._idle: dict[Connection, None] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> Connection | None:
        """The newest that is still good, owned by the caller from now on."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if connection.idle_until > self._loop.time() and connection.usable:
                return connection
            connection.close()
        return None

    def put(self, connection: Connection) -> None:
        """Keeps a connection whose exchange has ended."""
        keep_s = min(self._idle_s, connection.kept_s - _MARGIN_S)
        if keep_s <= 0 or len(self._idle) >= self._max_idle:
            connection.close()
            return
        connection.idle_until = self._loop.time() + keep_s
        self._idle[connection] = None
        if self._sweep is None:
            self._sweep = self._loop.call_at(connection.idle_until, self._expire)

    def discard(self, connection: Connection) -> None:
        """Forgets a connection that is no more."""
        self._idle.pop(connection, None)

    def close(self) -> None:
        """Closes all."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        while self._idle:
            self._idle.popitem()[0].close()

    def _expire(self) -> None:
        now = self._loop.time()
        for connection in [c for c in self._idle if c.idle_until <= now]:
            del self._idle[connection]
            connection.close()
        self._sweep = None
        if self._idle:
            oldest = min(c.idle_until for c in self._idle)
            # At most ten looks a lifetime, however the moments of expiry are spread.
            self._sweep = self._loop.call_at(max(oldest, now + self._idle_s / 10), self._expire)
