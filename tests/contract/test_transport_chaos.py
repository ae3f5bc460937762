"""A server of moods and callers who leave: no answer is crossed, cut or asked for twice."""

from __future__ import annotations

import asyncio
import gc
import gzip
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from fanwise.models.http.errors import TransportFault, TransportTimeout
from fanwise.models.http.transport import Transport
from support.raw_http import Peer, chunked, ok, raw_server
from support.transports import KINDS, open_kind, post

CALLS = 600
CALLERS = 24


@dataclass(slots=True)
class Ledger:
    """What both sides saw."""

    read: Counter[bytes] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


def answer_to(body: bytes) -> bytes:
    return b"answer to " + body * 20


def moody(ledger: Ledger, chance: random.Random):
    async def behave(peer: Peer) -> None:
        while True:
            body = (await peer.request()).body
            ledger.read[body] += 1
            whole = answer_to(body)
            match chance.choice("lllllcccggdrfxsk"):
                case "l":
                    await peer.say(ok(whole))
                case "c":
                    await peer.say(chunked(whole[:7], whole[7:]))
                case "g":
                    await peer.say(ok(gzip.compress(whole), head="content-encoding: gzip\r\n"))
                case "d":  # dribbles
                    for byte in ok(whole):
                        await peer.say(bytes([byte]))
                        await asyncio.sleep(0)
                case "r":  # resets in the middle
                    await peer.say(ok(whole)[:-3])
                    peer.reset()
                    return
                case "f":  # ends in the middle
                    await peer.say(chunked(whole, end=b""))
                    peer.hang_up()
                    return
                case "x":  # ends without a word
                    peer.hang_up()
                    return
                case "s":  # answers and ends without having said so
                    await peer.say(ok(whole))
                    peer.hang_up()
                    return
                case _:  # never answers
                    await peer.until_closed()
                    return

    return behave


async def call(transport: Transport, url: str, body: bytes, *, stream: bool) -> bytes:
    request = post(url, body, first_byte_s=0.15, between_chunks_s=0.15)
    if not stream:
        return (await transport.send(request)).body
    async with transport.stream(request) as opened:
        return await opened.read()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_answer_is_crossed_cut_or_asked_for_twice(kind: str, seed: int) -> None:
    chance, ledger, transport = random.Random(seed), Ledger(), open_kind(kind)
    numbers = iter(range(CALLS))
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def caller() -> None:
        for number in numbers:
            body = b"<%d>" % number
            task = asyncio.create_task(
                call(transport, server.url(), body, stream=chance.random() < 0.3)
            )
            if chance.random() < 0.1:
                for _ in range(chance.randrange(40)):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                assert await task == answer_to(body)
                ledger.ended["served"] += 1
            except asyncio.CancelledError:
                assert task.cancelled()
                ledger.ended["cancelled"] += 1
            except TransportTimeout:
                ledger.ended["timeout"] += 1
            except TransportFault as error:
                ledger.ended[error.kind] += 1
                if not error.maybe_sent:
                    assert ledger.read[body] == 0

    async with raw_server(moody(ledger, chance)) as server:
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(caller())
        counts = transport.statistics()
        await transport.aclose()
        async with asyncio.timeout(5):
            for peer in server.peers:
                await peer.closed.wait()
    gc.collect()
    assert complaints == []
    assert max(ledger.read.values()) == 1
    assert ledger.ended.total() == CALLS >= counts.requests
    assert ledger.ended["served"] > CALLS / 3
    assert {"reset", "timeout", "cancelled"} <= set(ledger.ended)
    assert counts.in_use == 0
