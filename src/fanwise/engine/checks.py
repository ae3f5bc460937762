"""What callers give, looked at before anything begins: what it is, and what to give instead."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from inspect import isawaitable
from typing import Any, Final

from fanwise.engine.together.operations import close_coroutines, name_of
from fanwise.errors import ConfigError, UsageError
from fanwise.limits.settings import Limits
from fanwise.retry.policy import Retry

_NOT_AWAITED: Final = "can't be used in 'await' expression"


def check_function(function: object, *, takes: Sequence[str], hint: str = "") -> None:
    """Refuses what can be no function of items.

    Args:
        function: What was given.
        takes: What it will be called with, by name.
        hint: What to say where it cannot be called with these.

    Raises:
        UsageError: It is no function, a generator, or cannot be called like that. A coroutine is
            closed, so that nothing of it is left over.
    """
    if not callable(function):
        what = f"the function is a {type(function).__name__}"
        if isawaitable(function):
            close_coroutines([function])
            what += ", work that was begun by calling its function"
        raise UsageError(what, hint="give the function itself: ask instead of ask(item)")
    name = name_of(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"{name} is a generator, and an item has one value",
            hint="write it as async def with return; a generator can be the source of items",
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # of some functions written in C nothing is known beforehand
    try:
        signature.bind(*takes)
    except TypeError as error:
        raise UsageError(
            f"{name}{signature} cannot be called as {name}({', '.join(takes)}): {error}", hint=hint
        ) from error


def check_policies(limits: object = None, retry: object = None) -> None:
    """Refuses limits and retry that are something else.

    Raises:
        ConfigError: One of them is no record of its kind.
    """
    if limits is not None and not isinstance(limits, Limits):
        raise ConfigError(
            f"limits is {_shown(limits)}", hint="write limits=fw.Limits(concurrency=20)"
        )
    if retry is not None and not isinstance(retry, Retry):
        raise ConfigError(f"retry is {_shown(retry)}", hint="write retry=fw.Retry(max_attempts=3)")


def check_whole(name: str, value: object) -> None:
    """Refuses what is no whole number of at least 1.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}", hint="give a whole number, 1 or more")


def check_wait(name: str, value: object, *, endless: bool = False) -> None:
    """Refuses what is no number of seconds of at least 0.

    Raises:
        ConfigError: It is none, or ``math.inf`` where a wait has to end.
    """
    number = isinstance(value, int | float) and value >= 0
    if not number or (value == math.inf and not endless):
        raise ConfigError(f"{name} is {value!r}", hint="it is in seconds, 0 or more")


def in_plain_words(error: Exception, function: Callable[..., Any]) -> Exception:
    """The error, or a clearer one where a function turned out not to be asynchronous.

    Args:
        error: What came of calling and awaiting the function.
        function: The function.
    """
    if type(error) is not TypeError or _NOT_AWAITED not in str(error):
        return error
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # Where the function's own code awaited something wrong, the message is about that.
    if trace is None or not trace.tb_frame.f_globals.get("__name__", "").startswith("fanwise."):
        return error
    returned = str(error).removeprefix("object ").split(" ", 1)[0]
    clear = UsageError(
        f"{name_of(function)} is not asynchronous: it returned a {returned}",
        hint="define it with async def; asyncio.to_thread runs a blocking function",
    )
    clear.__cause__ = error
    return clear


def _shown(value: object) -> str:
    return f"the class {value.__name__} itself" if isinstance(value, type) else repr(value)
