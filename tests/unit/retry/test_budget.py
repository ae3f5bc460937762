"""The bucket of retries: what a retry costs, what brings it back."""

from __future__ import annotations

import math

from fanwise.retry.budget import RetryTokens, cost_of


def test_what_a_retry_costs():
    kinds = ("infrastructure", "rate", "capacity", "served", "terminal")
    assert [cost_of(kind) for kind in kinds] == [14, 5, 5, 0, 0]


def test_an_empty_bucket_gives_nothing():
    tokens = RetryTokens(most=500, left=20).take(14)
    assert tokens is not None
    assert tokens.left == 6
    assert tokens.take(14) is None
    assert tokens.take(5) == RetryTokens(most=500, left=1)


def test_success_brings_tokens_back_and_never_more_than_fit():
    assert RetryTokens(most=500, left=20).served(28).left == 48
    assert RetryTokens(most=500, left=20).served(0).left == 21
    assert RetryTokens(most=500, left=495).served(14).left == 500


def test_a_bucket_without_a_bound_is_never_empty():
    tokens = RetryTokens(most=math.inf, left=math.inf)
    assert tokens.take(1e9) is tokens
