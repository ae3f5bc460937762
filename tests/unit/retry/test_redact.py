import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.retry.redact import excerpt, redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Incorrect API key provided: sk-proj-Ab12Cd34Ef56Gh78.", "Ab12Cd34Ef56Gh78"),
        ("Incorrect API key provided: sk-abcd****************wxyz.", "wxyz"),
        ("key sk-ant-api03-abcdefghijkl_mnop-qrst is bad", "abcdefghijkl"),
        ("Authorization: Bearer abcdef123456.x-y_z", "abcdef123456"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("'Authorization': 'hunter22222'", "hunter22222"),
        ("x-api-key: 0123456789abcdef", "0123456789abcdef"),
        ('{"api_key": "plain-old-value"}', "plain-old-value"),
        ("https://host/v1/x?key=AIzaSyA1234567890abcdefghij&alt=sse", "AIzaSy"),
        ("https://host/v1?access_token=deadbeef99", "deadbeef99"),
        ("https://me:hunter2@host/v1", "hunter2"),
        ("gsk_abcdefghijklmnop", "abcdefghijklmnop"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sflKxwRJSM", "sflKxwRJSM"),
    ],
)
def test_secrets_are_taken_out(text, secret):
    cleaned = redact(text)
    assert secret not in cleaned
    assert "[secret]" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "The model `gpt-4o-mini` does not exist",
        "Rate limit reached on tokens per minute (TPM): Limit 7000",
        "risk-adjusted returns and task-oriented words",
        "see https://platform.openai.com/account/api-keys",
        "the key must be a string",
        "bearer of bad news",
    ],
)
def test_ordinary_words_stay(text):
    assert redact(text) == text


def test_an_excerpt_is_one_short_line():
    assert excerpt("a\n  b\tc") == "a b c"
    assert excerpt("x" * 500, most=10) == "xxxxxxxxx…"


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_an_excerpt_never_grows(text, most):
    assert len(excerpt(text, most=most)) <= most
