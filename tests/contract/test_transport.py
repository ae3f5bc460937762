"""What every transport does: requests as asked for, answers as given, connections kept."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from fanwise.errors import ConfigError, StateError
from fanwise.models.http.errors import TransportFault
from fanwise.models.http.transport import HttpRequest, Transport, open_transport
from support.raw_http import Peer, Seen, always, answering, chunked, ok, raw_server, turns
from support.transports import KINDS, open_kind, post


@pytest_asyncio.fixture(params=KINDS)
async def transport(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    opened = open_kind(request.param)
    yield opened
    await opened.aclose()


def recording(seen: list[Seen], answer: bytes):
    async def behave(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.say(answer)

    return behave


async def test_a_request_arrives_as_it_was_asked_for(transport: Transport) -> None:
    seen: list[Seen] = []
    async with raw_server(recording(seen, ok(b'{"a":1}', head="X-Id: 7\r\n"))) as server:
        reply = await transport.send(
            HttpRequest(
                url=server.url("/v1/a:b/%7Ec/chat?x=a%20b&y=é&z=[1]"),
                headers={"Authorization": "Bearer k", "Content-Type": "application/json"},
                body=b'{"q":2}',
            )
        )
    assert (reply.status, reply.body, reply.headers["x-id"]) == (200, b'{"a":1}', "7")
    assert reply.connect_s >= 0
    assert reply.first_byte_s >= 0
    [request] = seen
    assert (request.method, request.body) == ("POST", b'{"q":2}')
    assert request.target == "/v1/a:b/%7Ec/chat?x=a%20b&y=%C3%A9&z=[1]"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["authorization"] == "Bearer k"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == "7"
    assert request.headers["accept-encoding"] == "gzip, deflate"


async def test_a_get_goes_out_without_a_body(transport: Transport) -> None:
    seen: list[Seen] = []
    async with raw_server(recording(seen, ok(b"[]"))) as server:
        reply = await transport.send(HttpRequest(method="GET", url=server.url("/v1/models")))
    assert reply.body == b"[]"
    assert (seen[0].method, seen[0].target, seen[0].body) == ("GET", "/v1/models", b"")
    assert "content-length" not in seen[0].headers


async def test_a_large_body_arrives_whole(transport: Transport) -> None:
    seen: list[Seen] = []
    body = bytes(range(256)) * 12_000
    async with raw_server(recording(seen, ok(b"got it"))) as server:
        reply = await transport.send(post(server.url(), body))
        again = await transport.send(post(server.url(), b"small"))
    assert (reply.body, again.body) == (b"got it", b"got it")
    assert seen[0].body == body
    assert len(server.peers) == 1


async def test_a_large_answer_arrives_whole(transport: Transport) -> None:
    body = bytes(range(256)) * 12_000
    async with raw_server(always(ok(body))) as server:
        assert (await transport.send(post(server.url()))).body == body


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "503 Busy"])
async def test_an_error_status_is_an_answer(transport: Transport, status: str) -> None:
    answer = ok(b"no", status=status, head="Retry-After: 3\r\n")
    async with raw_server(always(answer)) as server:
        reply = await transport.send(post(server.url()))
    assert reply.status == int(status[:3])
    assert (reply.body, reply.headers["retry-after"]) == (b"no", "3")


async def test_a_redirect_is_not_followed_so_that_no_key_leaves_its_host(
    transport: Transport,
) -> None:
    async with raw_server(always(ok(b"other"))) as other:
        answer = ok(b"", status="307 Elsewhere", head=f"Location: {other.url()}\r\n")
        async with raw_server(always(answer)) as server:
            reply = await transport.send(post(server.url()))
        assert reply.status == 307
        assert other.peers == []


async def test_repeated_headers_are_joined(transport: Transport) -> None:
    answer = ok(b"", head="Via: a\r\nVIA: b\r\nX-Empty:\r\n")
    async with raw_server(always(answer)) as server:
        reply = await transport.send(post(server.url()))
    assert reply.headers["via"] == "a, b"
    assert reply.headers["x-empty"] == ""


async def test_answers_without_a_body(transport: Transport) -> None:
    wire = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with raw_server(always(wire)) as server:
        first = await transport.send(post(server.url()))
        second = await transport.send(post(server.url()))
    assert (first.status, first.body, second.body) == (204, b"", b"")
    assert len(server.peers) == 1


async def test_interim_answers_are_passed_over(transport: Transport) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with raw_server(always(interim + ok(b"final"))) as server:
        first = await transport.send(post(server.url()))
        second = await transport.send(post(server.url()))
    assert (first.status, first.body) == (200, b"final")
    assert "link" not in first.headers
    assert second.body == b"final"
    assert len(server.peers) == 1


async def test_one_connection_serves_request_after_request(transport: Transport) -> None:
    async with raw_server(always(ok(b"1"))) as server:
        for _ in range(5):
            await transport.send(post(server.url()))
        async with transport.stream(post(server.url())) as stream:
            assert await stream.read() == b"1"
        reply = await transport.send(post(server.url("/other")))
    assert len(server.peers) == 1
    assert reply.connect_s == 0
    counts = transport.statistics()
    assert (counts.requests, counts.opened, counts.reused, counts.in_use) == (7, 1, 6, 0)


async def test_calls_at_once_each_have_their_own_connection_and_answer(
    transport: Transport,
) -> None:
    async def echo(peer: Peer) -> None:
        while True:
            request = await peer.request()
            await peer.say(ok(request.body))

    async with raw_server(echo) as server:
        bodies = [b"%d" % i for i in range(50)]
        for _ in range(3):
            replies = await asyncio.gather(
                *(transport.send(post(server.url(), body)) for body in bodies)
            )
            assert [reply.body for reply in replies] == bodies


async def test_connection_close_is_obeyed(transport: Transport) -> None:
    async with raw_server(always(ok(b"1", head="Connection: close\r\n"))) as server:
        await transport.send(post(server.url()))
        await transport.send(post(server.url()))
        assert len(server.peers) == 2
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()


async def test_a_connection_that_the_server_has_closed_is_not_used_again(
    transport: Transport,
) -> None:
    hung_up = asyncio.Event()

    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.say(ok(b"1"))
        peer.hang_up()
        hung_up.set()

    async with raw_server(once) as server:
        for _ in range(3):
            hung_up.clear()
            assert (await transport.send(post(server.url()))).body == b"1"
            await hung_up.wait()
            await turns(20)  # the news has to reach the client's event loop
    assert len(server.peers) == 3


async def test_chunks_are_joined(transport: Transport) -> None:
    async with raw_server(always(chunked(b"one ", b"two"))) as server:
        assert (await transport.send(post(server.url()))).body == b"one two"
        assert (await transport.send(post(server.url()))).body == b"one two"
    assert len(server.peers) == 1


async def test_trailers_are_read_and_dropped(transport: Transport) -> None:
    wire = chunked(b"body", end=b"0\r\nX-Sum: 1\r\n\r\n")
    async with raw_server(always(wire)) as server:
        first = await transport.send(post(server.url()))
        second = await transport.send(post(server.url()))
    assert (first.body, second.body) == (b"body", b"body")
    assert "x-sum" not in second.headers


async def test_an_answer_that_ends_with_the_connection_is_whole(transport: Transport) -> None:
    wire = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end"
    async with raw_server(answering(wire)) as server:
        assert (await transport.send(post(server.url()))).body == b"until the end"
        async with transport.stream(post(server.url())) as stream:
            assert await stream.read() == b"until the end"


async def test_stream_pieces_come_as_they_are_sent(transport: Transport) -> None:
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
    async with raw_server(behave) as server, transport.stream(post(server.url())) as stream:
        assert stream.status == 200
        async for piece in stream:
            # The server sends the next piece only when this one has been heard.
            pieces.append(piece)
            heard.set()
    assert pieces == [b"data: %d\n\n" % number for number in range(4)]


async def test_a_slow_reader_holds_the_server_back(transport: Transport) -> None:
    piece, most, sent = b"x" * 65536, 600, 0

    async def behave(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (most * len(piece)))
        for _ in range(most):
            await peer.say(piece)
            sent += 1

    async with raw_server(behave) as server, transport.stream(post(server.url())) as stream:
        before = -1
        while sent != before:  # until the buffers between them are full
            before = sent
            await turns(200)
        assert sent < most
        # What silence there is now is the reader's own, and no deadline of the server's.
        assert sum([len(chunk) async for chunk in stream]) == most * len(piece)


async def test_both_ways_of_asking_refuse_what_cannot_be_sent(transport: Transport) -> None:
    bad = [
        HttpRequest(url="ftp://host/x"),
        HttpRequest(url="no url"),
        HttpRequest(url="http://user:secret@host/x"),
        HttpRequest(url="http://host:99999/x"),
        HttpRequest(url="http://host/x", method="DELETE"),
        HttpRequest(url="http://host/x", headers={"authorization": "Bearer k\n"}),
        HttpRequest(url="http://host/x", headers={"x-a": "1\r\nx-b: 2"}),
        HttpRequest(url="http://host/x", headers={"x a": "1"}),
        HttpRequest(url="http://host/x", headers={"x\na": "1"}),
        HttpRequest(url="http://host/x", headers={"": "1"}),
        HttpRequest(url="http://host/x", headers={"Content-Length": "3"}),
        HttpRequest(url="http://host/x", headers={"Transfer-Encoding": "chunked"}),
    ]
    for request in bad:
        with pytest.raises(ConfigError) as caught:
            await transport.send(request)
        assert "secret" not in str(caught.value)
        with pytest.raises(ConfigError):
            async with transport.stream(request):
                pass
    assert transport.statistics().opened == 0


async def test_a_closed_transport_says_so(transport: Transport) -> None:
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(StateError):
        await transport.send(post("http://127.0.0.1:9/x"))


async def test_closing_ends_what_is_under_way(transport: Transport) -> None:
    asked = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.until_closed()

    async with raw_server(behave) as server:
        call = asyncio.create_task(transport.send(post(server.url())))
        await asked.wait()
        await transport.aclose()
        with pytest.raises(TransportFault):
            await call
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_transport_shows_no_key(kind: str) -> None:
    transport = open_kind(kind)
    request = HttpRequest(url="http://127.0.0.1:9/x", headers={"authorization": "Bearer sk-1"})
    with pytest.raises(TransportFault) as caught:
        await transport.send(request)
    shown = f"{transport!r} {request!r} {caught.value!r} {transport.statistics()!r}"
    assert "sk-1" not in shown
    await transport.aclose()


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(ConfigError):
        open_transport(prefer="carrier pigeon")  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "raw deflate"])
async def test_compressed_answers_are_decompressed(transport: Transport, encoding: str) -> None:
    text = b"word " * 5000
    bits = {"gzip": 31, "x-gzip": 31, "deflate": 15, "raw deflate": -15}[encoding]
    packer = zlib.compressobj(wbits=bits)
    packed = packer.compress(text) + packer.flush()
    head = f"Content-Encoding: {encoding.rsplit(maxsplit=1)[-1]}\r\n"
    async with raw_server(always(ok(packed, head=head))) as server:
        assert (await transport.send(post(server.url()))).body == text
        async with transport.stream(post(server.url())) as stream:
            assert await stream.read() == text
    assert len(server.peers) == 1
