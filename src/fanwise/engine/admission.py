"""What stands before every send, in its order; and what is given back after it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

from fanwise.engine.guarding import Breaker, Pass, RetryPurse
from fanwise.errors import PermitTimeout
from fanwise.limits.budget import NOTHING_SPENT
from fanwise.records import Usage, Verdict
from fanwise.retry.budget import cost_of

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.course import Course
    from fanwise.engine.spending import Spending
    from fanwise.engine.work import Call
    from fanwise.errors import CallError, FanwiseError
    from fanwise.limits.limiter import Permit
    from fanwise.records import VerdictKind
    from fanwise.retry.policy import Retry

_UNSENT: Final = Verdict(kind="cancelled", reason="it was not sent")


class Admission:
    """Lets attempts through: past retry budget, breaker and budget first, then within the limits.

    Args:
        spending: The run's budget.
        retry: The policy: its retry budget and patience.
        total_s: Deadline of a call in seconds from its first send, retries and waits included.
        clock: Time.
    """

    def __init__(self, *, spending: Spending, retry: Retry, total_s: float, clock: Clock) -> None:
        self._spending = spending
        self._retry = retry
        self._purses: dict[str, RetryPurse] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._refusal: FanwiseError | None = None
        self._total_s = total_s
        self._clock = clock

    @property
    def waiting(self) -> int:
        """Calls that wait for anything but a permit."""
        return self._spending.waiting + self.held_back

    @property
    def held_back(self) -> int:
        """Calls that wait for a breaker or for the retry budget."""
        waiting: list[Breaker | RetryPurse] = [*self._breakers.values(), *self._purses.values()]
        return sum(guard.waiting for guard in waiting)

    def refuse_all(self, error: FanwiseError) -> None:
        """Gives this error to everybody who waits for anything but a permit, now or later."""
        self._refusal = error
        self._spending.refuse_all(error)
        for purse in self._purses.values():
            purse.refuse_all(error)
        for breaker in self._breakers.values():
            breaker.refuse_all(error)

    def calm(self, call: Call) -> bool:
        """Whether nothing is wrong with its model that a further send would add to."""
        return self._refusal is None and self._breaker(call).closed

    def nobody_there(self, call: Call, error: CallError) -> None:
        """No call of this pool can succeed: those who wait at a breaker of it learn it too."""
        pool = call.target.pool
        pool.dead = error
        for (name, _), breaker in self._breakers.items():
            if name == pool.name:
                breaker.refuse_all(error)

    async def permit(self, call: Call, course: Course) -> Permit:
        """The right to send one attempt. Whoever is cancelled while waiting holds nothing.

        Raises:
            PermitTimeout: The call's deadline passed first.
            CallError: No call of its pool can succeed.
            Parked: Nothing is answered, or the retry budget is used up.
            Drained: The run takes no further call, or its budget is reached.
        """
        if self._refusal is not None:
            raise self._refusal
        pool = call.target.pool
        if pool.dead is not None:
            raise pool.dead
        breaker = self._breaker(call)
        if course.attempts:
            await self._retrying(call, course, breaker)
        if self._spending.bounds_calls:
            course.reserved = await self._spending.reserve(call, first=not course.intended)
        course.breaker = breaker
        deadline = None if math.isinf(course.deadline) else course.deadline
        priority = call.priority or call.work.priority
        while True:
            try:
                given = breaker.enter_closed()
                course.given = await self._past(breaker, course) if given is None else given
            except BaseException:
                course.breaker = None
                self.ended(call, course, "cancelled", usage=None, sent=False)
                raise
            try:
                cost = call.target.cost(call.request)
                permit = await pool.limiter.acquire(cost, deadline=deadline, priority=priority)
            except BaseException:
                self.ended(call, course, "cancelled", usage=None, sent=False)
                raise
            if breaker.holds(course.given):
                break
            permit.settle(_UNSENT, sent=False)  # the breaker has opened meanwhile
        course.waited_s += permit.queued_s
        if pool.dead is not None:
            self.unsent(call, course, permit)
            raise pool.dead
        if not course.intended and not math.isinf(self._total_s):
            course.deadline = self._clock.monotonic() + self._total_s
        return permit

    async def _past(self, breaker: Breaker, course: Course) -> Pass:
        if math.isinf(course.deadline):
            return await breaker.enter()
        async with self._in_time(course):
            return await breaker.enter()

    async def _retrying(self, call: Call, course: Course, breaker: Breaker) -> None:
        """Takes the tokens of a retry. While a breaker is not closed, it does the rationing."""
        cost = cost_of(course.attempts[-1].verdict)
        if not cost or not breaker.closed:
            return
        purse = self._purse(call)
        async with self._in_time(course):
            await purse.take(cost, held=course.retry_tokens)
        course.retry_tokens += cost

    @contextlib.asynccontextmanager
    async def _in_time(self, course: Course) -> AsyncGenerator[None]:
        left_s = course.deadline - self._clock.monotonic()
        try:
            async with asyncio.timeout(None if math.isinf(left_s) else max(0.0, left_s)):
                yield
        except TimeoutError as error:
            raise PermitTimeout(
                "the call's deadline passed while nothing could be sent to its provider",
                hint="allow more time, or send it again later",
            ) from error

    def _breaker(self, call: Call) -> Breaker:
        key = call.target.pool.name, call.request.model
        found = self._breakers.get(key)
        if found is None:
            found = Breaker(clock=self._clock, patience_s=self._retry.patience_s)
            self._breakers[key] = found
        return found

    def _purse(self, call: Call) -> RetryPurse:
        name = call.target.pool.name
        found = self._purses.get(name)
        if found is None:
            found = self._purses[name] = RetryPurse(self._retry.budget)
        return found

    def unsent(self, call: Call, course: Course, permit: Permit) -> None:
        """Gives back a permit whose attempt never left this machine."""
        permit.settle(_UNSENT, sent=False)
        self.ended(call, course, "cancelled", usage=None, sent=False)

    def ended(
        self,
        call: Call,
        course: Course,
        kind: VerdictKind,
        *,
        usage: Usage | None,
        sent: bool = True,
    ) -> None:
        """An attempt has ended, and its permit is settled.

        Args:
            call: The call.
            course: How it has gone.
            kind: What its end means.
            usage: What the attempt used, as :meth:`Spending.settle` takes it.
            sent: Whether it left this machine.
        """
        if course.reserved is not NOTHING_SPENT:
            self._spending.settle(call, course.reserved, usage=usage, sent=sent)
            course.reserved = NOTHING_SPENT
        if course.breaker is not None:
            course.breaker.ended(kind, course.given, first=not course.attempts)

    def left(self, call: Call, course: Course, *, served: bool) -> None:
        """A call has ended, however."""
        if course.retry_tokens or served:
            self._purse(call).ended(course.retry_tokens, served=served)

    def troubled_since(self, call: Call) -> float:
        """Instant since which nothing was served to calls of this model; now, if something was."""
        since = self._breaker(call).troubled_since
        return self._clock.monotonic() if since is None else since
