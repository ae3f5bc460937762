"""From a host name to a connection: resolution, racing addresses, TLS."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]

from fanwise.models.http.errors import TransportTimeout, connect_fault, timed_out
from fanwise.models.http.fast_protocol import Connection
from fanwise.models.http.fast_request import Target
from fanwise.models.http.fast_socket import new_buffer, shared_buffer
from fanwise.models.http.fast_tls import TlsLayer
from fanwise.models.http.tls import tls_context
from fanwise.records import Timeouts

_Addresses: TypeAlias = "Sequence[tuple[Any, ...]]"

# RFC 8305, 5: wait this long for one address before the next one is tried beside it.
_NEXT_ADDRESS_S = 0.25
# Long enough for one resolution to serve a thousand connections opened together.
_ADDRESSES_KEPT_S = 10.0


class Dialer:
    """Opens connections.

    Args:
        ca_file: PEM file of authorities trusted besides the system's.
    """

    __slots__ = ("_addresses", "_buffer", "_ca_file", "_context", "_lookups", "_turn")

    def __init__(self, *, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._buffer = shared_buffer()
        self._context: ssl.SSLContext | None = None
        self._addresses: dict[tuple[str, int], tuple[float, _Addresses]] = {}
        self._lookups: dict[tuple[str, int], asyncio.Task[_Addresses | OSError]] = {}
        self._turn = 0

    async def connect(
        self,
        target: Target,
        factory: Callable[[], Connection],
        *,
        timeouts: Timeouts,
        started_at: float,
    ) -> Connection:
        """A new connection to the target's server, TLS included.

        ``started_at`` is when the attempt began, in the loop's time.

        Raises:
            TransportFault: Kind ``connect``; nothing was sent.
            TransportTimeout: ``connect_s`` or ``attempt_s`` passed; nothing was sent.
            ConfigError: Where the authorities to trust cannot be read.
        """
        context = None
        if target.tls:
            # Before the clock starts: reading the system's authorities takes its time, once.
            context = self._context = self._context or tls_context(self._ca_file)
        now = asyncio.get_running_loop().time()
        left_s = started_at + timeouts.attempt_s - now
        limit_s = min(timeouts.connect_s, left_s)
        deadline = asyncio.timeout_at(None if limit_s == math.inf else now + limit_s)
        try:
            async with deadline:
                return await self._connect(target, factory, context)
        except (OSError, RuntimeError) as error:
            if deadline.expired():
                raise self._too_late(target, timeouts, left_s) from None
            self._addresses.pop((target.host, target.port), None)
            raise connect_fault(error, server=target.server) from error

    def _too_late(self, target: Target, timeouts: Timeouts, left_s: float) -> TransportTimeout:
        if timeouts.connect_s <= left_s:
            phase, limit_s = "connect", timeouts.connect_s
        else:
            phase, limit_s = "attempt", timeouts.attempt_s
        return timed_out(phase, server=target.server, limit_s=limit_s, maybe_sent=False)

    async def aclose(self) -> None:
        """Stops looking names up."""
        lookups = list(self._lookups.values())
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _connect(
        self, target: Target, factory: Callable[[], Connection], context: ssl.SSLContext | None
    ) -> Connection:
        addresses = await self._resolve(target.host, target.port)
        loop = asyncio.get_running_loop()
        self._turn += 1
        turn = self._turn % len(addresses)
        sock = await start_connection(
            [*addresses[turn:], *addresses[:turn]],  # type: ignore[list-item]
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
            loop=loop,
        )
        # From here on the socket belongs to create_connection, which closes it where it fails.
        if context is None:
            _, connection = await loop.create_connection(factory, sock=sock)
            return connection
        connection = factory()
        layer = TlsLayer(
            loop=loop,
            context=context,
            host=target.host,
            connection=connection,
            buffer=self._buffer or new_buffer(),
        )
        transport, _ = await loop.create_connection(lambda: layer, sock=sock)
        try:
            await layer.ready
        except BaseException:
            transport.abort()
            raise
        return connection

    async def _resolve(self, host: str, port: int) -> _Addresses:
        """Addresses of a host: kept for a while, and asked for once however many wait."""
        key, loop = (host, port), asyncio.get_running_loop()
        known = self._addresses.get(key)
        if known is not None and known[0] > loop.time():
            return known[1]
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = loop.create_task(self._look_up(host, port))
            self._lookups[key] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(key, None))
        # Waited for beside, not awaited: who leaves takes the answer from nobody.
        await asyncio.wait({lookup})
        if lookup.cancelled():
            raise ConnectionAbortedError("the transport was closed")
        found = lookup.result()
        if isinstance(found, OSError):
            raise found
        self._addresses[key] = (loop.time() + _ADDRESSES_KEPT_S, found)
        return found

    async def _look_up(self, host: str, port: int) -> _Addresses | OSError:
        with suppress(socket.gaierror):  # an address needs no thread to be looked up in
            return socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        try:
            return await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        except OSError as error:
            return error  # as a value: a task that fails unheard would be reported as a bug
