"""Side effects of an item, journalled around their own call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fanwise.engine.identity import jsonable
from fanwise.records import CallRecord, ErrorInfo

if TYPE_CHECKING:
    from fanwise.engine.core import Core


async def perform(run: Core, record: CallRecord, function: Callable[[], Awaitable[Any]]) -> Any:
    """Carries out a side effect whose intent is durable, and makes its end durable."""
    try:
        value = await function()
    except asyncio.CancelledError:
        await run.journal.settle(replace(record, state="ambiguous", ended_at=run.clock.wall()))
        raise
    except BaseException as error:
        failed = replace(record, state="failed", error=ErrorInfo.of(error))
        await run.journal.settle(replace(failed, ended_at=run.clock.wall()))
        raise
    plain = jsonable(value)
    await run.journal.settle(replace(record, value=plain, ended_at=run.clock.wall()))
    return value
