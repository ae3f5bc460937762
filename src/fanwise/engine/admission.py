"""What stands before every send, in its order; and what is given back where nothing is sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from fanwise.limits.budget import NOTHING_SPENT
from fanwise.records import Usage, Verdict

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.course import Course
    from fanwise.engine.spending import Spending
    from fanwise.engine.work import Call
    from fanwise.errors import FanwiseError
    from fanwise.limits.limiter import Permit

_UNSENT: Final = Verdict(kind="cancelled", reason="it was not sent")


class Admission:
    """Lets attempts through: within the budget first, then within the limits.

    Args:
        spending: The run's budget.
        total_s: Deadline of a call in seconds from its first send, retries and waits included.
        clock: Time.
    """

    def __init__(self, *, spending: Spending, total_s: float, clock: Clock) -> None:
        self._spending = spending
        self._total_s = total_s
        self._clock = clock

    @property
    def waiting(self) -> int:
        """Calls that wait for anything but a permit."""
        return self._spending.waiting

    def refuse_all(self, error: FanwiseError) -> None:
        """Gives this error to everybody who waits for anything but a permit, now or later."""
        self._spending.refuse_all(error)

    async def permit(self, call: Call, course: Course) -> Permit:
        """The right to send one attempt. Whoever is cancelled while waiting holds nothing.

        Raises:
            PermitTimeout: The call's deadline passed first.
            CallError: No call of its pool can succeed.
            Drained: The run takes no further call, or its budget is reached.
        """
        course.reserved = await self._spending.reserve(call, first=not course.intended)
        pool = call.target.pool
        deadline = None if math.isinf(course.deadline) else course.deadline
        try:
            priority = call.priority or call.work.priority
            cost = call.target.cost(call.request)
            permit = await pool.limiter.acquire(cost, deadline=deadline, priority=priority)
        except BaseException:
            self.ended(call, course, usage=None, sent=False)
            raise
        course.waited_s += permit.queued_s
        if pool.dead is not None:
            self.unsent(call, course, permit)
            raise pool.dead
        if not course.intended and not math.isinf(self._total_s):
            course.deadline = self._clock.monotonic() + self._total_s
        return permit

    def unsent(self, call: Call, course: Course, permit: Permit) -> None:
        """Gives back a permit whose attempt never left this machine."""
        permit.settle(_UNSENT, sent=False)
        self.ended(call, course, usage=None, sent=False)

    def ended(self, call: Call, course: Course, *, usage: Usage | None, sent: bool = True) -> None:
        """An attempt has ended, and its permit is settled.

        Args:
            call: The call.
            course: How it has gone.
            usage: What the attempt used, as :meth:`Spending.settle` takes it.
            sent: Whether it left this machine.
        """
        self._spending.settle(call, course.reserved, usage=usage, sent=sent)
        course.reserved = NOTHING_SPENT
