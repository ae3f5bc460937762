"""The dialect of OpenAI's chat completions, spoken to any server that understands it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from fanwise.clock import Clock
from fanwise.errors import PlanError
from fanwise.models.chat_answer import read_answer
from fanwise.models.chat_body import encode_chat, encode_schema
from fanwise.models.chat_stream import ChatStream
from fanwise.models.endpoint import OnToken, unusable
from fanwise.models.http.errors import TransportFault, TransportTimeout, failure_of
from fanwise.models.http.transport import HttpReply, HttpRequest, HttpStream, Transport
from fanwise.models.identity import not_json
from fanwise.models.names import endpoint_path
from fanwise.models.refusals import refused_by_status
from fanwise.models.sse import EventTooLarge, ServerEvent, SseParser
from fanwise.records import Failure, Request, Response, Schema, Timeouts

_PATH = re.compile(r"[A-Za-z0-9._~:-]+(/[A-Za-z0-9._~:-]+)*")
_REMEMBERED = 64
_LINGER_S = 1.0
_SHORTEST_KEY = 8


class OpenAIEndpoint:
    """One model of one OpenAI-compatible server.

    Args:
        name: ``provider/model``.
        model: The model by the server's own name.
        provider: The provider's name.
        origin: Part of the identity of every call (see :class:`~fanwise.models.endpoint.Endpoint`).
        base_url: Where the endpoints are below; a query in it is kept.
        key: The API key; empty for none. It travels in a header to this base URL's host only.
        key_header: The header that carries the key; ``authorization`` sends it as a bearer.
        stream_usage: Whether the server knows ``stream_options``.
        transport: What sends.
        clock: For the time to the first token.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        provider: str,
        origin: str,
        base_url: str,
        key: str,
        key_header: str = "authorization",
        stream_usage: bool = True,
        transport: Transport,
        clock: Clock,
    ) -> None:
        self._name = name
        self._model = model
        self._provider = provider
        self._origin = origin
        self._base_url = base_url
        self._key = key
        self._headers: dict[str, str] = {
            "content-type": "application/json",
            "accept": "application/json",
        }
        if key:
            bearer = key_header == "authorization"
            self._headers[key_header] = f"Bearer {key}" if bearer else key
        self._stream_usage = stream_usage
        self._transport = transport
        self._clock = clock
        self._urls: dict[str, str] = {}
        self._formats: dict[int, tuple[Schema, bytes]] = {}
        self._who = f"{provider} at {urlsplit(base_url).netloc}"

    def __repr__(self) -> str:
        return f"OpenAIEndpoint({self._name!r}, base_url={self._base_url!r})"

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

    async def send(
        self, request: Request, *, timeouts: Timeouts, on_token: OnToken | None = None
    ) -> Response | Failure:
        """Sends once; see :meth:`fanwise.models.endpoint.Endpoint.send`.

        A request with its own ``body`` is never streamed: its text is handed out as one token.
        """
        own_body = request.body is not None
        stream = on_token is not None and not own_body
        try:
            message = self._encode(request, timeouts, stream=stream)
        except PlanError as error:
            return unusable(error.message, hint=error.hint, cause=error)
        except TypeError as error:
            plan = not_json(request, error)
            return unusable(plan.message, hint=plan.hint, cause=error)
        try:
            if on_token is not None and stream:
                result = await self._stream(message, on_token)
            else:
                reply = await self._transport.send(message)
                result = read_answer(reply, who=self._who, keep_body=own_body)
                if on_token is not None and isinstance(result, Response) and result.text:
                    on_token(result.text)
        except (TransportFault, TransportTimeout) as error:
            result = failure_of(error)
        return self._redacted(result) if isinstance(result, Failure) else result

    def _encode(self, request: Request, timeouts: Timeouts, *, stream: bool) -> HttpRequest:
        schema = request.schema
        headers = self._headers
        if request.idempotency_key:
            headers = {**headers, "idempotency-key": request.idempotency_key}
        if stream:
            headers = {**headers, "accept": "text/event-stream"}
        return HttpRequest(
            url=self._url(request.endpoint),
            headers=headers,
            body=encode_chat(
                request,
                model=self._model,
                response_format=None if schema is None else self._format(schema),
                stream=stream,
                stream_usage=self._stream_usage,
            ),
            timeouts=timeouts,
        )

    def _format(self, schema: Schema) -> bytes:
        """The schema as it is sent, encoded once: thousands of calls share one schema object."""
        known = self._formats.get(id(schema))
        if known is not None and known[0] is schema:
            return known[1]
        encoded = encode_schema(schema)
        if len(self._formats) >= _REMEMBERED:
            self._formats.clear()
        self._formats[id(schema)] = (schema, encoded)
        return encoded

    def _url(self, endpoint: str) -> str:
        url = self._urls.get(endpoint)
        if url is None:
            url = join_url(self._base_url, endpoint)
            if len(self._urls) >= _REMEMBERED:
                self._urls.clear()
            self._urls[endpoint] = url
        return url

    async def _stream(self, message: HttpRequest, on_token: OnToken) -> Response | Failure:
        sent_s = self._clock.monotonic()
        async with self._transport.stream(message) as stream:
            kind = stream.headers.get("content-type", "")
            if not 200 <= stream.status < 300:
                return refused_by_status(
                    stream.status, stream.headers, await stream.read(), who=self._who
                )
            if "json" in kind or "html" in kind:
                return await self._unstreamed(stream, on_token)
            reader = _Reader(ChatStream(stream.headers, who=self._who), on_token, self._clock)
            failure = await reader.read(stream)
            if failure is not None:
                return failure
            first_s = reader.first_token_s
            return reader.answer.result(
                status=stream.status, first_token_s=None if first_s is None else first_s - sent_s
            )

    async def _unstreamed(self, stream: HttpStream, on_token: OnToken) -> Response | Failure:
        """The answer of a server that did not stream although it was asked to."""
        body = await stream.read()
        reply = HttpReply(
            status=stream.status,
            headers=stream.headers,
            body=body,
            connect_s=stream.connect_s,
            first_byte_s=stream.first_byte_s,
        )
        result = read_answer(reply, who=self._who)
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


class _Reader:
    """Reads one stream to its end, handing out its tokens."""

    def __init__(self, answer: ChatStream, on_token: OnToken, clock: Clock) -> None:
        self.answer = answer
        self.first_token_s: float | None = None
        self._on_token = on_token
        self._clock = clock

    async def read(self, chunks: HttpStream) -> Failure | None:
        """Returns the failure that the stream reports.

        An answer that is whole stays one, whatever becomes of the connection after it: it was paid
        for. Only its usage may then be missing. After ``[DONE]`` the body's end is awaited for a
        moment, so that the connection can be kept, and no longer.
        """
        parser = SseParser()
        lingering = asyncio.timeout(None)
        try:
            async with lingering:
                async for chunk in chunks:
                    failure = self._take(parser.feed(chunk))
                    if failure is not None:
                        return failure
                    if self.answer.done and lingering.when() is None:
                        lingering.reschedule(asyncio.get_running_loop().time() + _LINGER_S)
                return self._take(parser.finish())
        except EventTooLarge as error:
            return Failure(kind="protocol", message=str(error))
        except (TransportFault, TransportTimeout, TimeoutError):
            if not self.answer.whole:
                raise
            return None

    def _take(self, events: list[ServerEvent]) -> Failure | None:
        for event in events:
            whole = self.answer.whole
            taken = self.answer.take(event)
            if isinstance(taken, Failure):
                return None if whole else taken
            if taken:
                if self.first_token_s is None:
                    self.first_token_s = self._clock.monotonic()
                self._on_token(taken)
        return None


def join_url(base_url: str, endpoint: str) -> str:
    """An endpoint below a base URL.

    ``chat/completions`` and ``/v1/chat/completions`` name the same one. A base URL without a path
    is taken to mean ``/v1``; one with a path is taken as it stands, its query kept.

    Raises:
        PlanError: The endpoint is no plain path; it may not lead to another host.
    """
    path = endpoint_path(endpoint)
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise PlanError(
            f"{endpoint!r} is no endpoint",
            hint="give a path such as /v1/chat/completions; the host comes from the base URL",
        )
    parts = urlsplit(base_url)
    below = parts.path.rstrip("/") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, f"{below}/{path}", parts.query, ""))
