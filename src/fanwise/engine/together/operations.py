"""What is to be run together: functions by name, checked before any of them is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from inspect import isawaitable
from types import CoroutineType
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from fanwise.errors import UsageError

T = TypeVar("T")
Function: TypeAlias = Callable[[], Awaitable[T]]
Operations: TypeAlias = "Mapping[str, Function[T]] | Sequence[Function[T]]"


class Tracker(Protocol):
    """Awaits a function's result and notes under ``name`` how long that took."""

    def __call__(self, name: str, function: Callable[[], Awaitable[Any]], /) -> Awaitable[Any]:
        """Calls ``function``, awaits it, and returns or raises as it does."""
        ...


class Operation:
    """A function and what it is called."""

    __slots__ = ("function", "label", "name")

    def __init__(self, name: str, function: Function[Any], *, label: str) -> None:
        self.name = name
        self.function = function
        self.label = label

    def __repr__(self) -> str:
        return f"<Operation {self.label}>"


def operations_of(given: object, *, word: str = "operations") -> list[Operation]:
    """Operations by name, in the order given.

    Raises:
        UsageError: They are no mapping and no sequence, or one of them is no function. Coroutines
            among them are closed, so that nothing of them is left over.
    """
    if isinstance(given, Mapping):
        named = cast("Mapping[object, object]", given)
        found = [(str(name), function) for name, function in named.items()]
        found_operations = [_operation(name, function, repr(name)) for name, function in found]
    elif isinstance(given, Sequence) and not isinstance(given, (str, bytes, bytearray)):
        listed = list(cast("Sequence[object]", given))
        found = [(str(number), function) for number, function in enumerate(listed)]
        found_operations = [
            _operation(name, function, f"{name} ({name_of(function)})") for name, function in found
        ]
    else:
        close_coroutines([given])
        raise UsageError(
            f"{word} is a {type(given).__name__}",
            hint="give functions by name, {'user': fetch_user}, or in a list, [fetch_user]",
        )
    wrong = [one for one in found_operations if not callable(one.function)]
    if wrong:
        close_coroutines([function for _, function in found])
        raise _no_function(wrong[0])
    return found_operations


def _operation(name: str, function: object, label: str) -> Operation:
    return Operation(name, cast("Function[Any]", function), label=label)


def _no_function(operation: Operation) -> UsageError:
    given = cast("object", operation.function)
    what = f"is a {type(given).__name__}"
    if isawaitable(given):
        what += ", work that was begun by calling its function"
    return UsageError(
        f"operation {operation.label} {what}",
        hint="give the function itself: fetch_user instead of fetch_user(), and "
        "lambda: fetch_user(7) where it takes arguments",
    )


def close_coroutines(things: Sequence[object]) -> None:
    """Closes coroutines that will never be awaited."""
    for thing in things:
        if isinstance(thing, CoroutineType):
            cast("CoroutineType[Any, Any, Any]", thing).close()


def name_of(function: object) -> str:
    """What to call a function: its own name, or that of the function inside a partial."""
    inner = function
    while isinstance(inner, partial):  # a mock has a "func" too, and that has one, without end
        inner = cast("object", inner.func)
    name = getattr(inner, "__name__", None)
    return name if isinstance(name, str) else type(inner).__name__


def invoke(function: Callable[..., Awaitable[T]], *args: Any, **named: Any) -> Awaitable[T]:
    """Calls a function that has to be asynchronous; what it returns is to be awaited.

    Raises:
        UsageError: It cannot be called with these arguments, or returned what cannot be awaited.
    """
    try:
        begun = function(*args, **named)
    except TypeError as error:
        trace = error.__traceback__
        if trace is None or trace.tb_next is None:  # its own code was not reached
            raise UsageError(
                f"{name_of(function)} cannot be called like this: {error}",
                hint="use functools.partial or a lambda to give it its arguments",
            ) from error
        raise
    if type(cast("object", begun)) is CoroutineType or isawaitable(begun):
        return begun
    raise UsageError(
        f"{name_of(function)} is not asynchronous: it returned a {type(begun).__name__}",
        hint="define it with async def; asyncio.to_thread runs a blocking function",
    )
