"""The default transport: directly, or by aiohttp where a proxy stands between."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import CoroutineType
from typing import Any

from fanwise.models.http.fast import FastTransport
from fanwise.models.http.proxies import proxy_for, proxy_rules
from fanwise.models.http.transport import (
    HttpReply,
    HttpRequest,
    HttpStream,
    Transport,
    TransportStatistics,
)

_MOST_URLS = 1024


class RoutingTransport:
    """Chooses between the two transports, URL by URL.

    Args:
        ca_file: PEM file of authorities trusted besides the system's.
        environ: Where proxies are named; read once, here.
    """

    def __init__(
        self, *, ca_file: str | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._ca_file = ca_file
        self._rules = proxy_rules(environ)
        self._fast = FastTransport(ca_file=ca_file)
        self._proxied: Transport | None = None
        self._chosen: dict[str, Transport] = {}

    def __repr__(self) -> str:
        return f"<RoutingTransport {self._fast!r}, {self._proxied or 'no proxy in use'}>"

    def send(self, request: HttpRequest) -> CoroutineType[Any, Any, HttpReply]:
        return (self._chosen.get(request.url) or self._choose(request.url)).send(request)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        return (self._chosen.get(request.url) or self._choose(request.url)).stream(request)

    async def aclose(self) -> None:
        await self._fast.aclose()
        if self._proxied is not None:
            await self._proxied.aclose()

    def statistics(self) -> TransportStatistics:
        direct = self._fast.statistics()
        return direct if self._proxied is None else direct + self._proxied.statistics()

    def _choose(self, url: str) -> Transport:
        chosen: Transport = self._fast
        if proxy_for(url, self._rules) is not None:
            chosen = self._proxied = self._proxied or self._open_proxied()
        if len(self._chosen) >= _MOST_URLS:
            self._chosen.clear()
        self._chosen[url] = chosen
        return chosen

    def _open_proxied(self) -> Transport:
        # Imported where it is needed: it costs a third of a second.
        from fanwise.models.http.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(ca_file=self._ca_file, proxies=self._rules)
