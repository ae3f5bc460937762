"""A learned quota of tokens: what requests weigh, and when one of them may leave."""

import asyncio
from itertools import pairwise

import pytest

from fanwise.clock import LoopClock
from fanwise.limits import pace, weighing
from fanwise.limits.limiter import Limiter
from fanwise.limits.quota import Quota
from fanwise.limits.settings import Limits
from fanwise.limits.weighing import Prepaid, Scale
from fanwise.records import Cost, Usage, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")
RATE = Verdict(kind="rate", retry_after_s=0.05)


def meter(per_s=1000.0):
    return Prepaid(Quota(dimension="tokens", per_minute=60 * per_s, burst_s=0.05), Scale())


def leave(one, cost, now):
    """The instant at which a request leaves that waits from now on."""
    at = max(now, one.opens_at(cost.input_tokens + cost.output_tokens))
    one.take(cost, at)
    return at


def test_a_request_waits_until_its_tokens_have_flowed_in():
    one = meter()
    leave(one, Cost(input_tokens=100), 0.0)
    assert leave(one, Cost(input_tokens=500), 0.0) == pytest.approx(0.1 + 0.5, abs=0.06)


def test_who_is_larger_than_a_second_s_worth_is_paid_for_by_who_follows():
    one = meter()
    leave(one, Cost(input_tokens=100), 0.0)
    large = leave(one, Cost(input_tokens=10_000), 0.0)
    assert 1.0 < large < 1.6
    assert leave(one, Cost(input_tokens=100), 0.0) == pytest.approx(10.2, abs=0.1)


def test_the_pace_is_kept_over_requests_of_all_sizes():
    one, costs = meter(), [Cost(input_tokens=50 + 97 * n % 900) for n in range(200)]
    ends = [leave(one, cost, 0.0) for cost in costs]
    assert ends == sorted(ends)
    sent = sum(cost.input_tokens for cost in costs)
    assert sent / (ends[-1] - ends[0]) == pytest.approx(1000, rel=0.02)
    for (before, _), (after, cost) in pairwise(zip(ends, costs, strict=True)):
        assert after - before == pytest.approx(cost.input_tokens / 1000, abs=0.06)


def test_idle_time_is_not_saved_up():
    one = meter()
    leave(one, Cost(input_tokens=100), 0.0)
    assert leave(one, Cost(input_tokens=300), 60.0) == 60.0
    assert leave(one, Cost(input_tokens=300), 60.0) == pytest.approx(60.3, abs=0.06)


def test_what_was_refused_took_nothing():
    refused, spared = meter(), meter()
    cost = Cost(input_tokens=400, output_tokens=200)
    for one in (refused, spared):
        leave(one, Cost(input_tokens=10), 0.0)
    at = leave(refused, cost, 0.0)
    refused.put_right(cost, Usage(), at)
    refused.give_back(cost)
    assert refused.arrival == pytest.approx(spared.arrival, abs=0.06)


async def token_bucket(limit, *, per_s, seconds, size, workers=60):
    """Requests of 100 tokens and a few of 4000 against a bucket of tokens; served and refused."""
    loop = asyncio.get_running_loop()
    level, at, number = size, loop.time(), 0
    until, counts = loop.time() + seconds, {"served": 0, "refused": 0}

    async def work():
        nonlocal level, at, number
        while loop.time() < until:
            number += 1
            tokens = 4000 if number % 40 == 0 else 100
            while loop.time() < until:
                permit = await limit.acquire(Cost(input_tokens=tokens))
                level = min(size, level + (loop.time() - at) * per_s)
                at = loop.time()
                taken = level >= min(tokens, size)
                level -= tokens * taken
                await asyncio.sleep(0.1 if taken else 0.01)
                counts["served" if taken else "refused"] += tokens if taken else 1
                permit.settle(SERVED if taken else RATE, usage=Usage(input_tokens=tokens))
                if taken:
                    break
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return counts["served"], counts["refused"]


def learned(seconds=300):
    async def main():
        limit = Limiter(Limits(), clock=LoopClock())
        tokens, refused = await token_bucket(limit, per_s=5000, seconds=seconds, size=5000.0)
        return limit.statistics(), repr(limit), tokens / (5000 * seconds), refused

    return run_virtual(main())


def test_a_quota_of_tokens_that_nobody_stated_is_learned_as_one():
    seen, text, share, refused = learned()
    assert share > 0.85
    assert refused < 120  # of some 7000 requests
    assert seen.learned_tpm == pytest.approx(300_000, rel=0.15)
    assert seen.learned_rpm == pytest.approx(300_000 / 198, rel=0.2)
    assert "tokens a minute" in text


class NeverTokens(Scale):
    def judge(self, permit, stretch):
        return False


@pytest.mark.parametrize("gone", ["tokens", "prepaid", "give back"])
def test_without_one_of_its_parts_more_is_refused_or_less_served(monkeypatch, gone):
    _, _, share, refused = learned()
    if gone == "tokens":
        monkeypatch.setattr(pace, "Scale", NeverTokens)
    elif gone == "prepaid":
        monkeypatch.setattr(weighing, "_AHEAD_S", 0.0)
    else:
        monkeypatch.setattr(Prepaid, "give_back", lambda self, cost: None)
    _, _, share_without, refused_without = learned()
    assert share_without < 0.97 * share or refused_without > 1.3 * refused


def test_requests_of_all_sizes_against_a_bucket_of_requests_are_counted_as_requests():
    async def main():
        limit = Limiter(Limits(), clock=LoopClock())
        loop = asyncio.get_running_loop()
        level, at, number = 20.0, 0.0, 0

        async def work():
            nonlocal level, at, number
            while loop.time() < 120:
                number += 1
                permit = await limit.acquire(Cost(input_tokens=100 + 37 * number % 900))
                level = min(20.0, level + (loop.time() - at) * 20)
                at = loop.time()
                taken = level >= 1
                level -= taken
                await asyncio.sleep(0.1)
                permit.settle(SERVED if taken else RATE)

        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(work())
        return limit.statistics()

    seen = run_virtual(main())
    assert seen.learned_tpm is None
    assert seen.learned_rpm == pytest.approx(1200, rel=0.1)
