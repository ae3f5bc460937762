"""What ``fw.parallel`` costs beside a bare ``asyncio.TaskGroup``, in CPU time an operation.

Operations do nothing but yield to the loop once. The two take turns in one process, so that a busy
machine slows both; the least of the rounds counts.

    python benchmarks/together.py [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

import fanwise as fw

SIZES = (2, 10, 1000)
OPERATIONS_A_ROUND = 4000


async def nothing() -> int:
    await asyncio.sleep(0)
    return 1


async def bare(count: int) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(nothing()) for _ in range(count)]
    assert sum(task.result() for task in tasks) == count


async def parallel(count: int) -> None:
    assert sum(await fw.parallel([nothing] * count)) == count


async def settle(count: int) -> None:
    assert len(await fw.settle([nothing] * count)) == count


async def timed(count: int) -> None:
    assert sum(await fw.parallel([nothing] * count, timeout_s=60)) == count


async def bare_timed(count: int) -> None:
    async def one() -> int:
        async with asyncio.timeout(60):
            return await nothing()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(count)]
    assert sum(task.result() for task in tasks) == count


async def cost_us(run: Callable[[int], Awaitable[None]], count: int) -> float:
    repeats = max(1, OPERATIONS_A_ROUND // count)
    began = time.process_time()
    for _ in range(repeats):
        await run(count)
    return (time.process_time() - began) / (repeats * count) * 1e6


async def main(rounds: int) -> None:
    ways = {
        "TaskGroup": bare,
        "parallel": parallel,
        "settle": settle,
        "TaskGroup, timeout": bare_timed,
        "parallel, timeout_s": timed,
    }
    print(f"{'':22}{'operations':>12}{'µs each':>10}{'ratio':>8}")
    for count in SIZES:
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, way in ways.items():
                least[name] = min(least[name], await cost_us(way, count))
        for name, cost in least.items():
            base = least["TaskGroup, timeout" if "timeout" in name else "TaskGroup"]
            print(f"{name:22}{count:>12}{cost:>10.1f}{cost / base:>8.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(parser.parse_args().rounds))
