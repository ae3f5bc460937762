"""Whether and when to try again."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import ConfigError, StateError
from fanwise.records import Verdict
from fanwise.retry.policy import Again, GiveUp, Retry, backoff_bound_s, decide


class Highest(random.Random):
    """The longest jitter there can be."""

    def uniform(self, a, b):
        return b


class Lowest(random.Random):
    def uniform(self, a, b):
        return a


def ask(kind, policy=Retry(), *, retry_after_s=None, chance=None, **facts):  # noqa: B008 - frozen
    details = {
        "transient_failures": 1,
        "refusals": 1,
        "waited_s": 0.0,
        "now": 1000.0,
        "deadline": math.inf,
        "last_success": 1000.0,
    }
    return decide(
        policy,
        verdict=Verdict(kind=kind, retry_after_s=retry_after_s),
        chance=chance or random.Random(0),
        **(details | facts),
    )


def test_a_terminal_failure_is_given_up():
    assert ask("terminal") == GiveUp(cause="terminal")


@pytest.mark.parametrize("kind", ["served", "cancelled"])
def test_what_is_no_failure_is_misuse(kind):
    with pytest.raises(StateError, match=kind):
        ask(kind)


def test_attempts_that_failed_on_the_way_are_counted():
    policy = Retry(max_attempts=3)
    assert isinstance(ask("infrastructure", policy, transient_failures=2), Again)
    end = ask("infrastructure", policy, transient_failures=3)
    assert end == GiveUp(cause="attempts", reason="after 3 attempts")


def test_one_attempt_means_no_second():
    end = ask("infrastructure", Retry(max_attempts=1), transient_failures=1)
    assert end == GiveUp(cause="attempts", reason="after 1 attempt")


@pytest.mark.parametrize("kind", ["rate", "capacity"])
def test_refusals_spend_no_attempt(kind):
    policy = Retry(max_attempts=1)
    assert isinstance(ask(kind, policy, transient_failures=0, refusals=50), Again)


def test_the_backoff_bound_doubles_up_to_its_cap():
    policy = Retry(base_s=0.5, cap_s=60)
    bounds = [backoff_bound_s(policy, failures) for failures in range(1, 10)]
    assert bounds == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff_bound_s(policy, 10_000) == 60


def test_jitter_is_full():
    policy = Retry(max_attempts=99, base_s=1, cap_s=64)
    chance = random.Random(3)
    waits = [
        ask("infrastructure", policy, transient_failures=5, chance=chance).wait_s
        for _ in range(4000)
    ]
    assert min(waits) < 0.1
    assert max(waits) > 15.9
    assert sum(waits) / len(waits) == pytest.approx(8, rel=0.05)


@pytest.mark.parametrize("kind", ["rate", "capacity", "infrastructure"])
def test_a_retry_after_is_waited_out_in_full_and_the_jitter_comes_on_top(kind):
    assert ask(kind, retry_after_s=7.0, chance=Lowest()).wait_s == 7.0
    assert ask(kind, retry_after_s=7.0, chance=Highest()).wait_s == 7.5


def test_a_retry_after_beyond_the_cap_ends_the_call_with_its_reason():
    end = ask("rate", retry_after_s=1e9)
    assert end.cause == "retry_after"
    assert "1000000000 s" in end.reason
    assert "300 s" in end.reason
    assert isinstance(ask("rate", retry_after_s=300), Again)


def test_a_wait_that_would_reach_the_deadline_is_given_up_at_once():
    end = ask("rate", retry_after_s=10, deadline=1005.0, chance=Lowest())
    assert end.cause == "deadline"
    assert "10.0 s" in end.reason
    assert "5.0 s away" in end.reason
    assert isinstance(ask("rate", retry_after_s=10, deadline=1010.1, chance=Lowest()), Again)


def test_a_deadline_that_has_passed_is_given_up():
    assert ask("infrastructure", deadline=999.0).cause == "deadline"


@pytest.mark.parametrize("kind", ["rate", "capacity"])
def test_a_pool_that_serves_nothing_for_too_long_loses_its_calls(kind):
    policy = Retry(patience_s=900)
    assert isinstance(ask(kind, policy, last_success=101.0), Again)
    end = ask(kind, policy, last_success=100.0)
    assert end == GiveUp(cause="patience", reason="nothing was served for 900 s")


def test_one_call_refused_for_ever_ends_while_others_are_served():
    facts = {"waited_s": 1000.0, "last_success": 1000.0}
    assert isinstance(ask("rate", refusals=9, **facts), Again)
    end = ask("rate", refusals=10, **facts)
    assert end.cause == "patience"
    assert "refused 10 times in 1000 s" in end.reason


def test_a_long_queue_alone_is_no_reason_to_give_up():
    assert isinstance(ask("rate", refusals=2, waited_s=50_000.0), Again)


@settings(deadline=None)
@given(
    kind=st.sampled_from(["rate", "capacity", "infrastructure"]),
    retry_after_s=st.none() | st.floats(0, 1e6),
    failures=st.integers(1, 200),
    left_s=st.floats(-10, 1e6),
    idle_s=st.floats(0, 2000),
    seed=st.integers(0, 1000),
)
def test_no_wait_undercuts_the_server_or_reaches_the_deadline(
    *, kind, retry_after_s, failures, left_s, idle_s, seed
):
    policy = Retry()
    decision = ask(
        kind,
        policy,
        retry_after_s=retry_after_s,
        transient_failures=failures,
        refusals=failures,
        deadline=1000.0 + left_s,
        last_success=1000.0 - idle_s,
        chance=random.Random(seed),
    )
    if isinstance(decision, Again):
        asked_s = retry_after_s or 0.0
        assert asked_s <= decision.wait_s <= asked_s + policy.cap_s
        assert decision.wait_s < left_s
        assert kind != "infrastructure" or failures < policy.max_attempts
        assert kind == "infrastructure" or idle_s < policy.patience_s
    else:
        assert decision.reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", 2.5),
        ("max_attempts", True),
        ("content_attempts", 0),
        ("base_s", 0),
        ("base_s", -1),
        ("base_s", math.nan),
        ("cap_s", 0.1),
        ("patience_s", 0),
        ("retry_after_cap_s", -5),
    ],
)
def test_an_impossible_policy_is_refused_by_name_and_value(name, value):
    with pytest.raises(ConfigError) as caught:
        Retry(**{name: value})
    assert f"{name}={value!r}" in caught.value.message
    assert caught.value.hint
