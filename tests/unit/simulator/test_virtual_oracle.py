"""The oracle against sums that can be done by hand."""

import math

import pytest

from fanwise.simulator.virtual.oracle import MeanCost, Oracle
from fanwise.simulator.virtual.spec import (
    Acceleration,
    Allowance,
    Drift,
    Outage,
    ProviderSpec,
    Slots,
    Step,
)


def served(spec, until_s, *, units=(1.0,), service_s=1.0, cv2=0.0):
    units = units if spec.allowances else ()
    cost = MeanCost(units=units, service_s=service_s, service_cv2=cv2)
    return Oracle(spec, cost, horizon_s=until_s).served(until_s)


def requests(per_minute, burst_s=1.0):
    return Allowance(dimension="requests", per_minute=per_minute, burst_s=burst_s)


def test_a_bucket_gives_its_burst_and_its_flow():
    spec = ProviderSpec(allowances=(requests(600, burst_s=10),))
    assert served(spec, 60) == pytest.approx(100 + 600)


def test_the_scarcest_dimension_counts():
    tokens = Allowance(dimension="tokens", per_minute=6000, burst_s=1)
    spec = ProviderSpec(allowances=(requests(600), tokens))
    assert served(spec, 60, units=(1.0, 50.0)) == pytest.approx(2 + 120)


def test_slots_are_a_flow_of_their_number_over_the_time_each_takes():
    spec = ProviderSpec(slots=Slots(count=10))
    assert served(spec, 100, service_s=2.0) == pytest.approx(5 + 500)
    assert served(spec, 100, service_s=2.0, cv2=1.0) == pytest.approx(10 + 500)


def test_steps_outages_and_drifts_are_integrated():
    halved = ProviderSpec(allowances=(requests(600),), events=(Step(at_s=30, factor=0.5),))
    assert served(halved, 60) == pytest.approx(10 + 300 + 150, abs=1)
    out = ProviderSpec(allowances=(requests(600),), events=(Outage(from_s=20, until_s=40),))
    assert served(out, 60) == pytest.approx(10 + 400 + 10, abs=2)  # full again after it
    slow = ProviderSpec(slots=Slots(count=10), events=(Drift(from_s=49, until_s=50, factor=2.0),))
    assert served(slow, 100) == pytest.approx(5 + 500 + 250, abs=6)


def test_acceleration_doubles_at_best():
    spec = ProviderSpec(
        allowances=(requests(600, burst_s=0.1),),
        acceleration=Acceleration(start=0.1, doubling_s=10),
    )
    grown = 10 / math.log(2) * (2 ** (20 / 10) - 1)  # the integral of 2 ** (t / 10) over 20 s
    assert served(spec, 20) == pytest.approx(grown, abs=1)


def test_the_time_for_a_number_is_the_inverse_of_the_number_by_a_time():
    oracle = Oracle(
        ProviderSpec(allowances=(requests(600),)),
        MeanCost(units=(1.0,), service_s=1.0),
        horizon_s=100,
    )
    assert oracle.time_for(110) == pytest.approx(10, abs=0.2)
    assert oracle.time_for(1e9) == math.inf
    assert oracle.between(10, 20) == pytest.approx(100)
