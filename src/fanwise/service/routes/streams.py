"""Events of a run as they become durable: by event stream, or by WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from fanwise.ending import end_all
from fanwise.service.feeds import FAR_BEHIND, Feed, sse
from fanwise.service.problems import NotFound, documented
from fanwise.service.routes.common import caller_of, hub_of, json_response
from fanwise.service.routes.runs import RunId

router = APIRouter(prefix="/api/v1", tags=["events"])

_ALIVE_S = 15.0
_MOST = 2**53


class _Message(NamedTuple):
    """What a watcher is told next: durable events, a snapshot, a part, the end, or nothing new.

    ``stream`` is it for an event stream, ``frame`` for a WebSocket (empty: nothing is sent there).
    """

    stream: bytes
    frame: str


def _single(kind: str, data: bytes, number: int | None = None) -> _Message:
    return _Message(sse(kind, data, number), f'{{"type":"{kind}",{data[1:].decode()}')


async def _told(feed: Feed, number: int) -> AsyncGenerator[_Message]:
    """A run as its watcher is told of it, from an event's number on."""
    shown: bytes | None = None
    parts = 0
    if feed.last - number > FAR_BEHIND:
        number = feed.last
        data = b'{"number":%d,"snapshot":%s}' % (number, feed.snapshot)
        yield _single("snapshot", data, number)
    while True:
        version = feed.version
        while events := await feed.since(number):
            number = events[-1].number
            yield _Message(feed.encoded(events), feed.framed(events))
        if feed.snapshot is not shown:
            shown = feed.snapshot
            data = b'{"number":%d,"snapshot":%s}' % (number, shown)
            yield _single("snapshot", data)
        for part in feed.parts:
            place: int = orjson.loads(part)["number"]
            if place > parts:
                parts = place
                yield _single("part", part)
        if feed.ended and number >= feed.last:
            data = b'{"number":%d}' % number
            yield _single("end", data)
            return
        try:
            async with asyncio.timeout(_ALIVE_S):
                await feed.changed(version)
        except TimeoutError:
            yield _Message(b": alive\n\n", "")


@router.get(
    "/runs/{run_id}/events",
    responses=documented(404) | {200: {"content": {"text/event-stream": {}}}},
    summary="Events of a run, live",
    response_class=StreamingResponse,
)
async def events(
    request: Request,
    run_id: RunId,
    last_event_id: Annotated[
        str | None, Header(pattern=r"^\d{1,15}$", description="The last event that was seen.")
    ] = None,
    after: Annotated[
        int, Query(ge=0, le=_MOST, description="The same, where no header can be set.")
    ] = 0,
) -> Response:
    """Server-sent events. Durable ones bear their number as id, and a client that comes back with
    `Last-Event-ID` misses none; `snapshot` (at most four a second) and `part` have no id; `end` is
    the last.
    """
    hub = hub_of(request)
    number = max(after, int(last_event_id or 0))
    await _exists(request, run_id)

    async def stream() -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        async with hub.feeds.watching(run_id) as feed:
            messages = _told(feed, number)
            try:
                async for message in messages:
                    yield message.stream
            finally:
                await messages.aclose()

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


@router.get("/runs/{run_id}/series", responses=documented(404), summary="A run's figures over time")
async def series(request: Request, run_id: RunId) -> Response:
    """Columns of equal length, at most 600 of each: items and tokens a second, calls in flight and
    their limit, refusals, retries, latencies, cost. `caught_up` is false while a long run is still
    being read: ask again.
    """
    await _exists(request, run_id)
    async with hub_of(request).feeds.watching(run_id) as feed:
        return json_response({"series": await feed.series(), "caught_up": feed.caught_up})


@router.get(
    "/runs/{run_id}/waterfall", responses=documented(404), summary="A run's calls along its time"
)
async def waterfall(request: Request, run_id: RunId) -> Response:
    """At most 2000 bars, each with the stretches of its attempts; of more calls, a sample."""
    report = await hub_of(request).reports.of(run_id)
    return json_response(
        {
            "wall_s": report.wall_s,
            "calls": report.calls_sent,
            "seams": list(report.seams),
            "bars": [asdict(bar) for bar in report.bars],
        }
    )


@router.post("/tickets", responses=documented(415), summary="A ticket for one stream")
async def ticket(request: Request) -> Response:
    """Good once and for half a minute, as `?ticket=` of an event stream or a WebSocket: a token
    itself never stands in a URL.
    """
    return json_response({"ticket": hub_of(request).tickets.issue(caller_of(request))})


@router.websocket("/runs/{run_id}/ws")
async def socket(websocket: WebSocket, run_id: str, after: int = 0) -> None:
    """The same as messages: ``{"type": "events", "events": […]}``, then its other kinds."""
    hub = hub_of(websocket)
    try:
        await _exists(websocket, run_id)
    except NotFound:
        await websocket.close(code=4404)
        return
    await websocket.accept()
    async with hub.feeds.watching(run_id) as feed:
        sending = asyncio.create_task(_send(websocket, feed, after), name=f"socket {run_id}")
        listening = asyncio.create_task(_listen(websocket), name=f"socket {run_id} listening")
        try:
            await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_all([sending, listening])


async def _send(websocket: WebSocket, feed: Feed, after: int) -> None:
    messages = _told(feed, after)
    try:
        async for message in messages:
            if message.frame:
                await websocket.send_text(message.frame)
        await websocket.close()
    except (WebSocketDisconnect, RuntimeError):
        return  # it has gone; the run goes on
    finally:
        await messages.aclose()


async def _listen(websocket: WebSocket) -> None:
    """Reads what a client sends, which means nothing, so that its leaving is noticed."""
    try:
        while True:
            await websocket.receive_text()
    except (WebSocketDisconnect, KeyError, RuntimeError):
        return


async def _exists(request: Any, run_id: str) -> None:
    hub = hub_of(request)
    if hub.supervisor.active(run_id) is None:
        await hub.views.reading(run_id, lambda reader: reader.run)
