"""TLS between a socket and a connection.

asyncio has a TLS layer of its own. It keeps 256 KiB for every connection, which for the 2000
connections of one run is half a gigabyte, and reports a connection that was cut in the same way as
one that ended. This one is OpenSSL through :class:`ssl.SSLObject` and two memory buffers, does what
HTTP/1.1 needs, and receives into memory that all connections share. Certificates and names are
checked by OpenSSL in the handshake, as the context says.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

from fanwise.models.http.fast_protocol import Connection


class TlsLayer(asyncio.BufferedProtocol):
    """The protocol of a socket's transport and the transport of a :class:`Connection` at once.

    Args:
        loop: The loop it lives on.
        context: What to trust.
        host: Whom the certificate has to name.
        connection: Who speaks through it.
        buffer: Where encrypted bytes are received; shared as the connection's own is.

    Attributes:
        ready: Done when the handshake is; its exception says why it failed.
    """

    __slots__ = (
        "_buffer",
        "_connection",
        "_error",
        "_incoming",
        "_loop",
        "_outgoing",
        "_paused",
        "_raw",
        "_session",
        "_up",
        "ready",
    )

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        host: str,
        connection: Connection,
        buffer: memoryview,
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._buffer = buffer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._raw: asyncio.Transport | None = None
        self._error: Exception | None = None
        self._paused = False
        self._up = False
        self.ready: asyncio.Future[None] = loop.create_future()

    # ── what the socket's transport calls ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast("asyncio.Transport", transport)
        self._shake_hands()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._incoming.write(self._buffer[:nbytes])
        if self._up:
            self._read()
        else:
            self._shake_hands()

    def eof_received(self) -> None:
        if self._up:
            self._read()
            if not self.is_closing():
                self._connection.ended(meant=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._raw = None
        error = self._error or exc
        if self._up:
            self._up = False
            self._connection.connection_lost(error)
        else:
            self._fail_handshake(error or ConnectionResetError("during the TLS handshake"))

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    # ── what the connection calls ──

    def write(self, data: bytes | memoryview) -> None:
        """Encrypts and sends; a failure ends the connection."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._session.write(view) :]
        except ssl.SSLError as error:
            self._give_up(error)
        self._flush()

    def abort(self) -> None:
        """Closes the socket at once."""
        if self._raw is not None:
            self._raw.abort()

    def is_closing(self) -> bool:
        """Whether the socket is closed or about to be."""
        return self._raw is None or self._raw.is_closing()

    def pause_reading(self) -> None:
        """Hands nothing out, and leaves the socket unread."""
        self._paused = True
        if self._raw is not None:
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Goes on with what has been received already, then with the socket."""
        self._paused = False
        if self._raw is not None:
            self._raw.resume_reading()
            self._loop.call_soon(self._read)

    def set_write_buffer_limits(self, *, high: int, low: int) -> None:
        """As of the socket's transport, counted in encrypted bytes."""
        if self._raw is not None:
            self._raw.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        """Encrypted bytes that the kernel has not taken."""
        return 0 if self._raw is None else self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``ssl_object``, or what the socket's transport knows."""
        if name == "ssl_object":
            return self._session
        return default if self._raw is None else self._raw.get_extra_info(name, default)

    # ── between the two ──

    def _shake_hands(self) -> None:
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the server why
            self._give_up(error)
            return
        self._flush()
        self._up = True
        self._connection.connection_made(cast("asyncio.BaseTransport", self))
        if not self.ready.done():
            self.ready.set_result(None)
        self._read()

    def _read(self) -> None:
        """Hands on what can be decrypted, until there is no more or the reader has enough."""
        session, connection = self._session, self._connection
        # Asked for first: a read that finds nothing costs an exception.
        while self._up and not self._paused and (self._incoming.pending or session.pending()):
            buffer = connection.get_buffer(-1)
            try:
                received = cast("int", session.read(len(buffer), buffer))
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._give_up(error)
                return
            if not received:  # the peer's farewell
                connection.ended(meant=True)
                self.abort()
                return
            connection.buffer_updated(received)
            if self.is_closing():
                return
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and self._raw is not None:
            self._raw.write(self._outgoing.read())

    def _give_up(self, error: ssl.SSLError) -> None:
        self._error = self._error or error
        if not self._up:
            self._fail_handshake(error)
        self.abort()

    def _fail_handshake(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # heard of: who dialled may have gone by now
