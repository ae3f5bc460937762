"""Several operations under one owner: started, awaited, ended."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from fanwise.clock import LoopClock
from fanwise.engine.checks import check_policies
from fanwise.engine.runner import ONCE, Runner, cancelled_itself, check_seconds
from fanwise.engine.together.operations import Operation, Tracker, invoke
from fanwise.engine.together.scope import Scope
from fanwise.engine.workers import Item
from fanwise.errors import ConfigError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Outcome
from fanwise.retry.policy import Retry

_UNLIMITED = Limits(concurrency=math.inf)


class Gathering:
    """Runs operations at once until all have ended, one of them decides, or the time is up.

    Args:
        operations: What to run.
        runner: Runs each one.
        decides: Whether an outcome makes all others needless.
        stagger_s: Seconds from one start to the next, 0 for all at once.
        hedged: Whether a failure starts the next one at once.
        total_s: Deadline of the whole, in seconds.
        tracker: Is told of each operation.

    After :meth:`run`, ``outcomes`` holds how each one ended, ``None`` where it did not begin or was
    cancelled; ``decisive`` is the outcome that ended the others; ``late`` says that the time was
    up.
    """

    def __init__(
        self,
        operations: list[Operation],
        runner: Runner,
        *,
        decides: Callable[[Outcome], bool],
        stagger_s: float = 0.0,
        hedged: bool = False,
        total_s: float = math.inf,
        tracker: Tracker | None = None,
    ) -> None:
        self._runner = runner
        self._decides = decides
        self._stagger_s = stagger_s
        self._hedged = hedged
        self._total_s = total_s
        self._labels = [operation.label for operation in operations]
        self.items = [
            Item(operation.name, position, _tracked(operation, tracker))
            for position, operation in enumerate(operations)
        ]
        self.outcomes: list[Outcome | None] = [None] * len(operations)
        self.decisive: Outcome | None = None
        self.late = False
        self._begun = 0
        self._missing = len(operations)
        self._broken: BaseException | None = None

    def label(self, position: int) -> str:
        """What to call an operation in a message."""
        return self._labels[position]

    async def run(self) -> None:
        """Returns when no task is left.

        Raises:
            CancelledError: Cancelled from outside; the operations were cancelled and have ended.
            BaseException: What is no :class:`Exception` and came out of an operation.
        """
        if not self.items:
            return
        loop = self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = loop.create_future()
        self._scope = Scope()
        self._next_start: asyncio.TimerHandle | None = None
        alarm = None
        if self._total_s < math.inf:
            alarm = loop.call_later(self._total_s, self._time_is_up)
        self._runner.begin()
        try:
            self._start()
            await self._over
        finally:
            if alarm is not None:
                alarm.cancel()
            self._stop_starting()
            await self._scope.end()
        if self._broken is not None:
            raise self._broken

    def _start(self) -> None:
        """Starts the next operation, and all that follow where nothing is between them."""
        while self._begun < len(self.items):
            item = self.items[self._begun]
            self._begun += 1
            self._scope.start(
                self._runner.handle(item), name=item.id, ended=partial(self._ended, item)
            )
            if self._stagger_s and self._begun < len(self.items):
                self._next_start = self._loop.call_later(self._stagger_s, self._start)
                return

    def _stop_starting(self) -> None:
        if self._next_start is not None:
            self._next_start.cancel()
            self._next_start = None

    def _ended(self, item: Item, task: asyncio.Task[Outcome]) -> None:
        if task.cancelled():
            if self._scope.ending:
                return
            # Somebody else cancelled a task of ours: the operation failed, as far as we can tell.
            outcome = unfinished(item, cancelled_itself())
        elif (error := task.exception()) is not None:
            self._broken = self._broken or error
            self._finish()
            return
        else:
            outcome = task.result()
        self.outcomes[item.position] = outcome
        self._missing -= 1
        if self._scope.ending or self._over.done():
            return
        if self._decides(outcome):
            self.decisive = outcome
            self._finish()
        elif not self._missing:
            self._finish()
        elif self._hedged and not outcome.ok:
            self._stop_starting()
            self._start()

    def _time_is_up(self) -> None:
        if not self._over.done():
            self.late = True
            self._finish()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


def unfinished(item: Item, error: Exception) -> Outcome:
    """The outcome of an operation that was ended from outside, with what it took until then."""
    so_far: Outcome | None = item.known
    if so_far is not None:
        return replace(so_far, ok=False, error=error)
    return Outcome(item_id=item.id, ok=False, error=error, item=item.value, position=item.position)


def runner_of(
    *,
    timeout_s: float = math.inf,
    limits: Limits | None = None,
    retry: Retry | None = None,
    chance: random.Random | None = None,
) -> Runner:
    """What runs each operation, under the options that callers give.

    Raises:
        ConfigError: A deadline is not above 0, or an option is something else.
    """
    check_policies(limits, retry)
    check_seconds("timeout_s", timeout_s)
    clock = LoopClock()
    return Runner(
        invoke,
        limiter=Limiter(limits or _UNLIMITED, clock=clock, name="together"),
        retry=retry or ONCE,
        timeout_s=timeout_s,
        clock=clock,
        chance=chance,
    )


def check_stagger(stagger_s: object) -> None:
    """Refuses a distance between starts that cannot be kept.

    Raises:
        ConfigError: It is negative or endless.
    """
    if not isinstance(stagger_s, int | float) or not 0 <= stagger_s < math.inf:
        raise ConfigError(
            f"stagger_s is {stagger_s!r}", hint="it is in seconds: 0 starts everything at once"
        )


def _tracked(operation: Operation, tracker: Tracker | None) -> Callable[[], Awaitable[Any]]:
    if tracker is None:
        return operation.function
    if not callable(cast("object", tracker)):
        raise ConfigError(
            f"tracker is {tracker!r}", hint="give the t of: async with fw.track('name') as t"
        )
    return partial(tracker, operation.name, partial(invoke, operation.function))
