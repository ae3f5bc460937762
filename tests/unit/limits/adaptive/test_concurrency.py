"""What refusals say of a concurrency, as plain values."""

import math
from dataclasses import replace

import pytest

from fanwise.limits.adaptive.concurrency import (
    Window,
    answered,
    begun,
    refused,
    stepped_back,
    waited,
)
from fanwise.limits.settings import Range

BOUNDS = Range(least=1, start=16, most=1000)


def window(**details):
    return Window(**{"limit": 16.0, "bounds": BOUNDS, **details})


def refuse(before, *, others, answered=10_000, now=0.0):
    return refused(before, others=others, answered=answered, latency_s=1.0, now=now)


def test_it_doubles_in_a_round_of_answers_before_the_first_refusal():
    seen = window()
    for _ in range(16):
        seen = answered(seen)
    assert seen.limit == 32


def test_a_limit_that_nobody_stated_opens_in_a_moment():
    seen, now, limits = begun(window(), now=0.0), 0.0, []
    while seen.limit < 16:
        limits.append(seen.limit)
        now = seen.until
        seen = waited(seen, now=now, any_answer=False)
    assert limits == [4, 8]
    assert now == pytest.approx(0.12)


def test_a_stated_limit_is_open_at_once():
    stated = Window(limit=16.0, bounds=Range(least=1, start=16, most=16))
    assert begun(stated, now=0.0).limit == 16


def test_silence_raises_it_to_64_and_no_further():
    seen, now = begun(window(), now=0.0), 0.0
    for _ in range(10):
        now += 1.0
        seen = waited(seen, now=now, any_answer=False)
    assert seen.limit == 64
    assert seen.until == math.inf


def test_an_isolated_refusal_goes_just_below_what_was_in_flight():
    seen = refuse(window(limit=64.0), others=48)
    assert 46 <= seen.limit < 48
    assert seen.phase == "hold"


def test_refusals_in_a_row_cut_by_a_share():
    seen = window(limit=64.0)
    for others in (64, 60, 57, 48):
        seen = refuse(seen, others=others, answered=0)
    assert 0.5 * 64 < seen.limit < 0.65 * 64


def test_what_was_in_flight_before_a_row_of_refusals_is_regained_quickly():
    seen = refuse(window(limit=64.0, phase="probe", step=1.0), others=60, answered=0)
    for others in (20, 5, 1):
        seen = refuse(seen, others=others, answered=0)
    assert seen.limit < 2
    seen = waited(seen, now=seen.until, any_answer=True)
    assert seen.phase == "regain"
    for _ in range(70):
        seen = answered(seen)
    assert seen.limit >= 0.95 * 60


def test_after_a_hold_it_looks_for_more_by_steps_that_double():
    seen = waited(refuse(window(limit=64.0), others=50), now=1e9, any_answer=True)
    assert seen.phase == "probe"
    before = seen.limit
    for _ in range(200):
        seen = answered(seen)
    assert before + 5 < seen.limit < 1.5 * before


def test_it_never_leaves_its_bounds():
    seen = window(limit=4.0, bounds=Range(least=4, start=4, most=6))
    for _ in range(100):
        seen = answered(seen)
    assert seen.limit == 6
    for _ in range(20):
        seen = refuse(seen, others=1, answered=0)
    assert seen.limit == 4


def test_refusals_at_other_levels_leave_more_room_than_those_at_the_same():
    shared = alone = window(limit=100.0)
    for others in (60, 40, 70, 45):
        shared = refuse(replace(shared, phase="probe", limit=100.0), others=others)
        alone = refuse(replace(alone, phase="probe", limit=100.0), others=60)
    assert shared.margin > 5 * alone.margin


def shared(limit, **details):
    return window(limit=limit, margin=0.12, level=limit, phase="probe", step=1.0, **details)


def test_clients_that_share_a_limit_stay_for_the_same_time_whatever_their_share():
    large, small = (refuse(shared(limit), others=int(limit)) for limit in (60.0, 6.0))
    assert large.until == small.until
    alone = [refuse(window(limit=float(n), level=float(n)), others=n) for n in (60, 6)]
    assert alone[0].until < alone[1].until


def test_clients_that_share_a_limit_look_for_more_by_equal_steps():
    def gained(before, rounds):
        seen = before
        for _ in range(rounds):
            for _ in range(int(seen.limit)):
                seen = answered(seen)
        return seen.limit - before.limit

    assert gained(shared(40.0), 6) == pytest.approx(gained(shared(10.0), 6), rel=0.1)
    alone = [window(limit=n, phase="probe", step=1.0) for n in (40.0, 10.0)]
    assert gained(alone[0], 6) > 2 * gained(alone[1], 6)


def test_what_is_refused_of_a_share_is_not_regained_at_once():
    seen = refuse(shared(20.0), others=20, answered=5)
    assert seen.limit == seen.peak < 19
    assert waited(seen, now=seen.until, any_answer=True).phase == "probe"
    alone = refuse(window(limit=20.0, phase="probe", step=1.0), others=20, answered=5)
    assert alone.peak == 20


def test_where_more_brought_no_more_it_goes_back_and_stays():
    seen = stepped_back(window(limit=200.0), 32.0, now=10.0)
    assert seen.limit == 40
    assert waited(seen, now=60.0, any_answer=True) is seen
