"""Sends side by side: the second of a call that stalls, of which the first answer counts.

Both belong to one journalled call and carry one idempotency key; each has a permit of its own, and
its own place in breaker and budget. The rules are those of :mod:`fanwise.retry.hedge`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from fanwise.ending import end_all
from fanwise.engine.course import Course
from fanwise.errors import FanwiseError
from fanwise.progress.sketch import Sketch
from fanwise.records import HEDGE, Attempt, Delta, Failure, Response
from fanwise.retry.hedge import Hedge, allows, wait_s

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.admission import Admission
    from fanwise.engine.spending import Spending
    from fanwise.engine.work import Call
    from fanwise.limits.limiter import Permit

Reply: TypeAlias = "Response | Failure"
_INACCURACY: Final = 1.02  # a sketch tells its values to within 1 %
_AGAIN_S: Final = 0.1  # what forbids a hedge now may not later
_STALLED: Final = "it stalled, and its hedge was answered first"
_LOST: Final = f"{HEDGE}: another send of this call was answered first"


class Sender(Protocol):
    """Who makes single attempts."""

    async def send(self, call: Call, course: Course, permit: Permit) -> Reply:
        """One attempt: sent, classified, its permit settled, noted in its course."""
        ...

    async def give_up(self, call: Call, course: Course, reply: Response | None) -> None:
        """The caller has left: what came is kept, what may have been paid for is listed."""
        ...


class Hedging:
    """Sends calls, and a second time what stalls.

    Args:
        hedge: When, and how often at most.
        admission: What stands before every send, hedges too.
        spending: The run's budget: no hedge uses it up.
        clock: Time.
    """

    def __init__(
        self, hedge: Hedge, *, admission: Admission, spending: Spending, clock: Clock
    ) -> None:
        self._hedge = hedge
        self._admission = admission
        self._spending = spending
        self._clock = clock
        self._sends = 0
        self._hedges = 0
        self._spent_usd = Decimal(0)
        self._seen: dict[tuple[str, bool], Sketch] = {}

    def __repr__(self) -> str:
        return f"<Hedging: {self._hedges} of {self._sends} sends hedged>"

    async def send(self, call: Call, course: Course, permit: Permit, *, sender: Sender) -> Reply:
        """Sends a call, and once more if it stalls; the first answer, else the last failure.

        When this returns or raises, every send has ended and is noted in the course. A caller that
        is cancelled cancels both; the call is then settled as a single send's would be.
        """
        self._sends += 1
        began = self._clock.monotonic()
        race = _Race(call, course)
        reply: Reply | None = None
        claimed_usd: Decimal | None = None
        try:
            race.add(course, sender.send(race.heard(course), course, permit))
            after_s = self._after_s(call)
            await race.until_stalled(after_s)
            while race.stalled and not self._may(call):
                await race.until_stalled(max(after_s or 0.0, _AGAIN_S))
            shown_s = self._clock.monotonic() - began
            if race.stalled:
                claimed_usd = self._claim(call)
                side = race.side()
                race.add(side, self._second(race, side, sender=sender))
            reply = await race.first()
            await race.end()
        except asyncio.CancelledError:
            await race.end()
            reply = reply or race.answer
            race.note(reply)
            await sender.give_up(call, course, reply if isinstance(reply, Response) else None)
            raise
        except BaseException:
            await race.end()
            race.note(None)
            raise
        finally:
            if claimed_usd is not None and not race.sent:
                self._hedges -= 1
                self._spent_usd -= claimed_usd
        race.note(reply)
        self._learn(call, shown_s)
        return reply

    def _after_s(self, call: Call) -> float | None:
        hedge = self._hedge
        sketch = self._seen.get(_kind(call))
        if hedge.quantile is None or sketch is None:
            return wait_s(hedge, seen=0, quantile_s=None)
        quantile_s = (sketch.quantile(hedge.quantile) or 0.0) * _INACCURACY
        return wait_s(hedge, seen=sketch.count, quantile_s=quantile_s)

    def _learn(self, call: Call, shown_s: float) -> None:
        """Takes in when a first sign came; of a hedged call, that it took at least so long."""
        if self._hedge.quantile is not None:
            self._seen.setdefault(_kind(call), Sketch()).add(shown_s)

    def _may(self, call: Call) -> bool:
        return (
            call.target.pool.dead is None
            and self._admission.calm(call)
            and self._spending.has_room(call)
            and allows(
                self._hedge,
                sends=self._sends,
                hedges=self._hedges,
                spent_usd=self._spent_usd,
                next_usd=self._spending.likely_usd(call),
            )
        )

    def _claim(self, call: Call) -> Decimal:
        """Counts a hedge before it asks for its permit: those of one moment know of each other."""
        cost_usd = self._spending.likely_usd(call) or Decimal(0)
        self._hedges += 1
        self._spent_usd += cost_usd
        return cost_usd

    async def _second(self, race: _Race, side: Course, *, sender: Sender) -> Reply | None:
        """The hedge; ``None`` where it finds no permit in time."""
        call = race.heard(side)
        try:
            permit = await self._admission.permit(call, side)
        except FanwiseError:
            return None
        if not race.stalled:  # it was its permit that was waited for
            self._admission.unsent(call, side, permit)
            return None
        race.sent = True
        return await sender.send(call, side, permit)


class _Race:
    """The sends of one call. Who shows the first token goes on alone, else who answers first."""

    def __init__(self, call: Call, course: Course) -> None:
        self._call = call
        self._course = course
        self._before = len(course.attempts)
        self._courses: list[Course] = []
        self._tasks: list[asyncio.Task[Reply | None]] = []
        self._spoke: asyncio.Future[Course] = asyncio.get_running_loop().create_future()
        self.sent = False  # the second send has left
        course.raced = True

    def side(self) -> Course:
        """The course of a second send; what it comes to is added to the first one's."""
        course = self._course
        return Course(
            started_at=course.started_at, deadline=course.deadline, intended=True, raced=True
        )

    def heard(self, course: Course) -> Call:
        """The call as one of its sends makes it: only the one that goes on is listened to."""
        call, on_delta = self._call, self._call.on_delta
        if on_delta is None:
            return call
        number = self._before + (1 if course is self._course else 2)

        def hear(delta: Delta) -> None:
            if delta.kind == "token" and not self._spoke.done():
                self._spoke.set_result(course)
            if delta.kind == "restart" or (self._spoke.done() and self._spoke.result() is course):
                on_delta(replace(delta, attempt=number))

        return replace(call, on_delta=hear)

    def add(self, course: Course, send: Coroutine[Any, Any, Reply | None]) -> None:
        """One more send, from now on."""
        self._courses.append(course)
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(send, name="fanwise-hedged-send"))

    @property
    def stalled(self) -> bool:
        """Whether nothing has come of the first send yet."""
        return not self._tasks[0].done() and not self._spoke.done()

    @property
    def answer(self) -> Response | None:
        """An answer that has come, where one has."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is None:
                reply = task.result()
                if isinstance(reply, Response):
                    return reply
        return None

    async def until_stalled(self, after_s: float | None) -> None:
        """Waits for the first sign of an answer for so long; ``None``: for as long as it takes."""
        signs = (self._tasks[0], self._spoke)
        await asyncio.wait(signs, timeout=after_s, return_when=asyncio.FIRST_COMPLETED)

    async def first(self) -> Reply:
        """The first answer; where there is none, the failure after which to wait the longest."""
        failures: list[tuple[float, Failure]] = []
        running = set(self._tasks)
        while running:
            signs = running if self._spoke.done() else {*running, self._spoke}
            await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
            if self._spoke.done():
                going_on = self._tasks[self._courses.index(self._spoke.result())]
                await end_all(task for task in running if task is not going_on)
                running &= {going_on}
            for task, course in zip(self._tasks, self._courses, strict=True):
                if task not in running or not task.done():
                    continue
                running.discard(task)
                reply = task.result()
                if isinstance(reply, Response):
                    return reply
                if reply is not None:
                    failures.append((_free_at(course.attempts[-1]), reply))
            if not self.sent:
                # Its place is taken by the retry, which waits as long as it has to.
                await end_all(running)
                break
        return max(failures, key=itemgetter(0))[1]

    async def end(self) -> None:
        """Ends what is still under way, and returns when it has ended."""
        await end_all(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # seen here: who waits for the call learns of one

    def note(self, reply: Reply | None) -> None:
        """Brings the sends together in the call's own course."""
        course = self._course
        course.raced = False
        sends = course.attempts[self._before :]
        for side in self._courses[1:]:
            course.usage = course.usage + side.usage
            course.tokens_shown |= side.tokens_shown
            for attempt in side.attempts:
                said = f"{HEDGE}: {attempt.reason}" if attempt.reason else HEDGE
                sends.append(replace(attempt, reason=said))
        if len(sends) > 1:
            served = isinstance(reply, Response)
            if served:
                course.unknown_sends += sum(send.verdict == "cancelled" for send in sends)
                sends = [_named(send) for send in sends]
            sends.sort(key=_started_at if served else _free_at)
            course.attempts[self._before :] = [
                replace(send, number=number) for number, send in enumerate(sends, self._before + 1)
            ]


def _started_at(send: Attempt) -> float:
    return send.started_at


def _free_at(send: Attempt) -> float:
    """The instant before which a failed send forbids another one."""
    return send.ended_at + (send.retry_after_s or 0.0)


def _named(send: Attempt) -> Attempt:
    """A send of a call that was answered: if it was cancelled, why."""
    if send.verdict != "cancelled":
        return send
    return replace(send, reason=_LOST if send.reason.startswith(HEDGE) else _STALLED)


def _kind(call: Call) -> tuple[str, bool]:
    return call.request.model, call.on_delta is not None
