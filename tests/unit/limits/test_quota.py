"""The arithmetic of a quota, without any clock."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import ConfigError
from fanwise.limits.quota import UNUSED, Quota, amount_of, used_of
from fanwise.records import Cost, Usage


def per_second(rate, *, burst_s=0.1, dimension="requests"):
    return Quota(dimension=dimension, per_minute=rate * 60, burst_s=burst_s)


def admitted_at_once(quota, arrival, *, now, amount=1, most=1000):
    count = 0
    while quota.admit(arrival, now=now) and count < most:
        arrival = quota.reserve(arrival, amount, now=now)
        count += 1
    return count, arrival


def test_an_unused_quota_begins_without_a_burst():
    quota = per_second(100)
    count, arrival = admitted_at_once(quota, UNUSED, now=5.0)
    assert count == 1
    assert quota.wait_s(arrival, now=5.0) == pytest.approx(0.01)


def test_idle_time_earns_the_burst_plus_one_request_and_never_more():
    quota = per_second(100)
    _, arrival = admitted_at_once(quota, UNUSED, now=0.0)
    count, _ = admitted_at_once(quota, arrival, now=3600.0)
    assert count == 11


def test_a_slow_quota_lets_one_request_through_at_a_time():
    quota = per_second(1)
    count, arrival = admitted_at_once(quota, 0.0, now=100.0)
    assert count == 1
    assert quota.wait_s(arrival, now=100.0) == pytest.approx(0.9)


def test_a_request_larger_than_the_burst_passes_and_is_paid_for_afterwards():
    quota = per_second(100, dimension="tokens")
    arrival = quota.reserve(0.0, 5000, now=10.0)
    assert not quota.admit(arrival, now=59.0)
    assert quota.admit(arrival, now=60.0)


def test_the_wait_is_exactly_long_enough():
    quota = per_second(7)
    arrival = quota.reserve(3.0, 5, now=1.0)
    wait_s = quota.wait_s(arrival, now=1.0)
    assert not quota.admit(arrival, now=1.0 + wait_s * 0.999)
    assert quota.admit(arrival, now=1.0 + wait_s)
    assert quota.opens_at(arrival) == pytest.approx(1.0 + wait_s)


def test_what_was_reserved_too_much_is_given_back():
    quota = per_second(100, dimension="tokens")
    arrival = quota.reserve(10.0, 1000, now=10.0)
    arrival = quota.reconcile(arrival, reserved=1000, actual=200, now=11.0)
    assert arrival == pytest.approx(quota.reserve(10.0, 200, now=10.0))


def test_what_was_reserved_too_little_is_taken_even_from_a_full_quota():
    quota = per_second(100, dimension="tokens")
    arrival = quota.reserve(10.0, 100, now=10.0)
    arrival = quota.reconcile(arrival, reserved=100, actual=600, now=1000.0)
    assert quota.wait_s(arrival, now=1000.0) == pytest.approx(4.9)


def test_a_refund_earns_no_more_than_a_full_quota():
    quota = per_second(100)
    arrival = quota.reconcile(5.0, reserved=1000, actual=0, now=5.0)
    count, _ = admitted_at_once(quota, arrival, now=5.0)
    assert count == 11


def test_a_changed_quota_keeps_what_is_owed_in_units():
    slow, fast = per_second(10), per_second(100)
    arrival = slow.rescale(slow.reserve(0.0, 50, now=0.0), to=fast, now=0.0)
    assert arrival == pytest.approx(0.5)
    assert slow.rescale(-3.0, to=fast, now=0.0) == -3.0


@settings(deadline=None)
@given(
    rate=st.floats(0.1, 5000),
    burst_s=st.floats(0, 2),
    gaps=st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 500)), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_its_quota_the_burst_and_one_request(rate, burst_s, gaps):
    quota = per_second(rate, burst_s=burst_s, dimension="tokens")
    now, arrival, taken = 0.0, UNUSED, []
    for gap, amount in gaps:
        now += gap
        if quota.admit(arrival, now=now):
            arrival = quota.reserve(arrival, amount, now=now)
            taken.append((now, amount))
    for first, (since, _) in enumerate(taken):
        total = 0
        for at, amount in taken[first:]:
            assert total <= (at - since + burst_s + 1e-5) * rate + 1e-6
            total += amount


@settings(deadline=None)
@given(now=st.floats(0, 1e8), rate=st.floats(0.01, 1e5), amount=st.integers(1, 100_000))
def test_waiting_as_long_as_told_always_suffices(now, rate, amount):
    quota = per_second(rate)
    arrival = quota.reserve(now, amount, now=now)
    assert quota.admit(arrival, now=now + quota.wait_s(arrival, now=now))


@pytest.mark.parametrize("per_minute", [0, -1, math.nan, math.inf])
def test_an_impossible_quota_is_refused_with_its_value(per_minute):
    with pytest.raises(ConfigError, match=str(per_minute)):
        Quota(dimension="requests", per_minute=per_minute)


@pytest.mark.parametrize("burst_s", [-0.1, 61, math.nan])
def test_an_impossible_burst_is_refused(burst_s):
    with pytest.raises(ConfigError, match="burst"):
        Quota(dimension="requests", per_minute=60, burst_s=burst_s)


def test_each_dimension_counts_its_own():
    cost = Cost(requests=1, input_tokens=20, output_tokens=300)
    dimensions = ("requests", "tokens", "input_tokens", "output_tokens")
    assert [amount_of(cost, d) for d in dimensions] == [1, 320, 20, 300]
    usage = Usage(input_tokens=25, output_tokens=None)
    assert [used_of(cost, usage, d) for d in dimensions] == [1, 325, 25, 300]
