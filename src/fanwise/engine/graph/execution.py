"""One run of a graph: every step starts in the moment in which its last input is there."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from fanwise.clock import Clock
from fanwise.ending import end_all
from fanwise.engine.graph.admission import Admission, Door, Seat
from fanwise.engine.graph.context import StepContext
from fanwise.engine.graph.plan import Plan
from fanwise.engine.graph.result import GraphResult
from fanwise.engine.graph.states import ENDS_ALL, Course, EventKind, OnEvent, StepEvent
from fanwise.engine.graph.steps import CONTEXT, Step
from fanwise.engine.runner import ONCE, Runner, cancelled_itself
from fanwise.engine.workers import Item
from fanwise.errors import AttemptTimeout, StepSkipped, UsageError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Outcome
from fanwise.retry.policy import Retry

if TYPE_CHECKING:
    from fanwise.engine.context import Context

TOTAL = "total_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a graph is run; :meth:`fanwise.Graph.run` describes them."""

    limits: Limits | None
    retry: Retry | None
    timeout_s: float
    total_s: float
    fail_fast: bool
    on_event: OnEvent | None
    clock: Clock
    chance: random.Random


class Execution:
    """Runs a plan once.

    Args:
        plan: What there is to do.
        inputs: The inputs by name.
        options: How.
        ctx: The item's context in a journalled run.
        name: The graph's name.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: Mapping[str, Any],
        *,
        options: Options,
        ctx: Context | StepContext | None,
        name: str,
    ) -> None:
        self.plan = plan
        self.options = options
        self.ctx = ctx
        self.seats: dict[asyncio.Task[Any], Seat] = {}
        self.admission: Admission | None = None
        if options.limits is not None:
            limiter = Limiter(options.limits, clock=options.clock, name=f"graph {name}")
            self.admission = Admission(limiter)
        self.courses = {step: Course(step, unmet=len(plan.sources[step])) for step in plan.steps}
        self._name = name
        self._inputs = inputs
        self.at_work: dict[asyncio.Task[Any], Course] = {}
        self._tasks: dict[asyncio.Task[None], Course] = {}
        self._doors: dict[str, Door] = {}
        self._left = len(self.courses)
        self._closing = False
        self._began = 0.0
        self._ranks = {
            step: (-plan.steps[step].priority, -plan.height[step], place)
            for place, step in enumerate(plan.steps)
        }

    def now(self) -> float:
        """Seconds since the graph began."""
        return self.options.clock.monotonic() - self._began

    async def run(self) -> GraphResult:
        """Runs every step that can be run. Raises what :meth:`fanwise.Graph.run` raises."""
        self._began = self.options.clock.monotonic()
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        total_s = None if math.isinf(self.options.total_s) else self.options.total_s
        deadline = asyncio.timeout(total_s)
        try:
            async with deadline:
                self._start([name for name, run in self.courses.items() if not run.unmet])
                if self._left:
                    await self._finished
        except TimeoutError:
            if not deadline.expired():
                raise
        finally:
            self._closing = True
            if self._finished.done() and not self._finished.cancelled():
                self._finished.exception()  # seen: a cancellation may have come before it
            await self._end()
        self._close_books()
        return GraphResult(name=self._name, plan=self.plan, courses=self.courses, wall_s=self.now())

    async def _end(self) -> None:
        for door in self._doors.values():
            if door.ticket is not None:
                door.ticket.withdraw()
        try:
            await end_all(self._tasks)
        finally:
            if self.admission is not None:
                await self.admission.close()

    # starting

    def _start(self, names: list[str]) -> None:
        for name in sorted(names, key=self._ranks.__getitem__):
            self._start_one(self.courses[name], self.plan.steps[name])

    def _start_one(self, course: Course, step: Step) -> None:
        course.state = "ready"
        course.ready_s = self.now()
        course.values = self._values(course.name)
        door = Door(
            self.admission,
            self.seats,
            priority=step.priority,
            height=self.plan.height[course.name],
        )
        if self.admission is not None:
            door.queue_up()
            self._doors[course.name] = door
        task = asyncio.get_running_loop().create_task(
            self._run_step(course, step, door), name=f"step {course.name}"
        )
        self._tasks[task] = self.at_work[task] = course

    def _values(self, name: str) -> dict[str, Any]:
        """What the step is given: of a failed source its own default, else None."""
        values: dict[str, Any] = {}
        for link in self.plan.links[name]:
            if link.parameter is None:
                continue
            source = self.courses.get(link.source)
            if source is None:
                values[link.parameter] = self._inputs[link.source]
            elif source.state == "ok":
                assert source.outcome is not None
                values[link.parameter] = source.outcome.value
            elif not link.has_default:
                values[link.parameter] = None
        return values

    async def _run_step(self, course: Course, step: Step, door: Door) -> None:
        options = self.options
        runner = Runner(
            lambda values: self._attempt(course, step, values),
            limiter=cast("Limiter", door),
            retry=step.retry or options.retry or ONCE,
            timeout_s=options.timeout_s if step.timeout_s is None else step.timeout_s,
            clock=options.clock,
            chance=options.chance,
        )
        runner.begin()
        task = asyncio.current_task()
        assert task is not None
        try:
            outcome = await runner.handle(
                Item(course.name, self._ranks[course.name][2], course.values)
            )
        except asyncio.CancelledError as error:
            if self._closing:
                self.conclude(course, "cancelled", error)
                raise
            # Whoever cancelled the step from within did not mean the graph.
            failure = cancelled_itself()
            failure.__cause__ = error
            outcome = Outcome(item_id=course.name, ok=False, error=failure, item=course.values)
        except BaseException as error:
            self.conclude(course, "cancelled", error)
            self.abort(error)
            raise
        finally:
            self.seats.pop(task, None)
            del self._tasks[task], self.at_work[task]
        self._step_ended(course, step, outcome)

    async def _attempt(self, course: Course, step: Step, values: dict[str, Any]) -> Any:
        if step.takes_context:
            values = {**values, CONTEXT: self.context_of(course)}
        self.attempt_begins(course)
        try:
            work = step.function(**values)
            if not isawaitable(work):
                raise self.misuse(course.name, work)
            return await work
        except ENDS_ALL as error:
            self.abort(error)
            raise
        finally:
            course.pause(self.now())

    def context_of(self, course: Course) -> StepContext:
        """The context of a step or a sub-step."""
        return StepContext(self, course, ctx=self.ctx)

    # ending

    def attempt_begins(self, course: Course) -> None:
        """Notes the beginning of an attempt of a step or a sub-step."""
        now = self.now()
        course.go(now)
        course.attempts += 1
        if self.admission is not None:
            task = asyncio.current_task()
            assert task is not None
            course.seat = self.seats[task]
        if course.started_s is None:
            course.started_s = now
            course.state = "running"
            self.tell("started", course)
        else:
            self.tell("retried", course)

    def conclude(
        self, course: Course, state: EventKind, error: BaseException | None = None
    ) -> None:
        """Notes the end of a step or a sub-step."""
        course.ended_s = self.now()
        course.state = cast("Any", state)
        self.tell(state, course, error)

    def tell(self, kind: EventKind, course: Course, error: BaseException | None = None) -> None:
        """Tells whoever listens; where that fails, the graph ends with its error."""
        listener = self.options.on_event
        if listener is None:
            return
        event = StepEvent(
            kind=kind, step=course.name, at_s=self.now(), error=error, part_of=course.part_of
        )
        try:
            listener(event)
        except (asyncio.CancelledError, StopIteration) as failure:  # which no future can hold
            shown = RuntimeError(f"on_event raised {type(failure).__name__}")
            shown.__cause__ = failure
            self.abort(shown)
        except BaseException as failure:  # noqa: BLE001 - it is raised by run
            self.abort(failure)

    def abort(self, error: BaseException) -> None:
        """Ends the graph with an error that belongs to no step alone."""
        if not self._finished.done():
            self._finished.set_exception(error)

    def misuse(self, name: str, work: object) -> UsageError:
        """Ends the graph since a function of it is not asynchronous; returns the error."""
        error = UsageError(
            f"{name!r} returned {type(work).__name__} instead of something to await",
            hint="write it as async def",
        )
        self.abort(error)
        return error

    def _step_ended(self, course: Course, step: Step, outcome: Outcome) -> None:
        course.outcome = outcome
        error = outcome.error
        if error is None:
            self.conclude(course, "ok")
        else:
            error.add_note(f"in step {course.name!r} of {self._name}")
            self.conclude(course, "failed", error)
            if self.options.fail_fast and not step.optional:
                self.abort(error)
        self._left -= 1
        if self._closing or self._finished.done():
            return
        self._start(self._unblocked(course))
        if not self._left:
            self._finished.set_result(None)

    def _unblocked(self, ended: Course) -> list[str]:
        """The steps that may start now; those that never can are skipped on the way."""
        ready: list[str] = []
        stack = [ended]
        while stack:
            source = stack.pop()
            for name in self.plan.dependants[source.name]:
                course = self.courses[name]
                if course.state != "waiting":
                    continue
                course.unmet -= 1
                if source.state != "ok" and self._cannot_do_without(name, source.name):
                    self._skip(course, source)
                    stack.append(course)
                elif not course.unmet:
                    ready.append(name)
        return ready

    def _cannot_do_without(self, name: str, source: str) -> bool:
        if self.plan.steps[source].optional:
            return False
        return any(link.source == source and not link.has_default for link in self.plan.links[name])

    def _skip(self, course: Course, source: Course) -> None:
        course.cause = source.cause or source.name
        root = self.courses[course.cause].outcome
        reason = root.error if root is not None else None
        through = f", which {source.name!r} needs" if source.name != course.cause else ""
        error = StepSkipped(
            f"step {course.name!r} was not started: {course.cause!r}{through} failed "
            f"({type(reason).__name__}: {reason})",
            step=course.name,
            cause=course.cause,
        )
        error.__cause__ = reason
        self._not_started(course, error)

    def _not_started(self, course: Course, error: StepSkipped) -> None:
        course.outcome = Outcome(item_id=course.name, ok=False, error=error)
        course.ready_s = self.now()
        self.conclude(course, "skipped", error)
        self._left -= 1

    def _close_books(self) -> None:
        """Says of what ``total_s`` has cut off how it ended."""
        total_s = self.options.total_s
        for course in self.courses.values():
            if course.outcome is not None:
                continue
            hint = "raise total_s"
            if course.started_s is not None:
                late = AttemptTimeout(f"the graph's {total_s:g} s were up", hint=hint)
                course.outcome = Outcome(
                    item_id=course.name, ok=False, error=late, attempts=course.attempts
                )
                course.state = "failed"
            else:
                course.cause = TOTAL
                message = f"step {course.name!r} was not started: the graph's {total_s:g} s were up"
                self._not_started(
                    course, StepSkipped(message, hint=hint, step=course.name, cause=TOTAL)
                )
