"""A running service as the command line talks to it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from fanwise.errors import (
    BudgetExhausted,
    ConfigError,
    Conflict,
    FanwiseError,
    InvalidFields,
    JournalUnavailable,
    StateError,
)

TOKEN = "FANWISE_TOKEN"  # noqa: S105 - the name of a variable
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT_S = 60.0
_KINDS: Mapping[str, type[FanwiseError]] = {
    "state": StateError,
    "conflict": Conflict,
    "budget_exhausted": BudgetExhausted,
    "journal_unavailable": JournalUnavailable,
}


class ServiceClient:
    """A service by its address.

    Args:
        url: ``http://127.0.0.1:8377``.
        token: Its token. By default that of ``FANWISE_TOKEN``, or, of a service of this machine,
            that in the journal's directory.
        journal: The journal's directory.

    Raises:
        ConfigError: The address is none, or no token is known.
    """

    def __init__(self, url: str, *, token: str | None = None, journal: str = ".fanwise") -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ConfigError(
                f"{url!r} is no address of a service", hint="write it as http://127.0.0.1:8377"
            )
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        local = parts.hostname in _LOCAL
        self._token = token or os.environ.get(TOKEN) or (_own_token(journal) if local else "")
        if not self._token:
            where = f", or name its directory with --journal (not {journal})" if local else ""
            raise ConfigError(
                f"no token for {self.url} is known", hint=f"put it into {TOKEN}{where}"
            )
        handlers = [_NoRedirects(), *([ProxyHandler({})] if local else [])]
        self._opener: OpenerDirector = build_opener(*handlers)

    def __repr__(self) -> str:
        return f"<ServiceClient {self.url}>"

    def get(self, path: str, **query: Any) -> Any:
        """What a route answers."""
        return self._json("GET", path + _query(query))

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Sends a JSON body and gives the answer."""
        data = json.dumps({} if body is None else body).encode()
        return self._json(method, path, data=data, kind="application/json")

    def upload(self, file: IO[bytes], *, name: str) -> str:
        """Sends a file and gives its id."""
        border = secrets.token_hex(16)
        safe = name.encode("ascii", "replace").decode().replace('"', "_").replace("\n", "_")
        head = (
            f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{safe}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        data = head.encode() + file.read() + f"\r\n--{border}--\r\n".encode()
        kind = f"multipart/form-data; boundary={border}"
        return str(self._json("POST", "/api/v1/uploads", data=data, kind=kind)["id"])

    def lines(self, path: str, **query: Any) -> Iterator[bytes]:
        """The lines of an answer as they come."""
        with self._open("GET", path + _query(query)) as answer:
            yield from answer

    def text(self, path: str, **query: Any) -> str:
        """An answer as text."""
        with self._open("GET", path + _query(query)) as answer:
            return answer.read().decode()

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """An event stream; one that breaks is taken up again where it was, up to five times."""
        last, left = "", 5
        while True:
            try:
                with self._open("GET", path, headers={"Last-Event-ID": last} if last else {}) as s:
                    kind = ""
                    for raw in s:
                        name, _, value = raw.decode().rstrip("\r\n").partition(": ")
                        if name == "event":
                            kind = value
                        elif name == "id":
                            last, left = value, 5
                        elif name == "data":
                            yield kind, json.loads(value)
                            if kind == "end":
                                return
            except (OSError, HTTPException) as error:
                if left == 0:
                    raise _gone(self.url, error) from error
            if left == 0:
                raise FanwiseError(f"{self.url} ended the stream", hint="is the service stopping?")
            left -= 1

    def _json(self, method: str, path: str, **how: Any) -> Any:
        with self._open(method, path, **how) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def _open(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        kind: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        request = Request(self.url + path, data=data, method=method)  # noqa: S310 - checked above
        request.add_header("Authorization", f"Bearer {self._token}")
        if kind:
            request.add_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            return cast("HTTPResponse", self._opener.open(request, timeout=_TIMEOUT_S))
        except HTTPError as error:
            with error:
                raise _told(error, self.url) from None
        except (URLError, OSError, HTTPException) as error:
            raise _gone(self.url, error) from error


class _NoRedirects(HTTPRedirectHandler):
    """A token goes to the service that was named, and nowhere else."""

    def redirect_request(  # noqa: PLR0917 - the library's own
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        return None


def id_path(run_id: str) -> str:
    """The route of a run."""
    return f"/api/v1/runs/{quote(run_id, safe='')}"


def _query(given: Mapping[str, Any]) -> str:
    pairs = [f"{name}={quote(str(value))}" for name, value in given.items() if value is not None]
    return "?" + "&".join(pairs) if pairs else ""


def _own_token(journal: str) -> str:
    directory = ".fanwise" if "://" in journal else journal
    try:
        return (Path(directory) / "service-token").read_text("utf-8").strip()
    except OSError:
        return ""


def _told(error: HTTPError, url: str) -> FanwiseError:
    """What a service has refused, as the command line would have said it itself."""
    try:
        found: Any = json.loads(error.read())["error"]
        kind, message, hint = found["kind"], found["message"], found["hint"]
        fields: dict[str, str] = found["fields"]
    except (ValueError, KeyError, TypeError):
        return FanwiseError(f"{url} answered {error.code}", hint="is it a service of Fanwise?")
    if error.code == 401:
        return ConfigError(f"{url} does not know this token", hint=f"put another into {TOKEN}")
    if fields:
        return InvalidFields("the job", fields, hint=hint)
    known = _KINDS.get(kind) or (ConfigError if 400 <= error.code < 500 else FanwiseError)
    return known(message, hint=hint)


def _gone(url: str, error: Exception) -> FanwiseError:
    reason = getattr(error, "reason", None) or error
    return FanwiseError(f"no service answers at {url}: {reason}", hint="start one: fanwise serve")
