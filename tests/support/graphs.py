"""Graphs of steps that take their time, for tests."""

from __future__ import annotations

import asyncio
from typing import Any

import fanwise as fw
from fanwise.testing.virtual import run_virtual


def timed(graph: fw.Graph, name: str, seconds: float, *after: str, **options: Any) -> None:
    """Adds a step that takes so long and comes after others; its value is its end."""

    async def step() -> float:
        await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    graph.add(step, name=name, needs=after, **options)


def failing(graph: fw.Graph, name: str, seconds: float, *after: str, **options: Any) -> None:
    async def step() -> None:
        await asyncio.sleep(seconds)
        raise ValueError(f"{name} broke")

    graph.add(step, name=name, needs=after, **options)


def run(graph: fw.Graph, **options: Any) -> fw.types.GraphResult:
    """Runs it on virtual time; nothing may be left of it."""

    async def main() -> fw.types.GraphResult:
        before = asyncio.all_tasks()
        result = await graph.run(**options)
        assert asyncio.all_tasks() == before
        return result

    return run_virtual(main())
