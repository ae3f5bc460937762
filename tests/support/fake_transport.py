"""A transport without a network: it answers what it was given and keeps what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from fanwise.models.http.transport import HttpReply, HttpRequest, TransportStatistics


def reply(body: Any, *, status: int = 200, **headers: str) -> HttpReply:
    """An answer; a body that is no bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return HttpReply(
        status=status,
        headers={"content-type": "application/json", **headers},
        body=raw,
        connect_s=0.0,
        first_byte_s=0.0,
    )


class FakeTransport:
    """Answers every request with the next of its answers, the last one for ever.

    An answer is a reply, an exception to raise, or (for a stream) a list of chunks, in which a
    number waits that many seconds and an exception is raised.
    """

    def __init__(self, *answers: Any, headers: Mapping[str, str] | None = None) -> None:
        self._answers = list(answers)
        self._headers = {"content-type": "text/event-stream"} if headers is None else headers
        self.sent: list[HttpRequest] = []
        self.closed = False
        self.streams_left_early = 0

    def _next(self, request: HttpRequest) -> Any:
        self.sent.append(request)
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def send(self, request: HttpRequest) -> HttpReply:
        return self._next(request)

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[FakeStream]:
        answer = self._next(request)
        if isinstance(answer, HttpReply):
            answer = FakeStream([answer.body], status=answer.status, headers=answer.headers)
        else:
            answer = FakeStream(answer, status=200, headers=self._headers)
        yield answer
        self.streams_left_early += not answer.ended

    async def aclose(self) -> None:
        self.closed = True

    def statistics(self) -> TransportStatistics:
        return TransportStatistics(requests=len(self.sent))

    def body(self, index: int = -1) -> Any:
        """The JSON of a request that was sent."""
        return orjson.loads(self.sent[index].body)


class FakeStream:
    """The chunks of one answer."""

    def __init__(self, chunks: Sequence[Any], *, status: int, headers: Mapping[str, str]) -> None:
        self._chunks = chunks
        self.status = status
        self.headers = headers
        self.connect_s = 0.0
        self.first_byte_s = 0.0
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, (int, float)):
                await asyncio.sleep(chunk)
            elif isinstance(chunk, BaseException):
                raise chunk
            else:
                yield chunk
        self.ended = True

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self])
