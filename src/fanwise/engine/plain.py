"""``fw.map``: one function over many items, with limits and retry, and no journal."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fanwise.clock import Clock, LoopClock
from fanwise.engine.identity import own_id
from fanwise.engine.mapping import Map
from fanwise.engine.sources import chunks_of
from fanwise.engine.workers import Crew, Item
from fanwise.errors import AttemptTimeout, ConfigError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Failure, Outcome, Verdict
from fanwise.retry.classify import classify
from fanwise.retry.policy import GiveUp, Retry, decide

_READ_AHEAD = 64
_SPARE_WORKERS = 64
_MOST_WORKERS = 20_000
_SERVED = Verdict(kind="served")
_CANCELLED = Verdict(kind="cancelled", reason="cancelled by the caller")
_ONCE = Retry(max_attempts=1)


def map(  # noqa: A001 - it is what the builtin does, at once
    function: Callable[[Any], Awaitable[Any]],
    source: Any,
    *,
    limits: Limits | None = None,
    retry: Retry | None = None,
    timeout_s: float = math.inf,
    ordered: bool = False,
    chance: random.Random | None = None,
) -> Map:
    """One asynchronous function over many items, as many at once as the limits allow.

    Nothing is journalled: for work that must not be paid for twice, use ``run.map``.

    Args:
        function: ``async (item) -> value``.
        source: Any iterable or asynchronous iterable, endless ones too; read only as far ahead as
            there are workers for its items.
        limits: Concurrency (20 by default), and requests a minute.
        retry: How often and after what waits a failure is tried again; by default not at all.
            ``retry_on`` names the exceptions that a further attempt may mend.
        timeout_s: Deadline of one attempt in seconds; the function is cancelled then.
        ordered: Outcomes in the order of the source instead of as they complete.
        chance: Source of jitter, for tests.

    Returns:
        A :class:`Map`, to be entered (``async with``) or collected (``await ….collect()``). What
        the function raises is an outcome's ``error``. Leaving the block cancels what still runs.

    Raises:
        ConfigError: ``timeout_s`` is not above 0, or the source cannot be iterated.
    """
    if not timeout_s > 0:
        raise ConfigError(f"timeout_s is {timeout_s}", hint="it is in seconds, and above 0")
    clock = LoopClock()
    runner = _PlainRunner(
        function,
        limiter=Limiter(limits or Limits(), clock=clock, name="map"),
        retry=retry or _ONCE,
        timeout_s=timeout_s,
        clock=clock,
        chance=chance or random.Random(),
    )
    return Map(
        lambda: _items(source),
        runner.handle,
        room=runner,
        opened=runner.opened,
        ordered=ordered,
    )


async def _items(source: Any) -> AsyncIterator[list[Item]]:
    chunks = chunks_of(source, size=_READ_AHEAD)
    position = 0
    try:
        async for chunk in chunks:
            items: list[Item] = []
            for value in chunk:
                items.append(Item(own_id(value) or str(position), position, value))
                position += 1
            yield items
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


class _PlainRunner:
    """Runs a function under a limiter, and says whether one more worker would be of use."""

    def __init__(
        self,
        function: Callable[[Any], Awaitable[Any]],
        *,
        limiter: Limiter,
        retry: Retry,
        timeout_s: float,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._function = function
        self._limiter = limiter
        self._retry = retry
        self._timeout_s = None if math.isinf(timeout_s) else timeout_s
        self._clock = clock
        self._chance = chance
        self._last_success = -math.inf

    def has_room(self) -> bool:
        return not self._limiter.waiting

    def max_workers(self) -> int:
        concurrency = self._limiter.limits.concurrency
        if not math.isfinite(concurrency):
            return _MOST_WORKERS
        return min(_MOST_WORKERS, 2 * int(concurrency) + _SPARE_WORKERS)

    def opened(self, crew: Crew) -> Callable[[], None]:
        self._limiter.on_room(crew.kick)
        self._last_success = self._clock.monotonic()
        return _nothing

    async def handle(self, item: Item) -> Outcome:
        """One item, with as many attempts as the policy allows."""
        clock = self._clock
        attempts = failures = 0
        queued_s = service_s = 0.0
        while True:
            permit = await self._limiter.acquire()
            queued_s += permit.queued_s
            attempts += 1
            began = clock.monotonic()
            try:
                value = await self._attempt(item.value)
            except asyncio.CancelledError:
                permit.settle(_CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001 - an item's failure is data
                failure = Failure(kind="exception", message=str(error), exception=error)
                verdict = classify(failure, wall_s=0.0, retry_on=self._retry.retry_on)
                permit.settle(verdict)
                now = clock.monotonic()
                service_s += now - began
                failures += verdict.kind == "infrastructure"
                decision = decide(
                    self._retry,
                    verdict=verdict,
                    transient_failures=failures,
                    waited_s=queued_s,
                    now=now,
                    deadline=math.inf,
                    last_success=self._last_success,
                    chance=self._chance,
                )
                if isinstance(decision, GiveUp):
                    return self._outcome(item, attempts, queued_s, service_s, error=error)
                await asyncio.sleep(decision.wait_s)
                queued_s += clock.monotonic() - now
            else:
                permit.settle(_SERVED)
                now = self._last_success = clock.monotonic()
                service_s += now - began
                return self._outcome(item, attempts, queued_s, service_s, value=value)

    async def _attempt(self, value: Any) -> Any:
        if self._timeout_s is None:
            return await self._function(value)
        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                return await self._function(value)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise AttemptTimeout(
                f"no result within {self._timeout_s:g} s", hint="raise timeout_s"
            ) from error

    def _outcome(
        self,
        item: Item,
        attempts: int,
        queued_s: float,
        service_s: float,
        *,
        value: Any = None,
        error: Exception | None = None,
    ) -> Outcome:
        return Outcome(
            item_id=item.id,
            ok=error is None,
            value=value,
            error=error,
            item=item.value,
            attempts=attempts,
            queued_s=queued_s,
            service_s=service_s,
            position=item.position,
        )


def _nothing() -> None:
    """The limiter goes with the map, and its callbacks with it."""
