"""Hooks as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AliasChoices, BaseModel, Field

from fanwise.pipelines import Event
from fanwise.service.routes.common import hub_of
from fanwise.service.routes.seeding import SeedRoute, ask, seed_documented, streamed

router = APIRouter(prefix="/api/hooks", tags=["hooks"], route_class=SeedRoute)


def _either(*names: str, **more: Any) -> Any:
    return Field(validation_alias=AliasChoices(*names), **more)


class HooksAsked(BaseModel):
    """An idea for a post and who writes hooks for it; names in either spelling."""

    post_idea: str = _either("post_idea", "postIdea", description="10 to 1000 characters.")
    industry: str | None = Field(None, description="At most 100 characters.")
    target_audience: str | None = _either("target_audience", "targetAudience", default=None)
    content_type: str | None = _either("content_type", "contentType", default=None)
    models: list[str] | None = _either(
        "models", "selectedModels", default=None, description="1 to 6 as provider/model."
    )
    focus_skills: list[str] | None = _either("focus_skills", "focusSkills", default=None)
    judge: str | None = _either("judge", "judgeModel", default=None)
    validator: str | None = _either("validator", "validatorModel", default=None)

    def job(self, *, model: str) -> dict[str, Any]:
        """The fields of the job; a model stands in where none is named."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return {"models": [model], "judge": model, **given}


@router.post(
    "/stream",
    responses=seed_documented() | {200: {"content": {"text/event-stream": {}}}},
    response_class=StreamingResponse,
    summary="Hooks by several models, judged, as they land",
)
async def stream(request: Request, asked: HooksAsked) -> Response:
    """Server-sent events: `progress {message, percent, modelId}`, a `result` for each model, an
    `error` for one that has failed, and `complete` with everything.
    """
    job = asked.job(model=hub_of(request).settings.default_model)
    return streamed(await ask(request, "hooks", job), subject="modelId", shape=_model)


def _model(event: Event) -> Mapping[str, Any]:
    found = dict(event.data)
    hooks = cast("list[dict[str, Any]]", found.get("hooks", []))
    found["modelId"] = event.subject
    found["hooks"] = [_hook(one) for one in hooks]
    return found


def _hook(one: Mapping[str, Any]) -> dict[str, Any]:
    """A hook under its clients' names too; one that could not be judged has no score."""
    judged: Mapping[str, Any] = one.get("judgement") or {}
    return {
        **one,
        "hook": one["text"],
        "judgeScore": judged.get("overall"),
        "heuristicScore": one["heuristics"]["overall"],
        "error": one.get("unscored"),
    }
