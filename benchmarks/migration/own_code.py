"""What programs write themselves: ``gather``, a semaphore, a limiter as p-limit's."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from benchmarks.migration.service import (
    BOUND,
    ITEMS,
    LOST,
    RATE,
    RATED,
    Row,
    Service,
    measure,
    values,
)

import fanwise as fw
from fanwise.testing import run_virtual


async def gather(service: Service) -> list[Any]:
    try:
        return await asyncio.gather(*(service.ask(number) for number in range(ITEMS)))
    except ValueError:
        await asyncio.sleep(5)  # the program goes on, and so do the calls that were begun
        return []


async def gather_errors(service: Service) -> list[Any]:
    asked = (service.ask(number) for number in range(ITEMS))
    return await asyncio.gather(*asked, return_exceptions=True)


async def mapped(service: Service) -> list[Any]:
    limits = fw.Limits(concurrency=1000)
    return values(await fw.map(service.ask, range(ITEMS), limits=limits).collect())


async def mapped_in_slots(service: Service) -> list[Any]:
    limits = fw.Limits(concurrency=50)
    return values(
        await fw.map(service.ask, range(ITEMS), limits=limits, retry=fw.Retry()).collect()
    )


def rows_of_gather() -> Iterator[Row]:
    yield measure("one bad item of 1000", "gather", Service(bad=40), gather, LOST)
    yield measure("one bad item of 1000", "gather, errors", Service(bad=40), gather_errors)
    yield measure("one bad item of 1000", "fw.map", Service(bad=40), mapped)
    yield measure("1000 items, 50 slots", "gather, errors", Service(slots=50), gather_errors)
    yield measure("1000 items, 50 slots", "fw.map, 50 at once", Service(slots=50), mapped_in_slots)


async def semaphore(service: Service, *, at_once: int = 20, count: int = RATE) -> list[Any]:
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> int:
        async with places:
            return await service.ask(number)

    asked = (one(number) for number in range(count))
    return await asyncio.gather(*asked, return_exceptions=True)


async def paced(service: Service, *, at_once: int = 20, count: int = RATE) -> list[Any]:
    limits = fw.Limits(concurrency=at_once, rpm=600)
    return values(await fw.map(service.ask, range(count), limits=limits).collect())


async def counted(service: Service, *, count: int) -> int:
    done = 0
    async with fw.map(service.ask, range(count), limits=fw.Limits(concurrency=1000)) as outcomes:
        async for outcome in outcomes:
            done += outcome.ok
    return done


def memory_mb(run: Callable[[], Awaitable[Any]]) -> float:
    """The most memory in use while it runs, in MB."""

    async def main() -> None:
        await run()

    tracemalloc.start()
    run_virtual(main())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def rows_of_semaphore() -> Iterator[Row]:
    yield measure(RATED, "semaphore of 20", Service(per_s=10), semaphore, BOUND)
    yield measure(RATED, "fw.map, 20 at once, rpm=600", Service(per_s=10), paced, BOUND)


def lines_of_memory() -> Iterator[str]:
    for count in (2000, 20_000):
        before = memory_mb(lambda n=count: semaphore(Service(), at_once=1000, count=n))
        after = memory_mb(lambda n=count: counted(Service(), count=n))
        yield (
            f"{count} items, 1000 at once: memory at most {before:.1f} MB with a semaphore, "
            f"{after:.1f} MB with fw.map"
        )


def p_limit(at_once: int) -> Callable[..., Awaitable[Any]]:
    """A function that starts others, so many at once, as p-limit does in JavaScript."""
    places = asyncio.Semaphore(at_once)

    async def limit(function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        async with places:
            return await function(*args)

    return limit


async def limited(service: Service) -> list[Any]:
    limit = p_limit(10)
    try:
        return await asyncio.gather(*(limit(service.ask, number) for number in range(200)))
    except ValueError:
        await asyncio.sleep(60)  # the program goes on, and so does the queue
        return []


async def parallel(service: Service) -> list[Any]:
    try:
        return await fw.parallel(
            [lambda n=number: service.ask(n) for number in range(200)],
            limits=fw.Limits(concurrency=10),
        )
    except ValueError:
        await asyncio.sleep(60)
        return []


async def settled(service: Service) -> list[Any]:
    operations = [lambda n=number: service.ask(n) for number in range(200)]
    return values(await fw.settle(operations, limits=fw.Limits(concurrency=10)))


def rows_of_p_limit() -> Iterator[Row]:
    work = "the third of 200 fails"
    yield measure(work, "p-limit of 10, gather", Service(bad=2), limited, LOST)
    yield measure(work, "fw.parallel, 10 at once", Service(bad=2), parallel)
    yield measure(work, "fw.settle, 10 at once", Service(bad=2), settled)
