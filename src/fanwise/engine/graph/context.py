"""What a step is given as ``ctx``: its sub-steps, and in a run the calls of its item."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fanwise.engine.graph.fanout import FanOut
from fanwise.engine.together.operations import operations_of
from fanwise.errors import StateError

if TYPE_CHECKING:
    from fanwise.engine.context import Context
    from fanwise.engine.graph.execution import Execution
    from fanwise.engine.graph.states import Course
    from fanwise.retry.policy import Retry

K = TypeVar("K")


class StepContext:
    """A step under way, given to its parameter ``ctx``.

    :meth:`map` and :meth:`parallel` split the step into sub-steps, which stand under the graph's
    limits and end with the step. While it waits for them, the step itself takes no place of these.

    In a journalled run (``run.graph``, or ``graph.run(…, ctx=ctx)``) it also has what
    :class:`fanwise.Context` has: ``call``, ``respond`` and ``once``.
    """

    __slots__ = ("_course", "_ctx", "_execution")

    def __init__(
        self, execution: Execution, course: Course, *, ctx: Context | StepContext | None
    ) -> None:
        self._execution = execution
        self._course = course
        self._ctx = ctx

    def __repr__(self) -> str:
        run = f" of item {self._ctx.item_id!r}" if self._ctx is not None else ""
        return f"<StepContext of {self._course.name!r}{run}>"

    @property
    def step(self) -> str:
        """The step's name; of a sub-step ``step/1``."""
        return self._course.name

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._course.attempts

    # sub-steps

    async def map(
        self,
        function: Callable[..., Awaitable[Any]],
        items: Iterable[Any],
        *,
        name: str = "",
        timeout_s: float = math.inf,
        retry: Retry | None = None,
        settle: bool = False,
    ) -> list[Any]:
        """One sub-step for each item, as many at once as the graph's limits allow.

        Args:
            function: ``async (item) -> value``. Where it has a parameter ``ctx``, it is given a
                context of its own there.
            items: What to go through; read as far as sub-steps can start, at most 1000 ahead.
            name: What the sub-steps are called: ``step/name-1`` instead of ``step/1``.
            timeout_s: Deadline of one attempt at one item in seconds.
            retry: How failures are met; by default as the graph's steps meet them.
            settle: Whether every item ends and the outcomes are returned; otherwise the first
                failure cancels the others and is raised.

        Returns:
            The values in the order of the items, or each one's :class:`fanwise.Outcome`.

        Raises:
            ConfigError: ``timeout_s`` is not above 0.
            Exception: What the first item that failed has raised, unless ``settle``.
        """
        fan = FanOut(
            self._execution,
            self._course,
            ctx=self._ctx,
            name=name,
            timeout_s=timeout_s,
            retry=retry,
            settle=settle,
        )
        return await fan.over(function, items)

    @overload
    async def parallel(
        self,
        operations: Mapping[K, Callable[[], Awaitable[Any]]],
        *,
        timeout_s: float = ...,
        retry: Retry | None = ...,
        settle: bool = ...,
    ) -> dict[K, Any]: ...

    @overload
    async def parallel(
        self,
        operations: Sequence[Callable[[], Awaitable[Any]]],
        *,
        timeout_s: float = ...,
        retry: Retry | None = ...,
        settle: bool = ...,
    ) -> list[Any]: ...

    async def parallel(
        self,
        operations: Mapping[K, Callable[[], Awaitable[Any]]]
        | Sequence[Callable[[], Awaitable[Any]]],
        *,
        timeout_s: float = math.inf,
        retry: Retry | None = None,
        settle: bool = False,
    ) -> dict[K, Any] | list[Any]:
        """Several different sub-steps at once: functions without arguments, not started work.

        Args:
            operations: The functions, by name or in a row. The sub-steps are called ``step/name``,
                or ``step/0``, ``step/1`` … as their places are numbered.
            timeout_s: As for :meth:`map`.
            retry: As for :meth:`map`.
            settle: As for :meth:`map`.

        Returns:
            What went in, with values (or outcomes) in place of the functions.

        Raises:
            UsageError: Something that is no function; nothing was started.
            Exception: As for :meth:`map`.
        """
        found = operations_of(operations)
        fan = FanOut(
            self._execution,
            self._course,
            ctx=self._ctx,
            labels=[operation.name for operation in found],
            timeout_s=timeout_s,
            retry=retry,
            settle=settle,
        )
        values = await fan.over(_call, [operation.function for operation in found])
        if isinstance(operations, Mapping):
            return dict(zip(operations, values, strict=True))
        return values

    # in a journalled run

    @property
    def item_id(self) -> str:
        """The item's id; StateError outside of a run, as for all that follows."""
        return self._item().item_id

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._item().run_id

    @property
    def call(self) -> Callable[..., Awaitable[Any]]:
        """As :meth:`fanwise.Context.call`."""
        return self._item().call

    @property
    def respond(self) -> Callable[..., Awaitable[Any]]:
        """As :meth:`fanwise.Context.respond`."""
        return self._item().respond

    async def once(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """As :meth:`fanwise.Context.once`; the name need only be unique within the step."""
        step = self._course.part_of or self._course.name
        return await self._item().once(f"{step}/{name}", function)

    def _item(self) -> Context | StepContext:
        if self._ctx is None:
            raise StateError(
                f"step {self._course.name!r} is not part of a journalled run",
                hint="run the graph by run.graph(…), or by graph.run(…, ctx=ctx) within an item",
            )
        return self._ctx


async def _call(function: Callable[[], Awaitable[Any]]) -> Any:
    return await function()
