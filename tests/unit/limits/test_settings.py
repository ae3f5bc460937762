import math

import pytest

from fanwise.errors import ConfigError
from fanwise.limits.settings import Limits, read_concurrency, written_concurrency


def test_unknown_and_unlimited_quotas_hold_nothing_back():
    assert list(Limits(rpm=None, tpm=math.inf).quotas()) == []


def test_every_stated_quota_becomes_one():
    limits = Limits(rpm=60, tpm=1000, input_tpm=500, output_tpm=200, burst_s=2)
    assert [(q.dimension, q.per_minute, q.burst_s) for q in limits.quotas()] == [
        ("requests", 60, 2),
        ("tokens", 1000, 2),
        ("input_tokens", 500, 2),
        ("output_tokens", 200, 2),
    ]


def test_tokens_are_counted_only_where_a_quota_asks_for_them():
    assert not Limits(rpm=60).counts_tokens
    assert Limits(output_tpm=60).counts_tokens


def test_concurrency_may_be_unlimited():
    assert Limits(concurrency=math.inf).concurrency == math.inf


@pytest.mark.parametrize(
    "value",
    [
        0,
        -3,
        2.5,
        True,
        "many",
        math.nan,
        None,
        (1, 2),
        (2, 1, 3),
        (0, 1, 2),
        (1, math.inf, math.inf),
    ],
)
def test_an_impossible_concurrency_is_refused_with_its_value_and_a_remedy(value):
    with pytest.raises(ConfigError) as caught:
        Limits(concurrency=value)
    assert repr(value) in caught.value.message
    assert "1 or more" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        ("adaptive", (1, 16, 4000)),
        (7, (1, 7, 7)),
        ((2, 20, 500), (2, 20, 500)),
        ((1, 10, math.inf), (1, 10, math.inf)),
    ],
)
def test_a_concurrency_is_learned_between_bounds(given, bounds):
    found = Limits(concurrency=given).concurrency_range
    assert (found.least, found.start, found.most) == bounds


def test_what_is_not_stated_is_learned():
    assert Limits().concurrency == "adaptive"
    assert Limits().stated_concurrency is None
    assert Limits(concurrency=5).stated_concurrency == 5


@pytest.mark.parametrize("name", ["rpm", "tpm", "input_tpm", "output_tpm"])
@pytest.mark.parametrize("value", [0, -1.5, math.nan, "60", True])
def test_an_impossible_quota_is_refused_by_name(name, value):
    with pytest.raises(ConfigError) as caught:
        Limits(**{name: value})
    assert f"{name}={value!r}" in caught.value.message
    assert "above 0" in caught.value.hint


def test_an_impossible_burst_is_refused():
    with pytest.raises(ConfigError, match="burst"):
        Limits(burst_s=-1)


@pytest.mark.parametrize("value", [50, "adaptive", (1, 20, 500)])
def test_a_concurrency_is_read_as_it_was_written(value):
    assert read_concurrency(written_concurrency(value)) == value


def test_a_concurrency_is_read_from_a_list_too():
    assert read_concurrency([1, 2, 3]) == (1, 2, 3)


@pytest.mark.parametrize("value", ["", "x", "1-2", "3-2-1", "0", None, 2.5, True, [1, 2], "٣"])
def test_what_is_no_concurrency_is_refused_with_its_forms(value):
    with pytest.raises(ConfigError) as caught:
        read_concurrency(value)
    assert "1" in caught.value.hint
