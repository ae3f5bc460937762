"""The transport on aiohttp: the one that knows proxies."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from fanwise.errors import StateError
from fanwise.models.http.aiohttp_attempt import AiohttpAttempt
from fanwise.models.http.aiohttp_errors import fault_of
from fanwise.models.http.errors import TransportFault
from fanwise.models.http.fast_decode import Decoder, UndecodableError, coding_of
from fanwise.models.http.fast_parser import Bounds, UnusableAnswer, head_too_large, too_large
from fanwise.models.http.fast_request import Target, request_head, target_of
from fanwise.models.http.proxies import ProxyRules, proxy_for, proxy_rules
from fanwise.models.http.tls import tls_context
from fanwise.models.http.transport import HttpReply, HttpRequest, HttpStream, TransportStatistics

_DEFAULT_BOUNDS = Bounds()
# aiohttp warns of larger bodies handed over as bytes; a file it sends piece by piece.
_LARGE_BYTES = 256 * 1024
_FRAMES = frozenset({"content-length", "transfer-encoding"})


class AiohttpTransport:
    """One aiohttp session without cookies, redirects, retries or a limit of its own.

    Args:
        ca_file: PEM file of authorities trusted besides the system's.
        bounds: Limits of an answer's size.
        idle_s: Longest that an unused connection is kept, in seconds.
        proxies: Which proxy to take; by default what the environment names now.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        bounds: Bounds = _DEFAULT_BOUNDS,
        idle_s: float = 15.0,
        proxies: ProxyRules | None = None,
    ) -> None:
        self._ca_file = ca_file
        self._bounds = bounds
        self._idle_s = idle_s
        self._proxies = proxy_rules(os.environ) if proxies is None else proxies
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._requests = 0
        self._opened = 0
        self._reused = 0
        self._in_use = 0

    def __repr__(self) -> str:
        return f"<AiohttpTransport {self._in_use} in use>"

    async def send(self, request: HttpRequest) -> HttpReply:
        async with self.stream(request) as stream:
            return HttpReply(
                status=stream.status,
                headers=stream.headers,
                body=await stream.read(),
                connect_s=stream.connect_s,
                first_byte_s=stream.first_byte_s,
            )

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncGenerator[HttpStream]:
        session, target = self._open_session(), target_of(request.url)
        # Held to the same rules as on the other transport: one place says what can be sent.
        request_head(
            target,
            method=request.method,
            headers=request.headers,
            body_bytes=len(request.body),
        )
        attempt = AiohttpAttempt(server=target.server, timeouts=request.timeouts)
        self._requests += 1
        self._in_use += 1
        response: aiohttp.ClientResponse | None = None
        try:
            response = await attempt.guard(self._ask(session, request, target, attempt))
            yield self._stream_of(response, attempt)
        finally:
            self._in_use -= 1
            if response is not None:
                response.close()

    async def aclose(self) -> None:
        """Closes every connection at once; what is under way fails."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def statistics(self) -> TransportStatistics:
        return TransportStatistics(
            requests=self._requests,
            opened=self._opened,
            reused=self._reused,
            in_use=self._in_use,
            idle=0,
        )

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        request: HttpRequest,
        target: Target,
        attempt: AiohttpAttempt,
    ) -> aiohttp.ClientResponse:
        body: bytes | io.BytesIO | None = request.body
        if len(request.body) > _LARGE_BYTES:
            body = io.BytesIO(request.body)
        elif request.method == "GET" and not request.body:
            body = None
        scheme = "https" if target.tls else "http"
        return await session.request(
            request.method,
            URL(f"{scheme}://{target.authority}{target.path}", encoded=True),
            headers=request.headers,
            data=body,
            allow_redirects=False,
            proxy=proxy_for(request.url, self._proxies),
            trace_request_ctx=attempt,
        )

    def _stream_of(self, response: aiohttp.ClientResponse, attempt: AiohttpAttempt) -> HttpStream:
        headers = _joined(response.headers)
        first_byte_s = attempt.answered(response.status, headers)
        if response.status < 200:
            raise _unusable(attempt, UnusableAnswer("switches to another protocol"))
        size = sum(len(name) + len(value) + 4 for name, value in response.raw_headers)
        if size > self._bounds.head_bytes:
            raise _unusable(attempt, head_too_large(self._bounds.head_bytes))
        coding = coding_of(headers.get("content-encoding", ""))
        most = self._bounds.body_bytes
        if (response.content_length or 0) > most:
            raise _unusable(attempt, too_large(most))
        try:
            decoder = None if coding is None else Decoder(coding, max_bytes=most)
        except UndecodableError as error:
            raise _unusable(attempt, UnusableAnswer(f"cannot be used: {error}")) from None
        return AiohttpStream(
            response, attempt, first_byte_s=first_byte_s, decoder=decoder, max_bytes=most
        )

    def _open_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise StateError("the transport is closed", hint="open another one")
        if self._session is None:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=self._idle_s, ssl=tls_context(self._ca_file)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                skip_auto_headers=["Content-Type"],
                headers={"Accept-Encoding": "gzip, deflate"},
                max_line_size=self._bounds.head_bytes,
                max_field_size=self._bounds.head_bytes,
                max_headers=self._bounds.head_bytes // 4,
                trace_configs=[self._tracing()],
            )
        if loop is not self._loop:
            raise StateError(
                "the transport belongs to another event loop", hint="open one for each loop"
            )
        return self._session

    def _tracing(self) -> aiohttp.TraceConfig:
        tracing = aiohttp.TraceConfig()

        async def opened(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
            self._opened += 1
            context.trace_request_ctx.connected(fresh=True)

        async def reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
            self._reused += 1
            context.trace_request_ctx.connected(fresh=False)

        async def wrote(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
            context.trace_request_ctx.wrote()

        tracing.on_connection_create_end.append(opened)
        tracing.on_connection_reuseconn.append(reused)
        tracing.on_request_headers_sent.append(wrote)
        tracing.on_request_chunk_sent.append(wrote)
        return tracing


class AiohttpStream:
    """A streamed answer (:class:`fanwise.models.http.transport.HttpStream`)."""

    __slots__ = (
        "_attempt",
        "_closed",
        "_decoder",
        "_first_byte_s",
        "_left_bytes",
        "_max_bytes",
        "_response",
    )

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        attempt: AiohttpAttempt,
        *,
        first_byte_s: float,
        decoder: Decoder | None,
        max_bytes: int,
    ) -> None:
        self._response = response
        self._attempt = attempt
        self._first_byte_s = first_byte_s
        self._decoder = decoder
        self._left_bytes = self._max_bytes = max_bytes
        self._closed = None if not _FRAMES.isdisjoint(attempt.headers) else _end_of(response)

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._attempt.headers

    @property
    def connect_s(self) -> float:
        return self._attempt.connect_s

    @property
    def first_byte_s(self) -> float:
        return self._first_byte_s

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            piece = await self._attempt.guard(self._response.content.readany())
            if not piece:
                self._finish()
                raise StopAsyncIteration
            piece = self._decoded(piece)
            self._left_bytes -= len(piece)
            if self._left_bytes < 0:
                raise _unusable(self._attempt, too_large(self._max_bytes))
            if piece:
                return piece

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    def _decoded(self, piece: bytes) -> bytes:
        if self._decoder is None:
            return piece
        try:
            return self._decoder.feed(piece)
        except UndecodableError as error:
            raise _unusable(self._attempt, UnusableAnswer(f"cannot be used: {error}")) from None

    def _finish(self) -> None:
        closed = self._closed
        if closed is not None and closed.done() and closed.exception() is not None:
            raise fault_of(
                aiohttp.ClientPayloadError(str(closed.exception())),
                server=self._attempt.server,
                phase=self._attempt.phase,
                status=self.status,
                headers=self.headers,
            )
        if self._decoder is None:
            return
        try:
            self._decoder.finish()
        except UndecodableError as error:
            raise _unusable(self._attempt, UnusableAnswer(f"cannot be used: {error}")) from None


def _end_of(response: aiohttp.ClientResponse) -> asyncio.Future[None] | None:
    """Done when the connection is closed: how it was says whether a body until then is whole."""
    protocol = None if response.connection is None else response.connection.protocol
    closed = None if protocol is None else protocol.closed
    if closed is not None:
        # Its exception is a fact for whoever asks, and nothing to be reported as a bug.
        closed.add_done_callback(lambda done: done.cancelled() or done.exception())
    return closed


def _joined(headers: Mapping[str, str]) -> Mapping[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


def _unusable(attempt: AiohttpAttempt, error: UnusableAnswer) -> TransportFault:
    return TransportFault(
        f"the answer of {attempt.server} {error.message}",
        kind="protocol",
        phase="between_chunks",
        maybe_sent=True,
        hint=error.hint,
        status=attempt.status,
        headers=attempt.headers,
    )
