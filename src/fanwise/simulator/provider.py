"""The simulated provider as a real HTTP server, for a demo, a test or ``fanwise simulate``."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from fanwise.clock import Clock, SystemClock
from fanwise.errors import ConfigError, StateError
from fanwise.simulator.answers import Answer, computed_answer
from fanwise.simulator.http import Connection
from fanwise.simulator.ledger import Ledger, LedgerStatistics
from fanwise.simulator.profile import SimProfile
from fanwise.simulator.service import SimService

_BACKLOG = 4096


class SimulatedProvider:
    """An OpenAI-compatible server with the speed, limits and faults of a profile.

    To be entered with ``async with``; it listens inside the block and is closed, connections and
    all, when the block is left. It offers ``POST /v1/chat/completions`` (plain and streamed),
    ``POST /v1/embeddings``, ``GET /v1/models`` and ``GET /sim/statistics``. All models of one
    provider share its limits.

    Args:
        profile: How it behaves.
        answer: What it answers; runs on the event loop, once for each request taken in.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        clock: Source of time; the machine's own if omitted.

    Raises:
        ConfigError: On entering: the address cannot be listened on.
    """

    def __init__(
        self,
        profile: SimProfile,
        *,
        answer: Answer = computed_answer,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.profile = profile
        self._answer = answer
        self._host = host
        self._port = port
        self._clock = SystemClock() if clock is None else clock
        self._service: SimService | None = None
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        where = self.base_url if self._server is not None else "not listening"
        return f"<SimulatedProvider {where}>"

    async def __aenter__(self) -> Self:
        if self._server is not None:
            raise StateError("this simulated provider is already listening")
        service = SimService(self.profile, answer=self._answer, clock=self._clock)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(service), self._host, self._port, backlog=_BACKLOG
            )
        except OSError as error:
            raise ConfigError(
                f"the simulated provider cannot listen on {self._host}:{self._port}: "
                f"{error.strerror or error}",
                hint="choose another host or port; port 0 takes a free one",
            ) from error
        self._service = service
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, service = self._server, self._service
        if server is None or service is None:
            return
        self._server = None
        service.closing = True
        server.close()
        tasks = [task for task in (c.close() for c in list(service.connections)) if task]
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()

    @property
    def base_url(self) -> str:
        """Where clients find it, ``/v1`` included, such as ``http://127.0.0.1:40123/v1``.

        Raises:
            StateError: It is not listening.
        """
        if self._server is None:
            raise StateError(
                "the simulated provider is not listening", hint="enter it with async with"
            )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/v1"

    @property
    def ledger(self) -> Ledger:
        """What it has seen and done; readable after the block too.

        Raises:
            StateError: It was never entered.
        """
        if self._service is None:
            raise StateError(
                "the simulated provider has not been started", hint="enter it with async with"
            )
        return self._service.ledger

    def statistics(self) -> LedgerStatistics:
        """The ledger's counts as they stand; readable after the block too."""
        return self.ledger.statistics()
