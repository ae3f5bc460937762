"""The event loop that commands run on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fanwise.engine.loop import loop_factory

T = TypeVar("T")


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end: on uvloop where it is installed, else on asyncio's own loop."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)
