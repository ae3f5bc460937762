"""Ending tasks so that none is left, whatever happens to whoever ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks and returns when every one has ended.

    A cancellation of the caller meanwhile reaches the tasks once more, is not lost, and is raised
    when they have ended. What the tasks raised is theirs.
    """
    left: list[asyncio.Task[Any]] = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    interrupted: asyncio.CancelledError | None = None
    while left:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            interrupted = error
            for task in left:
                task.cancel()
        left = [task for task in left if not task.done()]
    if interrupted is not None:
        raise interrupted


async def to_its_end(work: asyncio.Task[T]) -> T:
    """The result of work that must not be broken off half-way, such as what gives back a lock.

    A cancellation of the caller meanwhile is raised when the work has ended, in place of its result
    or of what it raised.
    """
    interrupted: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is None:
        return work.result()
    if not work.cancelled():
        work.exception()  # seen here, so that asyncio does not complain of it
    raise interrupted
