"""A lean HTTP/1.1 server: what the simulator needs of one, and cheap enough not to be the limit.

One asyncio protocol a connection on httptools' parser. Requests of one connection are answered in
order. A client that closes cancels what is in work for it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

import httptools

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
_MAX_PIPELINED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as it came in. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """The answer's side of one request: one whole answer, or a head and pieces of a body."""

    __slots__ = ("_bare", "_keep_alive", "_transport", "begun")

    def __init__(
        self, transport: asyncio.Transport, *, keep_alive: bool, bare: bool = False
    ) -> None:
        self._transport = transport
        self._keep_alive = keep_alive
        self._bare = bare
        self.begun = False

    def respond(
        self, status: int, body: bytes, *, headers: Mapping[str, str], promise: int | None = None
    ) -> None:
        """Writes a whole answer.

        Args:
            status: The HTTP status.
            body: The body, or a part of it where ``promise`` is more.
            headers: Headers; Content-Length and Connection are added.
            promise: The Content-Length to state; the body's length if omitted.
        """
        length = len(body) if promise is None else promise
        head = _head(status, headers, f"content-length: {length}", self._keep_alive)
        # An answer to HEAD states the length of a body that it does not have.
        self._write(head if self._bare else head + body)

    def begin(self, status: int, *, headers: Mapping[str, str]) -> None:
        """Writes the head of an answer that comes in chunks."""
        self._write(_head(status, headers, "transfer-encoding: chunked", self._keep_alive))

    def send(self, piece: bytes) -> None:
        """Writes one chunk."""
        if piece:
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def end(self) -> None:
        """Ends an answer in chunks."""
        self._write(b"0\r\n\r\n")

    def reset(self) -> None:
        """Resets the connection: the client sees a TCP reset, and what was not read is lost."""
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def cut(self) -> None:
        """Closes the connection in the middle of whatever was being sent."""
        self._transport.close()

    def _write(self, data: bytes) -> None:
        self.begun = True
        if not self._transport.is_closing():
            self._transport.write(data)


def _head(status: int, headers: Mapping[str, str], framing: str, keep_alive: bool) -> bytes:
    lines = [_status_line(status), framing]
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Site is overloaded" if status == 529 else "Unknown"
    return f"HTTP/1.1 {status} {phrase}"


class Service(Protocol):
    """What stands behind the connections."""

    def opened(self, connection: Connection) -> None:
        """A client has connected."""
        ...

    def closed(self, connection: Connection, *, busy: bool) -> None:
        """A connection has ended; ``busy`` if a request was in work."""
        ...

    async def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answers one request."""
        ...

    def misread(self, status: int, message: str) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of the answer to what is no request that can be read."""
        ...


class Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[HttpRequest, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._broken = False
        self._start()

    def _start(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._body_bytes = 0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._service.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        task = self._task
        busy = task is not None and not task.done()
        if task is not None:
            task.cancel()
        self._waiting.clear()
        self._service.closed(self, busy=busy)

    def data_received(self, data: bytes) -> None:
        if self._broken:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The offer is declined by answering over HTTP/1.1; what follows would not be that.
            self._broken = True
        except httptools.HttpParserError as error:
            # A callback that refused has said so already; this is what the parser makes of it.
            self._refuse(400, f"This is not HTTP: {error}")

    def close(self) -> asyncio.Task[None] | None:
        """Drops the connection; returns the task in work for it, cancelled."""
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    # httptools' side

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if "expect" in self._headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse(413, f"The body is larger than {MAX_BODY_BYTES} bytes")
            raise ValueError("body too large")
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._broken:
            return
        request = HttpRequest(
            method=self._parser.get_method().decode("latin-1"),
            path=self._url.decode("latin-1").partition("?")[0],
            headers=self._headers,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
        )
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._waiting.append((request, keep_alive))
        self._start()
        if len(self._waiting) > _MAX_PIPELINED:
            self._refuse(400, "Too many requests were sent ahead of their answers")
        elif self._task is None or self._task.done():
            self._next()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"The head is larger than {MAX_HEAD_BYTES} bytes")
            raise ValueError("head too large")

    # our own

    def _next(self) -> None:
        request, keep_alive = self._waiting.popleft()
        self._task = asyncio.get_running_loop().create_task(self._answer(request, keep_alive))

    async def _answer(self, request: HttpRequest, keep_alive: bool) -> None:
        transport = self._transport
        assert transport is not None
        exchange = Exchange(transport, keep_alive=keep_alive, bare=request.method == "HEAD")
        await self._service.handle(request, exchange)
        if not keep_alive:
            transport.close()
        elif self._waiting and not transport.is_closing():
            self._next()

    def _refuse(self, status: int, message: str) -> None:
        if self._broken or self._transport is None:
            return
        self._broken = True
        self._waiting.clear()
        if self._task is None or self._task.done():
            body, headers = self._service.misread(status, message)
            Exchange(self._transport, keep_alive=False).respond(status, body, headers=headers)
        self._transport.close()
