"""What programs take from elsewhere: LangChain's ``abatch``, tenacity's ``retry``."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Awaitable, Iterator
from importlib.util import find_spec
from typing import Any

from benchmarks.migration.service import (
    BOUND,
    CUT_AT_S,
    ITEMS,
    RATE,
    RATED,
    WRONG,
    Busy,
    Row,
    Service,
    measure,
    values,
)

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.journal.memory_home import MemoryHome
from fanwise.testing import open_test_run


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
