"""``fw.race`` and ``fw.fallback``: one result out of several ways to it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast, overload

from fanwise.engine.runner import cancel_requests, cancelled_itself, check_seconds, within
from fanwise.engine.together.gathering import Gathering, check_stagger, runner_of
from fanwise.engine.together.operations import (
    Operation,
    close_coroutines,
    invoke,
    name_of,
    operations_of,
)
from fanwise.errors import AllFailed, UsageError
from fanwise.records import Outcome

T = TypeVar("T")
V = TypeVar("V")
Failures: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
_SHOWN = 200  # characters of one reason in a message


async def race(
    operations: Mapping[str, Callable[[], Awaitable[T]]] | Sequence[Callable[[], Awaitable[T]]],
    *,
    timeout_s: float = math.inf,
    stagger_s: float = 0.0,
) -> T:
    """The first success of several operations; the others are cancelled.

        page = await fw.race([mirror_a, mirror_b], stagger_s=0.25)

    A failure never wins, however early it comes. With ``stagger_s`` the operations are begun one
    after another, in the order given, and only while none has succeeded; a failure begins the next
    one at once (as connections are opened by Happy Eyeballs, RFC 8305). Where two succeed in the
    same turn of the event loop, the one that ended first wins.

    Args:
        operations: Functions without arguments, by name or in a list, as for :func:`parallel`.
        timeout_s: Deadline of each operation in seconds above 0; to miss it is to fail.
        stagger_s: Seconds from one start to the next; 0 starts all at once.

    Returns:
        The winner's value, once all others have ended.

    Raises:
        AllFailed: None succeeded; ``errors`` holds each one's reason by name.
        UsageError: There are no operations, or something given is no function; nothing was begun.
        ConfigError: ``timeout_s`` or ``stagger_s`` is impossible; nothing was begun.

    Cancellation is as in :func:`parallel`.
    """
    named = operations_of(operations)
    if not named:
        raise UsageError("a race of no operations has no winner", hint="give one function or more")
    check_stagger(stagger_s)
    reasons: dict[str, Exception] = {}

    def decides(outcome: Outcome) -> bool:
        if not outcome.ok and isinstance(outcome.error, Exception):
            reasons[outcome.item_id] = outcome.error
        return outcome.ok

    gathering = Gathering(
        named,
        runner_of(timeout_s=timeout_s),
        decides=decides,
        stagger_s=stagger_s,
        hedged=True,
    )
    await gathering.run()
    if gathering.decisive is None:
        raise all_failed("operations of the race", reasons)
    return gathering.decisive.value


@overload
async def fallback(
    candidates: Mapping[str, Callable[[], Awaitable[T]]] | Sequence[Callable[[], Awaitable[T]]],
    function: None = ...,
    *,
    timeout_s: float = ...,
    when: Failures | None = ...,
    on_failure: Callable[[str, Exception], None] | None = ...,
) -> T: ...


@overload
async def fallback(
    candidates: Sequence[V],
    function: Callable[[V], Awaitable[T]],
    *,
    timeout_s: float = ...,
    when: Failures | None = ...,
    on_failure: Callable[[str, Exception], None] | None = ...,
) -> T: ...


async def fallback(
    candidates: Any,
    function: Callable[[Any], Awaitable[Any]] | None = None,
    *,
    timeout_s: float = math.inf,
    when: Failures | None = None,
    on_failure: Callable[[str, Exception], None] | None = None,
) -> Any:
    """The first success of a chain: the next candidate is begun only when the one before failed.

        text = await fw.fallback([ask_small, ask_large])
        text = await fw.fallback(["openai/gpt-4o-mini", "openai/gpt-4o"], ask)

    Args:
        candidates: Functions without arguments, by name or in a list; or, with ``function``, a list
            of values (names of models, say) that it is called with.
        function: ``async (value) -> result``.
        timeout_s: Deadline of each candidate in seconds above 0; to miss it is to fail.
        when: Which failures the next candidate is tried for: types of exceptions, or a function
            from the exception to yes or no. By default every exception but ``UsageError`` (a call
            that is wrong, a key that is missing: to go on would hide it).
        on_failure: Is told of each failure that the chain goes on from, the last one too.

    Returns:
        The first candidate's value that is one.

    Raises:
        AllFailed: Every candidate failed; ``errors`` holds each one's reason by name.
        Exception: What a candidate raised that ``when`` does not name, as it stands.
        UsageError: There are no candidates, or one is no function; nothing was begun.
        ConfigError: ``timeout_s`` is not above 0; nothing was begun.

    It starts no task: candidates run in the caller's own, so that cancelling it is cancelling them.
    A cancellation is never fallen back from.
    """
    chain = _chain(candidates, function)
    check_seconds("timeout_s", timeout_s)
    meant = _meant(when)
    reasons: dict[str, Exception] = {}
    for operation in chain:
        try:
            return await _attempt(operation, timeout_s)
        except Exception as error:
            if not meant(error):
                error.add_note(f"in candidate {operation.label}")
                raise
            reasons[_free(operation.name, reasons)] = error
            if on_failure is not None:
                on_failure(operation.name, error)
    raise all_failed("candidates", reasons)


def all_failed(what: str, reasons: Mapping[str, Exception]) -> AllFailed:
    """The error of a race or chain without success, with every reason in it."""
    lines = "".join(f"\n  {name}: {_line(error)}" for name, error in reasons.items())
    count = len(reasons)
    found = AllFailed(f"all {count} {what} failed:{lines}", errors=reasons)
    found.__cause__ = list(reasons.values())[-1]
    return found


async def _attempt(operation: Operation, timeout_s: float) -> Any:
    before = cancel_requests()
    try:
        if timeout_s == math.inf:
            return await invoke(operation.function)
        return await within(timeout_s, invoke, operation.function)
    except asyncio.CancelledError as error:
        if cancel_requests() > before:
            raise
        raise cancelled_itself() from error


def _chain(candidates: object, function: Callable[[Any], Awaitable[Any]] | None) -> list[Operation]:
    if function is None:
        chain = operations_of(candidates, word="candidates")
        if not isinstance(candidates, Mapping):
            for operation in chain:
                operation.name = operation.label = name_of(operation.function)
    else:
        if not callable(cast("object", function)):
            close_coroutines([function])
            raise UsageError(
                f"the function is a {type(function).__name__}",
                hint="give the function itself: fw.fallback(models, ask) instead of ask(…)",
            )
        if isinstance(candidates, (str, bytes)) or not isinstance(candidates, Sequence):
            close_coroutines([candidates])
            raise UsageError(
                f"candidates is a {type(candidates).__name__}",
                hint="give a list of the values to try, such as the names of models",
            )
        chain = [
            Operation(str(value), partial(function, value), label=repr(value))
            for value in cast("Sequence[object]", candidates)
        ]
    if not chain:
        raise UsageError("there are no candidates", hint="give one or more")
    return chain


def _meant(when: Failures | None) -> Callable[[Exception], bool]:
    if when is None:
        return lambda error: not isinstance(error, UsageError)
    if isinstance(when, (type, tuple)):
        return lambda error: isinstance(error, when)
    return when


def _free(name: str, taken: Mapping[str, object]) -> str:
    """The name, or one like it where two candidates are called the same."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    return found


def _line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
