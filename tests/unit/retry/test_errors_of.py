"""The error that a failed call ends with."""

import json

import pytest

from fanwise.errors import (
    AttemptTimeout,
    CallError,
    Overloaded,
    RateLimited,
    Rejected,
    ServerError,
    StateError,
    TransportError,
)
from fanwise.records import Failure, Verdict
from fanwise.retry.classify import classify
from fanwise.retry.errors_of import error_of


def end(failure, *, provider="openai", **options):
    verdict = classify(failure, wall_s=0.0)
    return error_of(failure, verdict, provider=provider, model="openai/gpt-x", attempt=2, **options)


def answer(status, message="", **fields):
    body = json.dumps({"error": {"message": message, **fields}}) if message or fields else ""
    headers = {"retry-after": "7"} if status == 429 else {}
    return Failure(kind="status", message="HTTP error", status=status, headers=headers, body=body)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (answer(429), RateLimited),
        (answer(529), Overloaded),
        (answer(503), Overloaded),
        (answer(500), ServerError),
        (answer(409), ServerError),
        (answer(408), AttemptTimeout),
        (answer(404), Rejected),
        (answer(401), Rejected),
        (answer(429, "x", code="insufficient_quota"), Rejected),
        (answer(501), ServerError),
        (Failure(kind="connect", message="no route to host"), TransportError),
        (Failure(kind="reset", message="cut off"), TransportError),
        (Failure(kind="protocol", message="HTML instead of JSON"), TransportError),
        (Failure(kind="timeout", message="too slow", phase="connect"), AttemptTimeout),
        (Failure(kind="exception", message="boom", exception=ValueError("boom")), CallError),
    ],
)
def test_each_failure_has_its_class_and_its_place(failure, kind):
    error = end(failure)
    assert type(error) is kind
    assert (error.provider, error.model, error.attempt) == ("openai", "openai/gpt-x", 2)
    assert error.status == failure.status


def test_a_refused_key_says_who_refused_it_and_which_variable_to_check():
    error = end(
        answer(401, "Incorrect API key provided: sk-abcdefgh12345678."),
        key_hint="check OPENAI_API_KEY",
    )
    assert error.message == ("OpenAI refused the key (401): Incorrect API key provided: [secret].")
    assert error.hint == "check OPENAI_API_KEY"


def test_an_unknown_model_says_what_to_check():
    error = end(answer(404, "The model `gpt-x` does not exist"))
    assert "does not know this model or path (404): The model `gpt-x`" in error.message
    assert "openai/gpt-x" in error.hint
    assert "--base-url" in error.hint


def test_an_empty_account_points_to_the_billing_page():
    error = end(answer(429, "You exceeded your quota", code="insufficient_quota"))
    assert "platform.openai.com" in error.hint
    assert "billing" in end(answer(402), provider="somebody").hint


def test_a_used_up_day_says_when_to_go_on():
    error = end(answer(429, "Rate limit reached on requests per day (RPD)"))
    assert isinstance(error, Rejected)
    assert "tomorrow" in error.hint


def test_a_request_that_never_fits_says_so():
    words = "Rate limit reached on tokens per min (TPM): Limit 7000, Requested 12903."
    assert "shorten the request" in end(answer(429, words)).hint


def test_a_rate_limit_carries_the_wait_and_why_it_was_given_up():
    error = end(answer(429, "Slow down"), gave_up="nothing was served for 900 s")
    assert error.retry_after_s == 7.0
    assert error.message == (
        "OpenAI refused the request (429): Slow down; given up: nothing was served for 900 s"
    )
    assert "--rpm" in error.hint


def test_the_transports_own_hint_counts_before_ours():
    failure = Failure(kind="connect", message="no such host", hint="is the server started?")
    assert end(failure).hint == "is the server started?"
    assert "--base-url" in end(Failure(kind="connect", message="no such host")).hint


def test_an_unknown_provider_goes_by_its_own_name():
    assert end(answer(500), provider="acme").message.startswith("acme failed (500)")
    assert end(answer(500), provider="").message.startswith("the server failed (500)")


def test_a_page_instead_of_json_is_told_by_its_title():
    body = "<html><title>502 Bad Gateway</title>" + "x" * 4000
    failure = Failure(kind="status", message="m", status=502, body=body)
    assert end(failure).message == "OpenAI failed (502): 502 Bad Gateway"


def test_long_bodies_are_shortened():
    assert len(end(answer(400, "y" * 5000)).message) < 400


def test_an_exception_of_the_callers_code_is_named_and_kept():
    boom = ValueError("bad row sk-abcdefgh12345678")
    error = end(Failure(kind="exception", message=str(boom), exception=boom))
    assert error.message == "ValueError: bad row [secret]"
    assert error.__cause__ is boom


def test_a_call_error_of_a_callable_model_is_kept_and_completed():
    own = Overloaded("mine", status=529)
    error = end(Failure(kind="exception", message="", exception=own), gave_up="too late")
    assert error is own
    assert (error.provider, error.attempt, error.status) == ("openai", 2, 529)
    assert str(error) == "mine; given up: too late"


@pytest.mark.parametrize("kind", ["served", "cancelled"])
def test_what_is_no_failure_is_misuse(kind):
    with pytest.raises(StateError):
        error_of(answer(500), Verdict(kind=kind), provider="", model="", attempt=1)
