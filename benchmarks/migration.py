"""The same work done the usual way and with Fanwise, against one simulated service.

    python benchmarks/migration.py

Seconds are virtual, so that every row comes out the same on any machine. The rows of LangChain and
tenacity need those packages beside Fanwise (langchain-core, tenacity) and are left out, with a
word, where they are missing.
"""

from __future__ import annotations

import asyncio
import importlib
import random
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.journal.memory_home import MemoryHome
from fanwise.testing import open_test_run, run_virtual

ITEMS = 1000
RATE = 600
RATED = "600 items, 10 a second"
BOUND = f"the service allows no less than {(RATE - 20) / 10 + 0.5:.1f} s"
LOST = "{service.answered} answers came that nobody took"
WRONG = "and {service.misplaced} answers in places of other items"
CUT_AT_S = 30.0


class Busy(Exception):
    """A refusal as the clients of HTTP raise it: a status and the answer's headers."""

    def __init__(self, status_code: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status_code}: try again later")
        self.status_code = status_code
        self.headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:.3f}"}


@dataclass(slots=True, kw_only=True)
class Service:
    """Answers numbers.

    Args:
        slots: Requests that it works on at once; one more is refused with a 503.
        per_s: Requests a second, 20 at once after idle time; one more is refused with a 429 and an
            exact Retry-After.
        bad: The number that it never answers: it fails with a ``ValueError`` after half a second.
    """

    slots: int | None = None
    per_s: float | None = None
    bad: int | None = None
    sent: int = 0
    refused: int = 0
    answered: int = 0
    in_work: int = 0
    misplaced: int = 0
    full_at_s: float = field(default=0.0, init=False)

    async def ask(self, number: int) -> int:
        """One request: a second on average, between a half and one and a half."""
        self.sent += 1
        now_s = asyncio.get_running_loop().time()
        if self.slots is not None and self.in_work >= self.slots:
            self._refuse(503)
        if self.per_s is not None:
            due_s = max(self.full_at_s, now_s) + 1 / self.per_s
            if due_s - now_s > 20 / self.per_s + 1e-9:
                self._refuse(429, due_s - now_s - 20 / self.per_s)
            self.full_at_s = due_s
        self.in_work += 1
        try:
            if number == self.bad:
                await asyncio.sleep(0.5)
                raise ValueError(number)
            await asyncio.sleep(random.Random(number).uniform(0.5, 1.5))
        finally:
            self.in_work -= 1
        self.answered += 1
        return 2 * number

    def _refuse(self, status: int, retry_after_s: float | None = None) -> None:
        self.refused += 1
        raise Busy(status, retry_after_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way of doing one piece of work, and what came of it.

    Args:
        work: The piece of work.
        way: Which way.
        answers: Answers in the program's hands at the end.
        sent: Requests sent.
        refused: Of them, refused.
        wall_s: Seconds, virtual, until the program went on.
        more: What else is to be seen.
    """

    work: str
    way: str
    answers: int
    sent: int
    refused: int
    wall_s: float
    more: str = ""

    def __str__(self) -> str:
        return (
            f"{self.work:24} {self.way:34} {self.answers:>8} {self.sent:>8} {self.refused:>8}"
            f" {self.wall_s:>8.1f} s  {self.more}"
        )


Way = Callable[[Service], Awaitable[list[Any]]]


def measure(work: str, way: str, service: Service, run: Way, more: str = "") -> Row:
    """Does a piece of work in virtual time."""

    async def main() -> tuple[list[Any], float]:
        began = asyncio.get_running_loop().time()
        answers = await run(service)
        return answers, asyncio.get_running_loop().time() - began

    answers, wall_s = run_virtual(main())
    return Row(
        work=work,
        way=way,
        answers=len([answer for answer in answers if isinstance(answer, int)]),
        sent=service.sent,
        refused=service.refused,
        wall_s=wall_s,
        more=more.format(service=service),
    )


def values(outcomes: Any) -> list[Any]:
    return [outcome.value for outcome in outcomes if outcome.ok]


# asyncio.gather


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


# a semaphore


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


# p-limit


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


# LangChain


def chain_of(service: Service) -> Any:
    lambdas = importlib.import_module("langchain_core.runnables").RunnableLambda

    def never(number: int) -> int:
        raise NotImplementedError

    return lambdas(never, afunc=service.ask)


async def abatch(service: Service) -> list[Any]:
    random.seed(7)  # of its jitter
    chain = chain_of(service).with_retry(stop_after_attempt=6)
    config = {"max_concurrency": 20}
    answers = await chain.abatch(list(range(RATE)), config=config, return_exceptions=True)
    right = [answer for number, answer in enumerate(answers) if answer == 2 * number]
    service.misplaced = sum(isinstance(answer, int) for answer in answers) - len(right)
    return right


async def cut(work: Awaitable[Any]) -> None:
    """The process dies half-way."""
    try:
        async with asyncio.timeout(CUT_AT_S):
            await work
    except TimeoutError:
        return
    raise AssertionError("it was done before the cut")


async def abatch_cut(service: Service) -> list[Any]:
    chain = chain_of(service)
    config = {"max_concurrency": 20}
    work = chain.abatch(list(range(ITEMS)), config=config, return_exceptions=True)
    await cut(work)
    return await chain.abatch(list(range(ITEMS)), config=config, return_exceptions=True)


async def resumed(service: Service) -> list[Any]:
    async def model(request: fw.Request) -> fw.Response:
        answer = await service.ask(int(str(request.messages[0].content)))
        return fw.Response(text=str(answer))

    async def ask(ctx: fw.Context, number: int) -> int:
        return int(await ctx.call("my/model", str(number)))

    home = MemoryHome(clock=LoopClock())

    async def session() -> list[Any]:
        limits = fw.Limits(concurrency=20)
        opened = open_test_run({"my/model": model}, home=home, limits=limits)
        async with opened as run:
            return values(await run.map(ask, range(ITEMS)).collect())

    await cut(session())
    return await session()


def rows_of_langchain() -> Iterator[Row]:
    work = f"1000, cut at {CUT_AT_S:.0f} s, again"
    if find_spec("langchain_core") is not None:
        yield measure(RATED, "abatch of 20, with_retry", Service(per_s=10), abatch, WRONG)
        yield measure(work, "abatch, 20 at once", Service(), abatch_cut)
    yield measure(RATED, "fw.Retry, 20 at once", Service(per_s=10), retried_20, BOUND)
    yield measure(work, "run.map, 20 at once", Service(), resumed)


# tenacity


async def tenacious(service: Service) -> list[Any]:
    tenacity = importlib.import_module("tenacity")
    random.seed(7)  # of tenacity's jitter
    ask = tenacity.retry(
        wait=tenacity.wait_random_exponential(min=1, max=60),
        stop=tenacity.stop_after_attempt(6),
        retry=tenacity.retry_if_exception_type(Busy),
        reraise=True,
    )(service.ask)
    places = asyncio.Semaphore(50)

    async def one(number: int) -> int:
        async with places:
            return await ask(number)

    asked = (one(number) for number in range(RATE))
    return await asyncio.gather(*asked, return_exceptions=True)


async def retried(service: Service, limits: fw.Limits) -> list[Any]:
    retry, chance = fw.Retry(), random.Random(7)
    outcomes = fw.map(service.ask, range(RATE), limits=limits, retry=retry, chance=chance)
    return values(await outcomes.collect())


async def retried_20(service: Service) -> list[Any]:
    return await retried(service, fw.Limits(concurrency=20))


async def retried_50(service: Service) -> list[Any]:
    return await retried(service, fw.Limits(concurrency=50))


async def retried_and_stated(service: Service) -> list[Any]:
    return await retried(service, fw.Limits(concurrency=50, rpm=600))


def rows_of_tenacity() -> Iterator[Row]:
    if find_spec("tenacity") is not None:
        yield measure(RATED, "tenacity, semaphore of 50", Service(per_s=10), tenacious, BOUND)
    yield measure(RATED, "fw.Retry, 50 at once", Service(per_s=10), retried_50, BOUND)
    yield measure(
        RATED, "fw.Retry, 50 at once, rpm=600", Service(per_s=10), retried_and_stated, BOUND
    )


def main() -> None:
    heads = f"{'work':24} {'way':34} {'answers':>8} {'sent':>8} {'refused':>8} {'time':>10}"
    print(heads)
    for rows in (
        rows_of_gather,
        rows_of_semaphore,
        rows_of_p_limit,
        rows_of_langchain,
        rows_of_tenacity,
    ):
        for row in rows():
            print(row)
    for name in ("tenacity", "langchain_core"):
        if find_spec(name) is None:
            print(f"{name} is not installed: its rows are left out")
    for line in lines_of_memory():
        print(line)


if __name__ == "__main__":
    main()
