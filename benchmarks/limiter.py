"""What a permit costs: CPU per acquire and settle, beside asyncio.Semaphore in the same minute.

    python benchmarks/limiter.py [--calls N] [--rounds N]

Prints microseconds per call (the best of some rounds) and their ratio to a bare semaphore that is
used the same way. The last lines show how evenly requests are paced on the real clock.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from fanwise.clock import SystemClock
from fanwise.limits.estimate import TokenEstimator
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Cost, Request, Usage, Verdict, user

SERVED = Verdict(kind="served")
LARGE = Cost(input_tokens=4000, output_tokens=1000)
USED = Usage(input_tokens=4000, output_tokens=600)
PLENTY = 1e15  # a quota that is counted and never binds

Step = Callable[[], Awaitable[None]]


def limiter(**limits: float | None) -> Limiter:
    return Limiter(Limits(**limits), clock=SystemClock())  # pyright: ignore[reportArgumentType]


def semaphore_step(places: int) -> Step:
    semaphore = asyncio.Semaphore(places)

    async def step() -> None:
        await semaphore.acquire()
        semaphore.release()

    return step


def limiter_step(limit: Limiter, cost: Cost, usage: Usage) -> Step:
    async def step() -> None:
        permit = await limit.acquire(cost)
        permit.settle(SERVED, usage=usage)

    return step


async def alone(step: Step, calls: int) -> float:
    """CPU seconds of one caller after the other, nobody waiting."""
    begun = time.process_time()
    for _ in range(calls):
        await step()
    return time.process_time() - begun


def held_step_of_semaphore(places: int) -> Step:
    semaphore = asyncio.Semaphore(places)

    async def step() -> None:
        async with semaphore:
            await asyncio.sleep(0)

    return step


def held_step_of_limiter(limit: Limiter, cost: Cost, usage: Usage) -> Step:
    async def step() -> None:
        permit = await limit.acquire(cost)
        await asyncio.sleep(0)
        permit.settle(SERVED, usage=usage)

    return step


async def crowded(step: Step, calls: int, *, tasks: int = 1000) -> float:
    """CPU seconds with 1000 tasks at ten places: nearly everybody always waits."""

    async def task() -> None:
        for _ in range(calls // tasks):
            await step()

    begun = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(task())
    return time.process_time() - begun


async def best(measure: Callable[[], Awaitable[float]], calls: int, rounds: int) -> float:
    return min([await measure() for _ in range(rounds)]) / calls * 1e6


async def costs(calls: int, rounds: int) -> None:
    no_use = Usage()
    one = Cost()
    everything = {"rpm": PLENTY, "tpm": PLENTY, "input_tpm": PLENTY, "output_tpm": PLENTY}
    free: list[tuple[str, Step]] = [
        ("asyncio.Semaphore", semaphore_step(10)),
        ("concurrency", limiter_step(limiter(concurrency=10), one, no_use)),
        ("+ rpm", limiter_step(limiter(rpm=PLENTY), one, no_use)),
        ("+ rpm, tpm, 5000 tokens", limiter_step(limiter(rpm=PLENTY, tpm=PLENTY), LARGE, USED)),
        ("+ all four quotas, 5000 tokens", limiter_step(limiter(**everything), LARGE, USED)),
    ]
    print(f"{'nobody waits':34} {'µs a call':>10} {'× semaphore':>12}")
    base = 0.0
    for name, step in free:
        spent = await best(lambda step=step: alone(step, calls), calls, rounds)
        base = base or spent
        print(f"{name:34} {spent:10.2f} {spent / base:12.1f}")
    held: list[tuple[str, Callable[[], Step]]] = [
        ("asyncio.Semaphore", lambda: held_step_of_semaphore(10)),
        ("concurrency", lambda: held_step_of_limiter(limiter(concurrency=10), one, no_use)),
        (
            "+ rpm, tpm, 5000 tokens",
            lambda: held_step_of_limiter(
                limiter(concurrency=10, rpm=PLENTY, tpm=PLENTY), LARGE, USED
            ),
        ),
    ]
    print(f"\n{'1000 tasks at 10 places':34} {'µs a call':>10} {'× semaphore':>12}")
    base = 0.0
    for name, make in held:
        spent = await best(lambda make=make: crowded(make(), calls), calls, rounds)
        base = base or spent
        print(f"{name:34} {spent:10.2f} {spent / base:12.1f}")


def estimates(calls: int, rounds: int) -> None:
    texts = {
        "1 KB of ASCII": "The quick brown fox. " * 50,
        "1000 characters of Russian": "Съешь же ещё этих булок. " * 40,
        "1000 characters of Chinese": "敏捷的棕色狐狸跳过懒狗" * 91,
    }
    print(f"\n{'estimate of tokens':34} {'µs a call':>10}")
    for name, text in texts.items():
        estimator = TokenEstimator()
        request = Request(model="sim/default", messages=[user(text)])
        spent = math.inf
        for _ in range(rounds):
            begun = time.process_time()
            for _ in range(calls):
                estimator.estimate(request)
            spent = min(spent, time.process_time() - begun)
        print(f"{name:34} {spent / calls * 1e6:10.2f}")


async def pacing(rpm: float, seconds: float) -> None:
    limit = limiter(concurrency=math.inf, rpm=rpm)
    clock = SystemClock()
    begun = clock.monotonic()
    times: list[float] = []
    while clock.monotonic() - begun < seconds:
        permit = await limit.acquire()
        times.append(clock.monotonic())
        permit.settle(SERVED)
    rate = (len(times) - 1) / (times[-1] - times[0])
    allowed = rpm / 60
    most = max(
        (j - i + 1) - (times[j] - times[i]) * allowed
        for i in range(len(times))
        for j in range(i, min(i + 40, len(times)))
    )
    print(
        f"rpm={rpm:g} for {seconds:g} s: {rate:.2f}/s, {100 * (rate / allowed - 1):+.2f} %; "
        f"furthest ahead of the even pace {most:.1f} requests (allowed {allowed * 0.1 + 1:.0f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(costs(options.calls, options.rounds))
    estimates(options.calls, options.rounds)
    print()
    asyncio.run(pacing(600, 5))
    asyncio.run(pacing(6000, 10))
    asyncio.run(pacing(60_000, 5))


if __name__ == "__main__":
    main()
