from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.progress.account import CAUSES, Account, Sample, attribute, shares


def observe(account, now, waiting=None, *, source=False, in_flight=0, limit=20, lag_s=0.0):
    account.observe(
        now,
        waiting or {},
        source_waiting=source,
        in_flight=in_flight,
        limit=limit,
        lag_s=lag_s,
    )


def test_time_belongs_to_the_state_at_its_beginning():
    account = Account()
    observe(account, 10.0, {"rate": 2})
    observe(account, 13.0, {"concurrency": 5})
    observe(account, 14.0, {})
    observe(account, 15.0, {"rate": 100})
    assert account.statistics().limited_by == pytest.approx(
        {"rate": 3.0, "concurrency": 1.0, "nothing": 1.0}
    )


def test_waiting_calls_weigh_the_causes():
    account = Account()
    observe(account, 0.0, {"rate": 3, "retry wait": 1, "tokens": 0})
    observe(account, 2.0)
    assert account.statistics().limited_by == pytest.approx({"rate": 1.5, "retry wait": 0.5})


def test_lag_tells_of_the_interval_it_closes():
    account = Account(lag_threshold_s=0.05)
    observe(account, 0.0, in_flight=4)
    observe(account, 1.0, in_flight=4, lag_s=0.2)
    observe(account, 2.0, in_flight=4, lag_s=0.01)
    assert account.statistics().limited_by == pytest.approx({"cpu": 1.0, "nothing": 1.0})


@pytest.mark.parametrize(
    ("sample", "lag_s", "cause"),
    [
        (Sample(waiting={"tokens": 1}, source_waiting=True), 9.0, "tokens"),
        (Sample(source_waiting=True, in_flight=3, limit=4), 9.0, "cpu"),
        (Sample(source_waiting=True, in_flight=3, limit=4), 0.0, "source"),
        (Sample(source_waiting=True, in_flight=4, limit=4), 0.0, "nothing"),
        (Sample(source_waiting=False, in_flight=3, limit=4), 0.0, "nothing"),
        (Sample(source_waiting=True, in_flight=3, limit=math.inf), 0.0, "source"),
    ],
)
def test_what_waits_comes_before_lag_and_lag_before_the_source(sample, lag_s, cause):
    assert attribute(sample, lag_s=lag_s, lag_threshold_s=0.05) == {cause: 1.0}


def test_the_integrals_give_utilisation():
    account = Account()
    observe(account, 0.0, in_flight=10, limit=20)
    observe(account, 4.0, in_flight=20, limit=40)
    observe(account, 5.0, in_flight=0, limit=math.inf)
    observe(account, 9.0)
    statistics = account.statistics()
    assert statistics.in_flight_s == pytest.approx(60.0)
    assert statistics.limit_s == pytest.approx(120.0)
    assert statistics.observed_s == pytest.approx(9.0)


def test_a_clock_that_steps_back_takes_nothing_away():
    account = Account()
    observe(account, 5.0, {"rate": 1})
    observe(account, 3.0, {"rate": 1})
    observe(account, 6.0)
    assert account.statistics().observed_s == pytest.approx(1.0)


def test_now_follows_the_last_second_and_not_one_sample():
    account = Account()
    for step in range(100):
        observe(account, step * 0.1, {"rate": 8})
    observe(account, 10.0, {})
    observe(account, 10.1, {})
    assert account.now == "rate"
    for step in range(30):
        observe(account, 10.2 + step * 0.1, {})
    assert account.now == "nothing"


def test_now_is_told_from_the_first_sample():
    account = Account()
    assert account.now == "nothing"
    observe(account, 0.0, {"concurrency": 1})
    assert account.now == "concurrency"


STATES = st.tuples(
    st.floats(0.0, 100.0),
    st.dictionaries(st.sampled_from(CAUSES), st.integers(0, 10_000)),
    st.booleans(),
    st.integers(0, 5000),
    st.one_of(st.integers(1, 5000), st.just(math.inf)),
    st.floats(0.0, 1.0),
)


@given(st.lists(STATES, min_size=2, max_size=60))
def test_every_moment_is_accounted_for_once(states):
    account = Account()
    now = 0.0
    for span_s, waiting, source, in_flight, limit, lag_s in states:
        now += span_s
        observe(account, now, waiting, source=source, in_flight=in_flight, limit=limit, lag_s=lag_s)
    statistics = account.statistics()
    expected_s = math.fsum(span_s for span_s, *_ in states[1:])
    assert math.fsum(statistics.limited_by.values()) == pytest.approx(expected_s, abs=1e-6)
    assert abs(math.fsum(shares(statistics.limited_by).values()) - 1.0) < 1e-9


def test_shares_of_an_empty_account_say_nothing_was_seen():
    assert shares({}) == {"nothing": 1.0}


def test_shares_come_largest_first():
    assert list(shares({"rate": 1.0, "concurrency": 3.0, "cpu": 0.0})) == ["concurrency", "rate"]
