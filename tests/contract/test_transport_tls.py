"""TLS: a private authority is trusted when it is named, and nobody else is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from fanwise.errors import ConfigError
from fanwise.models.http.errors import TransportFault
from fanwise.models.http.transport import Transport
from support.raw_http import Peer, always, answering, chunked, ok, raw_server, turns
from support.transports import KINDS, open_kind, post


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    ca_file: str
    server: ssl.SSLContext
    wrong_name: ssl.SSLContext
    context: Callable[[str], ssl.SSLContext]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))

    def context(*names: str) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.set_alpn_protocols(["h2", "http/1.1"])
        ca.issue_cert(*names).configure_cert(made)
        return made

    return Authority(
        ca_file=str(ca_file),
        server=context("127.0.0.1", "localhost"),
        wrong_name=context("example.com"),
        context=context,
    )


@pytest_asyncio.fixture(params=KINDS)
async def transport(
    request: pytest.FixtureRequest, authority: Authority
) -> AsyncGenerator[Transport]:
    opened = open_kind(request.param, ca_file=authority.ca_file)
    yield opened
    await opened.aclose()


async def test_a_private_authority(transport: Transport, authority: Authority) -> None:
    async with raw_server(always(ok(b"safe")), tls=authority.server) as server:
        for _ in range(3):
            assert (await transport.send(post(server.url()))).body == b"safe"
        async with transport.stream(post(server.url())) as stream:
            assert await stream.read() == b"safe"
        assert len(server.peers) == 1
        by_name = await transport.send(post(server.url(host="localhost")))
        assert by_name.body == b"safe"


async def test_http_1_1_is_agreed_on(transport: Transport, authority: Authority) -> None:
    agreed: list[str | None] = []

    async def behave(peer: Peer) -> None:
        await peer.request()
        agreed.append(peer.tls().selected_alpn_protocol())
        await peer.say(ok(b"1"))

    async with raw_server(behave, tls=authority.server) as server:
        await transport.send(post(server.url()))
    assert agreed == ["http/1.1"]


async def test_large_bodies_in_both_directions(transport: Transport, authority: Authority) -> None:
    async def echo(peer: Peer) -> None:
        while True:
            await peer.say(ok((await peer.request()).body))

    body = bytes(range(256)) * 8000
    async with raw_server(echo, tls=authority.server) as server:
        for _ in range(2):
            assert (await transport.send(post(server.url(), body))).body == body


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_authority_is_refused(kind: str, authority: Authority) -> None:
    transport = open_kind(kind)
    heard: list[object] = []

    async def behave(peer: Peer) -> None:
        heard.append(await peer.request())

    async with raw_server(behave, tls=authority.server) as server:
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url()))
    assert (caught.value.kind, caught.value.maybe_sent) == ("connect", False)
    assert "not trusted" in caught.value.message
    assert f"127.0.0.1:{server.port}" in caught.value.message
    assert "SSL_CERT_FILE" in caught.value.hint
    assert heard == []
    await transport.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_environment_may_name_the_authority(
    kind: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)
    transport = open_kind(kind)
    async with raw_server(always(ok(b"safe")), tls=authority.server) as server:
        assert (await transport.send(post(server.url()))).body == b"safe"
    await transport.aclose()


async def test_a_certificate_for_another_name_is_refused(
    transport: Transport, authority: Authority
) -> None:
    async with raw_server(always(ok(b"1")), tls=authority.wrong_name) as server:
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url()))
    assert caught.value.kind == "connect"
    assert "127.0.0.1" in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
async def test_authorities_that_cannot_be_read_are_a_mistake_in_the_settings(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for ca_file in (str(tmp_path / "missing.pem"), str(empty)):
        transport = open_kind(kind, ca_file=ca_file)
        with pytest.raises(ConfigError, match="PEM"):
            await transport.send(post("https://127.0.0.1:9/x"))
        await transport.aclose()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    transport = open_kind(kind)
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        await transport.send(post("https://127.0.0.1:9/x"))
    await transport.aclose()


async def test_https_to_a_server_that_speaks_plain_http(transport: Transport) -> None:
    async def behave(peer: Peer) -> None:
        await peer.some(1000)
        await peer.say(ok(b"no", status="400 Bad Request"))

    async with raw_server(behave) as server:
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url().replace("http:", "https:")))
    assert (caught.value.kind, caught.value.maybe_sent) == ("connect", False)
    assert "http://" in caught.value.hint


async def test_plain_http_to_a_server_that_speaks_tls(
    transport: Transport, authority: Authority
) -> None:
    async with raw_server(always(ok(b"1")), tls=authority.server) as server:
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url().replace("https:", "http:")))
    assert f"127.0.0.1:{server.port}" in caught.value.message


async def test_a_cut_answer_over_tls_is_an_error(
    transport: Transport, authority: Authority
) -> None:
    wires = [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfour", chunked(b"one", end=b"")]
    for wire in wires:
        async with raw_server(answering(wire), tls=authority.server) as server:
            with pytest.raises(TransportFault) as caught:
                await transport.send(post(server.url()))
            assert caught.value.kind == "reset"


async def test_an_answer_until_close_needs_the_farewell_of_tls(authority: Authority) -> None:
    """Without it anybody on the way could have cut the answer (RFC 9112, 9.8)."""
    transport = open_kind("fast", ca_file=authority.ca_file)
    said = asyncio.Event()

    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await said.wait()
        peer.cut()

    async with raw_server(cut, tls=authority.server) as server:
        with pytest.raises(TransportFault) as caught:
            async with transport.stream(post(server.url())) as stream:
                async for _ in stream:
                    said.set()
    assert caught.value.kind == "reset"
    wire = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
    async with raw_server(answering(wire), tls=authority.server) as server:
        assert (await transport.send(post(server.url()))).body == b"until the end"
    await transport.aclose()


async def test_the_server_sees_a_cancelled_call_close_over_tls(
    transport: Transport, authority: Authority
) -> None:
    for wire in (b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"):
        said = asyncio.Event()

        async def behave(peer: Peer, wire: bytes = wire, said: asyncio.Event = said) -> None:
            await peer.request()
            await peer.say(wire)
            said.set()
            await peer.until_closed()

        async with raw_server(behave, tls=authority.server) as server:
            call = asyncio.create_task(transport.send(post(server.url())))
            await said.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            async with asyncio.timeout(1):
                await server.peers[0].closed.wait()


async def test_a_slow_reader_holds_the_server_back_over_tls(
    transport: Transport, authority: Authority
) -> None:
    piece, most, sent = b"x" * 65536, 600, 0

    async def behave(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (most * len(piece)))
        for _ in range(most):
            await peer.say(piece)
            sent += 1
        await peer.request()
        await peer.say(ok(b"next"))

    async with raw_server(behave, tls=authority.server) as server:
        async with transport.stream(post(server.url())) as stream:
            before = -1
            while sent != before:
                before = sent
                await turns(200)
            assert sent < most
            assert sum([len(chunk) async for chunk in stream]) == most * len(piece)
        assert (await transport.send(post(server.url()))).body == b"next"
    assert len(server.peers) == 1


async def test_stream_pieces_come_as_they_are_sent_over_tls(
    transport: Transport, authority: Authority
) -> None:
    heard = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(chunked(b"data: 0\n\n", end=b""))
        for number in range(1, 4):
            await heard.wait()
            heard.clear()
            await peer.say(b"9\r\ndata: %d\n\n\r\n" % number)
        await heard.wait()
        await peer.say(b"0\r\n\r\n")

    pieces: list[bytes] = []
    async with (
        raw_server(behave, tls=authority.server) as server,
        transport.stream(post(server.url())) as stream,
    ):
        async for piece in stream:
            pieces.append(piece)
            heard.set()
    assert pieces == [b"data: %d\n\n" % number for number in range(4)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_of_tls(
    transport: Transport, authority: Authority, version: ssl.TLSVersion
) -> None:
    async def echo(peer: Peer) -> None:
        while True:
            await peer.say(ok((await peer.request()).body))

    context = authority.context("127.0.0.1")
    context.minimum_version = context.maximum_version = version
    async with raw_server(echo, tls=context) as server:
        for body in (b"small", bytes(300_000), b""):
            assert (await transport.send(post(server.url(), body))).body == body
    assert len(server.peers) == 1


async def test_a_server_that_wants_a_certificate_of_ours_is_an_error(
    transport: Transport, authority: Authority
) -> None:
    context = authority.context("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    async with raw_server(always(ok(b"1")), tls=context) as server:
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url()))
    assert f"127.0.0.1:{server.port}" in caught.value.message


async def test_a_kept_connection_that_was_closed_over_tls(
    transport: Transport, authority: Authority
) -> None:
    async with raw_server(answering(ok(b"1")), tls=authority.server) as server:
        for _ in range(3):
            assert (await transport.send(post(server.url()))).body == b"1"
            await server.peers[-1].closed.wait()
            await turns(20)
    assert len(server.peers) == 3


async def test_closing_the_transport_closes_connections_over_tls(
    transport: Transport, authority: Authority
) -> None:
    async with raw_server(always(ok(b"1")), tls=authority.server) as server:
        await asyncio.gather(*(transport.send(post(server.url())) for _ in range(10)))
        await transport.aclose()
        async with asyncio.timeout(1):
            for peer in server.peers:
                await peer.closed.wait()


async def test_a_handshake_that_is_cut_is_an_error(transport: Transport) -> None:
    async def behave(peer: Peer) -> None:
        await peer.some(100)
        peer.hang_up()

    async with raw_server(behave) as server:
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url().replace("http:", "https:")))
    assert (caught.value.kind, caught.value.maybe_sent) == ("connect", False)


async def test_a_call_cancelled_in_the_handshake_closes_its_connection(
    transport: Transport,
) -> None:
    begun = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.some(100)
        begun.set()
        await peer.until_closed()

    async with raw_server(behave) as server:
        url = server.url().replace("http:", "https:")
        call = asyncio.create_task(transport.send(post(url)))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()
