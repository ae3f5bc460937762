"""How close graphs come to their critical path, and what a step costs.

    python benchmarks/graph.py [--graphs N] [--steps N]

Runs random graphs in virtual time and prints their wall time as a multiple of the critical path,
which is computed beside them from the times drawn. Then runs graphs of steps that do nothing, in
real time, beside the same number of bare tasks in a TaskGroup.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time

import fanwise as fw
from fanwise.testing.virtual import run_virtual

ROUNDS = 5


def random_graph(chance: random.Random, *, steps: int) -> tuple[fw.Graph, float]:
    """A graph of sleeping steps, and the length of its longest chain in seconds."""
    graph = fw.Graph()
    ends: list[float] = []
    reach = chance.choice([3, 10, 50, steps])
    for number in range(steps):
        seconds = chance.choice([chance.random(), chance.expovariate(1.0), chance.uniform(1, 30)])
        earlier = range(max(0, number - reach), number)
        sources = chance.sample(earlier, min(len(earlier), chance.randrange(4)))
        ends.append(max((ends[source] for source in sources), default=0.0) + seconds)

        async def step(seconds: float = seconds) -> None:
            await asyncio.sleep(seconds)

        graph.add(step, name=f"s{number}", needs=[f"s{source}" for source in sources])
    return graph, max(ends)


def idle_graph(steps: int) -> fw.Graph:
    """A graph of steps that do nothing, each with up to three steps before it."""
    chance = random.Random(steps)
    graph = fw.Graph()

    async def step() -> None:
        pass

    for number in range(steps):
        earlier = range(max(0, number - 20), number)
        sources = chance.sample(earlier, min(len(earlier), chance.randrange(4)))
        graph.add(step, name=f"s{number}", needs=[f"s{source}" for source in sources])
    return graph


async def bare(steps: int) -> None:
    async def step() -> None:
        pass

    async with asyncio.TaskGroup() as group:
        for _ in range(steps):
            group.create_task(step())


def cpu_us(work: object, steps: int) -> float:
    """Processor time a step in microseconds, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):

        async def main() -> float:
            begun = time.process_time()
            await work()  # type: ignore[operator]
            return time.process_time() - begun

        best = min(best, asyncio.run(main()))
    return best / steps * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    ratios: list[float] = []
    for seed in range(options.graphs):
        graph, bound_s = random_graph(random.Random(seed), steps=options.steps)
        result = run_virtual(graph.run())
        ratios.append(result.report.wall_s / bound_s)
    print(
        f"{options.graphs} random graphs of {options.steps} steps, virtual time: wall / critical "
        f"path: largest {max(ratios):.6f}, mean {statistics.mean(ratios):.6f}"
    )
    graph = idle_graph(options.steps)
    alone = cpu_us(lambda: bare(options.steps), options.steps)
    free = cpu_us(graph.run, options.steps)
    limited = cpu_us(lambda: graph.run(limits=fw.Limits(concurrency=20)), options.steps)
    print(
        f"processor time a step, {options.steps} steps that do nothing: bare TaskGroup "
        f"{alone:.1f} µs, graph {free:.1f} µs, graph under limits {limited:.1f} µs"
    )


if __name__ == "__main__":
    main()
