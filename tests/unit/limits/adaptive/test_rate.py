"""What refusals say of a rate, as plain values."""

import math

import pytest

from fanwise.limits.adaptive.rate import Evidence, Rate, grown, refused


def measured(per_s=100.0):
    return refused(
        Rate(per_s=per_s, peak_per_s=per_s),
        Evidence(admitted=round(per_s * 30), span_s=30, recent_per_s=per_s),
    )


def test_nothing_is_paced_before_anything_was_refused():
    assert Rate().per_s == math.inf
    assert grown(Rate(), elapsed_s=100).per_s == math.inf


def test_the_rate_between_two_refusals_is_taken_as_measured():
    rate = measured(100)
    assert rate.sure
    assert rate.peak_per_s == pytest.approx(100)
    assert 95 <= rate.per_s < 100


def test_a_first_refusal_is_a_guess_and_the_rate_doubles_until_the_next():
    rate = refused(Rate(), Evidence(admitted=30, span_s=1.0, anchored=False))
    assert not rate.sure
    later = grown(grown(rate, elapsed_s=1), elapsed_s=1)
    assert later.per_s == pytest.approx(4 * rate.per_s)


def test_bounds_far_apart_are_halved_on_a_scale_of_ratios():
    rate = refused(Rate(per_s=400, peak_per_s=400), Evidence(admitted=25, span_s=1.0, closed_s=0.9))
    assert 25 < rate.per_s < 0.9 * 400
    assert not rate.sure


def test_too_little_evidence_takes_a_tenth_off():
    rate = refused(Rate(per_s=10, peak_per_s=10), Evidence(admitted=1, span_s=0.2))
    assert rate.per_s == pytest.approx(9, rel=0.05)


def test_a_bound_far_below_it_cuts_deeper_but_never_by_more_than_a_third():
    before = Rate(per_s=10, peak_per_s=10)
    low = refused(before, Evidence(admitted=1, span_s=0.36))
    assert low.per_s == pytest.approx(0.97 * 3 / 0.36, rel=0.01)
    lowest = refused(before, Evidence(admitted=0, span_s=5.0))
    assert lowest.per_s == pytest.approx(0.97 * 7, rel=0.01)


def test_a_small_rate_looks_for_more_of_itself_than_a_large_one():
    def gained(per_s, seconds):
        rate = refused(
            Rate(per_s=per_s, peak_per_s=per_s), Evidence(admitted=per_s * 60, span_s=60)
        )
        for _ in range(seconds * 10):
            rate = grown(rate, elapsed_s=0.1)
        return rate.per_s / per_s

    assert gained(1, 45) > gained(6, 45) > 1.0


def test_refusals_in_a_row_take_it_below_what_was_measured():
    rate = measured(100)
    for _ in range(3):
        rate = refused(rate, Evidence(admitted=1000, span_s=10, refusals=2))
    assert 70 <= rate.per_s <= 90
    assert rate.peak_per_s == 100  # it comes back to what was measured by itself


def test_a_span_in_which_the_bucket_may_have_run_over_is_but_a_lower_bound():
    rate = refused(
        Rate(per_s=100, peak_per_s=50, measured=True),
        Evidence(admitted=500, span_s=10, recent_per_s=100, spare=80),
    )
    assert 60 < rate.per_s < 80
    assert not rate.sure


def test_a_span_is_a_measurement_where_the_bucket_was_seen_to_hold_what_was_spared():
    rate = refused(
        Rate(per_s=100, peak_per_s=50, measured=True),
        Evidence(admitted=500, span_s=10, recent_per_s=100, spare=80, held=100),
    )
    assert rate.sure
    assert 48 < rate.per_s < 53


def test_a_part_that_may_have_run_over_makes_the_whole_a_lower_bound():
    assert Evidence(admitted=500, span_s=10, uneven=True).rose
    assert not Evidence(admitted=500, span_s=10, spare=40).rose  # a second's worth is held by any


def test_growth_is_fast_at_first_rests_at_what_was_measured_and_goes_on_beyond():
    rate, seen = measured(100), []
    for _ in range(60):
        rate = grown(rate, elapsed_s=0.1)
        seen.append(rate.per_s)
    assert seen == sorted(seen)
    assert seen[20] == pytest.approx(100, rel=0.01)
    assert seen[40] == pytest.approx(100, rel=0.02)
    assert seen[-1] > 105


def test_ground_far_above_what_was_measured_is_taken_by_doubling():
    rate = measured(100)
    while rate.sure:
        rate = grown(rate, elapsed_s=0.1)
    assert rate.per_s > 110
    assert grown(rate, elapsed_s=2).per_s == pytest.approx(2 * rate.per_s)


def test_refused_often_it_keeps_further_away_and_hardly_ever_it_comes_closer():
    rate = measured(100)
    often = refused(rate, Evidence(admitted=30, span_s=0.3, recent_per_s=100))
    seldom = refused(rate, Evidence(admitted=3000, span_s=30, recent_per_s=100))
    assert often.margin > rate.margin > seldom.margin
