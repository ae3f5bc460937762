"""What the applications' own routes have in common: their errors, their streams, how they wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as AnyHTTPException

from fanwise.errors import FanwiseError
from fanwise.pipelines import Event
from fanwise.service import waiting
from fanwise.service.feeds import sse
from fanwise.service.problems import (
    Problem,
    SeedError,
    invalid_of,
    problem_of,
    seed_response,
)
from fanwise.service.routes.common import caller_of, hub_of
from fanwise.service.views import plain
from fanwise.service.waiting import Asked, failure, trouble_of

log = structlog.get_logger("fanwise.service")

MOST_BYTES: Final = 40 * 1024 * 1024
_ALIVE_S = 15.0

Shape = Callable[[Event], Mapping[str, Any]]


class SeedRoute(APIRoute):
    """A route whose errors bear a text that clients show: ``{"success": false, "error": "…"}``.

    Wrong fields are 400, and a body of more than 40 MB is 413.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(Request(request.scope, _bounded(request)))
            except FanwiseError as error:
                return seed_response(told_of(error))
            except RequestValidationError as error:
                wrong = invalid_of(error)
                return seed_response(failure("invalid_fields", wrong.message, fields=wrong.fields))
            except AnyHTTPException as error:
                kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
                return seed_response(
                    Problem(status=error.status_code, kind=kind, message=str(error.detail))
                )
            except Exception:
                log.exception("request failed", path=request.url.path)
                message = "the service has failed at this; its log says why"
                return seed_response(failure("internal", message))

        return handle


def seed_documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of such a route, for its documentation."""
    common = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503)
    return {
        status: {"model": SeedError, "description": HTTPStatus(status).phrase}
        for status in sorted({*common, *statuses})
    }


def told_of(error: FanwiseError) -> Problem:
    """What a client of these routes is told of an error of ours."""
    found = problem_of(error)
    kind = found.kind
    return failure(
        kind, found.message, hint=found.hint, fields=found.fields, wait_s=found.retry_after_s
    )


async def ask(request: Request, pipeline: str, fields: Mapping[str, Any]) -> Asked:
    """Accepts work that the request waits for; ``Idempotency-Key`` is honoured."""
    return await waiting.ask(
        hub_of(request),
        caller=caller_of(request),
        pipeline=pipeline,
        fields=fields,
        idempotency_key=request.headers.get("idempotency-key"),
    )


async def result_of(request: Request, asked: Asked) -> Mapping[str, Any] | Response:
    """A run's result once it has ended, or the answer that says why there is none."""
    ended = await asked.within(hub_of(request).settings.answer_s)
    problem = trouble_of(ended, run_id=asked.run_id)
    if problem is not None:
        return refused(problem, run_id=asked.run_id)
    assert ended is not None
    assert ended.result is not None
    return ended.result


def refused(problem: Problem, *, run_id: str) -> Response:
    """An error of a run, with the run's id."""
    answer = seed_response(problem)
    answer.headers["x-fanwise-run"] = run_id
    return answer


def answered(value: Mapping[str, Any], *, run_id: str, status: int = 200) -> Response:
    """A result as JSON, with the run's id."""
    return Response(
        orjson.dumps(plain(value), option=orjson.OPT_NON_STR_KEYS),
        status_code=status,
        media_type="application/json",
        headers={"x-fanwise-run": run_id},
    )


def streamed(asked: Asked, *, subject: str, shape: Shape) -> Response:
    """A run's events as an event stream: ``progress``, ``result``, ``error``, and ``complete`` at
    the end. It ends without ``complete`` where the run has failed as a whole, or the service stops.

    Args:
        asked: The run.
        subject: What a part is called: ``modelId``.
        shape: What a part's result is sent as.
    """

    def message(event: Event) -> bytes:
        data: dict[str, Any] = {"type": event.kind, "message": event.message}
        data["percent"] = event.percent
        data[subject] = event.subject or None
        if event.kind == "result":
            data["result"] = shape(event)
        elif event.kind == "error":
            data |= {"error": event.message, "detail": event.data}
        return _sse(event.kind, data)

    async def stream() -> AsyncIterator[bytes]:
        events = asked.events(alive_s=_ALIVE_S)
        try:
            async for event in events:
                if event is None:
                    yield b": alive\n\n"
                elif event.kind != "complete":
                    yield message(event)
        finally:
            await events.aclose()
        yield _ending(await asked.ended(), asked.run_id)

    headers = {
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-fanwise-run": asked.run_id,
    }
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _ending(ended: Any, run_id: str) -> bytes:
    problem = trouble_of(ended, run_id=run_id)
    if problem is None:
        data = {"type": "complete", "percent": 100, "runId": run_id, "result": ended.result}
        return _sse("complete", data)
    told: dict[str, Any] = {
        "type": "error",
        "error": problem.message,
        "message": problem.message,
        "kind": problem.kind,
        "hint": problem.hint,
        "status": problem.status,
        "fields": dict(problem.fields),
        "runId": run_id,
    }
    return _sse("error", told)


def _sse(kind: str, data: Mapping[str, Any]) -> bytes:
    return sse(kind, orjson.dumps(plain(data), option=orjson.OPT_NON_STR_KEYS))


def _bounded(request: Request) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """What receives a request's body, and refuses one that is too large."""
    received = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise HTTPException(413, f"the body is larger than {MOST_BYTES >> 20} MB")
        return message

    return receive
