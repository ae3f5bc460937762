"""The two transports under the names that the contract suite gives them."""

from __future__ import annotations

from typing import Any

from fanwise.models.http.aiohttp_transport import AiohttpTransport
from fanwise.models.http.fast import FastTransport
from fanwise.models.http.transport import HttpRequest, Transport
from fanwise.records import Timeouts

KINDS = ("fast", "aiohttp")


def open_kind(kind: str, **settings: Any) -> Transport:
    """A transport of this kind that takes no notice of the machine's proxies."""
    if kind == "fast":
        return FastTransport(**settings)
    from fanwise.models.http.proxies import proxy_rules

    return AiohttpTransport(proxies=proxy_rules({}), **settings)


def post(url: str, body: bytes = b"{}", **timeouts: float) -> HttpRequest:
    """A request with these deadlines, and the usual ones besides."""
    return HttpRequest(url=url, body=body, timeouts=Timeouts(**timeouts))
