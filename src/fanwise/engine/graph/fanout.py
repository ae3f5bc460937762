"""Sub-steps: what a step splits itself into while it runs."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from fanwise.ending import end_all
from fanwise.engine.graph.admission import Door
from fanwise.engine.graph.states import ENDS_ALL, Course
from fanwise.engine.graph.steps import CONTEXT
from fanwise.engine.runner import ONCE, Runner, cancelled_itself, check_seconds
from fanwise.engine.workers import Item
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.context import Context
    from fanwise.engine.graph.context import StepContext
    from fanwise.engine.graph.execution import Execution
    from fanwise.limits.limiter import Limiter
    from fanwise.retry.policy import Retry

_MOST_AT_ONCE = 1000


class FanOut:
    """One splitting of one step.

    Args:
        execution: The graph under way.
        course: The step, or the sub-step, that is split.
        ctx: The item's context in a journalled run.
        name: What the parts are called.
        labels: The names of the parts, where each has its own.
        timeout_s: Deadline of one attempt at one part in seconds.
        retry: How failures are met.
        settle: Whether failures are data.
    """

    def __init__(
        self,
        execution: Execution,
        course: Course,
        *,
        ctx: Context | StepContext | None,
        name: str = "",
        labels: Sequence[str] = (),
        timeout_s: float,
        retry: Retry | None,
        settle: bool,
    ) -> None:
        check_seconds("timeout_s", timeout_s)
        self._execution = execution
        self._course = course
        self._ctx = ctx
        self._name = name
        self._labels = labels
        self._settle = settle
        options = execution.options
        step = execution.plan.steps[course.part_of or course.name]
        self._runner = Runner(
            self._attempt,
            limiter=cast(
                "Limiter", Door(execution.admission, execution.seats, priority=step.priority)
            ),
            retry=retry or options.retry or ONCE,
            timeout_s=timeout_s,
            clock=options.clock,
            chance=options.chance,
        )
        self._function: Callable[..., Awaitable[Any]] = _nothing
        self._gives_context = False
        self._outcomes: list[Outcome | None] = []
        self._begun: list[Course] = []
        self._running = 0
        self._first_failure: asyncio.Future[None] | None = None

    async def over(
        self, function: Callable[..., Awaitable[Any]], items: Iterable[Any]
    ) -> list[Any]:
        """Runs the function over the items; :meth:`StepContext.map` says how."""
        self._function = function
        self._gives_context = _takes_context(function)
        self._runner.begin()
        waiting = self._who_waits()
        seat = waiting.seat
        if seat is not None:
            seat.lend()
        self._pause(waiting)
        try:
            await self._all(iter(items))
        except asyncio.CancelledError:
            if seat is not None:
                seat.drop()
            raise
        except BaseException:
            if seat is not None:
                await seat.take_back()
            raise
        else:
            if seat is not None:
                await seat.take_back()
        finally:
            self._resume(waiting)
        outcomes = cast("list[Outcome]", self._outcomes)
        return outcomes if self._settle else [outcome.value for outcome in outcomes]

    def _who_waits(self) -> Course:
        """Who waits for the parts: whoever runs in this task, else the step that began it."""
        task = asyncio.current_task()
        assert task is not None
        return self._execution.at_work.get(task, self._course)

    def _pause(self, course: Course) -> None:
        course.lent += 1
        if course.lent == 1:
            course.pause(self._execution.now())

    def _resume(self, course: Course) -> None:
        course.lent -= 1
        if not course.lent:
            course.go(self._execution.now())

    async def _all(self, source: Iterator[Any]) -> None:
        """Workers over one source: at most as many as may run at once, and no more than needed."""
        loop = asyncio.get_running_loop()
        self._first_failure = loop.create_future()
        admission = self._execution.admission
        most = int(min(_MOST_AT_ONCE, math.inf if admission is None else admission.most))
        tasks: list[asyncio.Task[None]] = []
        try:
            for item in source:
                first = self._next(item)
                tasks.append(loop.create_task(self._work(first, source)))
                if len(tasks) == most:
                    break
            for task in tasks:
                task.add_done_callback(self._worker_ended)
            self._running = len(tasks)
            if tasks:
                await self._first_failure
        finally:
            if self._first_failure.done() and not self._first_failure.cancelled():
                self._first_failure.exception()
            try:
                await end_all(tasks)
            finally:
                for part in self._begun:
                    if not part.ended:  # its task was cancelled before it began
                        self._execution.conclude(part, "cancelled")

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        assert self._first_failure is not None
        self._running -= 1
        # Nobody but us may end a worker: what cancelled it from within has failed.
        error = cancelled_itself() if task.cancelled() else task.exception()
        if self._first_failure.done():
            return
        if error is not None:
            self._first_failure.set_exception(error)
        elif not self._running:
            self._first_failure.set_result(None)

    def _next(self, value: Any) -> Item:
        place = len(self._outcomes)
        self._outcomes.append(None)
        course = self._course
        number = len(course.parts) + 1
        if self._labels:
            label = self._labels[place]
        else:
            label = f"{self._name}-{place + 1}" if self._name else str(number)
        part = Course(
            f"{course.name}/{label}",
            part_of=course.part_of or course.name,
            state="ready",
            ready_s=self._execution.now(),
        )
        course.parts.append(part)
        self._begun.append(part)
        return Item(part.name, place, (part, value))

    async def _work(self, item: Item, source: Iterator[Any]) -> None:
        while True:
            await self._one(item)
            for value in source:
                item = self._next(value)
                break
            else:
                return

    async def _one(self, item: Item) -> None:
        part, value = cast("tuple[Course, Any]", item.value)
        execution = self._execution
        task = asyncio.current_task()
        assert task is not None
        execution.at_work[task] = part
        try:
            outcome = await self._runner.handle(item)
        except BaseException as error:
            execution.conclude(part, "cancelled", error)
            raise
        finally:
            execution.seats.pop(task, None)
            del execution.at_work[task]
        part.outcome = self._outcomes[item.position] = replace(outcome, item=value)
        error = outcome.error
        execution.conclude(part, "ok" if error is None else "failed", error)
        if error is not None and not self._settle:
            error.add_note(f"in sub-step {part.name!r}")
            raise error

    async def _attempt(self, given: tuple[Course, Any]) -> Any:
        part, value = given
        execution = self._execution
        execution.attempt_begins(part)
        try:
            if self._gives_context:
                work = self._function(value, **{CONTEXT: execution.context_of(part)})
            else:
                work = self._function(value)
            if not inspect.isawaitable(work):
                raise execution.misuse(part.name, work)
            return await work
        except ENDS_ALL as error:
            execution.abort(error)
            raise
        finally:
            part.pause(execution.now())


def _takes_context(function: Callable[..., Any]) -> bool:
    try:
        return CONTEXT in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


async def _nothing() -> None:
    """Stands in until there is a function."""
