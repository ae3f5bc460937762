"""Five everyday jobs against the time that none of them can beat: their slowest chain of waits.

    python benchmarks/seeds.py               in virtual time
    python benchmarks/seeds.py --real 20     in real time, every wait divided by 20

Each job is what its application does, with the latencies it states, built on the public functions.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import fanwise as fw
from fanwise.testing import run_virtual

Wait = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with its figures, in seconds.

    Args:
        name: What it is.
        stated: What the application says of itself.
        sequential_s: All of its waits, one after another.
        bound_s: Its slowest chain of waits.
        run: Does it; is given how to wait.
    """

    name: str
    stated: str
    sequential_s: float
    bound_s: float
    run: Callable[[Wait], Awaitable[None]]


def hooks(models: int, stated: str) -> Job:
    """Several models write five hooks each, and a judge scores every hook."""
    chance = random.Random(models)
    writing = [chance.uniform(12, 18) for _ in range(models)]
    judging = [[chance.uniform(1.5, 3) for _ in range(5)] for _ in range(models)]

    async def run(wait: Wait) -> None:
        async def one(model: int) -> None:
            await wait(writing[model])
            await fw.parallel([partial(wait, took_s) for took_s in judging[model]])

        await fw.parallel({f"model {n}": partial(one, n) for n in range(models)})

    return Job(
        name=f"hooks: {models} models, 5 judgements each",
        stated=stated,
        sequential_s=sum(writing) + sum(map(sum, judging)),
        bound_s=max(write + max(judge) for write, judge in zip(writing, judging, strict=True)),
        run=run,
    )


def notes() -> Job:
    """One video as notes by three templates at three depths; one of them fails once."""
    chance = random.Random(2)
    takes = {f"{t}/{d}": chance.uniform(8, 20) for t in range(3) for d in range(3)}
    shaky, fails_after_s, waits_s = min(takes, key=takes.__getitem__), 1.0, 0.5
    retry = fw.Retry(
        max_attempts=3, base_s=waits_s, cap_s=waits_s, retry_on=(ConnectionResetError,)
    )

    async def run(wait: Wait) -> None:
        attempts = 0

        async def one(name: str) -> None:
            nonlocal attempts
            if name == shaky:
                attempts += 1
                if attempts == 1:
                    await wait(fails_after_s)
                    raise ConnectionResetError
            await wait(takes[name])

        outcomes = await fw.settle({name: partial(one, name) for name in takes}, retry=retry)
        assert all(outcome.ok for outcome in outcomes.values())
        assert attempts == 2

    return Job(
        name="notes: 3 templates × 3 depths, one retried",
        stated="60–70 % faster, ≥ 95 % succeed",
        sequential_s=sum(takes.values()) + fails_after_s,
        bound_s=max(takes.values()),
        run=run,
    )


def scan() -> Job:
    """A hundred conversations, three seconds each, twenty at once."""

    async def run(wait: Wait) -> None:
        async def one(_: int) -> None:
            await wait(3.0)

        limits = fw.Limits(concurrency=20)
        outcomes = await fw.map(one, range(100), limits=limits).collect()
        assert sum(outcome.ok for outcome in outcomes) == 100

    return Job(
        name="scan: 100 conversations, 20 at once",
        stated="40 s → 15 s",
        sequential_s=300.0,
        bound_s=15.0,
        run=run,
    )


def grading(answers: int, stated: str) -> Job:
    """The answers of one card, graded."""
    chance = random.Random(answers)
    takes = [chance.uniform(2, 4) for _ in range(answers)]

    async def run(wait: Wait) -> None:
        outcomes = await fw.map(wait, takes, ordered=True).collect()
        assert [outcome.item for outcome in outcomes] == takes

    return Job(
        name=f"grading: {answers} answers",
        stated=stated,
        sequential_s=sum(takes),
        bound_s=max(takes),
        run=run,
    )


def tailoring() -> Job:
    """A resume tailored to a job: a graph of eight steps."""
    takes = {
        "validate": (2.0, ()),
        "ats": (15.0, ("validate",)),
        "job": (15.0, ("validate",)),
        "targets": (1.0, ("ats", "job")),
        "tailor": (30.0, ("targets",)),
        "score": (10.0, ("tailor",)),
        "write": (2.0, ("tailor",)),
        "log": (1.0, ("write",)),
    }

    async def run(wait: Wait) -> None:
        graph = fw.Graph()
        for name, (took_s, needs) in takes.items():
            graph.add(partial(wait, took_s), name=name, needs=needs)
        result = await graph.run()
        assert result.ok

    return Job(
        name="tailoring: 8 steps, 76 s of work",
        stated="60 s, 58 s",
        sequential_s=sum(took_s for took_s, _ in takes.values()),
        bound_s=2.0 + 15.0 + 1.0 + 30.0 + 10.0,
        run=run,
    )


def jobs() -> Iterator[Job]:
    yield hooks(2, "50 % faster")
    yield hooks(3, "66 % faster")
    yield hooks(4, "75 % faster")
    yield hooks(6, "80 % faster")
    yield notes()
    yield scan()
    yield grading(3, "40–60 % faster")
    yield grading(5, "60–75 % faster")
    yield tailoring()


async def reached_s(job: Job, *, divided_by: float = 1.0) -> float:
    """How long a job takes, in its own seconds, on the running loop's clock."""

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds / divided_by)

    loop = asyncio.get_running_loop()
    began = loop.time()
    await job.run(wait)
    return (loop.time() - began) * divided_by


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=float, help="real time, with every wait divided by this")
    divided_by = parser.parse_args().real
    heads = f"{'job':44} {'stated':31} {'sequential':>10} {'bound':>8} {'reached':>8} {'ratio':>6}"
    print(f"{heads} {'faster':>7}")
    for job in jobs():
        if divided_by is None:
            took_s = run_virtual(reached_s(job))
        else:
            took_s = min(asyncio.run(reached_s(job, divided_by=divided_by)) for _ in range(3))
        print(
            f"{job.name:44} {job.stated:31} {job.sequential_s:8.1f} s {job.bound_s:6.2f} s"
            f" {took_s:6.2f} s {took_s / job.bound_s:6.3f}"
            f" {1 - took_s / job.sequential_s:6.0%}"
        )


if __name__ == "__main__":
    main()
