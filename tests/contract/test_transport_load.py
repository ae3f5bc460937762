"""Thousands of connections at once, and what happens when the machine has no more of them."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from fanwise.models.http.errors import TransportFault
from fanwise.models.http.transport import HttpReply, Transport
from support.raw_http import Peer, ok, raw_server
from support.transports import KINDS, open_kind, post

MANY = 2000


@pytest_asyncio.fixture(params=KINDS)
async def transport(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    opened = open_kind(request.param)
    yield opened
    await opened.aclose()


@contextmanager
def descriptors(soft: int) -> Iterator[None]:
    """The process may hold so many descriptors for the length of the block."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < soft:
        pytest.skip(f"the machine allows {hard} descriptors, {soft} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_two_thousand_connections_at_once(transport: Transport) -> None:
    waiting, everyone = 0, asyncio.Event()

    async def behave(peer: Peer) -> None:
        nonlocal waiting
        while True:
            request = await peer.request()
            waiting += 1
            if waiting == MANY:
                everyone.set()
            await everyone.wait()  # nobody is answered before all have asked
            await peer.say(ok(request.body))

    with descriptors(3 * MANY):
        async with raw_server(behave) as server:
            bodies = [b"%d" % i for i in range(MANY)]
            for _ in range(2):
                replies = await asyncio.gather(
                    *(transport.send(post(server.url(), body)) for body in bodies)
                )
                assert [reply.body for reply in replies] == bodies
            assert len(server.peers) == MANY
            counts = transport.statistics()
            assert (counts.requests, counts.opened, counts.reused) == (2 * MANY, MANY, MANY)
            await transport.aclose()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux does")
async def test_without_descriptors_the_error_says_so_and_nothing_leaks(
    transport: Transport,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        open_now = open_descriptors()
        with descriptors(open_now + 10):
            calls = [asyncio.create_task(transport.send(post(url))) for _ in range(40)]
            done, waiting = set[asyncio.Task[HttpReply]](), set(calls)
            while len(done) < 25:
                ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                done |= ended
            for call in waiting:
                call.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        for call in done:
            error = call.exception()
            assert isinstance(error, TransportFault)
            assert (error.kind, error.maybe_sent) == ("connect", False)
            assert "file descriptor" in error.message
            assert "ulimit" in error.hint
        await transport.aclose()
        assert open_descriptors() <= open_now + 1
