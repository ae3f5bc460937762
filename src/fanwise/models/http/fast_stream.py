"""The body of a streamed answer on its way from the socket to its reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from fanwise.models.http.fast_decode import Decoder, UndecodableError
from fanwise.models.http.fast_parser import UnusableAnswer, too_large
from fanwise.models.http.transport import HttpReply

# The socket is left unread while more than this waits for the reader.
_HIGH_BYTES = 256 * 1024


class StreamBody:
    """A buffer with an end, between one connection and one reader.

    Args:
        max_bytes: Most that the body may come to, decompressed.

    Attributes:
        on_room: Set by the connection while it holds the server back; called when there is room.
    """

    __slots__ = (
        "_buffered_bytes",
        "_chunks",
        "_decoder",
        "_error",
        "_left_bytes",
        "_max_bytes",
        "_waiter",
        "ended",
        "on_room",
    )

    def __init__(self, *, max_bytes: int) -> None:
        self._chunks: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._left_bytes = self._max_bytes = max_bytes
        self._decoder: Decoder | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.ended = False
        self.on_room: Callable[[], None] | None = None

    def begin(self, encoding: str | None) -> None:
        """The head has come, with this content coding.

        Raises:
            UnusableAnswer: For a coding that was not asked for.
        """
        if encoding is not None:
            try:
                self._decoder = Decoder(encoding, max_bytes=self._left_bytes)
            except UndecodableError as error:
                raise UnusableAnswer(f"cannot be used: {error}") from None

    def feed(self, data: bytes) -> bool:
        """Takes the next piece; whether there is room for more.

        Raises:
            UnusableAnswer: Where it cannot be decompressed, or is too much.
        """
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except UndecodableError as error:
                raise UnusableAnswer(f"cannot be used: {error}") from None
        if data:
            self._left_bytes -= len(data)
            if self._left_bytes < 0:
                raise too_large(self._max_bytes)
            self._chunks.append(data)
            self._buffered_bytes += len(data)
            self._wake()
        return self._buffered_bytes < _HIGH_BYTES

    def finish(self) -> None:
        """The body is whole.

        Raises:
            UnusableAnswer: Where its compressed data is not.
        """
        if self._decoder is not None:
            try:
                self._decoder.finish()
            except UndecodableError as error:
                raise UnusableAnswer(f"cannot be used: {error}") from None
        self.ended = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """The body will never be whole. What has come is still handed out before the error."""
        self._error = error
        self.ended = True
        self._wake()

    async def next(self) -> bytes | None:
        """The next piece; ``None`` at the end.

        Raises:
            TransportFault, TransportTimeout: Where the body broke off.
        """
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._chunks.popleft()
        self._buffered_bytes -= len(data)
        if self.on_room is not None and self._buffered_bytes < _HIGH_BYTES // 2:
            resume, self.on_room = self.on_room, None
            resume()
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class FastStream:
    """A streamed answer, as its reader sees it: an :class:`HttpStream` of the transport."""

    __slots__ = ("_body", "_head")

    def __init__(self, head: HttpReply, body: StreamBody) -> None:
        self._head = head
        self._body = body

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._head.headers

    @property
    def connect_s(self) -> float:
        return self._head.connect_s

    @property
    def first_byte_s(self) -> float:
        return self._head.first_byte_s

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._body.next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])
