"""OpenAI's routes for files and batches, so that its clients work unchanged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from fanwise.service.problems import NotFound, documented
from fanwise.service.routes.common import caller_of, hub_of, json_response

if TYPE_CHECKING:
    from fanwise.service.batches import Batch
    from fanwise.service.hub import Hub
    from fanwise.service.uploads import Upload

router = APIRouter(prefix="/v1", tags=["openai"])

_PIECE = 256 * 1024
_INSTANTS = (
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


class NewBatch(BaseModel):
    """A batch to be carried out."""

    model_config = ConfigDict(extra="ignore")

    input_file_id: str = Field(max_length=128)
    endpoint: str = Field(max_length=64, examples=["/v1/chat/completions"])
    completion_window: Literal["24h"] = "24h"
    metadata: dict[str, str] | None = Field(
        None, description="`fanwise_provider` names another provider than OpenAI, such as `groq`."
    )


@router.post("/files", responses=documented(413, 415), summary="Upload a file")
async def add_file(
    request: Request,
    file: Annotated[UploadFile, File()],
    purpose: Annotated[str, Form(max_length=32, pattern=r"^[a-z_-]+$")],
) -> Response:
    """Keeps a file of requests for a batch."""
    hub = hub_of(request)

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await file.read(_PIECE):
            yield piece

    upload = await hub.uploads.add(
        pieces(),
        name=file.filename or "file.jsonl",
        media_type=file.content_type or "application/jsonl",
        purpose=purpose,
        caller=caller_of(request).name,
        limit=hub.settings.batch_bytes,
    )
    return json_response(_file(upload))


@router.get("/files", responses=documented(), summary="Files")
async def files(
    request: Request,
    purpose: Annotated[str | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    after: Annotated[str | None, Query(max_length=128)] = None,
) -> Response:
    """Newest first."""
    found = list(await hub_of(request).uploads.listed(purpose=purpose))
    if after is not None:
        places = [place for place, one in enumerate(found) if one.id == after]
        found = found[places[0] + 1 :] if places else []
    data = [_file(one) for one in found[:limit]]
    return json_response(_listed(data, has_more=len(found) > limit))


@router.get("/files/{file_id}", responses=documented(404), summary="A file's facts")
async def file_facts(request: Request, file_id: str) -> Response:
    """What is known of a file."""
    return json_response(_file(await hub_of(request).uploads.find(file_id)))


@router.get(
    "/files/{file_id}/content",
    responses=documented(404) | {200: {"content": {"application/octet-stream": {}}}},
    summary="A file's content",
)
async def file_content(request: Request, file_id: str) -> Response:
    """The file as it is."""
    uploads = hub_of(request).uploads
    upload = await uploads.find(file_id)
    path = uploads.path(upload)
    if not path.exists():
        raise NotFound(f"the content of file {file_id} is gone")
    return FileResponse(path, media_type="application/octet-stream", filename=upload.name)


@router.delete("/files/{file_id}", responses=documented(404, 415), summary="Delete a file")
async def remove_file(request: Request, file_id: str) -> Response:
    """Removes a file."""
    hub = hub_of(request)
    await hub.uploads.remove(file_id)
    await hub.note(caller_of(request), "upload.deleted", file_id)
    return json_response({"id": file_id, "object": "file", "deleted": True})


@router.post("/batches", responses=documented(404, 409, 415, 429), summary="Create a batch")
async def create_batch(request: Request, new: NewBatch) -> Response:
    """Accepts a batch: it is durable once this answers, and usually done in minutes."""
    hub = hub_of(request)
    caller = caller_of(request)
    batch = await hub.batches.create(
        input_file_id=new.input_file_id,
        endpoint=new.endpoint,
        metadata=new.metadata or {},
        caller=caller.name,
    )
    await hub.note(caller, "batch.created", batch.id, batch.run_id)
    return json_response(await _shown(hub, batch))


@router.get("/batches", responses=documented(404), summary="Batches")
async def batches(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=128)] = None,
) -> Response:
    """Newest first."""
    hub = hub_of(request)
    found, more = await hub.batches.listed(limit=limit, after=after)
    return json_response(_listed([await _shown(hub, one) for one in found], has_more=more))


@router.get("/batches/{batch_id}", responses=documented(404), summary="A batch")
async def one_batch(request: Request, batch_id: str) -> Response:
    """A batch as it stands."""
    hub = hub_of(request)
    return json_response(await _shown(hub, await hub.batches.find(batch_id)))


@router.post(
    "/batches/{batch_id}/cancel", responses=documented(404, 409, 415), summary="Cancel a batch"
)
async def cancel_batch(request: Request, batch_id: str) -> Response:
    """What was answered by then is in the output file."""
    hub = hub_of(request)
    batch = await hub.batches.cancel(batch_id)
    await hub.note(caller_of(request), "batch.cancelled", batch_id, batch.run_id)
    return json_response(await _shown(hub, batch))


def _file(upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "object": "file",
        "bytes": upload.size_bytes,
        "created_at": int(upload.created_at),
        "filename": upload.name,
        "purpose": upload.purpose,
        "status": "processed",
        "expires_at": None,
    }


def _listed(data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


async def _shown(hub: Hub, batch: Batch) -> dict[str, Any]:
    completed, failed = await hub.batches.counts(batch)
    shown: dict[str, Any] = {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": list(batch.errors)} if batch.errors else None,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": int(batch.created_at),
        "request_counts": {"total": batch.total, "completed": completed, "failed": failed},
        "metadata": {**batch.metadata, "fanwise_run": batch.run_id} if batch.run_id else {},
    }
    for name in _INSTANTS:
        instant = getattr(batch, name)
        shown[name] = None if instant is None else int(instant)
    return shown
