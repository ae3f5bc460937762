"""Whatever a server may send: a whole answer comes back whole, anything else as an error."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from fanwise.errors import TransportError
from fanwise.models.http.errors import TransportFault, failure_of
from fanwise.models.http.fast_parser import Bounds
from fanwise.models.http.transport import Transport
from support.raw_http import Peer, always, answering, chunked, ok, raw_server, turns
from support.transports import KINDS, open_kind, post

BOUNDS = Bounds(head_bytes=4096, body_bytes=10_000)


@pytest_asyncio.fixture(params=KINDS)
async def transport(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    opened = open_kind(request.param)
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture(params=KINDS)
async def bounded(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    opened = open_kind(request.param, bounds=BOUNDS)
    yield opened
    await opened.aclose()


async def fault_of_both(transport: Transport, url: str) -> TransportFault:
    """The error of ``send``, after ``stream`` has been seen to fail likewise."""
    with pytest.raises(TransportFault):
        async with transport.stream(post(url)) as stream:
            await stream.read()
    with pytest.raises(TransportFault) as caught:
        await transport.send(post(url))
    return caught.value


CUT = {
    "nothing at all": b"",
    "part of the status line": b"HTTP/1.",
    "part of the headers": b"HTTP/1.1 200 OK\r\ncontent-le",
    "an unfinished head": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
    "no byte of the body": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    "all but one byte": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfour",
    "no chunk": chunked(end=b""),
    "half a chunk size": chunked(end=b"1"),
    "half a chunk": chunked(b"one", end=b"10\r\nhalf"),
    "a chunk without its line end": chunked(b"one", end=b"3\r\ntwo"),
    "no last chunk": chunked(b"one", b"two", end=b""),
    "half the last chunk": chunked(b"one", b"two", end=b"0\r\n"),
    "an unfinished trailer": chunked(b"one", end=b"0\r\nx-a: 1\r\n"),
    "an interim answer only": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("what", CUT)
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_cut_answer_is_an_error(transport: Transport, what: str, how: str) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(CUT[what])
        if how == "reset":
            peer.reset()
        else:
            peer.hang_up()

    async with raw_server(behave) as server:
        error = await fault_of_both(transport, server.url())
        assert isinstance(error, TransportError)
        assert (error.kind, error.maybe_sent) == ("reset", True)
        assert f"127.0.0.1:{server.port}" in error.message
        assert failure_of(error).kind == "reset"
        assert len(server.peers) == 2  # and nobody tried again


async def test_an_answer_until_close_that_is_reset_is_an_error(transport: Transport) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await asyncio.sleep(0.02)
        peer.reset()

    async with raw_server(behave) as server:
        error = await fault_of_both(transport, server.url())
    assert error.kind == "reset"


async def test_the_head_of_a_cut_refusal_is_evidence_enough(transport: Transport) -> None:
    wire = b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 50\r\n\r\ncut"
    async with raw_server(answering(wire)) as server:
        error = await fault_of_both(transport, server.url())
    failure = failure_of(error)
    assert (failure.kind, failure.status, failure.headers["retry-after"]) == ("status", 429, "7")


MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "http 2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    "tls": b"\x15\x03\x01\x00\x02\x02\x46",
    "text": b"Hello, who is there?\r\n\r\n",
    "html": b"<html><body>hi</body></html>\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": chunked(b"one", head="content-length: 3\r\n"),
    "a length that is no number": b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n12345",
    "a negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n12345",
    "a chunk size that is no number": chunked(end=b"zz\r\nzz\r\n0\r\n\r\n"),
    "a chunk longer than it says": chunked(end=b"1\r\nabc\r\n0\r\n\r\n"),
    "switching protocols": b"HTTP/1.1 101 Go\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nblob",
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_what_is_not_http_is_an_error(transport: Transport, what: str) -> None:
    async with raw_server(always(MALFORMED[what])) as server:
        error = await fault_of_both(transport, server.url())
        assert error.maybe_sent
        assert f"127.0.0.1:{server.port}" in error.message
        async with asyncio.timeout(1):
            for peer in server.peers:
                await peer.closed.wait()
    assert transport.statistics().in_use == 0


async def test_a_server_that_does_not_speak_http_is_named_with_a_remedy(
    transport: Transport,
) -> None:
    async with raw_server(always(MALFORMED["another protocol"])) as server:
        error = await fault_of_both(transport, server.url())
    assert error.kind == "protocol"
    assert "base URL" in error.hint


async def test_bytes_behind_an_answer_do_not_answer_the_next_request(
    transport: Transport,
) -> None:
    """Response splitting: the second answer belongs to nobody."""
    async with raw_server(always(ok(b"mine") + ok(b"not yours"))) as server:
        for _ in range(3):
            assert (await transport.send(post(server.url()))).body == b"mine"
    assert len(server.peers) == 3


async def test_bytes_that_nobody_asked_for_do_not_answer_the_next_request() -> None:
    # The fast one only: aiohttp takes them for the next answer (docs/transport.md).
    transport = open_kind("fast")
    more, said = asyncio.Event(), asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(ok(b"mine"))
        await more.wait()
        await peer.say(ok(b"not yours", status="408 Timeout"))
        said.set()
        await peer.until_closed()

    async with raw_server(behave) as server:
        assert (await transport.send(post(server.url()))).body == b"mine"
        more.set()
        await said.wait()
        await turns(20)  # the news has to reach the client's event loop
        assert (await transport.send(post(server.url()))).body == b"mine"
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()
    await transport.aclose()


TOO_MUCH = {
    "a header": ok(b"", head="x-a: " + "a" * 5000 + "\r\n"),
    "headers": ok(b"", head="".join(f"x-{i}: {'a' * 50}\r\n" for i in range(100))),
    "a header without an end": b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 20_000,
    "a length": ok(b"x" * 10_001),
    "chunks": chunked(*[b"x" * 500] * 21),
    "gzip": ok(gzip.compress(b"x" * 10_001), head="content-encoding: gzip\r\n"),
    "a gzip bomb": ok(gzip.compress(b"\0" * 5_000_000), head="content-encoding: gzip\r\n"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
async def test_limits_of_size_are_errors_that_say_so(bounded: Transport, what: str) -> None:
    async with raw_server(always(TOO_MUCH[what])) as server:
        error = await fault_of_both(bounded, server.url())
    assert (error.kind, error.maybe_sent) == ("protocol", True)
    assert "10000 bytes" in error.message or "4096 bytes" in error.message
    assert bounded.statistics().in_use == 0


async def test_interim_answers_without_an_end_are_an_error() -> None:
    transport = open_kind("fast", bounds=BOUNDS)
    async with raw_server(always(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)) as server:
        error = await fault_of_both(transport, server.url())
    assert (error.kind, error.maybe_sent) == ("protocol", True)
    await transport.aclose()


async def test_a_declared_length_beyond_the_limit_is_not_waited_for(bounded: Transport) -> None:
    wire = b"HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n"
    async with raw_server(always(wire)) as server:
        error = await fault_of_both(bounded, server.url())
    assert "10000 bytes" in error.message


@pytest.mark.parametrize("form", ["length", "chunks", "gzip"])
async def test_an_answer_of_just_the_limit_passes(bounded: Transport, form: str) -> None:
    body = b"0123456789" * 1000
    wire = {
        "length": ok(body),
        "chunks": chunked(body[:5000], body[5000:]),
        "gzip": ok(gzip.compress(body), head="content-encoding: gzip\r\n"),
    }[form]
    async with raw_server(always(wire)) as server:
        assert (await bounded.send(post(server.url()))).body == body
        async with bounded.stream(post(server.url())) as stream:
            assert await stream.read() == body


BROKEN = {
    "cut gzip": (gzip.compress(b"word " * 500)[:-9], "gzip"),
    "no gzip": (b"plain text, really", "gzip"),
    "wrong checksum": (gzip.compress(b"word")[:-8] + b"\0" * 8, "gzip"),
    "cut deflate": (zlib.compress(b"word " * 500)[:-5], "deflate"),
    "unknown": (b"????", "br"),
    "two at once": (gzip.compress(gzip.compress(b"word")), "gzip, gzip"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_undecodable_bodies_are_errors(transport: Transport, what: str) -> None:
    body, encoding = BROKEN[what]
    wire = ok(body, head=f"content-encoding: {encoding}\r\n")
    async with raw_server(always(wire)) as server:
        error = await fault_of_both(transport, server.url())
    assert (error.kind, error.maybe_sent) == ("protocol", True)


async def test_gzip_of_several_members_and_padding(transport: Transport) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 16
    async with raw_server(always(ok(packed, head="content-encoding: gzip\r\n"))) as server:
        assert (await transport.send(post(server.url()))).body == b"one two"


async def test_an_encoding_header_without_a_body_is_harmless(transport: Transport) -> None:
    wire = ok(b"", head="content-encoding: gzip\r\n")
    async with raw_server(always(wire)) as server:
        assert (await transport.send(post(server.url()))).body == b""
        async with transport.stream(post(server.url())) as stream:
            assert await stream.read() == b""


async def test_answers_in_pieces_of_any_size_are_the_same(transport: Transport) -> None:
    text = random.Random(3).randbytes(300)
    body = gzip.compress(text)
    head = "content-encoding: gzip\r\nx-a: 1\r\n"
    wire = b"HTTP/1.1 100 Continue\r\n\r\n" + chunked(body[:100], body[100:], head=head)

    async def behave(peer: Peer) -> None:
        chance = random.Random(7)
        for _ in range(20):
            await peer.request()
            at = 0
            while at < len(wire):
                step = chance.choice([1, 1, 2, 3, 7, 50])
                await peer.say(wire[at : at + step])
                await asyncio.sleep(0)
                at += step

    async with raw_server(behave) as server:
        for _ in range(10):
            reply = await transport.send(post(server.url()))
            assert (reply.status, reply.body) == (200, text)
            async with transport.stream(post(server.url())) as stream:
                assert stream.headers["x-a"] == "1"
                assert await stream.read() == text
    assert len(server.peers) == 1
