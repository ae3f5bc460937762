import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.retry.body import read_body

OPENAI = json.dumps(
    {"error": {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limited"}}
)


def test_the_usual_form():
    body = read_body(OPENAI)
    assert body.message == "Slow down."
    assert body.names == {"requests", "rate_limited"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            "Overloaded",
        ),
        ('[{"error":{"code":429,"message":"Later","status":"RESOURCE_EXHAUSTED"}}]', "Later"),
        ('{"error":"model not found"}', "model not found"),
        ('{"detail":"Not Found"}', "Not Found"),
        ('{"message":"no"}', "no"),
        ("plain words\nover lines", "plain words over lines"),
        ("<html><head><title>502 Bad Gateway</title></head>…", "502 Bad Gateway"),
        ("<html><body>no title</body></html>", ""),
        ("", ""),
        ("{}", ""),
        ("null", "null"),
        ("[]", ""),
    ],
)
def test_other_forms(text, message):
    assert read_body(text).message == message


def test_a_body_that_was_cut_off_still_tells_code_and_message():
    whole = json.dumps(
        {"error": {"message": 'a "quoted" word', "code": "x", "details": ["y" * 99]}}
    )
    body = read_body(whole[:70])
    assert body.message == 'a "quoted" word'
    assert "x" in body.names


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('{"error":{"details":[{"@type":"…RetryInfo","retryDelay":"34.07s"}]}}', 34.07),
        ('{"error":{"message":"Please try again in 6m12.5s. See docs."}}', 372.5),
        ('{"error":{"message":"Please try again in 20ms."}}', 0.02),
        ('{"error":{"message":"Please retry in 36.4s."}}', 36.4),
        ('{"error":{"message":"Please try again in a while."}}', None),
        ('{"error":{"message":"Please try again in 5 minutes."}}', None),
        ('{"error":{"details":[{"retryDelay":"soon"}]}}', None),
    ],
)
def test_waits_that_stand_in_the_body(text, seconds):
    assert read_body(text).retry_after_s == seconds


def test_the_quotas_that_were_exceeded_are_named():
    text = '{"error":{"details":[{"violations":[{"quotaId":"PerDay-A"},{"quotaId":"PerMinute"}]}]}}'
    assert read_body(text).quota_ids == ("PerDay-A", "PerMinute")


@pytest.mark.parametrize(
    "text", ["[" * 4096, '{"error":' * 455, '{"error":' * 400 + "1" + "}" * 400]
)
def test_a_body_nested_without_end_is_survived(text):
    read_body(text)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_it(text):
    read_body(text)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "status"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(_json, st.integers(0, 200))
def test_no_json_whole_or_cut_breaks_it(value, kept):
    text = json.dumps(value)
    read_body(text)
    read_body(text[:kept])
