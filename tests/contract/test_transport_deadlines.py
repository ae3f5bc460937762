"""Every deadline has its name, and whoever stops waiting is noticed by the server at once."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from fanwise.errors import AttemptTimeout
from fanwise.models.http.errors import TransportFault, TransportTimeout, failure_of
from fanwise.models.http.transport import Transport
from support.raw_http import Peer, always, chunked, ok, raw_server, turns
from support.transports import KINDS, open_kind, post

SHORT_S = 0.05


@pytest_asyncio.fixture(params=KINDS)
async def transport(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    opened = open_kind(request.param)
    yield opened
    await opened.aclose()


def says(data: bytes, said: asyncio.Event | None = None):
    """Reads a request, says something, and waits for the client to go."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(data)
        if said is not None:
            said.set()
        await peer.until_closed()

    return behave


HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
MOMENTS = {"before the head": b"", "in the head": HALF[:20], "in the body": HALF}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_server_sees_a_cancelled_call_close(transport: Transport, moment: str) -> None:
    said = asyncio.Event()
    async with raw_server(says(MOMENTS[moment], said)) as server:
        call = asyncio.create_task(transport.send(post(server.url())))
        await said.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()
    assert transport.statistics().in_use == 0


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_server_sees_a_cancelled_stream_close(transport: Transport, moment: str) -> None:
    said = asyncio.Event()

    async def read() -> None:
        async with transport.stream(post(server.url())) as stream:
            await stream.read()

    async with raw_server(says(MOMENTS[moment], said)) as server:
        call = asyncio.create_task(read())
        await said.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()


async def test_the_server_sees_a_cancelled_upload_close(transport: Transport) -> None:
    begun = asyncio.Event()

    async def behave(peer: Peer) -> None:
        begun.set()
        await asyncio.Event().wait()  # reads nothing

    async with raw_server(behave) as server:
        call = asyncio.create_task(transport.send(post(server.url(), b"x" * 60_000_000)))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert transport.statistics().in_use == 0


async def test_leaving_a_stream_early_closes_its_connection(transport: Transport) -> None:
    async with raw_server(says(chunked(b"data: 1\n\n", end=b""))) as server:
        async with transport.stream(post(server.url())) as stream:
            assert await anext(aiter(stream)) == b"data: 1\n\n"
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()


async def test_cancelling_many_calls_closes_them_all(transport: Transport) -> None:
    count = 100
    async with raw_server(says(b"")) as server:
        calls = [asyncio.create_task(transport.send(post(server.url()))) for _ in range(count)]
        await server.peer(count - 1)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert all(call.cancelled() for call in calls)
        async with asyncio.timeout(1):
            for peer in server.peers:
                await peer.closed.wait()


async def test_a_timeout_around_a_call_cancels_it(transport: Transport) -> None:
    said = asyncio.Event()
    deadline = asyncio.timeout(None)

    async def timed() -> None:
        async with deadline:
            await transport.send(post(server.url()))

    async with raw_server(says(b"", said)) as server:
        call = asyncio.create_task(timed())
        await said.wait()
        deadline.reschedule(0)
        with pytest.raises(TimeoutError):
            await call
        async with asyncio.timeout(1):
            await server.peers[0].closed.wait()


async def test_the_first_byte_deadline(transport: Transport) -> None:
    async with raw_server(says(b"")) as server:
        with pytest.raises(TransportTimeout) as caught:
            await transport.send(post(server.url(), first_byte_s=SHORT_S))
        peer = await server.peer(0)
        async with asyncio.timeout(1):
            await peer.closed.wait()
    error = caught.value
    assert isinstance(error, AttemptTimeout)
    assert (error.phase, error.maybe_sent) == ("first_byte", True)
    assert f"127.0.0.1:{server.port}" in error.message
    assert "0.05" in error.message
    failure = failure_of(error)
    assert (failure.kind, failure.phase) == ("timeout", "first_byte")


async def test_the_deadline_between_chunks(transport: Transport) -> None:
    async with raw_server(says(HALF)) as server:
        with pytest.raises(TransportTimeout) as caught:
            await transport.send(post(server.url(), between_chunks_s=SHORT_S))
        assert (caught.value.phase, caught.value.status) == ("between_chunks", 200)
        pieces = []
        with pytest.raises(TransportTimeout) as caught:
            async with transport.stream(post(server.url(), between_chunks_s=SHORT_S)) as stream:
                async for piece in stream:
                    pieces.append(piece)
        assert caught.value.phase == "between_chunks"
        assert pieces == [b"half"]
        async with asyncio.timeout(1):
            await server.peers[1].closed.wait()


async def test_the_deadline_of_the_attempt_ends_an_answer_that_drips(transport: Transport) -> None:
    async def drip(peer: Peer) -> None:
        await peer.request()
        await peer.say(chunked(end=b""))
        while True:
            await peer.say(b"1\r\nx\r\n")
            await asyncio.sleep(SHORT_S / 10)

    async with raw_server(drip) as server:
        with pytest.raises(TransportTimeout) as caught:
            await transport.send(post(server.url(), attempt_s=SHORT_S, between_chunks_s=5))
        assert caught.value.phase == "attempt"
        with pytest.raises(TransportTimeout) as caught:
            async with transport.stream(post(server.url(), attempt_s=SHORT_S)) as stream:
                await stream.read()
        assert caught.value.phase == "attempt"


async def test_the_deadline_of_the_attempt_before_any_answer(transport: Transport) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(ok(b"1"))
        await peer.request()
        await peer.until_closed()

    async with raw_server(behave) as server:
        await transport.send(post(server.url()))
        with pytest.raises(TransportTimeout) as caught:
            await transport.send(post(server.url(), attempt_s=SHORT_S))
    assert (caught.value.phase, caught.value.maybe_sent) == ("attempt", True)


async def test_the_connect_deadline(transport: Transport) -> None:
    # A full backlog: the kernel leaves further connections unanswered.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            with pytest.raises(TransportTimeout) as caught:
                await transport.send(post(f"http://127.0.0.1:{port}/x", connect_s=SHORT_S))
            assert (caught.value.phase, caught.value.maybe_sent) == ("connect", False)
            with pytest.raises(TransportTimeout) as caught:
                await transport.send(post(f"http://127.0.0.1:{port}/x", attempt_s=SHORT_S))
            assert (caught.value.phase, caught.value.maybe_sent) == ("attempt", False)
        finally:
            for filler in fillers:
                filler.close()


async def test_the_connect_deadline_covers_the_tls_handshake(transport: Transport) -> None:
    async def mute(peer: Peer) -> None:
        await peer.until_closed()

    async with raw_server(mute) as server:
        url = server.url().replace("http:", "https:")
        with pytest.raises(TransportTimeout) as caught:
            await transport.send(post(url, connect_s=SHORT_S))
        assert (caught.value.phase, caught.value.maybe_sent) == ("connect", False)
        await turns(50)
        async with asyncio.timeout(1):
            for peer in server.peers:  # none, where the machine was too busy to connect in time
                await peer.closed.wait()


async def test_infinite_deadlines_are_none(transport: Transport) -> None:
    request = {
        "connect_s": math.inf,
        "first_byte_s": math.inf,
        "between_chunks_s": math.inf,
        "attempt_s": math.inf,
    }
    async with raw_server(always(ok(b"1"))) as server:
        for _ in range(2):
            assert (await transport.send(post(server.url(), **request))).body == b"1"


async def test_deadlines_count_for_each_call_anew(transport: Transport) -> None:
    """A kept connection forgets the deadlines of the calls before, longer and shorter ones."""

    async def behave(peer: Peer) -> None:
        while (request := await peer.request()).body != b"never":
            await asyncio.sleep(SHORT_S * 2 if request.body == b"slow" else 0)
            await peer.say(ok(request.body))
        await peer.until_closed()

    async with raw_server(behave) as server:
        for body, deadline_s in [(b"fast", 5.0), (b"slow", 10.0), (b"fast", 2.0)]:
            request = post(server.url(), body, first_byte_s=deadline_s, attempt_s=deadline_s)
            assert (await transport.send(request)).body == body
        with pytest.raises(TransportTimeout):
            await transport.send(post(server.url(), b"never", first_byte_s=SHORT_S))
    assert len(server.peers) == 1


async def test_a_slow_reader_is_not_taken_for_a_silent_server(transport: Transport) -> None:
    body = b"x" * 8_000_000  # more than the buffers between them hold

    async with raw_server(always(ok(body))) as server:
        request = post(server.url(), between_chunks_s=SHORT_S * 3)
        size = 0
        async with transport.stream(request) as stream:
            await asyncio.sleep(SHORT_S * 8)
            async for piece in stream:
                size += len(piece)
    assert size == len(body)


async def test_an_early_answer_to_a_large_request_is_taken(transport: Transport) -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        await peer.say(ok(b"too much", status="413 Too Large"))
        await peer.until_closed()

    async with raw_server(behave) as server:
        reply = await transport.send(post(server.url(), b"x" * 30_000_000))
        assert (reply.status, reply.body) == (413, b"too much")
        async with asyncio.timeout(1):  # half a request stands on it: nothing else may follow
            await server.peers[0].closed.wait()


async def test_refused_connections_name_the_server_and_the_remedy(transport: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(f"http://127.0.0.1:{port}/x"))
    error = caught.value
    assert (error.kind, error.phase, error.maybe_sent) == ("connect", "connect", False)
    assert error.message == f"connection refused by 127.0.0.1:{port}"
    assert "--base-url" in error.hint
    assert failure_of(error).kind == "connect"


async def test_an_unknown_host_names_the_host(transport: Transport) -> None:
    with pytest.raises(TransportFault) as caught:
        await transport.send(post("http://no-such-host.invalid/x"))
    assert (caught.value.kind, caught.value.maybe_sent) == ("connect", False)
    assert "no-such-host.invalid" in caught.value.message
