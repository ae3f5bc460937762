"""``fw.Graph``: steps by name, checked before anything starts, run as data flows."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from fanwise.clock import LoopClock
from fanwise.engine.checks import check_policies
from fanwise.engine.graph.drawing import draw
from fanwise.engine.graph.execution import Execution, Options
from fanwise.engine.graph.plan import Plan, make_plan
from fanwise.engine.graph.steps import Needs, Step, StepFunction, make_step
from fanwise.engine.graph.text import render_text
from fanwise.engine.runner import check_seconds
from fanwise.errors import PlanError, UsageError

if TYPE_CHECKING:
    from fanwise.engine.context import Context
    from fanwise.engine.graph.context import StepContext
    from fanwise.engine.graph.result import GraphResult
    from fanwise.engine.graph.states import OnEvent
    from fanwise.limits.settings import Limits
    from fanwise.retry.policy import Retry

F = TypeVar("F", bound=StepFunction)


class Graph:
    """Steps that depend on each other.

    A step is an asynchronous function, and the names of its parameters say what it needs: results
    of other steps, or inputs. Each step starts the moment the last of these is there.

        g = fw.Graph()

        @g.step
        async def job(job_url): ...

        @g.step(timeout_s=60)
        async def letter(job, resume): ...

        result = await g.run({"job_url": url, "resume": text})
        print(result["letter"])

    A parameter with a default is optional: it is given a value where a step or an input has its
    name and succeeds. ``ctx`` is reserved: it is given a :class:`~fanwise.types.StepContext`.
    A graph holds no state of a run, and may be run any number of times, also at once.

    Args:
        name: What it is called in messages and drawings.
    """

    def __init__(self, name: str = "graph") -> None:
        self._name = name
        self._steps: dict[str, Step] = {}

    def __repr__(self) -> str:
        return f"<Graph {self._name}: {len(self._steps)} steps>"

    @property
    def name(self) -> str:
        """The graph's name."""
        return self._name

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of its steps, in the order in which they were added."""
        return tuple(self._steps)

    @overload
    def step(self, function: F, /) -> F: ...

    @overload
    def step(
        self,
        *,
        name: str | None = ...,
        needs: Needs = ...,
        timeout_s: float | None = ...,
        retry: Retry | None = ...,
        optional: bool = ...,
        priority: float = ...,
    ) -> Callable[[F], F]: ...

    def step(self, function: F | None = None, **options: Any) -> F | Callable[[F], F]:
        """Adds a step: ``@g.step``, or ``@g.step(timeout_s=60)`` with the options of :meth:`add`.

        Returns:
            The function as it was, so that it can still be called and tested by itself.
        """

        def decorate(function: F) -> F:
            self.add(function, **options)
            return function

        return decorate if function is None else decorate(function)

    def add(
        self,
        function: StepFunction,
        *,
        name: str | None = None,
        needs: Needs = (),
        timeout_s: float | None = None,
        retry: Retry | None = None,
        optional: bool = False,
        priority: float = 0,
    ) -> None:
        """Adds a step.

        Args:
            function: An asynchronous function; its parameters name what it needs.
            name: The step's name; by default the function's.
            needs: ``{parameter: step or input}`` where they are named differently; or names of
                steps that it comes after without being given their results.
            timeout_s: Deadline of one attempt in seconds, sub-steps included; the function is
                cancelled then. By default that of the run.
            retry: How failures are met; by default as the run says.
            optional: Whether the graph does without it: where it fails or is skipped, steps that
                need it are given ``None``.
            priority: Higher is started first where limits let only some of the ready steps start.
                Among equals the one with the longest chain of steps behind it goes first.

        Raises:
            PlanError: There is a step of that name.
            ConfigError: An option is impossible, or the function cannot be given values by name.
        """
        step = make_step(
            function,
            name=name,
            needs=needs,
            timeout_s=timeout_s,
            retry=retry,
            optional=optional,
            priority=priority,
        )
        if step.name in self._steps:
            raise PlanError(
                f"there are two steps named {step.name!r}", hint="give one of them name='…'"
            )
        self._steps[step.name] = step

    def check(self, inputs: Collection[str] | Mapping[str, Any] = ()) -> None:
        """Says whether it can be run with these inputs, or their names. Starts nothing.

        Raises:
            PlanError: A name that is neither step nor input, one that is both, an input that no
                step uses, or steps that wait for each other in a circle.
        """
        make_plan(self._steps, inputs)

    async def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        limits: Limits | None = None,
        retry: Retry | None = None,
        timeout_s: float = math.inf,
        total_s: float = math.inf,
        fail_fast: bool = False,
        on_event: OnEvent | None = None,
        ctx: Context | StepContext | None = None,
        chance: random.Random | None = None,
    ) -> GraphResult:
        """Runs every step as soon as what it needs is there.

        A step that fails takes only those with it that cannot do without its result: these are
        skipped, and everything else goes on.

        Args:
            inputs: Values from outside, by name.
            limits: How many steps and sub-steps may run at once, and how many may start a minute;
                by default any number.
            retry: How failures of steps are met that say nothing themselves; by default no step is
                tried again.
            timeout_s: Deadline in seconds of one attempt at a step that names none itself.
            total_s: Deadline in seconds of the whole. What runs by then is cancelled and has
                failed; what has not begun is skipped.
            fail_fast: Whether the first failure of a step that is not optional ends everything and
                is raised.
            on_event: Is given a :class:`~fanwise.types.StepEvent` at each step's beginning and end.
                It must not block; what it raises ends the graph.
            ctx: An item's context: steps then call through it, and the graph is part of that item.
            chance: Source of jitter, for tests.

        Returns:
            A :class:`~fanwise.types.GraphResult`, also where steps have failed.

        Raises:
            PlanError: As :meth:`check`; nothing was started.
            UsageError: A function is not asynchronous, or ``inputs`` is no mapping.
            ConfigError: An option is impossible; nothing was started.
            Exception: The first failure, with ``fail_fast``; what ``on_event`` raised; and in a
                journalled run what ends the run itself, such as ``JournalUnavailable``. By then
                everything has ended. What was called through ``ctx`` is in the journal.

        Cancelling it cancels all of its steps and returns when they have ended.
        """
        check_seconds("timeout_s", timeout_s)
        check_seconds("total_s", total_s)
        check_policies(limits, retry)
        given = _inputs_of(inputs)
        options = Options(
            limits=limits,
            retry=retry,
            timeout_s=timeout_s,
            total_s=total_s,
            fail_fast=fail_fast,
            on_event=on_event,
            clock=LoopClock(),
            chance=chance or random.Random(),
        )
        plan = self._plan(given)
        return await Execution(plan, given, options=options, ctx=ctx, name=self._name).run()

    def text(self) -> str:
        """The graph as lines of text: each step below the last of those that it waits for.

        Raises:
            PlanError: Steps wait for each other in a circle. So for :meth:`svg` and :meth:`html`.
        """
        return render_text(draw(self._name, self._plan(None)))

    def svg(self) -> str:
        """The graph as an SVG picture that asks nothing of any server."""
        from fanwise.engine.graph.svg import render_svg

        return render_svg(draw(self._name, self._plan(None)))

    def html(self) -> str:
        """The graph as a standalone HTML page."""
        from fanwise.engine.graph.page import render_page

        return render_page(draw(self._name, self._plan(None)))

    def _plan(self, inputs: Collection[str] | None) -> Plan:
        return make_plan(self._steps, inputs)


def _inputs_of(given: object) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise UsageError(
            f"the inputs are a {type(given).__name__}", hint="give values by name: {'text': text}"
        )
    return dict(cast("Mapping[str, Any]", given or {}))
