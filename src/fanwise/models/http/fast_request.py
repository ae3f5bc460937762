"""From a URL, headers and a body to the bytes of an HTTP/1.1 request (RFC 9112). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from fanwise import __version__
from fanwise.errors import ConfigError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_METHODS = frozenset({"GET", "POST"})
# RFC 9110, 5.6.2: what header names may consist of; here in lower case, one to a line.
_TOKENS = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+(?:\n[!#$%&'*+\-.^_`|~0-9a-z]+)*")
# The message's framing is ours; a second opinion on it is how requests are smuggled.
_FRAMING = frozenset(
    {"content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}
)
# Callers have a handful of sets of names; one that invents names fills no memory.
_MOST_FRAMES = 64
_Frame: TypeAlias = tuple[str, int]
# Everything that may stand in a path or a query, so that only what may not is escaped.
_URL_SAFE = "/?:@!$&'()*+,;=-._~%[]|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a URL leads.

    Args:
        tls: Whether the scheme is https.
        host: Name or address, in ASCII, without brackets.
        port: The port.
        authority: What the ``Host`` header says.
        path: Path and query as they stand in the request line.
    """

    tls: bool
    host: str
    port: int
    authority: str
    path: str

    @property
    def server(self) -> str:
        """Host and port for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """Takes a URL apart.

    Raises:
        ConfigError: Where it is no absolute http or https URL, or holds a password.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
        # Also for names in ASCII: it is what the resolver would stumble over (labels too long).
        host = host.encode("idna").decode("ascii") if host else host
        path = quote(parts.path or "/", safe=_URL_SAFE)
        if parts.query:
            path += "?" + quote(parts.query, safe=_URL_SAFE)
    except ValueError as error:
        raise ConfigError(f"{url!r} is not a URL: {error}", hint="check --base-url") from error
    if scheme not in _DEFAULT_PORTS or not host:
        raise ConfigError(
            f"{url!r} is not an http or https URL", hint="write it as https://host/path"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"the URL for {host} holds a user name or a password",
            hint="keys belong in the environment; they are sent in headers only",
        )
    if not all("!" <= c <= "~" for c in host):
        raise ConfigError(f"{host!r} is not a host name", hint="check --base-url")
    default = _DEFAULT_PORTS[scheme]
    bracketed = f"[{host}]" if ":" in host else host
    return Target(
        tls=scheme == "https",
        host=host,
        port=default if port is None else port,
        authority=bracketed if port is None or port == default else f"{bracketed}:{port}",
        path=path,
    )


class HeadWriter:
    """Writes request lines and headers for one target.

    What depends on the headers' names alone is done once for each set of names.

    Args:
        target: Where the requests go.
    """

    __slots__ = ("_frames", "_target")

    def __init__(self, target: Target) -> None:
        self._target = target
        self._frames: dict[tuple[str, bool, tuple[str, ...]], _Frame] = {}

    def head(self, *, method: str, headers: Mapping[str, str], body_bytes: int) -> bytes:
        """The request line and the headers, with the empty line behind them.

        Raises:
            ConfigError: Where a name or a value cannot stand in a header, or would frame the
                message.
        """
        sized = body_bytes > 0 or method != "GET"
        names = (method, sized, tuple(headers))
        frame = self._frames.get(names)
        if frame is None:
            frame = _frame(self._target, method=method, names=names[2], sized=sized)
            if len(self._frames) >= _MOST_FRAMES:
                self._frames.clear()
            self._frames[names] = frame
        template, breaks = frame
        values = headers.values()
        head = template % ((*values, body_bytes) if sized else tuple(values))
        # One count over the whole head instead of a check of every value.
        if head.count("\n") != breaks or head.count("\r") != breaks or "\0" in head:
            raise _unsendable(headers)
        try:
            return head.encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigError(
                "a header or the URL holds half a character",
                hint="was it read in the wrong encoding?",
            ) from None


def request_head(
    target: Target, *, method: str, headers: Mapping[str, str], body_bytes: int
) -> bytes:
    """One head; see :meth:`HeadWriter.head`."""
    return HeadWriter(target).head(method=method, headers=headers, body_bytes=body_bytes)


def _frame(target: Target, *, method: str, names: tuple[str, ...], sized: bool) -> _Frame:
    """The head with gaps for the headers' values and the body's size, and its line breaks."""
    if method not in _METHODS:
        raise ConfigError(f"the method {method!r} is not served", hint="take GET or POST")
    known = {name.lower() for name in names}
    if known and not _TOKENS.fullmatch("\n".join(known)):
        raise ConfigError(
            "a header name is empty or holds a character other than letters, digits and hyphens",
            hint=f"the names are {sorted(known)}",
        )
    if not known.isdisjoint(_FRAMING):
        raise ConfigError(
            f"the header {min(known & _FRAMING)!r} cannot be set: it frames the message",
            hint="leave it out",
        )
    lines = [_literal(f"{method} {target.path} HTTP/1.1")]
    lines += [f"{_literal(name)}: %s" for name in names]
    if "host" not in known:
        lines.append(_literal(f"host: {target.authority}"))
    if "accept-encoding" not in known:
        lines.append("accept-encoding: gzip, deflate")
    if "user-agent" not in known:
        lines.append(f"user-agent: fanwise/{__version__}")
    if sized:
        lines.append("content-length: %d")
    return "\r\n".join([*lines, "", ""]), len(lines) + 1


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _unsendable(headers: Mapping[str, str]) -> ConfigError:
    for name, value in headers.items():
        if any(c in value for c in "\r\n\0"):
            return ConfigError(
                f"the value of header {name!r} holds a line break or a NUL",
                hint="was a key pasted or read from a file with its line end?",
            )
    return ConfigError("the request's head holds a line break", hint="check URL and header names")
