"""What the token that asks has used of its month."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from fanwise.service.problems import documented
from fanwise.service.routes.common import caller_of, hub_of, json_response

router = APIRouter(prefix="/api/v1", tags=["usage"])


@router.get("/usage", responses=documented(), summary="What this token has used of its month")
async def usage(request: Request) -> Response:
    """Calls and dollars of runs that have ended (`used`) and set aside for those under way
    (`reserved`), with the monthly limit (null: none) and when the next month begins (UTC).
    """
    month = await hub_of(request).usage.month(caller_of(request).name)
    resets_at = datetime.fromtimestamp(month.resets_at, UTC).isoformat()
    return json_response(
        {
            "token": month.token,
            "month": month.month,
            "resets_at": resets_at.replace("+00:00", "Z"),
            "calls": {
                "used": month.calls_used,
                "reserved": month.calls_reserved,
                "limit": month.calls_limit,
            },
            "usd": {
                "used": month.usd_used,
                "reserved": month.usd_reserved,
                "limit": month.usd_limit,
            },
        }
    )
