"""Rehearsals of planned runs, against sums that can be done by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fanwise.engine.plans.knowledge import Fault, Knowledge, Latency, Tokens
from fanwise.engine.plans.machine import Machine
from fanwise.engine.plans.outlook import Demand, look_ahead
from fanwise.engine.plans.rehearsed import Ask, Chain, Setting, rehearse
from fanwise.errors import ConfigError
from fanwise.limits.settings import Limits
from fanwise.records import Request, Schema, user
from fanwise.retry.policy import Retry
from fanwise.simulator.virtual.spec import Allowance, ProviderSpec, Slots, Speed

AT_ONCE = Speed(first_token_s=0.0, sigma=0.0, network_s=0.0, refusal_s=0.01)
SCHEMA = Schema(name="mood", definition={"type": "object"})


def known(
    *,
    latency_s: float = 1.0,
    sigma: float = 0.0,
    faults: tuple[Fault, ...] = (),
    model: str = "lab/m",
    pool: str = "lab lab",
    allowances: tuple[Allowance, ...] = (),
    slots: Slots | None = None,
) -> Knowledge:
    return Knowledge(
        model=model,
        pool=pool,
        basis="measured",
        words="",
        latency=Latency(first_s=latency_s, sigma=sigma),
        spec=ProviderSpec(speed=AT_ONCE, allowances=allowances, slots=slots),
        faults=faults,
        tokens=lambda request: Tokens(100, 50),
    )


def chains(
    count: int, *, calls: int = 1, model: str = "lab/m", schema: Schema | None = None
) -> list[Chain]:
    request = Request(model=model, messages=(user("hello"),), schema=schema)
    return [[Ask(request, 100, 50)] * calls for _ in range(count)]


def setting(*knowledge: Knowledge, limits: Limits, machine: Machine | None = None) -> Setting:
    return Setting(
        limits=limits,
        retry=Retry(),
        known={one.model: one for one in knowledge},
        machine=machine or Machine(),
    )


def outlook(count: int, under: Setting, *, items: int | None = None):
    return look_ahead(Demand(items=items or count, chains=chains(count)), under)[0]


def test_it_takes_calls_times_latency_over_concurrency():
    seen = rehearse(chains(200), setting(known(), limits=Limits(concurrency=20)))
    assert seen.ended_at[-1] == pytest.approx(10.0, rel=0.01)
    assert seen.sent == {"lab/m": 200}
    assert (seen.refused, seen.failed) == (0, 0)


def test_calls_of_one_item_follow_each_other():
    seen = rehearse(chains(3, calls=4), setting(known(), limits=Limits(concurrency=20)))
    assert seen.ended_at == pytest.approx([4.0] * 3, rel=0.01)


def test_the_same_seed_gives_the_same_rehearsal():
    under = setting(known(sigma=0.8), limits=Limits(concurrency=5))
    assert rehearse(chains(50), under) == rehearse(chains(50), under)
    assert rehearse(chains(50), replace(under, seed=1)) != rehearse(chains(50), under)


def test_what_is_durable_before_a_send_holds_its_permit():
    slow = Machine(commit_s=0.5)
    seen = rehearse(chains(100), setting(known(), limits=Limits(concurrency=10), machine=slow))
    assert seen.ended_at[-1] == pytest.approx(15.0 + 1.0, rel=0.05)


def test_a_processor_does_one_thing_after_another():
    busy = Machine(call_s=0.1)
    under = setting(known(latency_s=0.01), limits=Limits(concurrency=50), machine=busy)
    assert rehearse(chains(100), under).ended_at[-1] == pytest.approx(10.0, rel=0.02)
    assert outlook(100, under).binds == "this machine"


def test_faults_are_sent_again_and_answers_of_a_wrong_shape_are_paid_for():
    faults = (Fault(share=0.2, kind="failed"), Fault(share=0.1, kind="invalid"))
    under = setting(known(faults=faults), limits=Limits(concurrency=50))
    seen = rehearse(chains(1000, schema=SCHEMA), under)
    assert seen.sent["lab/m"] == pytest.approx(1000 / 0.8 * 1.125, rel=0.06)
    assert seen.given["lab/m"] == pytest.approx(100_000 * 1.125, rel=0.06)
    assert seen.failed < 60
    plain = rehearse(chains(1000), under)
    assert plain.given["lab/m"] == pytest.approx(100_000, rel=0.03)


def test_items_whose_calls_always_fail_are_counted_as_failed():
    broken = known(faults=(Fault(share=1.0, kind="failed"),))
    seen = rehearse(chains(10), setting(broken, limits=Limits(concurrency=5)))
    assert seen.failed == 10
    assert seen.sent == {"lab/m": 30}


def test_models_of_one_pool_share_its_limits():
    two = (known(), known(model="lab/n"))
    items = [*chains(50), *chains(50, model="lab/n")]
    seen = rehearse(items, setting(*two, limits=Limits(concurrency=10)))
    assert seen.ended_at[-1] == pytest.approx(10.0, rel=0.02)
    apart = (known(), known(model="lab/n", pool="other other"))
    items = [chain for pair in zip(chains(50), chains(50, model="lab/n"), strict=True)
             for chain in pair]  # fmt: skip
    seen = rehearse(items, setting(*apart, limits=Limits(concurrency=10)))
    assert seen.ended_at[-1] == pytest.approx(5.0, rel=0.05)


def test_concurrency_of_ones_own_binds_and_more_of_it_helps():
    found = outlook(400, setting(known(), limits=Limits(concurrency=20)))
    assert found.likely_s == pytest.approx(20.0, rel=0.02)
    assert found.binds == "concurrency"
    gains = {gain.raised: gain.time_s for gain in found.gains}
    assert gains[40] == pytest.approx(10.0, rel=0.05)
    assert gains[100] == pytest.approx(4.0, rel=0.1)


def test_of_two_limits_that_bind_at_once_ones_own_is_named():
    full = known(slots=Slots(count=20))
    found = outlook(400, setting(full, limits=Limits(concurrency=20)))
    assert found.binds == "concurrency"
    assert not found.gains


def test_a_rate_of_the_provider_binds():
    paced = known(allowances=(Allowance(dimension="requests", per_minute=600, burst_s=1),))
    found = outlook(300, setting(paced, limits=Limits(concurrency=100)))
    assert found.binds == "provider's requests"
    assert found.likely_s == pytest.approx(30.0, rel=0.1)


def test_a_long_run_goes_on_at_the_pace_of_its_rehearsal():
    under = setting(known(sigma=0.3), limits=Limits(concurrency=50))
    found = outlook(500, under, items=100_000)
    assert found.likely_s == pytest.approx(100_000 / 50, rel=0.04)
    assert found.rehearsed == 500


def test_a_burst_that_lasts_for_a_rehearsal_is_not_taken_for_the_pace():
    hoard = Allowance(dimension="requests", per_minute=60, burst_s=1000)
    under = setting(known(allowances=(hoard,)), limits=Limits(concurrency=100))
    found = outlook(500, under, items=10_000)
    assert found.likely_s == pytest.approx(9000, rel=0.05)


def test_a_run_that_would_take_weeks_is_refused():
    with pytest.raises(ConfigError, match="two weeks"):
        outlook(30, setting(known(), limits=Limits(rpm=0.001)))


def test_latency_is_drawn_from_what_was_measured():
    import random

    measured = Latency(first_s=1.0, per_token_s=0.1, residuals=(-0.5, 0.5))
    drawn = {round(measured.draw(random.Random(n), 10), 9) for n in range(20)}
    assert drawn == {1.5, 2.5}
    spread = Latency(first_s=1.0, sigma=0.5)
    mean = sum(spread.draw(random.Random(n), 0) for n in range(4000)) / 4000
    assert mean == pytest.approx(1.0, rel=0.05)
    assert math.isfinite(mean)
