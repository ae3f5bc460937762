"""The rules of breakers, without a clock."""

from __future__ import annotations

import math

from fanwise.retry.breaker import (
    CLOSED,
    IN_A_ROW,
    LONGEST_WAIT_S,
    PERSISTING,
    RAMP_TO,
    BreakerState,
    admits_at,
    ended,
    let_through,
)


def failed(state: BreakerState, *, times: int = 1, now: float = 0.0, kind="infrastructure"):
    for _ in range(times):
        state = ended(state, kind, epoch=state.epoch, now=now)
    return state


def answered(state: BreakerState, *, kind="served", now: float = 0.0) -> BreakerState:
    return ended(state, kind, epoch=state.epoch, now=now)


def opened() -> BreakerState:
    return failed(CLOSED, times=IN_A_ROW)


def test_failures_in_a_row_open_it_and_one_answer_starts_the_count_anew():
    almost = failed(CLOSED, times=IN_A_ROW - 1)
    assert almost.mode == "closed"
    assert failed(almost).mode == "open"
    again = failed(answered(almost), times=IN_A_ROW - 1)
    assert again.mode == "closed"


def test_a_burst_of_refusals_for_capacity_is_the_limiters_business():
    state = failed(CLOSED, times=500, kind="capacity")
    assert state.mode == "closed"
    assert failed(state, kind="capacity", now=9.9).mode == "closed"
    assert failed(state, kind="capacity", now=10.0).mode == "open"


def test_a_call_that_fails_again_and_again_says_nothing_of_others():
    state = CLOSED
    for _ in range(1000):
        state = ended(state, "infrastructure", epoch=0, now=0.0, first=False)
    assert state == CLOSED
    probe = let_through(opened())
    again = ended(probe, "infrastructure", epoch=probe.epoch, now=1.0, first=False)
    assert again.mode == "open"


def test_few_failures_that_persist_open_it_too():
    state = failed(CLOSED, times=PERSISTING - 1)
    assert failed(state, now=60.0).mode == "open"
    assert failed(failed(CLOSED, times=PERSISTING - 2), now=60.0).mode == "closed"


def test_refusals_for_the_rate_and_rejections_show_that_somebody_is_there():
    for kind in ("rate", "terminal", "served"):
        state = answered(failed(CLOSED, times=IN_A_ROW - 1), kind=kind)
        assert failed(state).mode == "closed"


def test_one_probe_goes_out_after_a_wait_that_doubles():
    state, waits = opened(), []
    for _ in range(8):
        assert admits_at(state, under_way=0) == state.opens_at
        waits.append(state.wait_s)
        probe = let_through(state)
        assert probe.mode == "half open"
        assert admits_at(probe, under_way=0) == math.inf
        state = failed(probe, now=state.opens_at)
    assert waits == [1, 2, 4, 8, 16, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_a_probe_that_was_cancelled_makes_room_for_another():
    probe = let_through(opened())
    state = ended(probe, "cancelled", epoch=probe.epoch, now=5.0)
    assert (state.mode, state.opens_at, state.epoch) == ("open", 5.0, probe.epoch)


def test_an_answer_opens_the_way_in_steps():
    state = answered(let_through(opened()))
    assert state.mode == "ramp"
    assert admits_at(state, under_way=1) == -math.inf
    assert admits_at(state, under_way=2) == math.inf
    answers = 0
    while state.mode == "ramp":
        state, answers = answered(state), answers + 1
    assert state.mode == "closed"
    assert answers == RAMP_TO - 2
    assert state.failures == 0


def test_what_fails_on_the_way_up_closes_the_way_again():
    state = failed(answered(let_through(opened())), times=2)
    assert state.mode == "ramp"
    assert failed(state).mode == "open"


def test_what_was_sent_before_it_opened_cannot_close_the_way_longer_but_can_open_it():
    state = opened()
    assert ended(state, "infrastructure", epoch=state.epoch - 1, now=9.0) == state
    probe = let_through(state)
    assert ended(probe, "infrastructure", epoch=state.epoch - 1, now=9.0) == probe
    assert ended(state, "served", epoch=state.epoch - 1, now=9.0).mode == "ramp"
