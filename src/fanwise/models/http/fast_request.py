"""From a URL, headers and a body to the bytes of an HTTP/1.1 request (RFC 9112). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
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


def request_head(
    target: Target, *, method: str, headers: Mapping[str, str], body_bytes: int
) -> bytes:
    """The request line and the headers, with the empty line behind them.

    Raises:
        ConfigError: Where a name or a value cannot stand in a header, or would frame the message.
    """
    if method not in _METHODS:
        raise ConfigError(f"the method {method!r} is not served", hint="take GET or POST")
    names = {name.lower() for name in headers}
    if names and not _TOKENS.fullmatch("\n".join(names)):
        raise ConfigError(
            "a header name is empty or holds a character other than letters, digits and hyphens",
            hint=f"the names are {sorted(names)}",
        )
    if not names.isdisjoint(_FRAMING):
        raise ConfigError(
            f"the header {min(names & _FRAMING)!r} cannot be set: it frames the message",
            hint="leave it out",
        )
    lines = [f"{method} {target.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if "host" not in names:
        lines.append(f"host: {target.authority}")
    if "accept-encoding" not in names:
        lines.append("accept-encoding: gzip, deflate")
    if "user-agent" not in names:
        lines.append(f"user-agent: fanwise/{__version__}")
    if body_bytes or method != "GET":
        lines.append(f"content-length: {body_bytes}")
    breaks = len(lines) + 1
    head = "\r\n".join([*lines, "", ""])
    # One count over the whole head instead of a check of every value.
    if head.count("\n") != breaks or head.count("\r") != breaks or "\0" in head:
        raise _unsendable(headers)
    try:
        return head.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(
            "a header or the URL holds half a character", hint="was it read in the wrong encoding?"
        ) from None


def _unsendable(headers: Mapping[str, str]) -> ConfigError:
    for name, value in headers.items():
        if any(c in value for c in "\r\n\0"):
            return ConfigError(
                f"the value of header {name!r} holds a line break or a NUL",
                hint="was a key pasted or read from a file with its line end?",
            )
    return ConfigError("the request's head holds a line break", hint="check URL and header names")
