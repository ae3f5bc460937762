"""Who comes in: Host, Origin, token or cookie, before any route is looked at; and the headers
that every answer bears.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, Literal

from fanwise.service.problems import Problem, problem_response, seed_response
from fanwise.service.tokens import Caller, OneUse, Tokens

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE: Final = "fanwise_login"
OPEN_PATHS: Final = frozenset({"/health", "/ready", "/login"})
PAGES: Final = frozenset({"/", "/new", "/compare"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BODIES: Final = ("application/json", "multipart/form-data")
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """Stands before the application.

    A foreign Host or Origin is refused on every path and method, since a page elsewhere can make a
    browser send requests here (DNS rebinding, CSRF). After that a request needs a token
    (``Authorization: Bearer``), or the cookie of a login; a WebSocket a ticket or the cookie.

    Args:
        app: What is guarded.
        hosts: The Host headers that are answered.
        origins: The Origin headers that are answered.
        foreign_origins: Those of them that are front ends of others, and get CORS headers.
        tokens: Whom the service knows.
        tickets: Tickets of streams.
        open_prefixes: Paths below these need no token: assets of the page.
        seed_routes: How the routes of ``seed_prefixes`` let clients in.
        seed_prefixes: Paths of the applications' own routes.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Callable[[], frozenset[str]],
        origins: Callable[[], frozenset[str]],
        foreign_origins: frozenset[str],
        tokens: Callable[[], Tokens],
        tickets: Callable[[], OneUse],
        open_prefixes: tuple[str, ...] = ("/static/",),
        signed_prefixes: tuple[str, ...] = ("/api/webhooks/",),
        seed_routes: Literal["token", "trusted-proxy", "open"] = "token",
        seed_prefixes: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._foreign = foreign_origins
        self._tokens = tokens
        self._tickets = tickets
        self._open_prefixes = open_prefixes
        self._signed_prefixes = signed_prefixes
        self._seed_routes = seed_routes
        self._seed_prefixes = seed_prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        origin = headers.get("origin", "").lower()
        problem = (
            self._foreigner(headers, origin) or _odd_path(scope) or _body_problem(scope, headers)
        )
        answer = _with_headers(send, self._cors(origin))
        if problem is None and _is_preflight(scope, headers):
            await _preflight(answer)
            return
        caller: Caller | None = None
        if problem is None:
            caller = await self._caller(scope, headers)
            if caller is None and not self._is_open(scope):
                problem = Problem(
                    status=401,
                    kind="unauthorized",
                    message="a token is needed",
                    hint="send Authorization: Bearer TOKEN, or open the link of `fanwise serve`",
                )
        if problem is not None:
            say = (
                seed_response if scope["path"].startswith(self._seed_prefixes) else problem_response
            )
            await _refuse(problem, scope, receive, answer, say)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, answer)

    def _foreigner(self, headers: Mapping[str, str], origin: str) -> Problem | None:
        host = headers.get("host", "").lower()
        if host not in self._hosts():
            return Problem(
                status=400,
                kind="foreign_host",
                message=f"this service is not called {host or 'nothing'}",
                hint="name the host in allowed_hosts if it is meant to be answered",
            )
        if origin and origin not in self._origins():
            return Problem(
                status=403,
                kind="foreign_origin",
                message=f"pages of {origin} may not ask here",
                hint="name the origin in allowed_origins if it is a front end of yours",
            )
        if headers.get("sec-fetch-site") == "cross-site" and not origin:
            mode = headers.get("sec-fetch-mode", "")
            if mode != "navigate":
                return Problem(
                    status=403,
                    kind="foreign_origin",
                    message="pages of other sites may not ask here",
                )
        return None

    def _is_open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if scope["type"] == "http" and scope["method"] == "GET" and is_page(path):
            return True  # it shows how to log in
        if path in OPEN_PATHS or path.startswith((*self._open_prefixes, *self._signed_prefixes)):
            return True
        return self._seed_routes == "open" and path.startswith(self._seed_prefixes)

    async def _caller(self, scope: Scope, headers: Mapping[str, str]) -> Caller | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return await self._tokens().caller_of(token.strip())
        cookie = _cookie(headers)
        if cookie:
            return await self._tokens().caller_of_cookie(cookie)
        if scope["type"] == "websocket" or scope["path"].endswith("/events"):
            ticket = _query(scope).get("ticket", "")
            return self._tickets().redeem(ticket) if ticket else None
        if self._seed_routes == "trusted-proxy" and scope["path"].startswith(self._seed_prefixes):
            user = headers.get("x-forwarded-user", "")
            return Caller(name=f"proxy:{user[:50]}") if user else None
        return None

    def _cors(self, origin: str) -> tuple[tuple[bytes, bytes], ...]:
        if origin not in self._foreign:
            return ()
        return (
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"etag, location, retry-after"),
            (b"vary", b"origin"),
        )


def is_page(path: str) -> bool:
    """Whether a path is a page's, which looks itself at who asks."""
    return path in PAGES or path.startswith("/runs/")


def _odd_path(scope: Scope) -> Problem | None:
    """NUL names nothing anywhere, and databases differ in how they take it."""
    if "\0" not in scope["path"] and b"%00" not in scope.get("query_string", b""):
        return None
    return Problem(status=400, kind="bad_request", message="the address holds a NUL character")


def _body_problem(scope: Scope, headers: Mapping[str, str]) -> Problem | None:
    """A form of another site can post, but not with these content types."""
    if scope["type"] != "http" or scope["method"] in _SAFE:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    if kind in _BODIES or (empty and not kind):
        return None
    if scope["path"] == "/login" and kind == "application/x-www-form-urlencoded":
        return None
    return Problem(
        status=415,
        kind="unsupported_media_type",
        message=f"the body is {kind or 'of no named type'}",
        hint="send application/json (uploads: multipart/form-data)",
    )


def _is_preflight(scope: Scope, headers: Mapping[str, str]) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "OPTIONS"
        and "access-control-request-method" in headers
    )


async def _preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"GET, POST, PATCH, PUT, DELETE"),
        (
            b"access-control-allow-headers",
            b"authorization, content-type, idempotency-key, if-match, last-event-id",
        ),
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(
    problem: Problem, scope: Scope, receive: Receive, send: Send, say: Callable[[Problem], App]
) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + problem.status - 400})
        return
    await say(problem)(scope, receive, send)


def _headers(scope: Scope) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _query(scope: Scope) -> Mapping[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


def _with_headers(send: Send, more: tuple[tuple[bytes, bytes], ...]) -> Send:
    async def answer(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS, *more]
        await send(message)

    return answer
