"""Everything that can go wrong, in the one shape that clients get:
``{"error": {"kind", "message", "hint", "fields"}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from fanwise import errors
from fanwise.records import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ErrorBody(BaseModel):
    """What went wrong."""

    kind: str = Field(description="Stable name of the problem.", examples=["not_found"])
    message: str = Field(description="What went wrong, in one sentence.")
    hint: str = Field("", description="How to mend it.")
    fields: dict[str, str] = Field(
        default_factory=dict, description="Of each wrong field, what is wrong with it."
    )


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error on its way to a client."""

    status: int
    kind: str
    message: str
    hint: str = ""
    fields: Mapping[str, str] = NOTHING
    retry_after_s: int | None = None


_STATUS: Final[tuple[tuple[type[errors.FanwiseError], int], ...]] = (
    (errors.InvalidFields, 422),
    (errors.Conflict, 409),
    (errors.StateError, 409),
    (errors.UsageError, 422),
    (errors.LimitError, 429),
    (errors.RateLimited, 429),
    (errors.AttemptTimeout, 504),
    (errors.CallError, 502),
    (errors.JournalUnavailable, 503),
)


class NotFound(errors.ConfigError):
    """What was named is not there; nothing was spent."""

    code = "not_found"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its documentation: those that every route can give, and
    ``statuses``.
    """
    common = (400, 401, 403, 422, 500, 503)
    return {
        status: {"model": ErrorAnswer, "description": HTTPStatus(status).phrase}
        for status in sorted({*common, *statuses})
    }


def problem_of(error: errors.FanwiseError) -> Problem:
    """What a client is told of an error of ours."""
    status = 404 if error.code == NotFound.code else None
    if status is None:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    fields: Mapping[str, str] = getattr(error, "fields", NOTHING)
    wait_s: float | None = getattr(error, "retry_after_s", None)
    return Problem(
        status=status,
        kind=error.code,
        message=error.message,
        hint=error.hint,
        fields=fields,
        retry_after_s=None if wait_s is None else max(1, round(wait_s)),
    )


def problem_response(problem: Problem) -> Response:
    """The answer that tells of a problem."""
    body = {
        "kind": problem.kind,
        "message": problem.message,
        "hint": problem.hint,
        "fields": dict(problem.fields),
    }
    headers: dict[str, str] = {}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(problem.retry_after_s)
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(
        orjson.dumps({"error": body}),
        status_code=problem.status,
        headers=headers,
        media_type="application/json",
    )


class SeedError(BaseModel):
    """The body of an error of the applications' own routes: their clients show its text."""

    success: bool = Field(False, description="Always false.")
    error: str = Field(description="What went wrong, in one sentence.")
    kind: str = Field(description="Stable name of the problem.", examples=["not_found"])
    hint: str = Field("", description="How to mend it.")
    fields: dict[str, str] = Field(
        default_factory=dict, description="Of each wrong field, what is wrong with it."
    )


def seed_response(problem: Problem) -> Response:
    """The same as :func:`problem_response`, in the shape of :class:`SeedError`."""
    answer = problem_response(problem)
    body = {
        "success": False,
        "error": problem.message,
        "kind": problem.kind,
        "hint": problem.hint,
        "fields": dict(problem.fields),
    }
    answer.body = orjson.dumps(body)
    answer.headers["content-length"] = str(len(answer.body))
    return answer


def install(app: FastAPI) -> None:
    """Gives every error of an application the one shape."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.FanwiseError)
        return problem_response(problem_of(error))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(invalid_of(error))

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        problem = Problem(status=error.status_code, kind=kind, message=str(error.detail))
        answer = problem_response(problem)
        answer.headers.update(error.headers or {})
        return answer

    async def unknown(_: Request, __: Exception) -> Response:
        return problem_response(
            Problem(
                status=500,
                kind="internal",
                message="the service has failed at this; its log says why",
            )
        )

    app.add_exception_handler(errors.FanwiseError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unknown)


def invalid_of(error: RequestValidationError) -> Problem:
    """What a client is told of a request whose fields are wrong."""
    return _invalid(error.errors())


def _invalid(found: Sequence[Any]) -> Problem:
    fields: dict[str, str] = {}
    for one in found:
        place = [str(part) for part in one["loc"]]
        name = ".".join(place[1:] if place[0] in {"body", "query", "path", "header"} else place)
        fields.setdefault(name or place[0], one["msg"])
    return Problem(
        status=422,
        kind="invalid_fields",
        message="; ".join(f"{name}: {why}" for name, why in fields.items()),
        fields=fields,
    )
