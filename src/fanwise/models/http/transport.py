"""HTTP as the dialects need it: one request, one answer, whole or streamed.

Two implementations stand behind the protocol: :mod:`fanwise.models.http.fast` for the hot path,
:mod:`fanwise.models.http.aiohttp_transport` where a proxy stands between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fanwise.errors import ConfigError
from fanwise.records import NOTHING, Timeouts

DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request.

    Args:
        url: Absolute ``http`` or ``https`` URL.
        method: ``POST`` or ``GET``.
        headers: Sent as they are. ``Host``, ``Content-Length``, ``Accept-Encoding`` and
            ``User-Agent`` are added where they are missing; headers that frame the message are
            refused. Never shown, since keys travel in them.
        body: The whole body.
        timeouts: Deadlines of this attempt.
    """

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default=NOTHING, repr=False)
    body: bytes = field(default=b"", repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A whole answer, whatever its status. Redirects are answers too: they are not followed.

    Args:
        status: The HTTP status, 200 to 999.
        headers: Names in lower case; repeated ones joined with ``", "``.
        body: The body, decompressed.
        connect_s: Seconds until a connection stood; 0 where a kept one served.
        first_byte_s: Seconds from the request's send to the first byte of the answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    connect_s: float
    first_byte_s: float


class HttpStream(Protocol):
    """An answer whose head has come and whose body is on its way.

    Iterate over it for the pieces as they come, decompressed; their borders mean nothing. The
    end of the iteration means that the body is whole: a cut one raises. Iterate to the end, and
    the connection is kept for the next request.
    """

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    @property
    def connect_s(self) -> float:
        """Seconds until a connection stood; 0 where a kept one served."""
        ...

    @property
    def first_byte_s(self) -> float:
        """Seconds from the request's send to the first byte of the answer."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self) -> bytes:
        """What is left of the body, whole."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStatistics:
    """Counts since the transport was opened.

    Args:
        requests: Exchanges begun.
        opened: Connections made.
        reused: Exchanges on a kept connection.
        resent: Requests sent again without anybody being told, because the kept connection was
            proven dead before the server could have read a byte of them.
        dropped: Answers that had come whole when their caller was cancelled.
        in_use: Connections with an exchange on them now.
        idle: Connections kept for the next request now.
    """

    requests: int = 0
    opened: int = 0
    reused: int = 0
    resent: int = 0
    dropped: int = 0
    in_use: int = 0
    idle: int = 0

    def __add__(self, other: TransportStatistics) -> TransportStatistics:
        return TransportStatistics(
            requests=self.requests + other.requests,
            opened=self.opened + other.opened,
            reused=self.reused + other.reused,
            resent=self.resent + other.resent,
            dropped=self.dropped + other.dropped,
            in_use=self.in_use + other.in_use,
            idle=self.idle + other.idle,
        )


class Transport(Protocol):
    """Sends requests over kept connections, from one event loop.

    Both ways of asking raise :class:`fanwise.models.http.errors.TransportFault` and
    :class:`~fanwise.models.http.errors.TransportTimeout`, which say whether the server may
    have read the request, and :class:`fanwise.errors.ConfigError` for a request that cannot be
    sent. Cancelled at any moment, they close the connection at once. Neither retries a request
    that a server may have read: that is the retry layer's to decide.
    """

    async def send(self, request: HttpRequest) -> HttpReply:
        """Sends a request and returns the whole answer, whatever its status."""
        ...

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """Sends a request on entry; what is entered has the answer's head.

        Leaving the block before the body's end closes the connection. ``between_chunks_s`` does
        not run while the reader is the slow one; ``attempt_s`` always does.
        """
        ...

    async def aclose(self) -> None:
        """Closes every connection; exchanges under way fail. Again is harmless."""
        ...

    def statistics(self) -> TransportStatistics:
        """Counts so far."""
        ...


def open_transport(
    *, ca_file: str | None = None, prefer: Literal["fast", "aiohttp"] | None = None
) -> Transport:
    """The default transport: the fast one, and aiohttp wherever the environment names a proxy.

    Args:
        ca_file: PEM file of authorities trusted besides the system's. (``SSL_CERT_FILE`` in the
            environment replaces the system's, as everywhere with OpenSSL.)
        prefer: ``fast`` to go directly whatever the environment says, ``aiohttp`` to use it for
            everything.

    Raises:
        ConfigError: For an unknown name.
    """
    # Imported where they are needed: aiohttp alone costs a third of a second.
    if prefer == "aiohttp":
        from fanwise.models.http.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(ca_file=ca_file)
    if prefer == "fast":
        from fanwise.models.http.fast import FastTransport

        return FastTransport(ca_file=ca_file)
    if prefer is None:
        from fanwise.models.http.routing import RoutingTransport

        return RoutingTransport(ca_file=ca_file)
    raise ConfigError(f"there is no transport {prefer!r}", hint="take 'fast' or 'aiohttp'")
