"""Operations for tests of what runs several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


def now() -> float:
    return asyncio.get_running_loop().time()


def giving(value: object, *, after_s: float = 1.0) -> Callable[[], Awaitable[Any]]:
    async def give() -> object:
        await asyncio.sleep(after_s)
        return value

    return give


def failing(error: Exception, *, after_s: float = 1.0) -> Callable[[], Awaitable[Any]]:
    async def fail() -> None:
        await asyncio.sleep(after_s)
        raise error

    return fail


def stubborn(seconds: float, ended: list[float]) -> Callable[[], Awaitable[Any]]:
    """An operation that takes its time to end when it is cancelled."""

    async def hold() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            until = now() + seconds
            while now() < until:
                try:
                    await asyncio.sleep(until - now())
                except asyncio.CancelledError:
                    continue
            ended.append(now())

    return hold


def alone() -> bool:
    """Whether no task but this one is left, and nobody's request to cancel it is."""
    task = asyncio.current_task()
    return asyncio.all_tasks() == {task} and task is not None and task.cancelling() == 0
