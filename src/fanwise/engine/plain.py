"""``fw.map``: one function over many items, with limits and retry, and no journal."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fanwise.clock import LoopClock
from fanwise.engine.identity import own_id
from fanwise.engine.mapping import Map
from fanwise.engine.runner import ONCE, Runner, check_seconds
from fanwise.engine.sources import chunks_of
from fanwise.engine.workers import Crew, Item
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.retry.policy import Retry

_READ_AHEAD = 64
_SPARE_WORKERS = 64
_MOST_WORKERS = 20_000


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
    check_seconds("timeout_s", timeout_s)
    clock = LoopClock()
    runner = Runner(
        function,
        limiter=Limiter(limits or Limits(concurrency=20), clock=clock, name="map"),
        retry=retry or ONCE,
        timeout_s=timeout_s,
        clock=clock,
        chance=chance or random.Random(),
    )
    room = _Room(runner)
    return Map(
        lambda: _items(source),
        runner.handle,
        room=room,
        opened=room.opened,
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


class _Room:
    """Says whether one more worker would be of use."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def has_room(self) -> bool:
        return not self._runner.limiter.waiting

    def max_workers(self) -> int:
        concurrency = self._runner.limiter.concurrency
        if not math.isfinite(concurrency):
            return _MOST_WORKERS
        return min(_MOST_WORKERS, 2 * int(concurrency) + _SPARE_WORKERS)

    def opened(self, crew: Crew) -> Callable[[], None]:
        self._runner.limiter.on_room(crew.kick)
        self._runner.begin()
        return _nothing


def _nothing() -> None:
    """The limiter goes with the map, and its callbacks with it."""
