"""Reading what servers say about when to come back, sense and nonsense alike."""

import math
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.durations import duration_s
from fanwise.retry.headers import retry_after_s, should_retry, states_limits, used_up

WALL_S = 1_800_000_000.0


def wait(**headers):
    return retry_after_s({k.replace("__", "-"): v for k, v in headers.items()}, wall_s=WALL_S)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("2.5", 2.5),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-1", None),
        ("-0.5", None),
        ("1000000000", 1e9),
        ("9" * 400, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("0x10", None),
        ("2s", 2.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("2, 3", None),
        ("２", None),
    ],
)
def test_seconds_durations_and_nonsense(value, seconds):
    assert wait(retry__after=value) == (None if seconds is None else pytest.approx(seconds))


def test_milliseconds_count_before_seconds():
    assert wait(retry__after="3", **{"retry-after-ms": "250"}) == 0.25


def test_unusable_milliseconds_leave_the_seconds():
    assert wait(retry__after="3", **{"retry-after-ms": "-1"}) == 3.0


def test_a_proxys_prefix_is_understood_but_the_plain_name_wins():
    assert wait(**{"llm_provider-retry-after": "9"}) == 9.0
    assert wait(**{"llm_provider-retry-after": "9", "retry-after": "4"}) == 4.0
    assert wait(**{"llm_provider-retry-after-ms": "1500", "retry-after": "4"}) == 1.5


def test_a_name_that_only_ends_alike_is_no_prefix():
    assert wait(donotretry__after="9") is None
    assert wait(noretry__after="9") is None


def test_a_date_is_relative_to_the_servers_own_clock():
    sent = formatdate(WALL_S - 5000, usegmt=True)
    back = formatdate(WALL_S - 4970, usegmt=True)
    assert wait(retry__after=back, date=sent) == 30.0


def test_a_date_without_a_date_header_is_relative_to_ours():
    assert wait(retry__after=formatdate(WALL_S + 12, usegmt=True)) == 12.0


def test_a_date_that_has_passed_means_now():
    assert wait(retry__after=formatdate(WALL_S - 100, usegmt=True)) == 0.0


def test_an_unreadable_date_header_is_ignored():
    assert wait(retry__after=formatdate(WALL_S + 12, usegmt=True), date="yesterday") == 12.0


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.floats(-1e12, 1e12))
def test_no_text_breaks_it_and_every_answer_is_a_wait(value, date, wall_s):
    found = retry_after_s({"retry-after": value, "date": date}, wall_s=wall_s)
    assert found is None or (found >= 0 and math.isfinite(found))


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=40), st.text(max_size=40), max_size=8))
def test_no_headers_break_any_reader(headers):
    retry_after_s(headers, wall_s=WALL_S)
    should_retry(headers)
    states_limits(headers)
    used_up(headers)


@settings(deadline=None)
@given(st.floats(0, 1e9))
def test_every_plain_number_is_read_as_it_is(seconds):
    assert retry_after_s({"retry-after": f"{seconds:.3f}"}, wall_s=0.0) == pytest.approx(
        seconds, abs=0.001
    )


@settings(deadline=None)
@given(st.integers(0, 1_000_000_000))
def test_every_date_is_read_as_the_time_until_it(ahead_s):
    value = formatdate(WALL_S + ahead_s, usegmt=True)
    assert retry_after_s({"retry-after": value}, wall_s=WALL_S) == ahead_s


@settings(deadline=None)
@given(st.text())
def test_durations_are_never_negative_infinite_or_fatal(text):
    found = duration_s(text)
    assert found is None or (found >= 0 and math.isfinite(found))


@settings(deadline=None)
@given(h=st.integers(0, 99), m=st.integers(0, 59), s=st.integers(0, 59), ms=st.integers(0, 999))
def test_durations_add_up(h, m, s, ms):
    assert duration_s(f"{h}h{m}m{s}s{ms}ms") == pytest.approx(h * 3600 + m * 60 + s + ms / 1000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("1s", 1), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("1d", 86400), ("3", 3)],
)
def test_durations_as_providers_write_them(text, seconds):
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "1m2", "1 m", "-1s", "1s!", "m1", "1sx", "∞", "1_0s"])
def test_what_is_no_duration(text):
    assert duration_s(text) is None


@pytest.mark.parametrize(
    ("value", "advice"),
    [("true", True), ("false", False), (" False ", False), ("maybe", None), ("", None)],
)
def test_advice_to_retry_or_not(value, advice):
    assert should_retry({"x-should-retry": value}) is advice


@pytest.mark.parametrize(
    "name",
    [
        "x-ratelimit-remaining-requests",
        "anthropic-ratelimit-tokens-reset",
        "ratelimit-policy",
        "x-rate-limit-limit",
        "llm_provider-x-ratelimit-limit-tokens",
    ],
)
def test_limit_headers_of_any_form_are_noticed(name):
    assert states_limits({name: "1"})


def test_other_headers_are_no_limit_headers():
    assert not states_limits({"date": "x", "x-request-id": "ratelimit-", "separate-limits": "y"})


def test_a_used_up_limit_is_put_in_words():
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "6m0s",
    }
    assert used_up(headers) == "500 requests used up, full again in 360 s"


@pytest.mark.parametrize(
    "unknown",
    [
        {"x-ratelimit-remaining-requests": "0"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-limit-requests": "-1"},
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-limit-requests": "500",
            "x-ratelimit-reset-requests": "0",
        },
        {"x-ratelimit-remaining-requests": "3", "x-ratelimit-limit-requests": "500"},
    ],
)
def test_zeros_that_mean_unknown_are_not_told(unknown):
    assert used_up(unknown) == ""
