"""``fw.parallel`` and ``fw.settle``: several operations at once, in the shape they were given."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack, cast, overload

from fanwise.engine.runner import check_seconds
from fanwise.engine.together.gathering import (
    Gathering,
    check_stagger,
    runner_of,
    unfinished,
)
from fanwise.engine.together.operations import Tracker, operations_of
from fanwise.errors import AttemptTimeout
from fanwise.limits.settings import Limits
from fanwise.records import Outcome
from fanwise.retry.policy import Retry

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
T = TypeVar("T")
_NAMED = 5  # operations that a message lists


class Options(TypedDict, total=False):
    """What :func:`parallel` and :func:`settle` take besides operations."""

    timeout_s: float
    total_s: float
    limits: Limits | None
    retry: Retry | None
    stagger_s: float
    tracker: Tracker | None
    chance: random.Random | None


@overload
async def parallel(
    operations: Mapping[str, Callable[[], Awaitable[T]]],
    **options: Unpack[Options],
) -> dict[str, T]: ...


@overload
async def parallel(
    operations: tuple[Callable[[], Awaitable[A]], Callable[[], Awaitable[B]]],
    **options: Unpack[Options],
) -> tuple[A, B]: ...


@overload
async def parallel(
    operations: tuple[
        Callable[[], Awaitable[A]], Callable[[], Awaitable[B]], Callable[[], Awaitable[C]]
    ],
    **options: Unpack[Options],
) -> tuple[A, B, C]: ...


@overload
async def parallel(
    operations: tuple[Callable[[], Awaitable[T]], ...],
    **options: Unpack[Options],
) -> tuple[T, ...]: ...


@overload
async def parallel(
    operations: Sequence[Callable[[], Awaitable[T]]],
    **options: Unpack[Options],
) -> list[T]: ...


async def parallel(
    operations: Mapping[str, Callable[[], Awaitable[Any]]] | Sequence[Callable[[], Awaitable[Any]]],
    *,
    timeout_s: float = math.inf,
    total_s: float = math.inf,
    limits: Limits | None = None,
    retry: Retry | None = None,
    stagger_s: float = 0.0,
    tracker: Tracker | None = None,
    chance: random.Random | None = None,
) -> Any:
    """Several operations at once; the first failure ends the others.

        user, job = await fw.parallel([fetch_user, fetch_job], timeout_s=30)
        got = await fw.parallel({"user": fetch_user, "job": fetch_job})

    Args:
        operations: Functions without arguments, by name or in a list. Functions, not the coroutines
            they return: nothing has begun when this is called, so that nothing is begun that could
            not be ended.
        timeout_s: Deadline of each operation (of each attempt, under ``retry``), in seconds above
            0; it is cancelled then.
        total_s: Deadline of the whole, waits for permits and retries included, in seconds above 0.
        limits: How many at once, and how many a minute; by default all at once.
        retry: How often and after what waits a failure is tried again; by default not at all.
            ``retry_on`` names the exceptions that a further attempt may mend.
        stagger_s: Seconds from one start to the next, in the order given; 0 starts all at once.
        tracker: Is called as ``await tracker(name, function)`` in place of each function, to
            measure it.
        chance: Source of jitter between attempts, for tests.

    Returns:
        The values in the order given: a dict for a mapping, a tuple for a tuple, else a list.

    Raises:
        Exception: What the first operation to fail raised, as it stands, with a note that names the
            operation. The others were cancelled and have ended; what they failed with meanwhile is
            in further notes.
        AttemptTimeout: ``timeout_s`` of one operation, or ``total_s``, has passed.
        UsageError: Something given is no function (nothing was begun), cannot be called without
            arguments, or is not asynchronous.
        ConfigError: A deadline or ``stagger_s`` is impossible; nothing was begun.

    Cancelling it cancels every operation; it ends when they have ended, and so it does when it
    raises. A cancellation that arrives during that is handed on to those that still run.
    """
    gathering = await _gather(
        operations,
        decides=_failed,
        timeout_s=timeout_s,
        total_s=total_s,
        limits=limits,
        retry=retry,
        stagger_s=stagger_s,
        tracker=tracker,
        chance=chance,
    )
    outcomes = [outcome for outcome in gathering.outcomes if outcome is not None]
    decisive = gathering.decisive
    if gathering.late and len(outcomes) < len(gathering.items):
        raise _noted(_too_late(gathering, total_s), gathering)
    if decisive is None:  # the time was up, and all ended nevertheless
        decisive = next(filter(_failed, outcomes), None)
    if decisive is not None and decisive.error is not None:
        _note(decisive.error, f"in operation {gathering.label(decisive.position)}")
        raise _noted(decisive.error, gathering)
    return _shaped(operations, [outcome.value for outcome in outcomes])


@overload
async def settle(
    operations: Mapping[str, Callable[[], Awaitable[T]]],
    **options: Unpack[Options],
) -> dict[str, Outcome[T]]: ...


@overload
async def settle(
    operations: tuple[Callable[[], Awaitable[T]], ...],
    **options: Unpack[Options],
) -> tuple[Outcome[T], ...]: ...


@overload
async def settle(
    operations: Sequence[Callable[[], Awaitable[T]]],
    **options: Unpack[Options],
) -> list[Outcome[T]]: ...


async def settle(
    operations: Mapping[str, Callable[[], Awaitable[Any]]] | Sequence[Callable[[], Awaitable[Any]]],
    *,
    timeout_s: float = math.inf,
    total_s: float = math.inf,
    limits: Limits | None = None,
    retry: Retry | None = None,
    stagger_s: float = 0.0,
    tracker: Tracker | None = None,
    chance: random.Random | None = None,
) -> Any:
    """Several operations at once, each to its own end: a failure is data and ends nothing else.

        outcomes = await fw.settle({"user": fetch_user, "job": fetch_job}, timeout_s=30)
        if not outcomes["job"].ok:
            print(outcomes["job"].error)

    Args:
        operations: As in :func:`parallel`.
        timeout_s: As there.
        total_s: Deadline of the whole: what has not ended by then is cancelled, and its outcome is
            an ``AttemptTimeout``.
        limits: As there.
        retry: As there.
        stagger_s: As there.
        tracker: As there.
        chance: As there.

    Returns:
        An :class:`Outcome` for each operation, in the shape and order given; ``item_id`` is its
        name, or its place in the sequence as text. ``queued_s`` are the seconds it waited for
        permits and retries, ``service_s`` those it ran, over ``attempts`` calls.

    Raises:
        UsageError: Something given is no function; nothing was begun. A function that turns out not
            to be asynchronous is an outcome.
        ConfigError: A deadline or ``stagger_s`` is impossible; nothing was begun.

    Cancellation is as in :func:`parallel`.
    """
    gathering = await _gather(
        operations,
        decides=_never,
        timeout_s=timeout_s,
        total_s=total_s,
        limits=limits,
        retry=retry,
        stagger_s=stagger_s,
        tracker=tracker,
        chance=chance,
    )
    outcomes = [
        outcome or unfinished(item, _out_of_time(item.known, total_s))
        for item, outcome in zip(gathering.items, gathering.outcomes, strict=True)
    ]
    return _shaped(operations, outcomes)


async def _gather(
    operations: object,
    *,
    decides: Callable[[Outcome], bool],
    timeout_s: float,
    total_s: float,
    limits: Limits | None,
    retry: Retry | None,
    stagger_s: float,
    tracker: Tracker | None,
    chance: random.Random | None,
) -> Gathering:
    named = operations_of(operations)
    check_seconds("total_s", total_s)
    check_stagger(stagger_s)
    gathering = Gathering(
        named,
        runner_of(timeout_s=timeout_s, limits=limits, retry=retry, chance=chance),
        decides=decides,
        stagger_s=stagger_s,
        total_s=total_s,
        tracker=tracker,
    )
    await gathering.run()
    return gathering


def _failed(outcome: Outcome) -> bool:
    return not outcome.ok


def _never(_: Outcome) -> bool:
    return False


def _shaped(operations: object, values: list[Any]) -> Any:
    if isinstance(operations, Mapping):
        names = cast("Mapping[Any, Any]", operations)
        return dict(zip(names, values, strict=True))
    return tuple(values) if isinstance(operations, tuple) else values


def _noted(error: BaseException, gathering: Gathering) -> BaseException:
    """The error, with a note on every other one that would be lost with it."""
    for outcome in gathering.outcomes:
        if outcome is not None and outcome.error is not None and outcome.error is not error:
            what = f"{type(outcome.error).__name__}: {outcome.error}"
            _note(error, f"operation {gathering.label(outcome.position)} failed too: {what}")
    return error


def _note(error: BaseException, note: str) -> None:
    """Adds a note, once: an exception that is kept and raised again shall not grow."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _too_late(gathering: Gathering, total_s: float) -> AttemptTimeout:
    missing = [
        gathering.label(item.position)
        for item, outcome in zip(gathering.items, gathering.outcomes, strict=True)
        if outcome is None
    ]
    shown = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
    return AttemptTimeout(
        f"{len(missing)} of {len(gathering.items)} operations had no result after {total_s:g} s: "
        f"{shown}",
        hint="raise total_s, or use fw.settle to keep what there is",
    )


def _out_of_time(so_far: Outcome | None, total_s: float) -> AttemptTimeout:
    if so_far is None or not so_far.attempts:
        return AttemptTimeout(f"not begun after {total_s:g} s in all", hint="raise total_s")
    return AttemptTimeout(f"no result after {total_s:g} s in all", hint="raise total_s")
