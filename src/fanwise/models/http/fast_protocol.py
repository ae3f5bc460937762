"""One HTTP/1.1 connection: an asyncio protocol that does one exchange at a time.

Nothing here waits, uploads apart. An exchange is begun with :meth:`Connection.begin`, which returns
the future of its answer; everything after that happens in the event loop's callbacks, so that an
exchange costs no task.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from typing import cast

from fanwise.models.http.errors import TransportFault, timed_out
from fanwise.models.http.fast_deadlines import Deadlines
from fanwise.models.http.fast_faults import broken_off, closed_under_way, unusable_answer
from fanwise.models.http.fast_parser import AnswerParser, Bounds, UnusableAnswer
from fanwise.models.http.fast_socket import HangUpCheck, proves_unheard
from fanwise.models.http.fast_stream import StreamBody
from fanwise.models.http.transport import HttpReply
from fanwise.records import Phase, Timeouts
from fanwise.records.quick import maker

# Requests up to this size are handed over at once, larger ones as the server reads them.
UPLOAD_BYTES = 256 * 1024
_make_reply = maker(HttpReply)
_KEPT = re.compile(r"timeout=(\d+)")


class StaleConnectionError(Exception):
    """A kept connection had ended before a byte of the request could arrive; nothing was read."""


class Connection(asyncio.BufferedProtocol):
    """One connection to one server.

    Args:
        loop: The loop it lives on.
        server: Host and port, for messages.
        bounds: Limits of an answer's size.
        names: Header names seen so far, shared between connections.
        buffer: Where bytes are received. Connections may share it wherever the loop fills it and
            tells of it in one go, as all but Windows' proactor loop do. (A plain protocol's
            ``data_received`` costs five times as much: asyncio then allocates 256 KiB a read.)
        on_free: Called when an exchange has ended and another may begin.
        on_lost: Called once, when the connection is no more.

    Attributes:
        idle_until: Until when it may be kept, while it is idle.
        kept_s: How long the server says that it keeps it.
        exchanges: How many have been begun on it.
    """

    __slots__ = (
        "_bounds",
        "_buffer",
        "_connect_s",
        "_deadlines",
        "_drained",
        "_first_byte_at",
        "_hung_up",
        "_loop",
        "_on_free",
        "_on_lost",
        "_parser",
        "_pending",
        "_sent_at",
        "_sent_bytes",
        "_stream",
        "_transport",
        "_uploading",
        "_writing_paused",
        "exchanges",
        "idle_until",
        "kept_s",
        "server",
    )

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        server: str,
        bounds: Bounds,
        names: dict[bytes, str],
        buffer: memoryview,
        on_free: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._bounds = bounds
        self._buffer = buffer
        self._on_free = on_free
        self._on_lost = on_lost
        self._parser = AnswerParser(bounds=bounds, names=names)
        self._deadlines = Deadlines(loop=loop, on_passed=self._time_out)
        self._transport: asyncio.Transport | None = None
        self._hung_up: HangUpCheck | None = None
        self._pending: asyncio.Future[HttpReply] | None = None
        self._stream: StreamBody | None = None
        self._drained: asyncio.Future[None] | None = None
        self._writing_paused = False
        self._uploading = False
        self._connect_s = 0.0
        self._sent_at = 0.0
        self._sent_bytes = 0
        self._first_byte_at: float | None = None
        self.server = server
        self.idle_until = 0.0
        self.kept_s = math.inf
        self.exchanges = 0

    # ── what its transport calls ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # To hear of the moment when the last byte of an upload has left, not of one before it.
        self._transport.set_write_buffer_limits(high=UPLOAD_BYTES, low=0)
        self._hung_up = HangUpCheck(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._pending is None:
            self.close()  # Nobody asked: whatever it is, it must not answer the next request.
            return
        deadlines, parser = self._deadlines, self._parser
        deadlines.mark_at = now = self._loop.time()
        if self._first_byte_at is None:
            self._first_byte_at = now
        try:
            parser.feed(self._buffer[:nbytes])
            if self._stream is not None and parser.head_done:
                self._forward(self._stream, self._pending)
        except UnusableAnswer as error:
            self._fail(self._unusable(error))
            return
        if parser.complete:
            self._finish()
        else:
            deadlines.answer_goes_on()

    def eof_received(self) -> None:
        self.ended(meant=True)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._pending is not None:
            self._fail(self._broken(exc))
        self._transport = None
        self._deadlines.cancel()
        self._release_upload()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._deadlines.mark_at = self._loop.time()
        self._release_upload()

    # ── what its transport's owner calls ──

    @property
    def usable(self) -> bool:
        """Whether a request may go out on it: the peer has not hung up, as far as is known."""
        transport, hung_up = self._transport, self._hung_up
        if transport is None or hung_up is None or transport.is_closing():
            return False
        return not hung_up()

    def begin(
        self,
        head: bytes,
        body: bytes,
        *,
        timeouts: Timeouts,
        started_at: float,
        connect_s: float,
        stream: StreamBody | None,
    ) -> asyncio.Future[HttpReply]:
        """Sends a request; :meth:`upload` has to follow where the body is a large one.

        Args:
            head: Request line and headers.
            body: The whole body; at most ``UPLOAD_BYTES`` of it leave here.
            timeouts: Deadlines.
            started_at: When the attempt began, in the loop's time.
            connect_s: Seconds it took to get this connection.
            stream: Where the answer's body goes; ``None`` to have it in the reply.

        Returns:
            The future of the answer (for a stream: of its head, with an empty body). Whoever
            stops waiting for it calls :meth:`abandon`.
        """
        transport = self._transport
        assert transport is not None
        assert self._pending is None
        now = self._loop.time()
        self._pending = pending = self._loop.create_future()
        self._stream = stream
        self._connect_s = connect_s
        self._sent_at = now
        self._first_byte_at = None
        self._sent_bytes = len(head) + len(body)
        self.exchanges += 1
        self._deadlines.begin(timeouts, started_at=started_at, now=now)
        if len(body) <= UPLOAD_BYTES:
            transport.write(head + body)
        else:
            self._uploading = True
            transport.write(head)
        return pending

    async def upload(self, body: bytes, pending: asyncio.Future[HttpReply]) -> None:
        """Sends a large body as fast as the server reads it; ends early where the answer does."""
        view = memoryview(body)
        for start in range(0, len(view), UPLOAD_BYTES):
            while self._writing_paused and self._pending is pending:
                self._drained = self._loop.create_future()
                await self._drained
            if self._pending is not pending or self._transport is None:
                return
            self._transport.write(view[start : start + UPLOAD_BYTES])
            self._deadlines.mark_at = self._loop.time()
        self._uploading = False

    def abandon(self, pending: asyncio.Future[HttpReply]) -> None:
        """Closes the connection at once if this exchange is still under way on it."""
        if self._pending is pending:
            self._detach()
            self.close()

    def shut(self) -> None:
        """Closes the connection because its transport is closed."""
        if self._pending is not None:
            self._fail(closed_under_way(server=self.server, parser=self._parser))
        self.close()

    def close(self) -> None:
        """Closes the connection at once, without a farewell."""
        if self._transport is not None:
            self._transport.abort()

    def ended(self, *, meant: bool) -> None:
        """The peer's bytes have ended; ``meant`` is false where TLS says that they were cut."""
        transport = self._transport
        if self._pending is None or transport is None:
            return
        if meant and self._parser.end():
            self._finish()
        elif (
            self.exchanges > 1
            and self._first_byte_at is None
            and proves_unheard(transport, sent_bytes=self._sent_bytes)
        ):
            self._fail(StaleConnectionError())
        else:
            self._fail(self._broken(None))

    # ── the end of an exchange ──

    def _finish(self) -> None:
        """The answer is whole: the connection goes back first, then the reply goes out."""
        pending, parser, stream = self._pending, self._parser, self._stream
        assert pending is not None
        try:
            reply = self._reply(b"" if stream is not None else parser.body())
            if stream is not None:
                stream.finish()
        except UnusableAnswer as error:
            self._fail(self._unusable(error))
            return
        reusable = parser.keep_alive and not self._uploading and not pending.cancelled()
        if "keep-alive" in parser.headers:
            self.kept_s = _kept_s(parser.headers["keep-alive"])
        parser.reset()
        self._detach()
        if reusable:
            self._on_free(self)
        else:
            self.close()
        if not pending.done():
            pending.set_result(reply)

    def _fail(self, error: Exception) -> None:
        pending = self._pending
        assert pending is not None
        stream = self._detach()
        self.close()
        if not pending.done():
            pending.set_exception(error)
        elif stream is not None:
            stream.fail(error)

    def _detach(self) -> StreamBody | None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.on_room = None
        self._pending = None
        self._deadlines.end()
        self._release_upload()
        return stream

    def _release_upload(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _reply(self, body: bytes) -> HttpReply:
        first_byte_at = self._sent_at if self._first_byte_at is None else self._first_byte_at
        return _make_reply(
            status=self._parser.status,
            headers=self._parser.headers,
            body=body,
            connect_s=self._connect_s,
            first_byte_s=first_byte_at - self._sent_at,
        )

    def _forward(self, stream: StreamBody, pending: asyncio.Future[HttpReply]) -> None:
        """Hands what has come of a streamed body on, and holds the server back for a slow reader.

        Raises:
            UnusableAnswer: Where it cannot be decompressed, or is too much.
        """
        parser = self._parser
        if not pending.done():
            stream.begin(parser.encoding)
            pending.set_result(self._reply(b""))
        if not parser.parts:
            return
        has_room = stream.feed(parser.take())
        if not has_room and not parser.complete and self._transport is not None:
            self._transport.pause_reading()
            self._deadlines.held = True
            stream.on_room = self._read_on

    def _read_on(self) -> None:
        deadlines = self._deadlines
        deadlines.held = False
        deadlines.mark_at = self._loop.time()
        deadlines.answer_goes_on()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _time_out(self, phase: Phase, limit_s: float) -> None:
        parser = self._parser
        self._fail(
            timed_out(
                phase,
                server=self.server,
                limit_s=limit_s,
                maybe_sent=True,
                status=parser.status or None,
                headers=parser.headers,
            )
        )

    def _unusable(self, error: UnusableAnswer) -> TransportFault:
        return unusable_answer(error, server=self.server, parser=self._parser)

    def _broken(self, error: Exception | None) -> TransportFault:
        return broken_off(
            error,
            server=self.server,
            parser=self._parser,
            heard=self._first_byte_at is not None,
            kept=self.exchanges > 1,
        )


def _kept_s(value: str) -> float:
    """How long the server keeps an idle connection, from its ``Keep-Alive`` header."""
    found = _KEPT.search(value)
    return float(found[1]) if found is not None else math.inf
