"""The simulated provider on the wire: pipelined, chunked, improper and very many requests."""

from __future__ import annotations

import asyncio
import json
import resource

import pytest

from fanwise.simulator.profile import profile_from_options
from fanwise.simulator.provider import SimulatedProvider
from support.simulated import ask, chat, profile, raw, until

POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"


BODY = json.dumps(chat()).encode()


FRAMED = b"content-length: %d\r\n" % len(BODY)


async def test_requests_sent_ahead_are_answered_in_order():
    async with SimulatedProvider(profile()) as provider:
        requests = b""
        for n in range(3):
            body = json.dumps({"model": f"m{n}", "messages": chat()["messages"]}).encode()
            last = b"connection: close\r\n" if n == 2 else b""
            requests += POST + last + b"content-length: %d\r\n\r\n" % len(body) + body
        data = (await raw(provider, requests)).decode()
    assert data.count("HTTP/1.1 200 OK") == 3
    assert data.index('"m0"') < data.index('"m1"') < data.index('"m2"')


async def test_bodies_in_chunks_and_announced_bodies_are_read():
    async with SimulatedProvider(profile()) as provider:
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        head = POST + b"connection: close\r\n"
        data = await raw(provider, head + b"transfer-encoding: chunked\r\n\r\n" + chunked)
        assert data.startswith(b"HTTP/1.1 200 OK")
        data = await raw(provider, head + FRAMED + b"expect: 100-continue\r\n\r\n" + BODY)
        assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        data = await raw(provider, POST.replace(b"1.1", b"1.0") + FRAMED + b"\r\n" + BODY)
        assert b"connection: close" in data


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00 hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nPRI * HTTP/2.0", 404),
        (POST + b"x: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (POST + b"content-length: 99999999\r\n\r\n" + b"z" * (65 * 1024 * 1024), 413),
        (POST + b"content-length: nine\r\n\r\n", 400),
    ],
)
async def test_what_is_no_proper_request_is_refused_and_closed(data, status):
    async with SimulatedProvider(profile()) as provider:
        try:
            said = await raw(provider, data)
        except ConnectionError:
            # The server closed while we were still sending, which loses what it said.
            assert status == 413
            said = b"HTTP/1.1 413"
        await until(lambda: provider.ledger.connections == 0)
    assert said.startswith(b"HTTP/1.1 %d" % status)


async def test_a_client_that_sends_without_end_ahead_of_its_answers_is_cut_off():
    slow = profile_from_options({"latency": "600", "sigma": "0"})
    async with SimulatedProvider(slow) as provider:
        assert await raw(provider, (POST + FRAMED + b"\r\n" + BODY) * 40) == b""
        await until(lambda: provider.ledger.connections == 0)
        assert provider.ledger.in_work == 0


@pytest.fixture
def many_files():
    """Room for both ends of two thousand connections, where the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 5000:
        pytest.skip(f"this machine allows {hard} open files, and the test needs 5000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_two_thousand_requests_are_in_work_at_once(session, many_files):
    slow = profile_from_options({"latency": "600", "sigma": "0"})
    async with SimulatedProvider(slow) as provider:
        calls = [asyncio.create_task(ask(session, provider, chat(str(n)))) for n in range(2000)]
        await until(lambda: provider.ledger.in_work == 2000)
        assert provider.statistics().connections == 2000
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: provider.ledger.in_work == 0)
