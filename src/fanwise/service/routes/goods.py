"""What the pipelines have brought: shipments, notes, drafts of resumes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from fanwise.pipelines.scan.status import Status
from fanwise.service.options import RunOptions
from fanwise.service.problems import documented
from fanwise.service.routes.catalogue import After, Id, Limit, Strict, made
from fanwise.service.routes.common import caller_of, hub_of, json_response
from fanwise.service.routes.matching import matching
from fanwise.service.views import links

router = APIRouter(prefix="/api/v1", tags=["results"])

Key = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$")]
Number = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{3,60}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-02-01"])]
Which = Annotated[list[int | str], Field(max_length=1000, description="By number or path.")]


class NewShipment(Strict):
    """A shipment that no mail spoke of."""

    tracking_number: Number
    carrier: str = Field(max_length=64)
    supplier: str | None = Field(None, max_length=128)
    po_number: str | None = Field(None, max_length=64)
    shipped_date: Day | None = None


class ShipmentChange(Strict):
    """What of a shipment is to be another."""

    status: Status | None = None
    carrier: str | None = Field(None, max_length=64)
    supplier: str | None = Field(None, max_length=128)
    po_number: str | None = Field(None, max_length=64)
    shipped_date: Day | None = None


class DraftChange(Strict):
    """What is decided on a draft's changes."""

    accept: Which = Field(default_factory=list[int | str])
    reject: Which = Field(default_factory=list[int | str])
    undo: bool = Field(False, description="Take the last decision back first.")
    promote: bool = Field(False, description="Make it a resume of its own at the end.")


class NewWork(BaseModel):
    """The fields of a job."""

    input: dict[str, Any]
    options: RunOptions = Field(default_factory=lambda: RunOptions.model_validate({}))


# shipments


@router.get("/shipments", responses=documented(), summary="Shipments")
async def shipments(
    request: Request,
    limit: Limit = 100,
    cursor: After = None,
    status: Status | None = None,
    carrier: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """By tracking number."""
    page = await hub_of(request).goods.shipments(
        limit=limit, after=cursor, status=status, carrier=carrier
    )
    return json_response({"data": page.data, "next": page.next}, request=request)


@router.post("/shipments", status_code=201, responses=documented(409, 415), summary="Add one")
async def add_shipment(request: Request, new: NewShipment) -> Response:
    """A shipment that no mail spoke of."""
    by = caller_of(request).name
    return made(await hub_of(request).goods.add_shipment(new.model_dump(), by=by))


@router.get("/shipments/{number}", responses=documented(404), summary="One shipment")
async def shipment(request: Request, number: Id) -> Response:
    """With what its carrier has reported."""
    return json_response(await hub_of(request).goods.shipment(number), request=request)


@router.patch(
    "/shipments/{number}", responses=documented(404, 412, 415), summary="Change a shipment"
)
async def change_shipment(request: Request, number: Id, change: ShipmentChange) -> Response:
    """What is given is another. What is delivered stays so, unless something went wrong after."""
    goods = hub_of(request).goods
    matching(request, await goods.shipment(number))
    found = await goods.change_shipment(number, change.model_dump(exclude_none=True))
    return json_response(found, request=request)


@router.delete(
    "/shipments/{number}", status_code=204, responses=documented(404, 415),
    summary="Delete a shipment",
)  # fmt: skip
async def remove_shipment(request: Request, number: Id) -> Response:
    """With its reports; its mail stays scanned."""
    hub = hub_of(request)
    await hub.goods.remove_shipment(number)
    await hub.note(caller_of(request), "shipment.deleted", number)
    return Response(status_code=204)


# notes


@router.get("/notes", responses=documented(), summary="Notes")
async def notes(
    request: Request,
    limit: Limit = 100,
    cursor: After = None,
    video: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """By key, without their text."""
    page = await hub_of(request).goods.notes(limit=limit, after=cursor, video=video)
    return json_response({"data": page.data, "next": page.next}, request=request)


@router.post("/notes", status_code=202, responses=documented(404, 415, 429), summary="Write notes")
async def new_notes(request: Request, new: NewWork) -> Response:
    """The same as `POST /api/v1/runs` of the pipeline `notes`."""
    return await _begun(request, "notes", new)


@router.get("/notes/{key}", responses=documented(404), summary="One note")
async def note(request: Request, key: Key) -> Response:
    """With its text, depth by depth."""
    return json_response(await hub_of(request).goods.note(key), request=request)


@router.delete(
    "/notes/{key}", status_code=204, responses=documented(404, 409, 415), summary="Delete a note"
)
async def remove_note(request: Request, key: Key) -> Response:
    """The next request for it writes it anew."""
    hub = hub_of(request)
    await hub.goods.remove_note(key)
    await hub.note(caller_of(request), "note.deleted", key)
    return Response(status_code=204)


# drafts


@router.get("/drafts", responses=documented(), summary="Drafts of resumes")
async def drafts(request: Request, limit: Limit = 100) -> Response:
    """The newest, without their text."""
    found = await hub_of(request).goods.drafts(limit=limit)
    return json_response({"data": found, "next": None}, request=request)


@router.post("/drafts", status_code=202, responses=documented(404, 415, 429), summary="Make drafts")
async def new_drafts(request: Request, new: NewWork) -> Response:
    """The same as `POST /api/v1/runs` of the pipeline `tailor`."""
    return await _begun(request, "tailor", new)


@router.get("/drafts/{key}", responses=documented(404), summary="One draft")
async def draft(request: Request, key: Key) -> Response:
    """Its changes with what is decided on them, the resume as it is then, and its score."""
    return json_response(await hub_of(request).goods.draft(key), request=request)


@router.patch(
    "/drafts/{key}", responses=documented(404, 409, 412, 415), summary="Decide on a draft"
)
async def decide(request: Request, key: Key, change: DraftChange) -> Response:
    """Undo, accept, reject, promote: what is asked, in this order."""
    goods = hub_of(request).goods
    matching(request, await goods.draft(key))
    found = await goods.decide(key, **change.model_dump())
    return json_response(found, request=request)


@router.delete(
    "/drafts/{key}", status_code=204, responses=documented(404, 415), summary="Delete a draft"
)
async def remove_draft(request: Request, key: Key) -> Response:
    """The resume that it was made of stays."""
    hub = hub_of(request)
    await hub.goods.remove_draft(key)
    await hub.note(caller_of(request), "draft.deleted", key)
    return Response(status_code=204)


async def _begun(request: Request, pipeline: str, new: NewWork) -> Response:
    hub, caller = hub_of(request), caller_of(request)
    accepted = await hub.supervisor.submit(
        pipeline=pipeline, fields=new.input, options=new.options, caller=caller.name
    )
    await hub.note(caller, "run.started", accepted.run_id, pipeline)
    found = {"id": accepted.run_id, "status": accepted.state, "links": links(accepted.run_id)}
    return made(found, status=202)
