"""Names are looked up once for however many wait, and addresses stand in for each other."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from fanwise.models.http.errors import TransportFault
from fanwise.models.http.fast_connect import Dialer
from fanwise.models.http.fast_request import target_of
from fanwise.records import Timeouts


class Names:
    """Stands in for the resolver of the running loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []
        self.answer = asyncio.Event()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.getaddrinfo)

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        await self.answer.wait()
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses
        ]


async def dial(dialer: Dialer, url: str, **timeouts: float) -> asyncio.BaseTransport:
    class Made(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

    made = await dialer.connect(
        target_of(url),
        Made,
        timeouts=Timeouts(**timeouts),
        started_at=asyncio.get_running_loop().time(),
    )
    return made.transport


async def until_gone(transports: list[asyncio.BaseTransport]) -> None:
    for transport in transports:
        transport.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_one_lookup_serves_all_who_wait_and_a_leaver_takes_nothing_with_him(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(monkeypatch, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        url = f"http://model.test:{listener.getsockname()[1]}/x"
        dialer = Dialer(ca_file=None)
        calls = [asyncio.create_task(dial(dialer, url)) for _ in range(20)]
        for _ in range(5):
            await asyncio.sleep(0)
        calls[0].cancel()
        names.answer.set()
        made = await asyncio.gather(*calls[1:])
        made.append(await dial(dialer, url))
        assert names.asked == ["model.test"]
        await until_gone(made)
    await dialer.aclose()


async def test_a_dead_address_is_stood_in_for_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, "127.0.0.2", "127.0.0.1")
    names.answer.set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://model.test:{listener.getsockname()[1]}/x"
        dialer = Dialer(ca_file=None)
        made = [await dial(dialer, url) for _ in range(4)]
        assert {t.get_extra_info("peername")[0] for t in made} == {"127.0.0.1"}
        await until_gone(made)
    await dialer.aclose()


async def test_connections_are_spread_over_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, "127.0.0.1", "127.0.0.2")
    names.answer.set()
    with socket.create_server(("", 0)) as listener:
        url = f"http://model.test:{listener.getsockname()[1]}/x"
        dialer = Dialer(ca_file=None)
        made = [await dial(dialer, url) for _ in range(6)]
        used = [t.get_extra_info("peername")[0] for t in made]
        assert used.count("127.0.0.1") == used.count("127.0.0.2") == 3
        await until_gone(made)
    await dialer.aclose()


async def test_a_lookup_that_fails_is_told_to_all_and_tried_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(monkeypatch)
    names.answer.set()
    dialer = Dialer(ca_file=None)
    got = await asyncio.gather(
        *(dial(dialer, "http://model.test:1/x") for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(error, TransportFault) and not error.maybe_sent for error in got)
    assert names.asked == ["model.test"]
    with pytest.raises(TransportFault, match="cannot be resolved"):
        await dial(dialer, "http://model.test:1/x")
    assert len(names.asked) == 2
    await dialer.aclose()


async def test_closing_while_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch)
    dialer = Dialer(ca_file=None)
    call = asyncio.create_task(dial(dialer, "http://model.test:1/x"))
    for _ in range(3):
        await asyncio.sleep(0)
    await dialer.aclose()
    with pytest.raises(TransportFault):
        await call


async def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialer = Dialer(ca_file=None)
        made = await dial(dialer, f"http://127.0.0.1:{listener.getsockname()[1]}/x")
        assert names.asked == []
        await until_gone([made])
    await dialer.aclose()
