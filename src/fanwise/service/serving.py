"""Serving the application: the socket, the server, and its ending."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING

import uvicorn

from fanwise.ending import end_all
from fanwise.errors import ConfigError
from fanwise.service.app import create_app
from fanwise.service.hub import Hub, first_token, open_hub
from fanwise.service.settings import ServiceSettings
from fanwise.service.tokens import Caller

if TYPE_CHECKING:
    from fanwise.journal.home import Home

_GRACE_S = 5


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, and says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listen(settings: ServiceSettings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        ConfigError: The address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"cannot listen at {settings.host}:{settings.port}: {error.strerror}",
            hint="name another with --port or --host; --port 0 takes a free one",
        ) from error
    return listening


async def serve(
    settings: ServiceSettings,
    *,
    home: Home,
    ready: Callable[[str, str, Hub], Awaitable[None]],
) -> None:
    """Serves until it is cancelled, or until the hub's ``stopping`` is set.

    Args:
        settings: Where, and whom to let in.
        home: The runs that are served.
        ready: Is told the service's URL, a link that logs a browser in, and its parts, once it
            answers.

    Raises:
        ConfigError: The address cannot be listened at.
        JournalUnavailable: The service's tables cannot be opened.
    """
    with contextlib.closing(listen(settings)) as listening:
        port: int = listening.getsockname()[1]
        async with open_hub(settings, home=home) as hub:
            hub.port = port
            token = await first_token(hub)
            caller = await hub.tokens.caller_of(token)
            config = uvicorn.Config(
                create_app(hub),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                timeout_graceful_shutdown=_GRACE_S,
                server_header=False,
                proxy_headers=False,
            )
            await _run(_Server(config), listening, hub, port=port, caller=caller, ready=ready)


async def _run(
    server: _Server,
    listening: socket.socket,
    hub: Hub,
    *,
    port: int,
    caller: Caller | None,
    ready: Callable[[str, str, Hub], Awaitable[None]],
) -> None:
    name = "127.0.0.1" if hub.settings.loopback else hub.settings.host
    url = f"http://{name}:{port}"
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="server")
    stopping = asyncio.create_task(hub.stopping.wait(), name="stopping")
    try:
        answering = asyncio.create_task(server.answers.wait(), name="answering")
        try:
            await asyncio.wait({serving, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_all([answering])
        if not serving.done():
            code = hub.codes.issue(caller or Caller(name=""))
            await ready(url, f"{url}/login?code={code}", hub)
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await hub.supervisor.stop(drain_s=hub.settings.drain_s)
    finally:
        await hub.feeds.stop()
        server.should_exit = True
        await end_all([stopping])
        await asyncio.wait({serving}, timeout=2 * _GRACE_S)
        await end_all([serving])
