"""Kept connections that die: sent again only where nobody can have read the request."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Iterator

import pytest
import pytest_asyncio

from fanwise.models.http.errors import TransportFault
from fanwise.models.http.fast import FastTransport
from fanwise.models.http.fast_socket import HangUpCheck
from fanwise.models.http.transport import HttpReply
from support.raw_http import Peer, always, ok, raw_server, turns
from support.transports import KINDS, open_kind, post

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the kernel gives no proof, and nothing is resent"
)


@pytest_asyncio.fixture
async def transport() -> AsyncGenerator[FastTransport]:
    opened = FastTransport()
    yield opened
    await opened.aclose()


class ByHand:
    """A server that does nothing by itself: what it does happens between two lines of a test.

    That is how an end and a request come to cross: the client's event loop gets no turn between.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.connection: socket.socket | None = None

    async def served(self, call: asyncio.Task[HttpReply], answer: bytes) -> bytes:
        """Accepts a connection, answers the request on it; the request."""
        loop = asyncio.get_running_loop()
        self.connection = await self.accepted()
        request = await loop.sock_recv(self.connection, 65536)
        await loop.sock_sendall(self.connection, ok(answer))
        assert (await call).body == answer
        return request

    async def accepted(self) -> socket.socket:
        connection, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        return connection

    def close(self) -> None:
        assert self.connection is not None
        self.connection.close()

    def close_behind_the_look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Closes between the client's look at the connection and its write to it.

        On a network that is the usual case: the end is on its way while the client looks.
        """

        connection = self.connection
        assert connection is not None

        def look(_: HangUpCheck) -> bool:
            connection.close()
            return False

        monkeypatch.setattr(HangUpCheck, "__call__", look)


@pytest.fixture
def by_hand() -> Iterator[ByHand]:
    server = ByHand()
    yield server
    server.listener.close()
    if server.connection is not None:
        server.close()


def ask(transport: FastTransport, by_hand: ByHand, body: bytes) -> asyncio.Task[HttpReply]:
    return asyncio.create_task(transport.send(post(by_hand.url, body)))


async def test_a_connection_closed_by_now_is_seen_before_it_is_used(
    transport: FastTransport, by_hand: ByHand
) -> None:
    """The server's end lies in the socket, and the event loop has not heard of it yet."""
    for _ in range(3):
        await by_hand.served(ask(transport, by_hand, b"a"), b"1")
        by_hand.close()
    counts = transport.statistics()
    assert (counts.requests, counts.opened, counts.resent) == (3, 3, 0)


async def test_a_request_that_crosses_the_servers_end_is_sent_again(
    transport: FastTransport, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of it is acknowledged in the server's last segment: nobody can have read one."""
    assert (await by_hand.served(ask(transport, by_hand, b"a"), b"1")).endswith(b"a")
    by_hand.close_behind_the_look(monkeypatch)
    assert (await by_hand.served(ask(transport, by_hand, b"b"), b"2")).endswith(b"b")
    counts = transport.statistics()
    assert (counts.requests, counts.opened, counts.reused, counts.resent) == (2, 2, 1, 1)


async def test_a_stream_is_opened_again_in_the_same_way(
    transport: FastTransport, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stream() -> HttpReply:
        async with transport.stream(post(by_hand.url)) as opened:
            return HttpReply(
                status=200, headers={}, body=await opened.read(), connect_s=0, first_byte_s=0
            )

    await by_hand.served(ask(transport, by_hand, b"a"), b"1")
    by_hand.close_behind_the_look(monkeypatch)
    await by_hand.served(asyncio.create_task(stream()), b"2")
    assert transport.statistics().resent == 1


async def test_the_second_time_goes_out_on_a_new_connection(
    transport: FastTransport, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on another kept one, which may be as dead as the first."""
    loop = asyncio.get_running_loop()
    calls = [ask(transport, by_hand, b"a"), ask(transport, by_hand, b"b")]
    accepted = [await by_hand.accepted(), await by_hand.accepted()]
    for connection in accepted:
        await loop.sock_recv(connection, 65536)
        await loop.sock_sendall(connection, ok(b"1"))
    await asyncio.gather(*calls)

    def look(_: HangUpCheck) -> bool:
        if accepted:
            accepted.pop().close()
        return False

    monkeypatch.setattr(HangUpCheck, "__call__", look)
    await by_hand.served(ask(transport, by_hand, b"c"), b"2")
    counts = transport.statistics()
    assert (counts.opened, counts.reused, counts.resent) == (3, 1, 1)


async def test_a_request_is_sent_again_once_and_not_twice(
    transport: FastTransport, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_hand.served(ask(transport, by_hand, b"a"), b"1")
    by_hand.close_behind_the_look(monkeypatch)
    call = ask(transport, by_hand, b"b")
    (await by_hand.accepted()).close()
    with pytest.raises(TransportFault) as caught:
        await call
    assert caught.value.kind in {"reset", "connect"}
    counts = transport.statistics()
    assert (counts.reused, counts.resent) == (1, 1)


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_that_was_read_is_never_sent_again(kind: str, how: str) -> None:
    """The server has read it and may charge for it, although not a byte came back."""
    transport = open_kind(kind)
    read: list[bytes] = []

    async def behave(peer: Peer) -> None:
        read.append((await peer.request()).body)
        await peer.say(ok(b"1"))
        read.append((await peer.request()).body)
        if how == "reset":
            peer.reset()
        else:
            peer.hang_up()

    async with raw_server(behave) as server:
        await transport.send(post(server.url(), b"a"))
        with pytest.raises(TransportFault) as caught:
            await transport.send(post(server.url(), b"b"))
        await turns(20)
    assert (caught.value.kind, caught.value.maybe_sent) == ("reset", True)
    assert read == [b"a", b"b"]
    assert transport.statistics().resent == 0
    await transport.aclose()


async def test_a_request_that_the_server_received_without_reading_is_not_sent_again(
    transport: FastTransport,
) -> None:
    """The kernel took it, the program did not: only the program knows that."""
    received = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(ok(b"1"))
        await received.wait()
        peer.cut()

    async with raw_server(behave) as server:
        await transport.send(post(server.url()))
        call = asyncio.create_task(transport.send(post(server.url(), b"x" * 1000)))
        await turns(20)
        received.set()
        with pytest.raises(TransportFault) as caught:
            await call
    assert caught.value.maybe_sent
    assert "kept connection" in caught.value.hint
    assert len(server.peers) == 1


async def test_a_fresh_connection_that_closes_is_not_tried_again(
    transport: FastTransport,
) -> None:
    async def behave(peer: Peer) -> None:
        peer.hang_up()

    async with raw_server(behave) as server:
        with pytest.raises(TransportFault):
            await transport.send(post(server.url()))
        await turns(20)
        assert len(server.peers) == 1
    assert transport.statistics().resent == 0


async def test_an_answer_that_had_begun_is_never_asked_for_again(
    transport: FastTransport,
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(ok(b"1"))
        await peer.request()
        await peer.say(b"H")
        peer.hang_up()

    async with raw_server(behave) as server:
        await transport.send(post(server.url()))
        with pytest.raises(TransportFault):
            await transport.send(post(server.url()))
        await turns(20)
        assert len(server.peers) == 1


async def test_unused_connections_are_closed_after_their_time() -> None:
    transport = FastTransport(idle_s=0.05)
    async with raw_server(always(ok(b"1"))) as server:
        await asyncio.gather(*(transport.send(post(server.url())) for _ in range(5)))
        assert transport.statistics().idle == 5
        async with asyncio.timeout(5):
            for peer in server.peers:
                await peer.closed.wait()
        assert transport.statistics().idle == 0
        await transport.send(post(server.url()))
        assert len(server.peers) == 6
    await transport.aclose()


async def test_a_servers_own_idle_time_is_kept_to(transport: FastTransport) -> None:
    """A server that closes after one second is asked anew rather than raced."""
    short = ok(b"1", head="Keep-Alive: timeout=1, max=100\r\n")
    async with raw_server(always(short)) as server:
        await transport.send(post(server.url()))
        await transport.send(post(server.url()))
        assert len(server.peers) == 2
    long = ok(b"1", head="Keep-Alive: timeout=60\r\n")
    async with raw_server(always(long)) as server:
        await transport.send(post(server.url()))
        await transport.send(post(server.url()))
        assert len(server.peers) == 1


async def test_no_more_connections_are_kept_than_allowed() -> None:
    transport = FastTransport(max_idle=3)
    async with raw_server(always(ok(b"1"))) as server:
        await asyncio.gather(*(transport.send(post(server.url())) for _ in range(8)))
        assert transport.statistics().idle == 3
        await asyncio.gather(*(transport.send(post(server.url())) for _ in range(8)))
        assert len(server.peers) == 13
    await transport.aclose()
