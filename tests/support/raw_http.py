"""A raw HTTP server for tests: it says exactly the bytes it is told to, and hears everything."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

# Long enough for any machine; waited for only where something is broken.
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """One client's connection, from the server's side.

    ``closed`` is set when the connection has ended, in whatever way.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.number = number
        self.closed = asyncio.Event()

    async def head(self) -> str:
        """The head of the next request. Raises EOFError or ConnectionError when there is none."""
        try:
            return (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            raise EOFError from error

    async def some(self, most: int) -> int:
        """Reads some bytes of a body; how many."""
        return len(await self._reader.read(min(most, 65536)))

    async def request(self) -> Seen:
        """The next request, whole. Raises EOFError or ConnectionError when there is none."""
        head = await self.head()
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Seen(method=method, target=target, headers=headers, body=body)

    async def say(self, data: bytes) -> None:
        """Sends bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def until_closed(self) -> None:
        """Waits for the client to end the connection."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await self._reader.read(65536):
                pass
        self.closed.set()

    def hang_up(self) -> None:
        """Ends the connection in good order (FIN)."""
        self._writer.close()

    def cut(self) -> None:
        """Ends the connection without TLS's farewell."""
        self._writer.transport.abort()

    def tls(self) -> ssl.SSLObject:
        """The TLS session."""
        return self._writer.get_extra_info("ssl_object")

    def reset(self) -> None:
        """Ends the connection with a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Behaviour = Callable[[Peer], Awaitable[None]]


class RawServer:
    """A server that behaves, on each connection, as ``behave`` says.

    Attributes:
        peers: Every connection so far.
        requests: Every request that :func:`answering` or a behaviour has recorded.
    """

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self.peers: list[Peer] = []
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls, backlog=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "/v1/x", *, host: str = "127.0.0.1") -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{host}:{self.port}{path}"

    async def peer(self, number: int) -> Peer:
        """The connection with this number, counted from 0, as soon as there is one."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: len(self.peers) > number)
        return self.peers[number]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio reports the cancellation of its own ones as an error.
        peer = Peer(reader, writer, len(self.peers))
        self.peers.append(peer)
        task = asyncio.create_task(self._serve(peer, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer, writer: asyncio.StreamWriter) -> None:
        async with self._changed:
            self._changed.notify_all()
        try:
            await self._behave(peer)
            if not writer.is_closing():
                await peer.until_closed()
        except (EOFError, ConnectionError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()  # the server is being stopped
        finally:
            peer.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@asynccontextmanager
async def raw_server(
    behave: Behaviour, *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[RawServer]:
    """A server for the length of the block."""
    server = RawServer(behave, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def turns(count: int) -> None:
    """Lets the event loop turn so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def ok(body: bytes = b"{}", *, head: str = "", status: str = "200 OK") -> bytes:
    """An answer with a length; ``head`` holds further headers, each with its line end."""
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body


def chunked(*chunks: bytes, head: str = "", end: bytes = b"0\r\n\r\n") -> bytes:
    """An answer in chunks."""
    wire = f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{head}\r\n".encode()
    return wire + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + end


def answering(*answers: bytes) -> Behaviour:
    """Answers each connection's requests one after another with these bytes, then hangs up."""

    async def behave(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.say(answer)
        peer.hang_up()

    return behave


def always(answer: bytes) -> Behaviour:
    """Answers every request with these bytes."""

    async def behave(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(answer)

    return behave
