from __future__ import annotations

from decimal import Decimal

import pytest

from fanwise.progress.live import Progress, eta_range
from fanwise.progress.window import SlidingSum
from fanwise.progress.words import (
    LimitFacts,
    duration,
    learned_limit,
    money,
    number,
    percent,
    what_limits,
)
from fanwise.records import CallKey, CallRecord, Counters, ErrorInfo, ItemRecord, Usage


class HandClock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def wall(self):
        return 1_700_000_000.0 + self.now


def call(model="sim/default", *, state="served", cost="0.001", cached=False):
    return CallRecord(
        key=CallKey("item", "0" * 32),
        state=state,
        model=model,
        usage=Usage(input_tokens=30, output_tokens=10),
        cost_usd=None if cost is None else Decimal(cost),
        cached=cached,
    )


def item(state="succeeded", *, cached=False):
    error = ErrorInfo(kind="timeout", message="late") if state == "failed" else None
    return ItemRecord(item_id="item", position=0, state=state, error=error, cached=cached)


def test_a_snapshot_counts_what_was_told():
    clock = HandClock()
    progress = Progress(clock, total=10)
    for _ in range(3):
        progress.item_started()
        progress.call_started("sim/default")
    progress.retried()
    progress.refused()
    progress.call_finished(call())
    progress.call_finished(call(state="failed"))
    clock.now += 2.0
    progress.item_finished(item())
    progress.item_finished(item("failed"))
    progress.observe({"rate": 4}, source_waiting=False, in_flight=1, limit=20, lag_s=0.0)
    snapshot = progress.snapshot()
    assert (snapshot.items_done, snapshot.items_succeeded, snapshot.items_failed) == (2, 1, 1)
    assert snapshot.items_in_progress == 1
    assert (snapshot.calls, snapshot.refusals, snapshot.retries) == (2, 1, 1)
    assert (snapshot.in_flight, snapshot.waiting, snapshot.concurrency_limit) == (1, 4, 20)
    assert snapshot.items_per_s == pytest.approx(1.0)
    assert snapshot.tokens_per_s == pytest.approx(40.0)
    assert (snapshot.input_tokens, snapshot.output_tokens) == (60, 20)
    assert snapshot.cost_usd == Decimal("0.002")
    assert snapshot.elapsed_s == pytest.approx(2.0)
    assert snapshot.limited_by == "rate"
    assert snapshot.share == pytest.approx(0.2)
    (model,) = snapshot.models
    assert (model.model, model.open, model.served, model.failed) == ("sim/default", 1, 1, 1)


def test_an_unknown_price_is_never_zero():
    progress = Progress(HandClock())
    for cost in ("0.5", None):
        progress.call_started("m")
        progress.call_finished(call("m", cost=cost))
    snapshot = progress.snapshot()
    assert snapshot.cost_usd is None
    assert snapshot.priced_usd == Decimal("0.5")
    assert snapshot.unpriced_calls == 1
    assert money(snapshot.cost_usd) == "?"


def test_a_cached_call_costs_nothing_and_has_a_known_price():
    progress = Progress(HandClock())
    progress.call_started("m")
    progress.call_finished(call("m", cost=None, cached=True))
    snapshot = progress.snapshot()
    assert snapshot.cost_usd == 0
    assert snapshot.input_tokens == 0
    assert snapshot.models[0].cached == 1


def test_a_resumed_run_goes_on_from_its_totals():
    before = Counters(succeeded=5, failed=2, calls=9, attempts=12, rate_limited=1, input_tokens=7)
    progress = Progress(HandClock(), before=before, total=10)
    progress.item_started()
    progress.item_finished(item(), replaces="failed")
    snapshot = progress.snapshot()
    assert (snapshot.items_succeeded, snapshot.items_failed, snapshot.items_done) == (6, 1, 7)
    assert (snapshot.calls, snapshot.retries, snapshot.refusals) == (9, 3, 1)


def test_what_is_given_up_is_no_longer_in_progress():
    progress = Progress(HandClock())
    progress.item_started()
    progress.call_started("m")
    progress.call_left("m")
    progress.item_left()
    snapshot = progress.snapshot()
    assert snapshot.items_in_progress == 0
    assert snapshot.models[0].open == 0
    assert snapshot.calls == 0


def test_the_share_never_falls():
    progress = Progress(HandClock(), total=2)
    progress.item_started()
    progress.item_finished(item())
    assert progress.snapshot().share == pytest.approx(0.5)
    progress.set_total(100)
    assert progress.snapshot().share == pytest.approx(0.5)
    progress.set_total(1)
    assert progress.snapshot().share == 1.0


def test_without_a_total_neither_share_nor_time_left_is_told():
    snapshot = Progress(HandClock()).snapshot()
    assert snapshot.share is None
    assert snapshot.eta_low_s is None
    assert snapshot.eta_high_s is None


def test_memory_does_not_grow_with_items():
    clock = HandClock()
    window = SlidingSum(start=clock.now)
    size = len(window._items)
    for _ in range(10_000):
        clock.now += 0.01
        window.add(clock.now, items=1, tokens=3)
    assert len(window._items) == size
    items_per_s, tokens_per_s = window.rates(clock.now)
    assert items_per_s == pytest.approx(100.0, rel=0.03)
    assert tokens_per_s == pytest.approx(300.0, rel=0.03)


def test_the_window_forgets_what_is_older_than_it():
    window = SlidingSum(start=0.0, window_s=10.0)
    window.add(1.0, items=50)
    assert window.rates(5.0)[0] == pytest.approx(10.0)
    assert window.rates(11.5)[0] == 0.0
    assert window.rates(500.0)[0] == 0.0


def test_the_time_left_is_a_range_around_both_rates():
    low_s, high_s = eta_range(100, worked=400, recent_per_s=10.0, mean_per_s=5.0)
    assert low_s == pytest.approx(100 / 11.0)
    assert high_s == pytest.approx(100 / 4.5)
    assert low_s < 10.0
    assert high_s > 20.0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 10, 1.0, 1.0), (0.0, 0.0)),
        ((5, 0, 0.0, 0.0), (None, None)),
        ((5, 50, 0.0, 0.0), (None, None)),
    ],
)
def test_the_time_left_at_the_edges(arguments, expected):
    remaining, worked, recent, mean = arguments
    assert eta_range(remaining, worked=worked, recent_per_s=recent, mean_per_s=mean) == expected


def test_few_ends_tell_no_upper_bound():
    low_s, high_s = eta_range(100, worked=3, recent_per_s=1.0, mean_per_s=1.0)
    assert low_s is not None
    assert high_s is None


@pytest.mark.parametrize(
    ("cause", "facts", "in_flight", "sentence"),
    [
        ("rate", LimitFacts(rpm=6000), 5, "The rate limit of 6,000 requests a minute"),
        ("rate", LimitFacts(), 5, "The provider's rate limit"),
        ("tokens", LimitFacts(tpm=200_000), 5, "The limit of 200,000 tokens a minute"),
        ("tokens", LimitFacts(output_tpm=90), 5, "The limit of 90 output tokens a minute"),
        (
            "concurrency",
            LimitFacts(concurrency=20, concurrency_option="-j"),
            20,
            "The limit of 20 calls at once (-j)",
        ),
        ("concurrency", LimitFacts(), 1, "The limit of 1 call at once"),
        (
            "concurrency",
            LimitFacts(concurrency=48, learned=True, concurrency_option="-j"),
            12,
            "What the provider takes at once, learned: about 48 calls",
        ),
        ("rate", LimitFacts(learned_rpm=5880), 5, "The provider's rate limit, learned: 98/s"),
        ("rate", LimitFacts(learned_rpm=30), 5, "The provider's rate limit, learned: 30 a minute"),
        ("rate", LimitFacts(rpm=60, learned_rpm=90), 5, "The rate limit of 60 requests a minute"),
        ("nothing", LimitFacts(), 3, "Nothing: all work is in flight"),
        ("nothing", LimitFacts(), 0, "Nothing"),
    ],
)
def test_one_plain_sentence_says_what_limits(cause, facts, in_flight, sentence):
    assert what_limits(cause, facts=facts, in_flight=in_flight) == sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.0, "0 s"),
        (0.0042, "4.2 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (4.23, "4.2 s"),
        (99.96, "1 min 40 s"),
        (185.2, "3 min 05 s"),
        (7_620.0, "2 h 07 min"),
        (-3.0, "−3.0 s"),
        (float("inf"), "∞"),
    ],
)
def test_durations_for_people(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "?"),
        (Decimal(0), "$0"),
        (Decimal("0.00001"), "<$0.0001"),
        (Decimal("0.01234"), "$0.0123"),
        (Decimal("1234.5"), "$1,234.50"),
    ],
)
def test_money_for_people(usd, text):
    assert money(usd) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(20, "20"), (6000.0, "6,000"), (41.23, "41.2"), (0.25, "0.25"), (float("inf"), "∞")],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "?"),
        (0.0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.052, "5.2 %"),
        (0.5, "50 %"),
        (0.998, "99.8 %"),
        (-3.2, "-320 %"),
        (1.0, "100 %"),
    ],
)
def test_percentages_for_people(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("rpm", "at_once", "words"),
    [(5880, 48, "98/s"), (30, 48, "30 a minute"), (None, 48, "about 48 calls at once"),
     (None, None, "")],
)  # fmt: skip
def test_a_learned_limit_in_words(rpm, at_once, words):
    assert learned_limit(rpm, at_once) == words
