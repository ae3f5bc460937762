"""A rehearsal is deterministic, and its provider keeps its own limits."""

import asyncio
import math
from collections import Counter
from dataclasses import replace

import pytest

from fanwise.engine.rehearsal import rehearse
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.simulator.virtual.oracle import MeanCost, Oracle
from fanwise.simulator.virtual.quota import whole_cost
from fanwise.simulator.virtual.scenario import Load, Scenario
from fanwise.simulator.virtual.spec import Allowance, Outage, ProviderSpec, Slots, Speed, Step

BUCKET = Scenario(
    name="a bucket",
    provider=ProviderSpec(
        allowances=(Allowance(dimension="requests", per_minute=600, burst_s=2),),
        speed=Speed(first_token_s=1.0),
        error_share=0.02,
    ),
    duration_s=120,
)
SLOTS = Scenario(
    name="slots",
    provider=ProviderSpec(slots=Slots(count=10), speed=Speed(first_token_s=1.0)),
    duration_s=120,
)


def with_limits(**limits):
    return lambda clock: Limiter(Limits(**limits), clock=clock)


def kinds(trace):
    return Counter(one.kind for one in trace.sent)


def test_the_same_seed_gives_the_same_trace_and_another_one_another():
    first, again, other = (
        rehearse(BUCKET, with_limits(concurrency=30), seed=seed) for seed in (1, 1, 2)
    )
    assert first.sent == again.sent
    assert first.samples == again.samples
    assert first.sent != other.sent


@pytest.mark.parametrize("scenario", [BUCKET, SLOTS], ids=lambda s: s.name)
def test_a_provider_never_serves_above_its_limit(scenario):
    trace = rehearse(scenario, with_limits(concurrency=100), seed=3)
    served = kinds(trace)["served"]
    if scenario is BUCKET:
        assert served + kinds(trace)["infrastructure"] <= 10 * 120 + 20
    else:
        busy_s = sum(one.service_s for one in trace.sent)
        assert busy_s <= 10 * trace.ended_at
    assert kinds(trace)["rate"] + kinds(trace)["capacity"] > 0


def test_a_limiter_that_was_told_the_limit_is_hardly_refused():
    told = rehearse(BUCKET, with_limits(concurrency=math.inf, rpm=600), seed=1)
    assert kinds(told)["rate"] == 0
    assert kinds(told)["served"] >= 0.95 * 10 * 120


def test_so_many_requests_end_when_the_last_one_is_served():
    few = Scenario(name="few", provider=SLOTS.provider, load=Load(items=50), duration_s=600)
    trace = rehearse(few, with_limits(concurrency=10), seed=1)
    assert kinds(trace)["served"] == 50
    assert trace.ended_at < 30


MIXED = Scenario(
    name="two quotas, a step, an outage",
    provider=ProviderSpec(
        allowances=(
            Allowance(dimension="requests", per_minute=600, burst_s=5),
            Allowance(dimension="tokens", per_minute=300_000, burst_s=5),
        ),
        speed=Speed(first_token_s=1.0),
        advice="short",
        events=(Step(at_s=60, factor=0.5), Outage(from_s=100, until_s=110)),
    ),
    duration_s=150,
)


@pytest.mark.parametrize("scenario", [BUCKET, SLOTS, MIXED], ids=lambda s: s.name)
@pytest.mark.parametrize("concurrency", [20, 200])
def test_nobody_beats_the_oracle(scenario, concurrency):
    trace = rehearse(scenario, with_limits(concurrency=concurrency), seed=5)
    served = [one for one in trace.sent if one.kind == "served"]
    spec = scenario.provider
    mean_s = sum(one.work.service_s for one in served) / len(served)
    square = sum(one.work.service_s**2 for one in served) / len(served)
    cost = MeanCost(
        units=tuple(
            sum(whole_cost(allowance, one.work) for one in served) / len(served)
            for allowance in spec.allowances
        ),
        service_s=mean_s,
        service_cv2=square / mean_s**2 - 1.0,
    )
    oracle = Oracle(spec, cost, horizon_s=scenario.duration_s)
    assert len(served) <= 1.01 * oracle.served(scenario.duration_s) + 1


def test_no_retry_comes_before_its_retry_after():
    trace = rehearse(BUCKET, with_limits(concurrency=60), seed=2)
    refused_at = {}
    for one in sorted(trace.sent, key=lambda one: one.granted_at):
        known = refused_at.get(one.work.number)
        if known is not None:
            assert one.asked_at >= known
        if one.kind == "rate":
            refused_at[one.work.number] = one.ended_at + 0.001


def test_clients_with_a_limiter_each_share_one_provider():
    pair = replace(BUCKET, clients=2, stagger_s=10.0)
    trace = rehearse(pair, with_limits(concurrency=20), seed=1)
    assert {one.client for one in trace.sent} == {0, 1}
    assert min(one.asked_at for one in trace.sent if one.client == 1) == 10.0
    served = sum(one.kind != "rate" for one in trace.sent)
    assert served <= 10 * 120 + 20
    assert trace.failed == [0, 0]


def test_requests_that_come_by_themselves_are_not_more_than_came():
    calm = replace(BUCKET, load=Load(arrivals_per_s=2.0))
    trace = rehearse(calm, with_limits(concurrency=math.inf), seed=4)
    assert 150 < kinds(trace)["served"] < 330
    assert kinds(trace)["rate"] == 0


def test_a_limiter_that_forgets_to_grant_is_noticed():
    class Stubborn:
        async def acquire(self, cost):
            await asyncio.get_running_loop().create_future()

    endless = replace(BUCKET, load=Load(items=3))
    trace = rehearse(endless, lambda clock: Stubborn(), seed=1)
    assert trace.sent == []
