"""What calls of earlier runs say of a provider."""

from __future__ import annotations

import random

import pytest

from fanwise.engine.plans.history import Past, Served, Try
from fanwise.engine.plans.measured import fit_bucket, fit_slots, latency_of, measured
from fanwise.records import Request, user

CHANCE = random.Random("measured")


def served(written: int, took_s: float, *, text: str = "Say it: x", given: int = 20) -> Served:
    return Served(Request(model="lab/m", messages=(user(text),)), given, written, took_s)


def tried(at: float, kind="served", *, took_s: float = 1.0, tokens: int = 100) -> Try:
    return Try(at, at + took_s, kind, None, tokens if kind == "served" else 0)


def through_bucket(per_s: float, size: float, *, asked_per_s: float, seconds: float) -> list[Try]:
    """Attempts at an even pace against a token bucket."""
    level, tries, before = size, [], 0.0
    for n in range(int(asked_per_s * seconds)):
        at = n / asked_per_s
        level = min(size, level + (at - before) * per_s)
        before = at
        if level >= 1.0:
            level -= 1.0
            tries.append(tried(at))
        else:
            tries.append(tried(at, "rate", took_s=0.01))
    return tries


def test_latency_is_told_apart_from_length():
    ones = [served(n, 0.5 + 0.02 * n + CHANCE.gauss(0, 0.05)) for n in range(10, 200)]
    found = latency_of(ones)
    assert found.first_s == pytest.approx(0.5, abs=0.05)
    assert found.per_token_s == pytest.approx(0.02, rel=0.05)


def test_lengths_that_explain_nothing_are_left_out():
    ones = [served(CHANCE.randint(10, 50), CHANCE.lognormvariate(0, 0.5)) for _ in range(200)]
    found = latency_of(ones)
    assert found.per_token_s == 0.0
    assert found.first_s == pytest.approx(sum(one.took_s for one in ones) / 200)


def test_a_bucket_is_fitted_to_its_refusals():
    tries = through_bucket(10.0, 30.0, asked_per_s=25, seconds=20)
    found = fit_bucket(tries, lambda _: 1.0)
    assert found is not None
    assert found.per_s == pytest.approx(10.0, rel=0.03)
    assert found.size == pytest.approx(30.0, rel=0.1)


def test_without_refusals_over_some_seconds_no_bucket_is_known():
    assert fit_bucket([tried(n / 10) for n in range(100)], lambda _: 1.0) is None
    burst = [tried(0.0), tried(0.1, "rate"), tried(0.2, "rate")]
    assert fit_bucket(burst, lambda _: 1.0) is None


def test_slots_are_known_from_refusals_at_the_same_number_at_once():
    tries: list[Try] = []
    busy: list[float] = []
    for n in range(400):
        at = n * 0.05
        busy = [end for end in busy if end > at]
        if len(busy) < 12:
            busy.append(at + 1.0)
            tries.append(tried(at))
        else:
            tries.append(tried(at, "capacity", took_s=0.01))
    assert fit_slots(tries) == 12


def test_refusals_at_any_number_at_once_are_no_slots():
    tries = [tried(n * 0.05, "capacity" if CHANCE.random() < 0.05 else "served")
             for n in range(100)]  # fmt: skip
    tries += [tried(6 + n * 0.01) for n in range(100)]
    assert fit_slots(tries) is None


def past_of(ones: list[Served], tries: list[Try] | None = None, **more) -> Past:
    return Past(served=ones, tries=[tries or []], run_ids=["r1"], newest_s=1000.0, **more)


def test_what_a_provider_has_stated_counts_before_what_was_fitted():
    tries = through_bucket(10.0, 20.0, asked_per_s=25, seconds=20)
    learned = {"lab lab": {"stated": {"requests": 600.0}, "refused": 3}}
    past = past_of([served(10, 1.0)] * 20, tries, learned=learned)
    found = measured("lab/m", past, pool="lab lab", now_s=4600.0)
    assert found is not None
    (allowance,) = found.spec.allowances
    assert allowance.per_minute == 600.0
    assert allowance.size == pytest.approx(20.0, rel=0.1)
    assert found.spec.states_limits
    assert "20 calls of run r1, 1 h ago" in found.words
    assert "600 requests a minute" in found.words


def test_the_stated_limits_of_several_keys_add_up():
    learned = {
        f"lab lab {key}": {"stated": {"requests": 600.0}, "refused": 0} for key in ("K1", "K2")
    }
    past = past_of([served(10, 1.0)] * 20, learned=learned)
    found = measured("lab/m", past, pool="lab lab", now_s=1000.0)
    assert found is not None
    assert [one.per_minute for one in found.spec.allowances] == [1200.0]


def test_failures_keep_their_share_and_their_durations():
    tries = [tried(n) for n in range(95)] + [
        tried(200 + n, "infrastructure", took_s=7.0) for n in range(5)
    ]
    found = measured("lab/m", past_of([served(10, 1.0)] * 20, tries), pool="p", now_s=1000.0)
    assert found is not None
    (fault,) = found.faults
    assert fault.share == pytest.approx(0.05)
    assert set(fault.durations_s) == {7.0}


def test_tokens_follow_requests_of_the_same_kind():
    short = [served(5, 1.0, text=f"One word, please: {n}") for n in range(20)]
    long = [served(300, 1.0, text=f"Write a story of: {n}") for n in range(20)]
    found = measured("lab/m", past_of(short + long), pool="p", now_s=1000.0)
    assert found is not None
    asked = Request(model="lab/m", messages=(user("Write a story of: 99"),))
    assert found.tokens(asked).written == pytest.approx(300)
    asked = Request(model="lab/m", messages=(user("One word, please: 99"),))
    assert found.tokens(asked).written == pytest.approx(5)
    assert found.tokens(asked).given == pytest.approx(20, rel=0.1)


def test_answers_that_grow_with_their_question_are_expected_to():
    ones = [
        served(2 * n, 1.0, text="Repeat twice: " + "word " * n, given=n) for n in range(20, 120)
    ]
    found = measured("lab/m", past_of(ones), pool="p", now_s=1000.0)
    assert found is not None
    asked = Request(model="lab/m", messages=(user("Repeat twice: " + "word " * 100),))
    tokens = found.tokens(asked)
    assert tokens.written == pytest.approx(2 * tokens.given, rel=0.1)
    capped = Request(model="lab/m", messages=asked.messages, parameters={"max_tokens": 7})
    assert found.tokens(capped).written == 7


def test_a_handful_of_calls_is_nothing_to_go_by():
    assert measured("lab/m", past_of([served(5, 1.0)] * 4), pool="p", now_s=0.0) is None
