"""One model of one server: sends a request in the server's dialect, once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from fanwise.clock import Clock
from fanwise.errors import PlanError
from fanwise.models.dialect import Collector, Dialect
from fanwise.models.endpoint import OnToken, unusable
from fanwise.models.http.errors import TransportFault, TransportTimeout, failure_of
from fanwise.models.http.transport import HttpReply, HttpRequest, HttpStream, Transport
from fanwise.models.identity import not_json
from fanwise.models.refusals import refused_by_status
from fanwise.models.sse import EventTooLarge, ServerEvent, SseParser
from fanwise.records import NOTHING, Failure, Request, Response, Timeouts
from fanwise.records.quick import maker

_LINGER_S = 1.0
_SHORTEST_KEY = 8
_REMEMBERED = 64
_make_message = maker(HttpRequest)


class RemoteEndpoint:
    """One model of one server.

    Args:
        name: ``provider/model``.
        dialect: How it is spoken to.
        others: Other dialects of the same server, by the endpoint that asks for them.
        provider: The provider's name.
        origin: Part of the identity of every call (see :class:`~fanwise.models.endpoint.Endpoint`).
        base_url: Where the endpoints are below; a query in it is kept.
        key: The API key; empty for none. It travels in a header to this base URL's host only.
        key_name: Where the key comes from: the name by which it is spoken of.
        transport: What sends.
        clock: For the time to the first token.
    """

    def __init__(
        self,
        name: str,
        *,
        dialect: Dialect,
        others: Mapping[str, Dialect] = NOTHING,
        provider: str,
        origin: str,
        base_url: str,
        key: str = "",
        key_name: str = "",
        transport: Transport,
        clock: Clock,
    ) -> None:
        self._name = name
        self._key_name = key_name
        self._provider = provider
        self._origin = origin
        self._base_url = base_url
        self._key = key
        self._transport = transport
        self._clock = clock
        self._who = f"{provider} at {urlsplit(base_url).netloc}"
        self._usual = _Spoken(dialect, base_url=base_url, key=key)
        self._others = {
            path: _Spoken(other, base_url=base_url, key=key) for path, other in others.items()
        }

    def __repr__(self) -> str:
        return f"RemoteEndpoint({self._name!r}, base_url={self._base_url!r})"

    @property
    def name(self) -> str:
        return self._name

    @property
    def provider(self) -> str:
        return self._provider

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._base_url

    @property
    def dialect(self) -> Dialect:
        """How it is spoken to, unless a request asks for another endpoint."""
        return self._usual.dialect

    @property
    def key_name(self) -> str:
        """Where its key comes from, such as ``OPENAI_API_KEY_2``; empty where it has none."""
        return self._key_name

    async def send(
        self, request: Request, *, timeouts: Timeouts, on_token: OnToken | None = None
    ) -> Response | Failure:
        """Sends once; see :meth:`fanwise.models.endpoint.Endpoint.send`.

        A request with its own ``body`` is never streamed: its text is handed out as one token.
        """
        spoken = self._usual
        if self._others:
            spoken = self._others.get(request.endpoint, spoken)
        stream = on_token is not None and request.body is None
        try:
            message = spoken.message(request, timeouts, stream=stream)
        except PlanError as error:
            return unusable(error.message, hint=error.hint, cause=error)
        except TypeError as error:
            plan = not_json(request, error)
            return unusable(plan.message, hint=plan.hint, cause=error)
        try:
            if on_token is not None and stream:
                result = await self._stream(spoken.dialect, request, message, on_token)
            else:
                reply = await self._transport.send(message)
                result = spoken.dialect.read(reply, who=self._who, request=request)
                if on_token is not None and isinstance(result, Response) and result.text:
                    on_token(result.text)
        except (TransportFault, TransportTimeout) as error:
            result = failure_of(error)
        return self._redacted(result) if isinstance(result, Failure) else result

    async def _stream(
        self, dialect: Dialect, request: Request, message: HttpRequest, on_token: OnToken
    ) -> Response | Failure:
        sent_s = self._clock.monotonic()
        async with self._transport.stream(message) as stream:
            kind = stream.headers.get("content-type", "")
            if not 200 <= stream.status < 300:
                return refused_by_status(
                    stream.status, stream.headers, await stream.read(), who=self._who
                )
            if "json" in kind or "html" in kind:
                return await self._unstreamed(dialect, request, stream, on_token)
            answer = dialect.collect(stream.headers, who=self._who, request=request)
            reader = _Reader(answer, on_token, self._clock)
            failure = await reader.read(stream)
            if failure is not None:
                return failure
            first_s = reader.first_token_s
            return answer.result(
                status=stream.status, first_token_s=None if first_s is None else first_s - sent_s
            )

    async def _unstreamed(
        self, dialect: Dialect, request: Request, stream: HttpStream, on_token: OnToken
    ) -> Response | Failure:
        """The answer of a server that did not stream although it was asked to."""
        body = await stream.read()
        reply = HttpReply(
            status=stream.status,
            headers=stream.headers,
            body=body,
            connect_s=stream.connect_s,
            first_byte_s=stream.first_byte_s,
        )
        result = dialect.read(reply, who=self._who, request=request)
        if isinstance(result, Response) and result.text:
            on_token(result.text)
        return result

    def _redacted(self, failure: Failure) -> Failure:
        """The failure without the key, which some servers repeat in what they complain about.

        A key below eight characters is a stand-in such as ``EMPTY`` for a server that asks for
        none; taking it out would only garble messages.
        """
        key = self._key
        if len(key) < _SHORTEST_KEY:
            return failure
        return replace(
            failure,
            message=failure.message.replace(key, "[key]"),
            body=failure.body.replace(key, "[key]"),
            headers={name: value.replace(key, "[key]") for name, value in failure.headers.items()},
        )


class _Spoken:
    """A dialect at one base URL: its headers, and the addresses it has made."""

    __slots__ = ("_base_url", "_headers", "_urls", "dialect")

    def __init__(self, dialect: Dialect, *, base_url: str, key: str) -> None:
        self.dialect = dialect
        self._base_url = base_url
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json",
            **dialect.headers(key),
        }
        self._urls: dict[tuple[str, bool, bool], str] = {}

    def message(self, request: Request, timeouts: Timeouts, *, stream: bool) -> HttpRequest:
        """The request on the wire. Raises PlanError and TypeError as the dialect does."""
        headers = self._headers
        if request.idempotency_key:
            headers = {**headers, "idempotency-key": request.idempotency_key}
        if stream:
            headers = {**headers, "accept": "text/event-stream"}
        place = (request.endpoint, request.body is None, stream)
        url = self._urls.get(place)
        if url is None:
            url = self.dialect.url(self._base_url, request, stream=stream)
            if len(self._urls) >= _REMEMBERED:
                self._urls.clear()
            self._urls[place] = url
        return _make_message(
            url=url,
            headers=headers,
            body=self.dialect.encode(request, stream=stream),
            timeouts=timeouts,
        )


class _Reader:
    """Reads one stream to its end, handing out its tokens."""

    def __init__(self, answer: Collector, on_token: OnToken, clock: Clock) -> None:
        self.first_token_s: float | None = None
        self._answer = answer
        self._on_token = on_token
        self._clock = clock

    async def read(self, chunks: HttpStream) -> Failure | None:
        """Returns the failure that the stream reports.

        An answer that is whole stays one, whatever becomes of the connection after it: it was paid
        for. Only its usage may then be missing. After the last event the body's end is awaited for
        a moment, so that the connection can be kept, and no longer.
        """
        parser = SseParser()
        lingering = asyncio.timeout(None)
        try:
            async with lingering:
                async for chunk in chunks:
                    failure = self._take(parser.feed(chunk))
                    if failure is not None:
                        return failure
                    if self._answer.done and lingering.when() is None:
                        lingering.reschedule(asyncio.get_running_loop().time() + _LINGER_S)
                return self._take(parser.finish())
        except EventTooLarge as error:
            return Failure(kind="protocol", message=str(error))
        except (TransportFault, TransportTimeout, TimeoutError):
            if not self._answer.whole:
                raise
            return None

    def _take(self, events: list[ServerEvent]) -> Failure | None:
        for event in events:
            whole = self._answer.whole
            taken = self._answer.take(event)
            if isinstance(taken, Failure):
                return None if whole else taken
            if taken:
                if self.first_token_s is None:
                    self.first_token_s = self._clock.monotonic()
                self._on_token(taken)
        return None
