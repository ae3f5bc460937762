"""What carriers report. Their signature is the lock: no token is asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.exceptions import HTTPException

from fanwise.pipelines.scan.webhooks import MOST_BYTES, BadSignature
from fanwise.service.problems import Problem, documented, problem_response
from fanwise.service.routes.common import hub_of

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["event", "tracking_number", "status"],
                    "additionalProperties": False,
                    "properties": {
                        "event": {"type": "string"},
                        "tracking_number": {"type": "string"},
                        "status": {"type": "string"},
                        "happened_at": {"type": ["string", "number", "null"]},
                        "detail": {"type": ["string", "null"]},
                    },
                }
            }
        },
    }
}


@router.post(
    "/{carrier}",
    status_code=204,
    responses=documented(404, 413, 415),
    openapi_extra=_BODY,
    summary="A carrier reports on a shipment",
)
async def reported(
    request: Request,
    carrier: str,
    x_fanwise_signature: Annotated[str, Header(description="t=SECONDS,v1=HEX")] = "",
) -> Response:
    """Takes a report that is signed with the carrier's secret; a second time without effect."""
    body = await _bounded(request)
    try:
        await hub_of(request).carriers.report(carrier, body, signature=x_fanwise_signature)
    except BadSignature as error:
        return problem_response(
            Problem(status=401, kind=error.code, message=error.message, hint=error.hint)
        )
    return Response(status_code=204)


async def _bounded(request: Request) -> bytes:
    """The body, as long as it is of a length that a report can have."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"a report has at most {MOST_BYTES} bytes")
    return bytes(body)
