"""Plans: what work would ask for, cost and take."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fanwise.service.options import RunOptions
from fanwise.service.problems import documented
from fanwise.service.routes.common import hub_of, json_response

router = APIRouter(prefix="/api/v1", tags=["runs"])


class Wanted(BaseModel):
    """Work that may be asked for."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pipeline: str = Field(description="Its name: GET /api/v1/pipelines lists them.")
    input: dict[str, Any] = Field(description="As POST /api/v1/runs takes it.")
    options: RunOptions = Field(
        default_factory=lambda: RunOptions.model_validate({}), description="How."
    )


@router.post("/plan", responses=documented(404, 409, 413, 415, 429, 502, 504), summary="Plan a run")
async def plan(request: Request, wanted: Wanted) -> Response:
    """Items, calls, tokens and cost (low, likely, high), time, and what would bind. Sends nothing
    and keeps nothing.
    """
    found = await hub_of(request).planner.plan(wanted.pipeline, wanted.input, wanted.options)
    return json_response(found)
