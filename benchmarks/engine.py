"""What the engine alone costs: CPU an item through a map with no I/O, beside bare asyncio.

    python benchmarks/engine.py [--items N] [--rounds N] [--many N]

Every way runs the same function over the same numbers in the same minute, 64 at once; the best of
some rounds counts. ``limits`` are a concurrency and a quota of requests that is counted and never
binds. A run has its journal in memory, so that its row holds the context, the progress and the
durable event of every item, and no disk. The last lines show whether memory grows with the items.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import fanwise as fw

AT_ONCE = 64
PLENTY = 1e12
LIMITS = fw.Limits(concurrency=AT_ONCE, rpm=PLENTY)


async def function(number: int) -> int:
    await asyncio.sleep(0)
    return number


async def in_run(_: fw.Context, number: int) -> int:
    return await function(number)


async def task_group(items: int) -> None:
    semaphore = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with semaphore:
            return await function(number)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(items)]
    assert len([task.result() for task in tasks]) == items


async def gather(items: int) -> None:
    semaphore = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with semaphore:
            return await function(number)

    assert len(await asyncio.gather(*(one(number) for number in range(items)))) == items


async def mapped(items: int, **options: Any) -> None:
    seen = 0
    async with fw.map(function, Numbers(items), limits=LIMITS, **options) as outcomes:
        async for outcome in outcomes:
            seen += outcome.ok
    assert seen == items


async def journalled(items: int) -> None:
    seen = 0
    async with (
        fw.open_run("engine", journal=":memory:", limits=LIMITS) as run,
        run.map(in_run, Numbers(items)) as outcomes,
    ):
        async for outcome in outcomes:
            seen += outcome.ok
    assert seen == items


class Numbers:
    """So many numbers; a collection of known length that holds none of them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))


WAYS: dict[str, Callable[[int], Awaitable[None]]] = {
    "TaskGroup and semaphore": task_group,
    "gather and semaphore": gather,
    "fw.map, limits": mapped,
    "fw.map, limits, mode": lambda items: mapped(items, mode="parallel"),
    "fw.map, limits, guardrails": lambda items: mapped(items, guardrails=fw.Guardrails()),
    "fw.map, limits, key": lambda items: mapped(items, key=lambda number: -number),
    "run.map, journal in memory": journalled,
}


def cpu_s(way: Callable[[int], Awaitable[None]], items: int) -> float:
    gc.collect()
    begun = time.process_time()
    asyncio.run(way(items))  # type: ignore[arg-type]
    return time.process_time() - begun


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def grow(many: int) -> None:
    """Memory along one map."""
    seen = 0
    async with fw.map(function, Numbers(many), limits=LIMITS) as outcomes:
        async for _ in outcomes:
            seen += 1
            if seen in {many // 10, many}:
                print(f"  after {seen:>9,} items  {resident_mb():7.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--many", type=int, default=1_000_000, help="0 leaves memory out")
    options = parser.parse_args()
    best: dict[str, float] = {}
    for _ in range(options.rounds):
        for name, way in WAYS.items():
            seconds = cpu_s(way, options.items)
            best[name] = min(best.get(name, seconds), seconds)
    bare = best["TaskGroup and semaphore"]
    print(f"{'CPU an item, ' + format(options.items, ',') + ' items':34}      µs  × TaskGroup")
    for name, seconds in best.items():
        print(f"{name:34}  {seconds / options.items * 1e6:6.1f}  {seconds / bare:11.2f}")
    if options.many:
        print(f"resident memory of one map over {options.many:,} items")
        print(f"  before                {resident_mb():7.1f} MB")
        asyncio.run(grow(options.many))


if __name__ == "__main__":
    main()
