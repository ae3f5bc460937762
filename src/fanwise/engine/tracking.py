"""``fw.track``: a stopwatch around any code, that sees what ran together."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from fanwise.engine.checks import check_whole
from fanwise.errors import StateError, UsageError
from fanwise.progress.tracked import Span, SpanState, TrackReport, build_track_report
from fanwise.progress.words import plain

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST_ERROR = 200
# Which span the code is in, so that spans nest by themselves. It steers nothing.
_inside: ContextVar[_OpenSpan | None] = ContextVar("fanwise_span", default=None)


class _OpenSpan:
    """A span while it is measured."""

    __slots__ = ("begin_s", "end_s", "error", "name", "number", "outer", "state", "tracker")

    def __init__(self, tracker: Tracker, name: str, outer: _OpenSpan | None) -> None:
        self.tracker = tracker
        self.name = name
        self.outer = outer
        self.number = -1
        self.begin_s = 0.0
        self.end_s: float | None = None
        self.state: SpanState = "running"
        self.error = ""

    def seen_at(self, now_s: float, *, start_s: float) -> Span:
        """The span as it is known at an instant."""
        running = self.end_s is None or self.end_s > now_s
        end_s = now_s if self.end_s is None or self.end_s > now_s else self.end_s
        parent = self.outer
        while parent is not None and (parent.tracker is not self.tracker or parent.number < 0):
            parent = parent.outer
        return Span(
            number=self.number,
            name=self.name,
            begin_s=self.begin_s - start_s,
            end_s=end_s - start_s,
            state="running" if running else self.state,
            parent=None if parent is None else parent.number,
            error="" if running else self.error,
        )


class Tracker:
    """Measures operations of any code: ``async with fw.track("tailoring") as t: …``.

        async with fw.track("tailoring") as t:
            score, skills = await asyncio.gather(
                t("ats", score_resume, resume),     # a function and its arguments
                t("job", analyse(job)),             # or an awaitable
            )
            with t.span("targets"):                 # or a block, synchronous or not
                targets = compute(score, skills)
        print(t.report)

    Operations begun inside another one are nested in it, across tasks too. What an operation
    returns or raises passes through unchanged; failures and cancellations are recorded as such.

    Args:
        name: What is tracked, for the report.
        max_spans: Most operations that are recorded, 1 or more; later ones still run and are
            counted in the report as ``unrecorded``. One takes about 200 bytes.
        now: Clock, in seconds; the event loop's own (so virtual under virtual time), or the
            machine's where none runs, if omitted.

    Entered with ``async with``, or with ``with`` in code without an event loop. It runs nothing of
    its own: there is nothing to cancel, and nothing outlives the block.

    Raises:
        ConfigError: ``max_spans`` is no whole number of at least 1.
        StateError: An operation was begun before the block was entered or after it was left.
    """

    def __init__(
        self,
        name: str = "operations",
        *,
        max_spans: int = 100_000,
        now: Callable[[], float] | None = None,
    ) -> None:
        check_whole("max_spans", max_spans)
        self.name = name
        self._max_spans = max_spans
        self._given_now = now
        self._now: Callable[[], float] = now or time.monotonic
        self._spans: list[_OpenSpan] = []
        self._unrecorded = 0
        self._start_s: float | None = None
        self._end_s: float | None = None

    def __repr__(self) -> str:
        entered = "not entered" if self._start_s is None else "open"
        state = entered if self._end_s is None else "left"
        return f"<track {self.name!r} {state}, {len(self._spans)} operations>"

    # the block

    def __enter__(self) -> Self:
        if self._start_s is not None:
            raise StateError(
                f"the tracker {self.name!r} is entered once", hint="make a new one each time"
            )
        if self._given_now is None:
            self._now = _clock()
        self._start_s = self._now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_s = self._now()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    # operations

    @overload
    async def __call__(
        self, name: str, work: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    async def __call__(self, name: str, work: Awaitable[T], /) -> T: ...

    async def __call__(self, name: str, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Runs one operation and measures it.

        Args:
            name: The operation; those of one name are reported together.
            work: An asynchronous function, called with the arguments that follow; or an awaitable.
                Work that has begun already (a task) is measured from here on. A plain function's
                result is returned as it is.
            *args: The function's arguments.
            **kwargs: Its named ones.

        Returns:
            What the work returns.

        Raises:
            Whatever the work raises. UsageError where it is neither a function nor awaitable.
        """
        try:
            _check(name, work, arguments=bool(args or kwargs))
            span = self._begin(name)
        except BaseException:
            if inspect.iscoroutine(work):
                work.close()
            raise
        try:
            made = work if inspect.isawaitable(work) else work(*args, **kwargs)
            value = await made if inspect.isawaitable(made) else made
        except BaseException as error:
            self._ended(span, error)
            raise
        self._ended(span, None)
        return value

    async def track(self, name: str, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The same as calling the tracker: ``await t.track("ats", work)``."""
        return await self(name, work, *args, **kwargs)

    @contextmanager
    def span(self, name: str) -> Generator[None]:
        """A block as an operation: ``with t.span("parse"): …``; it may await, too.

        Args:
            name: The operation.
        """
        span = self._begin(name)
        try:
            yield
        except BaseException as error:
            self._ended(span, error)
            raise
        self._ended(span, None)

    def _begin(self, name: str) -> _OpenSpan:
        if self._start_s is None or self._end_s is not None:
            when = "not entered yet" if self._start_s is None else "left already"
            raise StateError(
                f"the tracker {self.name!r} is {when}, so {name!r} cannot be measured",
                hint="write: async with fw.track(…) as t: await t(name, function)",
            )
        span = _OpenSpan(self, name, _inside.get())
        if len(self._spans) < self._max_spans:
            span.number = len(self._spans)
            self._spans.append(span)
        else:
            self._unrecorded += 1
        _inside.set(span)
        span.begin_s = self._now()
        return span

    def _ended(self, span: _OpenSpan, error: BaseException | None) -> None:
        span.end_s = self._now()
        _inside.set(span.outer)
        if error is None:
            span.state = "done"
        else:
            span.state = "failed" if isinstance(error, Exception) else "cancelled"
            if isinstance(error, asyncio.CancelledError) and not error.args:
                return
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            span.error = plain(said, most=_LONGEST_ERROR)

    # what it saw

    @property
    def report(self) -> TrackReport:
        """What was measured so far; once the block is left, all of it. Costs O(n log n)."""
        if self._start_s is None:
            return build_track_report(self.name, (), total_s=0.0)
        until_s = self._now() if self._end_s is None else self._end_s
        spans = [s.seen_at(until_s, start_s=self._start_s) for s in list(self._spans)]
        return build_track_report(
            self.name, spans, total_s=until_s - self._start_s, unrecorded=self._unrecorded
        )


def _clock() -> Callable[[], float]:
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return time.monotonic


def _check(name: str, work: Any, *, arguments: bool) -> None:
    if not callable(work) and not inspect.isawaitable(work):
        raise UsageError(
            f"{name!r} is given a {type(work).__name__}, which is neither a function nor awaitable",
            hint="write: await t(name, function, *arguments), or: await t(name, function(…))",
        )
    if arguments and not callable(work):
        raise UsageError(
            f"{name!r} is given arguments beside work that has been called already",
            hint="give the function itself: await t(name, function, *arguments)",
        )
