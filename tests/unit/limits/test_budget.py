"""The account of a budget: what fits now, what may fit later, what never will."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from fanwise.errors import ConfigError
from fanwise.limits.budget import Amount, Budget, Purse


@pytest.mark.parametrize(
    "bounds",
    [
        {"usd": 0},
        {"usd": -1},
        {"usd": "five"},
        {"usd": math.nan},
        {"usd": math.inf},
        {"usd": True},
        {"tokens": 0},
        {"tokens": 1.5},
        {"calls": True},
        {"wall_s": 0},
        {"wall_s": math.inf},
    ],
)
def test_an_impossible_budget_is_refused_with_its_bounds(bounds):
    with pytest.raises(ConfigError, match=f"{next(iter(bounds))}=.* is impossible") as refused:
        Budget(**bounds)
    assert refused.value.hint


def test_a_float_is_taken_as_it_is_written():
    assert Budget(usd=0.1).most_usd == Decimal("0.1")


def test_what_is_set_aside_counts_until_it_is_put_right():
    purse = Purse(budget=Budget(usd=1, tokens=1000, calls=10))
    half = Amount(usd=Decimal("0.6"), tokens=100, calls=1)
    assert purse.admits(half) == "now"
    purse = purse.reserve(half)
    assert purse.admits(half) == "later"
    cheap = purse.settle(half, actual=Amount(usd=Decimal("0.1"), tokens=10, calls=1))
    assert cheap.reserved == Amount()
    assert cheap.admits(half) == "now"
    dear = purse.settle(half, actual=half)
    assert dear.admits(half) == "never"
    assert dear.lacks(half) == "usd"


@pytest.mark.parametrize(
    ("spent", "kind"),
    [
        (Amount(usd=Decimal(1)), "usd"),
        (Amount(tokens=1000), "tokens"),
        (Amount(calls=10), "calls"),
    ],
)
def test_each_bound_holds_alone(spent, kind):
    purse = Purse(budget=Budget(usd=1, tokens=1000, calls=10), spent=spent)
    cost = Amount(usd=Decimal("0.01"), tokens=1, calls=1)
    assert purse.admits(cost) == "never"
    assert purse.lacks(cost) == kind


def test_the_last_unit_can_be_spent_to_the_cent():
    purse = Purse(budget=Budget(usd="0.3"), spent=Amount(usd=Decimal("0.2")))
    assert purse.admits(Amount(usd=Decimal("0.1"))) == "now"
    assert purse.admits(Amount(usd=Decimal("0.1000001"))) == "never"


def test_only_stated_bounds_are_shown():
    purse = Purse(budget=Budget(calls=10, wall_s=60), spent=Amount(calls=4)).reserve(
        Amount(calls=2)
    )
    shown = [(use.kind, use.spent, use.reserved, use.limit) for use in purse.use(worked_s=6)]
    assert shown == [("calls", 4, 2, 10), ("wall_s", 6, 0, 60)]
