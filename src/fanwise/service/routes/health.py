"""Whether the service lives, whether it takes work, and how a browser comes in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from fanwise import __version__
from fanwise.errors import JournalError
from fanwise.service.guard import COOKIE
from fanwise.service.metrics import CONTENT_TYPE
from fanwise.service.problems import Problem, problem_response
from fanwise.service.routes.common import hub_of, json_response
from fanwise.service.tokens import LOGIN_S, Caller

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def health() -> Response:
    """The process answers."""
    return json_response({"status": "ok", "version": __version__})


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Its tables can be read, and it takes work."""
    hub = hub_of(request)
    reason = "stopping" if hub.supervisor.stopping else ""
    if not reason:
        try:
            await hub.store.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
        except JournalError as error:
            reason = error.message
    answer = json_response({"status": "not ready" if reason else "ready", "reason": reason})
    if reason:
        answer.status_code = 503
    return answer


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(await hub_of(request).metrics.text(), media_type=CONTENT_TYPE)


@router.get("/login")
async def log_in(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Exchanges the one-use code of a link for a cookie."""
    hub = hub_of(request)
    caller = hub.codes.redeem(code) if code else None
    if caller is None:
        return problem_response(
            Problem(
                status=401,
                kind="unauthorized",
                message="this link was used before, or is too old",
                hint="fanwise serve prints a new one when it starts; or paste a token on the page",
            )
        )
    return await _welcome(request, caller)


@router.post("/login")
async def log_in_with_token(
    request: Request, token: Annotated[str, Form(max_length=200)]
) -> Response:
    """Exchanges a token for a cookie."""
    caller = await hub_of(request).tokens.caller_of(token.strip())
    if caller is None:
        return RedirectResponse("/?wrong=1", status_code=303)
    return await _welcome(request, caller)


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Ends this browser's login."""
    await hub_of(request).tokens.log_out(request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/")
    return answer


async def _welcome(request: Request, caller: Caller) -> Response:
    value = await hub_of(request).tokens.log_in(caller)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        COOKIE,
        value,
        max_age=round(LOGIN_S),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
