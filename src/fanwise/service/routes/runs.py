"""Runs: starting, reading and steering them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from fanwise.engine.steering.asking import ask
from fanwise.engine.steering.orders import Order, read_change
from fanwise.errors import StateError
from fanwise.progress.html import render_html
from fanwise.progress.report import summary_json
from fanwise.service.options import LimitsChange, Priority, RunOptions
from fanwise.service.problems import NotFound, documented
from fanwise.service.results import csv_rows, in_text, json_lines, output_lines
from fanwise.service.routes.common import caller_of, hub_of, json_response
from fanwise.service.views import links

if TYPE_CHECKING:
    from fanwise.engine.steering.orders import Verb
    from fanwise.service.hub import Hub

router = APIRouter(prefix="/api/v1", tags=["runs"])

RunId = Annotated[
    str, Path(description="A run's id.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$")
]
Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of the answer.")]
Cursor = Annotated[
    int, Query(ge=0, le=2**53, description="`next` of the page before.", alias="cursor")
]


class NewRun(BaseModel):
    """Work to be carried out."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pipeline: str = Field(description="Its name: GET /api/v1/pipelines lists them.")
    input: dict[str, Any] = Field(
        description='What is asked of it. A file is named by its upload: {"upload": "file-…"}.'
    )
    options: RunOptions = Field(
        default_factory=lambda: RunOptions.model_validate({}), description="How."
    )
    priority: Priority = Field("background", description="interactive goes first.")
    callback_url: str | None = Field(
        None, max_length=2000, description="Is told of the run's end, by a signed POST."
    )


class Started(BaseModel):
    """A run that was accepted: it is durable, and will be carried out."""

    id: str
    status: str
    links: dict[str, str]


class RunPage(BaseModel):
    """A part of the list of runs."""

    data: list[dict[str, Any]]
    next: str | None = Field(description="Asks for what follows, as `cursor`; null at the end.")


@router.get("/pipelines", responses=documented(), summary="What can be asked for")
async def pipelines(request: Request) -> Response:
    """Every pipeline with its summary and the fields of its jobs."""
    hub = hub_of(request)
    found = [
        {
            "name": pipeline.name,
            "summary": pipeline.summary,
            "fields": [asdict(field) for field in pipeline.fields],
        }
        for pipeline in sorted(hub.pipelines.values(), key=lambda one: one.name)
    ]
    return json_response({"data": found})


@router.post(
    "/runs",
    status_code=202,
    responses=documented(404, 409, 413, 415, 429),
    summary="Start a run",
)
async def start(
    request: Request,
    new: NewRun,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="The same key and request start one run only."),
    ] = None,
) -> Started:
    """Accepts work. Once this answers, the run is durable: it goes on after the client leaves and
    after the service restarts.
    """
    hub = hub_of(request)
    caller = caller_of(request)
    if new.callback_url is not None:
        hub.callbacks.check(new.callback_url)
    accepted = await hub.supervisor.submit(
        pipeline=new.pipeline,
        fields=new.input,
        options=new.options,
        caller=caller.name,
        priority=new.priority,
        idempotency_key=idempotency_key,
    )
    if new.callback_url is not None:
        await hub.callbacks.register(accepted.run_id, new.callback_url)
    await hub.note(caller, "run.started", accepted.run_id, new.pipeline)
    return Started(id=accepted.run_id, status=accepted.state, links=links(accepted.run_id))


@router.get("/runs", responses=documented(404), summary="All runs, newest first")
async def listed(
    request: Request,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=128)] = None,
    pipeline: Annotated[str | None, Query(max_length=64)] = None,
    status: Annotated[str | None, Query(max_length=32)] = None,
) -> RunPage:
    """The runs of this journal, those of the command line too."""
    page = await hub_of(request).views.runs(
        limit=limit, after=cursor, pipeline=pipeline, status=status
    )
    return RunPage(data=[dict(row) for row in page.data], next=page.next)


@router.get("/runs/{run_id}", responses=documented(404), summary="One run")
async def one(request: Request, run_id: RunId) -> Response:
    """A run with its figures, and its result once it has ended."""
    found = await hub_of(request).views.run(run_id)
    return json_response(found, request=request)


@router.delete(
    "/runs/{run_id}", status_code=204, responses=documented(404, 409, 415), summary="Delete a run"
)
async def remove(request: Request, run_id: RunId) -> Response:
    """Removes a run that has ended, with everything in it."""
    hub = hub_of(request)
    found = await hub.views.run(run_id)
    if hub.supervisor.active(run_id) is not None or found["live"]:
        raise StateError(f"run {run_id} is under way", hint="cancel it first")
    if found["begun"] and not await hub.views.in_thread(lambda: hub.home.remove(run_id)):
        raise StateError(f"run {run_id} is under way", hint="cancel it first")
    await hub.ledger.forget(run_id)
    await hub.note(caller_of(request), "run.deleted", run_id)
    return Response(status_code=204)


@router.get("/runs/{run_id}/items", responses=documented(404), summary="Items that have ended")
async def items(
    request: Request,
    run_id: RunId,
    limit: Limit = 100,
    cursor: Cursor = 0,
    state: Literal["succeeded", "failed", "cancelled"] | None = None,
) -> Response:
    """In the order in which they ended; `cursor` is the number of the last one seen."""
    page = await hub_of(request).views.items(run_id, limit=limit, after=cursor, state=state)
    return json_response({"data": page.data, "next": page.next})


@router.get("/runs/{run_id}/items/{item_id:path}", responses=documented(404), summary="One item")
async def item(request: Request, run_id: RunId, item_id: str) -> Response:
    """An item with its calls and every attempt of them."""
    return json_response(await hub_of(request).views.item(run_id, item_id))


@router.get("/runs/{run_id}/calls", responses=documented(404), summary="Calls")
async def calls(
    request: Request,
    run_id: RunId,
    limit: Limit = 100,
    cursor: Cursor = 0,
    state: Literal["sending", "served", "failed", "cancelled", "ambiguous"] | None = None,
) -> Response:
    """Calls in the order in which they were begun, with every attempt."""
    page = await hub_of(request).views.calls(run_id, limit=limit, after=cursor, state=state)
    return json_response({"data": page.data, "next": page.next})


@router.get(
    "/runs/{run_id}/report",
    responses=documented(404)
    | {200: {"content": {"text/html": {}, "text/plain": {}, "application/json": {}}}},
    summary="The performance report",
)
async def report(
    request: Request,
    run_id: RunId,
    shape: Annotated[Literal["json", "html", "text"], Query(alias="format")] = "json",
) -> Response:
    """What the run took, what it would have taken one call after another, and what limited it."""
    hub = hub_of(request)
    found = await hub.reports.of(run_id)
    if shape == "json":
        return json_response(summary_json(found))
    if shape == "text":
        return Response(await hub.views.in_thread(lambda: in_text(found)), media_type="text/plain")
    page = await hub.views.in_thread(lambda: render_html(found))
    return Response(
        page,
        media_type="text/html",
        headers={"content-disposition": f'attachment; filename="{run_id}.html"'},
    )


@router.get(
    "/runs/{run_id}/results",
    responses=documented(404) | {200: {"content": {"application/x-ndjson": {}, "text/csv": {}}}},
    summary="Results",
)
async def results(
    request: Request,
    run_id: RunId,
    shape: Annotated[
        Literal["jsonl", "csv", "lines"],
        Query(alias="format", description="`lines` are those that `fanwise export` writes."),
    ] = "jsonl",
    ordered: Annotated[bool, Query(description="Lines in the order of the input.")] = False,
) -> Response:
    """One line an item, failures included; of a run under way, as far as it is."""
    hub = hub_of(request)
    kinds = {"csv": csv_rows, "jsonl": json_lines}
    lines = kinds.get(shape) or partial(output_lines, ordered=ordered)
    pieces = await hub.views.in_pieces(run_id, lines)
    media = "text/csv" if shape == "csv" else "application/x-ndjson"
    return StreamingResponse(
        pieces,
        media_type=media,
        headers={"content-disposition": f'attachment; filename="{run_id}.{shape}"'},
    )


# steering


async def _steer(
    hub: Hub, run_id: str, verb: Verb, change: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Gives an order to whoever works on the run.

    Raises:
        StateError: Nobody does.
    """
    order = Order(verb=verb) if change is None else Order(verb=verb, change=read_change(change))
    state = await hub.views.in_thread(lambda: ask(order, location=hub.home.location, run_id=run_id))
    if state is None:
        raise StateError(
            f"nobody works on run {run_id}", hint="POST …/resume goes on with it where it can be"
        )
    return state


async def _known(request: Request, run_id: str) -> Hub:
    hub = hub_of(request)
    await hub.views.run(run_id)
    return hub


@router.post("/runs/{run_id}/pause", responses=documented(404, 409, 415), summary="Pause a run")
async def pause(request: Request, run_id: RunId) -> Response:
    """Nothing more is sent until it is resumed; what is in flight ends and is kept."""
    hub = await _known(request, run_id)
    state = await _steer(hub, run_id, "pause")
    await hub.note(caller_of(request), "run.paused", run_id)
    return json_response(state)


@router.post("/runs/{run_id}/resume", responses=documented(404, 409, 415, 429), summary="Go on")
async def resume(request: Request, run_id: RunId) -> Response:
    """Ends a pause, or goes on with a run that was stopped or interrupted."""
    hub = await _known(request, run_id)
    await hub.note(caller_of(request), "run.resumed", run_id)
    active = hub.supervisor.active(run_id)
    if active is not None:
        if active.run is None:
            return json_response({"run_id": run_id, "state": "waiting"})
        return json_response(await _steer(hub, run_id, "resume"))
    return await _again(hub, run_id, only_failed=False)


@router.post(
    "/runs/{run_id}/retry-failed",
    responses=documented(404, 409, 415, 429),
    summary="Send failed items again",
)
async def retry_failed(request: Request, run_id: RunId) -> Response:
    """What succeeded is read from the journal and costs nothing; what failed goes out again."""
    hub = await _known(request, run_id)
    await hub.note(caller_of(request), "run.retried", run_id)
    return await _again(hub, run_id, only_failed=True)


async def _again(hub: Hub, run_id: str, *, only_failed: bool) -> Response:
    accepted = await hub.ledger.find(run_id)
    if accepted is None:
        verb = "retry" if only_failed else "resume"
        raise StateError(
            f"run {run_id} was begun by the command line or a program",
            hint=f"go on with it there: fanwise {verb} {run_id}",
        )
    if accepted.state in {"finished", "cancelled"} and not only_failed:
        raise StateError(
            f"run {run_id} is {accepted.state}", hint="POST …/retry-failed sends what failed again"
        )
    await hub.supervisor.again(accepted)
    return json_response({"run_id": run_id, "state": "waiting"})


@router.post("/runs/{run_id}/drain", responses=documented(404, 409, 415), summary="Stop a run")
async def drain(request: Request, run_id: RunId) -> Response:
    """It takes no further item; calls in flight may end. It can be gone on with."""
    hub = await _known(request, run_id)
    state = await _steer(hub, run_id, "drain")
    await hub.note(caller_of(request), "run.drained", run_id)
    return json_response(state)


@router.post("/runs/{run_id}/cancel", responses=documented(404, 409, 415), summary="Cancel a run")
async def cancel(request: Request, run_id: RunId) -> Response:
    """It ends for good; what was paid for is kept."""
    hub = await _known(request, run_id)
    caller = caller_of(request)
    active = hub.supervisor.active(run_id)
    if active is not None and await hub.supervisor.withdraw(run_id):
        await hub.note(caller, "run.cancelled", run_id)
        return json_response({"run_id": run_id, "state": "cancelled"})
    if active is not None and active.run is None:
        active.cancelled = True
        await hub.note(caller, "run.cancelled", run_id)
        return json_response({"run_id": run_id, "state": "cancelling"})
    accepted = await hub.ledger.find(run_id)
    if active is None and accepted is not None and accepted.state == "stopped":
        await hub.ledger.becomes(run_id, "cancelled", now=hub.clock.wall())
        await hub.note(caller, "run.cancelled", run_id)
        return json_response({"run_id": run_id, "state": "cancelled"})
    state = await _steer(hub, run_id, "cancel")
    await hub.note(caller, "run.cancelled", run_id)
    return json_response(state)


@router.patch(
    "/runs/{run_id}/limits",
    responses=documented(404, 409, 415, 429),
    summary="Change limits or budget",
)
async def limits(request: Request, run_id: RunId, change: LimitsChange) -> Response:
    """New limits hold at once, and when the run is gone on with."""
    hub = await _known(request, run_id)
    given = change.given()
    read_change(given)
    active = hub.supervisor.active(run_id)
    accepted = await hub.ledger.find(run_id)
    if accepted is not None:
        options = RunOptions.model_validate({**accepted.options, **given})
        await hub.supervisor.change(accepted, options)
    elif active is None and not (await hub.views.run(run_id))["live"]:
        raise NotFound(f"nobody works on run {run_id}", hint=f"fanwise set {run_id} …")
    state: dict[str, Any] = {"run_id": run_id, "state": "stored"}
    if given and (accepted is None or (active is not None and active.run is not None)):
        state = await _steer(hub, run_id, "set", given)
    await hub.note(caller_of(request), "limits.changed", run_id, orjson.dumps(given).decode())
    return json_response(state)
