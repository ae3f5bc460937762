"""``fw.batched``: batches one after another, the items of a batch together."""

from __future__ import annotations

import asyncio
import inspect
import math
import random
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from fanwise.clock import Clock, LoopClock
from fanwise.engine.checks import check_function, check_policies, check_wait, check_whole
from fanwise.engine.mapping import Map
from fanwise.engine.plain import PlainRoom, plain_items
from fanwise.engine.runner import ONCE, Runner, check_seconds
from fanwise.engine.workers import Item
from fanwise.errors import ConfigError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Outcome
from fanwise.retry.policy import Retry

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """One batch, when all of it has ended.

    Args:
        number: Its place, from 1.
        size: Its items.
        succeeded: Items with a value.
        failed: Items with an error.
        wall_s: Seconds from its start to its last item's end.
    """

    number: int
    size: int
    succeeded: int
    failed: int
    wall_s: float


OnBatch: TypeAlias = Callable[[BatchReport], Any]


def batched(
    function: Callable[[T], Awaitable[R]],
    source: Iterable[T] | AsyncIterable[T],
    *,
    size: int = 10,
    delay_s: float = 0.0,
    on_error: Literal["continue", "stop"] = "continue",
    on_batch_complete: OnBatch | None = None,
    limits: Limits | None = None,
    retry: Retry | None = None,
    timeout_s: float = math.inf,
    ordered: bool = False,
    chance: random.Random | None = None,
) -> Map[R]:
    """One asynchronous function over many items in batches, one batch after another.

    The items of a batch go together, as far as the limits allow; the next batch begins when all of
    them have ended. For servers that want pauses; :func:`fanwise.map` is quicker everywhere else,
    since there no item waits for the slowest of a batch.

        saved = await fw.batched(save, rows, size=10, delay_s=1.0).collect()

    Args:
        function: ``async (item) -> value``.
        source: Any iterable or asynchronous iterable, endless ones too; one batch is read ahead.
        size: Items a batch, at least 1. The last batch may be smaller.
        delay_s: Seconds from the end of a batch to the start of the next, at least 0.
        on_error: ``"stop"`` begins no further batch after one in which an item failed for good;
            what was not begun has no outcome.
        on_batch_complete: Is given each :class:`~fanwise.types.BatchReport` before the next batch
            begins; may be asynchronous. What it raises ends the map.
        limits: Concurrency (``size`` by default), and requests a minute.
        retry: How often and after what waits a failure is tried again; by default not at all.
        timeout_s: Deadline of one attempt in seconds; the function is cancelled then.
        ordered: Outcomes in the order of the source instead of as they complete.
        chance: Source of jitter, for tests.

    Returns:
        A :class:`~fanwise.types.Map`, to be entered or collected. Leaving the block cancels what
        still runs.

    Raises:
        ConfigError: A value is impossible, or the source cannot be iterated; nothing was begun.
        UsageError: ``function`` is no function of one item; nothing was begun.
    """
    check_seconds("timeout_s", timeout_s)
    check_function(function, takes=("item",), hint="fw.batched gives it one item after another")
    check_policies(limits, retry)
    check_whole("size", size)
    check_wait("delay_s", delay_s)
    if on_error not in {"continue", "stop"}:
        raise ConfigError(f"on_error={on_error!r} is unknown", hint="give 'continue' or 'stop'")
    clock = LoopClock()
    runner = Runner(
        function,
        limiter=Limiter(limits or Limits(concurrency=size), clock=clock, name="batched"),
        retry=retry or ONCE,
        timeout_s=timeout_s,
        clock=clock,
        chance=chance or random.Random(),
    )
    batches = _Batches(
        runner.handle,
        size=size,
        delay_s=delay_s,
        stops=on_error == "stop",
        on_complete=on_batch_complete,
        clock=clock,
    )
    room = PlainRoom(runner.limiter)
    return Map(
        lambda: batches.items(plain_items(source)),
        batches.handle,
        room=room,
        opened=lambda crew: room.opened(crew, runner.begin),
        ordered=ordered,
    )


class _Batches:
    """Lets a batch of items out at a time, and counts how they end."""

    def __init__(
        self,
        inner: Callable[[Item], Awaitable[Outcome]],
        *,
        size: int,
        delay_s: float,
        stops: bool,
        on_complete: OnBatch | None,
        clock: Clock,
    ) -> None:
        self._inner = inner
        self._size = size
        self._delay_s = delay_s
        self._stops = stops
        self._on_complete = on_complete
        self._clock = clock
        self._left = 0
        self._failed = 0
        self._over: asyncio.Future[None] | None = None

    async def handle(self, item: Item) -> Outcome:
        """Runs one item of the batch that is out."""
        outcome = await self._inner(item)
        self._left -= 1
        self._failed += not outcome.ok
        if not self._left and self._over is not None and not self._over.done():
            self._over.set_result(None)
        return outcome

    async def items(self, source: AsyncIterator[list[Item]]) -> AsyncIterator[list[Item]]:
        """The items, batch by batch; the next batch comes when the one before has ended."""
        number = 0
        ended_at = -math.inf
        batches = _in_batches(source, self._size)
        try:
            async for batch in batches:
                wait_s = ended_at + self._delay_s - self._clock.monotonic()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                number += 1
                self._left, self._failed = len(batch), 0
                self._over = asyncio.get_running_loop().create_future()
                began = self._clock.monotonic()
                yield batch
                await self._over
                ended_at = self._clock.monotonic()
                await self._completed(number, len(batch), ended_at - began)
                if self._stops and self._failed:
                    return
        finally:
            await batches.aclose()

    async def _completed(self, number: int, size: int, wall_s: float) -> None:
        if self._on_complete is None:
            return
        report = BatchReport(
            number=number,
            size=size,
            succeeded=size - self._failed,
            failed=self._failed,
            wall_s=wall_s,
        )
        told = self._on_complete(report)
        if inspect.isawaitable(told):
            await told


async def _in_batches(
    source: AsyncIterator[list[Item]], size: int
) -> AsyncGenerator[list[Item], None]:
    waiting: list[Item] = []
    try:
        async for chunk in source:
            waiting.extend(chunk)
            while len(waiting) >= size:
                yield waiting[:size]
                del waiting[:size]
        if waiting:
            yield waiting
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
