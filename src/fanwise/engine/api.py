"""Requests to a web API that is no model: JSON over kept connections, under limits of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import orjson

from fanwise.clock import Clock, SystemClock
from fanwise.errors import CallError, ConfigError, StateError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.limits.statistics import LimiterStatistics
from fanwise.models.http.errors import TransportFault, TransportTimeout, failure_of
from fanwise.models.http.transport import HttpRequest, Transport, open_transport
from fanwise.models.refusals import refused_by_status, unusable_answer
from fanwise.records import NOTHING, Failure, Timeouts, Verdict
from fanwise.retry.classify import classify
from fanwise.retry.errors_of import error_of
from fanwise.retry.policy import GiveUp, Retry, decide

_SERVED: Final = Verdict(kind="served")
_CANCELLED: Final = Verdict(kind="cancelled", reason="cancelled by the caller")
_TIMEOUTS: Final = Timeouts(first_byte_s=60.0, attempt_s=120.0)


class ApiClient:
    """Asks a web API for JSON, as fast as its limits allow; to be entered.

    It has limits and patience of its own, beside those of any model: a refusal (429) pauses all of
    its requests for as long as the server asks for, spends no attempt, and lowers the pace.

    ::

        async with ApiClient("https://api.example.com", limits=fw.Limits(rpm=50)) as api:
            page = await api.get("/things", query={"limit": "100"})

    Args:
        base_url: Where the API is; paths are put behind it.
        name: What messages call it.
        headers: Sent with each request; keys belong here, and go to this base URL only.
        limits: Its limits; what is not stated is learned.
        retry: How failures are met.
        timeouts: Deadlines of one attempt.
        hints: How to mend a refusal, by its HTTP status.
        clock, chance: Time and randomness, for tests.

    Raises:
        ConfigError: ``base_url`` is no http or https URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "the server",
        headers: Mapping[str, str] = NOTHING,
        limits: Limits | None = None,
        retry: Retry | None = None,
        timeouts: Timeouts = _TIMEOUTS,
        hints: Mapping[int, str] = NOTHING,
        clock: Clock | None = None,
        chance: random.Random | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ConfigError(
                f"{base_url!r} is no base URL", hint="write it as https://api.example.com"
            )
        self._base_url = base_url.rstrip("/")
        self._name = name
        self._headers = {"accept": "application/json", **headers}
        self._retry = retry or Retry()
        self._timeouts = timeouts
        self._hints = hints
        self._clock = clock or SystemClock()
        self._chance = chance or random.Random()
        self._limiter = Limiter(limits or Limits(), clock=self._clock, name=name)
        self._transport: Transport | None = None
        self._last_success = 0.0

    def __repr__(self) -> str:
        return f"<ApiClient {self._base_url}: {self._limiter!r}>"

    async def __aenter__(self) -> Self:
        if self._transport is not None:
            raise StateError("a client is entered once", hint="make another one")
        self._transport = open_transport()
        self._last_success = self._clock.monotonic()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def statistics(self) -> LimiterStatistics:
        """Requests sent, refused, waiting, and what they waited for."""
        return self._limiter.statistics()

    async def get(self, path: str, *, query: Mapping[str, str] = NOTHING) -> Any:
        """The JSON at a path, however often it has to be asked for.

        Args:
            path: Begins with ``/``, quoted as URLs are.
            query: Parameters, not quoted.

        Raises:
            CallError: The server refused for good (``Rejected``), or patience with it ran out.
            StateError: The client is not entered.

        Cancelling it closes the connection and gives its place back.
        """
        url = f"{self._base_url}{path}"
        if query:
            url += f"?{urlencode(query)}"
        message = HttpRequest(url=url, method="GET", headers=self._headers, timeouts=self._timeouts)
        clock = self._clock
        begun = clock.monotonic()
        attempts = failures = refusals = 0
        while True:
            found = await self._attempt(message)
            attempts += 1
            if not isinstance(found, _Failed):
                self._last_success = clock.monotonic()
                return found
            failures += found.verdict.kind == "infrastructure"
            refusals += found.verdict.kind in {"rate", "capacity"}
            now = clock.monotonic()
            decision = decide(
                self._retry,
                verdict=found.verdict,
                transient_failures=failures,
                refusals=max(1, refusals),
                waited_s=now - begun,
                now=now,
                deadline=float("inf"),
                last_success=self._last_success,
                chance=self._chance,
            )
            if isinstance(decision, GiveUp):
                raise self._error(found, attempts, decision.reason)
            await asyncio.sleep(decision.wait_s)

    async def _attempt(self, message: HttpRequest) -> Any:
        """One request under one permit: its JSON, or how it failed."""
        if self._transport is None:
            raise StateError("the client is not entered", hint="write: async with ApiClient(…)")
        permit = await self._limiter.acquire()
        try:
            found = await self._send(self._transport, message)
        except BaseException:
            permit.settle(_CANCELLED)
            raise
        if not isinstance(found, Failure):
            permit.settle(_SERVED)
            return found
        verdict = classify(found, wall_s=self._clock.wall())
        permit.settle(verdict, headers=found.headers)
        return _Failed(found, verdict)

    async def _send(self, transport: Transport, message: HttpRequest) -> Any:
        try:
            reply = await transport.send(message)
        except (TransportFault, TransportTimeout) as error:
            return failure_of(error)
        if not 200 <= reply.status < 300:
            return refused_by_status(reply.status, reply.headers, reply.body, who=self._name)
        try:
            return orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            return unusable_answer(reply.status, reply.headers, reply.body, who=self._name)

    def _error(self, failed: _Failed, attempts: int, gave_up: str) -> CallError:
        error = error_of(
            failed.failure,
            failed.verdict,
            provider=self._name,
            model="",
            attempt=attempts,
            gave_up=gave_up,
        )
        if failed.failure.kind == "status":
            error.hint = self._hints.get(failed.failure.status or 0, "")
        elif failed.failure.kind == "connect":
            error.hint = "check the address and the network"
        return error


class _Failed:
    """An attempt that came to nothing."""

    __slots__ = ("failure", "verdict")

    def __init__(self, failure: Failure, verdict: Verdict) -> None:
        self.failure = failure
        self.verdict = verdict
