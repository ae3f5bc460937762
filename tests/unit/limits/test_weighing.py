"""A learned quota of tokens: what requests weigh, and when one of them may leave."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from fanwise.clock import LoopClock
from fanwise.limits import pace
from fanwise.limits.limiter import Limiter
from fanwise.limits.permit import Permit
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


def refused_again(*, weight):
    """How long requests are held back after a second refusal, at some ten a second."""
    learned = pace.Pace()
    learned.began(0.0)
    permits = [
        Permit(None, Cost(), (), 0, n, 1, at, 0.0, "nothing") for n, at in ((20, 2), (50, 5))
    ]
    for permit in permits:
        seen = replace(learned.seen(permit), weight=weight)
        now = permit.granted_at + 0.01
        meter = learned.refused(permit, seen, now=now, opens_at=now)
    return meter.quota.opens_at(meter.arrival) - permits[1].granted_at, learned.rate.per_s


def test_after_a_refusal_a_whole_request_flows_in_before_the_next_is_sent():
    held_s, per_s = refused_again(weight=1.0)
    assert held_s == pytest.approx(1.0 / per_s)
    assert held_s > 0.05


def test_where_even_the_next_one_was_refused_four_flow_in_before_another_is_sent():
    learned = pace.Pace()
    learned.began(0.0)
    held = []
    for number, at in ((20, 2.0), (60, 6.0), (61, 6.2), (100, 10.0), (140, 14.0), (180, 18.0)):
        permit = Permit(None, Cost(), (), 0, number, 1, at, 0.0, "nothing")
        meter = learned.refused(permit, learned.seen(permit), now=at, opens_at=at)
        held.append(round((meter.quota.opens_at(meter.arrival) - at) * learned.rate.per_s))
    assert held == [0, 1, 4, 4, 4, 1]


def test_what_was_refused_is_not_counted_as_taken():
    scale, cost = Scale(), Cost(input_tokens=500)
    permits = [Permit(None, cost, (), 0, number, 1, 0.0, 0.0, "nothing") for number in (1, 2)]
    for permit in permits:
        scale.sent(permit.number, cost)
    scale.came(permits[0], Usage(input_tokens=600, output_tokens=0), taken=True)
    scale.came(permits[1], Usage(), taken=False)
    assert scale.total == 600
    assert scale.mean_used == 600


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


def test_counted_in_requests_a_quota_of_tokens_is_refused_far_more_or_serves_less(monkeypatch):
    _, _, share, refused = learned()
    monkeypatch.setattr(pace, "Scale", NeverTokens)
    _, _, share_without, refused_without = learned()
    assert share_without < 0.9 * share or refused_without > 2 * refused


def test_only_a_refusal_gives_a_quota_of_tokens_back():
    learned, cost = pace.Pace(), Cost(input_tokens=500)
    learned.scale, learned.meter = Scale(), meter()
    learned.meter.take(cost, 0.0)
    permit = Permit(None, cost, (learned.meter,), 0, 1, 1, 0.0, 0.0, "nothing")
    before = learned.meter.arrival
    learned.came(permit, Usage(), sent=True, refused=False)
    learned.came(permit, Usage(), sent=False, refused=False)
    assert learned.meter.arrival == before
    learned.came(permit, Usage(), sent=True, refused=True)
    assert learned.meter.arrival == pytest.approx(before - 0.5)


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
