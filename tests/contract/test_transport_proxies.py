"""Proxies that the environment names are taken, whatever else is true."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from fanwise.errors import ConfigError
from fanwise.models.http.errors import TransportFault
from fanwise.models.http.transport import Transport, open_transport
from support.raw_http import always, answering, chunked, ok, raw_server
from support.raw_proxy import raw_proxy
from support.transports import post

NAMES = [
    name
    for known in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (known, known.upper())
]


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def tls(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, str(tmp_path / "ca.pem")


async def body_of(transport: Transport, url: str) -> bytes:
    try:
        return (await transport.send(post(url))).body
    finally:
        await transport.aclose()


@pytest.mark.parametrize("prefer", [None, "aiohttp"])
async def test_plain_http_goes_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, prefer: str | None
) -> None:
    async with raw_proxy() as proxy, raw_server(answering(ok(b"far"))) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        transport = open_transport(prefer=prefer)  # type: ignore[arg-type]
        assert await body_of(transport, server.url("/v1/x")) == b"far"
    assert proxy.asked == [f"POST {server.url('/v1/x')} HTTP/1.1"]


@pytest.mark.parametrize("prefer", [None, "aiohttp"])
async def test_https_goes_through_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prefer: str | None
) -> None:
    context, ca_file = tls(tmp_path)
    async with raw_proxy() as proxy, raw_server(always(ok(b"far")), tls=context) as server:
        monkeypatch.setenv("https_proxy", proxy.url)
        transport = open_transport(ca_file=ca_file, prefer=prefer)  # type: ignore[arg-type]
        for _ in range(3):
            assert (await transport.send(post(server.url()))).body == b"far"
        async with transport.stream(post(server.url())) as stream:
            assert await stream.read() == b"far"
        counts = transport.statistics()
        await transport.aclose()
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert (counts.opened, counts.reused) == (1, 3)


async def test_no_proxy_names_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_proxy() as proxy, raw_server(always(ok(b"near"))) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "example.com, 127.0.0.0/8")
        assert await body_of(open_transport(), server.url()) == b"near"
    assert proxy.asked == []


async def test_the_fast_transport_can_be_had_in_spite_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw_proxy() as proxy, raw_server(always(ok(b"near"))) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert await body_of(open_transport(prefer="fast"), server.url()) == b"near"
    assert proxy.asked == []


async def test_a_password_for_the_proxy_is_sent_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, ca_file = tls(tmp_path)
    password = "Basic bmFtZTpzZWNyZXQ="
    async with (
        raw_proxy(password=password) as proxy,
        raw_server(always(ok(b"far")), tls=context) as server,
    ):
        url = proxy.url.replace("http://", "http://name:secret@")
        monkeypatch.setenv("HTTPS_PROXY", url)
        assert await body_of(open_transport(ca_file=ca_file), server.url()) == b"far"
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(TransportFault) as caught:
            await body_of(open_transport(ca_file=ca_file), server.url())
    assert (caught.value.kind, caught.value.maybe_sent) == ("connect", False)
    assert "407" in caught.value.message
    assert "password" in caught.value.hint


async def test_a_proxy_that_is_not_there_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://name:secret@127.0.0.1:9")
    with pytest.raises(TransportFault) as caught:
        await body_of(open_transport(), "http://model.example/x")
    assert (caught.value.kind, caught.value.maybe_sent) == ("connect", False)
    assert "proxy" in caught.value.message
    assert "HTTP_PROXY" in caught.value.hint
    assert "secret" not in str(caught.value)


async def test_a_socks_proxy_is_refused_rather_than_gone_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    async with raw_server(always(ok(b"near"))) as server:
        transport = open_transport()
        with pytest.raises(ConfigError, match="socks5"):
            await transport.send(post(server.url()))
        with pytest.raises(ConfigError, match="NO_PROXY"):
            async with transport.stream(post(server.url())):
                pass
        await transport.aclose()
    assert server.peers == []


async def test_a_cut_tunnel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = chunked(b"one", end=b"")
    async with raw_proxy() as proxy, raw_server(answering(wire)) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(TransportFault) as caught:
            await body_of(open_transport(), server.url())
    assert caught.value.kind == "reset"
