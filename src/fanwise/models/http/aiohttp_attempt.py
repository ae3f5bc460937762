"""The deadlines of one exchange over aiohttp."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping
from typing import TypeVar

import aiohttp

from fanwise.models.http.aiohttp_errors import fault_of
from fanwise.models.http.errors import TransportTimeout, timed_out
from fanwise.records import NOTHING, Phase, Timeouts

T = TypeVar("T")


class AiohttpAttempt:
    """Where one exchange stands, as aiohttp's trace events tell it, and what is due when.

    Args:
        server: Host and port, for messages.
        timeouts: Deadlines.

    Attributes:
        phase: What is waited for.
        connect_s: Seconds until a connection stood; 0 for a kept one.
        sent_at: When the request began to leave, in the loop's time.
        status: Status of the answer, once its head has come.
        headers: Its headers, names in lower case.
    """

    __slots__ = (
        "_deadline",
        "_loop",
        "_mark_at",
        "_started_at",
        "_timeouts",
        "connect_s",
        "headers",
        "phase",
        "sent_at",
        "server",
        "status",
    )

    def __init__(self, *, server: str, timeouts: Timeouts) -> None:
        self._loop = asyncio.get_running_loop()
        self._started_at = self._mark_at = self._loop.time()
        self._timeouts = timeouts
        self._deadline: asyncio.Timeout | None = None
        self.server = server
        self.phase: Phase = "connect"
        self.connect_s = 0.0
        self.sent_at = self._started_at
        self.status: int | None = None
        self.headers: Mapping[str, str] = NOTHING

    def connected(self, *, fresh: bool) -> None:
        """A connection stands."""
        now = self._loop.time()
        self.connect_s = now - self._started_at if fresh else 0.0
        self.sent_at = now
        self._enter("first_byte")

    def wrote(self) -> None:
        """A part of the request has left."""
        if self.phase == "first_byte":
            self._enter("first_byte")

    def answered(self, status: int, headers: Mapping[str, str]) -> float:
        """The head of the answer has come; seconds since the request began to leave."""
        self.status, self.headers = status, headers
        self._enter("between_chunks")
        return self._mark_at - self.sent_at

    async def guard(self, work: Awaitable[T]) -> T:
        """Awaits ``work`` under the deadlines, and turns what it raises into our errors.

        Raises:
            TransportTimeout: The deadline that passed.
            TransportFault: For whatever else went wrong.
        """
        if self.phase == "between_chunks":
            self._mark_at = self._loop.time()  # silence counts from when the reader asks
        deadline = asyncio.timeout_at(self._due()[0])
        try:
            async with deadline:
                self._deadline = deadline
                return await work
        except (aiohttp.ClientError, OSError) as error:
            if deadline.expired():
                raise self._late() from None
            raise fault_of(
                error,
                server=self.server,
                phase=self.phase,
                status=self.status,
                headers=self.headers,
            ) from error
        finally:
            self._deadline = None

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._mark_at = self._loop.time()
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(self._due()[0])

    def _due(self) -> tuple[float | None, Phase]:
        timeouts = self._timeouts
        limit_s = {
            "connect": timeouts.connect_s,
            "first_byte": timeouts.first_byte_s,
            "between_chunks": timeouts.between_chunks_s,
        }[self.phase]
        at, attempt_at = self._mark_at + limit_s, self._started_at + timeouts.attempt_s
        if attempt_at <= at:
            return (None if attempt_at == math.inf else attempt_at), "attempt"
        return at, self.phase

    def _late(self) -> TransportTimeout:
        _, phase = self._due()
        timeouts = self._timeouts
        limit_s = {
            "connect": timeouts.connect_s,
            "first_byte": timeouts.first_byte_s,
            "between_chunks": timeouts.between_chunks_s,
            "attempt": timeouts.attempt_s,
        }[phase]
        return timed_out(
            phase,
            server=self.server,
            limit_s=limit_s,
            maybe_sent=self.phase != "connect",
            status=self.status,
            headers=self.headers,
        )
