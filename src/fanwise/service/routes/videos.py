"""A note of a video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines.notes.links import watch_url
from fanwise.pipelines.notes.video import video_id
from fanwise.service.routes.common import caller_of, hub_of
from fanwise.service.routes.seeding import (
    SeedRoute,
    answered,
    ask,
    refused,
    result_of,
    seed_documented,
)
from fanwise.service.waiting import failure

router = APIRouter(prefix="/api/videos", tags=["videos"], route_class=SeedRoute)

_MODES = ("transcript", "metadata")


class VideoAsked(BaseModel):
    """A video and the note that is wanted of it."""

    videoUrl: str = Field(  # noqa: N815 - its clients' name
        max_length=500, examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"]
    )
    selectedTemplate: str = Field(  # noqa: N815
        "basic-summary", examples=["study-notes"], description="A template's id."
    )
    processingMode: str | None = Field(  # noqa: N815
        None, description="transcript (default) or metadata; others mean transcript."
    )
    verbosity: str = Field("all", description="brief, standard, comprehensive or all.")
    language: str = Field("", max_length=35, description="Of the captions.")
    model: str | None = Field(None, description="provider/model; the service's own by default.")

    def job(self, *, model: str, user: str) -> dict[str, Any]:
        """The fields of the job.

        Raises:
            InvalidFields: The address is no video's.
        """
        try:
            video = video_id(self.videoUrl)
        except ConfigError as error:
            raise InvalidFields("notes", {"videoUrl": str(error)}) from None
        return {
            "source": watch_url(video),
            "templates": [self.selectedTemplate],
            "verbosity": self.verbosity,
            "mode": self.processingMode if self.processingMode in _MODES else "transcript",
            "language": self.language,
            "models": [self.model or model],
            "user": user,
        }


@router.post("/process", responses=seed_documented(), summary="A note of a video")
async def process(request: Request, asked: VideoAsked) -> Response:
    """The note, once it is written. The same video asked for with several templates at the same
    time is fetched once.
    """
    model = hub_of(request).settings.default_model
    run = await ask(request, "notes", asked.job(model=model, user=caller_of(request).name))
    found = await result_of(request, run)
    if isinstance(found, Response):
        return found
    template: Mapping[str, Any] = found["templates"][0]
    if template["note"] is None:
        kind, _, message = str(template["error"] or "state: it was stopped").partition(": ")
        return refused(failure(kind, message), run_id=run.run_id)
    return answered(_note(asked, found, template), run_id=run.run_id)


def _note(
    asked: VideoAsked, found: Mapping[str, Any], template: Mapping[str, Any]
) -> dict[str, Any]:
    note: Mapping[str, Any] = template["note"]
    texts = {depth["depth"]: _markdown(depth) for depth in note["depths"]}
    source: Mapping[str, Any] = found["source"]
    return {
        "success": True,
        "runId": found["run_id"],
        "template": template["template"],
        "title": source["title"],
        "videoId": source["video"],
        "videoUrl": source["url"],
        "duration": source["duration_s"],
        "processingMode": asked.processingMode or "transcript",
        "verbosity": asked.verbosity,
        "content": texts.get("standard", next(iter(texts.values()))),
        "verbosityVersions": texts,
        "note": note,
        "models": note["models"],
        "warnings": note["warnings"],
        "reused": template["reused"],
        "startedAt": _ms(template["started_at"]),
        "completedAt": _ms(template["completed_at"]),
    }


def _markdown(depth: Mapping[str, Any]) -> str:
    return "\n\n".join(f"## {one['title']}\n\n{one['markdown']}" for one in depth["sections"])


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(1000 * seconds)
