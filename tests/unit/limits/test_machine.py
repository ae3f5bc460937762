"""This machine as a limit."""

import asyncio
import math

import pytest

from fanwise.clock import LoopClock
from fanwise.limits.limiter import Limiter
from fanwise.limits.machine import Load, at_once
from fanwise.limits.settings import Limits
from fanwise.records import Verdict
from fanwise.testing.virtual import run_virtual


@pytest.mark.parametrize(
    "load",
    [Load(lag_s=0.3), Load(cpu=0.99, lag_s=0.06), Load(memory=0.95), Load(descriptors=0.95)],
)
def test_a_busy_machine_starts_no_more_than_is_in_flight(load):
    assert at_once(load, cap=math.inf, in_flight=40) == 40
    assert at_once(load, cap=30.0, in_flight=40) == 30


@pytest.mark.parametrize("load", [Load(), Load(cpu=1.0), Load(lag_s=0.1, cpu=0.5)])
def test_a_machine_with_air_is_no_limit(load):
    assert at_once(load, cap=math.inf, in_flight=40) == math.inf


def test_one_that_drowns_goes_back_and_never_below_one():
    cap = math.inf
    for _ in range(100):
        cap = at_once(Load(memory=0.99), cap=cap, in_flight=40)
    assert cap == 1


def test_one_that_has_air_again_comes_back_within_seconds():
    cap, looks = 10.0, 0
    while cap < math.inf:
        cap, looks = at_once(Load(), cap=cap, in_flight=100), looks + 1
    assert looks < 40


def test_the_machine_is_named_where_it_binds():
    async def main():
        limit = Limiter(Limits(concurrency=100), clock=LoopClock())
        permits = [await limit.acquire() for _ in range(10)]
        limit.bear(Load(lag_s=0.5))
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(1)
        assert limit.waiting_by_cause() == {"cpu": 1}
        for _ in range(20):
            limit.bear(Load())
        (await waiting).settle(Verdict(kind="served"))
        for permit in permits:
            permit.settle(Verdict(kind="served"))
        assert limit.concurrency == 100

    run_virtual(main())


def test_the_stated_limit_is_named_where_the_machine_was_busy_just_below_it():
    async def main():
        limit = Limiter(Limits(concurrency=100), clock=LoopClock())
        permits = [await limit.acquire() for _ in range(97)]
        limit.bear(Load(lag_s=0.5))  # three were just between an answer and the next request
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(1)
        assert limit.waiting_by_cause() == {"concurrency": 1}
        permits.pop().settle(Verdict(kind="served"))
        permits.append(await waiting)
        for permit in permits:
            permit.settle(Verdict(kind="served"))

    run_virtual(main())
