"""What counts as what."""

import json
import ssl

import pytest

from fanwise.errors import (
    AttemptTimeout,
    CallError,
    InvalidOutput,
    Overloaded,
    RateLimited,
    Rejected,
    ServerError,
    TransportError,
)
from fanwise.records import Failure
from fanwise.retry.classify import classify


def answer(status, body="", **headers):
    if not isinstance(body, str):
        body = json.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(
        Failure(kind="status", message="", status=status, headers=names, body=body), wall_s=0.0
    )


def error(message="", **fields):
    return {"error": {"message": message, **fields}}


def raised(exception, **options):
    failure = Failure(kind="exception", message=str(exception), exception=exception)
    return classify(failure, wall_s=0.0, **options)


@pytest.mark.parametrize("status", [408, 409, 425, 499, 500, 502, 504, 520, 524])
def test_what_broke_on_the_way_is_infrastructure(status):
    assert answer(status).kind == "infrastructure"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 451, 501])
def test_what_would_fail_again_is_terminal(status):
    assert answer(status).kind == "terminal"


@pytest.mark.parametrize("status", [498, 503, 529])
def test_a_full_provider_is_capacity(status):
    assert answer(status).kind == "capacity"


def test_429_with_a_wait_is_rate():
    verdict = answer(429, retry_after="7")
    assert (verdict.kind, verdict.retry_after_s) == ("rate", 7.0)


def test_429_with_limit_headers_is_rate():
    verdict = answer(
        429,
        x_ratelimit_limit_requests="500",
        x_ratelimit_remaining_requests="0",
        x_ratelimit_reset_requests="6m0s",
    )
    assert verdict.kind == "rate"
    assert verdict.retry_after_s is None  # a time to a full quota is no wait before a retry
    assert verdict.reason == "429: 500 requests used up, full again in 360 s"


def test_429_whose_body_names_a_rate_limit_is_rate():
    assert answer(429, error(code="rate_limit_exceeded")).kind == "rate"
    assert answer(429, error("Too Many Requests")).kind == "rate"


def test_429_without_a_hint_is_capacity():
    assert answer(429).kind == "capacity"
    assert answer(429, "go away").kind == "capacity"


def test_429_of_an_overloaded_engine_is_capacity_and_keeps_its_wait():
    verdict = answer(429, error("The engine is currently overloaded"), retry_after="3")
    assert (verdict.kind, verdict.retry_after_s) == ("capacity", 3.0)


def test_500_of_an_overloaded_engine_is_capacity():
    assert answer(500, {"error": {"type": "overloaded_error"}}).kind == "capacity"


@pytest.mark.parametrize(
    "body",
    [
        error("You exceeded your current quota", type="insufficient_quota"),
        error("x", code="billing_not_active"),
        error("Your credit balance is too low to access the API", type="invalid_request_error"),
    ],
)
@pytest.mark.parametrize("status", [400, 403, 429])
def test_an_empty_account_is_terminal_whatever_the_status(status, body):
    verdict = answer(status, body, retry_after="1")
    assert verdict.kind == "terminal"
    assert "no quota or credit" in verdict.reason


GEMINI = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "google.rpc.QuotaFailure", "violations": [{"quotaId": "REPLACED"}]},
            {"@type": "google.rpc.RetryInfo", "retryDelay": "36s"},
        ],
    }
}


def test_a_minutes_quota_in_a_body_is_rate_with_the_bodys_wait():
    body = json.dumps(GEMINI).replace("REPLACED", "GenerateRequestsPerMinutePerProject")
    verdict = answer(429, f"[{body}]")
    assert (verdict.kind, verdict.retry_after_s) == ("rate", 36.0)


def test_a_days_quota_is_terminal_although_a_wait_stands_beside_it():
    body = json.dumps(GEMINI).replace("REPLACED", "GenerateRequestsPerDayPerProject-FreeTier")
    assert answer(429, body).kind == "terminal"
    words = "Rate limit reached on tokens per day (TPD): Limit 100, Used 99, Requested 5."
    verdict = answer(429, error(words, code="rate_limit_exceeded"), retry_after="400")
    assert verdict.kind == "terminal"
    assert "day" in verdict.reason


def test_a_request_larger_than_its_whole_limit_is_terminal():
    words = "Rate limit reached on tokens per minute (TPM): Limit 7000, Used 0, Requested ~12903."
    verdict = answer(429, error(words, code="rate_limit_exceeded"), retry_after="50")
    assert verdict.kind == "terminal"
    assert verdict.reason == "429: the request needs 12903 of a limit of 7000"
    fits = words.replace("Used 0", "Used 6000").replace("12903", "2000")
    assert answer(429, error(fits, code="rate_limit_exceeded"), retry_after="9").kind == "rate"


@pytest.mark.parametrize("status", [400, 403])
def test_a_gateways_400_for_a_rate_limit_is_rate(status):
    assert answer(status, error("Rate limit exceeded, slow down")).kind == "rate"
    assert answer(status, error("x", code="ThrottlingException")).kind == "rate"


def test_a_400_that_only_mentions_limits_stays_terminal():
    assert answer(400, error("max_tokens is above the limit of 4096")).kind == "terminal"
    assert answer(422, error("Rate limit exceeded")).kind == "terminal"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_asks_not_to_retry_is_obeyed(status):
    assert answer(status, x_should_retry="false", retry_after="1").kind == "terminal"


def test_a_server_that_asks_to_retry_is_believed_within_the_attempts():
    assert answer(404, x_should_retry="true").kind == "infrastructure"
    assert answer(429, x_should_retry="true", retry_after="1").kind == "rate"


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 0.0), ("-1", None), ("1000000000", 1e9), ("nonsense", None)]
)
def test_strange_waits_are_kept_as_they_are_or_dropped(value, seconds):
    assert answer(503, retry_after=value).retry_after_s == seconds


@pytest.mark.parametrize("kind", ["connect", "reset", "timeout", "protocol"])
def test_a_broken_wire_is_infrastructure(kind):
    assert classify(Failure(kind=kind, message="x"), wall_s=0).kind == "infrastructure"


def test_a_timeout_names_the_deadline_that_passed():
    failure = Failure(kind="timeout", message="x", phase="first_byte")
    assert classify(failure, wall_s=0).reason == "timeout (first byte)"


def test_a_bad_certificate_is_terminal():
    failure = Failure(kind="connect", message="x", exception=ssl.SSLCertVerificationError("self"))
    assert classify(failure, wall_s=0).kind == "terminal"


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        (RateLimited("x", retry_after_s=3), "rate"),
        (Overloaded("x"), "capacity"),
        (ServerError("x"), "infrastructure"),
        (AttemptTimeout("x"), "infrastructure"),
        (TransportError("x"), "infrastructure"),
        (Rejected("x"), "terminal"),
        (InvalidOutput("x"), "terminal"),
        (CallError("x"), "terminal"),
        (TimeoutError("x"), "infrastructure"),
        (ConnectionResetError("x"), "infrastructure"),
        (OSError("network unreachable"), "infrastructure"),
        (FileNotFoundError("x"), "terminal"),
        (PermissionError("x"), "terminal"),
        (ValueError("x"), "terminal"),
        (KeyError("x"), "terminal"),
    ],
)
def test_exceptions_of_callable_models(exception, kind):
    assert raised(exception).kind == kind


def test_a_callable_models_own_wait_is_kept():
    assert raised(RateLimited("x", retry_after_s=3)).retry_after_s == 3


def test_exceptions_the_caller_names_are_worth_another_attempt():
    assert raised(KeyError("x"), retry_on=(LookupError,)).kind == "infrastructure"
    assert raised(ValueError("x"), retry_on=(LookupError,)).kind == "terminal"
    assert raised(RateLimited("x"), retry_on=(Exception,)).kind == "rate"


class Reply:
    def __init__(self, status, headers):
        self.status_code = status
        self.headers = headers


class ClientError(Exception):
    """As the clients of providers raise them."""

    def __init__(self, status, headers):
        super().__init__("Error code")
        self.status_code = status
        self.response = Reply(status, headers)


class ReplyOnly(Exception):
    """As HTTP clients raise them."""

    def __init__(self, status, headers):
        super().__init__("Client error")
        self.response = Reply(status, headers)


@pytest.mark.parametrize("kind", [ClientError, ReplyOnly])
def test_an_http_answer_inside_a_foreign_exception_is_read(kind):
    verdict = raised(kind(429, {"Retry-After": "8"}))
    assert (verdict.kind, verdict.retry_after_s) == ("rate", 8.0)
    assert raised(kind(401, {})).kind == "terminal"
    assert raised(kind(502, None)).kind == "infrastructure"


def test_a_number_that_is_no_http_status_is_not_taken_for_one():
    error = ValueError("x")
    error.status = 7
    assert raised(error).kind == "terminal"
    error.status = True
    assert raised(error).kind == "terminal"


def test_no_advice_to_retry_outweighs_an_empty_account() -> None:
    failure = Failure(
        kind="status",
        message="",
        status=429,
        headers={"x-should-retry": "true"},
        body='{"error": {"code": "insufficient_quota"}}',
    )
    assert classify(failure, wall_s=0.0).kind == "terminal"


@pytest.mark.parametrize(
    ("status", "headers", "counted"),
    [
        (429, {}, True),
        (429, {"retry-after": "3"}, True),
        (503, {}, False),
        (529, {"retry-after": "3"}, False),
        (500, {}, False),
    ],
)
def test_a_429_counts_requests_and_a_busy_answer_does_not(status, headers, counted):
    failure = Failure(kind="status", status=status, headers=headers, body="", message="x")
    assert classify(failure, wall_s=0).counted is counted
