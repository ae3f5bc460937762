"""The TLS layer against OpenSSL's server side, in memory."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

import pytest
import trustme

from fanwise.models.http.fast_protocol import Connection
from fanwise.models.http.fast_tls import TlsLayer
from fanwise.testing.virtual import run_virtual


class Inner:
    """Stands in for the connection: keeps what it is told."""

    def __init__(self) -> None:
        self.layer: TlsLayer | None = None
        self.received = bytearray()
        self.ends: list[bool] = []
        self.lost: list[Exception | None] = []
        self.pause_after = 10**9
        self._buffer = memoryview(bytearray(65536))

    def connection_made(self, transport: Any) -> None:
        self.layer = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._buffer[:nbytes]
        if len(self.received) >= self.pause_after:
            self.pause_after = 10**9
            assert self.layer is not None
            self.layer.pause_reading()

    def ended(self, *, meant: bool) -> None:
        self.ends.append(meant)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Server:
    """The other end: a server's TLS session and the socket transport between, in memory."""

    def __init__(
        self, authority: trustme.CA, *, trusted: bool = True, name: str = "h.test"
    ) -> None:
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("h.test").configure_cert(server)
        client = ssl.create_default_context()
        if trusted:
            authority.configure_trust(client)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = server.wrap_bio(self._in, self._out, server_side=True)
        self.refusal: ssl.SSLError | None = None
        self.inner = Inner()
        self.closed = False
        self.reading = True
        self.layer = TlsLayer(
            loop=asyncio.get_running_loop(),
            context=client,
            host=name,
            connection=cast("Connection", self.inner),
            buffer=memoryview(bytearray(65536)),
        )
        self.layer.connection_made(cast("asyncio.BaseTransport", self))

    # what the layer calls

    def write(self, data: bytes) -> None:
        self._in.write(data)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.layer.connection_lost, None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    # what a test calls

    def deliver(self, *, step: int = 65536) -> None:
        """Carries what the server has to say to the layer."""
        data = self._out.read()
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            self.layer.get_buffer(-1)[: len(piece)] = piece
            self.layer.buffer_updated(len(piece))

    def shake_hands(self, *, step: int = 65536) -> None:
        for _ in range(3):
            try:
                self.session.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                self.refusal = self.refusal or error
            finally:
                self.deliver(step=step)
        assert self.layer.ready.done()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("step", [1, 7, 65536])
def test_bytes_pass_in_both_directions_in_any_pieces(authority: trustme.CA, step: int) -> None:
    async def main() -> None:
        server = Server(authority)
        server.shake_hands(step=step)
        body = bytes(range(256)) * 300
        server.layer.write(b"POST / ")
        server.layer.write(memoryview(body))
        got = b""
        while len(got) < 7 + len(body):
            got += server.session.read(100_000)
        assert got == b"POST / " + body
        for at in range(0, len(body), 10_000):
            server.session.write(body[at : at + 10_000])
        server.deliver(step=step)
        assert bytes(server.inner.received) == body

    run_virtual(main())


def test_a_reader_that_pauses_gets_the_rest_without_anything_more_from_the_socket(
    authority: trustme.CA,
) -> None:
    async def main() -> None:
        server = Server(authority)
        server.shake_hands()
        for _ in range(3):
            server.session.write(b"x" * 16_000)
        server.inner.pause_after = 1
        server.deliver()
        assert len(server.inner.received) == 16_000
        assert not server.reading
        await asyncio.sleep(1)
        assert len(server.inner.received) == 16_000
        server.layer.resume_reading()
        await asyncio.sleep(1)
        assert server.reading
        assert len(server.inner.received) == 48_000

    run_virtual(main())


def test_a_farewell_is_an_end_that_was_meant(authority: trustme.CA) -> None:
    async def main() -> None:
        server = Server(authority)
        server.shake_hands()
        server.session.write(b"last words")
        with pytest.raises(ssl.SSLWantReadError):
            server.session.unwrap()
        server.deliver()
        assert bytes(server.inner.received) == b"last words"
        assert server.inner.ends == [True]
        await asyncio.sleep(0)
        assert server.inner.lost == [None]

    run_virtual(main())


def test_an_end_without_a_farewell_was_not_meant(authority: trustme.CA) -> None:
    async def main() -> None:
        server = Server(authority)
        server.shake_hands()
        server.session.write(b"last words")
        server.deliver()
        server.layer.eof_received()
        assert server.inner.ends == [False]

    run_virtual(main())


def test_damaged_bytes_end_the_connection_with_the_reason(authority: trustme.CA) -> None:
    async def main() -> None:
        server = Server(authority)
        server.shake_hands()
        buffer = server.layer.get_buffer(-1)
        buffer[:9] = b"\x17\x03\x03\x00\x04junk"
        server.layer.buffer_updated(9)
        assert server.closed
        await asyncio.sleep(0)
        [error] = server.inner.lost
        assert isinstance(error, ssl.SSLError)
        assert bytes(server.inner.received) == b""

    run_virtual(main())


@pytest.mark.parametrize(("trusted", "name"), [(False, "h.test"), (True, "other.test")])
def test_a_certificate_that_does_not_fit_ends_the_handshake(
    authority: trustme.CA, name: str, *, trusted: bool
) -> None:
    async def main() -> None:
        server = Server(authority, trusted=trusted, name=name)
        server.shake_hands()
        assert isinstance(server.layer.ready.exception(), ssl.SSLCertVerificationError)
        assert server.closed
        assert "ALERT" in str(server.refusal)
        assert server.inner.layer is None

    run_virtual(main())


def test_a_connection_lost_in_the_handshake(authority: trustme.CA) -> None:
    async def main() -> None:
        server = Server(authority)
        server.layer.connection_lost(None)
        with pytest.raises(ConnectionResetError):
            await server.layer.ready
        assert server.inner.lost == []

    run_virtual(main())
