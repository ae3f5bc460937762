"""What a dialect is: the wire format of one family of servers, for one model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from fanwise.errors import PlanError
from fanwise.models.http.transport import HttpReply
from fanwise.models.names import endpoint_path
from fanwise.models.sse import ServerEvent
from fanwise.records import Failure, Request, Response, Schema

T = TypeVar("T")

OUTPUT_CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
"""What the dialects call the most tokens an answer may have; each takes all of these names."""

_PATH = re.compile(r"[A-Za-z0-9._~:-]+(/[A-Za-z0-9._~:-]+)*")
_REMEMBERED = 64


class Collector(Protocol):
    """Puts one streamed answer together."""

    @property
    def done(self) -> bool:
        """Whether the server has said that nothing more follows."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the model has said that it stopped: from here on the answer counts."""
        ...

    def take(self, event: ServerEvent) -> str | Failure:
        """Takes one event in; returns the text it brought, or the failure it reports."""
        ...

    def result(self, *, status: int, first_token_s: float | None) -> Response | Failure:
        """The whole answer, or the failure of a stream that ended too early."""
        ...


class Dialect(Protocol):
    """The wire format of one model. It does no I/O and keeps nothing of a request.

    A request with its own ``body`` goes out as it stands, and its answer keeps its body.
    """

    @property
    def name(self) -> str:
        """Its name, for people."""
        ...

    def headers(self, key: str) -> Mapping[str, str]:
        """The headers of every request, the key (if not empty) in one of them."""
        ...

    def url(self, base_url: str, request: Request, *, stream: bool) -> str:
        """Where a request goes. Raises PlanError for an endpoint it does not speak."""
        ...

    def encode(self, request: Request, *, stream: bool) -> bytes:
        """A request's body.

        Raises:
            PlanError: Parameters that are not for the caller to set.
            TypeError: A part has no JSON form.
        """
        ...

    def read(self, reply: HttpReply, *, who: str, request: Request) -> Response | Failure:
        """The answer of a request that was not streamed, or what stood in its way."""
        ...

    def collect(self, headers: Mapping[str, str], *, who: str, request: Request) -> Collector:
        """What takes the events of a streamed answer."""
        ...


class PerSchema(Generic[T]):
    """What is made of a schema, made once: thousands of calls share one schema object."""

    __slots__ = ("_known", "_make")

    def __init__(self, make: Callable[[Schema], T]) -> None:
        self._make = make
        self._known: dict[int, tuple[Schema, T]] = {}

    def __call__(self, schema: Schema) -> T:
        known = self._known.get(id(schema))
        if known is not None and known[0] is schema:
            return known[1]
        made = self._make(schema)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[id(schema)] = (schema, made)
        return made


def join_url(base_url: str, endpoint: str, *, root: str = "/v1") -> str:
    """An endpoint below a base URL.

    ``chat/completions`` and ``/v1/chat/completions`` name the same one. A base URL without a path
    is taken to mean ``root``; one with a path is taken as it stands, its query kept.

    Raises:
        PlanError: The endpoint is no plain path; it may not lead to another host.
    """
    path = endpoint_path(endpoint)
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise PlanError(
            f"{endpoint!r} is no endpoint",
            hint="give a path such as /v1/chat/completions; the host comes from the base URL",
        )
    parts = urlsplit(base_url)
    below = parts.path.rstrip("/") or root
    return urlunsplit((parts.scheme, parts.netloc, f"{below}/{path}", parts.query, ""))


def own_body(request: Request, *, model: str | None) -> Mapping[str, Any]:
    """A request's own body, the model added where it names none.

    Raises:
        PlanError: It asks for a stream.
    """
    body = request.body or {}
    if body.get("stream"):
        raise PlanError(
            "the request's body asks for a stream",
            hint='leave "stream" out of the body: the answer is wanted whole',
        )
    return body if model is None or "model" in body else {"model": model, **body}


def check_parameters(parameters: Mapping[str, Any], ours: frozenset[str]) -> None:
    """Refuses parameters that the call itself sets.

    Raises:
        PlanError: There are such parameters.
    """
    if not ours.isdisjoint(parameters):
        names = ", ".join(sorted(ours.intersection(parameters)))
        raise PlanError(
            f"the parameters set {names}, which the call itself sets",
            hint="name the model and the messages as arguments; ask for tokens with on_delta",
        )


def capped(
    parameters: Mapping[str, Any], *, as_: str, default: int | None = None
) -> dict[str, Any]:
    """The parameters with the cap of output tokens, whatever it is called, under one name."""
    found = {name: value for name, value in parameters.items() if name not in OUTPUT_CAPS}
    caps = [parameters[name] for name in OUTPUT_CAPS if name in parameters]
    cap = caps[0] if caps else default
    if cap is not None:
        found[as_] = cap
    return found


def parts_of(content: Any) -> list[Any]:
    """A message's content as a list of parts."""
    if content is None:
        return []
    return list(cast("list[Any]", content)) if isinstance(content, list | tuple) else [content]


def image_url(part: Mapping[str, Any]) -> str:
    """The address in an ``image_url`` part of OpenAI's; empty where it is none."""
    found = part.get("image_url")
    if isinstance(found, Mapping):
        found = cast("Mapping[str, Any]", found).get("url")
    return found if isinstance(found, str) else ""


def data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a ``data:`` URL."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    return head[5:-7] or "text/plain", data
