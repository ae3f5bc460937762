"""The transport of the hot path: HTTP/1.1 straight on asyncio's transports, parsed by llhttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from fanwise.errors import StateError
from fanwise.models.http.errors import connect_fault
from fanwise.models.http.fast_connect import Dialer
from fanwise.models.http.fast_parser import Bounds
from fanwise.models.http.fast_pool import Pool
from fanwise.models.http.fast_protocol import UPLOAD_BYTES, Connection, StaleConnectionError
from fanwise.models.http.fast_request import HeadWriter, Target, target_of
from fanwise.models.http.fast_socket import new_buffer, shared_buffer
from fanwise.models.http.fast_stream import FastStream, StreamBody
from fanwise.models.http.transport import HttpReply, HttpRequest, HttpStream, TransportStatistics
from fanwise.records import Timeouts

_DEFAULT_BOUNDS = Bounds()
# A run speaks to a handful of URLs; a caller that invents one per call fills no memory.
_MOST_ROUTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    target: Target
    writer: HeadWriter
    pool: Pool


class FastTransport:
    """Keeps connections, sends a request on the newest idle one, and gives the answer whole.

    Args:
        ca_file: PEM file of authorities trusted besides the system's.
        bounds: Limits of an answer's size.
        idle_s: Longest that an unused connection is kept, in seconds; a server's own
            ``Keep-Alive: timeout=`` shortens it.
        max_idle: Most unused connections kept for one server.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        bounds: Bounds = _DEFAULT_BOUNDS,
        idle_s: float = 15.0,
        max_idle: int = 10_000,
    ) -> None:
        self._bounds = bounds
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._dialer = Dialer(ca_file=ca_file)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._routes: dict[str, _Route] = {}
        self._pools: dict[tuple[bool, str, int], Pool] = {}
        self._names: dict[bytes, str] = {}
        self._buffer = shared_buffer()
        self._live: set[Connection] = set()
        self._all_lost: asyncio.Future[None] | None = None
        self._closed = False
        self._requests = 0
        self._opened = 0
        self._reused = 0
        self._resent = 0
        self._dropped = 0

    def __repr__(self) -> str:
        counts = self.statistics()
        return f"<FastTransport {counts.in_use} in use, {counts.idle} idle>"

    async def send(self, request: HttpRequest) -> HttpReply:
        reply, _, _ = await self._exchange(request, None)
        return reply

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncGenerator[HttpStream]:
        body = StreamBody(max_bytes=self._bounds.body_bytes)
        head, connection, pending = await self._exchange(request, body)
        try:
            yield FastStream(head, body)
        finally:
            connection.abandon(pending)

    async def aclose(self) -> None:
        """Closes every connection at once; what is under way fails. Waits a second at most."""
        self._closed = True
        for pool in self._pools.values():
            pool.close()
        for connection in list(self._live):
            connection.shut()
        await self._dialer.aclose()
        if self._live and self._loop is not None:
            self._all_lost = self._all_lost or self._loop.create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._all_lost

    def statistics(self) -> TransportStatistics:
        idle = sum(len(pool) for pool in self._pools.values())
        return TransportStatistics(
            requests=self._requests,
            opened=self._opened,
            reused=self._reused,
            resent=self._resent,
            dropped=self._dropped,
            in_use=len(self._live) - idle,
            idle=idle,
        )

    async def _exchange(
        self, request: HttpRequest, stream: StreamBody | None
    ) -> tuple[HttpReply, Connection, asyncio.Future[HttpReply]]:
        """One request and its answer (for a stream: the answer's head), over one connection.

        A request goes out a second time only where the kept connection it went out on is proven
        to have ended before a byte of it could arrive: nobody has read it, so nobody can charge
        for it. The second time it goes out on a new connection, where that cannot happen again.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop or self._closed:
            self._check_usable(loop)
        route = self._routes.get(request.url) or self._route(request.url, loop)
        body, timeouts = request.body, request.timeouts
        head = route.writer.head(
            method=request.method, headers=request.headers, body_bytes=len(body)
        )
        started_at = loop.time()
        self._requests += 1
        connection = route.pool.take()
        while True:
            connect_s = 0.0
            if connection is None:
                connection = await self._open(route, timeouts, started_at)
                connect_s = loop.time() - started_at
            else:
                self._reused += 1
            pending = connection.begin(
                head,
                body,
                timeouts=timeouts,
                started_at=started_at,
                connect_s=connect_s,
                stream=stream,
            )
            try:
                if len(body) > UPLOAD_BYTES:
                    await connection.upload(body, pending)
                return await pending, connection, pending
            except StaleConnectionError:
                self._resent += 1
                connection = None
            except BaseException:
                self._let_go(connection, pending)
                raise

    def _let_go(self, connection: Connection, pending: asyncio.Future[HttpReply]) -> None:
        connection.abandon(pending)
        if pending.done() and not pending.cancelled() and pending.exception() is None:
            self._dropped += 1

    async def _open(self, route: _Route, timeouts: Timeouts, started_at: float) -> Connection:
        loop, target = asyncio.get_running_loop(), route.target

        def factory() -> Connection:
            return Connection(
                loop=loop,
                server=target.server,
                bounds=self._bounds,
                names=self._names,
                buffer=self._buffer or new_buffer(),
                on_free=route.pool.put,
                on_lost=lost,
            )

        def lost(connection: Connection) -> None:
            route.pool.discard(connection)
            self._forget(connection)

        connection = await self._dialer.connect(
            target, factory, timeouts=timeouts, started_at=started_at
        )
        if self._closed:
            connection.close()
            self._check_usable(loop)
        if not connection.usable:
            connection.close()
            raise connect_fault(ConnectionResetError("closed at once"), server=target.server)
        self._opened += 1
        self._live.add(connection)
        return connection

    def _forget(self, connection: Connection) -> None:
        self._live.discard(connection)
        if not self._live and self._all_lost is not None and not self._all_lost.done():
            self._all_lost.set_result(None)

    def _check_usable(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._closed:
            raise StateError("the transport is closed", hint="open another one")
        if self._loop is not None:
            raise StateError(
                "the transport belongs to another event loop", hint="open one for each loop"
            )
        self._loop = loop

    def _route(self, url: str, loop: asyncio.AbstractEventLoop) -> _Route:
        target = target_of(url)
        origin = (target.tls, target.host, target.port)
        pool = self._pools.get(origin)
        if pool is None:
            pool = Pool(loop=loop, idle_s=self._idle_s, max_idle=self._max_idle)
            self._pools[origin] = pool
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        self._routes[url] = route = _Route(target=target, writer=HeadWriter(target), pool=pool)
        return route
