"""Answers of review sessions, one or many; and how they are graded by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fanwise.service.problems import documented
from fanwise.service.routes.common import caller_of, hub_of, json_response
from fanwise.service.routes.matching import matching
from fanwise.service.routes.seeding import SeedRoute, answered, ask, result_of, seed_documented

router = APIRouter(prefix="/api/review/session", tags=["review"], route_class=SeedRoute)
config_router = APIRouter(prefix="/api/v1", tags=["review"])

Id = Annotated[str, Path(pattern=r"^[^\x00-\x1f/]{1,64}$")]
Mode = Literal["auto", "parallel", "batch", "sequential"]


class Answer(BaseModel):
    """An answer to one question of a card."""

    question_index: int = Field(description="From 0.")
    answer: str = Field(max_length=20_000)


class OneAnswer(Answer):
    """The same, and who grades it."""

    model: str | None = Field(None, description="provider/model; the service's own by default.")


class Answers(BaseModel):
    """Answers to several questions of a card."""

    answers: list[Answer]
    processing_mode: Mode | None = None
    max_concurrent_tasks: int | None = Field(None, description="1 to 10.")
    model: str | None = Field(None, description="provider/model; the service's own by default.")


class ConfigChange(BaseModel):
    """How answers are graded where a request does not say."""

    model_config = ConfigDict(extra="forbid")

    processing_mode: Mode | None = None
    max_concurrent_tasks: int | None = Field(None, description="1 to 10.")


@router.post(
    "/{session_id}/answers/{card_id}", responses=seed_documented(), summary="Grade an answer"
)
async def one(request: Request, session_id: Id, card_id: Id, asked: OneAnswer) -> Response:
    """Its grade."""
    answers = [asked.model_dump(include={"question_index", "answer"})]
    found = await _graded(
        request, session_id, card_id, answers, model=asked.model, mode="sequential"
    )
    if isinstance(found, Response):
        return found
    data = {"success": True, "data": found["data"][0], "schedule": found["schedule"]}
    return answered(data, run_id=found["run_id"])


@router.post(
    "/{session_id}/answers/{card_id}/batch",
    responses=seed_documented(),
    summary="Grade answers in few requests",
)
async def batch(request: Request, session_id: Id, card_id: Id, asked: Answers) -> Response:
    """The grades in the order of the questions, and what was measured."""
    return await _many(request, session_id, card_id, asked, mode="batch")


@router.post(
    "/{session_id}/answers/{card_id}/parallel",
    responses=seed_documented(),
    summary="Grade answers side by side",
)
async def parallel(request: Request, session_id: Id, card_id: Id, asked: Answers) -> Response:
    """The same; in the mode that the request names, else in that of `GET /api/v1/config`."""
    return await _many(request, session_id, card_id, asked, mode=None)


async def _many(
    request: Request, session_id: str, card_id: str, asked: Answers, *, mode: str | None
) -> Response:
    found = await _graded(
        request,
        session_id,
        card_id,
        [answer.model_dump() for answer in asked.answers],
        model=asked.model,
        mode=asked.processing_mode or mode,
        at_once=asked.max_concurrent_tasks,
    )
    if isinstance(found, Response):
        return found
    return answered(found, run_id=found["run_id"])


async def _graded(
    request: Request,
    session_id: str,
    card_id: str,
    answers: Sequence[Mapping[str, Any]],
    *,
    model: str | None,
    mode: str | None,
    at_once: int | None = None,
) -> dict[str, Any] | Response:
    hub = hub_of(request)
    config = await hub.reviewing.config()
    await hub.reviewing.check(session_id, card_id, answers)
    job = {
        "session_id": session_id,
        "card_id": card_id,
        "answers": answers,
        "processing_mode": mode or config.processing_mode,
        "max_concurrent_tasks": config.max_concurrent_tasks if at_once is None else at_once,
        "model": model or hub.settings.default_model,
    }
    run = await ask(request, "review", job)
    found = await result_of(request, run)
    return found if isinstance(found, Response) else {**found, "run_id": run.run_id}


@config_router.get("/config", responses=documented(), summary="How answers are graded")
async def config(request: Request) -> Response:
    """Mode and concurrency where a request does not say."""
    return json_response(asdict(await hub_of(request).reviewing.config()), request=request)


@config_router.patch(
    "/config", responses=documented(412, 415), summary="Change how answers are graded"
)
async def configure(request: Request, change: ConfigChange) -> Response:
    """Sets what is given, for everybody; the rest stays."""
    reviewing = hub_of(request).reviewing
    matching(request, asdict(await reviewing.config()))
    new = await reviewing.configure(change.model_dump(exclude_none=True))
    await hub_of(request).note(caller_of(request), "config.changed", "grading", str(asdict(new)))
    return json_response(asdict(new), request=request)
