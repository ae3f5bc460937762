"""Files for jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from fanwise.service.problems import documented
from fanwise.service.routes.common import caller_of, hub_of, json_response

router = APIRouter(prefix="/api/v1", tags=["uploads"])

_PIECE = 256 * 1024


@router.post("/uploads", status_code=201, responses=documented(413, 415), summary="Send a file")
async def add(request: Request, file: Annotated[UploadFile, File()]) -> Response:
    """Keeps a file for jobs that name it as `{"upload": id}`; at most 25 MB by default."""
    hub = hub_of(request)

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await file.read(_PIECE):
            yield piece

    upload = await hub.uploads.add(
        pieces(),
        name=file.filename or "file",
        media_type=file.content_type or "application/octet-stream",
        purpose="job",
        caller=caller_of(request).name,
    )
    answer = json_response(asdict(upload))
    answer.status_code = 201
    return answer


@router.get("/uploads", responses=documented(), summary="Files that were sent")
async def listed(request: Request) -> Response:
    """Newest first."""
    found = await hub_of(request).uploads.listed()
    return json_response({"data": [asdict(upload) for upload in found]})


@router.delete(
    "/uploads/{upload_id}", status_code=204, responses=documented(404, 415), summary="Delete a file"
)
async def remove(request: Request, upload_id: str) -> Response:
    """Removes a file. Runs that have read it keep what they made of it."""
    hub = hub_of(request)
    await hub.uploads.remove(upload_id)
    await hub.note(caller_of(request), "upload.deleted", upload_id)
    return Response(status_code=204)
