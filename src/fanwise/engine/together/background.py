"""``fw.Background``: work that nobody waits for, and that is not lost sight of."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fanwise.engine.checks import check_wait, check_whole
from fanwise.engine.runner import cancelled_itself
from fanwise.engine.together.books import Account, Job, Tally
from fanwise.engine.together.operations import close_coroutines, invoke, name_of
from fanwise.engine.together.scope import Scope
from fanwise.errors import QueueFull, StateError, UsageError
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.run import Run

_HASTE_S = 1.0  # the longest drain of a block that is being cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundStatistics:
    """Background work at one moment.

    Args:
        pending: Accepted and not begun.
        running: Begun and not ended.
        accepted: All that was accepted so far.
        succeeded: Ended with a value.
        failed: Ended with an exception.
        abandoned: Cancelled or never begun, since the block was left and its time was up.
        refused: Not accepted, since the queue was full.
    """

    pending: int
    running: int
    accepted: int
    succeeded: int
    failed: int
    abandoned: int
    refused: int


class Background:
    """Work beside the main thread of a program: begun without waiting, bounded, never unseen.

        async with fw.Background() as background:
            background.start(write_log, entry)

    Leaving the block waits up to ``drain_s`` for what was accepted, then cancels the rest, waits
    until it has ended, and logs what was lost. So does leaving it by an exception. Leaving it by
    cancellation drains for a second at most, and a cancellation that arrives during a drain ends
    it at once. No task outlives the block.

    Args:
        max_pending: Most pieces of work that are accepted and not begun, 1 or more.
        max_running: Most that run at once, 1 or more.
        drain_s: Seconds that leaving the block waits, 0 or more; ``math.inf`` for as long as it
            takes.
        on_error: Is told of each failure: ``(name, error)``. What it raises is logged.
        run: An open run that keeps account: every piece has a durable intent before it begins and
            a durable end, under the item ``background``. After a crash, those without an end are
            the run's ambiguous calls. The block stands inside that of the run.
        chance: Source of the ids that keep sessions of one run apart, for tests.

    Raises:
        ConfigError: A bound is impossible.
    """

    def __init__(
        self,
        *,
        max_pending: int = 1000,
        max_running: int = 100,
        drain_s: float = 30.0,
        on_error: Callable[[str, Exception], None] | None = None,
        run: Run | None = None,
        chance: random.Random | None = None,
    ) -> None:
        check_whole("max_pending", max_pending)
        check_whole("max_running", max_running)
        check_wait("drain_s", drain_s, endless=True)
        self._max_pending = max_pending
        self._max_running = max_running
        self._drain_s = drain_s
        self._scope: Scope | None = None
        self._pending: deque[Job] = deque()
        self._reserved = 0
        self._putters: deque[asyncio.Future[None]] = deque()
        self._closing = self._ended = False
        self._idle: asyncio.Future[None] | None = None
        self._tally = Tally(on_error)
        self._account = Account(run, chance or random.Random())

    def __repr__(self) -> str:
        seen = self.statistics()
        state = "ended" if self._ended else "open" if self._scope is not None else "not entered"
        return (
            f"<Background {state}: {seen.running} running, {seen.pending} pending, "
            f"{seen.failed} failed>"
        )

    @property
    def failures(self) -> Sequence[Outcome]:
        """The last 100 failures: name (``item_id``), ``error``, and how long it took."""
        return tuple(self._tally.failures)

    @property
    def abandoned(self) -> Sequence[str]:
        """Names of what was accepted and had not ended when the block was left for good."""
        return tuple(self._tally.abandoned)

    def statistics(self) -> BackgroundStatistics:
        """What has become of the work so far."""
        tally = self._tally
        return BackgroundStatistics(
            pending=len(self._pending),
            running=0 if self._scope is None else len(self._scope),
            accepted=tally.accepted,
            succeeded=tally.succeeded,
            failed=tally.failed,
            abandoned=len(tally.abandoned),
            refused=tally.refused,
        )

    def start(
        self,
        function: Callable[..., Awaitable[Any]],
        /,
        *args: Any,
        name: str | None = None,
        **named: Any,
    ) -> None:
        """Accepts a piece of work and returns at once.

        Args:
            function: ``async (*args, **named)``; what it returns is dropped.
            args: Its arguments.
            name: What to call it where it fails; by default the function's name.
            named: Its named arguments (``functools.partial`` gives it one called ``name``).

        Raises:
            QueueFull: ``max_pending`` pieces wait already; nothing was accepted.
            StateError: The block is not entered, or being left.
            UsageError: It is no function.
        """
        job = self._job(function, args, name, named)
        if self._putters or self._taken() >= self._max_pending:
            self._tally.refused += 1
            raise QueueFull(
                f"{self._taken()} pieces of background work wait already",
                hint="await background.put(…) waits for room; or raise max_pending or max_running",
            )
        self._accept(job)

    async def put(
        self,
        function: Callable[..., Awaitable[Any]],
        /,
        *args: Any,
        name: str | None = None,
        **named: Any,
    ) -> None:
        """Accepts a piece of work as soon as there is room, first come, first served.

        With a run, the intent is durable when this returns: the work is then either done or known
        to be undone, whatever happens to this process.

        Args:
            function: As for :meth:`start`.
            args: As there.
            name: As there.
            named: As there.

        Raises:
            StateError: The block is not entered, or was left before there was room.
            UsageError: It is no function.
            JournalUnavailable: The intent could not be made durable; nothing was accepted.

        Cancelled while it waits, it has accepted nothing.
        """
        job = self._job(function, args, name, named)
        await self._reserve()
        try:
            await self._account.intend(job)
        except asyncio.CancelledError:
            self._release()
            await self._account.never_begun(job)
            raise
        except BaseException:
            self._release()
            raise
        self._reserved -= 1
        if self._ended:
            await self._account.never_begun(job)
            raise _left()
        self._accept(job)

    async def __aenter__(self) -> Self:
        if self._scope is not None:
            raise StateError("a Background is entered once", hint="make a new one")
        self._scope = Scope()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._scope is not None
        self._closing = True
        while self._putters:
            waiting = self._putters.popleft()
            if not waiting.done():
                waiting.set_exception(_left())
        hasty = error is not None and not isinstance(error, Exception)
        lost: list[Job] = []
        try:
            await self._drain(min(self._drain_s, _HASTE_S) if hasty else self._drain_s)
        finally:
            self._ended = True
            lost.extend(self._pending)
            self._pending.clear()
            self._tally.abandoned.extend(job.name for job in lost)
            try:
                await self._scope.end()
            finally:
                if self._tally.abandoned:
                    self._tally.log_abandoned()
                    names = self.abandoned
                    await self._account.abandon(lost, names, quiet=error is not None)

    # accepting

    def _job(
        self,
        function: Callable[..., Awaitable[Any]],
        args: Sequence[Any],
        name: str | None,
        named: Mapping[str, Any],
    ) -> Job:
        if not callable(function):
            close_coroutines([function])
            raise UsageError(
                f"{name or 'background work'} is a {type(function).__name__}, not a function",
                hint="give the function and its arguments: background.start(write_log, entry)",
            )
        if self._scope is None:
            raise StateError(
                "this Background is not entered",
                hint="write: async with fw.Background() as background: …",
            )
        if self._closing or self._account.closed:
            raise _left()
        number = self._tally.accepted + self._tally.refused
        call = partial(invoke, function, *args, **named)
        now = asyncio.get_running_loop().time()
        job = Job(name=name or name_of(function), call=call, number=number, accepted_at=now)
        self._account.open(job)
        return job

    def _taken(self) -> int:
        return len(self._pending) + self._reserved

    async def _reserve(self) -> None:
        """Waits for a place in the queue; it is the caller's before the caller is woken."""
        if not self._putters and self._taken() < self._max_pending:
            self._reserved += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._putters.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in self._putters:
                self._putters.remove(place)
            elif not place.cancelled() and place.exception() is None:
                self._release()
            raise

    def _release(self) -> None:
        self._reserved -= 1
        self._go_on()

    def _accept(self, job: Job) -> None:
        self._tally.accepted += 1
        self._pending.append(job)
        self._go_on()

    # running

    def _go_on(self) -> None:
        """Begins what may begin, and lets in who waits for room."""
        scope = self._scope
        assert scope is not None
        while self._pending and len(scope) < self._max_running and not self._ended:
            job = self._pending.popleft()
            scope.start(
                self._account.carry_out(job),
                name=f"background {job.name}",
                ended=partial(self._done, job),
            )
        while self._putters and self._taken() < self._max_pending:
            place = self._putters.popleft()
            if not place.done():
                self._reserved += 1
                place.set_result(None)
        if self._idle is not None and not (scope or self._taken() or self._idle.done()):
            self._idle.set_result(None)

    def _done(self, job: Job, task: asyncio.Task[None]) -> None:
        try:
            if task.cancelled():
                if self._ended:
                    self._tally.abandoned.append(job.name)
                else:
                    self._tally.fail(job, cancelled_itself())
            elif (error := task.exception()) is not None:
                self._tally.fail(job, error)
            else:
                self._tally.succeeded += 1
        finally:
            self._go_on()

    # leaving

    async def _drain(self, patience_s: float) -> None:
        if not (self._scope or self._taken()):
            return
        loop = asyncio.get_running_loop()
        self._idle = loop.create_future()
        timer = None
        if patience_s < math.inf:
            timer = loop.call_later(patience_s, _set, self._idle)
        try:
            await self._idle
        finally:
            if timer is not None:
                timer.cancel()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _left() -> StateError:
    return StateError(
        "no further background work is accepted: its block is being left, or its run is draining",
        hint="start work while the block is open",
    )
