from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.simulator.admission import Admission, Bucket, reset_text, retry_headers
from fanwise.simulator.profile import SimProfile


def admitted(admission, now, *, tokens=1, in_work=0):
    return admission.admit(tokens, now=now, in_work=in_work) is None


def test_a_burst_is_admitted_and_then_the_rate():
    admission = Admission(SimProfile(rpm=6000, burst=20), now=0.0)
    assert sum(admitted(admission, 0.0) for _ in range(50)) == 20
    refusal = admission.admit(1, now=0.0, in_work=0)
    assert (refusal.status, refusal.dimension) == (429, "requests")
    assert refusal.wait_s == pytest.approx(0.01)
    assert not admitted(admission, 0.0099)
    assert admitted(admission, 0.01)


def test_a_refused_request_takes_nothing():
    admission = Admission(SimProfile(rpm=60, burst=1, tpm=60_000, token_burst=100), now=0.0)
    assert admitted(admission, 0.0, tokens=100)
    # The request bucket is empty, so the tokens that flowed in must still all be there.
    assert not admitted(admission, 0.5, tokens=100)
    assert admitted(admission, 1.0, tokens=100)


def test_the_longer_wait_is_the_one_that_is_named():
    profile = SimProfile(rpm=60, burst=1, tpm=60, token_burst=10)
    admission = Admission(profile, now=0.0)
    assert admitted(admission, 0.0, tokens=10)
    refusal = admission.admit(10, now=0.0, in_work=0)
    assert refusal.dimension == "tokens"
    assert refusal.wait_s == pytest.approx(10.0)


def test_a_request_larger_than_the_bucket_leaves_it_in_debt():
    admission = Admission(SimProfile(tpm=6000, token_burst=100), now=0.0)
    assert admitted(admission, 0.0, tokens=300)
    refusal = admission.admit(100, now=0.0, in_work=0)
    assert refusal.wait_s == pytest.approx(3.0)


def test_tokens_used_beyond_the_reserved_are_charged():
    admission = Admission(SimProfile(tpm=6000, token_burst=100), now=0.0)
    assert admitted(admission, 0.0, tokens=50)
    admission.charge(80, now=0.0)
    assert not admitted(admission, 0.0, tokens=1)


@pytest.mark.parametrize("status", [429, 503])
def test_full_slots_refuse_without_a_wait(status):
    admission = Admission(SimProfile(slots=2, slots_status=status), now=0.0)
    assert admitted(admission, 0.0, in_work=1)
    refusal = admission.admit(1, now=0.0, in_work=2)
    assert (refusal.status, refusal.dimension, refusal.wait_s) == (status, "slots", None)


def test_headers_state_the_limits_as_openai_does():
    admission = Admission(SimProfile(rpm=600, burst=10, tpm=60_000), now=0.0)
    admitted(admission, 0.0, tokens=1500)
    assert admission.headers(0.0) == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "4500",
        "x-ratelimit-reset-tokens": "1.5s",
    }
    assert Admission(SimProfile(), now=0.0).headers(5.0) == {}


@pytest.mark.parametrize(
    ("form", "wait_s", "headers"),
    [
        ("exact", 0.0123, {"retry-after": "0.013", "retry-after-ms": "13"}),
        ("integer", 0.0123, {"retry-after": "1"}),
        ("integer", 2.0, {"retry-after": "2"}),
        ("absent", 2.0, {}),
    ],
)
def test_the_wait_is_stated_in_the_form_asked_for(form, wait_s, headers):
    assert retry_headers(wait_s, form=form, wall_s=1e9) == headers


def test_a_date_is_never_too_early():
    stated = retry_headers(1.2, form="date", wall_s=1_700_000_000.5)["retry-after"]
    assert parsedate_to_datetime(stated).timestamp() == 1_700_000_002.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0ms"), (0.012, "12ms"), (1.5, "1.5s"), (360.0, "6m0s"), (3723.0, "1h2m3s")],
)
def test_resets_are_written_as_openai_writes_them(seconds, text):
    assert reset_text(seconds) == text


@given(
    st.floats(1.0, 6000.0),
    st.integers(1, 50),
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=200),
)
def test_never_more_than_burst_and_rate_are_admitted(rpm, burst, gaps):
    bucket = Bucket(per_minute=rpm, size=burst, now=0.0)
    now, taken = 0.0, 0
    for gap in gaps:
        now += gap
        if bucket.wait_s(1, now) == 0.0:
            bucket.take(1, now)
            taken += 1
        assert taken <= burst + now * rpm / 60.0 + 1e-3


@given(st.floats(1.0, 6000.0), st.integers(1, 50), st.integers(0, 100))
def test_after_the_wait_the_request_is_admitted(rpm, burst, taken):
    bucket = Bucket(per_minute=rpm, size=burst, now=0.0)
    for _ in range(taken):
        bucket.take(1, 0.0)
    wait_s = bucket.wait_s(1, 0.0)
    assert bucket.wait_s(1, wait_s) == 0.0


def test_an_unlimited_bucket_is_never_empty():
    bucket = Bucket(per_minute=math.inf, size=1, now=0.0)
    bucket.take(1e12, 0.0)
    assert bucket.wait_s(1, 0.0) == 0.0
    assert bucket.full_in_s(0.0) == 0.0
