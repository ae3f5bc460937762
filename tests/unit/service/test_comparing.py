"""Two sides of a comparison: paired by what they have in common."""

from __future__ import annotations

import pytest

from fanwise.service.comparing import Figures, Half, Side, pairs, score_of

NOTHING = Figures(
    items=0,
    failed=0,
    attempts=0,
    input_tokens=0,
    output_tokens=0,
    cost_usd=None,
    mean_s=None,
    mean_score=None,
    whole=True,
)


def half(**texts):
    items = {
        key: Side(
            item_id=key,
            state="failed" if text is None else "succeeded",
            text=text or "",
            score=None,
            service_s=0.0,
            cost_usd=None,
        )
        for key, text in texts.items()
    }
    return Half(items=items, figures=NOTHING)


@pytest.mark.parametrize(
    ("show", "keys"),
    [
        ("all", ["a", "b", "c", "d", "e"]),
        ("different", ["b", "c", "d", "e"]),
        ("failed", ["c", "d"]),
    ],
)
def test_items_are_paired_and_chosen(show, keys):
    left = half(a="same", b="one", c=None, d="there")
    right = half(a="same", b="other", c="fine", d=None, e="new")
    assert [pair.key for pair in pairs(left, right, show)] == keys


def test_what_only_one_side_has_differs():
    (pair,) = pairs(half(), half(a="x"), "different")
    assert pair.left is None
    assert pair.right is not None


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ({"score": 3}, 3.0),
        ({"overall": 7.5}, 7.5),
        ({"score": True}, None),
        ("9", None),
        ({}, None),
    ],
)
def test_a_score_is_a_number_that_an_output_calls_so(value, score):
    assert score_of(value) == score
