"""Who may start next, where not everything that is ready may: the highest priority."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from typing import TYPE_CHECKING, Any, Final, cast

from fanwise.ending import end_all
from fanwise.records import NO_USAGE, NOTHING, Cost, Usage, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanwise.limits.limiter import Limiter
    from fanwise.limits.permit import Permit

_NO_REQUEST: Final = Cost(requests=0)
_UNSENT: Final = Verdict(kind="cancelled", reason="its step was gone before it could be used")
_SERVED: Final = Verdict(kind="served")


class Seat:
    """A permit of the graph's limiter that its step gives back while it waits for sub-steps.

    A step that held its permit meanwhile could keep its own sub-steps from ever starting.
    """

    __slots__ = ("_lent", "_limiter", "_permit", "queued_s")

    def __init__(self, limiter: Limiter, permit: Permit, *, queued_s: float) -> None:
        self._limiter = limiter
        self._permit: Permit | None = permit
        self._lent = 0
        self.queued_s = queued_s

    def lend(self) -> None:
        """The step waits for its sub-steps from here."""
        self._lent += 1
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.settle(_SERVED)

    def drop(self) -> None:
        """The step was cancelled while it waited for them: it ends without a place."""
        self._lent -= 1

    async def take_back(self) -> None:
        """The sub-steps have ended: goes on as soon as there is a place, without a new request."""
        self._lent -= 1
        if not self._lent and self._permit is None:
            self._permit = await self._limiter.acquire(_NO_REQUEST)

    def settle(
        self,
        verdict: Verdict,
        *,
        usage: Usage = NO_USAGE,
        headers: Mapping[str, str] = NOTHING,
        sent: bool = True,
    ) -> None:
        """As :meth:`~fanwise.limits.permit.Permit.settle`; of what is lent nothing is left."""
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.settle(verdict, usage=usage, headers=headers, sent=sent)


class Ticket:
    """A place in the queue before the limiter, and the permit once its turn has come."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[Seat]) -> None:
        self._future = future

    async def seat(self) -> Seat:
        """The permit. Whoever is cancelled meanwhile holds nothing."""
        try:
            return await self._future
        except BaseException:
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Gives up the place, or the permit that nobody has taken."""
        future = self._future
        if not future.done():
            future.cancel()
        elif not future.cancelled() and future.exception() is None:
            future.result().settle(_UNSENT, sent=False)


class Admission:
    """A queue by priority before a limiter, which itself is first come, first served.

    Only one request at a time waits at the limiter, for whoever is first when it is granted.

    Args:
        limiter: The limiter of one run of a graph.
    """

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._heap: list[tuple[float, int, int, float, asyncio.Future[Seat]]] = []
        self._numbers = itertools.count()
        self._pump: asyncio.Task[None] | None = None

    @property
    def most(self) -> float:
        """How many may run at once, where that is a number that was stated."""
        stated = cast("object", self._limiter.limits.concurrency)
        return stated if isinstance(stated, int | float) else math.inf

    def ask(self, priority: float, height: int = 0) -> Ticket:
        """A place in the queue; among equals the longer chain of work goes first."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Seat] = loop.create_future()
        place = (-priority, -height, next(self._numbers), loop.time(), future)
        heapq.heappush(self._heap, place)
        if self._pump is None:
            self._pump = loop.create_task(self._admit(), name="fanwise graph admission")
        return Ticket(future)

    async def close(self) -> None:
        """Ends the queue; returns when its task has ended."""
        if self._pump is not None:
            await end_all([self._pump])

    async def _admit(self) -> None:
        time = asyncio.get_running_loop().time
        try:
            while self._heap:
                permit = await self._limiter.acquire()
                # Nothing is awaited between here and the hand-over.
                while self._heap:
                    *_, since, future = heapq.heappop(self._heap)
                    if not future.done():
                        seat = Seat(self._limiter, permit, queued_s=time() - since)
                        future.set_result(seat)
                        break
                else:
                    permit.settle(_UNSENT, sent=False)
        finally:
            self._pump = None


class Door:
    """One step's way to its permits, as :class:`~fanwise.engine.runner.Runner` asks for them.

    Args:
        admission: The queue; ``None`` where nothing limits the graph.
        seats: Who sits where at this moment, by task.
        priority, height: The step's place in the queue.
    """

    __slots__ = ("_admission", "_height", "_priority", "_seats", "ticket")

    def __init__(
        self,
        admission: Admission | None,
        seats: dict[asyncio.Task[Any], Seat],
        *,
        priority: float,
        height: int = 0,
    ) -> None:
        self._admission = admission
        self._seats = seats
        self._priority = priority
        self._height = height
        self.ticket: Ticket | None = None

    def queue_up(self) -> None:
        """Takes a place at once, before the step's task has begun."""
        if self._admission is not None:
            self.ticket = self._admission.ask(self._priority, self._height)

    async def acquire(self) -> Seat | Free:
        """The permit of the next attempt."""
        if self._admission is None:
            return FREE
        ticket, self.ticket = self.ticket, None
        if ticket is None:
            ticket = self._admission.ask(self._priority, self._height)
        seat = await ticket.seat()
        task = asyncio.current_task()
        assert task is not None
        self._seats[task] = seat
        return seat


class Free:
    """The permit of a graph without limits."""

    __slots__ = ()
    queued_s = 0.0

    def settle(self, verdict: Verdict) -> None:
        """Nothing was taken, and nothing is given back."""


FREE: Final = Free()
