"""A tiny HTTP proxy for tests: forwards absolute URLs, tunnels CONNECT, and remembers what for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class RawProxy:
    """A proxy on the loopback.

    Args:
        password: What ``Proxy-Authorization`` has to be; empty for an open proxy.

    Attributes:
        asked: The request line of every request that came to it.
    """

    def __init__(self, *, password: str = "") -> None:
        self._password = password
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio reports the cancellation of its own ones as an error.
        task = asyncio.create_task(self._attend(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, _, rest = head.partition("\r\n")
        self.asked.append(first)
        method, target, _ = first.split(" ")
        if self._password and f"Proxy-Authorization: {self._password}" not in head:
            writer.write(b"HTTP/1.1 407 Who?\r\ncontent-length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            upstream = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            parts = urlsplit(target)
            upstream = await asyncio.open_connection(parts.hostname, parts.port)
            upstream[1].write(f"{method} {parts.path} HTTP/1.1\r\n{rest}".encode("latin-1"))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, upstream[1]))
                group.create_task(_pump(upstream[0], writer))
        finally:
            upstream[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def raw_proxy(*, password: str = "") -> AsyncGenerator[RawProxy]:
    """A proxy for the length of the block."""
    proxy = RawProxy(password=password)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
