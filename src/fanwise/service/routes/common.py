"""What routes have in common."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import orjson
from fastapi import Response

from fanwise.service.tokens import Caller
from fanwise.service.views import plain

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from fanwise.service.hub import Hub


def hub_of(request: HTTPConnection) -> Hub:
    """The service that a request has come to."""
    return cast("Hub", request.app.state.hub)


def caller_of(request: HTTPConnection) -> Caller:
    """Who asks; a nameless one where a route is open."""
    found: Caller | None = request.scope.get("state", {}).get("caller")
    return found if found is not None else Caller(name="")


def json_response(value: Any, *, request: HTTPConnection | None = None) -> Response:
    """A value as JSON; with a request, under an ETag that the client may have already."""
    body = orjson.dumps(plain(value), option=orjson.OPT_NON_STR_KEYS)
    if request is None:
        return Response(body, media_type="application/json")
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": tag})
    return Response(body, media_type="application/json", headers={"etag": tag})
