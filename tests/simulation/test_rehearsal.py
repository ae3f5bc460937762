"""A rehearsal is deterministic, and its provider keeps its own limits."""

import math
from collections import Counter

import pytest

from fanwise.engine.rehearsal import rehearse
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.simulator.virtual.scenario import Load, Scenario
from fanwise.simulator.virtual.spec import Allowance, ProviderSpec, Slots, Speed

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
