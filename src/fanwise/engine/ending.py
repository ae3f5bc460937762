"""Ending tasks so that none is left, whatever happens to whoever ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


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
