"""Graphs take as long as their critical path; waves would not."""

from __future__ import annotations

import asyncio
import random

import pytest

import fanwise as fw
from fanwise.engine.graph.execution import Execution
from fanwise.engine.graph.states import Course
from fanwise.testing.virtual import run_virtual

STEPS = 200
GRAPHS = 60


def random_graph(chance: random.Random, *, steps: int = STEPS) -> tuple[fw.Graph, float]:
    """A graph and the length of its longest chain, computed beside it from the times drawn."""
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


def walls(seeds: range) -> list[float]:
    """Wall times of random graphs as multiples of their critical paths."""
    ratios: list[float] = []
    for seed in seeds:
        graph, bound_s = random_graph(random.Random(seed))
        result = run_virtual(graph.run())
        assert result.ok
        assert result.report.critical_path_s == pytest.approx(bound_s)
        ratios.append(result.report.wall_s / bound_s)
    return ratios


def test_random_graphs_of_200_steps_take_as_long_as_their_critical_path() -> None:
    ratios = walls(range(GRAPHS))
    assert max(ratios) <= 1.005
    assert min(ratios) >= 1 - 1e-9


def test_scheduling_in_waves_would_miss_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    unblocked = Execution._unblocked

    def in_waves(self: Execution, ended: Course) -> list[str]:
        held: list[str] = self.__dict__.setdefault("held", [])
        held.extend(unblocked(self, ended))
        if any(course.state in {"ready", "running"} for course in self.courses.values()):
            return []
        wave, held[:] = list(held), []
        return wave

    monkeypatch.setattr(Execution, "_unblocked", in_waves)
    ratios = walls(range(10))
    assert max(ratios) > 1.02
    assert sum(ratios) / len(ratios) > 1.1


def test_under_a_limit_no_place_is_free_while_a_step_is_ready() -> None:
    for seed in range(20):
        graph, _ = random_graph(random.Random(seed), steps=60)
        result = run_virtual(graph.run(limits=fw.Limits(concurrency=4)))
        report = result.report
        assert report.peak <= 4
        # Graham's bound for list scheduling (SIAM Journal on Applied Mathematics 17, 1969).
        assert report.wall_s <= report.sequential_s / 4 + report.critical_path_s * 3 / 4 + 1e-9
