"""Resumes tailored to a job."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AliasChoices, BaseModel, Field

from fanwise.errors import InvalidFields
from fanwise.pipelines import Event
from fanwise.service.inputs import check_json
from fanwise.service.routes.common import hub_of
from fanwise.service.routes.seeding import (
    SeedRoute,
    answered,
    ask,
    refused,
    result_of,
    seed_documented,
    streamed,
)
from fanwise.service.waiting import failure

router = APIRouter(prefix="/api/tailor", tags=["tailor"], route_class=SeedRoute)

Posting = Annotated[
    str,
    Field(
        validation_alias=AliasChoices("jobDescription", "job_description"),
        description="100 to 15 000 characters and at least 20 words.",
    ),
]
Resume = Annotated[
    str | dict[str, Any],
    Field(description="A text, a JSON Resume, or {id, name, text or content_base64}."),
]


class Wanted(BaseModel):
    """How resumes are to be tailored, and to what."""

    jobDescription: Posting  # noqa: N815 - its clients' name
    mode: str = Field("PARTIAL", description="PARTIAL or FULL.")
    tone: str = Field("professional")
    length: str = Field("thorough", description="concise, thorough or complete.")
    model: str | None = Field(None, description="provider/model; the service's own by default.")

    def job(self, resumes: list[dict[str, Any]], *, model: str, **more: Any) -> dict[str, Any]:
        """The fields of the job."""
        return {
            "resumes": resumes,
            "job_description": self.jobDescription,
            "mode": self.mode.upper(),
            "tone": self.tone,
            "length": self.length,
            "models": [self.model or model],
            **more,
        }


class TailorAsked(Wanted):
    """One resume and a job."""

    resume: Resume


class BatchAsked(Wanted):
    """Several resumes and a job; an answer names each by its `id`."""

    resumes: list[Resume] = Field(description="1 to 100.")


class ScoreAsked(BaseModel):
    """One resume or several, to be scored against a job; no model is asked."""

    jobDescription: Posting  # noqa: N815
    resume: Resume | None = None
    resumes: list[Resume] | None = None


@router.post("", responses=seed_documented(), summary="A resume tailored to a job")
async def tailor(request: Request, asked: TailorAsked) -> Response:
    """The tailored resume, what was changed, both scores and the performance."""
    job = asked.job([_resume(asked.resume, 0)], model=hub_of(request).settings.default_model)
    return await _one(request, job)


@router.post(
    "/stream",
    responses=seed_documented() | {200: {"content": {"text/event-stream": {}}}},
    response_class=StreamingResponse,
    summary="The same, with its progress",
)
async def stream(request: Request, asked: TailorAsked) -> Response:
    """Server-sent events: `progress {message, percent, resumeId}`, `result`, `complete`."""
    job = asked.job([_resume(asked.resume, 0)], model=hub_of(request).settings.default_model)
    return streamed(await ask(request, "tailor", job), subject="resumeId", shape=_of_event)


@router.post("/batch", responses=seed_documented(), summary="Several resumes tailored to a job")
async def batch(request: Request, asked: BatchAsked) -> Response:
    """Each resume by its id, failures included, and a `summary` of how many succeeded."""
    resumes = [_resume(one, place) for place, one in enumerate(asked.resumes)]
    job = asked.job(resumes, model=hub_of(request).settings.default_model)
    return await _several(request, job)


@router.post("/score", responses=seed_documented(), summary="Resumes scored against a job")
async def score(request: Request, asked: ScoreAsked) -> Response:
    """The scores alone: no model is asked and nothing is kept but the run."""
    given = asked.resumes if asked.resumes is not None else [asked.resume or ""]
    job: dict[str, Any] = {
        "resumes": [_resume(one, place) for place, one in enumerate(given)],
        "job_description": asked.jobDescription,
        "score_only": True,
        "save": False,
    }
    if asked.resumes is None:
        return await _one(request, job)
    return await _several(request, job)


async def _one(request: Request, job: Mapping[str, Any]) -> Response:
    run = await ask(request, "tailor", job)
    found = await result_of(request, run)
    if isinstance(found, Response):
        return found
    if found["results"]:
        return answered(
            {"success": True, "runId": run.run_id, **_tailored(found["results"][0])},
            run_id=run.run_id,
        )
    for told in found["summary"]["resumes"].values():
        return refused(failure(told["code"], told["message"]), run_id=run.run_id)
    return refused(failure("state", "the run was stopped"), run_id=run.run_id)


async def _several(request: Request, job: Mapping[str, Any]) -> Response:
    run = await ask(request, "tailor", job)
    found = await result_of(request, run)
    if isinstance(found, Response):
        return found
    summary: Mapping[str, Any] = found["summary"]
    failed = [
        {"id": name, "code": one["code"], "error": one["message"]}
        for name, one in summary["resumes"].items()
        if one["status"] == "error"
    ]
    answer = {
        "success": found["status"] != "error",
        "runId": run.run_id,
        "results": [_tailored(one) for one in found["results"]],
        "failures": failed,
        "summary": summary,
    }
    return answered(answer, run_id=run.run_id)


def _of_event(event: Event) -> Mapping[str, Any]:
    return _tailored(event.data)


def _tailored(found: Mapping[str, Any]) -> dict[str, Any]:
    """One resume's result under its clients' names."""
    before, after = found["ats_before"], found["ats_after"]
    return {
        "id": found["id"],
        "jobTitle": found["title"],
        "resume": found["resume"],
        "originalResume": found["base"],
        "diff": found["diff"],
        "recommendedKeywords": found["recommended_keywords"],
        "warnings": found["warnings"],
        "scores": {
            "before": before["total"],
            "after": None if after is None else after["total"],
        },
        "atsBefore": before,
        "atsAfter": after,
        "targets": found["targets"],
        "draftId": found["draft"] or None,
        "model": found["model"] or None,
        "analysedBy": found["analysed_by"] or None,
        "performanceMetrics": found["performanceMetrics"],
    }


def _resume(given: str | dict[str, Any], place: int) -> dict[str, Any]:
    """A resume as jobs have it: a text, a document, or a JSON Resume.

    Raises:
        InvalidFields: It is empty.
    """
    if isinstance(given, str):
        if not given.strip():
            raise InvalidFields("tailor", {"resume": "is empty; give a text or a document"})
        return {"id": f"resume-{place + 1}", "text": given}
    if given.keys() & {"text", "content_base64"}:
        return {"id": f"resume-{place + 1}", **given}
    check_json("tailor", {"resume": given})
    name = str(given.get("id") or f"resume-{place + 1}")
    content = orjson.dumps({key: value for key, value in given.items() if key != "id"})
    coded = base64.b64encode(content).decode()
    return {"id": name, "name": f"{name}.json", "content_base64": coded}
