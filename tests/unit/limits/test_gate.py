"""What refusals do to the pool, as plain values."""

import pytest

from fanwise.limits.gate import Gate, says_exhausted


def refuse(gate, *, now, epoch=None, **details):
    return gate.refused(epoch=gate.epoch if epoch is None else epoch, now=now, **details)


def test_a_first_refusal_closes_the_pool_for_a_moment_at_most():
    assert refuse(Gate(), now=10, retry_after_s=30).closed_until == 10.1
    assert refuse(Gate(), now=10, retry_after_s=0.05).closed_until == pytest.approx(10.05)
    assert refuse(Gate(), now=10).closed_until == 10


def test_a_burst_of_refusals_from_one_mistake_counts_once():
    first = refuse(Gate(), now=10, retry_after_s=30)
    gate = first
    for late in range(100):
        gate = refuse(gate, epoch=0, now=10 + late / 100, retry_after_s=30)
    assert gate == first


def test_two_epochs_of_which_nothing_is_served_mean_the_whole_retry_after():
    gate = refuse(Gate(), now=10, retry_after_s=30)
    gate = refuse(gate, now=11, retry_after_s=30)
    assert gate.closed_until == 12
    gate = refuse(gate, now=14.0, retry_after_s=27)
    assert gate.closed_until == 14 + 27


@pytest.mark.parametrize("how", ["served", "taken"])
def test_an_epoch_of_which_something_is_taken_is_no_reason_to_wait_longer(how):
    gate = refuse(Gate(), now=10, retry_after_s=30)
    if how == "served":
        gate = gate.served(epoch=gate.epoch)
    gate = refuse(gate, now=12.0, retry_after_s=30, taken=how == "taken")
    assert gate.closed_until == 12.1
    assert gate.strikes == 1


def test_after_an_outage_one_goes_ahead_and_the_others_follow_by_doubling():
    gate = Gate()
    for _ in range(3):
        gate = refuse(gate, now=100.0)
    assert gate.outage
    assert gate.closed_until == 100.5
    assert [gate.opens_for(sent) for sent in (0, 1, 3, 7)] == [100.5, 101.0, 101.5, 102.0]
    gate = gate.served(epoch=gate.epoch)
    assert not gate.outage
    assert gate.opens_for(1000) == 100.5


def test_no_retry_after_closes_the_pool_for_more_than_two_minutes():
    gate = refuse(Gate(), now=0, retry_after_s=1e9, exhausted=True)
    assert gate.closed_until == 120


def test_a_wait_of_years_that_one_call_is_told_does_not_hold_back_the_others():
    gate, waits = Gate(), []
    for _ in range(3):
        opened = max(gate.closed_until, 0.0)
        gate = refuse(gate, now=opened, retry_after_s=1e9)
        waits.append(gate.closed_until - opened)
    assert waits == [0, 0.25, 0.5]


def test_an_exhausted_quota_is_believed_at_once():
    assert refuse(Gate(), now=0, retry_after_s=30, exhausted=True).closed_until == 30


def test_without_a_retry_after_the_wait_doubles_until_something_is_served():
    gate, waits = Gate(), []
    for _ in range(10):
        gate = refuse(gate, now=1000.0 * gate.epoch)
        waits.append(gate.closed_until - 1000.0 * (gate.epoch - 1))
    assert waits == [0, 0.25, 0.5, 1, 2, 4, 8, 8, 8, 8]
    gate = refuse(gate.served(epoch=gate.epoch), now=1e6)
    assert gate.closed_until == 1e6


def test_an_answer_takes_its_own_epoch_and_all_before_it_out_of_the_row():
    gate = Gate()
    for _ in range(6):
        gate = refuse(gate, now=0)
    assert [gate.served(epoch=epoch).strikes for epoch in range(7)] == [5, 4, 3, 2, 1, 0, 0]
    assert gate.served(epoch=3).served(epoch=0).strikes == 2


@pytest.mark.parametrize("asked", [0.0, 0.001])
def test_a_server_that_says_now_and_refuses_again_is_not_hammered(asked):
    gate = Gate()
    for _ in range(8):
        gate = refuse(gate, now=100.0 * gate.epoch, retry_after_s=asked)
    assert gate.closed_until - 700 >= 8


def test_a_later_opening_is_never_brought_forward():
    gate = refuse(Gate(), now=0, retry_after_s=60, exhausted=True)
    gate = refuse(gate, now=1, retry_after_s=0.5)
    assert gate.closed_until == 60


@pytest.mark.parametrize(
    ("headers", "exhausted"),
    [
        ({}, False),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6s"}, False),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6s"}, True),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m2s"}, True),
        ({"x-ratelimit-remaining-requests": "0"}, False),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "0"}, False),
        ({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "-1"}, False),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2s",
            },
            True,
        ),
    ],
)
def test_only_a_zero_with_a_time_says_that_nothing_is_left(headers, exhausted):
    assert says_exhausted(headers) is exhausted
