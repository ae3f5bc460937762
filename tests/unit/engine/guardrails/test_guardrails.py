"""Guardrails: the window, the rules, the rollout, and the state that maps share."""

from __future__ import annotations

import random
from collections import deque

import pytest

import fanwise as fw
from fanwise.engine.guardrails.rollout import bucket_of, flag_allows, in_rollout
from fanwise.engine.guardrails.rules import Rules, Share, State, Window, step
from fanwise.errors import ConfigError
from fanwise.progress import shares as ruling


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def guardrails(hand: Hand, **options: object) -> fw.Guardrails:
    return fw.Guardrails(clock=hand, env={}, **options)  # type: ignore[arg-type]


def test_a_window_counts_what_is_in_it_to_a_twentieth() -> None:
    chance = random.Random(5)
    window, all_of = Window(60.0), deque[tuple[float, int]]()
    now = 0.0
    for _ in range(3000):
        now += chance.expovariate(2.0)
        hit = int(chance.random() < 0.3)
        window.add(now, hits=hit, of=1)
        all_of.append((now, hit))
        least = [h for at, h in all_of if at > now - 57]
        most = [h for at, h in all_of if at > now - 60]
        assert len(least) <= window.of <= len(most)
        assert sum(least) <= window.hits <= sum(most)


def test_a_window_is_empty_after_a_long_silence() -> None:
    window = Window(10.0)
    window.add(1.0, hits=0.1, of=3)
    window.advance(1000.0)
    assert (window.hits, window.of) == (0.0, 0)


def shares(failures: float, samples: int = 100) -> tuple[Share, ...]:
    return (Share(name="failures", samples=samples, share=failures, threshold=0.2),)


@pytest.mark.parametrize(
    ("failures", "samples", "learning", "trips"),
    [
        (0.21, 50, False, True),
        (0.20, 50, False, False),
        (0.90, 49, False, False),
        (0.90, 50, True, False),
    ],
)
def test_a_share_above_its_threshold_trips_with_samples_enough(
    failures: float, samples: int, learning: bool, trips: bool
) -> None:
    state, change = step(Rules(), State(), shares(failures, samples), now=5.0, learning=learning)
    assert (change == "tripped") == trips == (state.since == 5.0)


def test_it_recovers_after_a_whole_window_under_half_the_threshold() -> None:
    rules, state = Rules(window_s=60), State("failures", 0.0)
    changes: list[tuple[float, str]] = []
    for now, share in [(10, 0.15), (20, 0.05), (50, 0.11), (60, 0.05), (119, 0.0), (120, 0.0)]:
        state, change = step(rules, state, shares(share), now=now, learning=False)
        if change:
            changes.append((now, change))
    assert changes == [(120, "recovered")]
    assert state == State()


def trip_and_recover() -> list[tuple[str, float]]:
    hand = Hand()
    seen: list[tuple[str, float]] = []
    guard = guardrails(
        hand, min_samples=10, window_s=20, on_event=lambda e: seen.append((e.kind, e.at_s))
    )
    for second in range(100):
        hand.now = float(second)
        guard.observe(ended=1, failed=int(10 <= second < 20))
        guard.check()
    return seen


def test_failures_trip_it_and_calm_brings_it_back() -> None:
    (tripped, first_at), (recovered, then_at) = trip_and_recover()
    assert (tripped, recovered) == ("tripped", "recovered")
    assert 12 <= first_at <= 15
    assert then_at >= 20 + 18 + 20


def test_without_the_rule_of_calm_it_would_come_back_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ruling, "calm", lambda shares: True)
    assert trip_and_recover()[1][1] < 20 + 18 + 20


def test_refused_requests_and_a_busy_pool_trip_it_too() -> None:
    hand = Hand()
    guard = guardrails(hand, min_samples=10)
    guard.observe(requests=100, rate_limited=6)
    guard.check()
    assert guard.degraded.startswith("rate-limited 6.0% of 100")
    use = [0.5]
    pooled = guardrails(hand, min_samples=10, pool_use=lambda: use[0])
    for _ in range(20):
        pooled.check()
    assert not pooled.degraded
    use[0] = 1.0
    for _ in range(40):
        pooled.check()
    assert pooled.degraded.startswith("pool use")
    assert pooled.statistics().pool == pytest.approx((20 * 0.5 + 40) / 60)


def test_a_mismatched_result_trips_at_once() -> None:
    hand = Hand()
    guard = guardrails(hand, window_s=10)
    guard.mismatch("asked for study-notes, got slides")
    assert guard.degraded == "mismatched result: asked for study-notes, got slides"
    guard.mismatch("again")
    assert guard.statistics().trips == 1
    guard.check()
    hand.now = 11.0
    guard.check()
    assert not guard.degraded


@pytest.mark.parametrize(("value", "allowed"), [("false", False), ("0", False), ("", True)])
def test_the_flag_forces_one_after_another(value: str, allowed: bool) -> None:
    env = {"FANWISE_PARALLEL": value}
    assert flag_allows("FANWISE_PARALLEL", env) is allowed
    assert flag_allows("FANWISE_PARALLEL", {})
    forbidden = fw.Guardrails(env=env).forbids_parallel()
    assert bool(forbidden) is not allowed


def test_a_rollout_is_the_same_for_a_user_every_time_and_grows() -> None:
    users = [f"user-{n}" for n in range(4000)]
    for percent in (10, 50, 90):
        inside = {user for user in users if in_rollout(user, percent)}
        assert abs(len(inside) / 4000 - percent / 100) < 0.03
        assert inside <= {user for user in users if in_rollout(user, percent + 5)}
    assert bucket_of("user-1") == 68
    assert not in_rollout("user-1", 0)
    assert in_rollout("user-1", 100)


def test_a_rollout_goes_by_user_else_by_request_and_wants_one() -> None:
    guard = fw.Guardrails(rollout_percent=50, env={})
    inside = next(f"u{n}" for n in range(99) if in_rollout(f"u{n}", 50))
    outside = next(f"u{n}" for n in range(99) if not in_rollout(f"u{n}", 50))
    assert guard.of(user=inside, request=outside).key == inside
    assert guard.of(request=outside).key == outside
    assert guard.forbids_parallel(inside) == ""
    assert guard.forbids_parallel(outside) == "not in the rollout of 50 %"
    with pytest.raises(ConfigError, match="cannot tell whose work"):
        guard.forbids_parallel()


@pytest.mark.parametrize(
    "options",
    [
        {"failures": 0},
        {"failures": 1.1},
        {"rate_limited": -1},
        {"pool": 0},
        {"window_s": 0},
        {"min_samples": 0},
        {"rollout_percent": 101},
    ],
)
def test_impossible_guardrails_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError) as refused:
        fw.Guardrails(**options)  # type: ignore[arg-type]
    assert refused.value.hint


def test_a_flag_that_is_no_flag_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither true nor false"):
        fw.Guardrails(env={"FANWISE_PARALLEL": "perhaps"}).forbids_parallel()
