"""A forecast against sums that can be done by hand."""

import math

import pytest

from fanwise.engine.forecast import Demand, forecast
from fanwise.errors import ConfigError
from fanwise.limits.settings import Limits
from fanwise.simulator.profile import SimProfile
from fanwise.simulator.virtual.profiles import spec_of
from fanwise.simulator.virtual.spec import Allowance, ProviderSpec, Slots, Speed

QUIET = ProviderSpec(speed=Speed(first_token_s=2.0, sigma=0.3, network_s=0.0))


def test_calls_times_latency_over_concurrency():
    found = forecast(Demand(calls=1000), limits=Limits(concurrency=50), provider=QUIET)
    assert found.likely_s == pytest.approx(1000 * 2.0 / 50, rel=0.06)
    assert found.binds == "concurrency"
    assert found.gains["concurrency"] == pytest.approx(found.likely_s / 2, rel=0.1)
    assert found.low_s < 0.9 * found.likely_s
    assert found.high_s > 1.1 * found.likely_s
    assert found.refusals == 0


def test_a_stated_rate_binds_and_latency_then_matters_little():
    limits = Limits(concurrency=400, rpm=600)
    found = forecast(Demand(calls=900), limits=limits, provider=QUIET)
    assert found.likely_s == pytest.approx(90 + 2, rel=0.04)
    assert found.binds == "rpm"
    assert found.gains["rpm"] == pytest.approx(45 + 2, rel=0.06)
    assert found.high_s - found.low_s < 5


def test_tokens_bind_where_calls_are_large():
    demand = Demand(calls=500, input_tokens=1800, output_tokens=200, sigma=0.0)
    limits = Limits(concurrency=400, rpm=6000, tpm=600_000)
    found = forecast(demand, limits=limits, provider=QUIET)
    assert found.likely_s == pytest.approx(500 * 2000 / 10_000, rel=0.06)
    assert found.binds == "tpm"


def test_a_long_run_is_carried_on_from_its_beginning():
    limits = Limits(concurrency=300, rpm=3000)
    found = forecast(Demand(calls=1_000_000), limits=limits, provider=QUIET)
    assert found.likely_s == pytest.approx(1_000_000 / 50, rel=0.02)


def test_a_limit_of_the_provider_is_named_as_its_own():
    full = ProviderSpec(slots=Slots(count=20), speed=QUIET.speed)
    found = forecast(Demand(calls=400), limits=Limits(concurrency=20), provider=full)
    assert set(found.gains) == {"concurrency", "provider's slots"}
    bucket = ProviderSpec(
        allowances=(Allowance(dimension="requests", per_minute=300),), speed=QUIET.speed
    )
    found = forecast(Demand(calls=300), limits=Limits(concurrency=20, rpm=900), provider=bucket)
    assert found.binds == "provider's requests"
    assert found.likely_s == pytest.approx(60, rel=0.15)


def test_of_two_limits_that_are_alike_the_runs_own_is_named():
    bucket = ProviderSpec(
        allowances=(Allowance(dimension="requests", per_minute=600),), speed=QUIET.speed
    )
    found = forecast(Demand(calls=300), limits=Limits(concurrency=200, rpm=600), provider=bucket)
    assert found.binds == "rpm"
    assert found.gains["rpm"] > 0.9 * found.likely_s  # the provider's would still stand


def test_nothing_binds_a_single_call():
    found = forecast(Demand(calls=1), limits=Limits(concurrency=5), provider=QUIET)
    assert found.binds is None
    assert found.likely_s < 10


def test_a_profile_of_the_simulator_is_forecast_as_it_behaves():
    spec = spec_of(SimProfile(latency_s=0.2, rpm=600, burst=10, slots=50, tpm=60_000))
    assert [one.size for one in spec.allowances] == pytest.approx([10, 6000])
    limits = Limits(concurrency=30, rpm=600)
    demand = Demand(calls=600, input_tokens=20, output_tokens=5)
    found = forecast(demand, limits=limits, provider=spec)
    assert found.likely_s == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize(("calls", "uncertainty"), [(0, 1.2), (5, 0.5), (5, math.nan)])
def test_an_impossible_demand_is_refused(calls, uncertainty):
    with pytest.raises(ConfigError, match="cannot be forecast"):
        forecast(Demand(calls=calls), limits=Limits(), provider=QUIET, uncertainty=uncertainty)
